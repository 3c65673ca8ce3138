"""Pure: what `compare FLEET [FLEET] --fail-above` judges: what is surely slower, and which machines say nothing of it.

Surely is meant of everything that is judged at once. Of two fleets compare.judged() sees to that; of one, the interval
of each cell covers as much more often as there are cells (Bonferroni). Whatever cannot be judged is no success: a
machine without a run, one without a value, one with too few rounds for any slowdown, however large.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rseqbench import compare, stats
from rseqbench.cells import Cell, What
from rseqbench.compare import Comparison
from rseqbench.config import VerdictRules
from rseqbench.machines import Machines
from rseqbench.matrix import Matrix

Found = tuple[What, str, Cell]  # a cell, in its column and on its machine


@dataclass(frozen=True)
class Unseen:
    """The machines of which nothing can be said, by what they lack: a run, anything to compare, or enough rounds.

    `judged` are those of which something can.
    """

    judged: tuple[str, ...]
    no_run: tuple[str, ...]
    no_value: tuple[str, ...]
    blind: tuple[str, ...]


def unseen(found: Machines) -> Unseen:
    """Return of which machines nothing can be said. One that qemu emulates is left out: its clock tells no time."""
    able = _able_of_one(found) if len(found.labels) == 1 else _able_of_two(found)
    there = [place for place in found.places if not place.reason]
    real = [place.name for place in there if not all(machine.emulates for machine in place.machines)]
    return Unseen(
        judged=tuple(name for name in real if able.get(name)),
        no_run=tuple(place.name for place in found.places if place.reason),
        no_value=tuple(name for name in real if name not in able),
        blind=tuple(name for name in real if able.get(name) is False),
    )


def _able_of_one(found: Machines) -> dict[str, bool]:
    """Return the machines that have a value, with whether a slowdown could be seen in any."""
    cells = list(_cells(found.matrices))
    level = _level(cells, found.rules)
    able: dict[str, bool] = {}
    for _, machine, cell in cells:
        enough = not cell.is_timed or stats.sign_rank(len(cell.each), level) is not None
        able[machine] = able.get(machine, False) or enough
    return able


def _able_of_two(found: Machines) -> dict[str, bool]:
    rows = {place: [row for row in own if _is_judged(row)] for place, own in found.rows.items()}
    tested = sum(row.p is not None for own in rows.values() for row in own)
    chance = 1 - found.rules.confidence
    return {
        place: any((compare.least(row) or 0.0) * tested <= chance for row in own) for place, own in rows.items() if own
    }


def _is_judged(row: Comparison) -> bool:
    return row.ratio is not None and row.word != compare.NOT_COMPARABLE


def _cells(matrices: Sequence[Matrix]) -> Iterable[Found]:
    """Yield every cell but those of controls, which are the same code."""
    for column in (column for one in matrices for column in one.columns if not column.what.is_control):
        yield from ((column.what, machine, cell) for machine, cell in column.valued.items())


def _level(cells: Sequence[Found], rules: VerdictRules) -> float:
    """Return what the interval of a cell has to cover, so that all of them cover at once."""
    return 1 - (1 - rules.confidence) / max(1, sum(cell.is_timed for _, _, cell in cells))


def worst_cell(matrices: Sequence[Matrix], rules: VerdictRules) -> Found | None:
    """Return where in one fleet the fast way of a pair is surely slower than the slow one, or takes more, by most."""
    cells = list(_cells(matrices))
    level = _level(cells, rules)
    slower = [one for one in cells if _is_slower(one[2], level, rules)]
    return min(slower, key=lambda one: one[2].value, default=None)


def _is_slower(cell: Cell, level: float, rules: VerdictRules) -> bool:
    if not cell.is_timed:
        return cell.word == compare.MORE
    return cell.value < 1 and stats.beyond_floor(cell.at(level), rules.floor)


def worst_row(found: Machines) -> tuple[str, Comparison] | None:
    """Return what is slower in the second of two fleets, or takes more, by most, with its machine."""
    worst = [(place, compare.worst_slowdown(rows)) for place, rows in found.rows.items()]
    slower = [(place, row) for place, row in worst if row is not None and row.ratio is not None]
    return max(slower, key=lambda one: one[1].ratio.value if one[1].ratio else 0.0, default=None)
