"""Pure: the grid of what can be measured on a target, and why not where not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rseqbench.model import Benchmark
from rseqbench.show import message
from rseqbench.show.grids import Cell, Grid, Reason, make


def listing(benchmarks: Sequence[Benchmark], arch: str) -> list[Grid]:
    """Return one grid a group: method, how many threads it can be measured with, what it does."""
    ordered = sorted(benchmarks, key=lambda b: (message.group_order(b.group), b.name))
    return [_group(group, list(part), arch) for group, part in groupby(ordered, key=lambda b: b.group)]


def _group(group: str, benchmarks: Sequence[Benchmark], arch: str) -> Grid:
    title = message.group_title(group)
    caption = f"{group} on {arch}" + (f": {title}" if title else "")
    return make(caption, ("method", "threads", "what it does"), "---", [_row(b) for b in benchmarks])


def _row(benchmark: Benchmark) -> tuple[Cell, ...]:
    if benchmark.unavailable:
        return benchmark.method, Reason(f"not here: {benchmark.unavailable}")
    return benchmark.method, "any" if benchmark.threaded else "one", benchmark.doc
