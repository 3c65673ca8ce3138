"""Pure: the tree of what can be measured on a target, and why not where not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rseqbench.analysis import patch_message
from rseqbench.model import Benchmark
from rseqbench.report import formatting


def tree(benchmarks: Sequence[Benchmark], machine: str) -> Tree:
    """Return a branch a group, in the order of the message, and in it a leaf a method: threads, and what it does.

    `machine` is what they were asked on: an architecture, and by which target.
    """
    ordered = sorted(benchmarks, key=lambda b: (patch_message.group_order(b.group), bool(b.unavailable), b.name))
    here = sum(not benchmark.unavailable for benchmark in ordered)
    counted = f"{_counted(here, len(ordered))} can be measured, with one thread or any number of them"
    root = Tree(Text(f"{formatting.line(machine)}: {counted}", "bold"))
    for group, part in groupby(ordered, key=lambda b: b.group):
        _add_group(root, group, list(part))
    return root


def _counted(here: int, all_of_them: int) -> str:
    return f"all {here}" if here == all_of_them else f"{here} of {all_of_them}"


def _add_group(root: Tree, group: str, benchmarks: Sequence[Benchmark]) -> None:
    here = sum(not benchmark.unavailable for benchmark in benchmarks)
    title = patch_message.group_title(group)
    label = Text.assemble((formatting.line(group), "bold cyan"), f" ({_counted(here, len(benchmarks))})")
    branch = root.add(label.append(f": {title}") if title else label)
    width = max(len(formatting.line(benchmark.method)) for benchmark in benchmarks)
    for benchmark in benchmarks:
        branch.add(_leaf(benchmark, width))


def _leaf(benchmark: Benchmark, width: int) -> Table:
    """Return a line, or more where it has to be folded: the parts stay below each other."""
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=width, overflow="fold")
    if benchmark.unavailable:
        line.add_column(overflow="fold")
        reason = Text.assemble(("not here: ", "yellow"), (formatting.line(benchmark.unavailable), "dim"))
        line.add_row(Text(formatting.line(benchmark.method), "dim"), reason)
        return line
    line.add_column(width=3)
    line.add_column(overflow="fold")
    doc = formatting.line(benchmark.doc) + (" (only where it is asked for by name)" if benchmark.whole else "")
    threads = "any" if benchmark.threaded else "" if benchmark.whole else "one"
    line.add_row(Text(formatting.line(benchmark.method), "green"), threads, Text(doc))
    return line
