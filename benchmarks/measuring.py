"""Rounds of rseqbench's own engines, taken through its own API as `rseqbench run` takes them, and kept in memory."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from common import Clock

from rseqbench import config, paths
from rseqbench.analysis import dataset
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.errors import TargetError
from rseqbench.measure import engines
from rseqbench.measure import plan as planning
from rseqbench.measure.engines.composite import create_engine
from rseqbench.measure.rounds import MOST_VOID
from rseqbench.model import Case, Estimate, Plan
from rseqbench.targets import Target, resolve
from rseqbench.targets.measurements import ChunkRequest, GatedRound


class Watched:
    """A target that remembers its last gated round; everything else goes to the target itself."""

    def __init__(self, target: Target) -> None:
        """Take the target, entered."""
        self._target = target
        self.last: GatedRound | None = None
        self.asked_s = 0.0
        self.inside_s = 0.0

    def __getattr__(self, name: str) -> Any:
        """Hand on everything but gated rounds."""
        return getattr(self._target, name)

    def calibrate(self, *arguments: Any) -> int:
        """Hand on."""
        return self._target.calibrate(*arguments)

    def gate(self, slots: Sequence[ChunkRequest], *rest: Any) -> GatedRound:
        """Hand on; remember the answer, how long it took, and how much of that was inside chunks."""
        began = time.monotonic()
        self.last = self._target.gate(slots, *rest)
        self.asked_s = time.monotonic() - began
        each = zip(self.last.chunks, slots, strict=True)
        self.inside_s = sum(chunk.value * slot.loops for chunks, slot in each for chunk in chunks) * 1e-9
        return self.last


@dataclass(frozen=True)
class Session:
    """An entered target, what is measured on it, and the tolerances of bench.toml."""

    target: Any
    plan: Plan
    rules: config.VerdictRules

    @property
    def arch(self) -> str:
        """The architecture's name."""
        return str(self.target.arch)


@dataclass
class Rounds:
    """What a series of rounds gave: `rows` are columns of rseqbench.analysis.dataset, as far as ratios need them."""

    wanted: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    void: dict[str, list[str]] = field(default_factory=dict)  # benchmark -> why, once a round
    began: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    gated: list[GatedRound] = field(default_factory=list)
    asked_s: list[float] = field(default_factory=list)  # of each gated round: start, request, measurement, answer
    inside_s: list[float] = field(default_factory=list)  # of that, inside chunks
    prepare_s: float = 0.0
    wall_s: float = 0.0

    @property
    def done(self) -> int:
        """How many rounds there were."""
        return len(self.took)

    def value(self, benchmark: str) -> dict[int, float]:
        """Return a benchmark's value in every round that has one, in ns/op."""
        return {row["round"]: row["value"] for row in self.rows if row["benchmark"] == benchmark}

    def resolution(self, benchmark: str) -> float:
        """Return what share of a benchmark's value the clock cannot tell; 0 where that is not known."""
        known = [row["resolution"] for row in self.rows if row["benchmark"] == benchmark]
        return statistics.median(known) if known and not math.isnan(known[0]) else 0.0


@contextmanager
def session(benchmarks: Sequence[str] = ("all",), engine: str = "gated", preset: str = "default") -> Iterator[Session]:
    """Compile for this machine and enter its native target, as `rseqbench run` does."""
    settings = config.load(paths.default_config())
    requested = settings.options(None, {"preset": preset, "benchmarks": list(benchmarks)})
    options = resolve.resolve_options(requested, settings.linux, engine)
    with resolve.create_target(options) as target:
        plan = planning.make_plan(
            target.benchmarks(), options, settings.presets[preset], target.registration(), target.cpus(), seed=1
        )
        yield Session(Watched(target), plan, settings.verdict)


def take(of: Session, count: int, label: str, clock: Clock, spread: bool = True) -> Rounds:
    """Take `count` rounds, as far apart as the engine wants them unless not `spread`; fewer if the clock runs out.

    The same steps as rseqbench.rounds.run, without the checks before and the store behind.
    """
    rounds = Rounds(count)
    engine = create_engine(of.plan.engine)
    start = time.monotonic()
    engine.prepare(of.target, of.plan, of.plan.cases)
    rounds.prepare_s = time.monotonic() - start
    for number in range(count):
        if not clock.left:
            break
        begin = time.monotonic()
        of.target.new_round()
        _one(of, engine, number, label, rounds)
        rounds.began.append(begin)
        rounds.took.append(time.monotonic() - begin)
        if spread and number < count - 1:
            time.sleep(max(0.0, begin + engine.pause_s() - time.monotonic()))
    rounds.wall_s = time.monotonic() - start
    return rounds


def _one(of: Session, engine: engines.Engine, number: int, label: str, into: Rounds) -> None:
    of.target.last = None
    cases: list[Case] = planning.order_cases(of.plan, number, of.plan.cases)
    try:
        for taken in engine.round(of.target, of.plan, number, cases):
            if taken.sample is None:
                into.void.setdefault(taken.case.benchmark, []).append(taken.failure)
                continue
            value = taken.sample.value * 1e9
            into.rows.append(
                {
                    "label": label,
                    "arch": of.arch,
                    "benchmark": taken.case.benchmark,
                    "threads": taken.case.threads,
                    "round": number,
                    "unit": "ns",
                    "resolution": math.nan if taken.sample.resolution is None else taken.sample.resolution,
                    "value": value,
                }
            )
    except TargetError as error:  # a round that is lost is void for all, and counted
        for case in cases:
            into.void.setdefault(case.benchmark, []).append(error.message)
    if of.target.last is not None:
        into.gated.append(of.target.last)
        into.asked_s.append(of.target.asked_s)
        into.inside_s.append(of.target.inside_s)


def ratio(of: Session, rounds: Rounds, pair: ArchPair) -> Estimate | None:
    """Return slow/fast as rseqbench estimates it; None where it would say that there is no number."""
    if not rounds.done or any(
        len(rounds.void.get(name, ())) > MOST_VOID * rounds.done for name in (pair.slow, pair.fast)
    ):
        return None
    if not rounds.rows:
        return None
    frame = pd.DataFrame.from_records(rounds.rows)
    label = str(frame["label"].iloc[0])
    one, other = ((of.arch, name, 1) for name in (pair.slow, pair.fast))
    return dataset.speedup(frame, label, one, other, of.rules.confidence, pair.net)
