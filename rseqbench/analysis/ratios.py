"""Pure: the quotients of two benchmarks, round by round, and the share of them that the clock cannot tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rseqbench.analysis import stats
from rseqbench.analysis.stats import Floats


@dataclass(frozen=True)
class Side:
    """The values of a benchmark in some rounds; `unsure` is the share of such a value that the clock cannot tell."""

    values: Floats
    unsure: float = 0.0


def divide_rounds(top: Side, bottom: Side, base: Side | None) -> Floats | None:
    """Return top/bottom in each round, both without `base` if there is one; None where too few are quotients.

    What is left of a value may be nothing, if it took no longer than the base. Such rounds are kept, as noise decides
    which they are. Where that is the bottom, the quotient is infinite, and where it is the top 0: in the order of all
    they have their place. Where both are, nothing is known of it, NaN, and it may have any place (stats.median). Where
    such rounds are more than a quarter, what is left is as small as the noise, and a number of any size.
    """
    over, under = _without(top, base), _without(bottom, base)
    finite = np.divide(over, under, out=np.zeros_like(over), where=(over > 0) & (under > 0))
    each = np.where(under > 0, finite, np.where(over > 0, np.inf, np.nan))
    lowest, highest = stats.sort_with_unknown(each, 0.0)
    quarter = len(each) // 4
    return each if lowest[quarter] > 0 and highest[-1 - quarter] < np.inf else None


def clock_error(top: Side, bottom: Side, base: Side | None) -> float:
    """Return which share of top/bottom the clock cannot tell: at worst, it errs to opposite sides in the two.

    An error of the base is the same in both, and so one of the quotient only as far as the two differ. Expects what
    rounds() has quotients of.
    """
    over, under = (float(np.median(_without(side, base))) for side in (top, bottom))
    each = _error(top) / over + _error(bottom) / under
    return each + (abs(1 / under - 1 / over) * _error(base) if base else 0.0)


def _without(side: Side, base: Side | None) -> Floats:
    return side.values - base.values if base else side.values


def _error(side: Side) -> float:
    return side.unsure * float(np.median(side.values))
