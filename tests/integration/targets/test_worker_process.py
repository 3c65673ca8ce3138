"""WorkerProcess of targets/native/target.py: when all is well, and when workers die, hang or talk nonsense."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rseqbench.build import architectures, products
from rseqbench.errors import TargetError
from rseqbench.host import rseq_support
from rseqbench.targets.native import target

REQUEST = {"do": "check", "kernel": "counter/plain", "threads": 1, "loops": 1000, "wanted": 1, "stress": False}


@pytest.fixture
def worker():
    started = target.WorkerProcess(products.extension(architectures.host()).path, "auto", dict(os.environ))
    yield started
    started.stop()


def kill(worker):
    """Kill a worker and wait for its end without taking note of it."""
    os.kill(worker._process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, worker._process.pid, os.WEXITED | os.WNOWAIT)


def test_a_worker_serves_one_request_after_another(worker):
    assert worker.alive
    assert worker.ask(REQUEST, 30)["passed"]
    assert worker.ask(REQUEST, 30)["passed"]


def test_asking_a_dead_worker_is_an_error_and_it_can_be_stopped(worker):
    kill(worker)
    with pytest.raises(TargetError, match=r"^a worker process is gone \(Broken pipe\)$"):
        worker.ask(REQUEST, 30)
    worker.stop()
    assert not worker.alive


def test_a_worker_that_dies_without_an_answer_is_an_error(worker):
    os.kill(worker._process.pid, signal.SIGSTOP)
    kill(worker)
    with pytest.raises(TargetError, match=r"^a worker process died \(SIGKILL\)$"):
        worker._read(30)


def test_a_worker_that_does_not_answer_in_time_is_stopped(worker):
    with pytest.raises(TargetError, match=r"did not answer within 0\.3 s"):
        worker.ask({**REQUEST, "threads": 8, "loops": 10**9, "wanted": 10**6, "kernel": "counter/shared_atomic"}, 0.3)
    assert not worker.alive


def test_a_worker_that_cannot_start_is_an_error():
    with pytest.raises(TargetError, match=r"^a worker process died \(exit code 1\)$"):
        target.WorkerProcess("/dev/null", "auto", {"PYTHONHOME": "/nowhere"})


@pytest.mark.parametrize("answer", ["hello", "[]", "{}", '"words"', "{"])
def test_an_answer_that_is_none_is_an_error(tmp_path, monkeypatch, answer):
    monkeypatch.chdir(tmp_path)
    native = tmp_path / "rseqbench/targets/native"
    native.mkdir(parents=True)
    for package in (native, *native.parents[:2]):
        (package / "__init__.py").touch()
    (tmp_path / "rseqbench/targets/native/worker.py").write_text(f"print({answer!r})")
    with pytest.raises(TargetError, match=r"^a worker process answered garbage: "):
        target.WorkerProcess("/dev/null", "auto", {**os.environ, "PYTHONPATH": str(tmp_path)})


def test_a_worker_whose_starter_was_interrupted_meanwhile_ends_without_a_word():
    read, write = os.pipe()
    os.close(read)
    command = [
        sys.executable,
        "-m",
        "rseqbench.targets.native.worker",
        str(products.extension(architectures.host()).path),
        "auto",
    ]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=write, stderr=subprocess.PIPE, check=False)
    os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1


def test_what_is_no_module_is_an_error(tmp_path):
    foreign = tmp_path / "_rseqbench_kernels.abi3.so"
    foreign.write_text("not an ELF file")
    with pytest.raises(TargetError, match=r"invalid ELF header|file too short"):
        target.WorkerProcess(foreign, "auto", dict(os.environ))


@pytest.mark.parametrize(
    ("registration", "before", "after"),
    [
        ("auto", None, None),
        ("auto", "glibc.malloc.check=3", "glibc.malloc.check=3"),
        ("glibc", None, "glibc.pthread.rseq=1"),
        ("self", None, "glibc.pthread.rseq=0"),
        ("none", "glibc.pthread.rseq=1", "glibc.pthread.rseq=0"),
        ("glibc", "glibc.malloc.check=3:glibc.pthread.rseq=0", "glibc.malloc.check=3:glibc.pthread.rseq=1"),
    ],
)
def test_the_registration_is_chosen_by_the_tunable_and_others_are_kept(monkeypatch, registration, before, after):
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    if before:
        monkeypatch.setenv("GLIBC_TUNABLES", before)
    assert rseq_support.make_environment(registration).get("GLIBC_TUNABLES") == after


def test_stopping_takes_the_measuring_child_along():
    worker = target.WorkerProcess(products.extension(architectures.host()).path, "auto", dict(os.environ))
    request = {**REQUEST, "kernel": "counter/shared_atomic", "threads": 8, "loops": 10**9, "wanted": 10**6}
    with pytest.raises(TargetError, match="did not answer"):
        worker.ask(request, 0.3)
    deadline = time.monotonic() + 60
    while _group(worker._process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _group(worker._process.pid)


def test_a_worker_that_is_killed_takes_the_measuring_child_along(worker):
    leader = worker._process.pid
    endless = {**REQUEST, "kernel": "counter/shared_atomic", "threads": 8, "loops": 10**9, "wanted": 10**6}
    worker._process.stdin.write(json.dumps(endless).encode() + b"\n")
    worker._process.stdin.flush()
    deadline = time.monotonic() + 60
    while _group(leader) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert _group(leader) == 2
    kill(worker)
    worker._process.wait()
    while _group(leader) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _group(leader)


def test_an_interrupt_of_the_terminal_is_not_for_a_worker(worker):
    os.kill(worker._process.pid, signal.SIGINT)
    assert worker.ask(REQUEST, 30)["passed"]


def _group(leader):
    """Return how many processes are in the group of a worker."""
    found = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it ended meanwhile
            continue
        found += group == str(leader)
    return found
