"""Who registers rseq: a process gets the registration that was chosen for it, or an error; never silently another."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rseqbench.build import architectures, products
from rseqbench.errors import TargetError
from rseqbench.host import rseq_support
from rseqbench.model import Case, Plan, Registration
from rseqbench.targets.native.target import WorkerProcess
from tests.support import guests, seccomp
from tests.support.commands import PROGRAM, rseqbench
from tests.support.requirements import libc_rseq, native, some_rseq

FEATURE_SIZE = rseq_support.read_auxiliary_vector(rseq_support.AT_RSEQ_FEATURE_SIZE) or 0
OFF = "glibc.pthread.rseq=0"


def start(registration, tunables=""):
    """Start a worker that is asked for a registration under these GLIBC_TUNABLES; return its hello."""
    module = products.extension(architectures.host()).path
    worker = WorkerProcess(module, registration, {**os.environ, "GLIBC_TUNABLES": tunables})
    worker.stop()
    return worker.hello


def unavailable(target, name):
    return next(one.unavailable for one in target.benchmarks() if one.name == name)


def measured_by(target, benchmark, registration):
    plan = Plan((), (), rounds=1, values=1, value_ms=0.2, seed=1, engine="pyperf", preset="", cpus=target.cpus())
    bench = target.measure(Case(benchmark, 1, registration), plan, 1000)
    return bench.registration


@some_rseq
def test_self_registers_itself():
    with native(registration="self") as target:
        facts = target.machine().facts
        assert target.registration() == Registration.SELF
        assert facts.registration == "self"
        assert facts.glibc_registers is False
        assert facts.rseq_size == 0
        assert facts.rseq_registered >= max(32, FEATURE_SIZE)
        assert facts.rseq_feature_size == FEATURE_SIZE
        assert facts.rseq_reason is None
        assert measured_by(target, "cpu_id/rseq", Registration.SELF) == "self"


@some_rseq
def test_the_fields_that_linux_advertises_can_be_read_when_we_register_ourselves():
    with native(registration="self") as target:
        assert not unavailable(target, "cpu_id/rseq")
        assert bool(unavailable(target, "cpu_id/node_id")) == (FEATURE_SIZE < 24)
        assert bool(unavailable(target, "cpu_id/mm_cid")) == (FEATURE_SIZE < 28)
        assert "does not use rseq" in unavailable(target, "cpu_id/sched_getcpu")
        assert not unavailable(target, "cpu_id/sched_getcpu_norseq")


@some_rseq
@libc_rseq
def test_glibc_registers_by_default():
    with native() as target:
        facts = target.machine().facts
        assert facts.registration == target.registration() == "glibc"
        assert facts.glibc_registers is True
        assert facts.rseq_size == rseq_support.read_libc_rseq_size()
        assert facts.rseq_registered >= 32
        assert not unavailable(target, "cpu_id/sched_getcpu")
        assert measured_by(target, "cpu_id/rseq", Registration.GLIBC) == "glibc"


@some_rseq
@libc_rseq
@pytest.mark.parametrize("tunables", [OFF, f"glibc.malloc.check=0:{OFF}"])
def test_auto_registers_itself_where_the_environment_keeps_glibc_from_it(monkeypatch, tunables):
    monkeypatch.setenv("GLIBC_TUNABLES", tunables)
    with native() as target:
        assert target.registration() == Registration.SELF


@some_rseq
@libc_rseq
@pytest.mark.parametrize("tunables", [OFF, f"glibc.malloc.check=0:{OFF}"])
def test_what_was_asked_for_wins_over_the_environment(monkeypatch, tunables):
    monkeypatch.setenv("GLIBC_TUNABLES", tunables)
    with native(registration="glibc") as target:
        assert target.registration() == Registration.GLIBC


@some_rseq
@libc_rseq
def test_a_worker_that_cannot_have_glibc_s_registration_is_refused():
    with pytest.raises(TargetError, match="this C library does not register it, or is told not to"):
        start("glibc", OFF)


@some_rseq
@libc_rseq
def test_a_worker_that_cannot_register_itself_is_refused():
    with pytest.raises(TargetError, match="the C library owns the registration"):
        start("self")


@some_rseq
@libc_rseq
def test_a_worker_that_cannot_be_without_is_refused():
    with pytest.raises(TargetError, match="the C library registered it"):
        start("none")


def test_a_registration_that_does_not_exist_is_refused():
    with pytest.raises(TargetError, match="registration must be"):
        start("nobody")


@libc_rseq
def test_the_c_library_s_own_way_is_timed_in_a_process_without_rseq():
    with native() as target:
        assert not unavailable(target, "cpu_id/sched_getcpu_norseq")
        assert measured_by(target, "cpu_id/sched_getcpu_norseq", Registration.NONE) == "none"


@libc_rseq
def test_a_kernel_that_needs_rseq_is_not_timed_without():
    with native() as target, pytest.raises(TargetError, match="rseq: not registered in this process, as asked"):
        measured_by(target, "cpu_id/rseq", Registration.NONE)


# ---- the full length that Linux asks for ----


@pytest.fixture(scope="module")
def auxiliary(tmp_path_factory):
    """Return a function that gives the environment of a process in which getauxval(3) says this of rseq."""
    folder = tmp_path_factory.mktemp("auxiliary")

    def say(size, align):
        source, library = folder / "say.c", folder / f"say-{size}-{align}.so"
        source.write_text(AUXILIARY)
        values = (f"-DSIZE={size}", f"-DALIGN={align}")
        compiler = guests.compiler(architectures.host().name)
        subprocess.run([compiler, "-shared", "-fPIC", *values, "-o", str(library), str(source)], check=True)
        return {**os.environ, "GLIBC_TUNABLES": OFF, "LD_PRELOAD": str(library)}

    return say


AUXILIARY = """
#include <elf.h>
unsigned long getauxval(unsigned long type) { return type == 27 ? SIZE : type == 28 ? ALIGN : 0; }
"""


def told_by_linux(pid):
    """Return how many bytes a thread has registered, in Linux's own words (ptrace(2), Linux 5.13)."""
    attach, detach, get_rseq = 16, 17, 0x420F
    libc, found = ctypes.CDLL(None, use_errno=True), ctypes.create_string_buffer(24)
    libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
    if libc.ptrace(attach, pid, None, None):
        pytest.skip(f"ptrace: {os.strerror(ctypes.get_errno())}")
    os.waitpid(pid, 0)
    got = libc.ptrace(get_rseq, pid, len(found), ctypes.addressof(found))
    error = ctypes.get_errno()
    libc.ptrace(detach, pid, None, None)
    if got < 0:
        pytest.skip(f"PTRACE_GET_RSEQ_CONFIGURATION: {os.strerror(error)}")
    return int.from_bytes(found[8:12], sys.byteorder)


@some_rseq
@pytest.mark.parametrize(
    ("registration", "size", "align", "length"),
    [("full", 33, 64, 64), ("full", 40, 32, 64), ("full", 65, 64, 128), ("self", 33, 64, 64), ("self", 28, 32, 32)],
)
def test_the_length_that_linux_asks_for_is_registered_in_whole_alignments(auxiliary, registration, size, align, length):
    worker = WorkerProcess(products.extension(architectures.host()).path, registration, auxiliary(size, align))
    try:
        assert (worker.hello.registration, worker.hello.registered) == ("self", length)
        assert told_by_linux(worker._process.pid) == length
        check = {"kernel": "counter/rseq", "threads": 2, "loops": 10**6, "wanted": 20, "stress": True}
        answer = worker.ask({"do": "check", **check}, 60)
        assert answer["passed"], answer["message"]
    finally:
        worker.stop()


@some_rseq
@pytest.mark.parametrize(("size", "align"), [(28, 32), (32, 32), (0, 0)])
def test_the_full_length_is_refused_where_it_is_the_original(auxiliary, size, align):
    module = products.extension(architectures.host()).path
    with pytest.raises(
        TargetError, match=f"asks for {size} bytes, so the original 32 are the full length: needs Linux"
    ):
        WorkerProcess(module, "full", auxiliary(size, align))


# ---- no rseq at all ----

refusal = pytest.mark.parametrize(
    ("code", "why"), [("ENOSYS", "Linux without CONFIG_RSEQ"), ("EPERM", "refused, by seccomp perhaps")]
)
if sys.platform != "linux" or os.uname().machine not in seccomp.RSEQ:
    pytestmark = pytest.mark.skip(reason="no seccomp filter is written for this architecture")


def under(code):
    return (sys.executable, str(Path(seccomp.__file__)), code)


@refusal
def test_the_filter_does_what_it_says(tmp_path, code, why):
    words = "from rseqbench.host import rseq_support as abi; print(abi.probe_rseq(), abi.read_libc_rseq_size())"
    done = rseqbench("-c", words, cwd=tmp_path, program=(*under(code), sys.executable))
    assert done.stdout.split()[0] == code
    assert done.stdout.split()[1] in ("0", "None")


@refusal
@pytest.mark.parametrize("engine", ["pyperf", pytest.param("gated", marks=pytest.mark.slow)])
def test_without_rseq_the_rest_is_measured_and_the_rows_say_why(tmp_path, code, why, engine):
    command = ("run", "--quick", "--engine", engine, "--rounds", "6", "--values", "3", "--label", "none", "cpu_id")
    done = rseqbench(*command, cwd=tmp_path, program=(*under(code), *PROGRAM))
    if engine == "gated" and "contended" in done.stderr:
        pytest.skip("this machine is too busy for the gated engine")
    assert done.returncode == 0, done.stderr
    header = json.loads((tmp_path / "results/none/run.json").read_text())
    skipped = {skip["benchmark"]: skip["reason"] for skip in header["plan"]["skips"]}
    needing = {f"cpu_id/{name}" for name in ("rseq", "rseq_lazy", "sched_getcpu", "node_id", "mm_cid")}
    assert needing <= set(skipped)
    for name in needing:
        assert f"{code}: {why}" in skipped[name], skipped[name]
    measured = {case["benchmark"] for case in header["plan"]["cases"]}
    assert {"cpu_id/baseline", "cpu_id/getcpu_syscall", "cpu_id/sched_getcpu_norseq"} <= measured
    assert not needing & measured
    assert {check["benchmark"] for check in header["checks"]} == measured
    assert header["machines"][0]["facts"]["registration"] == "none"
    assert f"{code}: {why}" in header["machines"][0]["facts"]["rseq_reason"]
    assert code in done.stdout


@refusal
def test_without_rseq_a_registration_that_was_asked_for_is_an_error(tmp_path, code, why):
    done = rseqbench("check", "--registration", "self", "counter", cwd=tmp_path, program=(*under(code), *PROGRAM))
    assert done.returncode == 1
    assert done.stdout == ""
    assert code in done.stderr
    assert done.stderr.count("\n") == 1
