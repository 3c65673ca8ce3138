"""rseqbench/measure/plan.py: what is measured, in which order, on which CPUs; and what is not, and why."""

import dataclasses

import pytest

from rseqbench import selection
from rseqbench.config import Preset
from rseqbench.errors import UsageError
from rseqbench.measure import plan
from rseqbench.model import BASELINE, CONTROLS, Benchmark, Case, Registration, Skip, SkipKind
from tests.support.requirements import resolved

GLIBC, SELF, NONE = Registration.GLIBC, Registration.SELF, Registration.NONE
BENCHMARKS = [
    Benchmark("counter/plain", "one thread only", shared=True),
    Benchmark("counter/rseq", "a sequence", needs_rseq=True, shared=True, sequence=True, threaded=True),
    Benchmark("cpu_id/baseline", "the empty loop", trivial=True),
    Benchmark("cpu_id/gs", "x86", unavailable="x86 only"),
    Benchmark("cpu_id/rseq", "a load", needs_rseq=True),
    Benchmark("cpu_id/rseq_lazy", "a load and a test", needs_rseq=True),
    Benchmark("cpu_id/sched_getcpu_norseq", "with rseq off", needs_no_rseq=True),
    Benchmark("rcu/rseq", "two sequences", needs_rseq=True, shared=True, sequence=True, threaded=True),
]
PRESET = Preset(rounds=6, values=3, value_ms=0.5)


def make(benchmarks=BENCHMARKS, registration=GLIBC, cpus=(1, 0), seed=7, asked=("all",), **changes):
    options = dataclasses.replace(resolved(), benchmarks=list(asked), **changes)
    return plan.make_plan(benchmarks, options, PRESET, registration, cpus, seed)


# ---- what is selected ----


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["all"], [benchmark.name for benchmark in BENCHMARKS]),
        (["counter"], ["counter/plain", "counter/rseq"]),
        (["counter/rseq"], ["counter/rseq"]),
        (["rcu", "counter/plain"], ["counter/plain", "rcu/rseq"]),
        (["*/rseq"], ["counter/rseq", "cpu_id/rseq", "rcu/rseq"]),
        (["cpu_id/rseq*"], ["cpu_id/rseq", "cpu_id/rseq_lazy"]),
        (["c?unter/p*"], ["counter/plain"]),
        (["counter/[pq]*"], ["counter/plain"]),
        (["counter/rseq", "counter/rseq"], ["counter/rseq"]),
        ([], []),
    ],
)
def test_groups_names_and_patterns_select(patterns, names):
    assert [benchmark.name for benchmark in selection.select_benchmarks(BENCHMARKS, patterns)] == names


def test_what_comes_along_need_not_be_asked_for_nor_be_there():
    found = selection.select_benchmarks(BENCHMARKS, ["counter/rseq"], {BASELINE, "counter/rseq", "control/absent"})
    assert [benchmark.name for benchmark in found] == ["counter/rseq", BASELINE]


@pytest.mark.parametrize("threads", [[1], [1, 2], [4]])
@pytest.mark.parametrize("asked", [["counter/rseq"], ["rcu"], ["*/rseq"], ["all"], [BASELINE]])
def test_every_plan_measures_the_baseline_once(asked, threads):
    cases = make(asked=asked, threads=threads).cases
    assert [case for case in cases if case.benchmark == BASELINE] == [Case(BASELINE, 1, GLIBC)]


@pytest.mark.parametrize("threads", [[1], [1, 2], [2, 4]])
def test_the_controls_come_along_where_they_are(threads):
    """They show whether a run raises false alarms, so a run without them would not know."""
    controls = [Benchmark(name, "twice the same", trivial=True) for pair in CONTROLS for name in pair]
    made = make(benchmarks=sorted([*BENCHMARKS, *controls], key=lambda one: one.name), threads=threads)
    for control in controls:
        assert Case(control.name, 1, GLIBC) in made.cases


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("counter/rsek", "counter/rseq"),
        ("countr", "counter"),
        ("cpuid", "cpu_id"),
        ("ALL", "there is: "),
        ("", "there is: "),
        ("zzz/*", "there is: "),
        ("COUNTER", "there is: "),
    ],
)
def test_what_names_nothing_is_refused_and_the_nearest_named(pattern, hint):
    with pytest.raises(UsageError, match="unknown benchmark") as caught:
        selection.select_benchmarks(BENCHMARKS, ["counter", pattern])
    assert repr(pattern) in caught.value.message
    assert hint in caught.value.hint


# ---- what becomes of it ----


def test_all_that_can_run_becomes_a_case_with_the_registration_it_needs():
    made = make()
    assert made.cases == (
        Case("counter/plain", 1, GLIBC),
        Case("counter/rseq", 1, GLIBC),
        Case("cpu_id/baseline", 1, GLIBC),
        Case("cpu_id/rseq", 1, GLIBC),
        Case("cpu_id/rseq_lazy", 1, GLIBC),
        Case("cpu_id/sched_getcpu_norseq", 1, NONE),
        Case("rcu/rseq", 1, GLIBC),
    )
    assert made.skips == (Skip("cpu_id/gs", 1, "x86 only"),)


@pytest.mark.parametrize("registration", [SELF, NONE])
def test_the_registration_is_the_target_s(registration):
    made = make(registration=registration)
    assert {case.registration for case in made.cases if not case.benchmark.endswith("_norseq")} == {registration}


def test_options_preset_seed_and_cpus_are_kept():
    made = make(engine="pyperf", preset="quick", seed=99, cpus=(3,))
    assert (made.rounds, made.values, made.value_ms) == (6, 3, 0.5)
    assert (made.engine, made.preset, made.seed, made.cpus) == ("pyperf", "quick", 99, (3,))


def test_thread_counts_are_for_those_that_can_use_them():
    made = make(benchmarks=BENCHMARKS[:3], threads=[4, 1, 2, 4])
    assert [(case.benchmark, case.threads) for case in made.cases] == [
        ("counter/plain", 1),
        ("counter/rseq", 1),
        ("counter/rseq", 2),
        ("counter/rseq", 4),
        (BASELINE, 1),
    ]
    assert made.skips == ()


def test_what_takes_one_thread_only_is_skipped_when_one_is_not_asked_for_but_the_baseline_never_is():
    made = make(threads=[2])
    assert [(case.benchmark, case.threads) for case in made.cases] == [
        ("counter/rseq", 2),
        (BASELINE, 1),
        ("rcu/rseq", 2),
    ]
    assert Skip("counter/plain", 2, "measured with one thread only", SkipKind.THREADS) in made.skips
    assert Skip("cpu_id/gs", 2, "x86 only") in made.skips
    assert {skip.benchmark for skip in made.skips} | {case.benchmark for case in made.cases} == {
        benchmark.name for benchmark in BENCHMARKS
    }


def test_nothing_is_left_out_silently():
    for threads in ([1], [2], [1, 2], [8, 3]):
        made = make(threads=threads)
        assert plan.benchmark_names(made) == {benchmark.name for benchmark in BENCHMARKS}
        assert all(skip.reason for skip in made.skips)


# ---- the order of a round ----


def test_the_order_is_random_by_round_and_repeatable_by_seed():
    made = make()
    orders = [plan.order_cases(made, number, made.cases) for number in range(6)]
    assert orders == [plan.order_cases(make(), number, made.cases) for number in range(6)]
    assert len({tuple(order) for order in orders}) > 1
    other = make(seed=8)
    assert orders != [plan.order_cases(other, number, other.cases) for number in range(6)]
    for order in orders:
        assert sorted(order, key=lambda case: case.benchmark) == sorted(made.cases, key=lambda case: case.benchmark)


def test_every_case_comes_first_as_often_as_any_other():
    made = make()
    first = [plan.order_cases(make(seed=seed), 0, made.cases)[0] for seed in range(700)]
    assert min(first.count(case) for case in made.cases) > 60


def test_ordering_leaves_the_plan_alone():
    made = make()
    before = made.cases
    plan.order_cases(made, 3, made.cases)
    assert made.cases == before


# ---- CPUs ----


@pytest.mark.parametrize(
    ("wanted", "allowed", "isolated", "found"),
    [
        (None, {0, 1}, set(), (1, 0)),
        (None, {0}, set(), (0,)),
        (None, {0, 1, 2, 3}, {2}, (2, 3, 1, 0)),
        (None, {0, 1, 2, 3}, {1, 2}, (2, 1, 3, 0)),
        (None, {0, 1}, {5}, (1, 0)),
        ("1", {0, 1}, set(), (1,)),
        ("0-2", {0, 1, 2, 3}, set(), (0, 1, 2)),
        ("3,0-1", {0, 1, 2, 3}, {2}, (3, 0, 1)),
        ("1,1,0,1", {0, 1}, set(), (1, 0)),
    ],
)
def test_cpus(wanted, allowed, isolated, found):
    assert selection.choose_cpus(wanted, allowed, isolated) == found


@pytest.mark.parametrize(
    "wanted", ["", ",", "x", "0-", "-1", "1-0", "0;1", "0-1-2", "1.0", "all", "AUTO", "0,x", " ", "1 2", "99999999"]
)
def test_what_is_no_cpu_list_is_refused(wanted):
    with pytest.raises(UsageError, match="bad CPU list"):
        selection.choose_cpus(wanted, {0, 1}, set())


@pytest.mark.parametrize(("wanted", "absent"), [("2", 2), ("0-3", 2), ("1,7", 7), ("999999", 999999)])
def test_a_cpu_that_is_not_ours_is_refused(wanted, absent):
    with pytest.raises(UsageError, match=rf"CPU {absent} is not one we may use; there are \[0, 1\]"):
        selection.choose_cpus(wanted, {0, 1}, set())


# ---- counted instructions ----


def test_instructions_are_counted_of_one_thread_and_the_others_say_why():
    made = make(engine="counted", threads=[1, 2])
    assert {case.threads for case in made.cases} == {1}
    assert Case("counter/rseq", 1, GLIBC) in made.cases
    why = "what is counted are the instructions of one thread: several are measured where time is real"
    assert {skip for skip in made.skips if skip.threads == 2} == {
        Skip("counter/rseq", 2, why, SkipKind.THREADS),
        Skip("rcu/rseq", 2, why, SkipKind.THREADS),
    }
    assert len(make(engine="gated", threads=[1, 2]).cases) == len(made.cases) + 2


def test_with_several_threads_only_the_baseline_is_counted():
    assert [case.benchmark for case in make(engine="counted", threads=[2]).cases] == [BASELINE]
