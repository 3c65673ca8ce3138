"""Pure: the grids of a server over several allocators, and what is said below them."""

from __future__ import annotations

from collections.abc import Sequence

from rseqbench.analysis.allocators import GAINS, AllocatorResults, Curve, Phase
from rseqbench.analysis.library_costs import LibraryComparison
from rseqbench.model import Estimate
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.reasons import explain
from rseqbench.report.tables import (
    Cell,
    Columns,
    ColumnSpec,
    Grid,
    Reason,
    build_grid,
    format_cost,
    number_column,
    tabulate,
)

_LOOP = (
    "Closed loop: a thread's next request begins when its last is done, so a stall delays requests that never came; "
    "latencies are of requests that were served. Medians over rounds; the worst is of all rounds."
)
_BETWEEN = (
    "Waiting for a full queue to another thread lies outside of requests, as does freeing what comes in meanwhile: "
    "waits are requests after which a thread waited, inside is the part of the threads' time that lies in requests. "
    "The rest is that, choosing the next blocks, and with more threads than CPUs waiting for one. "
    "Requests/s have all of that time in them, so they are not the allocator's alone."
)
_PROVED = (
    "Exact while it is timed: every block carries a pattern of its own, which whoever frees it verifies; a process in "
    "which one is wrong, or a count, has no row."
)
_MANY = (
    "Each interval is one of many: by chance some do not hold what they should, so look for what rises with the share. "
    "A median has no preemption in it; mean and p99 have, the more of it the longer requests are, and with the most "
    "other work and more threads than CPUs they are mostly that."
)
_KEEPS = "The peak of resident memory is of a whole process, all its phases, without its latencies and its queues."


def tabulate_server(results: AllocatorResults | None) -> list[Grid]:
    """Return the grids, none where nothing was served: every phase, then the gains by share."""
    if results is None:
        return []
    keys = sorted({(one.threads, one.work) for one in results.phases}, key=lambda key: (-key[0], key[1]))
    return [
        *(_phase(results, *key) for key in keys[:-1]),
        _phase(results, *keys[-1], notes=_notes(results)),
        tabulate_gains(results.curves),
    ]


def tabulate_server_briefly(results: AllocatorResults | None) -> list[Grid]:
    """Return the same for the most threads alone, and of the phases that without other work; none as all_of()."""
    if results is None:
        return []
    threads = max(one.threads for one in results.phases)
    least = min(one.work for one in results.phases)
    notes = [*_notes(results), "All amounts of work, and fewer threads: rseqbench report."]
    curves = [one for one in results.curves if one.threads == threads]
    return [_phase(results, threads, least, notes), tabulate_gains(curves)]


def _phase(results: AllocatorResults, threads: int, work: int, notes: Sequence[str] = ()) -> Grid:
    rows = [phase for phase in results.phases if (phase.threads, phase.work) == (threads, work)]
    other = f"{work * results.step_ns / 1000:.3g} us of other work" if work else "no other work"
    columns: Columns[Phase] = (
        ColumnSpec("allocator", lambda phase: phase.method),
        number_column("mean ns", lambda phase: _format_latency(phase.mean)),
        number_column("p50", lambda phase: _format_latency(phase.p50)),
        number_column("p99", lambda phase: _format_latency(phase.p99)),
        number_column("p99.9", lambda phase: _format_latency(phase.p999)),
        number_column("worst", lambda phase: f"{phase.maximum:,.0f}"),
        number_column("requests/s", lambda phase: f"{phase.throughput.value:,.0f}"),
        number_column("waits", lambda phase: f"{phase.waits:.0%}"),
        number_column("inside", lambda phase: f"{phase.inside.value:.0%}"),
        number_column("share", lambda phase: f"{phase.share.value:.1%}"),
        number_column("peak MB", lambda phase: f"{results.peaks[phase.method].value / 1e6:.1f}"),
    )
    return tabulate(f"jemalloc: a request over it, {threads} threads, {other}", columns, rows, notes)


def _notes(results: AllocatorResults) -> list[str]:
    return [_PROVED, _LOOP, _BETWEEN, _KEEPS, *_bound(results)]


def _format_latency(latency: Estimate) -> str:
    return f"{latency.value:.4g}" if latency.value < 1e4 else f"{latency.value:,.0f}"


def _bound(results: AllocatorResults) -> list[str]:
    bound = results.bound
    if bound is None:
        return []
    return [
        f"jemalloc's percpu_arena calls sched_getcpu() {bound.calls:.2g} times in a request at most, and without rseq "
        f"that takes {bound.difference_ns:.2g} ns longer: rseq can be {bound.part:.1g} of its mean, no more."
    ]


def tabulate_gains(curves: Sequence[Curve]) -> Grid:
    """Return what a request gains by pools with rseq, a row for each other allocator, number of threads and share."""
    threads = {one.threads for one in curves}
    rows: list[tuple[Cell, ...]] = []
    for key in dict.fromkeys((one.over, one.threads) for one in curves):
        own = {one.column: one.gains for one in curves if (one.over, one.threads) == key}
        name = key[0] if len(threads) == 1 else f"{key[0]} ({key[1]}t)"
        for points in zip(*(own[column] for column in GAINS), strict=True):
            rows.append((name, f"{points[0].share:.1%}", *(_percent(one.gain) for one in points)))
    heads = ("over", "share", *(f"gain, {column}" for column in GAINS))
    several = f", {threads.pop()} threads" if len(threads) == 1 else ""
    caption = f"What a request gains by per-CPU pools with rseq{several}"
    return build_grid(caption, heads, "-nnnn", rows, [_MANY] if rows else [])


def _percent(gain: Estimate) -> FormattedNumber:
    if gain.low is None or gain.high is None:
        return FormattedNumber(f"{gain.value:+.1%}", f"{gain.n} rounds")
    return FormattedNumber(f"{gain.value:+.1%}", f"{gain.low:+.1%} .. {gain.high:+.1%}")


def tabulate_library(comparison: LibraryComparison) -> list[Grid]:
    """Return the table of a library and its benchmarks, and that of what parts of an operation cost, where known."""
    library = comparison.library
    units = sorted({formatting.short(row.row.unit) for row in comparison.rows if row.row})
    per = ", ".join(units) or "per op"
    rows: list[tuple[Cell, ...]] = []
    for row in comparison.rows:
        name = formatting.with_threads(row.benchmark, row.threads)
        whose = library.title if row.group == library.group else "kernel"
        if row.row is None:
            rows.append((name, whose, Reason(f"not measured: {explain(row.reasons)}")))
        else:
            net = formatting.cost(row.row.net) if row.row.net else "no baseline"
            rows.append((name, whose, format_cost(row.row), net))
    caption = f"{library.title} as it is shipped, and kernels that do the same, on {comparison.arch}"
    grids = [
        build_grid(
            caption, ("benchmark", "whose", f"{per} with loop", f"{per} net of it"), "--nn", rows, comparison.notes
        )
    ]
    if comparison.differences:
        prices = [(f"{d.slow} - {d.fast}", formatting.cost(d.price), d.words) for d in comparison.differences]
        grids.append(
            build_grid(
                f"What parts of it cost, on {comparison.arch}", ("difference", per, "the price of"), "-n-", prices
            )
        )
    return grids
