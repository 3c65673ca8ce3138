"""The static runner, for real: what it answers on this machine over pipes, and that nothing stays behind."""

import base64
import os
import shutil
import signal
import subprocess
import termios
import threading
from pathlib import Path

import pytest

from rseqbench import paths
from rseqbench.build import architectures, products
from rseqbench.errors import TargetError
from rseqbench.host import rseq_support
from rseqbench.targets.native import target
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.line_channel import LineChannel
from rseqbench.targets.runner.target import RunnerSession
from tests.support.requirements import libc_rseq, some_rseq, two_cpus
from tests.support.runners import child, gone, serving, session

CPU = min(os.sched_getaffinity(0))
CHECK = {"threads": 4, "loops": 10**6, "wanted": 20}
ENDLESS = {"kernel": "counter/shared_atomic", "threads": 2, "loops": 10**12, "wanted": 10**9, "stress": False}
GATE = {"cpus": [CPU], "fastest": 0, "limit_ms": 1000, "seed": 1, "capacity": 50}
SLOT = {"kernels": ["counter/plain"], "threads": [1], "wanted": [1], "loops": [1000]}
FAULTS = """// SPDX-License-Identifier: MIT
#include <stdlib.h>
#include <unistd.h>
#include <stdio.h>
#include "benchmark.h"
static void run_crash(struct thread *self, unsigned long loops)
{ (void)self; (void)loops; *(volatile int *)8 = 1; }
static void run_abort(struct thread *self, unsigned long loops)
{ (void)self; (void)loops; abort(); }
static void run_exit(struct thread *self, unsigned long loops)
{ (void)self; (void)loops; fprintf(stderr, "out of luck\\nand more\\n"); _exit(5); }
static void run_vanish(struct thread *self, unsigned long loops)
{ (void)self; (void)loops; _exit(0); }
static void run_garble(struct thread *self, unsigned long loops)
{ (void)self; (void)loops; if (write(1, "rubbish", 7)) {} }
static void run_nothing(struct thread *self, unsigned long loops)
{ (void)self; (void)loops; }
static const char *verify_wrong(uint64_t operations)
{ (void)operations; return complain("it is \\"wrong\\""); }
BENCHMARK(wrong, .name = "faults/wrong", .doc = "", .flags = IS_SHARED, .run = run_nothing, .verify = verify_wrong);
BENCHMARK(crash, .name = "faults/crash", .doc = "", .run = run_crash);
BENCHMARK(abort, .name = "faults/abort", .doc = "", .run = run_abort);
BENCHMARK(exit, .name = "faults/exit", .doc = "", .run = run_exit);
BENCHMARK(vanish, .name = "faults/vanish", .doc = "", .run = run_vanish);
BENCHMARK(garble, .name = "faults/garble", .doc = "", .run = run_garble);
"""


@pytest.fixture(scope="module")
def runner():
    return products.runner(architectures.host()).path


@pytest.fixture
def running(runner):
    with serving(runner) as process:
        yield process


@pytest.fixture
def ask(running):
    asked = session(running)
    return lambda verb, **arguments: asked.ask(verb, 60.0, **arguments)


def time_request(**changes):
    return {"kernel": "cpu_id/baseline", "threads": 1, "loops": 1000, "cpus": CPU, **changes}


# ---- the same answers as over cffi ----


@pytest.mark.parametrize("registration", ["auto", "none", pytest.param("self", marks=some_rseq)])
def test_it_says_the_same_of_itself_as_a_worker(ask, registration):
    worker = target.WorkerProcess(
        products.extension(architectures.host()).path, registration, rseq_support.make_environment(registration)
    )
    worker.stop()
    hello = ask("hello", registration=registration)
    for key in ("registration", "reason", "libc_size", "registered", "feature_size", "no_counters"):
        assert hello[key] == getattr(worker.hello, key), key
    ours, theirs = (
        [kernel for kernel in kernels if kernel["name"] != "linux/fork_exec_exit"]  # only the runner can execute itself
        for kernels in (protocol.decode_kernels(ask("list", registration=registration)), worker.benchmarks)
    )
    assert ours == theirs


def test_it_says_where_it_runs(ask, running):
    hello = ask("hello")
    assert hello["protocol"] == protocol.VERSION
    assert hello["parent"] == running.pid != hello["pid"]
    assert (hello["machine"], hello["linux"]) == (os.uname().machine, os.uname().release)
    assert hello["cpus"] == sorted(os.sched_getaffinity(0))
    assert hello["page_size"] == os.sysconf("SC_PAGE_SIZE")
    assert f"glibc {hello['glibc']}" == os.confstr("CS_GNU_LIBC_VERSION")
    assert hello["clock"] == "CLOCK_MONOTONIC"
    assert 1 <= hello["clock_step_ns"] < 10**8
    assert hello["gate_clock"] in ("counter", "CLOCK_MONOTONIC")


# ---- who registers rseq ----


@libc_rseq
@some_rseq
def test_each_request_has_the_registration_that_it_asks_for(ask):
    for registration in ("glibc", "none", "self", "glibc"):
        assert ask("hello", registration=registration)["registration"] == registration


@libc_rseq
@some_rseq
def test_the_other_tunables_are_kept(runner):
    tunables = "glibc.malloc.check=0:glibc.pthread.rseq=0:glibc.malloc.perturb=1"
    with serving(runner, environment={"GLIBC_TUNABLES": tunables}) as process:
        asked = session(process)
        assert asked.ask("hello", 30.0)["registration"] == "self"
        assert asked.ask("hello", 30.0, registration="glibc")["registration"] == "glibc"
        asked._lines.send(protocol.encode(3, "check", **ENDLESS, registration="none"))
        # glibc cuts the string at its colons when it reads it
        found = Path(f"/proc/{child(process)}/environ").read_bytes().replace(b"\0", b":")
        assert b":GLIBC_TUNABLES=glibc.malloc.check=0:glibc.malloc.perturb=1:glibc.pthread.rseq=0:" in found


def test_a_registration_that_there_is_not_is_an_error(ask):
    with pytest.raises(TargetError, match=r"^registration must be auto, glibc, self, full or none$"):
        ask("hello", registration="mine")


# ---- checks and values ----


@two_cpus
@some_rseq
def test_a_check_is_exact_and_takes_aborts(ask):
    found = ask("check", kernel="counter/rseq", **{**CHECK, "loops": 10**8}, stress=True)
    assert found["passed"], found
    assert found["message"] == ""
    assert found["threads"] == 4
    assert found["operations"] > 0 < found["aborts"]
    assert found["disturbances"] >= 20


def test_values_of_all_runs_come_in_their_order(ask):
    found = ask("time", **time_request(loops=[1000, 1000000], repeat=3))
    assert len(found["ns"]) == len(found["aborts"]) == 6
    assert max(found["ns"][::2]) < min(found["ns"][1::2])
    assert set(found["aborts"]) == {0}
    assert len(ask("time", **time_request())["ns"]) == 1


def test_calibration_is_a_number_of_operations(ask):
    request = {"kernel": "cpu_id/baseline", "threads": 1, "cpus": [CPU]}
    short, long = (ask("calibrate", **request, chunk_ns=ns) for ns in (10_000, 1_000_000))
    assert 1 < short < long


def test_a_gated_round_has_its_chunks_in_the_order_of_the_struct(ask):
    kernels = ["cpu_id/baseline", "counter/plain"]
    found = ask("gate", kernels=kernels, threads=[1, 1], wanted=[2, 3], loops=[1000, 2000], **GATE)
    assert {len(chunk) for chunk in found["chunks"]} == {9}
    assert {slot for slot, *_ in found["chunks"]} <= {0, 1}
    assert all(before >= found["fastest"] <= after for _, _, before, after, *_ in found["chunks"])
    assert found["ns_per_tick"] > 0 < found["resolution"]
    assert set(found) == {"chunks", "ns_per_tick", "waits", "fastest", "ns", "inside", "resolution"}


# ---- files ----


def test_files_are_read_as_they_are(ask, tmp_path):
    for name, data in {"a": b"", "b b=%,": os.urandom(1000), "c": bytes(range(256)), "d": b"x" * (1 << 20)}.items():
        (tmp_path / name).write_bytes(data)
        assert protocol.decode_file(ask("read", path=str(tmp_path / name))) == data
    assert protocol.decode_file(ask("read", path="/proc/sys/kernel/osrelease")) == f"{os.uname().release}\n".encode()


def test_a_file_that_cannot_be_read_says_why(ask, tmp_path):
    (tmp_path / "big").write_bytes(b"x" * ((1 << 20) + 1))
    os.mkfifo(tmp_path / "pipe")
    for path, why in {
        "/nowhere": "No such file or directory",
        str(tmp_path): "Is a directory",
        "/dev/zero": "not a regular file",
        str(tmp_path / "pipe"): "not a regular file",
        str(tmp_path / "big"): "larger than 1 MiB",
    }.items():
        with pytest.raises(TargetError, match=f"^{path}: {why}$"):
            ask("read", path=path)


def test_names_are_found_by_pattern(ask, tmp_path):
    for name in ("cpu0/x", "cpu1/x", "cpu10/y", "other/x"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    odd = os.fsdecode(b"odd\xff,%name")
    (tmp_path / odd).touch()
    assert ask("glob", pattern=f"{tmp_path}/cpu*/x") == [f"{tmp_path}/cpu0/x", f"{tmp_path}/cpu1/x"]
    assert ask("glob", pattern=f"{tmp_path}/cpu[0-9]") == [f"{tmp_path}/cpu0", f"{tmp_path}/cpu1"]
    assert ask("glob", pattern=f"{tmp_path}/odd*") == [f"{tmp_path}/{odd}"]
    assert ask("glob", pattern=f"{tmp_path}/cpu0/x") == [f"{tmp_path}/cpu0/x"]
    assert ask("glob", pattern=f"{tmp_path}/none*") == []
    for i in range(4097):
        (tmp_path / f"many{i}").touch()
    with pytest.raises(TargetError, match="more than 4096 files"):
        ask("glob", pattern=f"{tmp_path}/many*")
    with pytest.raises(TargetError, match="must begin with /"):
        ask("glob", pattern="cpu*")


# ---- requests that are none ----


@pytest.mark.parametrize(
    ("verb", "arguments", "message"),
    [
        ("dance", {}, "no verb dance"),
        ("time", {}, "kernel: missing"),
        ("time", time_request(kernel="counter/absent"), "no benchmark counter/absent"),
        ("time", time_request(threads=0), "threads: an integer from 1 to 4096, not 0"),
        ("time", time_request(threads="two"), "threads: an integer from 1 to 4096, not two"),
        ("time", time_request(loops=10**18), "loops: an integer from 1 to .*, not 1000000000000000000"),
        ("time", time_request(loops=[]), "loops: an empty or malformed item"),
        ("time", time_request(loops=["1", "", "2"]), "loops: an empty or malformed item"),
        ("time", time_request(loops=[1] * 1025), "loops: .* more than 1024"),
        ("time", time_request(loops=[1] * 1000, repeat=21), "more than 20000 runs"),
        ("time", time_request(cpus=-1), "cpus: an integer from 0 to 8191, not -1"),
        ("time", time_request(cpus=8191), "cannot pin to the CPU"),
        ("time", time_request(colour="green"), "colour: unknown to time, or given twice"),
        ("hello", {"registration": ""}, "registration: empty"),
        ("quit", {"now": 1}, "no verb quit"),
        ("calibrate", {"kernel": "counter/plain", "threads": 1, "cpus": 0}, "chunk_ns: missing"),
        ("gate", {**SLOT, "threads": [1, 1], **GATE}, "differ in length"),
        ("gate", {**SLOT, **GATE, "capacity": 10**7}, "capacity: an"),
        ("read", {"path": "/\0"}, "path: empty, or a malformed % code"),
    ],
)
def test_what_cannot_be_done_is_an_error_and_the_next_request_works(ask, verb, arguments, message):
    with pytest.raises(TargetError, match=message) as caught:
        ask(verb, **arguments)
    assert not isinstance(caught.value, protocol.ProtocolError)
    assert ask("hello")["protocol"] == 1


@pytest.mark.parametrize(
    ("line", "number", "message"),
    [
        (b"hello", 0, "this runner speaks rseqbench/1, not hello"),
        (b"rseqbench/2 9 hello", 9, "this runner speaks rseqbench/1, not rseqbench/2"),
        (b"rseqbench/1 9", 9, "a request is rseqbench/1 NUMBER VERB"),
        (b"rseqbench/1 hello 9", 0, "a request is rseqbench/1 NUMBER VERB"),
        (b"rseqbench/1 -9 hello", 0, "a request is rseqbench/1 NUMBER VERB"),
        (b"rseqbench/1 9 hello  ", 9, "not key=value"),
        (b"rseqbench/1 9 hello =3", 9, "not key=value: =3"),
        (b"rseqbench/1 9 read path=%4", 9, "a malformed % code"),
        (b"rseqbench/1 9 read path=/a path=/b", 9, "path: unknown to read, or given twice"),
        (b"rseqbench/1 9 hello \xc3\xa4=1", 0, "must be printable ASCII"),
        (b"rseqbench/1 9 hello\0", 0, "must be printable ASCII"),
        (b"rseqbench/1 9 hello" + b" a=1" * 33, 9, "more than 32 keys"),
        (b"rseqbench/1 9 read path=" + b"x" * 70000, 0, "a request of more than 65535 bytes"),
    ],
)
def test_a_malformed_line_is_an_error_and_the_next_request_works(running, line, number, message):
    lines = LineChannel(running.stdout.fileno(), running.stdin.fileno(), "the runner")
    lines.send(line)
    with pytest.raises(TargetError, match=message):
        protocol.decode(lines.read_line(30.0), number)
    lines.send(b"")
    lines.send(b"rseqbench/1 10 hello\r")
    assert protocol.decode(lines.read_line(30.0), 10)["protocol"] == 1


# ---- when something breaks ----


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Return a runner with kernels that do what no benchmark should."""
    copy = shutil.copytree(paths.kernels(), tmp_path_factory.mktemp("faulty") / "kernels")
    (copy / "src" / "faults.c").write_text(FAULTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RSEQBENCH_KERNELS", str(copy))
        return products.runner(architectures.host()).path


@pytest.mark.parametrize(
    ("kernel", "message"),
    [
        ("crash", "^killed by SIGSEGV$"),
        ("abort", "^killed by SIGABRT$"),
        ("exit", "^exited with 5: out of luck$"),
        ("vanish", "^ended without an answer$"),
        ("garble", "^ended without an answer$"),
    ],
)
def test_a_kernel_that_breaks_is_an_error_and_takes_nobody_along(faulty, kernel, message):
    with serving(faulty) as process:
        asked = session(process)
        with pytest.raises(TargetError, match=message):
            asked.ask("time", 30.0, **time_request(kernel=f"faults/{kernel}"))
        assert asked.ask("time", 30.0, **time_request())["ns"]


def test_a_check_that_fails_and_a_value_that_does_say_what_is_wrong(faulty):
    with serving(faulty) as process:
        asked = session(process)
        found = asked.ask("check", 30.0, kernel="faults/wrong", **CHECK, stress=False)
        assert (found["passed"], found["message"]) == (False, 'it is "wrong"')
        with pytest.raises(TargetError, match=r'^it is "wrong"$'):
            asked.ask("time", 30.0, **time_request(kernel="faults/wrong"))


def in_background(asked, verb, **arguments):
    """Ask in a thread; return the thread and the list that its outcome comes into."""
    outcome = []

    def run():
        try:
            outcome.append(asked.ask(verb, 60.0, **arguments))
        except TargetError as error:
            outcome.append(error.message)

    thread = threading.Thread(target=run)
    thread.start()
    return thread, outcome


def test_a_child_that_is_killed_in_the_middle_is_an_error(running):
    asked = session(running)
    thread, outcome = in_background(asked, "check", **ENDLESS)
    os.kill(child(running), signal.SIGKILL)
    thread.join()
    assert outcome == ["killed by SIGKILL"]
    assert asked.ask("hello", 30.0)["protocol"] == 1


def test_a_child_dies_with_the_runner(running):
    thread, outcome = in_background(session(running), "check", **ENDLESS)
    pid = child(running)
    os.kill(running.pid, signal.SIGKILL)
    assert gone(pid)
    thread.join()
    assert outcome == ["the runner is gone (end of stream)"]


def test_when_nobody_listens_any_more_the_child_goes_and_the_runner_too(running):
    session(running)._lines.send(protocol.encode(1, "check", **ENDLESS))
    pid = child(running)
    running.stdin.close()
    running.stdout.close()
    assert running.wait(60) == 0
    assert gone(pid)


def test_the_end_of_the_requests_is_the_end_after_the_last_answer(runner):
    requests = b"".join(protocol.encode(number, "hello") + b"\n" for number in (1, 2))
    done = subprocess.run([runner, "serve"], input=requests, capture_output=True, timeout=120, check=True)
    assert [protocol.decode(line, i)["protocol"] for i, line in enumerate(done.stdout.splitlines(), 1)] == [1, 1]
    assert done.stderr == b""


def test_a_request_that_is_cut_by_the_end_is_not_done(runner):
    request = protocol.encode(1, "hello") + b"\n" + protocol.encode(2, "hello")
    done = subprocess.run([runner, "serve"], input=request, capture_output=True, timeout=120, check=True)
    assert len(done.stdout.splitlines()) == 1


def test_quit_ends_it_after_its_answer(running):
    assert session(running).ask("quit", 30.0) is None
    assert running.wait(60) == 0


def test_ctrl_c_is_the_host_s_to_decide(running):
    asked = session(running)
    assert asked.ask("hello", 30.0)
    thread, outcome = in_background(asked, "check", **{**ENDLESS, "loops": 10**8})
    child(running)
    os.killpg(running.pid, signal.SIGINT)
    thread.join()
    assert outcome[0]["passed"]
    os.killpg(running.pid, signal.SIGTERM)
    assert running.wait(60) == -signal.SIGTERM


def test_it_serves_a_terminal_as_it_is_and_leaves_it_so(runner):
    master, slave = os.openpty()
    try:
        before = termios.tcgetattr(slave)
        with serving(runner, os.ttyname(slave), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            while termios.tcgetattr(slave) == before:
                assert process.poll() is None
            asked = RunnerSession(LineChannel(master, master, "the runner"))
            assert asked.ask("hello", 30.0)["protocol"] == 1
            assert asked.ask("quit", 30.0) is None
            assert process.wait(60) == 0
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(master)
        os.close(slave)


def test_without_standard_files_it_ends(runner):
    for redirections in ("<&-", ">&-", "<&- >&- 2>&-"):
        done = subprocess.run(["sh", "-c", f'exec "$0" serve {redirections}', runner], timeout=120, check=False)
        assert done.returncode == 0


@pytest.mark.parametrize("arguments", [(), ("dance",), ("serve", "a", "b")])
def test_other_arguments_are_explained(runner, arguments):
    done = subprocess.run([runner, *arguments], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: runner once rseqbench/1 NUMBER VERB")


def test_a_device_that_is_not_there_is_a_line(runner):
    done = subprocess.run([runner, "serve", "/nowhere"], capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1, "rseqbench runner: /nowhere: No such file or directory\n")


def test_base64_is_python_s(ask, tmp_path):
    for length in range(8):
        (tmp_path / "file").write_bytes(bytes(range(length)))
        assert ask("read", path=str(tmp_path / "file")) == base64.b64encode(bytes(range(length))).decode()
