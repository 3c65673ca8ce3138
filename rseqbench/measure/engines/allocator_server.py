"""A server over each allocator: once a round, all amounts of work in one process, latencies as HdrHistograms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from hdrh.histogram import HdrHistogram

from rseqbench.errors import RseqbenchError
from rseqbench.measure.engines import CaseResult
from rseqbench.model import Case, Plan
from rseqbench.store.samples import Sample
from rseqbench.targets import RunsPrograms, Target, require
from rseqbench.workloads import jemalloc

LIMIT_S = 120.0
_HIGHEST_NS = 1 << 32  # the server ends where a latency is longer, so that no histogram ever drops one
_DIGITS = 3
_SEED_STEP = 1_000_003  # orders of neighbouring rounds are drawn from unlike numbers
_AS_PRINTED = (
    "threads",
    "work",
    "requests",
    "seconds",
    "rate",
    "inside",
    "all",
    "waits",
    "getcpu_calls",
    "share",
    "allocator_ns",
)
_LIBRARIES = ("library", "jemalloc", "percpu_arena", "pools")
_QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}


def run(target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
    """Serve over each of the allocators that `cases` are, in their order, for round `number`."""
    arguments = jemalloc.server_arguments(plan.cpus, plan.seed + _SEED_STEP * number)
    for case in cases:
        method = jemalloc.BY_NAME[case.benchmark]
        try:
            start, *rest = jemalloc.server_command(method)
            ran = require(target, RunsPrograms).run(start, [*rest, *arguments], case.registration, LIMIT_S)
            document = jemalloc.parse_document(method, ran, case.registration)
            yield CaseResult(case, _sample(target, case, number, document))
        except RseqbenchError as error:
            yield CaseResult(case, None, error.message)


def summarise_phase(phase: Mapping[str, Any]) -> dict[str, Any]:
    """Return a phase with its latencies (ns) as mean, percentiles, greatest and an encoded HdrHistogram.

    Percentiles are latencies that there were, not the histogram's, which has three digits.
    """
    histogram = HdrHistogram(1, _HIGHEST_NS, _DIGITS)
    latencies = np.asarray(phase["latencies"], dtype=np.int64)
    values, counts = np.unique(latencies, return_counts=True)
    for value, count in zip(values.tolist(), counts.tolist(), strict=True):
        histogram.record_value(max(value, 1), count)
    total = int(counts.sum())
    return {
        **{name: phase[name] for name in _AS_PRINTED},
        "latencies": total,
        "mean": float((values * counts).sum() / total) if total else 0.0,
        **{name: _quantile(latencies, at) for name, at in _QUANTILES.items()},
        "max": int(values[-1]) if total else 0,
        "histogram": histogram.encode().decode("ascii"),
    }


def _quantile(latencies: npt.NDArray[np.int64], at: float) -> int:
    """Return the least latency (ns) that the part `at` of all does not exceed; 0 of none."""
    return int(np.quantile(latencies, at, method="inverted_cdf")) if len(latencies) else 0


def _sample(target: Target, case: Case, number: int, document: Mapping[str, Any]) -> Sample:
    """Return the mean of a request without other work, and with the most threads; all else is kept with it."""
    phases = [summarise_phase(phase) for phase in document["phases"]]
    unknown = [phase for phase in document["phases"] if not phase["latencies"] or not phase["undisturbed"]]
    if unknown:
        raise RseqbenchError(f"every request that was sampled with {unknown[0]['threads']} threads was preempted")
    bare = max((phase for phase in phases if not phase["work"]), key=lambda phase: int(phase["threads"]))
    return Sample(
        benchmark=case.benchmark,
        threads=case.threads,
        registration=case.registration,
        arch=target.arch,
        engine="server",
        round=number,
        unit="second",
        values=(bare["mean"] * 1e-9,),
        loops=bare["latencies"],
        phases=tuple(phases),
        details={
            "peak_bytes": document["peak_bytes"] - document["own_bytes"],
            "step_ns": document["step_ns"],
            "getcpu_ns": document["getcpu_ns"],
            **{name: document[name] for name in _LIBRARIES if document[name]},
        },
    )
