"""How far to trust the rounds of a run: the same code under two names, at several places, and in several modes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rseqbench.analysis import dataset, stats
from rseqbench.config import VerdictRules
from rseqbench.model import CONTROLS, BenchmarkId, CaseKey

PLACED = tuple(BenchmarkId.of_parts("control", f"placed_{bytes_}") for bytes_ in (0, 16, 32, 48))
_GAP = 3  # the nearest of such rounds is so many times as far from the median as the farthest of the others


@dataclass(frozen=True)
class FalseAlarm:
    """Two names for the same code that a run finds apart by `difference`, a part of 1: it then proves nothing."""

    names: tuple[BenchmarkId, BenchmarkId]
    arch: str
    difference: float


def false_alarms(frame: pd.DataFrame, label: str, arch: str, rules: VerdictRules) -> list[FalseAlarm]:
    """Return the pairs of names for the same code that a run calls different."""
    alarms = []
    for a, b in CONTROLS:
        ratio = dataset.speedup(frame, label, CaseKey(arch, a), CaseKey(arch, b), rules.confidence)
        if ratio is not None and stats.beyond_floor(ratio, rules.floor):
            alarms.append(FalseAlarm((a, b), arch, abs(ratio.value - 1)))
    return alarms


@dataclass(frozen=True)
class PlacementSpread:
    """By how much the same loop differs between `places` in memory, as a part of 1; no interval covers that."""

    arch: str
    places: int
    spread: float


def placement_spread(frame: pd.DataFrame, label: str, arch: str) -> PlacementSpread | None:
    """Return what placement in memory does to the same loop; None where fewer than two copies were measured."""
    copies = [dataset.series(frame, label, CaseKey(arch, name)) for name in PLACED]
    known = [float(copy.median()) for copy in copies if len(copy)]
    return PlacementSpread(arch, len(known), max(known) / min(known) - 1) if len(known) > 1 else None


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
        for mode in _benchmark_modes(BenchmarkId(benchmark), int(threads), values[rows], rules)
    ]
    return sorted(found, key=lambda mode: -abs(math.log(mode.factor)))


def _benchmark_modes(benchmark: BenchmarkId, threads: int, values: stats.Floats, rules: VerdictRules) -> Iterable[Mode]:
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
