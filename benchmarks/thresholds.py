"""The measurements behind the constants of the gated engine: chunk length, probe threshold, quantile.

Prints three tables and the environment. About a minute without load; run it under stress-ng for the other columns of
docs/method.md.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import common

from rseqbench import arches, config, plan, stats, targets
from rseqbench.config import Preset
from rseqbench.engines.gated import SLOWEST_PROBE, WANTED_CHUNKS, gate
from rseqbench.model import Case, Chunk, Plan, Slot

KERNELS = (
    "counter/rseq",
    "counter/plain",
    "counter/getcpu_atomic",
    "cpu_id/rseq",
    "cpu_id/getcpu_syscall",
    "control/atomic_a",
)
ESTIMATORS: dict[str, Callable[[Sequence[float]], float]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "lower quartile": partial(stats.quantile, share=0.25),
    "lowest decile": stats.quantile,
    "minimum": min,
}


def spread(values: Sequence[float]) -> float:
    """Return the distance from the 10% to the 90% quantile, over the median."""
    return (stats.quantile(values, 0.9) - stats.quantile(values, 0.1)) / statistics.median(values)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    options = config.load().options(None, {"benchmarks": list(KERNELS)})
    with targets.create(arches.host(), options) as target:
        preset = Preset(rounds=rounds, values=1, value_ms=1.0)
        made = plan.make(target.benchmarks(), options, preset, target.registration(), target.cpus(), 1)
        for line in common.environment():
            print(line)
        for chunk_us in (10, 20, 50, 200):
            _one(target, made, chunk_us, rounds)


def _one(target: targets.Target, made: Plan, chunk_us: int, rounds: int) -> None:
    cases = [Case(name) for name in KERNELS]
    slots = [Slot(case, target.calibrate(case, made, chunk_us * 1000), WANTED_CHUNKS) for case in cases]
    fastest, streams = 0, []
    for number in range(rounds):
        target.new_round()
        wanted = {"fastest": fastest, "limit_ms": 2500, "seed": number + 1, "capacity": 8000}
        answer = target.gate(slots, made, wanted)
        fastest = min(fastest or answer.fastest, answer.fastest)
        streams.append(answer.chunks)
    every = [chunk for stream in streams for chunks in stream for chunk in chunks]
    quiet = [c for c in every if not c.disturbed and max(c.before, c.after) <= fastest * SLOWEST_PROBE]
    disturbed = sum(c.disturbed for c in every) / len(every)
    probes = sorted(max(c.before, c.after) / fastest for c in every)
    counted = len(quiet) / len(every)
    print(f"\nchunks of {chunk_us} us: {len(every)} offered, {counted:.1%} counted, {disturbed:.2%} disturbed")
    quantiles = ", ".join(f"{share:.0%} {stats.quantile(probes, share):.3f}" for share in (0.5, 0.9, 0.99))
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
        if len(top) >= stats.FEWEST_CHUNKS and len(bottom) >= stats.FEWEST_CHUNKS:
            found.append(estimate(top) / estimate(bottom))
    return found


def _values(chunks: Sequence[Chunk], fastest: int, gated: bool) -> list[float]:
    return list(gate(chunks, fastest).quiet) if gated else [chunk.value for chunk in chunks]


if __name__ == "__main__":
    main()
