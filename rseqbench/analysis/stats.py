"""Pure statistics: numbers in, estimates and intervals out. Nothing here knows what was measured.

The unit of observation is the round. Intervals are distribution-free: they hold for skewed, heavy-tailed and
bimodal rounds alike, which is what a shared machine yields (docs/method.md).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rseqbench.model import Estimate

Floats = NDArray[np.float64]


SAME_COUNT = 0.1  # instructions per operation: thrice what a step of an emulated clock makes of a slope at worst


@lru_cache(maxsize=256)
def sign_rank(n: int, confidence: float) -> tuple[int, float] | None:
    """Return (k, coverage) so that [x(k), x(n+1-k)] of n sorted values covers the median, or None if n is too small.

    k is the largest rank whose exact binomial coverage 1 - 2 P(B(n, 1/2) <= k-1) is still at least `confidence`
    (Conover, Practical Nonparametric Statistics, confidence interval for a quantile). 95% needs n >= 6.
    """
    best: tuple[int, float] | None = None
    tail = 0.0
    for k in range(1, n // 2 + 1):
        tail += math.comb(n, k - 1) / 2**n
        coverage = 1 - 2 * tail
        if coverage < confidence:
            break
        best = (k, coverage)
    return best


def median(values: Sequence[float] | Floats, confidence: float | None = 0.95) -> Estimate:
    """Estimate the median of `values` (one a round) with its order-statistic (sign) interval.

    Without `confidence` the values are counts of one emulated machine, and rounds in it are not independent: the
    estimate then has their range, whose coverage is 0. Raises ValueError on an empty input. With too few values the
    estimate has no interval.

    Values may be infinite, if less than half of them are, and NaN where nothing is known: the lower end takes these for
    the lowest of all, the upper for the highest, and the median is that of the others. An interval with an infinite end
    is none: it takes more rounds to have one.
    """
    lowest, highest = sort_with_unknown(values, -math.inf)
    n = len(lowest)
    if n == 0:
        raise ValueError("no rounds, so no median")
    middle = float(np.nanmedian(np.asarray(values, dtype=np.float64)))
    rank = (1, 0.0) if confidence is None else sign_rank(n, confidence)
    if rank is None:
        return Estimate(middle, None, None, n, 0.0)
    k, coverage = rank
    low, high = float(lowest[k - 1]), float(highest[n - k])
    if not math.isfinite(low) or not math.isfinite(high):
        return Estimate(middle, None, None, n, 0.0)
    return Estimate(middle, low, high, n, coverage)


def sort_with_unknown(values: Sequence[float] | Floats, least: float) -> tuple[Floats, Floats]:
    """Return values in ascending order, once with each NaN taken for `least`, and once for infinite."""
    given = np.asarray(values, dtype=np.float64)
    unknown = np.isnan(given)
    return np.sort(np.where(unknown, least, given)), np.sort(np.where(unknown, np.inf, given))


def paired_ratio(
    top: Sequence[float] | Floats, bottom: Sequence[float] | Floats, confidence: float | None = 0.95
) -> Estimate:
    """Estimate top/bottom from values of the same rounds: the median over rounds of the ratio inside a round.

    `confidence` as for median(), which says what becomes of ratios that are 0, infinite or NaN.
    The two must be of equal length, in the same order of rounds. The median of an even number of ratios is taken on
    the logarithm, so that the ratio and its inverse are each other's reciprocal.
    """
    over = np.asarray(top, dtype=np.float64)
    under = np.asarray(bottom, dtype=np.float64)
    if over.shape != under.shape:
        raise ValueError(f"{over.size} rounds against {under.size}: ratios are taken inside a round")
    return _exp(median(_log(over / under), confidence))


@lru_cache(maxsize=256)
def _rank_sum_tail(n: int, m: int) -> Floats:
    """Return P(U <= u) for u = 0 .. n*m of the Mann-Whitney statistic under equality, exact to some 1e-15.

    The generating function of U is the product over j=1..n of (1 - q^(m+j)) / (1 - q^j), scaled to sum up to 1. Its
    expansion term by term goes beyond what a float holds from some 500 rounds on, and loses all digits before; so it is
    taken at roots of unity, where it is a product of quotients of sines, and turned back by a Fourier transform.
    """
    roots = _prime_above(n * m)  # of a prime order, no factor has a zero at any but the first root
    half_angles = np.pi * np.arange(1, roots // 2 + 1) / roots
    product = np.ones(len(half_angles))
    for j in range(1, n + 1):
        product *= j * np.sin((m + j) * half_angles) / ((m + j) * np.sin(j * half_angles))
    turned = product * np.exp(-1j * n * m * half_angles)
    tail: Floats = np.cumsum(np.fft.irfft(np.concatenate([[1.0], turned]), roots)[: n * m + 1])
    return np.maximum.accumulate(np.clip(tail, 0.0, 1.0))


def _prime_above(number: int) -> int:
    """Return the smallest odd prime above `number`, of which there is always one below its double and a bit."""
    candidates = range(max(3, (number + 1) | 1), 2 * number + 4, 2)
    return next(one for one in candidates if all(one % divisor for divisor in range(3, math.isqrt(one) + 1, 2)))


def independent_ratio(
    top: Sequence[float] | Floats, bottom: Sequence[float] | Floats, confidence: float = 0.95
) -> tuple[Estimate, float]:
    """Estimate top/bottom of two runs whose rounds have nothing to do with each other; return it and its p-value.

    The Hodges-Lehmann shift of the logarithms with the exact Mann-Whitney interval (Hollander, Wolfe and Chicken,
    Nonparametric Statistical Methods, section 4.3); p is the two-sided exact Mann-Whitney probability of equality.

    Of values that are 0, infinite or NaN (a quarter of a side at most), a pair may leave open which one is greater:
    such a shift counts as the lowest at the lower end, the highest at the upper, equal for p, and not for the estimate.
    """
    over, under = _log(top), _log(bottom)
    n, m = len(over), len(under)
    if n == 0 or m == 0:
        raise ValueError("no rounds, so no ratio")
    with np.errstate(invalid="ignore"):
        apart = (over[:, None] - under[None, :]).ravel()
    lowest, highest = sort_with_unknown(apart, -np.inf)
    known = apart[~np.isnan(apart)]
    shift = float(np.median(known)) if len(known) else 0.0
    tail = _rank_sum_tail(n, m)
    below = float(np.sum(apart < 0) + 0.5 * np.sum((apart == 0) | np.isnan(apart)))
    p = min(1.0, 2 * float(tail[math.floor(min(below, n * m - below))]))
    half = (1 - confidence) / 2
    k = int(np.searchsorted(tail, half, side="right"))  # the number of u with P(U <= u) <= half
    if k == 0:
        return _exp(Estimate(shift, None, None, min(n, m), 0.0)), p
    low, high = float(lowest[k - 1]), float(highest[n * m - k])
    if not math.isfinite(low) or not math.isfinite(high):
        return _exp(Estimate(shift, None, None, min(n, m), 0.0)), p
    return _exp(Estimate(shift, low, high, min(n, m), 1 - 2 * float(tail[k - 1]))), p


def _log(values: Sequence[float] | Floats) -> Floats:
    """Return logarithms; that of 0 is infinite."""
    with np.errstate(divide="ignore"):
        found: Floats = np.log(np.asarray(values, dtype=np.float64))
    return found


def _exp(estimate: Estimate) -> Estimate:
    low = None if estimate.low is None else math.exp(estimate.low)
    high = None if estimate.high is None else math.exp(estimate.high)
    return Estimate(math.exp(estimate.value), low, high, estimate.n, estimate.coverage)


def student_quantile(confidence: float, degrees: float) -> float:
    """Return the two-sided quantile of Student's t, which `confidence` of the distribution lies within."""
    from scipy.special import stdtrit  # noqa: PLC0415 - takes a fifth of a second, and few claims need it

    return float(stdtrit(degrees, (1 + confidence) / 2))


def separation_chance(n: int, m: int) -> float:
    """Return how likely all of n values lie to one side of all of m others, where nothing tells the two apart."""
    return min(1.0, 2 / math.comb(n + m, n))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for being looked at together, in the same order (Holm 1979)."""
    order = np.argsort(np.asarray(p_values, dtype=np.float64), kind="stable")
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for position, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - position) * p_values[int(index)]))
        adjusted[int(index)] = running
    return adjusted


def widen(ratio: Estimate, share: float) -> Estimate:
    """Return a ratio whose interval reaches at least `share` of its value to both sides; one without stays as it is."""
    if ratio.low is None or ratio.high is None or ratio.is_range:
        return ratio
    low, high = min(ratio.low, ratio.value / (1 + share)), max(ratio.high, ratio.value * (1 + share))
    return replace(ratio, low=low, high=high)


def beyond_floor(ratio: Estimate, floor: float) -> bool:
    """Whether a ratio is a difference: its interval excludes 1 and its value is more than `floor` away from it."""
    if ratio.low is None or ratio.high is None:
        return False
    return (ratio.low > 1 or ratio.high < 1) and abs(math.log(ratio.value)) >= math.log1p(floor)
