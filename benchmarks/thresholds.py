"""The measurements behind the constants of the gated engine: chunk length, probe threshold, quantile, chunks a round.

Prints a table for each chunk length, then how wide the intervals of 22 rounds are by the quantile and by how many
chunks a round has, and the environment. About two minutes without load.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import common

from rseqbench import config, targets
from rseqbench.analysis import stats
from rseqbench.config import Preset
from rseqbench.measure import plan
from rseqbench.measure.engines.gated import SLOWEST_PROBE, WANTED_CHUNKS, classify_chunks
from rseqbench.model import Case, Plan
from rseqbench.store import samples
from rseqbench.targets import resolve
from rseqbench.targets.measurements import Chunk, ChunkRequest

KERNELS = (
    "counter/rseq",
    "counter/plain",
    "counter/getcpu_atomic",
    "cpu_id/rseq",
    "cpu_id/getcpu_syscall",
    "control/atomic_a",
)
MODAL = (
    "cpu_id/sched_getcpu_norseq",
    "cpu_id/getcpu_vdso",
    "ring_buffer/rseq",
    "freelist/getcpu_cas",
    "freelist/malloc",
)
CHUNKS = (12, 24, 48, WANTED_CHUNKS)
DRAWS = 300  # of 22 rounds each, for the half-width that is usual
ESTIMATORS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "lower quartile": partial(samples.quantile, share=0.25),
    "lowest decile": samples.quantile,
    "minimum": min,
}


def spread(values: Sequence[float]) -> float:
    """Return the distance from the 10% to the 90% quantile, over the median."""
    return (samples.quantile(values, 0.9) - samples.quantile(values, 0.1)) / statistics.median(values)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    settings = config.load()
    requested = settings.options(None, {"benchmarks": [*KERNELS, *MODAL]})
    options = resolve.resolve_options(requested, settings.linux, "gated")
    with resolve.create_target(options) as target:
        preset = Preset(rounds=rounds, values=1, value_ms=1.0)
        made = plan.make_plan(target.benchmarks(), options, preset, target.registration(), target.cpus(), 1)
        for line in common.environment():
            print(line)
        for chunk_us in (10, 20, 50, 200):
            _one(target, made, chunk_us, rounds)
        _widths(*_take(target, made, (KERNELS[0], *MODAL), 50, rounds))


def _take(
    target: targets.Target, made: Plan, names: Sequence[str], chunk_us: int, rounds: int
) -> tuple[list[Sequence[Sequence[Chunk]]], int]:
    """Return the chunks of each kernel in each round, and the fastest probe of all."""
    cases = [Case(name) for name in names]
    slots = [ChunkRequest(case, target.calibrate(case, made, chunk_us * 1000), WANTED_CHUNKS) for case in cases]
    fastest, streams = 0, []
    for number in range(rounds):
        target.new_round()
        wanted = {"fastest": fastest, "limit_ms": 2500, "seed": number + 1, "capacity": 8000}
        answer = target.gate(slots, made, wanted)
        fastest = min(fastest or answer.fastest, answer.fastest)
        streams.append(answer.chunks)
    return streams, fastest


def _widths(streams: Sequence[Sequence[Sequence[Chunk]]], fastest: int) -> None:
    """Print the usual half-width of the interval of a kernel over counter/rseq, in percent, 22 rounds each."""
    print("\nhalf-width in percent of the interval of 22 rounds, over counter/rseq, chunks of 50 us")
    quiet = [[_values(chunks, fastest, True) for chunks in stream] for stream in streams]
    rows = []
    for count in CHUNKS:
        for name, estimate in ESTIMATORS.items():
            cells = [f"{_half_width(quiet, kernel, count, estimate):.2f}" for kernel in range(1, len(MODAL) + 1)]
            rows.append([str(count), name, *cells])
    print(common.table(["chunks", "estimator", *(name.partition("/")[2] for name in MODAL)], rows))


def _half_width(
    quiet: Sequence[Sequence[Sequence[float]]], kernel: int, count: int, estimate: Callable[[Sequence[float]], float]
) -> float:
    pairs = [(one[kernel][:count], one[0][:count]) for one in quiet if min(len(one[kernel]), len(one[0])) >= count // 2]
    ratios = [estimate(top) / estimate(bottom) for top, bottom in pairs]
    dice, found = random.Random(1), []
    for _ in range(DRAWS):
        drawn = stats.median(dice.choices(ratios, k=22))
        assert drawn.low is not None and drawn.high is not None
        found.append((drawn.high - drawn.low) / 2 / drawn.value)
    return 100 * statistics.median(found)


def _one(target: targets.Target, made: Plan, chunk_us: int, rounds: int) -> None:
    streams, fastest = _take(target, made, KERNELS, chunk_us, rounds)
    every = [chunk for stream in streams for chunks in stream for chunk in chunks]
    quiet = [c for c in every if not c.disturbed and max(c.before, c.after) <= fastest * SLOWEST_PROBE]
    disturbed = sum(c.disturbed for c in every) / len(every)
    probes = sorted(max(c.before, c.after) / fastest for c in every)
    counted = len(quiet) / len(every)
    print(f"\nchunks of {chunk_us} us: {len(every)} offered, {counted:.1%} counted, {disturbed:.2%} disturbed")
    quantiles = ", ".join(f"{share:.0%} {samples.quantile(probes, share):.3f}" for share in (0.5, 0.9, 0.99))
    print(f"probe / fastest, quantiles: {quantiles}")
    rows = []
    for name, estimate in ESTIMATORS.items():
        gated = _ratios(streams, fastest, estimate, True)
        rows.append([name, *(f"{spread(_ratios(streams, fastest, estimate, g)):.2%}" for g in (False, True))])
        rows[-1].append(f"{statistics.median(gated):.4f}" if gated else "-")
    print(common.table(["estimator", "spread, all chunks", "spread, gated", "getcpu_atomic / rseq"], rows))


def _ratios(
    streams: Sequence[Sequence[Sequence[Chunk]]],
    fastest: int,
    estimate: Callable[[Sequence[float]], float],
    gated: bool,
) -> list[float]:
    """Return counter/getcpu_atomic over counter/rseq of each round that has enough of both."""
    found = []
    for stream in streams:
        top, bottom = (_values(stream[KERNELS.index(name)], fastest, gated) for name in (KERNELS[2], KERNELS[0]))
        if len(top) >= samples.FEWEST_CHUNKS and len(bottom) >= samples.FEWEST_CHUNKS:
            found.append(estimate(top) / estimate(bottom))
    return found


def _values(chunks: Sequence[Chunk], fastest: int, gated: bool) -> list[float]:
    return list(classify_chunks(chunks, fastest).quiet) if gated else [chunk.value for chunk in chunks]


if __name__ == "__main__":
    main()
