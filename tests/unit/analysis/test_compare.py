"""rseqbench/analysis/compare.py: two runs whose difference is known, and what is said of it."""

import dataclasses

import numpy as np
import pytest

from rseqbench.analysis import compare, regression_gate
from rseqbench.analysis import compare as speedups
from rseqbench.analysis.dataset import build
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.model import BASELINE, Skip
from rseqbench.paths import builtin_results
from rseqbench.report.reasons import explain
from rseqbench.store import runs
from rseqbench.store.runs import PATCH
from tests.support.frames import frame, run
from tests.support.requirements import defaults

RSEQ, LSL, ATOMIC = "cpu_id/rseq", "cpu_id/lsl", "counter/getcpu_atomic"
RULES = defaults().verdict


def rounds(centre, spread=0.005, n=12, seed=1):
    """Return rounds whose quantiles are those of a normal distribution, in random order: no luck is in them."""
    shares = (np.arange(n) + 0.5) / n
    quantiles = np.sort(np.random.default_rng(99).standard_normal(20_001))[(shares * 20_001).astype(int)]
    return list(np.random.default_rng(seed).permutation(centre * np.exp(spread * quantiles)))


def compared(a, b, rules=RULES, **options):
    found = compare.compare(frame(a, b), "a", "b", rules, **options)
    return {row.benchmark: row for row in found}


def one(a, b, rules=RULES, **options):
    return compared(run("a", {RSEQ: a}), run("b", {RSEQ: b}), rules, **options)[RSEQ]


# ---- one benchmark ----


@pytest.mark.parametrize(
    ("factor", "word"),
    [(1.05, Outcome.SLOWER), (2.0, Outcome.SLOWER), (1 / 1.05, Outcome.FASTER), (0.25, Outcome.FASTER)],
)
def test_a_difference_is_found_with_its_direction_and_size(factor, word):
    row = one(rounds(10, seed=1), rounds(10 * factor, seed=2))
    assert row.word == word
    assert explain(row.reasons) == ""
    assert row.ratio.value == pytest.approx(factor, rel=0.01)
    assert row.ratio.low < factor < row.ratio.high
    assert row.p < 0.001
    assert (row.a.label, row.b.label) == ("a", "b")


def test_no_difference_is_none():
    row = one(rounds(10, spread=0.05, seed=1), rounds(10, spread=0.05, seed=2))
    assert (row.word, explain(row.reasons)) == (Outcome.UNRESOLVED, "interval holds 1")
    assert row.ratio.low < 1 < row.ratio.high
    assert row.p > 0.5


def test_runs_that_differ_by_less_than_matters_are_equal():
    row = one(rounds(10, spread=0.001, seed=1), rounds(10, spread=0.001, seed=2))
    assert (row.word, explain(row.reasons)) == (
        Outcome.EQUAL,
        f"the whole interval lies within {RULES.same_within:.1%} of 1",
    )


def test_a_sure_difference_below_the_floor_is_none():
    rules = dataclasses.replace(RULES, same_within=0.0)
    row = one(rounds(10, spread=0.0002, seed=1), rounds(10.03, spread=0.0002, seed=2), rules)
    assert row.ratio.low > 1
    assert (row.word, explain(row.reasons)) == (Outcome.UNRESOLVED, "below the floor of 0.5%")


def test_a_floor_of_zero_takes_every_sure_difference():
    rules = dataclasses.replace(RULES, floor=0.0)
    assert one(rounds(10, spread=0.0002, seed=1), rounds(10.03, spread=0.0002, seed=2), rules).word == Outcome.SLOWER


@pytest.mark.parametrize("n", [1, 2, 3])
def test_too_few_rounds_resolve_nothing(n):
    row = one(rounds(10, n=n), rounds(20, n=n))
    assert (row.word, explain(row.reasons)) == (Outcome.UNRESOLVED, f"too few rounds for an interval ({n})")
    assert row.ratio.value == pytest.approx(2, rel=0.05)


def test_turned_around_faster_is_slower():
    a, b = rounds(10, seed=1), rounds(11, seed=2)
    there, back = one(a, b), one(b, a)
    assert (there.word, back.word) == (Outcome.SLOWER, Outcome.FASTER)
    assert there.ratio.value == pytest.approx(back.ratio.inverse().value)
    assert there.p == pytest.approx(back.p)


def test_a_run_is_never_different_from_itself():
    for seed in range(5):
        same = rounds(10, spread=0.3, seed=seed)
        assert one(same, same).word in (Outcome.UNRESOLVED, Outcome.EQUAL)


# ---- what cannot be compared, and why ----


def test_what_one_run_lacks_is_missing_with_the_reason_it_gave():
    a, b = run("a", {RSEQ: rounds(1), LSL: rounds(13)}), run("b", {RSEQ: rounds(1), ATOMIC: rounds(15)})
    skips = [("b", Skip(LSL, 1, "x86 only")), ("a", Skip(RSEQ, 2, "other threads"))]
    rows = compared(a, b, skips=skips)
    assert (rows[LSL].word, explain(rows[LSL].reasons)) == (Outcome.MISSING, "b: x86 only")
    assert (rows[ATOMIC].word, explain(rows[ATOMIC].reasons)) == (Outcome.MISSING, "not in a for x86_64")
    assert rows[LSL].b is None
    assert rows[LSL].ratio is rows[LSL].p is None
    assert rows[RSEQ].word == Outcome.EQUAL


def test_nanoseconds_and_instructions_are_not_compared():
    a = run("a", {RSEQ: rounds(1)})
    b = run("b", {RSEQ: rounds(8)}, unit="instructions", timing="emulated")
    row = compared(a, b)[RSEQ]
    assert (row.word, explain(row.reasons), row.ratio) == (Outcome.NOT_COMPARABLE, "ns against instructions", None)


@pytest.mark.parametrize(("one_kind", "other"), [("hardware", "virtual"), ("virtual", "emulated")])
def test_times_of_different_kinds_are_not_compared(one_kind, other):
    row = compared(run("a", {RSEQ: rounds(1)}, timing=one_kind), run("b", {RSEQ: rounds(2)}, timing=other))[RSEQ]
    assert (row.word, explain(row.reasons)) == (Outcome.NOT_COMPARABLE, f"{one_kind} against {other} time")


def test_machines_and_thread_counts_are_not_mixed():
    a = frame(run("a", {RSEQ: rounds(1)}), run("a", {RSEQ: rounds(1)}, threads=2))
    b = frame(run("b", {RSEQ: rounds(1)}, arch="arm32"), run("b", {RSEQ: rounds(1)}, threads=2))
    rows = compare.compare(frame(a, b), "a", "b", RULES)
    assert [(row.benchmark, row.threads, row.arch, row.word) for row in rows] == [
        (RSEQ, 1, "arm32", Outcome.MISSING),
        (RSEQ, 1, "x86_64", Outcome.MISSING),
        (RSEQ, 2, "x86_64", Outcome.EQUAL),
    ]


# ---- the patch's own table ----


@pytest.fixture(scope="module")
def patch():
    return build([runs.Store(builtin_results()).load(PATCH)])


def test_a_printed_value_gives_a_ratio_and_no_verdict(patch):
    mine = run("b", {LSL: rounds(6.5), RSEQ: rounds(0.4)})
    found = compare.compare(frame(patch, mine), PATCH, "b", RULES)
    row = next(row for row in found if (row.arch, row.benchmark) == ("x86_64", LSL))
    assert row.word == Outcome.NOT_COMPARABLE
    assert explain(row.reasons) == f"{PATCH}: another machine, one printed value without spread"
    assert row.p is None
    assert row.ratio.value == pytest.approx(6.5 / 13.0, rel=0.01)
    assert row.ratio.low == pytest.approx(row.b.gross.low / 13.0)
    assert row.ratio.high == pytest.approx(row.b.gross.high / 13.0)
    missing = [row for row in found if row.benchmark == ATOMIC]
    assert [(row.arch, row.word) for row in missing] == [("arm32", Outcome.MISSING), ("x86_64", Outcome.MISSING)]
    assert explain(missing[1].reasons) == "not in b for x86_64"


def test_turned_around_the_interval_is_still_the_measured_one_s(patch):
    mine = run("a", {LSL: rounds(6.5)})
    found = compare.compare(frame(mine, patch), "a", PATCH, RULES)
    row = next(row for row in found if (row.arch, row.benchmark) == ("x86_64", LSL))
    assert row.ratio.value == pytest.approx(13.0 / 6.5, rel=0.01)
    assert row.ratio.low == pytest.approx(13.0 / row.a.gross.high)
    assert row.ratio.high == pytest.approx(13.0 / row.a.gross.low)


def test_a_printed_value_against_too_few_rounds_has_no_interval(patch):
    found = compare.compare(frame(patch, run("b", {LSL: [6.5, 6.6]})), PATCH, "b", RULES)
    row = next(row for row in found if (row.arch, row.benchmark) == ("x86_64", LSL))
    assert row.ratio.value == pytest.approx(6.55 / 13.0)
    assert not row.ratio.has_interval


# ---- many benchmarks ----


def test_rows_stand_in_the_order_of_names():
    a = run("a", {name: rounds(1) for name in (LSL, ATOMIC, RSEQ)})
    assert list(compared(a, run("b", {RSEQ: rounds(1)}))) == [ATOMIC, LSL, RSEQ]


def test_among_many_rows_a_difference_must_be_surer():
    """Six rounds against six, all apart: p is 2/924 = 0.0022 for one row, and 30 times that for each of 30."""
    a, b = rounds(10, n=6, seed=1), rounds(12, n=6, seed=2)
    alone = one(a, b)
    assert alone.word == Outcome.SLOWER
    assert alone.p == pytest.approx(2 / 924)
    others = {f"counter/{i}": rounds(1 + i, n=6, seed=i) for i in range(29)}
    rows = compared(run("a", {RSEQ: a, **others}), run("b", {RSEQ: b, **others}))
    assert rows[RSEQ].p == pytest.approx(30 * 2 / 924)
    assert (rows[RSEQ].word, explain(rows[RSEQ].reasons)) == (
        Outcome.UNRESOLVED,
        "not beyond chance among all rows compared (Holm)",
    )


def test_rows_that_are_not_tested_do_not_count_among_many():
    others = {f"counter/{i}": rounds(1 + i, n=6, seed=i) for i in range(29)}
    rows = compared(run("a", {RSEQ: rounds(10, n=6, seed=1), **others}), run("b", {RSEQ: rounds(12, n=6, seed=2)}))
    assert rows[RSEQ].p == pytest.approx(2 / 924)
    assert rows[RSEQ].word == Outcome.SLOWER


def test_equal_runs_of_many_benchmarks_raise_no_alarm():
    dice = np.random.default_rng(20180602)
    alarms = 0
    for _ in range(30):
        names = [f"counter/{i}" for i in range(10)]
        a, b = ({name: np.exp(0.05 * dice.standard_t(2, 10)) for name in names} for _ in range(2))
        alarms += any(
            row.word in (Outcome.FASTER, Outcome.SLOWER) for row in compared(run("a", a), run("b", b)).values()
        )
    assert alarms <= 6  # of 30; 1.5 are promised at most, and more than 6 would happen once in 3000 tries


# ---- a clock that tells no time ----


def test_rows_by_a_clock_that_qemu_emulates_say_nothing():
    rows = compared(run("a", {RSEQ: rounds(10)}), run("b", {RSEQ: rounds(20, seed=2)}), emulates=True)
    assert (rows[RSEQ].word, rows[RSEQ].p, explain(rows[RSEQ].reasons)) == (
        Outcome.NOT_COMPARABLE,
        None,
        "by a clock that qemu emulates, which tells no time",
    )
    assert rows[RSEQ].ratio.value == pytest.approx(2, rel=0.01)


def test_rows_by_such_a_clock_are_not_among_what_is_judged_together():
    """Whoever counts them takes words from machines that have earned them."""
    moved = frame(
        run("a", {BASELINE: rounds(0.3, 0.001, seed=1), RSEQ: rounds(5, seed=2)}),
        run("b", {BASELINE: rounds(0.33, 0.001, seed=3), RSEQ: rounds(5.06, seed=4)}),
    )
    rows = compare.compare_benchmarks(moved, "a", "b", RULES)
    alone = compare.judge_together([(rows, True)], RULES)[0]
    beside = compare.judge_together([(rows, True), *[(compare.without_verdicts(rows), True)] * 50], RULES)
    assert alone[1].relative is not None
    assert beside[0] == alone
    assert {row.word for row in beside[1]} == {Outcome.NOT_COMPARABLE}


# ---- the machine's clock ----


def clocked(factor, of_rseq, spread=0.005, n=12, **options):
    a = run("a", {BASELINE: rounds(0.3, spread, n, seed=1), RSEQ: rounds(5, spread, n, seed=2)})
    b = run("b", {BASELINE: rounds(0.3 * factor, spread, n, seed=3), RSEQ: rounds(5 * of_rseq, spread, n, seed=4)})
    return compared(a, b, **options)[RSEQ]


def test_a_difference_that_the_empty_loop_shares_is_the_clock_on_the_same_machine():
    row = clocked(1.1, 1.1, spread=0.001, same_machine=True)
    assert row.word == Outcome.UNRESOLVED
    assert (
        explain(row.reasons)
        == "the empty loop is 1.100x (another clock, or another loop); as measured slower, relative to it equal"
    )
    assert row.ratio.value == pytest.approx(1.1, rel=0.001)
    elsewhere = clocked(1.1, 1.1, same_machine=False)
    assert (elsewhere.word, explain(elsewhere.reasons), elsewhere.relative) == (Outcome.SLOWER, "", None)


def test_a_difference_beyond_that_of_the_empty_loop_is_the_benchmark_s():
    row = clocked(1.1, 1.5, spread=0.001, same_machine=True)
    assert (row.word, explain(row.reasons)) == (
        Outcome.SLOWER,
        "the empty loop is 1.100x (another clock, or another loop); relative to it slower too",
    )
    assert row.relative.ratio.value == pytest.approx(1.5 / 1.1, rel=0.001)
    assert clocked(1.0, 1.1, same_machine=True).word == Outcome.SLOWER
    assert clocked(1.1, 0.8, same_machine=True).word == Outcome.FASTER


@pytest.mark.parametrize(
    ("loop", "cycles", "measured", "relative"),
    [
        (0.97, 1.015, Outcome.FASTER, Outcome.SLOWER),
        (0.97, 1.03, Outcome.EQUAL, Outcome.SLOWER),
        (1.03, 1 / 1.015, Outcome.SLOWER, Outcome.FASTER),
        (1.03, 1 / 1.03, Outcome.EQUAL, Outcome.FASTER),
        (0.97, 1.0, Outcome.FASTER, Outcome.EQUAL),
    ],
)
def test_nothing_is_said_where_what_was_measured_and_what_it_is_relative_to_the_loop_disagree(
    loop, cycles, measured, relative
):
    """What takes `cycles` times the cycles, by a clock that makes the empty loop take `loop` times as long."""
    row = clocked(loop, loop * cycles, spread=0.001, n=22, same_machine=True)
    assert (row.word, row.relative.outcomes) == (Outcome.UNRESOLVED, (measured, relative))
    assert explain(row.reasons).startswith(
        f"the empty loop is {loop:.3f}x (another clock, or another loop); as measured {measured}, relative to"
    )
    assert row.ratio.value == pytest.approx(loop * cycles, rel=0.001)
    assert row.relative.ratio.value == pytest.approx(cycles, rel=0.001)
    assert row.relative.ratio.low < cycles < row.relative.ratio.high


def test_equal_is_said_only_if_it_is_so_relative_to_the_loop_too():
    row = clocked(1.006, 1.003, spread=0.0005, same_machine=True)
    assert row.word == Outcome.EQUAL
    assert explain(row.reasons).endswith(
        "of 1; the empty loop is 1.006x (another clock, or another loop); relative to it equal too"
    )
    assert clocked(1.02, 1.0, spread=0.0005, same_machine=True).word == Outcome.UNRESOLVED


def test_the_loop_s_own_noise_is_in_what_is_relative_to_it():
    a = run("a", {BASELINE: rounds(0.3, 0.02, n=22, seed=1), RSEQ: rounds(5, 0.0005, n=22, seed=2)})
    b = run("b", {BASELINE: rounds(0.3 * 1.05, 0.02, n=22, seed=3), RSEQ: rounds(5 * 1.06, 0.0005, n=22, seed=4)})
    row = compared(a, b, same_machine=True)[RSEQ]
    assert (row.word, row.relative.outcomes) == (Outcome.UNRESOLVED, (Outcome.SLOWER, Outcome.UNRESOLVED))
    assert row.relative.ratio.high / row.relative.ratio.low > 1.01
    assert row.ratio.high / row.ratio.low < 1.001


def test_the_loop_itself_and_what_shares_no_round_with_it_have_nothing_to_be_relative_to():
    a = run("a", {BASELINE: [*rounds(0.3), *[None] * 12], RSEQ: [*[None] * 12, *rounds(5)], LSL: rounds(9)})
    b = run("b", {BASELINE: [*rounds(0.33), *[None] * 12], RSEQ: [*[None] * 12, *rounds(7)], LSL: rounds(12)})
    rows = compared(a, b, same_machine=True)
    assert {name: (row.word, explain(row.reasons)) for name, row in rows.items()} == {
        BASELINE: (
            Outcome.UNRESOLVED,
            "the empty loop is 1.100x (another clock, or another loop); this is the loop",
        ),
        RSEQ: (
            Outcome.UNRESOLVED,
            "the empty loop is 1.100x (another clock, or another loop); no round has both",
        ),
        LSL: (
            Outcome.SLOWER,
            "the empty loop is 1.100x (another clock, or another loop); relative to it slower too",
        ),
    }
    assert {name: row.perhaps for name, row in rows.items()} == {
        BASELINE: 0,
        RSEQ: pytest.approx(7 / 5, rel=0.01),
        LSL: pytest.approx(12 / 9, rel=0.01),
    }


def test_among_many_rows_a_difference_relative_to_the_loop_must_be_surer_too():
    others = {f"counter/{i}": rounds(1 + i, 0.001, n=6, seed=i) for i in range(29)}

    def both(factor, of_rseq, many):
        a = {BASELINE: rounds(0.3, 0.001, n=6, seed=1), RSEQ: rounds(5, 0.001, n=6, seed=2)}
        b = {BASELINE: rounds(0.3 * factor, 0.001, n=6, seed=3), RSEQ: rounds(5 * of_rseq, 0.001, n=6, seed=4)}
        return compared(run("a", a | many), run("b", b | many), same_machine=True)[RSEQ]

    alone, among = both(1.1, 1.5, {}), both(1.1, 1.5, others)
    assert alone.word == Outcome.SLOWER
    assert alone.relative.p == pytest.approx(2 / 924)
    assert among.relative.outcomes[1] == Outcome.UNRESOLVED
    assert among.relative.p == pytest.approx(30 * 2 / 924)


def test_what_is_left_of_a_difference_beyond_the_clock_s_must_clear_the_floor_too():
    assert clocked(1.1, 1.1 * 1.003, spread=0.0001, same_machine=True).word == Outcome.UNRESOLVED
    assert clocked(1.1, 1.1 * 1.007, spread=0.0001, same_machine=True).word == Outcome.SLOWER


def test_an_empty_loop_that_did_not_change_explains_nothing():
    assert clocked(1.004, 1.0085, spread=0.0001, same_machine=True).word == Outcome.SLOWER


# ---- inside each run ----


def test_speedups_stand_beside_each_other():
    a = run("a", {LSL: [13.0] * 6, RSEQ: [1.0] * 6, BASELINE: [0.5] * 6})
    b = run("b", {LSL: [26.0] * 6, RSEQ: [1.0] * 6})
    pairs = [
        ArchPair("x86_64", LSL, RSEQ, False, "claimed"),
        ArchPair("x86_64", LSL, RSEQ, True, "net"),
        ArchPair("x86_64", ATOMIC, RSEQ, False, "in neither"),
        ArchPair("arm32", LSL, RSEQ, False, "on no such machine"),
    ]
    found = speedups.compare_speedups(frame(a, b), "a", "b", pairs, 0.95)
    assert [one.pair.why for one in found] == ["claimed", "net"]
    assert (found[0].a.value, found[0].b.value) == (pytest.approx(13), pytest.approx(26))
    assert found[1].a.value == pytest.approx(25)
    assert found[1].b is None


# ---- for CI ----


@pytest.mark.parametrize(
    ("loop", "measured", "perhaps"),
    [
        (1.0, 1.5, 0),  # the clock did not move
        (0.97, 1.0, 1 / 0.97),  # slower by the loop alone
        (1.03, 1.03, 1.03),  # slower by what was measured alone
        (0.9, 1.1, 1.1 / 0.9),  # slower by both
        (1.03, 1.0, 0),  # faster by one
    ],
)
def test_what_may_be_slower_is_so_by_one_of_its_readings(loop, measured, perhaps):
    row = clocked(loop, measured, spread=0.001, same_machine=True)
    assert row.perhaps == pytest.approx(perhaps, rel=0.001)
    assert regression_gate.worst_perhaps([row]) == (row if perhaps else None)


def test_the_worst_slowdown_is_the_largest_that_is_sure():
    a = run("a", {RSEQ: rounds(1, seed=1), LSL: rounds(13, seed=2), ATOMIC: rounds(15, n=2, seed=3)})
    b = run("b", {RSEQ: rounds(1.5, seed=4), LSL: rounds(14.3, seed=5), ATOMIC: rounds(150, n=2, seed=6)})
    rows = compare.compare(frame(a, b), "a", "b", RULES)
    assert regression_gate.worst_slowdown(rows).benchmark == RSEQ


def test_nothing_slower_is_no_slowdown():
    rows = compare.compare(frame(run("a", {RSEQ: rounds(2)}), run("b", {RSEQ: rounds(1)})), "a", "b", RULES)
    assert regression_gate.worst_slowdown(rows) is None
    assert regression_gate.worst_slowdown([]) is None
