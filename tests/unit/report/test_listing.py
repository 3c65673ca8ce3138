"""rseqbench list: a tree of groups, what is available and why not, within the width, harmless."""

import io

import pytest
from rich.console import Console

from rseqbench.model import Benchmark
from rseqbench.report.tables import listing

SEVERAL = [
    Benchmark("zoo/ape", "a group of our own"),
    Benchmark("counter/rseq", "one sequence", threaded=True),
    Benchmark("counter/atomic_one", "long " * 40),
    Benchmark("counter/a_lse", "atomics", unavailable="LSE atomics: AArch64 only"),
    Benchmark("hackbench/processes", "groups", whole=True),
]


def drawn(benchmarks, width=100, machine="x86_64 (native)", **options):
    out = io.StringIO()
    Console(file=out, width=width, **options).print(listing.build_benchmark_tree(benchmarks, machine))
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_it_is_a_tree_in_the_order_of_the_message():
    lines = drawn(SEVERAL)
    assert lines[0] == "x86_64 (native): 4 of 5 can be measured, with one thread or any number of them"
    assert lines[1] == "├── counter (2 of 3): Per-CPU statistic counter increment"
    assert lines[2].startswith("│   ├── atomic_one  one  long long")
    assert lines[3].startswith("│   │                    long"), "what is folded stays in its column"
    assert "│   ├── rseq        any  one sequence" in lines
    assert "│   └── a_lse       not here: LSE atomics: AArch64 only" in lines
    assert "│   └── processes       groups (only where it is asked for by name)" in lines
    assert lines[-2:] == ["└── zoo (all 1)", "    └── ape  one  a group of our own"]


@pytest.mark.parametrize("width", [40, 72, 100])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_lost(width):
    lines = drawn(SEVERAL, width)
    assert max(map(len, lines)) <= width
    assert sum(line.split().count("long") for line in lines) == 40


def test_colour_is_for_terminals():
    plain, coloured = drawn(SEVERAL), drawn(SEVERAL, force_terminal=True, color_system="standard")
    assert not any("\x1b" in line for line in plain)
    assert any("\x1b[32mrseq" in line for line in coloured)
    assert any("\x1b[33mnot here: " in line for line in coloured)


def test_what_a_board_says_of_itself_is_not_obeyed():
    evil = Benchmark("zoo/[red]x\x1b[2J", "[bold]doc\x07", unavailable="")
    text = "\n".join(drawn([evil], machine="[blink]m\x1b]0;"))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]x" in text
    assert "[bold]doc" in text
