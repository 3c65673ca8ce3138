"""Pure: libraries as they are shipped, as CSV and JSON: beside the benchmarks, and allocators in a server."""

from __future__ import annotations

from collections.abc import Iterable

from rseqbench.analysis.allocators import GROUP, RSEQ, AllocatorResults, Phase
from rseqbench.analysis.library_costs import Difference, LibraryComparison
from rseqbench.report import formatting
from rseqbench.report.data.writers import Record, estimate
from rseqbench.report.tables import allocators

RECORDS = ("phase", "peak", "gain", "bound", "price")  # of a run's CSV, in the order of their columns


def shipped(comparisons: Iterable[LibraryComparison]) -> list[Record]:
    """Return a record per library: which benchmarks stand beside each other, prices in `unit`, what it leaves out."""
    return [
        {
            "library": one.library.group,
            "title": one.library.title,
            "arch": one.arch,
            "benchmarks": list(dict.fromkeys(row.benchmark for row in one.rows)),
            "prices": [_price(one, difference) for difference in one.differences],
            "notes": list(one.notes),
        }
        for one in comparisons
    ]


def _price(comparison: LibraryComparison, difference: Difference) -> Record:
    units = {row.benchmark: formatting.unit(row.row.unit) for row in comparison.rows if row.row}
    return {
        "arch": comparison.arch,
        "slow": difference.slow,
        "fast": difference.fast,
        "unit": units[difference.slow],
        **estimate("price", difference.price),
        "rounds": difference.price.n,
        "why": difference.words,
    }


def served(results: AllocatorResults | None) -> Record | None:
    """Return what a run says of allocators in a server; None where it served nothing."""
    if results is None:
        return None
    return {
        "phases": [_phase(one, results) for one in results.phases],
        "peaks": [
            {"benchmark": f"{GROUP}/{method}", **estimate("peak_bytes", peak), "rounds": peak.n}
            for method, peak in results.peaks.items()
        ],
        "gains": _gains(results),
        "bound": _bound(results),
        "notes": list(dict.fromkeys(note for grid in allocators.tabulate_server(results) for note in grid.notes)),
    }


def _phase(phase: Phase, results: AllocatorResults) -> Record:
    return {
        "benchmark": f"{GROUP}/{phase.method}",
        "threads": phase.threads,
        "work": phase.work,
        "work_ns": phase.work * results.step_ns,
        "step_ns": results.step_ns,
        "requests": phase.requests,
        **estimate("mean", phase.mean),
        **estimate("p50", phase.p50),
        **estimate("p99", phase.p99),
        **estimate("p999", phase.p999),
        "maximum": phase.maximum,
        **estimate("throughput", phase.throughput),
        **estimate("share", phase.share),
        **estimate("inside", phase.inside),
        "waits": phase.waits,
        "getcpu_calls": phase.getcpu_calls,
        "rounds": phase.mean.n,
    }


def _gains(results: AllocatorResults) -> list[Record]:
    return [
        {
            "slow": f"{GROUP}/{curve.over}",
            "fast": f"{GROUP}/{RSEQ}",
            "threads": curve.threads,
            "statistic": curve.column,
            "share": point.share,
            **estimate("gain", point.gain),
            "rounds": point.gain.n,
        }
        for curve in results.curves
        for point in curve.gains
    ]


def _bound(results: AllocatorResults) -> Record | None:
    bound = results.bound
    if bound is None:
        return None
    return {"calls": bound.calls, "difference_ns": bound.difference_ns, "mean_ns": bound.mean_ns, "part": bound.part}


def records(comparisons: Iterable[LibraryComparison], results: AllocatorResults | None) -> list[Record]:
    """Return all of it as rows of a CSV: kinds "price", "phase", "peak", "gain", "bound", and a "note" with its name.

    Which benchmarks stand beside each other is left to the groups in their names.
    """
    beside, serving = (
        shipped(comparisons),
        served(results) or {"phases": (), "peaks": (), "gains": (), "bound": None, "notes": ()},
    )
    bound = serving["bound"]
    return [
        *({"kind": "price", **price} for one in beside for price in one["prices"]),
        *({"kind": "note", "arch": one["arch"], "name": one["library"], "text": note}
          for one in beside for note in one["notes"]),
        *({"kind": kind, **one} for kind in ("phase", "peak", "gain") for one in serving[f"{kind}s"]),
        *([{"kind": "bound", **bound}] if bound else []),
        *({"kind": "note", "name": GROUP, "text": note} for note in serving["notes"]),
    ]  # fmt: skip
