"""What `compare` and `report` do where their labels are those of fleets; options stand there, the rooms do the work."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from rseqbench.cli import State

if TYPE_CHECKING:
    from rseqbench.analysis.fleet.compare import Machines

_MOST = 2  # fleets


@contextlib.contextmanager
def _unswept() -> Iterator[None]:
    """Look for no rings of garbage: there are none among millions of values, and looking is a tenth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def fleets(state: State, labels: Sequence[str]) -> Machines | None:
    """Return what a fleet says, or two of them; None where the labels are those of runs.

    Garbage is collected again when the command ends. Raises UsageError for a mixture, for more than two, and for the
    same one twice.
    """
    from rseqbench.analysis.fleet import compare
    from rseqbench.errors import UsageError
    from rseqbench.store import fleets as index

    store, rules = state.store(), state.config().verdict
    known = [label for label in labels if index.is_fleet(store.root, label)]
    if not known:
        return None
    if len(known) < len(labels):
        other = next(label for label in labels if label not in known)
        raise UsageError(f"{known[0]!r} is a fleet and {other!r} is none", "give one fleet, two fleets, or runs only")
    if len(set(labels)) < len(labels):
        raise UsageError(f"{labels[0]!r} is given twice", "give one fleet, or two different ones")
    if len(labels) > _MOST:
        raise UsageError(f"{len(labels)} fleets", "give one, or two to be held against each other")
    click.get_current_context().with_resource(_unswept())
    if len(labels) == 1:
        return compare.one(store, labels[0], rules)
    return compare.two(store, labels[0], labels[1], rules)
