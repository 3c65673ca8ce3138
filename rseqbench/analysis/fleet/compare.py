"""Fleets -> their machines and matrices. Of a run no more is kept than its cells, so fifty fit in memory."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pandas as pd

from rseqbench.analysis import compare, dataset, kernel_config, patch_claims
from rseqbench.analysis import verdicts as claims
from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.fleet import matrix
from rseqbench.analysis.fleet.cell import EMULATED_TIME, BenchmarkPair, Cell, quotient
from rseqbench.analysis.fleet.matrix import Matrix
from rseqbench.analysis.outcomes import (
    EmulatedClock,
    Failure,
    Lacks,
    NotClaimedNet,
    NothingToDivide,
    NotInFleet,
    NotSelected,
    OtherArchitectures,
    Outcome,
    Reason,
    Reasons,
    SameRun,
    SeveralMachines,
)
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.config import VerdictRules
from rseqbench.errors import ResultsError
from rseqbench.model import BASELINE, Machine
from rseqbench.store import fleets as index
from rseqbench.store.fleets import Fleet, Member
from rseqbench.store.runs import PATCH, Header, Store


@dataclass(frozen=True)
class FleetMachine:
    """A row: a place, and for each fleet its run's label and header; `reasons` are why it has no cells, else empty.

    A label is empty where the fleet has no such place.
    """

    name: str
    labels: tuple[str, ...]
    headers: tuple[Header | None, ...]
    reasons: Reasons = ()

    @property
    def machines(self) -> tuple[Machine, ...]:
        """The machine of each of its runs that there are."""
        return tuple(header.machines[0] for header in self.headers if header)


@dataclass(frozen=True)
class FleetComparison:
    """One fleet, or two place by place: a row a place, the matrices, and of one fleet the verdicts by place.

    Of two, `rows` are the comparisons of each place, judged together.
    """

    labels: tuple[str, ...]
    commands: tuple[str, ...]
    places: tuple[FleetMachine, ...]
    matrices: tuple[Matrix, ...]
    rules: VerdictRules
    judged: Mapping[str, tuple[JudgedClaim, ...]] = field(default_factory=dict)
    rows: Mapping[str, tuple[Comparison, ...]] = field(default_factory=dict)
    nowhere: tuple[BenchmarkPair, ...] = ()


def compare_machines(store: Store, label: str, rules: VerdictRules) -> FleetComparison:
    """Return a fleet alone: every pair of stated.pairs on every machine. Raises ResultsError without such a fleet."""
    fleet = index.load_fleet(store.root, label)
    asked = _Asked(store, fleet, tuple(_pairs(store, fleet)), dataset.build([store.load(PATCH)]), rules)
    answers = [_inside(asked, member) for member in fleet.members]
    found = {what: {place.name: cells[what] for place, cells, _ in answers if cells} for what in asked.pairs}
    places = tuple(place for place, _, _ in answers)
    matrices = matrix.matrices_of_fleet(found, [place.name for place in places], rules)
    judged = {place.name: verdicts for place, _, verdicts in answers if verdicts}
    named = (label,), (fleet.command,)
    return FleetComparison(*named, places, tuple(matrices), rules, judged=judged, nowhere=_nowhere(found))


@dataclass(frozen=True)
class _Asked:
    """What is asked of every machine: the pairs, and the claims of the message, whose table is `patch`."""

    store: Store
    fleet: Fleet
    pairs: tuple[BenchmarkPair, ...]
    patch: pd.DataFrame
    rules: VerdictRules


def _inside(asked: _Asked, member: Member) -> tuple[FleetMachine, dict[BenchmarkPair, Cell], tuple[JudgedClaim, ...]]:
    """Return a member's place, its cells, and the verdicts on the claims in the message's text."""
    run = _readable(asked.store, asked.fleet, member)
    place = _place((member,), (run,))
    if isinstance(run, Reason):
        return place, {}, ()
    header, frame = run
    cells = _cells(frame, header, asked.pairs, asked.rules)
    judged = claims.judge(frame, header.label, header.machines[0], asked.patch, asked.rules, header.plan.skips)
    return place, cells, tuple(one for one in judged if "@" not in one.claim.id)


Readable = tuple[Header, pd.DataFrame]


def _readable(store: Store, fleet: Fleet, member: Member) -> Readable | Reason:
    """Return a member's header and its table, a row a unit; or why there is none."""
    found = index.find_run(store, fleet, member)
    if isinstance(found, str):
        return Failure(found)
    folder, header = found
    if len(header.machines) > 1:
        return SeveralMachines(header.label, len(header.machines))
    try:
        return header, dataset.collapse_boots(dataset.read(folder, header))
    except ResultsError as error:
        return Failure(str(error))


def _place(members: Sequence[Member | None], runs: Sequence[Readable | Reason]) -> FleetMachine:
    """Return the place of `members`, one a fleet, None where a fleet has no such place, and of what they ran."""
    why = tuple(dict.fromkeys(run for run in runs if isinstance(run, Reason)))
    headers = tuple(None if isinstance(run, Reason) else run[0] for run in runs)
    name = next(member.place for member in members if member)
    return FleetMachine(name, tuple(member.label if member else "" for member in members), headers, why)


def _pairs(store: Store, fleet: Fleet) -> list[BenchmarkPair]:
    """Return the pairs worth showing on any of a fleet's architectures: what is claimed of one is asked of all."""
    arches = []
    for member in fleet.members:
        with contextlib.suppress(ResultsError):  # it will be told as the reason why the member has no cells
            arches.append(store.header(member.label)[1].machines[0].arch)
    pairs = patch_claims.pairs_on(list(dict.fromkeys(arches)))
    return list(dict.fromkeys(BenchmarkPair(pair.slow, pair.fast, pair.net, why=pair.why) for pair in pairs))


def _cells(
    frame: pd.DataFrame, header: Header, pairs: Sequence[BenchmarkPair], rules: VerdictRules
) -> dict[BenchmarkPair, Cell]:
    """Return a cell for each pair on a machine, for those without a value too, with the reason."""
    arch = header.machines[0].arch
    skips: dict[str, str] = {skip.benchmark: skip.reason for skip in header.plan.skips}
    measured, unit = set(frame["benchmark"]), dataset.unit(frame, header.label, arch)
    found, netted = {}, {(pair.slow, pair.fast) for pair in patch_claims.pairs_on([arch]) if pair.net}
    for what in pairs:
        if what.net and (what.slow, what.fast) not in netted:  # where nothing is left without the loop, it is noise
            found[what] = Cell(unit, None, Outcome.MISSING, (NotClaimedNet(arch),))
            continue
        cell = quotient(frame, header.label, ArchPair(arch, what.slow, what.fast, what.net, what.why), rules)
        found[what] = cell or _absent(what, measured, skips, unit)
    return _set_apart(found) if header.machines[0].emulates else found


def _set_apart(cells: Mapping[BenchmarkPair, Cell]) -> dict[BenchmarkPair, Cell]:
    """Return the cells of an emulated machine, whose times are never beside those of another, and decide nothing."""
    return {
        what: replace(cell, unit=EMULATED_TIME, word=Outcome.NOT_COMPARABLE, reasons=(EmulatedClock(),))
        if cell.ratio
        else replace(cell, unit=EMULATED_TIME)
        for what, cell in cells.items()
    }


def _absent(pair: BenchmarkPair, measured: set[str], skips: Mapping[str, str], unit: str) -> Cell:
    names = [pair.slow, pair.fast, *([BASELINE] if pair.net else [])]
    lacking = tuple(
        Lacks(name, Failure(skips[name]) if name in skips else NotSelected()) for name in names if name not in measured
    )
    return Cell(unit, None, Outcome.MISSING, lacking or (NothingToDivide(),))


def compare_fleets(store: Store, a: str, b: str, rules: VerdictRules) -> FleetComparison:
    """Return fleet `b` against fleet `a`, place by place: every benchmark on every machine, judged all together.

    A place that one of them lacks is a row with the reason. Raises ResultsError without such fleets.
    """
    fleets = index.load_fleet(store.root, a), index.load_fleet(store.root, b)
    members = [{member.place: member for member in fleet.members} for fleet in fleets]
    pairs = [(members[0].get(name), members[1].get(name)) for name in dict.fromkeys([*members[0], *members[1]])]
    answers = [_side_by_side(store, fleets, rules, member) for member in pairs]
    there = [(place, rows, same) for place, rows, same in answers if not place.reasons]
    judged = compare.judge_together([(rows, same) for _, rows, same in there], rules)
    by_name = {place.name: tuple(rows) for (place, _, _), rows in zip(there, judged, strict=True)}
    places, found = tuple(place for place, _, _ in answers), _columns([place for place, _, _ in there], by_name)
    matrices = matrix.matrices_of_two(found, [place.name for place in places])
    named = (a, b), tuple(fleet.command for fleet in fleets)
    return FleetComparison(*named, places, tuple(matrices), rules, rows=by_name, nowhere=_nowhere(found))


def _side_by_side(
    store: Store, fleets: tuple[Fleet, Fleet], rules: VerdictRules, members: tuple[Member | None, Member | None]
) -> tuple[FleetMachine, list[Comparison], bool]:
    """Return a place and its rows before they are judged, with whether both runs are of the same machine."""
    there = [member for member in members if member]
    a, b = (
        _readable(store, fleet, member) if member else NotInFleet(fleet.label)
        for fleet, member in zip(fleets, members, strict=True)
    )
    if len({member.label for member in there}) < len(there):
        b = SameRun(there[0].label)
    place = _place(members, (a, b))
    if isinstance(a, Reason) or isinstance(b, Reason):
        return place, [], False
    headers = (a[0], b[0])
    arches = [header.machines[0].arch for header in headers]
    if arches[0] != arches[1]:
        others = OtherArchitectures((arches[0], fleets[0].label), (arches[1], fleets[1].label))
        return replace(place, reasons=(others,)), [], False
    skips = [(header.label, skip) for header in headers for skip in header.plan.skips]
    frame = pd.concat([a[1], b[1]], ignore_index=True)
    labels = [header.label for header in headers]
    rows = compare.compare_benchmarks(frame, labels[0], labels[1], rules, skips, kernel_config.unlike(*headers))
    if _emulates(place):
        rows = compare.without_verdicts(rows)
    return place, rows, kernel_config.same_machine(*headers)


def _emulates(place: FleetMachine) -> bool:
    return any(machine.emulates for machine in place.machines)


def _columns(
    places: Sequence[FleetMachine], rows: Mapping[str, Sequence[Comparison]]
) -> dict[BenchmarkPair, dict[str, Cell]]:
    found: dict[BenchmarkPair, dict[str, Cell]] = {}
    for place in places:
        cells = {BenchmarkPair(row.benchmark, threads=row.threads): _compared(row) for row in rows[place.name]}
        for what, cell in (_set_apart(cells) if _emulates(place) else cells).items():
            found.setdefault(what, {})[place.name] = cell
    return found


def _compared(row: Comparison) -> Cell:
    unit = next((side.unit for side in (row.b, row.a) if side), "")
    return Cell(unit, row.ratio, row.word, row.reasons, row.p)


def _nowhere(found: Mapping[BenchmarkPair, Mapping[str, Cell]]) -> tuple[BenchmarkPair, ...]:
    """Return what no machine has a quotient of."""
    return tuple(what for what, cells in found.items() if not any(cell.ratio for cell in cells.values()))
