"""The gated engine: chunks of all cases interleaved in one process; a chunk counts if the core was ours meanwhile.

What counts is decided here, from what kernels/core/gate.c saw of each chunk: the probe before, the probe after, and
whether Linux ran something else. Nothing is ever rejected by its value. docs/method.md has the measurements behind
every constant.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyperf

from rseqbench.engines import Taken
from rseqbench.engines.plain import Plain
from rseqbench.errors import TargetError
from rseqbench.model import COUNTED, Case, Chunk, GatedRound, Plan, Registration
from rseqbench.stats import FEWEST_CHUNKS, quantile
from rseqbench.targets import Target

CHUNK_NS = 50_000
LEAST_STEPS = 2_000  # of the clock, in a chunk: a coarser clock makes chunks longer
WANTED_CHUNKS = 12
SLOWEST_PROBE = 1.15  # times the fastest of the run: slower, and the core had a neighbour
LIMIT_MS = 2_500  # for a round on a core that is never ours
CLOCK_SLACK = 0.01  # by which a round's tick may differ from the run's: more, and the clock jumped
SPREAD_S = 0.5  # neighbours come in phases of a second or two: rounds must not all fall into one
CONTENDED = "contended"
_CAPACITY_PER_CASE = 100
_FASTER_PROBE = 10  # times faster than any before it: no CPU steps up its frequency by that much
_SETTLE_S = 2.0


@dataclass(frozen=True)
class Sorted:
    """The chunks of one case in one round, sorted by what the gate says of them; values in ns/op.

    `counted` are the counters of the quiet ones, where the machine has any.
    """

    quiet: tuple[float, ...]
    busy: tuple[float, ...]
    disturbed: int
    mixed: int
    counted: tuple[tuple[float, float, float], ...] = ()

    @property
    def offered(self) -> int:
        """How many chunks there were in all."""
        return len(self.quiet) + len(self.busy) + self.disturbed + self.mixed


def gate(chunks: Sequence[Chunk], fastest: int) -> Sorted:
    """Sort chunks: quiet (both probes fast, undisturbed), busy (both slow), disturbed by Linux, or mixed.

    `fastest` is the fastest probe of the whole run, in ticks.
    """
    slowest = fastest * SLOWEST_PROBE
    calm = [chunk for chunk in chunks if not chunk.disturbed]
    alone = [c for c in calm if c.before <= slowest and c.after <= slowest]
    busy = tuple(c.value for c in calm if c.before > slowest and c.after > slowest)
    mixed = len(calm) - len(alone) - len(busy)
    counted = tuple(c.counted for c in alone if c.counted)
    return Sorted(tuple(c.value for c in alone), busy, len(chunks) - len(calm), mixed, counted)


class Gated:
    """The engine `gated`. Cases with several threads go through pyperf, and say so."""

    def __init__(self) -> None:
        """Begin with nothing calibrated and no probe seen."""
        self._loops: dict[Case, int] = {}
        self._fastest = 0
        self._tick = 0.0  # ns
        self._plain = Plain()
        self._began = 0.0

    def prepare(self, target: Target, plan: Plan, cases: Sequence[Case]) -> None:
        """Size the chunks, and look out for the fastest probe for some seconds: it is the measure of quiet."""
        alone = sorted((case for case in cases if case.threads == 1), key=lambda case: case.id)
        if not alone:
            return
        options = {"wanted": 1000, "fastest": 0, "limit_ms": 20, "seed": 1, "capacity": 16}
        seen = [target.gate(alone[:1], [1], plan, options)]
        chunk_ns = max(CHUNK_NS, round(LEAST_STEPS * seen[0].resolution * seen[0].ns_per_tick))
        self._loops = {case: target.calibrate(case, plan, chunk_ns) for case in alone}
        end = time.monotonic() + _SETTLE_S
        while time.monotonic() < end and not _settled([answer.fastest for answer in seen]):
            time.sleep(0.02)
            seen.append(target.gate(alone[:1], [self._loops[alone[0]]], plan, options))
        self._fastest = min(answer.fastest for answer in seen)
        self._tick = statistics.median(answer.ns_per_tick for answer in seen)

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[Taken]:
        """Measure all single-threaded cases at once, interleaved, then the others."""
        alone = [case for case in cases if case.threads == 1]
        if alone:
            yield from self._interleaved(target, plan, number, alone)
        yield from self._plain.round(target, plan, number, [case for case in cases if case.threads > 1])

    def pause_s(self) -> float:
        """Return how far apart rounds begin."""
        return SPREAD_S

    def _interleaved(self, target: Target, plan: Plan, number: int, cases: list[Case]) -> Iterator[Taken]:
        options = {
            "wanted": WANTED_CHUNKS,
            "fastest": self._fastest,
            "limit_ms": LIMIT_MS,
            "seed": plan.seed * 1_000_003 + number * 2 + 1,
            "capacity": _CAPACITY_PER_CASE * len(cases),
        }
        try:
            answer = target.gate(cases, [self._loops[case] for case in cases], plan, options)
        except TargetError as error:
            yield from (Taken(case, None, error.message) for case in cases)
            return
        jumped = _jumped(answer, self._tick, self._fastest)
        if jumped:
            yield from (Taken(case, None, f"the clock jumped: {jumped}") for case in cases)
            return
        self._fastest = min(self._fastest, answer.fastest)
        for case, chunks in zip(cases, answer.chunks, strict=True):
            found = gate(chunks, self._fastest)
            if len(found.quiet) < FEWEST_CHUNKS:
                why = f"{CONTENDED}: {len(found.quiet)} of {found.offered} chunks had the core to themselves"
                yield Taken(case, None, why)
            else:
                yield Taken(case, self._bench(target, case, number, found, answer, sum(c.aborts for c in chunks)))

    def _bench(
        self, target: Target, case: Case, number: int, chunks: Sorted, answer: GatedRound, aborts: int
    ) -> pyperf.Benchmark:
        metadata: dict[str, str | int | float] = {
            "name": case.id,
            "unit": "second",
            "loops": self._loops[case],
            "benchmark": case.benchmark,
            "arch": target.arch,
            "threads": case.threads,
            "engine": "gated",
            "round": number,
            "registration": Registration.NONE.value if case.registration == Registration.NONE else answer.registration,
            "aborts": aborts,
            "chunks_offered": chunks.offered,
            "chunks_busy": len(chunks.busy),
            "chunks_mixed": chunks.mixed,
            "chunks_disturbed": chunks.disturbed,
            "probe_fastest": self._fastest,
            "inside": round(answer.inside, 4),
            "date": datetime.now().isoformat(timespec="seconds"),
        }
        if len(chunks.busy) >= FEWEST_CHUNKS // 2:
            metadata["busy_ns"] = quantile(chunks.busy)
        for name, counts in zip(COUNTED, zip(*chunks.counted, strict=True), strict=False):
            metadata[name] = statistics.median(counts)
        values = [value * 1e-9 for value in chunks.quiet]
        return pyperf.Benchmark([pyperf.Run(values, metadata=metadata, collect_metadata=False)])


def _jumped(answer: GatedRound, tick: float, fastest: int) -> str:
    """Why the clock of a round cannot be believed, or empty; `tick` and `fastest` are what the run knows of it.

    This judges the clock, not the values: whatever a kernel takes, it is neither nothing nor more than the round.
    """
    if not answer.ns_per_tick > 0 or (tick and not abs(answer.ns_per_tick / tick - 1) <= CLOCK_SLACK):
        return f"a tick was {answer.ns_per_tick:g} ns and is {tick:g} ns in this run"
    if not 0 <= answer.inside <= 1:
        return f"the chunks took {answer.inside:.3g} times as long as the round"
    if not all(0 < chunk.value < math.inf for chunks in answer.chunks for chunk in chunks):
        return "a chunk took no time"
    if not answer.fastest * _FASTER_PROBE >= fastest:
        return f"a probe took {answer.fastest} ticks, never before fewer than {fastest}"
    return ""


def _settled(seen: list[int]) -> bool:
    """Whether the fastest probe has been met again and again, so that a faster one is not to be expected."""
    near = [ticks for ticks in seen if ticks <= min(seen) * 1.02]
    return len(near) >= 5
