"""Pure: whether the machines of a column differ: one that lies high is held against one that lies low, by their rounds.

As those two are chosen by looking at all, their p-value counts as often as there are pairs of machines (Bonferroni),
their interval is as much wider, and the columns of a matrix are looked at together (Holm). They are the two whose own
intervals lie farthest apart, not those with the extreme values: one short or noisy machine hides no difference between
the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import permutations

from rseqbench.analysis import compare, stats
from rseqbench.analysis.fleet.cell import TIME, Cell, timed
from rseqbench.analysis.outcomes import (
    LessSurelyBeyond,
    MachineCountsByChance,
    NoRange,
    Outcome,
    RangesOverlap,
    Reason,
    Reasons,
    TooFewForMachines,
)
from rseqbench.config import VerdictRules
from rseqbench.model import Estimate


@dataclass(frozen=True)
class MachineSpread:
    """How far apart two machines of a column lie: `highest` over `lowest`. `p` is None of counts, which have no noise.

    `least` is the smallest p that so many rounds of so many machines can give, however far apart they lie. `sides` is
    whether one surely lies below 1 and the other above.
    """

    lowest: str
    highest: str
    ratio: Estimate
    p: float | None
    differs: bool
    reasons: Reasons
    least: float = 0.0
    sides: bool = False


def find_spread(valued: Mapping[str, Cell], columns: int, rules: VerdictRules) -> MachineSpread | None:
    """Hold the machines of one of `columns` against each other; the p-value counts for all pairs of machines.

    None where there are no two, or where their clock is an emulated one.
    """
    units = {cell.unit for cell in valued.values()}
    if len(valued) < 2 or (units - {TIME} and any(map(timed, units))):
        return None
    chances = math.comb(len(valued), 2)
    if not timed(units.pop()):
        return _counts(valued, chances, rules)
    lowest, highest = _ends(valued, (1 - rules.confidence) / chances / columns)
    low, high = valued[lowest], valued[highest]
    ratio, p = stats.independent_ratio(high.each, low.each, 1 - (1 - rules.confidence) / chances)
    ratio = stats.widen(ratio, low.unsure + high.unsure)
    least = chances * stats.separation_chance(len(high.each), len(low.each))
    level = 1 - (1 - rules.confidence) / len(valued)
    sides = low.at(level), high.at(level)
    across = _beyond(sides, rules) and sides[0].value < 1 < sides[1].value
    reasons = _left_out(valued, lowest, highest)
    return MachineSpread(lowest, highest, ratio, min(1.0, p * chances), False, reasons, least, across)


def _beyond(both: Sequence[Estimate], rules: VerdictRules) -> bool:
    return all(stats.beyond_floor(one, rules.floor) for one in both)


def _ends(valued: Mapping[str, Cell], chance: float) -> tuple[str, str]:
    """Return the two machines, the lower one first, whose intervals lie farthest apart.

    Two that have rounds enough to be told apart, if there are such: all of theirs lie apart by chance in `chance` only.
    """

    def rank(pair: tuple[str, str]) -> tuple[bool, bool, float]:
        low, high = (valued[machine] for machine in pair)
        gap = _gap(low, high)
        enough = stats.separation_chance(len(low.each), len(high.each)) <= chance
        return gap is not None and enough, gap is not None, high.value / low.value if gap is None else gap

    return max(permutations(valued, 2), key=rank)


def _gap(low: Cell, high: Cell) -> float | None:
    """Return by what factor the interval of one machine lies above that of another, None without their intervals."""
    if low.ratio is None or high.ratio is None or low.ratio.high is None or high.ratio.low is None:
        return None
    return high.ratio.low / low.ratio.high


def _left_out(valued: Mapping[str, Cell], lowest: str, highest: str) -> Reasons:
    """Return which machines lie beyond the two, and what they have too little of."""
    bottom, top = valued[lowest].value, valued[highest].value
    beyond = tuple((machine, len(cell.each)) for machine, cell in valued.items() if not bottom <= cell.value <= top)
    return (LessSurelyBeyond(beyond),) if beyond else ()


def _counts(valued: Mapping[str, Cell], chances: int, rules: VerdictRules) -> MachineSpread:
    """Hold counts against each other: their ranges, and a tenth of an instruction of each count, must lie apart."""
    lowest, highest = _ends(valued, 1.0)
    low, high = valued[lowest], valued[highest]
    bottom, top = _range(low), _range(high)
    ratio = Estimate(high.value / low.value, None, None, min(len(low.each), len(high.each)), 0.0)
    if all(0 < end < math.inf for end in (*bottom, *top)):
        unsure = (1 + low.unsure) * (1 + high.unsure)
        ratio = replace(ratio, low=top[0] / bottom[1] / unsure, high=top[1] / bottom[0] * unsure)
    found = MachineSpread(
        lowest, highest, ratio, None, False, (), sides=(low.word, high.word) == (Outcome.MORE, Outcome.FEWER)
    )
    if not stats.beyond_floor(ratio, rules.floor):
        return replace(found, reasons=(RangesOverlap() if ratio.low else NoRange(),))
    repeat = all(end[1] / end[0] <= 1 + one.unsure for end, one in ((bottom, low), (top, high)))
    chance = min(1.0, chances * stats.separation_chance(len(low.each), len(high.each)))
    if not repeat and chance > 1 - rules.confidence:
        return replace(found, reasons=(MachineCountsByChance(chance),))
    return replace(found, differs=True)


def _range(one: Cell) -> tuple[float, float]:
    lowest, highest = stats.sort_with_unknown(one.each, 0.0)
    return float(lowest[0]), float(highest[-1])


def judge_together(found: Sequence[MachineSpread | None], rules: VerdictRules) -> list[MachineSpread | None]:
    """Adjust the p-values of all columns for being looked at together, and say which differ."""
    adjusted = iter(stats.holm([one.p for one in found if one and one.p is not None]))
    return [one if one is None or one.p is None else _judged(one, next(adjusted), rules) for one in found]


def _judged(one: MachineSpread, p: float, rules: VerdictRules) -> MachineSpread:
    ratio, beyond = one.ratio, stats.beyond_floor(one.ratio, rules.floor)
    if beyond and p <= 1 - rules.confidence:
        return replace(one, p=p, differs=True)
    few = TooFewForMachines(ratio.n)
    why: Reason = compare.why_undecided(ratio, beyond, rules) if ratio.has_interval else few
    return replace(one, p=p, reasons=(why, *one.reasons))
