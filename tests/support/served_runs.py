"""Runs of the allocator server, with costs that are known."""

from __future__ import annotations

import json

import pyperf

from rseqbench.model import Case, Machine, Plan, Registration
from rseqbench.store.runs import Header, Run

PHASE = {"threads": 8, "work": 0, "requests": 10, "seconds": 0.5, "rate": 22.0, "inside": 0.75, "all": 12,
         "waits": 3, "getcpu_calls": 6,
         "share": 0.5, "allocator_ns": 100.0}  # fmt: skip


def phase(work, mean, share, **more):
    return {**PHASE, "work": work, "mean": mean, "p50": mean, "p99": 2 * mean, "p99.9": 3 * mean, "max": 9 * mean,
            "share": share, **more}  # fmt: skip


def bench(method, number, served, **more):
    metadata = {"name": f"jemalloc/{method}", "unit": "second", "benchmark": f"jemalloc/{method}", "round": number,
                "arch": "x86_64", "threads": 1, "registration": "glibc", "engine": "server", "aborts": 0, "loops": 1,
                "peak_bytes": 1_000_000 + number, "step_ns": 2.0, "getcpu_ns": 2.0, "phases": json.dumps(served),
                **more}  # fmt: skip
    return pyperf.Run([1e-6], metadata=metadata, collect_metadata=False)


def stored(tmp_path, costs, rounds=10, skips=(), **more):
    """Return a run: what a request takes by method and work, the share of each work, the same in all rounds."""
    runs = {
        method: [
            bench(
                method, n, [phase(work, mean, share) for work, (mean, share) in works.items()], **more.get(method, {})
            )
            for n in range(rounds)
        ]
        for method, works in costs.items()
    }
    cases = tuple(Case(f"jemalloc/{method}", 1, Registration.GLIBC) for method in costs)
    plan = Plan(cases, tuple(skips), rounds, 1, 1.0, 1, "gated", "quick", (0,))
    header = Header("r", "", "", plan, (Machine("x86_64", "native", "hardware"),))
    suite = pyperf.BenchmarkSuite([pyperf.Benchmark(found) for found in runs.values()])
    return Run(tmp_path, header, suite)


COSTS = {
    "shipped": {0: (1000.0, 0.6), 1000: (10_000.0, 0.1)},
    "pools_rseq": {0: (800.0, 0.5), 1000: (9800.0, 0.08)},
    "pools_lsl": {0: (1600.0, 0.8), 1000: (10_600.0, 0.2)},
}
