"""Chunk streams of an imagined machine, as kernels/core/round.c would hand them out there: the truth is known.

What is imagined is what was measured on shared machines: a neighbour on the same core comes and goes in phases and
slows every kernel by a factor of its own; a kernel has modes of its own; Linux preempts, mostly noticed; the
frequency of a round is not that of the next; and some chunks are far off for no reason that anybody sees.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from rseqbench.measure.engines.gated import LIMIT_MS, SLOWEST_PROBE, SPREAD_S, WANTED_CHUNKS
from rseqbench.targets.measurements import Chunk

# In microseconds, but for the probe.
CHUNK, BETWEEN, NAP = 50.0, 5.0, 200.0
SHORTEST_PHASE, LONGEST_PHASE = 100.0, 2_500_000.0
PROBE, BUSY_PROBE = 1568.0, 1.7  # ticks when quiet, and how many times that beside a neighbour
MODES = ((0.05, 0.92), (0.50, 1.0), (1.0, 1.17))  # a rare one, the fast one, the slow one: cumulative share, slowness
_DRAWS = 9  # random numbers that a chunk may use


@dataclass(frozen=True)
class Kernel:
    """One timed loop: ns/op in its fast mode on a core of its own, and how many times that beside a neighbour."""

    cost: float
    busy: float


@dataclass(frozen=True)
class Machine:
    """What happens while chunks are timed, as shares of the time or of all chunks."""

    quiet: float = 0.4
    drift: float = 0.06
    preempted: float = 0.012
    missed: float = 0.03  # of the preempted
    odd: float = 0.02
    blind: bool = False  # its probes always say quiet


@dataclass(frozen=True)
class Round:
    """The chunks of each kernel, and the fastest probe of the run so far."""

    chunks: tuple[tuple[Chunk, ...], ...]
    fastest: int


class Stream:
    """The rounds of one run after the other; the same `seed` gives the same ones."""

    def __init__(self, machine: Machine, kernels: Sequence[Kernel], seed: int) -> None:
        self.machine = machine
        self.kernels = kernels
        self._dice = np.random.default_rng(seed)
        self._rows = chain.from_iterable(self._draw())
        self._fastest = round(PROBE)

    def _draw(self) -> Iterator[list[list[float]]]:
        while True:
            yield self._dice.random((4096, _DRAWS)).tolist()

    def run(self, rounds: int) -> list[Round]:
        """Return the rounds of a run on that machine."""
        neighbour = _Neighbour(self.machine.quiet, rounds, self._dice)
        self._fastest = round(PROBE * (1 + self.machine.drift))
        begin, found = 0.0, []
        for _ in range(rounds):
            chunks, end = self._round(neighbour, begin)
            found.append(Round(tuple(map(tuple, chunks)), self._fastest))
            begin = max(end, begin + SPREAD_S * 1e6)
        return found

    def _round(self, neighbour: "_Neighbour", now: float) -> tuple[list[list[Chunk]], float]:
        chunks: list[list[Chunk]] = [[] for _ in self.kernels]
        quiet, busy = [0] * len(self.kernels), [0] * len(self.kernels)
        speed = 1 + self.machine.drift * (2 * next(self._rows)[0] - 1)
        deadline = now + LIMIT_MS * 1e3
        while now < deadline:
            wanting = [i for i, count in enumerate(quiet) if count < WANTED_CHUNKS]
            if not wanting:
                break
            if all(busy[i] >= WANTED_CHUNKS // 2 for i in wanting):
                never = speed * PROBE > self._fastest * SLOWEST_PROBE
                now = deadline if never else min(deadline, neighbour.gone(now))
            for number in sorted(wanting, key=lambda _: next(self._rows)[0]):
                draws = next(self._rows)
                before = self._probe(neighbour, now, speed, draws[0])
                if not self._quiet(before) and busy[number] >= WANTED_CHUNKS // 2:
                    now += NAP
                    continue
                chunk, now = self._chunk(neighbour, now, speed, self.kernels[number], draws, before)
                chunks[number].append(chunk)
                if not chunk.disturbed:
                    calm = self._quiet(before), self._quiet(chunk.after)
                    quiet[number] += all(calm)
                    busy[number] += not any(calm)
        return chunks, now

    def _quiet(self, probe: int) -> bool:
        return probe <= self._fastest * SLOWEST_PROBE

    def _probe(self, neighbour: "_Neighbour", now: float, speed: float, draw: float) -> int:
        slower = BUSY_PROBE if neighbour.share(now, 0) and not self.machine.blind else 1
        ticks = round(PROBE * speed * slower * (1 + 0.015 * draw))
        self._fastest = min(self._fastest, ticks)
        return ticks

    def _chunk(
        self, neighbour: "_Neighbour", now: float, speed: float, kernel: Kernel, draws: list[float], before: int
    ) -> tuple[Chunk, float]:
        _, after, mode, odd, how_odd, noise, lost, how_long, seen = draws
        slower = 1 + neighbour.share(now, CHUNK) * (kernel.busy - 1)
        slower *= next(slowness for share, slowness in MODES if mode < share)
        slower *= 0.85 + 0.3 * how_odd if odd < self.machine.odd else 1
        slower *= 1 + 0.001 * _student(noise)
        length, disturbed = CHUNK * slower, False
        if lost < self.machine.preempted:
            length += 1000 + 7000 * how_long
            disturbed = seen >= self.machine.missed
        now += length
        value = kernel.cost * speed * length / CHUNK
        chunk = Chunk(value, before, self._probe(neighbour, now, speed, after), disturbed, 0)
        return chunk, now + BETWEEN


def _student(draw: float) -> float:
    """Student's t with two degrees of freedom: as heavy a tail as has no variance."""
    draw = min(max(draw, 1e-6), 1 - 1e-6)
    return (2 * draw - 1) / (2 * draw * (1 - draw)) ** 0.5


class _Neighbour:
    """Comes and goes. Its phases are of all lengths, short ones as likely as long ones; to be asked forward in time."""

    def __init__(self, quiet: float, rounds: int, dice: np.random.Generator) -> None:
        drawn = SHORTEST_PHASE * (LONGEST_PHASE / SHORTEST_PHASE) ** dice.random(60 * rounds)
        drawn[0::2] *= 2 * quiet
        drawn[1::2] *= 2 * (1 - quiet)
        ends = np.cumsum(np.maximum(drawn, SHORTEST_PHASE))
        self._ends = (ends - ends[-1] * 0.2 * dice.random()).tolist()  # a run begins in the middle of some phase
        self._phase = 0

    def _at(self, now: float) -> tuple[bool, float]:
        """Whether it is there, and until when that stays so."""
        while self._ends[self._phase] <= now:
            self._phase += 1
        return self._phase % 2 == 1, self._ends[self._phase]

    def share(self, now: float, length: float) -> float:
        """Return for how much of the time from `now` on it is there."""
        there, end = self._at(now)
        same = min(1.0, (end - now) / length) if length else 1.0
        return same if there else 1 - same

    def gone(self, now: float) -> float:
        """Return when it will have gone."""
        there, end = self._at(now)
        return end if there else now
