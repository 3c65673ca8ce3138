"""Pure: benchmarks some of whose rounds lie in a mode of their own, far from the others; in a sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rseqbench.analysis import dataset, stats
from rseqbench.config import VerdictRules
from rseqbench.model import BenchmarkId

_GAP = 3  # the nearest of such rounds is so many times as far from the median as the farthest of the others


@dataclass(frozen=True)
class Mode:
    """`rounds` of the `of` rounds of a benchmark, on one side of its median, that take `factor` times as long."""

    benchmark: BenchmarkId
    threads: int
    rounds: int
    of: int
    factor: float


def modes(frame: pd.DataFrame, rules: VerdictRules) -> list[Mode]:
    """Return the modes of the rounds in the tidy table of a run, the farthest from its median first.

    Only of gated times: what another engine takes may be a neighbour's, and counts have no such thing.
    """
    gated = frame[(frame["engine"] == "gated") & (frame["unit"] == "ns")]
    groups: dataset.Groups = gated.groupby(["label", "arch", "benchmark", "threads"]).indices  # type: ignore[assignment]
    values = gated["value"].to_numpy()
    found = [
        mode
        for (_, _, benchmark, threads), rows in groups.items()
        for mode in _of(BenchmarkId(benchmark), int(threads), values[rows], rules)
    ]
    return sorted(found, key=lambda mode: -abs(math.log(mode.factor)))


def _of(benchmark: BenchmarkId, threads: int, values: stats.Floats, rules: VerdictRules) -> Iterable[Mode]:
    if stats.sign_rank(len(values), rules.confidence) is None:
        return
    factors = values / np.median(values)
    distances = np.abs(factors - 1)
    near, far = distances[distances <= rules.mode], distances[distances > rules.mode]
    if not len(far) or len(near) <= len(far) or far.min() <= _GAP * near.max():
        return  # none; or no others, or no gap between, so that the rounds just spread
    for side in (factors > 1 + rules.mode, factors < 1 - rules.mode):
        if side.any():
            yield Mode(benchmark, threads, int(side.sum()), len(values), float(np.median(factors[side])))
