"""Pure: many machines in, matrices out: a row is a machine, a column what is compared on it, units never mixed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from rseqbench.analysis.fleet import heterogeneity
from rseqbench.analysis.fleet.cell import TIME, BenchmarkPair, Cell
from rseqbench.analysis.fleet.heterogeneity import MachineSpread
from rseqbench.analysis.outcomes import Outcome
from rseqbench.config import VerdictRules


@dataclass(frozen=True)
class MatrixColumn:
    """A column: a cell a machine, of those that have it, and in one fleet how far apart the extremes are."""

    what: BenchmarkPair
    cells: Mapping[str, Cell]
    apart: MachineSpread | None = None

    @property
    def valued(self) -> dict[str, Cell]:
        """The cells that have a quotient."""
        return {machine: cell for machine, cell in self.cells.items() if cell.ratio is not None}

    @property
    def extremes(self) -> tuple[str, str]:
        """The machines with the lowest and the highest quotient."""
        found = self.valued
        return min(found, key=lambda m: found[m].value), max(found, key=lambda m: found[m].value)

    @property
    def middle(self) -> float:
        """The median of the machines' quotients, taken on the logarithm: that of the inverse is its reciprocal."""
        return math.exp(median(math.log(cell.value) for cell in self.valued.values()))

    def words(self) -> dict[Outcome, list[str]]:
        """Return the machines by the word of their cells."""
        found: dict[Outcome, list[str]] = {}
        for machine, cell in self.cells.items():
            found.setdefault(cell.word, []).append(machine)
        return found

    @property
    def is_telling(self) -> bool:
        """Whether anything is faster or slower on any machine, or has a value of which nobody can say."""
        return any(cell.word.is_difference or cell.word == Outcome.NOT_COMPARABLE for cell in self.valued.values())

    @property
    def disagrees(self) -> bool:
        """Whether what is surely faster on one machine is surely slower on another.

        The words in the cells of one fleet are not corrected for their number, so there those of two are not enough.
        """
        if self.apart:
            return self.apart.differs and self.apart.sides
        said = {cell.word for cell in self.cells.values()}
        return said >= {Outcome.FASTER, Outcome.SLOWER} or said >= {Outcome.FEWER, Outcome.MORE}


@dataclass(frozen=True)
class Matrix:
    """All columns in one unit, those first on which machines differ; `machines` are its rows."""

    unit: str
    machines: tuple[str, ...]
    columns: tuple[MatrixColumn, ...]

    def is_blind(self, rules: VerdictRules) -> bool:
        """Whether the machines have too few rounds for any column to say that they differ."""
        least = [column.apart.least for column in self.columns if column.apart and column.apart.p is not None]
        return bool(least) and min(least) * len(least) > 1 - rules.confidence


def matrices_of_fleet(
    found: Mapping[BenchmarkPair, Mapping[str, Cell]], machines: Sequence[str], rules: VerdictRules
) -> list[Matrix]:
    """Return a matrix for each unit that the cells of one fleet have, times first; `machines` is the order of rows."""
    made = []
    for unit, columns in _by_unit(found).items():
        held = heterogeneity.judge_together(
            [heterogeneity.find_spread(column.valued, len(columns), rules) for column in columns], rules
        )
        judged = [replace(column, apart=one) for column, one in zip(columns, held, strict=True)]
        made.append(_matrix(unit, machines, judged))
    return made


def matrices_of_two(found: Mapping[BenchmarkPair, Mapping[str, Cell]], machines: Sequence[str]) -> list[Matrix]:
    """Return the same of two fleets, whose cells are judged already, and whose machines are not held together."""
    return [_matrix(unit, machines, columns) for unit, columns in _by_unit(found).items()]


def _by_unit(found: Mapping[BenchmarkPair, Mapping[str, Cell]]) -> dict[str, list[MatrixColumn]]:
    units = sorted({cell.unit for cells in found.values() for cell in cells.values()}, key=lambda u: (u != TIME, u))
    parts = {
        unit: [
            MatrixColumn(what, {machine: cell for machine, cell in cells.items() if cell.unit == unit})
            for what, cells in found.items()
        ]
        for unit in units
    }
    kept = {unit: [column for column in columns if column.valued] for unit, columns in parts.items()}
    return {unit: columns for unit, columns in kept.items() if columns}


def _matrix(unit: str, machines: Sequence[str], columns: Iterable[MatrixColumn]) -> Matrix:
    ordered = sorted(columns, key=_rank)
    there = {machine for column in ordered for machine in column.cells}
    return Matrix(unit, tuple(machine for machine in machines if machine in there), tuple(ordered))


def _rank(column: MatrixColumn) -> tuple[bool, bool, bool, float]:
    """Order columns: machines disagree, differ or, where they are not held together, any is worse; then by how far."""
    lowest, highest = (math.log(column.cells[machine].value) for machine in column.extremes)
    if column.apart:
        return not column.disagrees, not column.apart.differs, not column.is_telling, lowest - highest
    worse = any(cell.word in (Outcome.SLOWER, Outcome.MORE) for cell in column.cells.values())
    return not column.disagrees, not worse, not column.is_telling, -max(abs(lowest), abs(highest))
