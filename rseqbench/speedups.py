"""Pure: the speed-ups inside each of two runs, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from rseqbench.analysis import dataset
from rseqbench.analysis.dataset import Key
from rseqbench.analysis.patch_claims import Pair
from rseqbench.model import Estimate


@dataclass(frozen=True)
class Speedup:
    """The quotient of a pair inside each of two runs; None where a run lacks one of the pair.

    `units` are those of the values behind the two: a quotient of instructions is none of times.
    """

    pair: Pair
    a: Estimate | None
    b: Estimate | None
    units: tuple[str, str]


def of_both(frame: pd.DataFrame, a: str, b: str, pairs: Sequence[Pair], confidence: float) -> list[Speedup]:
    """Return the quotient of each pair inside each run, where at least one run has it."""
    found = []
    for pair in pairs:
        keys: tuple[Key, Key] = (pair.arch, pair.slow, 1), (pair.arch, pair.fast, 1)
        both = [dataset.speedup(frame, label, *keys, confidence, pair.net) for label in (a, b)]
        if any(estimate is not None for estimate in both):
            units = dataset.unit(frame, a, pair.arch), dataset.unit(frame, b, pair.arch)
            found.append(Speedup(pair, both[0], both[1], units))
    return found
