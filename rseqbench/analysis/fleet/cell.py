"""Pure: what stands in a cell of a matrix of machines: the quotient of a pair on one machine, and a word for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rseqbench.analysis import compare, dataset, stats
from rseqbench.analysis.outcomes import Outcome, Reasons, TooFewRounds
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.analysis.stats import Floats
from rseqbench.config import VerdictRules
from rseqbench.model import CONTROLS, NO_BENCHMARK, BenchmarkId, CaseKey, Estimate


@dataclass(frozen=True)
class BenchmarkPair:
    """What a column is of: the quotient of a pair, or one benchmark in two fleets, which then is `slow` alone."""

    slow: BenchmarkId
    fast: BenchmarkId = NO_BENCHMARK
    net: bool = False
    threads: int = 1
    why: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        for name in ("slow", "fast"):
            object.__setattr__(self, name, BenchmarkId(getattr(self, name)))

    @property
    def is_control(self) -> bool:
        """Whether both are the same code, so that neither can be slower."""
        return (self.slow, self.fast) in CONTROLS


TIME = "ns"
EMULATED_TIME = "ns by a clock that qemu emulates"  # of a machine that was measured as if it were one


def timed(unit: str) -> bool:
    """Whether what is in a unit was timed, by whatever clock, and so has noise; counts have none."""
    return unit in (TIME, EMULATED_TIME)


@dataclass(frozen=True)
class Cell:
    """What came out on a machine: a ratio with its interval, and its outcome.

    `p` is that of two runs being equal, adjusted for all cells. Inside a fleet `each` are the quotients of the rounds,
    and `unsure` is the share of them that nothing can tell.
    """

    unit: str
    ratio: Estimate | None
    word: Outcome
    reasons: Reasons = ()
    p: float | None = None
    each: Floats = field(default_factory=lambda: np.empty(0), compare=False, repr=False)
    unsure: float = 0.0

    @property
    def value(self) -> float:
        """The quotient, not a number where there is none."""
        return self.ratio.value if self.ratio else math.nan

    @property
    def is_timed(self) -> bool:
        """Whether it is a quotient of times that are some, so that rounds can decide about it."""
        return self.unit == TIME and self.ratio is not None

    def at(self, confidence: float) -> Estimate:
        """Estimate the quotient from its rounds once more, with an interval that covers more often, or none."""
        return dataset.estimate_ratio(dataset.Ratios(self.each, self.unsure, self.unit), confidence)


def quotient(frame: pd.DataFrame, label: str, pair: ArchPair, rules: VerdictRules) -> Cell | None:
    """Return the quotient slow/fast of a pair inside run `label` with its word; None where there is none."""
    slow, fast = CaseKey(pair.arch, pair.slow), CaseKey(pair.arch, pair.fast)
    found = dataset.ratios(frame, label, slow, fast, pair.net)
    if found is None:
        return None
    ratio = dataset.estimate_ratio(found, rules.confidence)
    if timed(found.unit):
        return Cell(found.unit, ratio, *_outcome(ratio, rules), None, found.each, found.unsure)
    above, below = (_count(frame, label, key) for key in (slow, fast))
    _, outcome, reasons = compare.compare_counts(above, below, rules.confidence)
    unsure = stats.SAME_COUNT / above.value + stats.SAME_COUNT / below.value
    return Cell(found.unit, ratio, outcome, reasons, None, found.each, unsure)


def _count(frame: pd.DataFrame, label: str, key: CaseKey) -> Estimate:
    return stats.median(dataset.series(frame, label, key).to_list(), None)


def _outcome(ratio: Estimate, rules: VerdictRules) -> tuple[Outcome, Reasons]:
    """Return from slow/fast what the fast method is, by its own interval, and why where nothing is decided."""
    if not ratio.has_interval:
        return Outcome.UNRESOLVED, (TooFewRounds(ratio.n),)
    if stats.beyond_floor(ratio, rules.floor):
        return (Outcome.FASTER if ratio.value > 1 else Outcome.SLOWER), ()
    if compare.within(ratio, rules.same_within):
        return Outcome.EQUAL, ()
    return Outcome.UNRESOLVED, (compare.why_undecided(ratio, False, rules),)
