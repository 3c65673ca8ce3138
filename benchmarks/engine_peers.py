"""The same kernels, machine and job under every tool: how far is its ratio off, and what does its interval promise?

Tools: the gated engine and plain pyperf values, both as `rseqbench run` takes them; pyperf by a script of its own with
all its defaults; google/benchmark, ten repetitions, as it comes and with its random interleaving; hyperfine on whole
commands. Each as its users run it: only rseqbench pins to a CPU. What counts as true is the ratio of a gated run of its
own, without load, before all others.

An interval is what a tool's user would go by: rseqbench's own; for pyperf and google/benchmark 95% by the means and
standard deviations that they print; for hyperfine the plus-minus that it prints, one standard deviation.
control/atomic_a and _b are one function under two names, so their true ratio is 1.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import common
import tools
from common import Clock, LoadError, deviation, number
from tools import Job, Ratio, ToolError

from rseqbench.errors import RseqbenchError

SAME = ("control/atomic_a", "control/atomic_b")
PAIRS = (
    ("cpu_id/getcpu_syscall", "cpu_id/rseq"),
    ("counter/getcpu_atomic", "counter/rseq"),
    ("cpu_id/rseq", "control/atomic_a"),
    SAME,
)
KERNELS = tuple(dict.fromkeys(name for pair in PAIRS for name in pair))
GATED = "rseqbench gated"
VERSIONS: dict[str, Sequence[str]] = {
    "g++": ("g++", "--version"),
    "hyperfine": ("hyperfine", "--version"),
    "google/benchmark": ("dpkg-query", "-W", "-f", "${Version}\n", "libbenchmark-dev"),
}

Truths = Mapping[tuple[str, str], float | None]

Tool = Callable[[Job, Clock], dict[tuple[str, str], Ratio]]
TOOLS: Mapping[str, Tool] = {
    GATED: lambda job, clock: tools.engine("gated", job, clock),
    "rseqbench pyperf": lambda job, clock: tools.engine("pyperf", job, clock),
    "pyperf defaults": tools.pyperf_command,
    "google/benchmark": tools.google,
    "google interleaved": lambda job, clock: tools.google(job, clock, interleaved=True),
    "hyperfine": tools.hyperfine,
}


@dataclass(frozen=True)
class Attempt:
    """One tool under one load, once: its ratios, or why there are none."""

    tool: str
    load: str
    wall_s: float
    ratios: Mapping[tuple[str, str], Ratio] = field(default_factory=dict)
    failure: str = ""


def details(attempts: Sequence[Attempt], pair: tuple[str, str], truth: float | None) -> str:
    """Return the table of one ratio: a row an attempt."""
    rows = []
    for attempt in attempts:
        found = attempt.ratios.get(pair)
        if found is None:
            rows.append((attempt.tool, attempt.load, attempt.failure or "no number", "", "", ""))
            continue
        off = None if truth is None else deviation(found.value, truth)
        holds = "-" if truth is None else "yes" if found.low <= truth <= found.high else "NO"
        half = (found.high - found.low) / 2 / found.value * 100
        interval = f"{found.low:.5g} .. {found.high:.5g}"
        rows.append(
            (attempt.tool, attempt.load, f"{found.value:.5g}  {interval}", f"{half:.2f}", number(off, "+.2f"), holds)
        )
    return common.table(("tool", "load", "ratio and interval", "half %", "off %", "holds it"), rows)


def summary(attempts: Sequence[Attempt], truths: Truths) -> str:
    """Return a row for each tool under each load: how far off its ratios are, what equal code gives, how long."""
    head = (
        "tool",
        "load",
        "ratios",
        "median off %",
        "worst off %",
        "median half %",
        "A/A off %",
        "A/A wrong",
        "wall s",
    )
    rows = []
    for tool, load in dict.fromkeys((a.tool, a.load) for a in attempts):
        own = [a for a in attempts if (a.tool, a.load) == (tool, load)]
        offs, halves = [], []
        for attempt in own:
            for pair, found in attempt.ratios.items():
                truth = truths.get(pair)
                halves.append((found.high - found.low) / 2 / found.value * 100)
                if truth is not None and pair != SAME:
                    offs.append(abs(deviation(found.value, truth)))
        same = [attempt.ratios[SAME] for attempt in own if SAME in attempt.ratios]
        wrong = sum(not found.low <= 1 <= found.high for found in same)
        worst_same = common.worst([deviation(found.value, 1) for found in same])
        rows.append(
            (
                tool,
                load,
                str(len(halves)),
                number(statistics.median(offs) if offs else None),
                number(max(offs, default=None)),
                number(statistics.median(halves) if halves else None),
                number(worst_same),
                f"{wrong} of {len(same)}" if same else "-",
                f"{statistics.fmean(a.wall_s for a in own):.1f}",
            )
        )
    return common.table(head, rows)


def _attempt(tool: str, load: str, job: Job, limit_s: float) -> Attempt:
    clock = Clock(limit_s)
    try:
        ratios = TOOLS[tool](job, clock)
    except (ToolError, RseqbenchError) as error:
        return Attempt(tool, load, clock.spent, failure=str(error).splitlines()[0])
    return Attempt(tool, load, clock.spent, ratios)


def _all(options: argparse.Namespace, chosen: Sequence[str], job: Job) -> list[Attempt]:
    attempts: list[Attempt] = []
    for load in options.loads:
        try:
            with common.load(load, options.limit * len(chosen) * options.repeat + 60) as words:
                print(words, flush=True)
                own = [_attempt(tool, load, job, options.limit) for _ in range(options.repeat) for tool in chosen]
        except LoadError as error:
            print(f"{load}: not measured: {error}")
            continue
        attempts += own
    return attempts


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--tools", help=f"some, by commas: {', '.join(TOOLS)} (default: all)")
    parser.add_argument("--loads", type=common.loads, default="none,L2", help="by commas (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=1, help="everything so often (default: %(default)s)")
    parser.add_argument("--limit", type=float, default=600, help="seconds for one tool once (default: %(default)s)")
    options = parser.parse_args(argv)
    unknown = [name for name in (options.tools or GATED).split(",") if name not in TOOLS]
    if unknown:
        parser.error(f"unknown tool {unknown[0]!r}; there is {', '.join(TOOLS)}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _arguments(argv)
    chosen = options.tools.split(",") if options.tools else list(TOOLS)
    print(*common.environment(common.GCC | common.STRESS_NG | VERSIONS), "", sep="\n")
    job = Job(KERNELS, PAIRS, options.quick)
    first = _attempt(GATED, "none", job, options.limit)
    found = {pair: ratio.value for pair, ratio in first.ratios.items()}
    truth_of: Truths = {pair: 1.0 if pair == SAME else found.get(pair) for pair in PAIRS}
    attempts = _all(options, chosen, job)
    for pair, truth in truth_of.items():
        print(f"\n{pair[0]} / {pair[1]}: true ratio {number(truth, '.5g', 'not known')}\n")
        print(details(attempts, pair, truth))
    print(f"\nall together; A/A is the last of these, off counts the others\n\n{summary(attempts, truth_of)}")
    return 0 if attempts else 1


if __name__ == "__main__":
    sys.exit(common.run(main))
