"""gdb steps over a restartable sequence by the sections that say where each begins and ends, and loops without them."""

import re
import shutil
import subprocess

import pytest

from rseqbench import paths
from rseqbench.build import architectures, products
from tests.support.requirements import some_rseq

pytestmark = some_rseq
SCRIPT = paths.kernels() / "debug" / "rseq_gdb.py"
REQUEST = ("once", "rseqbench/1", "1", "time", "kernel=counter/rseq", "threads=1", "loops=100", "cpus=0")
WARM_UP = 7  # operations of the first call of run_rseq, which has eight instructions for each
ENOUGH = 300  # steps: far more than that call takes
SECTIONS = ("__rseq_cs_ptr_array", "__rseq_exit_point_array")


def after(program, *commands):
    """Return the function in which the thread is after gdb's commands in run_rseq(), and how many aborts it had."""
    if shutil.which("gdb") is None:
        pytest.skip("no gdb: apt-get install gdb")
    script = ("set pagination off", "set confirm off", "break run_rseq", "run", "set $thread = self", "delete")
    last = (*commands, 'printf "aborts=%lu\\n", $thread->aborts', "info symbol $pc")
    options = [part for command in (*script, *last) for part in ("-ex", command)]
    command = ["gdb", "-q", "-batch", "-nx", *options, "--args", str(program), *REQUEST]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=240)
    found = re.search(r"aborts=(\d+)\n(\w+)", done.stdout)
    assert found, done.stdout + done.stderr
    return found[2], int(found[1])


@pytest.fixture(scope="module")
def runner():
    return products.runner(architectures.host()).path


def test_plain_steps_never_leave_a_sequence(runner):
    function, aborts = after(runner, f"stepi {ENOUGH}")
    assert aborts >= WARM_UP
    assert function in ("run_rseq", "No")  # there, or in its abort handler, which has no symbol


def test_steps_by_the_sections_leave_it(runner):
    function, aborts = after(runner, f"source {SCRIPT}", f"rseq-stepi {ENOUGH}")
    assert function != "run_rseq"
    assert aborts < WARM_UP  # of a preemption at the most


def test_lines_are_left_too(runner):
    commands = (f"source {SCRIPT}", *["rseq-next"] * (3 * WARM_UP + 10))
    function, aborts = after(runner, *commands)
    assert function != "run_rseq"
    assert aborts < WARM_UP


def test_without_the_sections_they_loop(runner, tmp_path):
    bare = tmp_path / "runner"
    renamed = [f"--rename-section={name}=.renamed{number}" for number, name in enumerate(SECTIONS)]
    subprocess.run(["objcopy", *renamed, str(runner), str(bare)], check=True)
    _, aborts = after(bare, f"source {SCRIPT}", f"rseq-stepi {ENOUGH}")
    assert aborts >= WARM_UP
