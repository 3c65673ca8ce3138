"""What a person types to do by hand what we do in a lab."""

from __future__ import annotations

import os
from collections.abc import Sequence


def client(coordinator: str, place: str, what: Sequence[str], environment: str = "") -> tuple[str, ...]:
    """Return the call of labgrid-client that does `what` with a place; an empty coordinator is labgrid's own choice.

    With an environment, which may also come from $LG_ENV, it acquires and releases all places that are in there.
    """
    only = ("env", "LG_ENV=") if os.environ.get("LG_ENV") and not environment else ()
    chosen = ("-c", environment) if environment else ()
    return (*only, *asking(coordinator, (*chosen, "-p", place, *what)))


def asking(coordinator: str, what: Sequence[str]) -> tuple[str, ...]:
    """Return the call of labgrid-client that is about no place of its own, such as `who`."""
    return ("labgrid-client", *(("-x", coordinator) if coordinator else ()), *what)
