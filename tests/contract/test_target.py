"""What every target promises. A new target joins by one more entry in TARGETS."""

import os
import signal
import threading
import time
from dataclasses import replace

import pyperf
import pytest

from rseqbench import arches, targets
from rseqbench.errors import TargetError
from rseqbench.model import Case, Plan, Registration, Slot
from tests.commands import processes_with
from tests.machines import defaults

TARGETS = [pytest.param({"target": "native", "arch": "host"}, id="native")]
SHARED = "counter/shared_atomic"
MARK = "RSEQBENCH_TEST_CONTRACT"


@pytest.fixture(params=TARGETS)
def new(request, monkeypatch):
    """Return a function that makes a target; all processes that it starts here carry our mark."""
    monkeypatch.setenv(MARK, str(os.getpid()))
    options = defaults().options(None, request.param)
    return lambda: targets.create(arches.named(options.arch), options)


@pytest.fixture
def target(new):
    with new() as entered:
        yield entered


def ours():
    return processes_with(f"{MARK}={os.getpid()}\0")


def gone():
    """Wait a little for killed processes to vanish; return those that do not."""
    deadline = time.monotonic() + 5
    while ours() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not ours()


def plan(target, **changes):
    made = Plan((), (), rounds=6, values=3, value_ms=0.2, seed=1, engine="pyperf", preset="quick", cpus=target.cpus())
    return replace(made, **changes)


def case(target, threads=1):
    return Case(SHARED, threads, target.registration())


class TestTargetContract:
    def test_can_be_entered_twice(self, new):
        target = new()
        for _ in range(2):
            with target as entered:
                assert entered.benchmarks()

    def test_two_can_be_there_at_once(self, new):
        with new() as one, new() as other:
            assert one.benchmarks() == other.benchmarks()

    def test_leaves_no_process_behind(self, new):
        with new() as target:
            target.benchmarks()
            target.measure(case(target), plan(target), 0, 1000)
            assert ours()
        assert gone()

    def test_leaves_no_process_behind_after_an_error(self, new):
        with pytest.raises(KeyboardInterrupt), new() as target:
            target.benchmarks()
            raise KeyboardInterrupt
        assert gone()

    def test_benchmarks_are_named_and_described(self, target):
        benchmarks = target.benchmarks()
        names = [benchmark.name for benchmark in benchmarks]
        assert len(names) > 20
        assert names == sorted(set(names))
        for benchmark in benchmarks:
            assert benchmark.group
            assert benchmark.method
            assert benchmark.name == f"{benchmark.group}/{benchmark.method}"
            assert benchmark.doc
            assert "\n" not in benchmark.doc + benchmark.unavailable
        assert {"cpu_id/baseline", SHARED} <= set(names)

    def test_says_what_it_is(self, target):
        machine = target.machine()
        assert machine.arch == target.arch
        assert machine.arch in arches.known()
        assert machine.timing in ("hardware", "virtual", "emulated")
        assert machine.target
        assert {"compiler", "cflags", "kernels", "registration", "rseq_feature_size"} <= set(machine.facts)
        assert machine.facts["registration"] == target.registration()
        assert isinstance(target.registration(), Registration)

    def test_cpus_to_pin_to_are_distinct(self, target):
        assert target.cpus()
        assert len(set(target.cpus())) == len(target.cpus())

    def test_checks_a_benchmark(self, target):
        benchmark = next(one for one in target.benchmarks() if one.name == SHARED)
        check = target.check(benchmark, replace(defaults().check, disturbances=20))
        assert (check.benchmark, check.passed, check.message.count("\n")) == (SHARED, True, 0)
        assert check.operations > 0
        assert check.threads >= 1

    def test_calibrates_and_measures(self, target):
        calibration = target.measure(case(target), plan(target), 2, 0)
        loops = calibration.get_runs()[0].get_loops()
        assert loops >= 1
        bench = target.measure(case(target), plan(target, values=5), 2, loops)
        assert isinstance(bench, pyperf.Benchmark)
        assert bench.get_name() == SHARED
        (run,) = bench.get_runs()
        assert len(run.values) == 5
        assert min(run.values) > 0
        assert run.get_loops() == loops
        metadata = run.get_metadata()
        assert {
            name: metadata[name] for name in ("benchmark", "arch", "threads", "engine", "round", "registration")
        } == {
            "benchmark": SHARED,
            "arch": target.machine().arch,
            "threads": 1,
            "engine": "pyperf",
            "round": 2,
            "registration": target.registration(),
        }
        assert metadata["aborts"] >= 0

    def test_measures_several_threads(self, target):
        bench = target.measure(case(target, threads=2), plan(target), 0, 1000)
        assert bench.get_name() == f"{SHARED}/threads=2"
        assert bench.get_runs()[0].get_metadata()["threads"] == 2

    def test_takes_gated_rounds(self, target):
        cases = list(map(Case, [SHARED, "cpu_id/baseline", "cpu_id/sched_getcpu_norseq"]))
        loops = [target.calibrate(case, plan(target), 20_000) for case in cases]
        assert min(loops) >= 1
        options = {"fastest": 0, "limit_ms": 500, "seed": 1, "capacity": 100}
        answer = target.gate(
            [Slot(one, count, 3) for one, count in zip(cases, loops, strict=True)], plan(target), options
        )
        assert [bool(chunks) for chunks in answer.chunks] == [True] * 3
        assert sum(map(len, answer.chunks)) <= 100
        assert min(chunk.value for chunks in answer.chunks for chunk in chunks) > 0
        assert answer.registration == target.registration()
        assert answer.fastest > 0
        assert answer.ns_per_tick > 0
        assert 0 < answer.inside <= 1

    def test_a_gated_round_of_an_unknown_kernel_is_an_error_and_nothing_more(self, target):
        with pytest.raises(TargetError, match="no kernel 'counter/nonsense'"):
            target.calibrate(Case("counter/nonsense"), plan(target), 20_000)
        assert target.calibrate(case(target), plan(target), 20_000)

    def test_an_unknown_kernel_is_an_error_and_nothing_more(self, target):
        with pytest.raises(TargetError, match="no kernel 'counter/nonsense'"):
            target.measure(Case("counter/nonsense", 1, target.registration()), plan(target), 0, 1000)
        assert target.measure(case(target), plan(target), 0, 1000).get_nvalue() == 3

    def test_a_new_round_has_other_processes(self, target):
        seen = []
        for number in range(2):
            target.new_round()
            target.measure(case(target), plan(target), number, 1000)
            seen.append(set(ours()))
        assert seen[0]
        assert seen[1]
        assert not seen[0] & seen[1]

    def test_a_process_that_is_killed_while_it_measures_is_an_error_of_that_measurement(self, target):
        target.measure(case(target), plan(target), 0, 1000)
        started = set(ours())
        killer = threading.Timer(0.5, lambda: [os.kill(process, signal.SIGKILL) for process in started])
        killer.start()
        with pytest.raises(TargetError, match="SIGKILL"):
            target.measure(case(target), plan(target, value_ms=500.0, values=100), 0, 100_000_000)
        killer.join()
        assert target.measure(case(target), plan(target), 0, 1000).get_nvalue() == 3
        assert not started & set(ours())

    def test_a_process_that_is_killed_in_between_does_no_harm(self, target):
        target.measure(case(target), plan(target), 0, 1000)
        for process in ours():
            os.kill(process, signal.SIGKILL)
        try:
            target.measure(case(target), plan(target), 0, 1000)
        except TargetError as error:  # it is gone, but was not yet known to be
            assert "\n" not in str(error)
        assert target.measure(case(target), plan(target), 0, 1000).get_nvalue() == 3
