"""The gated engine: chunks of all cases interleaved in one process; a chunk counts if the core was ours meanwhile.

What counts is decided here, from what kernels/core/round.c saw of each chunk: the probe before, the probe after, and
whether Linux ran something else. Nothing is ever rejected by its value. docs/method.md has the measurements behind
every constant.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from rseqbench.errors import TargetError
from rseqbench.measure.engines import CaseResult
from rseqbench.model import COUNTED, Case, Plan, Registration
from rseqbench.store.samples import FEWEST_CHUNKS, Sample
from rseqbench.targets import RunsGatedRounds, Target, require
from rseqbench.targets.measurements import Chunk, ChunkRequest, GatedRound

CHUNK_NS = 50_000
WANTED_CHUNKS = 96
TEAM_CHUNK_NS = 200_000  # of several threads, each on its CPU: they begin up to a microsecond apart
CROWD_CHUNK_NS = 2_000_000  # of more threads than CPUs, which take turns: long beside what waking them takes
TEAM_CHUNKS = 48  # of several threads, crowded or not
LEAST_STEPS = 2_000  # of the clock, in a chunk: a coarser clock makes chunks longer
LEAST_SHARE = 0.1  # of all tries that are quiet: in a short pause of a neighbour, chunks pass that it was in
SLOWEST_PROBE = 1.15  # times the fastest of the run: slower, and the core had a neighbour
LIMIT_MS = 2_500  # for a round on a core that is never ours, and more where chunks are long
CLOCK_SLACK = 0.01  # by which a round's tick may differ from the run's: more, and the clock jumped
SPREAD_S = 0.5  # neighbours come in phases of a second or two: rounds must not all fall into one
CONTENDED = "contended"
_PATIENCE = 4  # times what the wanted chunks take, where they are long
_CAPACITY = 8  # times the wanted chunks: room for those that do not count
_FASTER_PROBE = 10  # times faster than any before it: no CPU steps up its frequency by that much
_SETTLE_S = 2.0
_INSIDE = (
    0.85  # of a round's time is inside its chunks, where the core is ours (`inside` of a stored run: 0.85 to 0.95)
)


def chunk_size(threads: int, cpus: int, step_ns: float) -> tuple[int, int]:
    """Return how long a chunk of so many threads on so many CPUs is (ns), and how many are wanted in a round.

    `step_ns` is the least by which two readings of the clock differ.
    """
    if threads == 1:
        length, wanted = CHUNK_NS, WANTED_CHUNKS
    else:
        length, wanted = (TEAM_CHUNK_NS if threads <= cpus else CROWD_CHUNK_NS), TEAM_CHUNKS
    return max(length, round(LEAST_STEPS * step_ns)), wanted


@dataclass(frozen=True)
class ClassifiedChunks:
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


def classify_chunks(chunks: Sequence[Chunk], fastest: int) -> ClassifiedChunks:
    """Sort chunks: quiet (both probes fast, undisturbed), busy (both slow), disturbed by Linux, or mixed.

    `fastest` is the fastest probe of the whole run, in ticks.
    """
    slowest = fastest * SLOWEST_PROBE + 1e-6  # ticks are whole: exactly 115% is quiet, as round.c has it
    calm = [chunk for chunk in chunks if not chunk.disturbed]
    alone = [c for c in calm if c.before <= slowest and c.after <= slowest]
    busy = tuple(c.value for c in calm if c.before > slowest and c.after > slowest)
    mixed = len(calm) - len(alone) - len(busy)
    counted = tuple(c.counted for c in alone if c.counted)
    return ClassifiedChunks(tuple(c.value for c in alone), busy, len(chunks) - len(calm), mixed, counted)


class GatedEngine:
    """The engine `gated`."""

    def __init__(self) -> None:
        """Begin with nothing calibrated and no probe seen."""
        self._slots: dict[Case, ChunkRequest] = {}
        self._unsized: dict[Case, str] = {}  # why a case has no slot
        self._long_ms: dict[Case, float] = {}  # what the wanted chunks of a case take, where they are long ones
        self._fastest = 0
        self._tick = 0.0  # ns

    def prepare(self, target: Target, plan: Plan, cases: Sequence[Case]) -> None:
        """Size the chunks, and look out for the fastest probe for some seconds: it is the measure of quiet."""
        if not cases:
            return
        options = {"fastest": 0, "limit_ms": 20, "seed": 1, "capacity": 16}
        alone = replace(min(cases, key=lambda case: (case.threads, case.id)), threads=1)
        answers = [require(target, RunsGatedRounds).gate([ChunkRequest(alone, 1, 1000)], plan, options)]
        step_ns = answers[0].resolution * answers[0].ns_per_tick
        for case in cases:
            self._size(target, plan, case, step_ns)
        chunk_ns, _ = chunk_size(1, len(plan.cpus), step_ns)
        probing = ChunkRequest(alone, require(target, RunsGatedRounds).calibrate(alone, plan, chunk_ns), 1000)
        end = time.monotonic() + _SETTLE_S
        while time.monotonic() < end and not _settled([answer.fastest for answer in answers]):
            time.sleep(0.02)
            answers.append(require(target, RunsGatedRounds).gate([probing], plan, options))
        self._fastest = min(answer.fastest for answer in answers)
        self._tick = statistics.median(answer.ns_per_tick for answer in answers)

    def _size(self, target: Target, plan: Plan, case: Case, step_ns: float) -> None:
        """Size the chunks of a case; one that fails there is void in every round, and the others are not."""
        gating = require(target, RunsGatedRounds)
        chunk_ns, wanted = chunk_size(case.threads, len(plan.cpus), step_ns)
        try:
            self._slots[case] = ChunkRequest(case, gating.calibrate(case, plan, chunk_ns), wanted)
        except TargetError as error:
            self._unsized[case] = error.message
        self._long_ms[case] = wanted * chunk_ns * 1e-6 if chunk_ns > TEAM_CHUNK_NS else 0.0

    def steps(self, cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
        """Return all cases at once: their chunks are interleaved."""
        return (tuple(cases),) if cases else ()

    def expected_s(self, plan: Plan) -> float | None:
        """Return how long it looks for the fastest probe, and then the rounds, as far apart as they begin."""
        sizes = [chunk_size(case.threads, len(plan.cpus), 0) for case in plan.cases]
        inside = sum(chunk_ns * wanted for chunk_ns, wanted in sizes) * 1e-9 / _INSIDE
        return _SETTLE_S + plan.rounds * max(SPREAD_S, inside)

    def pause_s(self) -> float:
        """Return how far apart rounds begin."""
        return SPREAD_S

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
        """Measure all cases at once, interleaved."""
        yield from (CaseResult(case, None, self._unsized[case]) for case in cases if case in self._unsized)
        cases = [case for case in cases if case not in self._unsized]
        if not cases:
            return
        try:
            answer = self._ask(target, plan, number, cases)
            by_case = self._classify(answer)
        except TargetError as error:
            yield from (CaseResult(case, None, error.message) for case in cases)
            return
        for case, chunks, classified in zip(cases, answer.chunks, by_case, strict=True):
            if len(classified.quiet) < FEWEST_CHUNKS:
                why = f"{CONTENDED}: {len(classified.quiet)} of {classified.offered} chunks had the core to themselves"
                yield CaseResult(case, None, why)
            else:
                aborts = sum(chunk.aborts for chunk in chunks)
                yield CaseResult(case, self._sample(target, case, number, classified, answer, aborts))

    def _ask(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> GatedRound:
        slots = [self._slots[case] for case in cases]
        long_ms = _PATIENCE * sum(self._long_ms[case] for case in cases)
        options = {
            "fastest": self._fastest,
            "limit_ms": LIMIT_MS + round(long_ms),
            "seed": plan.seed * 1_000_003 + number * 2 + 1,
            "capacity": sum(_CAPACITY * slot.wanted for slot in slots),
        }
        return require(target, RunsGatedRounds).gate(slots, plan, options)

    def _classify(self, answer: GatedRound) -> list[ClassifiedChunks]:
        """Sort the chunks of each case. Raises TargetError where the round as a whole cannot be believed."""
        jumped = _jumped(answer, self._tick, self._fastest)
        if jumped:
            raise TargetError(f"the clock jumped: {jumped}")
        self._fastest = min(self._fastest, answer.fastest)
        classified = [classify_chunks(chunks, self._fastest) for chunks in answer.chunks]
        quiet = sum(len(chunks.quiet) for chunks in classified)
        tries = sum(chunks.offered for chunks in classified) + answer.waits
        if quiet < LEAST_SHARE * tries:
            raise TargetError(f"{CONTENDED}: the core was ours in {quiet} of {tries} tries")
        return classified

    def _sample(
        self, target: Target, case: Case, number: int, chunks: ClassifiedChunks, answer: GatedRound, aborts: int
    ) -> Sample:
        loops = self._slots[case].loops
        counters = zip(COUNTED, zip(*chunks.counted, strict=True), strict=False)
        return Sample(
            benchmark=case.benchmark,
            threads=case.threads,
            registration=Registration.NONE if case.registration == Registration.NONE else answer.registration,
            arch=target.arch,
            engine="gated",
            round=number,
            unit="second",
            values=tuple(value * 1e-9 for value in chunks.quiet),
            loops=loops,
            aborts=aborts,
            resolution=answer.resolution * answer.ns_per_tick / (statistics.median(chunks.quiet) * loops),
            busy_ns=statistics.median(chunks.busy) if len(chunks.busy) >= FEWEST_CHUNKS // 2 else None,
            counters={name: statistics.median(counts) for name, counts in counters},
            details={
                "chunks_offered": chunks.offered,
                "chunks_busy": len(chunks.busy),
                "chunks_mixed": chunks.mixed,
                "chunks_disturbed": chunks.disturbed,
                "probe_fastest": self._fastest,
                "inside": round(answer.inside, 4),
            },
        )


def _jumped(answer: GatedRound, tick: float, fastest: int) -> str:
    """Why the clock of a round cannot be believed, or empty; `tick` and `fastest` are what the run knows of it.

    This judges the clock, not the values: whatever a benchmark takes, it is neither nothing nor more than the round.
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


def _settled(fastest: list[int]) -> bool:
    """Whether the fastest probe has been met again and again, so that a faster one is not to be expected."""
    near = [ticks for ticks in fastest if ticks <= min(fastest) * 1.02]
    return len(near) >= 5
