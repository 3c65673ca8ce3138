"""Pure: what `compare --fail-above` judges: what is surely slower, what may be, and what says nothing of it.

The limit is held against the value of what is surely slower: "more than 5% slower, and surely slower", not "surely more
than 5%", for which the whole interval would have to lie above. Where the clock moved, it is the value as measured.

Surely is meant of everything that is judged at once. Of two runs and of two fleets compare.judge_together() sees to
that, each further run by itself; of one fleet, the interval of each cell covers as much more often as there are cells
(Bonferroni). Whatever cannot be judged is no success: runs or machines without a value, or with too few rounds for any
slowdown, however large, a machine without a run, and where the machine's clock moved, a benchmark that is so much
slower by one of its two readings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rseqbench.analysis import stats
from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.fleet.cell import BenchmarkPair, Cell
from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.fleet.matrix import Matrix
from rseqbench.analysis.outcomes import Outcome
from rseqbench.config import VerdictRules

MachineCell = tuple[BenchmarkPair, str, Cell]  # a cell, in its column and on its machine


@dataclass(frozen=True)
class GateCoverage:
    """The machines of which nothing can be said, by what they lack: a run, anything to compare, or enough rounds.

    `judged` are those of which something can.
    """

    judged: tuple[str, ...]
    no_run: tuple[str, ...]
    no_value: tuple[str, ...]
    blind: tuple[str, ...]


def exceeds_limit(ratio: float, limit: float) -> bool:
    """Whether a slowdown, as a ratio, is more than `limit` percent: the rule by which the gate fails."""
    return ratio > 1 + limit / 100


def find_coverage(found: FleetComparison) -> GateCoverage:
    """Return of which machines nothing can be said. One that qemu emulates is left out: its clock tells no time."""
    able = _able_of_one(found) if len(found.labels) == 1 else _able_of_two(found)
    there = [place for place in found.places if not place.reasons]
    real = [place.name for place in there if not all(machine.emulates for machine in place.machines)]
    return GateCoverage(
        judged=tuple(name for name in real if able.get(name)),
        no_run=tuple(place.name for place in found.places if place.reasons),
        no_value=tuple(name for name in real if name not in able),
        blind=tuple(name for name in real if able.get(name) is False),
    )


def _able_of_one(found: FleetComparison) -> dict[str, bool]:
    """Return the machines that have a value, with whether a slowdown could be seen in any."""
    cells = list(_cells(found.matrices))
    level = _level(cells, found.rules)
    able: dict[str, bool] = {}
    for _, machine, cell in cells:
        enough = not cell.is_timed or cell.at(level).has_interval
        able[machine] = able.get(machine, False) or enough
    return able


def _able_of_two(found: FleetComparison) -> dict[str, bool]:
    return comparable_runs(found.rows, found.rules)


def comparable_runs(found: Mapping[str, Sequence[Comparison]], rules: VerdictRules) -> dict[str, bool]:
    """Return which of the comparisons that are judged together have anything to judge.

    Each comes with whether a slowdown could be seen in any of its rows.
    """
    rows = {name: [row for row in own if _is_judged(row)] for name, own in found.items()}
    tested = sum(row.p is not None for own in rows.values() for row in own)
    chance = 1 - rules.confidence
    return {name: any(_least(row) * tested <= chance for row in own) for name, own in rows.items() if own}


def _is_judged(row: Comparison) -> bool:
    return row.ratio is not None and row.word != Outcome.NOT_COMPARABLE


def _least(row: Comparison) -> float:
    """Return the smallest p that a row could have by its rounds, however different its sides; 0 of counts."""
    if row.p is None or row.a is None or row.b is None:
        return 0.0
    return stats.separation_chance(row.a.gross.n, row.b.gross.n)


def _cells(matrices: Sequence[Matrix]) -> Iterable[MachineCell]:
    """Yield every cell but those of controls, which are the same code."""
    for column in (column for one in matrices for column in one.columns if not column.what.is_control):
        yield from ((column.what, machine, cell) for machine, cell in column.valued.items())


def _level(cells: Sequence[MachineCell], rules: VerdictRules) -> float:
    """Return what the interval of a cell has to cover, so that all of them cover at once."""
    return 1 - (1 - rules.confidence) / max(1, sum(cell.is_timed for _, _, cell in cells))


def worst_cell(matrices: Sequence[Matrix], rules: VerdictRules) -> MachineCell | None:
    """Return where in one fleet the fast way of a pair is surely slower than the slow one, or takes more, by most."""
    cells = list(_cells(matrices))
    level = _level(cells, rules)
    slower = [one for one in cells if _is_slower(one[2], level, rules)]
    return min(slower, key=lambda one: one[2].value, default=None)


def _is_slower(cell: Cell, level: float, rules: VerdictRules) -> bool:
    if not cell.is_timed:
        return cell.word == Outcome.MORE
    return cell.value < 1 and stats.beyond_floor(cell.at(level), rules.floor)


def worst_slowdown(rows: Sequence[Comparison]) -> Comparison | None:
    """Return the row in which b is slower, or takes more instructions, by most; differences only, None without any."""
    slower = [row for row in rows if row.word in (Outcome.SLOWER, Outcome.MORE) and row.ratio is not None]
    return max(slower, key=lambda row: row.ratio.value if row.ratio else 0.0, default=None)


def worst_perhaps(rows: Sequence[Comparison]) -> Comparison | None:
    """Return the row in which b may be slower by most, as the clock moved and one of its two readings says so much."""
    return max((row for row in rows if row.perhaps), key=lambda row: row.perhaps, default=None)


def worst_row(found: FleetComparison) -> tuple[str, Comparison] | None:
    """Return what is slower in the second of two fleets, or takes more, by most, with its machine."""
    worst = [(place, worst_slowdown(rows)) for place, rows in found.rows.items()]
    slower = [(place, row) for place, row in worst if row is not None and row.ratio is not None]
    return max(slower, key=lambda one: one[1].ratio.value if one[1].ratio else 0.0, default=None)


def worst_perhaps_row(found: FleetComparison) -> tuple[str, Comparison] | None:
    """Return what may be slower in the second of two fleets by most, with its machine; see worst_perhaps()."""
    worst = [(place, worst_perhaps(rows)) for place, rows in found.rows.items()]
    return max(((place, row) for place, row in worst if row), key=lambda one: one[1].perhaps, default=None)
