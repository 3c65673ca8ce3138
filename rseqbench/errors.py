"""The errors a user can meet. Each is one line: what was wrong, where, and what to do about it."""

from __future__ import annotations

import csv
import difflib
import json
from collections.abc import Iterable

_NAMED = 100  # names that an error lists at most


class RseqbenchError(Exception):
    """Base of all errors that are shown as one line."""

    def __init__(self, message: str, hint: str = "") -> None:
        """Take what went wrong and where (`message`), and what to do about it (`hint`)."""
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class UsageError(RseqbenchError):
    """The command line asks for something that is not there or makes no sense: misuse, unlike a run that failed."""


class ConfigError(UsageError):
    """bench.toml is malformed: names the file, the key and what was expected."""


class ResultsError(UsageError):
    """A stored run is missing, damaged, foreign, in the way or cannot be written."""


class BuildError(UsageError):
    """The benchmarks cannot be compiled: no compiler, missing headers, or the compiler's own words."""


class TargetError(RseqbenchError):
    """The target failed while it worked: a worker died, timed out or answered garbage."""


class CheckError(RseqbenchError):
    """A benchmark's exactness check failed, so it must not be timed."""


def describe_damage(error: Exception) -> str:
    """Return why a file cannot be read, in words, from the error that reading it raised."""
    if isinstance(error, json.JSONDecodeError):
        return "it is not JSON"
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]}"
    own = isinstance(error, ValueError | csv.Error)
    return str(error) if own else "something in it is not of its kind, is missing or is unknown"


def unknown_name(kind: str, name: str, known: Iterable[str], where: str = "") -> UsageError:
    """Build the error for a name that is not there, with the nearest names that are."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    hint = f"did you mean {', '.join(near)}?" if near else f"there is: {', '.join(names[:_NAMED]) or 'none'}{more}"
    return UsageError(f"unknown {kind} {name!r}" + (f" {where}" if where else ""), hint)
