"""Pure: the grids of fleets: the machines, what they differ by, the matrices, and the verdicts by machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rseqbench.analysis.fleet.cell import TIME, BenchmarkPair, Cell
from rseqbench.analysis.fleet.compare import FleetComparison, FleetMachine
from rseqbench.analysis.fleet.heterogeneity import MachineSpread
from rseqbench.analysis.fleet.matrix import Matrix, MatrixColumn
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import LabPlace, Machine, VerdictWord
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.reasons import explain
from rseqbench.report.tables import Cell as Shown
from rseqbench.report.tables import Grid, Reason, build_grid
from rseqbench.store.fleets import Member

_ABREAST = 3  # columns that a hundred characters hold, each with its interval
_CLOSE = 10  # the same without, at most
_BREADTH = 100  # of a terminal
_FEW = 8  # machines up to which every cell has its interval in text; more are read for their signs
_CLAIMS = 5
_MEDIAN = 4  # machines from which on one is told that is none of the ends
_FACTS = {"CPU": "cpu", "Linux": "linux", "C library": "libc", "CPUs": "cpus"}
_CHANGED = " → "


def name_column(pair: BenchmarkPair) -> str:
    """Return what a column is of: "counter/vdso_atomic / rseq, net", "counter/rseq (4 threads)"."""
    if not pair.fast:
        return formatting.with_threads(pair.slow, pair.threads)
    fast = pair.fast.method if pair.slow.group == pair.fast.group else pair.fast
    return f"{pair.slow} / {fast}" + (", net" if pair.net else "")


def tabulate_places(fleets: FleetComparison) -> Grid:
    """Return a row a machine with its facts; one without a run has the reason in their place."""
    heads = ("place", "arch", *_FACTS, "time")
    rows = [_place(place) for place in fleets.places]
    notes = [f"a{_CHANGED}b: in {fleets.labels[0]}, and in {fleets.labels[1]}"] if len(fleets.labels) > 1 else []
    changed = any(_CHANGED in str(cell) for row in rows for cell in row)
    return build_grid("The machines", heads, "-" * len(heads), rows, notes if changed else [])


def _place(place: FleetMachine) -> tuple[Shown, ...]:
    if place.reasons:
        return place.name, Reason(explain(place.reasons))
    facts = [
        _both(str(one.facts.to_dict().get(fact, "not known")) for one in place.machines) for fact in _FACTS.values()
    ]
    arch, time = (_both(values) for values in ([m.arch for m in place.machines], map(_time, place.machines)))
    return place.name, arch, *facts, time


def _time(machine: Machine) -> str:
    if machine.emulates:
        return "emulated by qemu"
    return f"emulated by {machine.target}" if machine.timing == "emulated" else machine.timing


def _both(values: Iterable[str]) -> str:
    return _CHANGED.join(dict.fromkeys(values))


def describe_matrix(fleets: FleetComparison, matrix: Matrix) -> str:
    """Return what a matrix has in its cells."""
    unit = "" if matrix.unit == TIME else f", in {matrix.unit}, which are no time"
    if len(fleets.labels) > 1:
        return f"{fleets.labels[1]} against {fleets.labels[0]}, times what it took{unit}"
    return f"slow / fast inside each run: speed-ups{unit}" if not unit else f"slow / fast inside each run{unit}"


def tabulate_summary(fleets: FleetComparison, matrix: Matrix) -> Grid:
    """Return a row for each column of a matrix: its extremes, its median, whether machines differ, and the words."""
    several = len(matrix.machines) > 1
    middle = len(matrix.machines) >= _MEDIAN
    ends = ("lowest", *(("median",) if middle else ()), "highest") if several else ("value",)
    differ = ("highest / lowest",) if len(fleets.labels) == 1 and several else ()
    heads = (_kind(fleets), *ends, *differ, "machines")
    rows = [
        _summary(number, column, len(matrix.machines), bool(differ))
        for number, column in enumerate(matrix.columns, start=1)
    ]
    numeric = "-" + "n" * (len(ends) + len(differ)) + "-"
    notes = [*_legend(matrix), *(_ends(number, column) for number, column in enumerate(matrix.columns, start=1))]
    return build_grid(
        f"What machines differ by: {describe_matrix(fleets, matrix)}", heads, numeric, rows, list(filter(None, notes))
    )


def _ends(number: int, column: MatrixColumn) -> str:
    """Say which machines differ, where they are not the two with the extreme values."""
    held = column.apart
    if held is None or not held.differs or column.extremes == (held.lowest, held.highest):
        return ""
    return f"{number}: {held.highest} over {held.lowest}; {explain(held.reasons)}"


def _kind(fleets: FleetComparison) -> str:
    return "slow / fast" if len(fleets.labels) == 1 else "benchmark"


def _summary(number: int, column: MatrixColumn, machines: int, differ: bool) -> tuple[Shown, ...]:
    lowest, highest = column.extremes
    cells: list[Shown] = [_at(column, lowest)]
    if machines >= _MEDIAN:
        cells.append(f"{column.middle:.3g}x")
    if machines > 1:
        cells.append(_at(column, highest))
    if differ:
        cells.append(format_spread(column.apart))
    return f"{number}: {name_column(column.what)}", *cells, count_signs(column)


def _at(column: MatrixColumn, machine: str) -> FormattedNumber:
    ratio = column.cells[machine].ratio
    return FormattedNumber(formatting.ratio(ratio).value if ratio else formatting.NOTHING, after=machine)


def format_spread(one: MachineSpread | None) -> Shown:
    """Return by how much the highest machine lies above the lowest where they differ; else that none is resolved."""
    if one is None:
        return formatting.NOTHING
    return formatting.ratio(one.ratio) if one.differs else formatting.SIGNS[Outcome.UNRESOLVED]


def count_signs(column: MatrixColumn) -> str:
    """Return on how many machines which sign stands: "46 <, 1 >"."""
    found = column.words()
    return ", ".join(f"{len(found[word])} {sign}" for word, sign in formatting.SIGNS.items() if word in found)


def _legend(matrix: Matrix) -> list[str]:
    said = {cell.word for column in matrix.columns for cell in column.cells.values()}
    if any(column.apart and not column.apart.differs for column in matrix.columns):
        said.add(Outcome.UNRESOLVED)
    return ["; ".join(f"{sign} {word}" for word, sign in formatting.SIGNS.items() if word in said)]


def tabulate_cells(fleets: FleetComparison, matrix: Matrix) -> list[Grid]:
    """Return the matrix, a row a machine, in parts of as many columns as a terminal holds.

    Columns that say of no machine that anything differs are left to summary(), and that is said.
    """
    brief = len(matrix.machines) > _FEW
    telling = [(number, column) for number, column in enumerate(matrix.columns, start=1) if column.is_telling]
    grids = [_part(fleets, matrix, part, brief) for part in _abreast(matrix, telling, brief)]
    quiet = len(matrix.columns) - len(telling)
    note = f"On no machine does anything differ in the other {quiet} of {len(matrix.columns)}." if quiet else ""
    return [*grids[:-1], *(replace(grid, notes=tuple(filter(None, [note]))) for grid in grids[-1:])]


def _abreast(
    matrix: Matrix, columns: Sequence[tuple[int, MatrixColumn]], brief: bool
) -> list[list[tuple[int, MatrixColumn]]]:
    """Part the columns so that no cell of a part has to be folded."""
    places = max(map(len, matrix.machines), default=0)
    parts: list[list[tuple[int, MatrixColumn]]] = [[]]
    left, most = _BREADTH - places, _CLOSE if brief else _ABREAST
    for number, column in columns:
        wide = 1 + max(len(str(format_cell(column.cells.get(machine), brief))) for machine in matrix.machines)
        if parts[-1] and (len(parts[-1]) == most or (brief and wide > left)):
            parts.append([])
            left = _BREADTH - places
        parts[-1].append((number, column))
        left -= wide
    return [part for part in parts if part]


def _part(fleets: FleetComparison, matrix: Matrix, part: Sequence[tuple[int, MatrixColumn]], brief: bool) -> Grid:
    heads = [str(number) if brief else f"{number}: {name_column(column.what)}" for number, column in part]
    rows = [
        (machine, *(format_cell(column.cells.get(machine), brief) for _, column in part)) for machine in matrix.machines
    ]
    return build_grid(f"By machine: {describe_matrix(fleets, matrix)}", ("place", *heads), "-" + "n" * len(part), rows)


def format_cell(cell: Cell | None, brief: bool = False) -> Shown:
    """Return a cell: the quotient, its interval unless `brief`, and the sign of its word."""
    if cell is None or cell.ratio is None:
        return formatting.SIGNS[cell.word] if cell else formatting.NOTHING
    shown = replace(formatting.ratio(cell.ratio), after=formatting.SIGNS[cell.word])
    return replace(shown, interval="") if brief else shown


def tabulate_verdicts(fleets: FleetComparison) -> list[Grid]:
    """Return the verdicts on the message's claims, a row a machine, in parts; claims that no machine answers are named.

    Each cell has what was measured and the verdict's icon.
    """
    by_claim = {one.claim.id: one for judged in fleets.judged.values() for one in judged}
    measured = {one.claim.id for judged in fleets.judged.values() for one in judged if one.measured is not None}
    shown = [name for name in by_claim if name in measured]
    there = [name for name, judged in fleets.judged.items() if any(one.measured for one in judged)]
    parts = [shown[start : start + _CLAIMS] for start in range(0, len(shown), _CLAIMS)]
    grids = [_verdicts(fleets, part, there) for part in parts]
    absent = [name for name in by_claim if name not in measured]
    note = [f"Measured on no machine: {', '.join(absent)}."] if absent and grids else []
    return [*grids[:-1], *(replace(grid, notes=(*_icons(fleets), *note)) for grid in grids[-1:])]


def _verdicts(fleets: FleetComparison, part: Sequence[str], machines: Sequence[str]) -> Grid:
    rows = []
    for machine in machines:
        judged = {one.claim.id: one for one in fleets.judged[machine]}
        rows.append((machine, *(_verdict(judged.get(name)) for name in part)))
    heads = ("place", *part)
    return build_grid("What the patch claimed, by machine", heads, "-" + "n" * len(part), rows)


def _verdict(judged: JudgedClaim | None) -> Shown:
    if judged is None or judged.measured is None:
        return formatting.ICONS[VerdictWord.NOT_MEASURED]
    return FormattedNumber(formatting.ratio(judged.measured).value, after=formatting.ICONS[judged.verdict.word])


def _icons(fleets: FleetComparison) -> tuple[str, ...]:
    said = {one.verdict.word for judged in fleets.judged.values() for one in judged}
    return ("; ".join(f"{icon} {word}" for word, icon in formatting.ICONS.items() if word in said),)


def tabulate_lab_places(label: str, members: Iterable[Member], known: Iterable[LabPlace]) -> Grid:
    """Return a row for each member that is to be measured: its tags, its state, and the label of its run."""
    there = {place.name: place for place in known}
    rows = []
    for member in members:
        place = there.get(member.place)
        tags = (
            ", ".join(f"{name}={value}" for name, value in sorted(place.tags.items())) if place else formatting.NOTHING
        )
        state = _place_state(place)
        rows.append((member.place, tags, state, member.label))
    return build_grid(f"The places of {label}", ("place", "tags", "now", "its run"), "----", rows)


def _place_state(place: LabPlace | None) -> str:
    if place is None:
        return "not in this lab any more"
    if place.holder:
        return f"held by {place.holder}"
    return "free" if place.resources else "free, and its board is not exported"
