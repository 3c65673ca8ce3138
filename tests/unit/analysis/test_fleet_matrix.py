"""Machines beside each other: whether they differ is decided by their rounds, and counts for all of them."""

import math
import random
from dataclasses import replace

import numpy as np
import pytest

from rseqbench.analysis import compare, regression_gate, stats
from rseqbench.analysis.fleet import matrix
from rseqbench.analysis.fleet.cell import BenchmarkPair, Cell, quotient
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.config import load
from rseqbench.model import BASELINE, Estimate
from rseqbench.report.reasons import explain
from tests.support.frames import frame, run

RULES = load().verdict
PAIR = ArchPair("x86_64", "counter/vdso_atomic", "counter/rseq", False, "")
WHAT = BenchmarkPair(PAIR.slow, PAIR.fast)
OTHER = BenchmarkPair("rcu/vdso_atomic", "rcu/rseq")


def noise(seed, rounds, spread=0.01):
    dice = random.Random(seed)
    return [math.exp(dice.gauss(0, spread)) for _ in range(rounds)]


def cell(ratio, seed=0, rounds=22, spread=0.01, **changes):
    """Return the cell of a machine whose true quotient is `ratio`."""
    slow = [10 * ratio * x for x in noise(seed, rounds, spread)]
    fast = [10 * x for x in noise(seed + 1000, rounds, spread)]
    table = frame(run("a", {PAIR.slow: slow, PAIR.fast: fast}, **changes))
    return quotient(table, "a", PAIR, RULES)


def column(cells, what=WHAT, others=()):
    """Return the one column of a fleet, whose machines are named by their numbers."""
    machines = {str(number): one for number, one in enumerate(cells)}
    (made,) = matrix.matrices_of_fleet({what: machines, **dict(others)}, list(machines), RULES)
    return next(one for one in made.columns if one.what == what)


@pytest.mark.parametrize(("ratio", "word"), [(2.0, Outcome.FASTER), (0.5, Outcome.SLOWER), (1.0, Outcome.EQUAL)])
def test_the_word_in_a_cell_is_about_the_fast_way(ratio, word):
    found = cell(ratio, spread=0.002)
    assert found.word == word
    assert found.ratio.low <= ratio <= found.ratio.high or found.ratio.value == pytest.approx(ratio, rel=0.01)


@pytest.mark.parametrize(("unit", "spread"), [("ns", 0.01), ("instructions", 0.0)])
@pytest.mark.parametrize(("nothing", "has_interval"), [(0, True), (3, True), (6, None)])
def test_rounds_that_leave_nothing_without_the_loop_are_held_against_others_too(unit, spread, nothing, has_interval):
    """Of 22, five may be infinite; of counts, which have their range, none."""

    def net(ratio, seed, bad):
        slow = [5 + 10 * ratio * x for x in noise(seed, 22, spread)]
        fast = [5.0] * bad + [5 + 10 * x for x in noise(seed + 1000, 22 - bad, spread)]
        table = frame(run("a", {PAIR.slow: slow, PAIR.fast: fast, BASELINE: [5.0] * 22}, unit=unit))
        return quotient(table, "a", replace(PAIR, net=True), RULES)

    few, whole = net(2.0, 1, nothing), net(4.0, 2, 0)
    if has_interval is None:
        assert few is None
        return
    assert few.value == pytest.approx(2.0, rel=0.02)
    assert few.ratio.has_interval == (has_interval and (unit == "ns" or not nothing))
    found = column([few, whole]).apart
    assert all(end is None or 0 < end < math.inf for end in (found.ratio.value, found.ratio.low, found.ratio.high))
    if unit != "ns":
        assert found.differs == few.ratio.has_interval
    assert (found.lowest, found.highest) == ("0", "1")


def test_too_few_rounds_decide_nothing():
    found = cell(2.0, rounds=3)
    assert (found.word, found.ratio.has_interval) == (Outcome.UNRESOLVED, False)
    assert explain(found.reasons) == "too few rounds for an interval (3)"


def test_a_machine_that_differs_by_a_known_factor_is_told():
    found = column([cell(2.0, 1), cell(2.0, 2), cell(3.0, 3), cell(2.0, 4)])
    assert found.apart.differs
    assert (found.apart.highest, found.apart.ratio.n) == ("2", 22)
    assert found.apart.ratio.low < 1.5 < found.apart.ratio.high
    assert found.apart.p < 1e-6


def test_machines_that_are_alike_do_not_differ_however_many_there_are():
    """Of fifty, the highest and the lowest lie apart by far more than one machine's interval: they were looked for."""
    found = [cell(2.0, seed, rounds=12, spread=0.05) for seed in range(50)]
    low, high = (pick(found, key=lambda one: one.ratio.value) for pick in (min, max))
    _, naive = stats.independent_ratio(high.each, low.each, RULES.confidence)
    assert naive < 0.05
    made = column(found)
    assert not made.apart.differs
    assert made.apart.p == pytest.approx(min(1, naive * 50 * 49 / 2))


def test_false_alarms_of_fleets_whose_machines_are_alike_stay_below_what_is_promised():
    alarms = sum(
        column([cell(2.0, 100 * trial + seed, rounds=10, spread=0.02) for seed in range(5)]).apart.differs
        for trial in range(60)
    )
    assert alarms <= 6  # 3 of 60 are allowed; seven or more come of that in 3% of cases, and the seeds are fixed


def test_the_interval_covers_for_all_pairs_of_machines():
    cells = [cell(2.0, seed) for seed in range(4)]
    found = column(cells).apart
    low, high = cells[int(found.lowest)], cells[int(found.highest)]
    plain, _ = stats.independent_ratio(high.each, low.each, RULES.confidence)
    assert found.ratio.coverage >= 1 - 0.05 / 6
    assert found.ratio.low < plain.low and found.ratio.high > plain.high


def test_columns_are_looked_at_together():
    cells = {WHAT: {"0": cell(2.0, 1), "1": cell(2.1, 2)}, OTHER: {"0": cell(4.0, 3), "1": cell(4.1, 4)}}
    alone = {what: column(own.values(), what).apart.p for what, own in cells.items()}
    (found,) = matrix.matrices_of_fleet(cells, ["0", "1"], RULES)
    together = {one.what: one.apart.p for one in found.columns}
    least = min(alone, key=alone.get)
    assert 0 < alone[least] < 0.5
    assert together[least] == pytest.approx(2 * alone[least])


def test_a_difference_below_the_floor_is_none():
    found = column([cell(2.0, 1, spread=1e-5), cell(2.005, 2, spread=1e-5)]).apart
    assert not found.differs
    assert explain(found.reasons) == "below the floor of 0.5%"


def test_too_few_rounds_for_so_many_machines_is_said():
    found = column([cell(2.0 + seed, seed, rounds=4) for seed in range(5)]).apart
    assert not found.differs
    assert explain(found.reasons) == "4 rounds are too few to tell so many machines apart"


@pytest.mark.parametrize(("rounds", "blind"), [(5, True), (7, True), (12, False)])
def test_where_no_difference_could_be_told_that_is_known(rounds, blind):
    cells = {str(seed): cell(2.0 + seed, seed, rounds=rounds) for seed in range(10)}
    (found,) = matrix.matrices_of_fleet({WHAT: cells, OTHER: cells}, list(cells), RULES)
    assert found.is_blind(RULES) == blind
    assert [one.apart.differs for one in found.columns] == [not blind] * 2


def test_what_differs_alone_may_not_differ_among_others():
    """With two machines one p-value in twenty is below 5% by chance; of two columns none may be called a difference."""
    tried = ((cell(2.0, seed), cell(2.02, seed + 500)) for seed in range(200))
    pair = next(own for own in tried if 0.026 < column(own).apart.p < 0.05 and column(own).apart.differs)
    cells = dict(zip("01", pair, strict=True))
    (found,) = matrix.matrices_of_fleet({WHAT: cells, OTHER: cells}, ["0", "1"], RULES)
    assert [one.apart.differs for one in found.columns] == [False, False]
    assert {explain(one.apart.reasons) for one in found.columns} == {"not beyond chance among all rows compared (Holm)"}


@pytest.mark.parametrize(
    ("hiding", "told"),
    [({"rounds": 2}, "6 (2 rounds)"), ({"rounds": 22, "spread": 2.0, "seed": 1}, "6 (22 rounds)")],
    ids=["short", "noisy"],
)
def test_one_machine_that_is_unsure_hides_no_difference_between_the_others(hiding, told):
    hidden = cell(**{"ratio": 10.0, "seed": 6, **hiding})
    assert hidden.ratio.value > 4.1
    found = column([*(cell(2.0, seed) for seed in range(3)), *(cell(4.0, seed) for seed in range(3, 6)), hidden])
    assert found.apart.differs
    assert found.extremes[1] == "6" and found.apart.highest in "345" and found.apart.lowest in "012"
    assert found.apart.ratio.low < 2 < found.apart.ratio.high
    assert explain(found.apart.reasons).startswith("beyond them, but less surely: ") and told in explain(
        found.apart.reasons
    )


def test_that_the_ends_are_chosen_by_their_intervals_is_counted():
    """Noise of many kinds: whoever is chosen, fleets whose machines are alike are found to differ as seldom."""
    alarms = 0
    for trial in range(60):
        own = [cell(2.0, 100 * trial + n, rounds=8 + 4 * (n % 3), spread=0.01 * (1 + n % 4)) for n in range(6)]
        alarms += column(own).apart.differs
    assert alarms <= 6


def test_machines_that_are_alike_do_not_disagree_however_many_words_their_cells_have():
    cells = [cell(1.0, seed, spread=0.03) for seed in range(650, 700)]
    assert {one.word for one in cells} >= {Outcome.FASTER, Outcome.SLOWER}
    assert not column(cells).disagrees


def test_one_that_differs_makes_none_of_the_others_disagree():
    cells = [*(cell(1.0, seed, spread=0.03) for seed in range(650, 700)), cell(1.5, 700, spread=0.03)]
    found = column(cells)
    assert {one.word for one in cells} >= {Outcome.FASTER, Outcome.SLOWER} and found.apart.differs
    assert not found.disagrees


@pytest.mark.parametrize(("ratios", "disagree"), [((0.8, 1.25), True), ((1.25, 0.8), True), ((1.2, 1.5), False)])
def test_one_surely_faster_and_one_surely_slower_disagree(ratios, disagree):
    assert column([cell(ratio, seed) for seed, ratio in enumerate(ratios)]).disagrees == disagree


def test_the_middle_of_an_even_number_is_that_of_the_logarithms():
    ratio = [Cell("ns", Estimate(value, None, None, 1, 0.0), Outcome.UNRESOLVED) for value in (0.25, 4.0)]
    assert matrix.MatrixColumn(WHAT, dict(zip("ab", ratio, strict=True))).middle == pytest.approx(1.0)


# ---- the gate ----


def gated(cells):
    return regression_gate.worst_cell(
        matrix.matrices_of_fleet({WHAT: dict(enumerate(cells))}, range(len(cells)), RULES), RULES
    )


def test_what_is_slower_by_chance_on_one_of_many_machines_fails_nobody():
    cells = [cell(1.0, seed, spread=0.03) for seed in range(650, 700)]
    assert any(one.word == Outcome.SLOWER for one in cells)
    assert gated(cells) is None
    what, machine, _ = gated([*cells, cell(0.8, 700, spread=0.03)])
    assert (what, machine) == (WHAT, 50)


def test_one_machine_is_held_against_nothing():
    assert column([cell(2.0)]).apart is None


# ---- counts ----


def counted(slow, fast, rounds=6, spread=0):
    values = {PAIR.slow: [slow + number * spread for number in range(rounds)], PAIR.fast: [fast] * rounds}
    return quotient(frame(run("a", values, timing="emulated", unit="instructions")), "a", PAIR, RULES)


def test_counts_that_are_the_same_do_not_differ_and_ranges_that_lie_apart_do():
    same = column([counted(20, 10), counted(20, 10)]).apart
    assert (same.differs, same.p) == (False, None)
    apart = column([counted(20, 10), counted(22, 10)]).apart
    assert (apart.differs, apart.ratio.value, apart.ratio.coverage) == (True, pytest.approx(1.1), 0.0)


def test_a_tenth_of_an_instruction_is_none():
    assert not column([counted(20, 10), counted(20.15, 10)]).apart.differs


def test_counts_that_do_not_repeat_may_lie_apart_by_chance():
    few = column([counted(200, 10, 2, 4), counted(230, 10, 2, 4)]).apart
    assert not few.differs
    assert "apart by chance in 33%" in explain(few.reasons)
    assert column([counted(200, 10, 6, 4), counted(230, 10, 6, 4)]).apart.differs


@pytest.mark.parametrize(("slow", "word"), [(20, Outcome.FEWER), (5, Outcome.MORE), (10.05, Outcome.EQUAL)])
def test_counts_have_words_of_their_own(slow, word):
    assert counted(slow, 10).word == word


def test_units_are_never_mixed():
    found = matrix.matrices_of_fleet(
        {WHAT: {"a": cell(2.0), "b": counted(20, 10), "c": cell(2.0, 5)}}, ["a", "b", "c"], RULES
    )
    assert [(one.unit, one.machines) for one in found] == [("ns", ("a", "c")), ("instructions", ("b",))]


# ---- order ----


def test_first_stands_that_on_which_machines_disagree_then_that_on_which_they_differ():
    rows = {
        "equal": [2.0, 2.0],
        "differs": [2.0, 9.0],
        "disagrees": [0.8, 1.3],
        "one": [1.0, 1.0],
    }
    cells = {
        BenchmarkPair(f"x/{name}", "x/y"): {str(n): cell(r, 7 * n, spread=0.002) for n, r in enumerate(ratios)}
        for name, ratios in rows.items()
    }
    (found,) = matrix.matrices_of_fleet(cells, ["0", "1"], RULES)
    assert [one.what.slow for one in found.columns] == ["x/disagrees", "x/differs", "x/equal", "x/one"]


def two_fleets(words):
    ratio = {Outcome.SLOWER: 1.1, Outcome.FASTER: 0.5}
    return {str(n): Cell("ns", Estimate(ratio.get(w, 1.0), 0.4, 1.2, 10, 0.95), w) for n, w in enumerate(words)}


def test_of_two_fleets_what_is_slower_anywhere_stands_before_what_is_faster_everywhere():
    cells = {
        BenchmarkPair("x/same"): two_fleets([Outcome.EQUAL, Outcome.EQUAL]),
        BenchmarkPair("x/helps"): two_fleets([Outcome.FASTER, Outcome.FASTER]),
        BenchmarkPair("x/hurts"): two_fleets([Outcome.SLOWER, Outcome.EQUAL]),
        BenchmarkPair("x/both"): two_fleets([Outcome.SLOWER, Outcome.FASTER]),
    }
    (found,) = matrix.matrices_of_two(cells, ["0", "1"])
    assert [one.what.slow for one in found.columns] == ["x/both", "x/hurts", "x/helps", "x/same"]


def test_the_worst_is_the_slowest_fast_way_and_no_control():
    control = BenchmarkPair("control/atomic_a", "control/atomic_b")
    cells = {
        WHAT: {"a": cell(0.9, 1, spread=0.002), "b": cell(0.7, 2, spread=0.002)},
        control: {"a": cell(0.2, 3)},
        OTHER: {"a": cell(3.0, 4)},
    }
    what, machine, found = regression_gate.worst_cell(matrix.matrices_of_fleet(cells, ["a", "b"], RULES), RULES)
    assert (what, machine) == (WHAT, "b")
    assert found.ratio.value == pytest.approx(0.7, rel=0.01)
    assert (
        regression_gate.worst_cell(matrix.matrices_of_fleet({OTHER: {"a": cell(3.0, 4)}}, ["a"], RULES), RULES) is None
    )


def test_holm_goes_over_all_machines_at_once():
    """Two comparisons judged together say of each row what they said alone, or less."""
    tables = [frame(run("a", values(n)), run("b", values(n + 50, 1.01))) for n in range(8)]
    raw = [compare.compare_benchmarks(one, "a", "b", RULES) for one in tables]
    together = compare.judge_together([(rows, False) for rows in raw], RULES)
    alone = [compare.judge_together([(rows, False)], RULES)[0] for rows in raw]
    p = [(t.p, a.p) for one, other in zip(together, alone, strict=True) for t, a in zip(one, other, strict=True)]
    assert all(t >= a for t, a in p) and any(t > a for t, a in p)
    flat = [row.p for rows in raw for row in rows]
    assert [t for t, _ in p] == pytest.approx(stats.holm(flat))


def values(seed, factor=1.0):
    return {name: [factor * x for x in noise(seed + place, 12)] for place, name in enumerate(("x/a", "x/b"))}


def test_comparing_one_pair_is_judging_it_alone():
    table = frame(run("a", values(1)), run("b", values(2, 1.2)))
    assert (
        compare.compare(table, "a", "b", RULES)
        == compare.judge_together([(compare.compare_benchmarks(table, "a", "b", RULES), False)], RULES)[0]
    )


def test_the_quotients_of_a_cell_are_those_of_its_rounds():
    found = cell(2.0, 3)
    assert len(found.each) == 22
    assert float(np.median(np.log(found.each))) == pytest.approx(math.log(found.ratio.value))
