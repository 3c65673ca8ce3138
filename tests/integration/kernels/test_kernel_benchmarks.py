"""kernels/src/linux.c: its operations really happen, which broken ones show; and its partners do not outlive us."""

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from rseqbench import paths
from rseqbench.build import architectures, products
from rseqbench.errors import TargetError
from tests.support.requirements import two_cpus
from tests.support.runners import child, gone, serving, session

KERNELS = ("fork_exit", "fork_exec_exit", "thread", "pipe_one_cpu", "pipe_two_cpus", "preempted", "signal", "yield")
CPU = min(os.sched_getaffinity(0))
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to real-time priority")


@pytest.fixture(scope="module")
def runner():
    return products.runner(architectures.host()).path


def time(process, kernel, loops=24):
    return session(process).ask("time", 60, kernel=f"linux/{kernel}", threads=1, cpus=[CPU], loops=[loops], repeat=2)


@two_cpus
@pytest.mark.parametrize("registration", ["auto", "none"])
@pytest.mark.parametrize("kernel", [pytest.param(k, marks=ROOT if k == "preempted" else ()) for k in KERNELS])
def test_every_operation_happens_as_often_as_asked(runner, kernel, registration):
    with serving(runner) as process:
        answer = session(process).ask(
            "time", 60, kernel=f"linux/{kernel}", threads=1, cpus=[CPU], loops=[24], registration=registration
        )
    assert answer["ns"][0] > 0
    assert answer["operations"] == [24 + 24 // 16 + 1]


@pytest.mark.parametrize(
    ("file", "right", "wrong", "kernel"),
    [
        pytest.param("core/partner.c", "++*answered;", "if (byte % 8) ++*answered;", "preempted", marks=ROOT),
        ("core/partner.c", "write(out, &byte, 1)", 'write(out, "x", 1)', "pipe_one_cpu"),
        ("src/linux.c", "_exit(0);", "_exit(3);", "fork_exit"),
        ("src/linux.c", '"/proc/self/exe"', '"/proc/self/exec"', "fork_exec_exit"),
        ("src/linux.c", "handled++;", "handled += handled % 2;", "signal"),
        ("runner/main.c", "runner_nothing))\n\t\treturn 0;", "runner_nothing))\n\t\treturn 1;", "fork_exec_exit"),
    ],
)  # fmt: skip
def test_what_does_not_happen_is_no_number(tmp_path, monkeypatch, file, right, wrong, kernel):
    copy = shutil.copytree(paths.kernels(), tmp_path / "kernels")
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong))
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(copy))
    with (
        serving(products.runner(architectures.host()).path) as process,
        pytest.raises(TargetError, match=r"\d+ operations went"),
    ):
        time(process, kernel)


def children(pid):
    """Return the processes that a process started."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def partner_of(pid):
    while not (found := children(pid)):
        os.sched_yield()
    return found[0]


def until_it_fails(process, kernel):
    with pytest.raises(TargetError):
        time(process, kernel, 10**9)


@pytest.mark.parametrize("kernel", ["pipe_one_cpu", pytest.param("preempted", marks=ROOT)])
def test_a_partner_dies_with_its_process(runner, kernel):
    with serving(runner) as process:
        asking = threading.Thread(target=until_it_fails, args=(process, kernel))
        asking.start()
        measuring = child(process)
        partner = partner_of(measuring)
        os.kill(measuring, signal.SIGKILL)
        assert gone(partner)
        asking.join(30)


def test_a_partner_is_gone_when_its_measurement_is(runner):
    with serving(runner) as process:
        time(process, "pipe_one_cpu")
        assert children(process.pid) == []


def test_on_one_cpu_the_reason_is_said(runner):
    listed = subprocess.run(
        ["taskset", "-c", str(CPU), str(runner), "once", "rseqbench/1", "1", "list"], capture_output=True, check=True
    ).stdout
    assert b'"unavailable":"needs two CPUs, and there is one"' in listed


NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups")
POWERLESS = ("--bounding-set=-sys_nice", "--inh-caps=-sys_nice")  # root, as in a container


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes somebody else")
@pytest.mark.parametrize("becoming", [NOBODY, POWERLESS])
@pytest.mark.parametrize("verb", ["list", f"time kernel=linux/preempted threads=1 cpus={CPU} loops=8"])
def test_without_the_right_to_preempt_the_reason_is_said(runner, becoming, verb):
    with runner.open("rb") as program:  # which lies where only root may go
        words = (f"/proc/self/fd/{program.fileno()}", "once", "rseqbench/1", "1", *verb.split())
        said = subprocess.run(
            ["setpriv", *becoming, *words], pass_fds=[program.fileno()], capture_output=True, check=True
        ).stdout
    assert b"needs the right to real-time priority: root, or ulimit -r 1" in said


@pytest.mark.skipif(os.geteuid() == 0, reason="root has the right to everything")
def test_without_the_limit_the_reason_is_said(runner):
    command = ["prlimit", "--rtprio=0", str(runner), "once", "rseqbench/1", "1", "list"]
    listed = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"needs the right to real-time priority: root, or ulimit -r 1" in listed


@pytest.mark.parametrize(
    "verb", ["time cpus={cpu} loops=8", "check loops=80 wanted=1 stress=0", "gate cpus={cpu} loops=8 wanted=1"]
)
def test_a_partner_that_cannot_be_started_is_said_why(runner, verb):
    verb, *keys = verb.format(cpu=CPU).split()
    if verb == "gate":
        keys += ["kernels=linux/pipe_one_cpu", "fastest=0", "limit_ms=1000", "seed=1", "capacity=8"]
    else:
        keys += ["kernel=linux/pipe_one_cpu"]
    command = ["prlimit", "--nofile=5", str(runner), "once", "rseqbench/1", "1", verb, "threads=1", *keys]
    said = subprocess.run(command, capture_output=True, check=True).stdout
    assert b"cannot set up" in said and b"Too many open files" in said


@two_cpus
@pytest.mark.parametrize("kernel", [pytest.param(k, marks=ROOT if k == "preempted" else ()) for k in KERNELS])
def test_each_is_checked_while_it_is_moved_and_signalled(runner, kernel):
    request = {"kernel": f"linux/{kernel}", "threads": 1, "loops": 10**6, "wanted": 40, "stress": False}
    with serving(runner) as process:
        answer = session(process).ask("check", 60, **request)
        assert children(process.pid) == []
    assert (answer["passed"], answer["message"]) == (True, "")
    assert answer["disturbances"] >= 40
    assert answer["operations"] > 0


def test_the_runner_does_nothing_when_that_is_its_name(runner):
    done = subprocess.run(["nothing", "whatever"], executable=str(runner), capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")
