"""Pure: the grid of the places of a lab that a fleet means."""

from __future__ import annotations

from collections.abc import Iterable

from rseqbench.fleet.index import Fleet
from rseqbench.lab.desk import Place
from rseqbench.show import words
from rseqbench.show.grids import Grid, make


def places(fleet: Fleet, known: Iterable[Place]) -> Grid:
    """Return a row a member: its tags, who holds it now, whether its board is there, and the label of its run."""
    there = {place.name: place for place in known}
    rows = []
    for member in fleet.members:
        place = there.get(member.place)
        tags = ", ".join(f"{name}={value}" for name, value in sorted(place.tags.items())) if place else words.NOTHING
        state = _state(place)
        rows.append((member.place, tags, state, member.label))
    return make(f"The places of {fleet.label}", ("place", "tags", "now", "its run"), "----", rows)


def _state(place: Place | None) -> str:
    if place is None:
        return "not in this lab any more"
    if place.holder:
        return f"held by {place.holder}"
    return "free" if place.resources else "free, and its board is not exported"
