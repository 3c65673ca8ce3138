"""Pure: many machines in, matrices out: a row is a machine, a column what is compared on it, units never mixed.

Inside one fleet a column is a pair, and what is asked is whether machines differ: the highest is held against the
lowest by their rounds. As those two are chosen by looking at all, their p-value counts as often as there are pairs of
machines (Bonferroni), their interval is as much wider, and the columns of a matrix are looked at together (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np
import pandas as pd

from rseqbench import compare, stats, table
from rseqbench.claims import Pair
from rseqbench.config import VerdictRules
from rseqbench.model import CONTROLS, Estimate
from rseqbench.stats import Floats
from rseqbench.table import Key


@dataclass(frozen=True)
class What:
    """What a column is of: the quotient of a pair, or one benchmark in two fleets, which then is `slow` alone."""

    slow: str
    fast: str = ""
    net: bool = False
    threads: int = 1
    why: str = field(default="", compare=False)

    @property
    def is_control(self) -> bool:
        """Whether both are the same code, so that neither can be slower."""
        return (self.slow, self.fast) in CONTROLS


TIME = "ns"
EMULATED_TIME = "ns by a clock that qemu emulates"  # of a machine that was measured as if it were one


def timed(unit: str) -> bool:
    """Whether what is in a unit was timed, by whatever clock, and so has noise; counts have none."""
    return unit in (TIME, EMULATED_TIME)


@dataclass(frozen=True)
class Cell:
    """What came out on a machine: a quotient with its interval, and a word of compare.py for it.

    `p` is that of two runs being equal, adjusted for all cells. Inside a fleet `each` are the quotients of the rounds,
    and `unsure` is the share of them that nothing can tell.
    """

    unit: str
    ratio: Estimate | None
    word: str
    reason: str = ""
    p: float | None = None
    each: Floats = field(default_factory=lambda: np.empty(0), compare=False, repr=False)
    unsure: float = 0.0


@dataclass(frozen=True)
class Apart:
    """How far apart the extremes of a column lie: highest over lowest. `p` is None of counts, which have no noise.

    `least` is the smallest p that so many rounds of so many machines can give, however far apart they lie.
    """

    lowest: str
    highest: str
    ratio: Estimate
    p: float | None
    differs: bool
    reason: str
    least: float = 0.0


@dataclass(frozen=True)
class Column:
    """A column: a cell a machine, of those that have it, and in one fleet how far apart the extremes are."""

    what: What
    cells: Mapping[str, Cell]
    apart: Apart | None = None

    @property
    def valued(self) -> dict[str, Cell]:
        """The cells that have a quotient."""
        return {machine: cell for machine, cell in self.cells.items() if cell.ratio is not None}

    @property
    def extremes(self) -> tuple[str, str]:
        """The machines with the lowest and the highest quotient."""
        found = self.valued
        return min(found, key=lambda m: _value(found[m])), max(found, key=lambda m: _value(found[m]))

    @property
    def middle(self) -> float:
        """The median of the machines' quotients."""
        return median(map(_value, self.valued.values()))

    def words(self) -> dict[str, list[str]]:
        """Return the machines by the word of their cells."""
        found: dict[str, list[str]] = {}
        for machine, cell in self.cells.items():
            found.setdefault(cell.word, []).append(machine)
        return found

    @property
    def is_telling(self) -> bool:
        """Whether anything is faster or slower on any machine."""
        return any(cell.word in compare.DIFFERENT for cell in self.cells.values())

    @property
    def disagrees(self) -> bool:
        """Whether what is faster on one machine is slower on another."""
        said = {cell.word for cell in self.cells.values()}
        return said >= {compare.FASTER, compare.SLOWER} or said >= {compare.FEWER, compare.MORE}


@dataclass(frozen=True)
class Matrix:
    """All columns in one unit, those first on which machines differ; `machines` are its rows."""

    unit: str
    machines: tuple[str, ...]
    columns: tuple[Column, ...]

    def is_blind(self, rules: VerdictRules) -> bool:
        """Whether the machines have too few rounds for any column to say that they differ."""
        least = [column.apart.least for column in self.columns if column.apart and column.apart.p is not None]
        return bool(least) and min(least) * len(least) > 1 - rules.confidence


def cell(frame: pd.DataFrame, label: str, pair: Pair, rules: VerdictRules) -> Cell | None:
    """Return the quotient slow/fast of a pair inside run `label` with its word; None where there is none."""
    slow, fast = (pair.arch, pair.slow, 1), (pair.arch, pair.fast, 1)
    found = table.ratios(frame, label, slow, fast, pair.net)
    if found is None:
        return None
    ratio = table.estimated(found, rules.confidence)
    if timed(found.unit):
        return Cell(found.unit, ratio, *_word(ratio, rules), None, found.each, found.unsure)
    above, below = (_count(frame, label, key) for key in (slow, fast))
    _, word, reason = compare.counts(above, below, rules.confidence)
    unsure = stats.SAME_COUNT / above.value + stats.SAME_COUNT / below.value
    return Cell(found.unit, ratio, word, reason, None, found.each, unsure)


def _count(frame: pd.DataFrame, label: str, key: Key) -> Estimate:
    return stats.median(table.series(frame, label, key).to_list(), None)


def _word(ratio: Estimate, rules: VerdictRules) -> tuple[str, str]:
    """Say of slow/fast what the fast way is, by its own interval, and why where nothing is decided."""
    if not ratio.has_interval:
        return compare.UNRESOLVED, f"too few rounds for an interval ({ratio.n})"
    if stats.beyond_floor(ratio, rules.floor):
        return (compare.FASTER if ratio.value > 1 else compare.SLOWER), ""
    if compare.within(ratio, rules.same_within):
        return compare.EQUAL, ""
    return compare.UNRESOLVED, compare.why_undecided(ratio, False, rules)


def inside(found: Mapping[What, Mapping[str, Cell]], machines: Sequence[str], rules: VerdictRules) -> list[Matrix]:
    """Return a matrix for each unit that the cells of one fleet have, times first; `machines` is the order of rows."""
    made = []
    for unit, columns in _by_unit(found).items():
        tested = [replace(column, apart=_apart(column, rules)) for column in columns]
        made.append(_matrix(unit, machines, _together(tested, rules)))
    return made


def across(found: Mapping[What, Mapping[str, Cell]], machines: Sequence[str]) -> list[Matrix]:
    """Return the same of two fleets, whose cells are judged already, and whose machines are not held together."""
    return [_matrix(unit, machines, columns) for unit, columns in _by_unit(found).items()]


def _by_unit(found: Mapping[What, Mapping[str, Cell]]) -> dict[str, list[Column]]:
    units = sorted({cell.unit for cells in found.values() for cell in cells.values()}, key=lambda u: (u != TIME, u))
    parts = {
        unit: [
            Column(what, {machine: cell for machine, cell in cells.items() if cell.unit == unit})
            for what, cells in found.items()
        ]
        for unit in units
    }
    kept = {unit: [column for column in columns if column.valued] for unit, columns in parts.items()}
    return {unit: columns for unit, columns in kept.items() if columns}


def _matrix(unit: str, machines: Sequence[str], columns: Iterable[Column]) -> Matrix:
    ordered = sorted(columns, key=_rank)
    there = {machine for column in ordered for machine in column.cells}
    return Matrix(unit, tuple(machine for machine in machines if machine in there), tuple(ordered))


def _rank(column: Column) -> tuple[bool, bool, bool, float]:
    """Order columns: machines disagree, differ or, where they are not held together, any is worse; then by how far."""
    lowest, highest = (math.log(_value(column.cells[machine])) for machine in column.extremes)
    if column.apart:
        return not column.disagrees, not column.apart.differs, not column.is_telling, lowest - highest
    worse = any(cell.word in (compare.SLOWER, compare.MORE) for cell in column.cells.values())
    return not column.disagrees, not worse, not column.is_telling, -max(abs(lowest), abs(highest))


def _apart(column: Column, rules: VerdictRules) -> Apart | None:
    """Hold the highest machine against the lowest, with a p-value that counts for all pairs of machines."""
    if len(column.valued) < 2:
        return None
    lowest, highest = column.extremes
    low, high = column.cells[lowest], column.cells[highest]
    chances = math.comb(len(column.valued), 2)
    if not timed(low.unit):
        return _counts_apart(column, chances, rules)
    ratio, p = stats.independent_ratio(high.each, low.each, 1 - (1 - rules.confidence) / chances)
    ratio = stats.widened(ratio, low.unsure + high.unsure)
    least = chances * stats.apart_by_chance(len(high.each), len(low.each))
    return Apart(lowest, highest, ratio, min(1.0, p * chances), False, "", least)


def _counts_apart(column: Column, chances: int, rules: VerdictRules) -> Apart:
    """Hold counts against each other: their ranges, and a tenth of an instruction of each count, must lie apart."""
    lowest, highest = column.extremes
    low, high = column.cells[lowest], column.cells[highest]
    bottom, top = _range(low), _range(high)
    unsure = (1 + low.unsure) * (1 + high.unsure)
    ends = top[0] / bottom[1] / unsure, top[1] / bottom[0] * unsure
    ratio = Estimate(_value(high) / _value(low), *ends, min(len(low.each), len(high.each)), 0.0)
    if not stats.beyond_floor(ratio, rules.floor):
        return Apart(lowest, highest, ratio, None, False, "the ranges do not lie apart")
    repeat = all(end[1] / end[0] <= 1 + one.unsure for end, one in ((bottom, low), (top, high)))
    chance = min(1.0, chances * stats.apart_by_chance(len(low.each), len(high.each)))
    if not repeat and chance > 1 - rules.confidence:
        return Apart(lowest, highest, ratio, None, False, f"counts that do not repeat, apart by chance in {chance:.0%}")
    return Apart(lowest, highest, ratio, None, True, "")


def _range(one: Cell) -> tuple[float, float]:
    return float(one.each.min()), float(one.each.max())


def _together(columns: Sequence[Column], rules: VerdictRules) -> list[Column]:
    """Adjust the p-values of all columns for being looked at together, and say which differ."""
    tested = [column.apart.p for column in columns if column.apart and column.apart.p is not None]
    adjusted = iter(stats.holm(tested))
    return [
        column
        if column.apart is None or column.apart.p is None
        else replace(column, apart=_judged(replace(column.apart, p=next(adjusted)), rules))
        for column in columns
    ]


def _judged(apart: Apart, rules: VerdictRules) -> Apart:
    ratio, p = apart.ratio, apart.p if apart.p is not None else 1.0
    if not ratio.has_interval:
        return replace(apart, reason=f"{ratio.n} rounds are too few to tell so many machines apart")
    beyond = stats.beyond_floor(ratio, rules.floor)
    if beyond and p <= 1 - rules.confidence:
        return replace(apart, differs=True)
    return replace(apart, reason=compare.why_undecided(ratio, beyond, rules))


def worst(found: Sequence[Matrix]) -> tuple[What, str, Cell] | None:
    """Return where the fast way of a pair is slower than the slow one, or takes more, by most; controls are none."""
    slower = [
        (column.what, machine, cell)
        for one in found
        for column in one.columns
        if not column.what.is_control
        for machine, cell in column.valued.items()
        if cell.word in (compare.SLOWER, compare.MORE)
    ]
    return min(slower, key=lambda one: _value(one[2]), default=None)


def _value(one: Cell) -> float:
    return one.ratio.value if one.ratio else math.nan
