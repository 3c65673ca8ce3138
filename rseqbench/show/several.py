"""Pure: what limits many runs: each sentence once, with the runs that it is about."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pandas as pd

from rseqbench.report import caveats
from rseqbench.show import emulated
from rseqbench.store.runs import Header

_NAMED = 3  # runs named of those that something limits
_NO_COUNTS = pd.DataFrame({"interrupted": [], "values": []})  # what was left out of each stands in its own page
_NUMBER = re.compile(r"\d+(\.\d+)*")


def limits_of(runs: Sequence[Header], confidence: float, alike: bool = False) -> list[str]:
    """Return the sentences of all runs; where `alike`, those that differ in numbers only are told once, of the first.

    Fifty machines have fifty loads.
    """
    about: dict[str, tuple[str, list[str]]] = {}
    for header in runs:
        for text in (*emulated.limits(header, _NO_COUNTS), *caveats.limits(header, confidence)):
            key = _NUMBER.sub("0", text) if alike else text
            about.setdefault(key, (text, []))[1].append(header.label)
    return [_about(labels, len(runs)) + text for text, labels in about.values()]


def _about(labels: Sequence[str], of: int) -> str:
    return "" if len(labels) == of else f"{named(labels)}: "


def named(labels: Sequence[str], most: int = _NAMED) -> str:
    """Return labels in a line: "a, b, c and 4 more"."""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"{', '.join(labels[:most])}{more}"
