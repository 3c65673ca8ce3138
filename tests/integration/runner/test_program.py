"""Programs run as a whole: by the runner's verb `program` and on this machine, the same of both."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from rseqbench.build import architectures, products
from rseqbench.errors import TargetError
from rseqbench.measure.engines import program
from rseqbench.model import Case, Plan, ProgramResult, Registration
from rseqbench.targets.resolve import create_target
from rseqbench.targets.runner import messages, protocol
from rseqbench.workloads import hackbench
from rseqbench.workloads.hackbench import HACKBENCH
from tests.support.commands import processes_with
from tests.support.requirements import libc_rseq, resolved
from tests.support.runners import child, serving, session

# A program that says how many bytes its C library registered.
RSEQ_SIZE = (
    "import ctypes; lib = ctypes.CDLL(None); print('registered', ctypes.c_uint.in_dll(lib, '__rseq_size').value)"
)


@pytest.fixture(params=["native", "runner"])
def target(request):
    """Return each target of this machine that runs programs."""
    with create_target(resolved(target=request.param)) as entered:
        yield entered


def run(target, *words, registration=Registration.NONE, limit_s=20.0):
    return target.run(words[0], words[1:], registration, limit_s)


def test_what_it_says_and_how_it_ends(target):
    ran = run(target, "/bin/sh", "-c", "echo one two; echo 'a, b' >&2; exit 3")
    assert (ran.code, ran.output, ran.errors) == (3, "one two\n", "a, b\n")
    assert ran.ns > 0


def test_it_needs_no_arguments(target):
    assert run(target, "/bin/true").code == 0


def test_time_is_taken_around_it(target):
    assert run(target, "/bin/sleep", "0.2").ns >= 200_000_000


@libc_rseq
def test_its_library_registers_as_it_is_told(target):
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or shutil.which("python3")
    sizes = {
        registration: run(target, python, "-c", RSEQ_SIZE, registration=registration).output.split()[-1]
        for registration in (Registration.NONE, Registration.GLIBC)
    }
    assert sizes[Registration.NONE] == "0"
    assert int(sizes[Registration.GLIBC]) > 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["/no/such"], r"/no/such.*No such file or directory"),
        (["/etc/passwd"], r"/etc/passwd.*Permission denied"),
        (["/bin/sh", "-c", "kill -9 $$"], r"ended by (SIGKILL|signal 9)"),
        (["/bin/sh", "-c", "kill -s PIPE $$"], r"ended by (SIGPIPE|signal 13)"),
        (["/bin/sh", "-c", "kill -s INT $$"], r"ended by (SIGINT|signal 2)"),
    ],
)
def test_what_does_not_run_is_one_line(target, words, why):
    with pytest.raises(TargetError, match=why):
        run(target, *words)


@pytest.mark.parametrize("path", ["/bin/true", "/no/such"])
def test_nobody_can_register_for_it(target, path):
    with pytest.raises(TargetError, match=r"^registration=self is of our own threads: a program has its C library's"):
        run(target, path, registration=Registration.SELF)


# ---- nothing of it is left behind ----


SLEEPERS = "sleep 100 & sleep 100 & sleep 100"


@pytest.fixture
def marked(tmp_path):
    """Return what marks the processes of a test in a shell; afterwards none may be left."""
    mark = f"RSEQBENCH_TEST_PROGRAM={tmp_path}"
    yield f"export {mark};"
    assert until(lambda: not processes_with(f"{mark}\0")), processes_with(f"{mark}\0")


def until(happened, timeout_s=10.0):
    deadline = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def sleeping(marked):
    """Wait until the program of a test has started all that it starts."""
    mark = marked.removeprefix("export ").removesuffix(";")
    assert until(lambda: len(processes_with(f"{mark}\0")) >= 3)


def test_one_that_does_not_end_is_ended_with_all_it_started(target, marked):
    began = time.monotonic()
    with pytest.raises(TargetError, match="did not end within"):
        run(target, "/bin/sh", "-c", marked + SLEEPERS, limit_s=0.5)
    assert time.monotonic() - began < 50, "it ended by itself"


def test_one_that_leaves_somebody_behind_takes_them_along(target, marked):
    run(target, "/bin/sh", "-c", marked + "sleep 100 >/dev/null 2>&1 & exit 0")


@contextlib.contextmanager
def running_a_program(marked):
    """Yield a runner that runs a program, when that has started all that it starts."""
    with serving(products.runner(architectures.host()).path) as process:
        arguments = {"path": "/bin/sh", "arguments": ["-c", marked + SLEEPERS], "limit_ms": 100_000}
        process.stdin.write(protocol.encode(1, "program", **arguments, registration="none") + b"\n")
        process.stdin.flush()
        sleeping(marked)
        yield process


def test_one_whose_request_is_killed_is_ended_with_all_it_started(marked):
    with running_a_program(marked) as process:
        os.kill(child(process), signal.SIGKILL)
        assert b"killed by SIGKILL" in process.stdout.readline()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_whose_runner_is_killed_is_ended_with_all_it_started(marked, number):
    with running_a_program(marked) as process:
        os.killpg(process.pid, number)
        process.wait(60)


def test_one_whose_reader_has_gone_is_ended_with_all_it_started(marked):
    with running_a_program(marked) as process:
        process.stdout.close()
        assert process.wait(60) == 0


def test_one_that_is_run_by_a_process_that_is_killed_is_ended_with_all_it_started(marked):
    command = ["/bin/sh", "-c", marked + SLEEPERS]
    code = f"from rseqbench.support import process; process.run_program({command!r}, {{}}, 100)"
    process = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    try:
        sleeping(marked)
    finally:
        process.kill()
        process.wait()


# ---- what it says ----


def test_of_more_output_than_is_kept_the_beginning_is_kept_and_the_rest_counted():
    command = "head -c 65000 /dev/zero; sleep 0.1; yes b | head -c 6000; sleep 0.1; echo c; yes d | head -c 70000 >&2"
    with serving(products.runner(architectures.host()).path) as process:
        request = {"path": "/bin/sh", "arguments": ["-c", command], "limit_ms": 10_000, "registration": "none"}
        answer = session(process).ask("program", 20, **request)
    assert protocol.decode_file(answer["stdout"]) == b"\0" * 65000 + (b"b\n" * 500)[:536]
    assert protocol.decode_file(answer["stderr"]) == b"d\n" * 32768
    assert answer["lost"] == [6000 + 2 - 536, 70000 - 65536]
    ran = messages.read_program_result(answer)
    assert ran.output.endswith("b\n\n(5466 bytes more were not kept)\n")
    assert ran.errors.endswith("d\n\n(4464 bytes more were not kept)\n")


@pytest.mark.parametrize("path", ["bin/true", "", "true"])
def test_a_path_begins_at_the_root(path):
    with serving(products.runner(architectures.host()).path) as process, pytest.raises(TargetError, match="path"):
        session(process).ask("program", 20, path=path, limit_ms=1000, registration="none")


# ---- hackbench ----


CASE = Case(HACKBENCH.benchmark, 1, Registration.NONE)
PLAN = Plan((CASE,), (), 1, 1, 1.0, 1, "gated", "boot", (0,), 1, "-l 10 -g 1")


@pytest.mark.skipif(not os.access(HACKBENCH.path, os.X_OK), reason=hackbench.missing_reason(HACKBENCH))
def test_hackbench_itself_is_run_with_the_plan_s_arguments(target):
    (taken,) = program.run(target, PLAN, 0, [CASE])
    (run_,) = taken.sample.to_pyperf().get_runs()
    metadata = run_.get_metadata()
    assert run_.values == (metadata["own_seconds"],)
    assert metadata["outside_seconds"] >= metadata["own_seconds"]
    assert {one.name: one.unavailable for one in target.benchmarks() if one.whole}[HACKBENCH.benchmark] == ""


@pytest.mark.parametrize(
    ("ran", "why"),
    [
        (
            ProgramResult(1, 5, "", "fork() (error: Resource temporarily unavailable)\n"),
            "exited with 1: fork.. .error: Resource",
        ),
        (ProgramResult(2, 5, "Usage: hackbench\n", ""), "exited with 2: Usage: hackbench"),
        (ProgramResult(3, 5, "", ""), "exited with 3: it says no more"),
        (ProgramResult(0, 5, "Running in process mode\n", ""), "printed no time: 'Running in process mode'"),
    ],
)
def test_a_hackbench_that_fails_is_no_number(ran, why):
    with pytest.raises(TargetError, match=why):
        HACKBENCH.seconds(ran)


def test_its_own_figure_is_found():
    assert HACKBENCH.seconds(ProgramResult(0, 5, "Running in process mode\nTime: 41.370\n", "")) == 41.37


@pytest.mark.parametrize(
    ("wanted", "timing", "found"),
    [
        (None, "hardware", "-l 100000"),
        (None, "virtual", "-l 1000"),
        (None, "emulated", "-l 100 -g 2"),
        ("-l 7 -T", "hardware", "-l 7 -T"),
    ],
)
def test_it_is_run_as_the_patch_ran_it_where_time_is_real_and_smaller_elsewhere(wanted, timing, found):
    assert hackbench.choose_arguments(HACKBENCH, wanted, timing) == found
