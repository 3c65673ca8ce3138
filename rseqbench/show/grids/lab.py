"""Pure: the grid of the places of a lab that a fleet means."""

from __future__ import annotations

from collections.abc import Iterable

from rseqbench.report import formatting
from rseqbench.report.tables import Grid, make
from rseqbench.store.fleets import Member
from rseqbench.targets.labgrid.client import Place


def places(label: str, members: Iterable[Member], known: Iterable[Place]) -> Grid:
    """Return a row for each member that is to be measured: its tags, its state, and the label of its run."""
    there = {place.name: place for place in known}
    rows = []
    for member in members:
        place = there.get(member.place)
        tags = (
            ", ".join(f"{name}={value}" for name, value in sorted(place.tags.items())) if place else formatting.NOTHING
        )
        state = _state(place)
        rows.append((member.place, tags, state, member.label))
    return make(f"The places of {label}", ("place", "tags", "now", "its run"), "----", rows)


def _state(place: Place | None) -> str:
    if place is None:
        return "not in this lab any more"
    if place.holder:
        return f"held by {place.holder}"
    return "free" if place.resources else "free, and its board is not exported"
