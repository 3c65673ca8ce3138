"""Where in a table each benchmark is: found once, as of a fleet some ten thousand questions are asked."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Rows = NDArray[np.intp]
_NONE: Rows = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Lookup:
    """A table's columns as arrays, as pandas takes its time for each; `rows` of a benchmark are in order of rounds.

    `units` is by label and arch.
    """

    columns: Mapping[str, NDArray[Any]]
    rows: Mapping[tuple[str, str, str, int], Rows]
    units: Mapping[tuple[str, str], str]

    def values(self, label: str, key: tuple[str, str, int], column: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the numbers of the rounds of one benchmark of one run, ascending, and a column, without NaN."""
        rows = self.rows.get((label, *key), _NONE)
        rounds, values = self.columns["round"][rows], self.columns[column][rows]
        known = ~np.isnan(values)
        return rounds[known], values[known]


def of(frame: pd.DataFrame) -> Lookup:
    """Return where in a table what is. That of the last one is kept: nobody changes a table once it is built."""
    global _last  # noqa: PLW0603 - one slot
    whose, found = _last
    if whose is None or whose() is not frame:
        found = _looked(frame)
        _last = weakref.ref(frame), found
    return found


def _looked(frame: pd.DataFrame) -> Lookup:
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    keys = [columns[name].tolist() for name in ("label", "arch", "benchmark", "threads")]
    places: dict[tuple[str, str, str, int], list[int]] = {}
    units: dict[tuple[str, str], str] = {}
    for row, (label, arch, benchmark, threads) in enumerate(zip(*keys, strict=True)):
        places.setdefault((label, arch, benchmark, threads), []).append(row)
        units.setdefault((label, arch), str(columns["unit"][row]))
    rounds = columns["round"].tolist()
    rows = {key: np.asarray(sorted(own, key=rounds.__getitem__), dtype=np.intp) for key, own in places.items()}
    return Lookup(columns, rows, units)


_last: tuple[weakref.ref[pd.DataFrame] | None, Lookup] = None, Lookup({}, {}, {})
