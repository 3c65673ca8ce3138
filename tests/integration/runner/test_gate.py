"""Gated rounds on this machine: what they promise, what voids one, and a run that goes on all the same."""

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rseqbench import paths
from rseqbench.analysis import dataset
from rseqbench.build import architectures, products
from rseqbench.errors import TargetError
from rseqbench.measure import rounds
from rseqbench.measure.engines import gated
from rseqbench.model import Case, Check, Plan
from rseqbench.store.events import CaseMeasured
from rseqbench.store.runs import Header, Store
from rseqbench.targets.measurements import ChunkRequest
from rseqbench.targets.native import target as native_module
from tests.support.requirements import defaults, native, some_rseq, two_cpus

WANTED = 12
OPTIONS = {"fastest": 0, "limit_ms": 2500, "seed": 1, "capacity": 10_000}
ENDLESS = {"limit_ms": 30_000, "capacity": 300_000}  # for as long as it takes to disturb a round
NO_RSEQ = "cpu_id/sched_getcpu_norseq"


@pytest.fixture
def target():
    with native(engine="gated") as entered:
        yield entered


def plan(target, **changes):
    return replace(Plan((), (), 8, 1, 1.0, 1, "gated", "quick", target.cpus()), **changes)


def available(target):
    return [benchmark.name for benchmark in target.benchmarks() if not benchmark.unavailable and not benchmark.whole]


def calibrate(target, names, chunk_ns):
    return {name: target.calibrate(Case(name), plan(target), chunk_ns) for name in names}


def slots(names, loops=1000, wanted=WANTED, threads=1):
    each = [loops[name] for name in names] if isinstance(loops, dict) else [loops] * len(names)
    return [ChunkRequest(Case(name, threads), count, wanted) for name, count in zip(names, each, strict=True)]


def gate(target, names, loops=1000, wanted=WANTED, **changes):
    return target.gate(slots(names, loops, wanted), plan(target), {**OPTIONS, **changes})


# ---- a round ----


def test_chunks_of_every_kernel_are_neither_too_short_for_the_clock_nor_too_long_to_be_left_alone(target):
    names = available(target)
    loops = calibrate(target, names, gated.CHUNK_NS)
    answer = gate(target, names, loops)
    for name, chunks in zip(names, answer.chunks, strict=True):
        lengths = [chunk.value * loops[name] for chunk in chunks if not chunk.disturbed]
        if lengths:
            assert 5e3 < statistics.median(lengths) < 50e6, name


def test_every_kernel_gets_its_chunks_unless_the_round_is_over(target):
    names = available(target)
    loops = calibrate(target, names, gated.CHUNK_NS)
    begin = time.monotonic()
    answer = gate(target, names, loops)
    over = time.monotonic() - begin >= OPTIONS["limit_ms"] * 1e-3
    over |= sum(map(len, answer.chunks)) == OPTIONS["capacity"]
    assert len(answer.chunks) == len(names) > 20
    for name, chunks in zip(names, answer.chunks, strict=True):
        accepted = [chunk for chunk in chunks if not chunk.disturbed]
        assert over or len(accepted) >= WANTED, name
        assert all(chunk.value > 0 and chunk.before >= answer.fastest <= chunk.after for chunk in chunks), name
    assert 0 < answer.inside <= 1
    assert answer.registration == target.registration()


@pytest.mark.parametrize(("option", "value"), [("limit_ms", 0), ("wanted", 0), ("capacity", 0)])
def test_a_round_that_may_not_take_any_chunk_has_none(target, option, value):
    assert gate(target, ["cpu_id/baseline"], **{option: value}).chunks == ((),)


def test_a_round_never_has_more_chunks_than_there_is_room_for(target):
    names = ["cpu_id/baseline", "control/atomic_a", "control/atomic_b"]
    answer = gate(target, names, wanted=10**6, capacity=100)
    assert sum(map(len, answer.chunks)) == 100


def passes(target, names, seed, wanted=6):
    """Return the order of the kernels in each pass of a round in which no pass was cut short by a busy core."""
    each = {"kernels": names} | {
        key: [value] * len(names) for key, value in {"threads": 1, "wanted": wanted, "loops": 1000}.items()
    }
    request = {"do": "gate", **each, "cpus": list(target.cpus())}
    for _ in range(10):
        answer = target._worker(target.registration()).ask({**request, **OPTIONS, "seed": seed}, 60)
        if not answer["waits"]:
            slots = [row[0] for row in answer["chunks"]]
            return [slots[i * len(names) : (i + 1) * len(names)] for i in range(wanted)]
    pytest.skip("this machine is too busy")
    return []


def test_the_order_is_shuffled_in_every_pass_and_repeated_by_the_same_seed(target):
    names = [name for name in available(target) if name.startswith(("control/", "cpu_id/"))]
    first = passes(target, names, 1)
    assert [sorted(order) for order in first] == [list(range(len(names)))] * len(first)
    assert len({tuple(order) for order in first}) == len(first)
    assert passes(target, names, 1) == first
    assert passes(target, names, 3) != first


@some_rseq
def test_rseq_is_registered_again_after_a_kernel_that_needs_it_off(target):
    """Without an area, the others would write to the slot of CPU -1, or the next suspension would fail."""
    names = [NO_RSEQ, "counter/rseq", "cpu_id/rseq", "counter/rseq_atomic"]
    answer = gate(target, names)
    assert [len(chunks) > 1 for chunks in answer.chunks] == [True] * 4
    assert min(chunk.value for chunks in answer.chunks for chunk in chunks) > 0


# ---- what cannot be ----


@pytest.mark.parametrize(
    ("names", "changes", "why"),
    [
        (["counter/nonsense"], {}, "no benchmark 'counter/nonsense'"),
        (["cpu_id/baseline", "nonsense"], {}, "no benchmark 'nonsense'"),
        ([], {}, "too few or too many benchmarks for one round"),
        (["cpu_id/baseline"] * 257, {}, "too few or too many benchmarks for one round"),
        (["cpu_id/baseline"], {"cpus": (4095,)}, "cannot pin to the CPU"),
    ],
)
def test_what_cannot_be_is_an_error_of_one_line_and_nothing_more(target, names, changes, why):
    with pytest.raises(TargetError) as caught:
        target.gate(slots(names), plan(target, **changes), OPTIONS)
    assert caught.value.message == why
    assert gate(target, ["cpu_id/baseline"]).chunks[0]


@some_rseq
def test_a_kernel_that_cannot_run_here_is_an_error():
    """That one wants the C library to use rseq, and here it may not."""
    with native(engine="gated", registration="self") as target:
        (kernel,) = [one for one in target.benchmarks() if one.name == "cpu_id/sched_getcpu"]
        with pytest.raises(TargetError) as caught:
            gate(target, [kernel.name])
    assert caught.value.message == kernel.unavailable != ""


def test_a_kernel_number_that_is_not_there_is_an_error():
    words = (
        "import sys, pathlib; from rseqbench.targets.native.worker import CompiledBenchmarks; "
        "k = CompiledBenchmarks(pathlib.Path(sys.argv[1]), 'auto'); "
        "k.number = lambda name: int(name); "
        "k.gate(dict(kernels=[sys.argv[2]], threads=[1], wanted=[1], loops=[1], cpus=[0], fastest=0, limit_ms=1, "
        "seed=1, capacity=1))"
    )
    for number in (10_000, 2**32 - 1):
        command = [sys.executable, "-c", words, str(products.extension(architectures.host()).path), str(number)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert done.stderr.endswith("RuntimeError: no such benchmark\n")


# One wrong line in a copy of the kernels each: file, what stands there, what takes its place, complaint.
WRONG_LINES = {
    "kernel_adds_twice": (
        "src/counter.c",
        "arch_add(counter, 1);",
        "arch_add(counter, 2);",
        "the sum is",
    ),
    "warm_up_not_counted": (
        "core/round.c",
        "job->operations += (job_warm_up(job) + job->loops) * job->threads;",
        "job->operations += job->loops * job->threads;",
        "the sum is",
    ),
    "first_kernel_of_a_group_only": (
        "core/jobs.c",
        "sum += jobs->list[i].operations;",
        "sum = jobs->list[number].operations;",
        "the sum is",
    ),
    "rseq_not_registered_again": (
        "core/round.c",
        "return registration_resume(area) ? ",
        "return 0 ? ",
        "",  # it may be the next kernel that crashes
    ),
}


def change(tmp_path, monkeypatch, file, right, wrong):
    """Use a copy of the kernels in which one line is another."""
    kernels = shutil.copytree(paths.kernels(), tmp_path / "kernels")
    source = (kernels / file).read_text()
    assert right in source
    (kernels / file).write_text(source.replace(right, wrong))
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(kernels))


@some_rseq
@pytest.mark.parametrize("mistake", WRONG_LINES)
def test_a_round_that_is_not_exact_is_void(tmp_path, monkeypatch, mistake):
    *line, complaint = WRONG_LINES[mistake]
    change(tmp_path, monkeypatch, *line)
    with native(engine="gated") as target, pytest.raises(TargetError) as caught:
        gate(target, ["counter/plain", "counter/rseq", NO_RSEQ])
    assert complaint in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("jump", ["- (1ull << 32)", "+ (1ull << 32)"])
def test_a_clock_that_jumps_while_a_chunk_runs_makes_the_round_void(tmp_path, monkeypatch, jump):
    """By as many ticks as vanish where the answer keeps 32 bits of them."""
    right = "\tchunk_timer_run(&round->timer, job->benchmark, job->loops, time);\n"
    wrong = f"{right}\ttime->end = time->end {jump} * (round->out->chunks == 3);\n"
    change(tmp_path, monkeypatch, "core/round.c", right, wrong)
    cases = [Case("cpu_id/baseline"), Case("control/atomic_a")]
    with native(engine="gated") as target:
        engine = gated.GatedEngine()
        engine.prepare(target, plan(target), cases)
        failures = [one.failure for one in engine.round(target, plan(target), 0, cases)]
    assert len(failures) == 2
    assert all(failure.startswith("the clock jumped: the chunks took ") for failure in failures), failures


# ---- several threads ----


def round_of_threads(target, threads, names=("counter/shared_atomic", "counter/rseq_atomic"), **changes):
    return target.gate(slots(names, 20_000, 30, threads), plan(target), {**OPTIONS, "limit_ms": 20_000, **changes})


@two_cpus
@pytest.mark.parametrize("threads", [2, 3, 4])
def test_chunks_of_several_threads_stand_between_probes_too(target, threads):
    """The sum of what all of them did is verified: the kernels of the group share one."""
    answer = round_of_threads(target, threads)
    for chunks in answer.chunks:
        assert len(chunks) >= 30
        assert all(chunk.value > 0 and chunk.before >= answer.fastest <= chunk.after for chunk in chunks)
    assert 0 < answer.inside <= 1


@two_cpus
def test_one_round_has_chunks_of_one_thread_and_of_several(target):
    each = [*slots(["counter/shared_atomic"]), *slots(["counter/shared_atomic"], threads=2)]
    answer = target.gate(each, plan(target), OPTIONS)
    assert [len(chunks) >= WANTED for chunks in answer.chunks] == [True, True]


@two_cpus
def test_each_thread_has_a_cpu_of_its_own_in_turn(target):
    seen = {}

    def look(process):
        time.sleep(0.2)
        for task in Path(f"/proc/{process}/task").iterdir():
            seen[task.name] = os.sched_getaffinity(int(task.name))

    cpus = target.cpus()[:2]
    with meanwhile(target, look):
        wanted = slots(["counter/shared_atomic"], 100_000, 10**6, 3)
        target.gate(wanted, plan(target, cpus=cpus), {**OPTIONS, "limit_ms": 1500})
    assert sorted(map(tuple, seen.values())) == sorted([(cpus[0],), (cpus[1],), (cpus[0],)])


@two_cpus
@pytest.mark.parametrize("threads", [2, 4])
def test_a_chunk_in_which_another_process_had_a_cpu_of_a_thread_is_disturbed(target, threads):
    """Chunks of ten milliseconds and more: hardly one of them passes without a turn of the other process."""
    hog = "import os, sys; os.sched_setaffinity(0, {int(sys.argv[1])}); print(flush=True)\nwhile True: pass"
    with subprocess.Popen([sys.executable, "-c", hog, str(target.cpus()[1])], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        try:
            loops = target.calibrate(Case("counter/rseq_atomic", threads), plan(target), 10_000_000)
            wanted = slots(["counter/rseq_atomic"], loops, 10**6, threads)
            (chunks,) = target.gate(wanted, plan(target), {**OPTIONS, "limit_ms": 1500}).chunks
        finally:
            process.kill()
    assert len(chunks) > 3
    assert sum(chunk.disturbed for chunk in chunks) > 0.7 * len(chunks)


@pytest.mark.parametrize(
    ("name", "threads", "why"),
    [("cpu_id/baseline", 2, "measured with one thread only"), ("counter/plain", 0, "a chunk needs a thread")],
)
def test_threads_that_cannot_be_are_an_error(target, name, threads, why):
    with pytest.raises(TargetError) as caught:
        target.gate(slots([name], threads=threads), plan(target), OPTIONS)
    assert caught.value.message == why


# ---- disturbed in the middle ----


def measuring(target):
    """Wait until the process that measures a round has pinned itself, and return its id."""
    worker = target._worker(target.registration())._process.pid
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for child in children(worker):
            with contextlib.suppress(ProcessLookupError):
                if os.sched_getaffinity(child) == {target.cpus()[0]}:
                    return child
        time.sleep(0.001)
    raise AssertionError("no process measures")


def children(parent):
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


@contextlib.contextmanager
def meanwhile(target, disturb):
    """Call `disturb` with the process that measures, as soon as there is one, while the body runs."""
    target._worker(target.registration())  # so that both threads mean the same one
    thread = threading.Thread(target=lambda: disturb(measuring(target)))
    thread.start()
    yield
    thread.join()


def other_cpus(target):
    return os.sched_getaffinity(0) - {target.cpus()[0]}


@pytest.mark.parametrize(
    "kernel", ["cpu_id/baseline", "cpu_id/getcpu_syscall", pytest.param("counter/rseq", marks=some_rseq)]
)
def test_a_chunk_in_which_the_process_was_stopped_is_disturbed(target, kernel):
    loops = calibrate(target, [kernel], 1_000_000)

    def stop(process):
        for _ in range(3):
            time.sleep(0.02)
            os.kill(process, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(process, signal.SIGCONT)

    with meanwhile(target, stop):
        (chunks,) = gate(target, [kernel], loops, 10**6, **{**ENDLESS, "limit_ms": 1500}).chunks
    long = [chunk for chunk in chunks if chunk.value * loops[kernel] > 0.25e9]
    assert long
    assert all(chunk.disturbed for chunk in long)


class Disturbed:
    """A target to which something happens in one of its rounds."""

    def __init__(self, target, fault, when):
        self._target, self._fault, self._when = target, fault, when
        self.number = -1

    def __getattr__(self, name):
        return getattr(self._target, name)

    def new_round(self):
        self.number += 1
        self._target.new_round()

    def calibrate(self, *arguments):
        return self._target.calibrate(*arguments)

    def gate(self, slots, plan, options):
        if self.number != self._when:
            return self._target.gate(slots, plan, options)
        return self._fault(self._target, slots, plan, options)


def doing(disturb):
    """Return a fault that does something to the process that measures."""

    def fault(target, slots, plan, options):
        endless = [replace(slot, wanted=10**6) for slot in slots]
        with meanwhile(target, lambda process: disturb(target, process)):
            return target.gate(endless, plan, {**options, **ENDLESS})

    return fault


def kill_worker(target, process):
    del process
    os.kill(target._worker(target.registration())._process.pid, signal.SIGKILL)


def kill(target, process):
    del target
    os.kill(process, signal.SIGKILL)


def take_away(target, process):
    os.sched_setaffinity(process, other_cpus(target))


def stopped(target, slots, plan, options):
    """Stop the process that measures for longer than anybody waits for its answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_module, "_MEASURE_TIMEOUT_S", 1.0)
        return doing(lambda _, process: os.kill(process, signal.SIGSTOP))(target, slots, plan, options)


def jumped(tamper):
    """Return a fault that makes something of a round's answer that only a clock that jumped can."""
    return lambda target, *arguments: tamper(target.gate(*arguments))


def with_chunk(answer, value):
    first, *others = answer.chunks[0]
    return replace(answer, chunks=((replace(first, value=value), *others), *answer.chunks[1:]))


JUMP = "the clock jumped: "
FAULTS = {
    "worker_killed": (doing(kill_worker), "a worker process died (SIGKILL)"),
    "killed": (doing(kill), "killed by SIGKILL"),
    "stopped": (stopped, "a worker process did not answer within 1 s"),
    "taken_away_from_its_cpu": (doing(take_away), "taken away from its CPU"),
    "chunk_of_no_time": (jumped(lambda answer: with_chunk(answer, 0.0)), JUMP + "a chunk took no time"),
    "chunk_of_negative_time": (jumped(lambda answer: with_chunk(answer, -3.0)), JUMP + "a chunk took no time"),
    "absurd_tick": (jumped(lambda answer: replace(answer, ns_per_tick=1e6)), JUMP + "a tick was 1e+06 ns"),
    "longer_than_the_round": (jumped(lambda answer: replace(answer, inside=7.0)), JUMP + "the chunks took 7 times"),
    "probe_of_no_time": (jumped(lambda answer: replace(answer, fastest=0)), JUMP + "a probe took 0 ticks"),
}
CASES = ("control/atomic_a", "cpu_id/baseline", "cpu_id/getcpu_syscall")


def begun(target, tmp_path):
    """Begin a run of a few cases whose checks are done."""
    cases = tuple(Case(name, 1, target.registration()) for name in CASES)
    checks = tuple(Check(name, True, 1, 1, 0, 0, True, trivial=True) for name in CASES)
    header = Header("mine", "", "", plan(target, cases=cases), (target.machine(),), checks)
    return Store(tmp_path / "results").begin(header, force=False)


@pytest.mark.parametrize("name", [pytest.param(name, marks=two_cpus if "cpu" in name else ()) for name in FAULTS])
def test_what_happens_to_a_round_makes_it_void_and_the_run_goes_on(target, tmp_path, monkeypatch, name):
    monkeypatch.setattr(gated, "SPREAD_S", 0.0)
    fault, why = FAULTS[name]
    unfinished, engine = begun(target, tmp_path), gated.GatedEngine()
    try:
        events = list(rounds.run(Disturbed(target, fault, 0), unfinished, engine, defaults().check))
    except TargetError as error:
        if gated.CONTENDED in error.message and engine._fastest:  # or the fault itself is what contends
            pytest.skip("this machine is too busy for the gated engine")
        raise
    failures = [
        (one.number, one.case.id, one.failure) for one in events if isinstance(one, CaseMeasured) and one.failure
    ]
    hit = [failure for number, _, failure in failures if number == 0]
    assert len(hit) == len(CASES)
    assert all(failure.startswith(why) for failure in hit), hit
    assert all(failure.startswith(gated.CONTENDED) for number, _, failure in failures if number)

    run = loaded(unfinished, tmp_path)
    frame = dataset.build([run])
    assert 0 not in set(frame["round"])
    skipped = {skip.benchmark for skip in run.header.plan.skips}
    for case in set(CASES) - skipped:
        void = sum(id == case for _, id, _ in failures)
        assert any(note.startswith(f"{case}: void in {void} of 8 rounds: {why}") for note in run.header.notes)
        assert (frame["benchmark"] == case).sum() == 8 - void
    assert rounds.failures(run.header) == []
    assert run.header.finished


def loaded(unfinished, tmp_path):
    unfinished.finish(lambda _: "")
    return Store(tmp_path / "results").load("mine")


def test_a_target_that_fails_in_every_round_ends_the_run(target, tmp_path, monkeypatch):
    monkeypatch.setattr(gated, "SPREAD_S", 0.0)

    class Broken(Disturbed):
        def gate(self, *arguments):
            if self.number >= 0:
                raise TargetError("no such luck")
            return self._target.gate(*arguments)

    unfinished = begun(target, tmp_path)
    with pytest.raises(TargetError, match=r"^round 3: nothing could be measured: no such luck$"):
        list(rounds.run(Broken(target, None, 0), unfinished, gated.GatedEngine(), defaults().check))
    assert unfinished.rounds() == []


def test_nothing_is_left_behind_by_a_round_that_was_stopped(target):
    worker = target._worker(target.registration())._process.pid
    with pytest.raises(TargetError, match="did not answer"):
        stopped(target, slots(["cpu_id/baseline"]), plan(target), OPTIONS)
    deadline = time.monotonic() + 60
    while children(worker) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not children(worker)
    assert not Path(f"/proc/{worker}").exists()
    assert gate(target, ["cpu_id/baseline"]).chunks[0]
