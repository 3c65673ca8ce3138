"""Every benchmark is exact on this machine, and a benchmark that is not would be caught."""

import dataclasses
import os
import shutil
from contextlib import contextmanager

import pytest

from rseqbench import paths
from rseqbench.build import architectures, products
from rseqbench.errors import TargetError
from rseqbench.targets.native.target import WorkerProcess
from tests.support.requirements import defaults, libc_rseq, native, some_rseq, two_cpus, x86_only

SEQUENCES = ("counter/rseq", "counter/rseq_cmp", "rcu/rseq", "freelist/rseq", "ring_buffer/rseq")
OPTIONS = dataclasses.replace(defaults().check, disturbances=40)


@contextmanager
def worker(module):
    started = WorkerProcess(module, "auto", dict(os.environ))
    try:
        yield started
    finally:
        started.stop()


def ask(started, kernel, wanted, threads=8, stress=True):
    """Return the answer of one check; that of a kernel that crashed is that it failed."""
    request = {"do": "check", "kernel": kernel, "threads": threads, "loops": 20_000_000}
    try:
        return started.ask({**request, "stress": stress, "wanted": wanted}, 60.0)
    except TargetError as error:
        return {"passed": False, "message": error.message, "aborts": 0}


def caught(started, kernel, threads=8):
    """Return what the first of up to three checks that fails complains of, or None where all pass.

    Damage needs an abort at the wrong moment while another CPU writes to the same place, so a lucky check gets a
    second and a third chance, each with more disturbances.
    """
    answers = (ask(started, kernel, wanted, threads) for wanted in (300, 900, 2700))
    return next((answer["message"] for answer in answers if not answer["passed"]), None)


# ---- what is there is exact ----


def _check(target, benchmark):
    """Check a benchmark; again where a busy machine left no CPU to whoever disturbs it before it was over."""
    for _ in range(10):
        check = target.check(benchmark, OPTIONS)
        if check.disturbances or check.trivial or not check.passed:
            break
    return check


@pytest.fixture(scope="module", params=[pytest.param("glibc", marks=libc_rseq), "self"])
def checked(request):
    """Return every benchmark that can run here, with its check, under one registration."""
    with native(registration=request.param) as target:
        available = [
            benchmark for benchmark in target.benchmarks() if not benchmark.unavailable and not benchmark.whole
        ]
        return [(benchmark, _check(target, benchmark)) for benchmark in available]


@some_rseq
def test_every_benchmark_is_exact(checked):
    assert {benchmark.group for benchmark, _ in checked} >= {"cpu_id", "counter", "freelist", "rcu", "ring_buffer"}
    assert {check.benchmark: check.message for _, check in checked if not check.passed} == {}


@some_rseq
def test_every_sequence_was_aborted_and_stayed_exact(checked):
    aborts = {benchmark.name: check.aborts for benchmark, check in checked if benchmark.sequence}
    assert set(SEQUENCES) <= set(aborts)
    assert min(aborts.values()) >= 1, aborts


@some_rseq
def test_only_sequences_count_aborts(checked):
    assert not [check for benchmark, check in checked if check.aborts and not benchmark.sequence]


@some_rseq
@two_cpus
def test_threads_that_share_were_moved_and_signalled(checked):
    shared = [(benchmark, check) for benchmark, check in checked if benchmark.shared]
    assert shared
    for benchmark, check in shared:
        assert check.passed and check.exercised, check  # some are done soon, and short
        assert check.disturbances >= 1, check
        wanted = OPTIONS.threads_per_cpu * len(os.sched_getaffinity(0)) if benchmark.threaded else 1
        assert check.threads == wanted, check


@some_rseq
def test_a_check_never_calls_itself_exercised_when_nothing_disturbed_it():
    """So few operations may be over before the first disturbance comes."""
    brief = dataclasses.replace(OPTIONS, operations=1000)
    with native() as target:
        counters = [one for one in target.benchmarks() if one.group == "counter" and not one.unavailable]
        checks = [target.check(one, brief) for one in counters]
    for check in checks:
        assert check.passed
        assert check.disturbances or not check.exercised, check


@some_rseq
def test_only_what_has_no_result_is_trivial(checked):
    trivial = {benchmark.name for benchmark, check in checked if check.trivial and benchmark.group != "control"}
    assert trivial == {"cpu_id/baseline", "freelist/malloc"}


@x86_only
@some_rseq
def test_the_ways_to_read_the_cpu_number_were_all_checked(checked):
    found = {check.benchmark for _, check in checked if check.passed and not check.trivial}
    assert found >= {
        f"cpu_id/{method}" for method in ("lsl", "gs", "getcpu_vdso", "getcpu_syscall", "rseq", "rseq_lazy")
    }


# ---- and what is wrong is caught ----


@pytest.fixture(scope="module", params=[1, 2, 3], ids=["commit_not_last", "abort_behind_commit", "cpu_read_before"])
def broken(request):
    """Return the extension with all sequences broken in one way; see kernels/include/sequences.h."""
    return products.extension(architectures.host(), extra=[f"-DRSEQ_BREAK={request.param}"]).path


@some_rseq
@two_cpus
@pytest.mark.parametrize("kernel", SEQUENCES)
def test_a_broken_sequence_is_caught(broken, kernel):
    with worker(broken) as started:
        assert caught(started, kernel) is not None


@some_rseq
@pytest.mark.parametrize("kernel", SEQUENCES)
def test_the_same_check_passes_what_is_not_broken(kernel):
    with worker(products.extension(architectures.host()).path) as started:
        answer = ask(started, kernel, 300)
    assert answer["passed"], answer
    assert answer["aborts"] >= 1


@two_cpus
def test_a_plain_increment_by_many_threads_is_caught():
    with worker(products.extension(architectures.host()).path) as started:
        answer = ask(started, "counter/plain", 300, stress=False)
    assert not answer["passed"]
    assert "the sum is" in answer["message"]


# One wrong line in a copy of the kernels each: file, what stands there, what takes its place, benchmark, complaint.
WRONG_LINES = {
    "lsl_reads_another_cpu": (
        "arch/x86_64/rseq_arch.h",
        "return limit & 0xfff;",
        "return (limit & 0xfff) ^ 1;",
        "cpu_id/lsl",
        " on CPU ",
    ),
    "syscall_always_says_0": (
        "src/cpu_id.c",
        "syscall(SYS_getcpu, &cpu, NULL, NULL);",
        "cpu = 0;",
        "cpu_id/getcpu_syscall",
        "read 0 on CPU ",
    ),
    "lazy_never_registers": (
        "src/cpu_id.c",
        "registration_resume(area);",
        "",
        "cpu_id/rseq_lazy",
        "the first use does not register",
    ),
    "add_is_not_atomic": (
        "src/counter.c",
        "__atomic_fetch_add(&shared, 1, __ATOMIC_RELAXED);",
        "WRITE_ONCE(shared, shared + 1);",
        "counter/shared_atomic",
        "the sum is",
    ),
    "payload_written_twice": (
        "src/ring_buffer.c",
        "WRITE_ONCE(event->payload, payload);",
        "WRITE_ONCE(event->payload, payload & ~1u);",
        "ring_buffer/getcpu_atomic",
        "payloads found twice",
    ),
    "loss_not_counted": (
        "src/ring_buffer.c",
        "__atomic_fetch_add(&lost, 1, __ATOMIC_RELAXED);",
        "",
        "ring_buffer/getcpu_atomic",
        "counted as lost",
    ),
    "writer_does_not_wait": (
        "src/rcu.c",
        "if (!synchronize(stop))",
        "if (READ_ONCE(*stop))",
        "rcu/getcpu_atomic",
        "operations went wrong",
    ),
    "block_given_twice": (
        "src/freelist.c",
        "hold(self, block, stress);\n\t\tSEQ(",
        "hold(self, block, stress);\n\t\tSEQ(stress, push(area, &self->aborts, base, SLOT_SHIFT, head, next, block));"
        "\n\t\tSEQ(",
        "freelist/rseq",
        "",
    ),
}


@some_rseq
@two_cpus
@pytest.mark.parametrize("mistake", WRONG_LINES)
def test_a_wrong_line_is_caught(tmp_path, monkeypatch, mistake):
    file, right, wrong, kernel, complaint = WRONG_LINES[mistake]
    if file.startswith("arch/") and not architectures.known()[file.split("/")[1]].is_host:
        pytest.skip("code for another architecture")
    kernels = shutil.copytree(paths.kernels(), tmp_path / "kernels")
    source = (kernels / file).read_text()
    assert right in source
    (kernels / file).write_text(source.replace(right, wrong))
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(kernels))
    with worker(products.extension(architectures.host()).path) as started:
        message = caught(started, kernel, threads=1 if kernel.startswith("cpu_id/") else 8)
    assert message is not None
    assert complaint in message


@two_cpus
def test_a_writer_that_never_frees_leaves_the_check_unexercised(tmp_path, monkeypatch):
    kernels = shutil.copytree(paths.kernels(), tmp_path / "kernels")
    source = (kernels / "src/rcu.c").read_text()
    counting = "WRITE_ONCE(grace_periods, grace_periods + 1);"
    assert counting in source
    (kernels / "src/rcu.c").write_text(source.replace(counting, ""))
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(kernels))
    with native() as target:
        rcu = next(one for one in target.benchmarks() if one.name == "rcu/getcpu_atomic")
        hardness = dataclasses.replace(OPTIONS, threads_per_cpu=2, disturbances=5, operations=200_000)
        check = target.check(rcu, hardness)
    assert check.passed
    assert not check.exercised
    assert "no grace period ended" in check.message
