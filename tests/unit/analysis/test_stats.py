"""rseqbench/analysis/stats.py: known answers, exact enumerations, and the coverage it promises, simulated."""

import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rseqbench.analysis import stats
from rseqbench.model import Estimate
from rseqbench.store import samples

positive = st.floats(min_value=1e-3, max_value=1e6, allow_nan=False)
rounds = st.lists(positive, min_size=1, max_size=30)

# Rounds as a shared machine yields them; all have the median 1.
DISTRIBUTIONS = {
    "normal": lambda dice, size: 1 + 0.05 * dice.standard_normal(size),
    "skewed": lambda dice, size: np.exp(0.5 * dice.standard_normal(size)),
    "heavy_tailed": lambda dice, size: np.exp(0.1 * dice.standard_t(1.5, size)),
    "bimodal": lambda dice, size: np.exp(
        np.where(dice.random(size) < 0.5, 0.3, -0.3) + 0.1 * dice.standard_normal(size)
    ),
}
every_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS)


def at_least(nominal, trials):
    """Return how many of `trials` must succeed if each does with probability `nominal`: all but one in 10 000 times."""
    return trials * nominal - 3.9 * math.sqrt(trials * nominal * (1 - nominal))


# ---- the value of a round ----


@pytest.mark.parametrize(
    ("values", "value"), [([3.0], 3.0), ([1.0, 9.0, 2.0], 2.0), ([1.0, 2.0, 4.0, 100.0], 3.0), ([5.0] * 8, 5.0)]
)
def test_a_round_of_pyperf_is_its_median(values, value):
    assert samples.round_value(values, "pyperf") == value


def test_a_round_of_the_gated_engine_is_its_lowest_decile():
    assert samples.round_value([*range(40, 0, -1)], "gated") == 4.0
    assert samples.round_value([*range(1, 97)], "gated") == 10.0


@pytest.mark.parametrize(("values", "engine"), [([], "pyperf"), ([], "gated"), ([1.0] * 39, "gated")])
def test_a_round_of_too_few_values_has_none(values, engine):
    with pytest.raises(ValueError, match=f"{len(values)} values are too few for a round of engine {engine}"):
        samples.round_value(values, engine)


@pytest.mark.parametrize(
    ("share", "value"), [(0.01, 1.0), (0.25, 1.0), (0.26, 2.0), (0.5, 2.0), (0.75, 3.0), (1.0, 4.0)]
)
def test_a_quantile_is_the_smallest_value_that_covers_its_share(share, value):
    assert samples.quantile([4.0, 2.0, 1.0, 3.0], share) == value


# ---- the sign interval of a median ----


@pytest.mark.parametrize(
    ("n", "k", "coverage"),
    [
        (6, 1, 0.96875),
        (8, 1, 0.9922),
        (9, 2, 0.9609),
        (10, 2, 0.9785),
        (15, 4, 0.9648),
        (20, 6, 0.9586),
        (60, 22, 0.9727),
    ],
)
def test_ranks_are_those_of_the_published_tables(n, k, coverage):
    found = stats.sign_rank(n, 0.95)
    assert found is not None
    assert found[0] == k
    assert found[1] == pytest.approx(coverage, abs=5e-5)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5])
def test_five_rounds_are_too_few_for_95_percent(n):
    assert stats.sign_rank(n, 0.95) is None


@pytest.mark.parametrize("confidence", [0.5, 0.8, 0.9, 0.95, 0.99, 0.999])
def test_the_rank_is_the_largest_that_keeps_the_promise(confidence):
    """Counted out: the interval misses when fewer than k of n rounds fall on one side of the median."""
    for n in range(1, 61):
        coverage = {k: sum(math.comb(n, i) for i in range(k, n - k + 1)) / 2**n for k in range(1, n // 2 + 1)}
        keeping = [k for k in coverage if coverage[k] >= confidence - 1e-12]
        if not keeping:
            assert stats.sign_rank(n, confidence) is None
        else:
            assert stats.sign_rank(n, confidence) == pytest.approx((max(keeping), coverage[max(keeping)]))


def test_the_interval_of_a_median_is_made_of_its_values():
    estimate = stats.median([10.0, 2.0, 7.0, 1.0, 5.0, 3.0, 4.0, 6.0, 9.0], 0.95)
    assert estimate == Estimate(5.0, 2.0, 9.0, 9, pytest.approx(0.9609, abs=5e-5))


def test_a_median_of_few_rounds_has_no_interval():
    assert stats.median([3.0, 1.0, 2.0], 0.95) == Estimate(2.0, None, None, 3, 0.0)
    assert not stats.median([3.0, 1.0, 2.0], 0.95).has_interval


def test_no_rounds_have_no_median():
    with pytest.raises(ValueError, match="no rounds"):
        stats.median([])


@every_distribution
@pytest.mark.parametrize("n", [6, 10, 20])
def test_the_interval_of_a_median_covers_it_as_often_as_it_says(distribution, n):
    dice = np.random.default_rng(20180602)
    trials = 2000
    estimates = [stats.median(DISTRIBUTIONS[distribution](dice, n), 0.95) for _ in range(trials)]
    held = sum(one.low <= 1 <= one.high for one in estimates)
    assert held >= at_least(estimates[0].coverage, trials)
    assert held <= trials - at_least(1 - estimates[0].coverage, trials)  # nor much more often: it would be too wide


# ---- ratios inside rounds ----


@every_distribution
def test_the_interval_of_a_paired_ratio_covers_it_as_often_as_it_says(distribution):
    """The machine drifts by far more than the ratio differs from 1; inside a round it cancels."""
    dice = np.random.default_rng(35)
    trials, n = 2000, 10
    held = 0
    for _ in range(trials):
        drift = np.exp(np.cumsum(dice.standard_normal(n)))
        estimate = stats.paired_ratio(7.7 * drift * DISTRIBUTIONS[distribution](dice, n), drift, 0.95)
        held += estimate.low <= 7.7 <= estimate.high
    assert held >= at_least(0.95, trials)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=30))
def test_a_paired_ratio_and_its_inverse_are_reciprocal(pairs):
    top, bottom = zip(*pairs, strict=True)
    one, other = stats.paired_ratio(top, bottom), stats.paired_ratio(bottom, top).inverse()
    assert one.value == pytest.approx(other.value)
    assert (one.low is None) == (other.low is None)
    if one.has_interval:
        assert (one.low, one.high) == pytest.approx((other.low, other.high))


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=30), positive)
def test_a_paired_ratio_does_not_feel_the_speed_of_a_round(pairs, scale):
    top, bottom = zip(*pairs, strict=True)
    drift = [scale ** (i % 3) for i in range(len(pairs))]
    one = stats.paired_ratio(top, bottom)
    other = stats.paired_ratio(
        [t * d for t, d in zip(top, drift, strict=True)], [b * d for b, d in zip(bottom, drift, strict=True)]
    )
    assert one.value == pytest.approx(other.value, rel=1e-6)


def test_a_paired_ratio_needs_the_same_rounds():
    with pytest.raises(ValueError, match="3 rounds against 2"):
        stats.paired_ratio([1.0, 2.0, 3.0], [1.0, 2.0])


@given(rounds, positive)
def test_a_median_scales_with_its_values(values, scale):
    one, other = stats.median(values), stats.median([value * scale for value in values])
    assert other.value == pytest.approx(one.value * scale)
    assert other.coverage == one.coverage
    if one.has_interval:
        assert (other.low, other.high) == pytest.approx((one.low * scale, one.high * scale))
        assert one.low <= one.value <= one.high


@given(rounds, st.randoms())
def test_the_order_of_rounds_does_not_matter_to_a_median(values, dice):
    shuffled = list(values)
    dice.shuffle(shuffled)
    assert stats.median(values) == stats.median(shuffled)


# ---- ratios between runs ----


def enumerated_p(over, under):
    """Return the two-sided Mann-Whitney probability by going through every way to deal the values to two runs."""
    values = [*over, *under]
    n, m = len(over), len(under)

    def below(chosen):
        first = [values[i] for i in chosen]
        second = [values[i] for i in range(n + m) if i not in chosen]
        return sum(a < b for a in first for b in second)

    seen = below(range(n))
    smaller = min(seen, n * m - seen)
    ways = [below(chosen) for chosen in itertools.combinations(range(n + m), n)]
    return min(1.0, 2 * sum(u <= smaller for u in ways) / len(ways))


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 5), (2, 3), (3, 3), (4, 4), (5, 4), (6, 6), (2, 8)])
def test_p_is_that_of_the_exact_enumeration(n, m):
    dice = np.random.default_rng(n * 10 + m)
    for shift in (0.0, 0.5, 2.0):
        over, under = np.exp(dice.standard_normal(n) + shift), np.exp(dice.standard_normal(m))
        _, p = stats.independent_ratio(over, under)
        assert p == pytest.approx(enumerated_p(over, under))


@pytest.mark.parametrize(("n", "m", "ranks"), [(6, 6, 6), (10, 10, 24), (20, 20, 128), (5, 5, 3), (4, 4, 1)])
def test_critical_values_are_those_of_the_published_tables(n, m, ranks):
    """Mann-Whitney at 5%, two-sided: 5, 23, 127, 2, 0 are still significant."""
    tail = stats._rank_sum_tail(n, m)
    assert int((tail <= 0.025).sum()) == ranks
    assert tail[-1] == pytest.approx(1)


@pytest.mark.parametrize("n", [30, 60, 100])
def test_the_tail_stays_exact_for_many_rounds(n):
    """Its numbers of ways go far beyond what a float holds exactly."""
    ways = [1] + [0] * (n * n)
    for i in range(1, n + 1):
        for u in range(n * n, n + i - 1, -1):
            ways[u] -= ways[u - n - i]
        for u in range(i, n * n + 1):
            ways[u] += ways[u - i]
    total = math.comb(2 * n, n)
    exact = [above / total for above in itertools.accumulate(ways)]
    assert stats._rank_sum_tail(n, n) == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize(("n", "m"), [(520, 520), (40, 1200), (1200, 40)])
def test_the_tail_is_there_for_very_many_rounds(n, m):
    """Their numbers of ways do not fit a float at all; the normal approximation is good to a thousandth by then."""
    tail = stats._rank_sum_tail(n, m)
    assert np.all(np.diff(tail) >= 0)
    assert tail == pytest.approx(1 - np.concatenate([[0.0], tail[:-1]])[::-1], abs=1e-12)
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    low = round(n * m / 2 - 1.96 * deviation)
    assert tail[low] == pytest.approx(0.025, abs=1e-3)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (1, 20)])
def test_too_few_rounds_have_a_ratio_without_an_interval(n, m):
    ratio, p = stats.independent_ratio([2.0] * n, [1.0 + i / 100 for i in range(m)])
    assert not ratio.has_interval
    assert ratio.coverage == 0
    assert ratio.n == min(n, m)
    assert p > 0.05


def test_no_rounds_have_no_ratio():
    with pytest.raises(ValueError, match="no rounds"):
        stats.independent_ratio([], [1.0])


def test_a_known_ratio_and_its_interval():
    """Six rounds each: of all 36 quotients, the interval runs from the 6th smallest to the 6th largest."""
    under = [1.00, 1.01, 1.02, 1.03, 1.04, 1.05]
    over = [2 * value for value in under]
    quotients = sorted(a / b for a in over for b in under)
    ratio, p = stats.independent_ratio(over, under, 0.95)
    assert ratio.value == pytest.approx(2)
    assert (ratio.low, ratio.high) == pytest.approx((quotients[5], quotients[-6]))
    assert ratio.coverage == pytest.approx(1 - 2 * 19 / 924)
    assert p == pytest.approx(2 / 924)


@every_distribution
def test_the_interval_between_runs_covers_the_ratio_as_often_as_it_says(distribution):
    dice = np.random.default_rng(334)
    trials, n, m = 2000, 6, 10
    held = 0
    for _ in range(trials):
        over, under = 1.3 * DISTRIBUTIONS[distribution](dice, n), DISTRIBUTIONS[distribution](dice, m)
        ratio, _ = stats.independent_ratio(over, under, 0.95)
        held += ratio.low <= 1.3 <= ratio.high
    assert held >= at_least(0.95, trials)


@every_distribution
def test_equal_runs_raise_no_more_false_alarms_than_promised(distribution):
    dice = np.random.default_rng(1)
    trials, n = 2000, 8
    alarms = sum(
        stats.independent_ratio(DISTRIBUTIONS[distribution](dice, n), DISTRIBUTIONS[distribution](dice, n))[1] <= 0.05
        for _ in range(trials)
    )
    assert alarms <= trials - at_least(0.95, trials)


def test_a_coarse_clock_raises_no_false_alarms_either():
    dice = np.random.default_rng(2)
    trials = 2000
    alarms = sum(
        stats.independent_ratio(1 + dice.integers(0, 4, 8) / 100, 1 + dice.integers(0, 4, 8) / 100)[1] <= 0.05
        for _ in range(trials)
    )
    assert alarms <= trials - at_least(0.95, trials)


@given(st.lists(positive, min_size=1, max_size=12), st.lists(positive, min_size=1, max_size=12), positive)
def test_a_ratio_between_runs_scales_and_turns_around(over, under, scale):
    one, p = stats.independent_ratio(over, under)
    other, _ = stats.independent_ratio([value * scale for value in over], under)
    assert other.value == pytest.approx(one.value * scale, rel=1e-6)
    turned, q = stats.independent_ratio(under, over)
    assert turned.inverse().value == pytest.approx(one.value)
    assert q == pytest.approx(p)
    assert 0 < p <= 1
    if one.has_interval:
        assert one.low <= one.value * (1 + 1e-9)
        assert one.value <= one.high * (1 + 1e-9)
        assert (turned.inverse().low, turned.inverse().high) == pytest.approx((one.low, one.high))


INF, NAN = math.inf, math.nan


def test_infinite_and_unknown_rounds_have_their_place_between_runs():
    """Infinite is as any number above all others, and 0 as any below; of what is not known, nothing is claimed."""
    under, over = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [1.6 + at / 10 for at in range(9)]
    for end, far in ((INF, 1e9), (0.0, 1e-9)):
        (got, p), (expected, q) = (stats.independent_ratio([*over, last], under, 0.95) for last in (end, far))
        assert (got.low, got.high, got.value, p) == pytest.approx((expected.low, expected.high, expected.value, q))
    assert got.has_interval
    unknown, r = stats.independent_ratio([*over, NAN], under, 0.95)
    assert r > stats.independent_ratio([*over, INF], under)[1]
    assert unknown.low < stats.independent_ratio([*over, INF], under, 0.95)[0].low
    assert stats.independent_ratio([INF] * 6, [INF] * 6)[1] == 1.0


def test_what_is_not_known_widens_both_ends_and_moves_no_estimate():
    """Two sides with one infinite value each: of their quotient nothing is known, of the other 99 all."""
    over, under = [2.0 + at / 10 for at in range(9)], [1.0 + at / 100 for at in range(9)]
    ratio, p = stats.independent_ratio([*over, INF], [*under, INF])
    known = sorted([top / bottom for top in over for bottom in under] + [INF] * 9 + [0.0] * 9)
    k = 24  # of 10 and 10: P(U <= 23) is 0.0216, P(U <= 24) 0.0262 (Hollander, Wolfe and Chicken, table A.6)
    assert ratio.value == pytest.approx(statistics.median(known))
    assert ratio.low == pytest.approx(sorted([0.0, *known])[k - 1])
    assert ratio.high == pytest.approx(sorted([*known, INF])[100 - k])
    assert 0 < p < 1


def test_no_interval_between_runs_ends_nowhere():
    """Of 36 quotients 12 are infinite, and the 6th greatest with them."""
    ratio, _ = stats.independent_ratio([2.0, 2.1, 2.2, 2.3, INF, INF], [1.0, 1.1, 1.2, 1.3, 1.4, 1.5])
    assert (ratio.low, ratio.high, ratio.coverage) == (None, None, 0)
    assert math.isfinite(ratio.value)


# ---- many comparisons at once ----


def test_holm_s_own_example():
    """Holm 1979: the smallest is multiplied by their number, the next by one less, and none falls below another."""
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_of_one_or_none_changes_nothing():
    assert stats.holm([0.04]) == [0.04]
    assert stats.holm([]) == []


@given(st.lists(st.floats(min_value=0, max_value=1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_only_raises(p_values):
    adjusted = stats.holm(p_values)
    assert all(a >= p and a <= 1 for a, p in zip(adjusted, p_values, strict=True))
    by_p = [adjusted[i] for i in np.argsort(p_values, kind="stable")]
    assert by_p == sorted(by_p)
    assert max(adjusted) <= min(1, len(p_values) * max(p_values)) + 1e-12


def test_holm_keeps_false_alarms_of_a_whole_table_rare():
    dice = np.random.default_rng(1979)
    tables = 2000
    alarms = sum(min(stats.holm(list(dice.random(30)))) <= 0.05 for _ in range(tables))
    assert alarms <= tables - at_least(0.95, tables)


# ---- a difference that matters ----


@pytest.mark.parametrize(
    ("value", "low", "high", "beyond"),
    [
        (1.02, 1.01, 1.03, True),
        (0.98, 0.97, 0.99, True),
        (1.02, 1.00, 1.03, False),  # holds 1
        (0.98, 0.97, 1.00, False),
        (1.02, 0.99, 1.05, False),
        (1.0051, 1.004, 1.006, True),  # just above the floor
        (1.0049, 1.004, 1.006, False),
        (1 / 1.0051, 0.99, 0.999, True),  # the floor is the same both ways
        (1 / 1.0049, 0.99, 0.999, False),
        (1.5, None, None, False),
    ],
)
def test_a_difference_excludes_1_and_clears_the_floor(value, low, high, beyond):
    assert stats.beyond_floor(Estimate(value, low, high, 10, 0.95), 0.005) is beyond


def test_no_floor_takes_any_interval_that_excludes_1():
    assert stats.beyond_floor(Estimate(1.0001, 1.00005, 1.0002, 10, 0.95), 0.0)


def test_an_interval_is_widened_to_what_the_clock_can_tell_and_never_narrowed():
    narrow = Estimate(2.0, 1.9999, 2.0001, 22, 0.983)
    assert stats.widen(narrow, 0.001) == Estimate(2.0, 2.0 / 1.001, 2.0 * 1.001, 22, 0.983)
    assert stats.widen(narrow, 0.0) == narrow
    wide = Estimate(2.0, 1.5, 2.0001, 22, 0.983)
    assert stats.widen(wide, 0.001) == Estimate(2.0, 1.5, 2.0 * 1.001, 22, 0.983)


@pytest.mark.parametrize("estimate", [Estimate(2.0, None, None, 3, 0.0), Estimate(2.0, 2.0, 2.0, 22, 0.0)])
def test_what_is_no_interval_is_not_widened(estimate):
    assert stats.widen(estimate, 0.01) == estimate


@pytest.mark.parametrize(("n", "m", "chance"), [(1, 1, 1.0), (3, 3, 0.1), (5, 5, 2 / 252), (2, 10, 2 / 66)])
def test_how_likely_all_of_one_side_lie_beyond_the_other_by_chance(n, m, chance):
    """Counted out: of all orders of n and m values, those in which the two do not mix."""
    orders = list(itertools.combinations(range(n + m), n))
    apart = sum(places in (tuple(range(n)), tuple(range(m, n + m))) for places in orders)
    assert stats.separation_chance(n, m) == pytest.approx(min(1.0, chance))
    assert stats.separation_chance(n, m) == pytest.approx(min(1.0, 2 / len(orders)))
    assert apart == min(2, len(orders))
