"""What a target answers when it is asked to measure: times, the chunks of gated rounds, and counts of instructions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rseqbench.model import Case


@dataclass(frozen=True)
class ChunkRequest:
    """What a gated round is asked for: `wanted` chunks of a case, `loops` operations each in every thread."""

    case: Case
    loops: int
    wanted: int


@dataclass(frozen=True)
class Chunk:
    """One timed chunk of a gated round: ns/op, what the probes took (ticks), whether it was disturbed, its aborts.

    `counted` are instructions, cycles and branch misses per operation, in user mode; None where nothing counts them.
    """

    value: float
    before: int
    after: int
    disturbed: bool
    aborts: int
    counted: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class GatedRound:
    """What a target answers to a gated round: the chunks of each slot asked for, in the same order.

    `fastest` is the fastest probe and `resolution` the clock's smallest step, both in ticks of `ns_per_tick`;
    `inside` is the share of the round that was spent in timed chunks.
    """

    chunks: tuple[tuple[Chunk, ...], ...]
    fastest: int
    resolution: int
    ns_per_tick: float
    inside: float
    waits: int
    registration: str


@dataclass(frozen=True)
class Counts:
    """How many instructions an emulated machine took for a case: each of `taken[i]` covers `operations[i]` operations.

    Each was repeated as often as asked. A count may be off by `step` instructions, the clock's smallest step, and
    holds whatever the emulated Linux did meanwhile.
    """

    operations: tuple[int, ...]
    taken: tuple[tuple[int, ...], ...]
    step: int
    aborts: int
    registration: str


@dataclass(frozen=True)
class LoopTimes:
    """The times of a case in one process, taken as pyperf takes them: seconds per operation, `loops` of them a value.

    `registration` is the one that the process really had. `warmups` are times of the same kind that do not count, each
    with its loops; `details` is what pyperf notes of the process.
    """

    loops: int
    values: tuple[float, ...]
    aborts: int
    registration: str
    warmups: tuple[tuple[int, float], ...] = ()
    details: Mapping[str, str | int | float] = field(default_factory=dict)
