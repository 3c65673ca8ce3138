"""What the keeper could not do, as it is told to the other side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any


class Refused(Exception):
    """One line for a person: `message`, and what to do, `hint`.

    usage: it was asked for something that is not there; words: what ssh said, where it was ssh that failed.
    """

    def __init__(self, message: str, hint: str = "", *, usage: bool = False, words: str = "") -> None:
        """Take all of it."""
        super().__init__(message)
        self._told = {"error": message, "hint": hint, "usage": usage, "words": words}

    def told(self) -> dict[str, Any]:
        """Return it as the fields of an answer."""
        return self._told


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
