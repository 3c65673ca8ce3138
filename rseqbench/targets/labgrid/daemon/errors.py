"""What the keeper could not do, as it is told to the other side."""

from __future__ import annotations

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
