"""Pure: the grid of the runs in the results folder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rseqbench.model import Machine
from rseqbench.report.tables import Cell, Grid, Reason, make
from rseqbench.store.manage import Entry
from rseqbench.store.runs import Header

Record = dict[str, object]


_NARROW = 80
_HEADS = ("label", "when (UTC)", "machine", "Linux", "target", "state", "rounds")
_KEPT = (0, 1, 5, 6)  # of the columns, where all would be words broken in pieces


def runs(found: Sequence[Entry], where: str, width: int) -> Grid:
    """Return a row a run, in the order given; the time is UTC, as it is stored. In a small `width` some is left out."""
    rows = [_row(entry) for entry in found]
    if width >= _NARROW:
        return make(f"Runs in {where}", _HEADS, "------n", rows)
    few = [row if len(row) < len(_HEADS) else [row[place] for place in _KEPT] for row in rows]
    note = f"In {width} columns there is no room for machine, Linux and target."
    return make(f"Runs in {where}", [_HEADS[place] for place in _KEPT], "---n", few, [note])


def _row(entry: Entry) -> tuple[Cell, ...]:
    if entry.places:
        return entry.label, Reason(f"fleet, {entry.done} of {entry.places} places done")
    if entry.header is None:
        return entry.label, Reason(f"{'' if entry.finished else 'unfinished, '}unreadable: {entry.problem}")
    header = entry.header
    rounds = str(header.plan.rounds) if entry.finished else f"{entry.done} of {header.plan.rounds}"
    targets = _each(machine.target for machine in header.machines)
    return entry.label, _minute(entry.when), _machines(header), _facts(header, "linux"), targets, entry.state, rounds


def _machines(header: Header) -> str:
    return _each(_machine(machine) for machine in header.machines)


def _machine(machine: Machine) -> str:
    """Name a machine by its CPU; an emulated one has none worth a name."""
    cpu = "emulated" if machine.timing == "emulated" else str(machine.facts.get("cpu", "unknown CPU"))
    return f"{machine.arch}, {cpu}"


def _facts(header: Header, name: str) -> str:
    return _each(str(machine.facts[name]) for machine in header.machines if name in machine.facts)


def _each(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _minute(when: str) -> str:
    """Return "2026-11-25 21:33" of a time in ISO 8601."""
    return when[:16].replace("T", " ")


def records(found: Sequence[Entry]) -> list[Record]:
    """Return the same as data: a record a run, null where something is not known."""
    return [_record(entry) for entry in found]


def _record(entry: Entry) -> Record:
    header = entry.header
    return {
        "label": entry.label,
        "state": entry.state,
        "complete": entry.finished and header is not None,
        "problem": entry.problem or None,
        "when": entry.when or None,
        "created": header.created if header else None,
        "machines": [
            {"arch": one.arch, "cpu": one.facts.get("cpu"), "linux": one.facts.get("linux"), "target": one.target,
             "timing": one.timing}
            for one in header.machines
        ] if header else [],
        "engine": header.plan.engine if header else None,
        "rounds": entry.done if header else None,
        "planned_rounds": header.plan.rounds if header else None,
        "places": entry.places or None,
        "places_done": entry.done if entry.places else None,
    }  # fmt: skip
