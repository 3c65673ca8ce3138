"""Do ratios keep under load? All kernels of this machine by the gated engine: without load, under L2, under L4.

L2 is `stress-ng --cpu 2`, L4 is `stress-ng --cpu 4 --switch 2 --vm 1`. Every ratio that rseqbench shows (claimed, in
use today, what a reader asks for, and the same code twice), with its 95% interval; then how far a ratio under load is
from the same ratio without, the worst half-width, and what the rounds took.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import common
from common import Clock, LoadError, deviation, half_width, number
from measuring import Rounds, Session, ratio, session, take

from rseqbench.analysis import patch_claims
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.model import BASELINE, Estimate

EXTRA = (  # besides patch_claims.pairs_on(): a system call over user space, and the increment over its limit
    ("cpu_id/getcpu_syscall", "cpu_id/rseq", "a system call over one load"),
    ("counter/rseq", "counter/plain", "the least an increment can cost"),
)
TARGET_USER, TARGET_SYSCALL, TARGET_HALF_WIDTH = 0.3, 1.0, 0.5  # percent
TARGET_S = {"none": 30.0, "L2": 60.0, "L4": 60.0}


@dataclass(frozen=True)
class Line:
    """One ratio in every load; None where there is no number."""

    name: str
    syscall: bool
    found: Mapping[str, Estimate | None]

    def off(self, load: str) -> float | None:
        """Return by how many percent a load moves it."""
        here, quiet = self.found.get(load), self.found.get("none")
        return None if here is None or quiet is None else deviation(here.value, quiet.value)

    def half(self, load: str) -> float | None:
        """Return the half-width of its interval in percent."""
        here = self.found.get(load)
        return None if here is None else half_width(here.value, here.low, here.high)


def is_syscall(name: str) -> bool:
    """Whether a benchmark enters Linux in every operation."""
    return "syscall" in name


def pairs(arch: str, names: Sequence[str], every: bool) -> list[ArchPair]:
    """Return the ratios to look at among benchmarks of these names; with `every`, all others over the empty loop."""
    extra = [ArchPair(arch, slow, fast, False, why) for slow, fast, why in EXTRA]
    found = {
        (p.slow, p.fast): p for p in [*patch_claims.pairs_on([arch]), *extra] if p.slow in names and p.fast in names
    }
    if every:
        shown = {pair.slow for pair in found.values()}
        rest = [name for name in names if name not in shown and name != BASELINE]
        found |= {(n, BASELINE): ArchPair(arch, n, BASELINE, False, "over the empty loop") for n in rest}
    return list(found.values())


def summary(lines: Sequence[Line], loads: Sequence[str], wall_s: Mapping[str, float]) -> str:
    """Return figures 1 and 2 as a table; a ratio without a number makes a figure that is none."""
    loaded = [load for load in loads if load != "none"]
    rows = []
    for load in loaded:
        for syscall, target in ((False, TARGET_USER), (True, TARGET_SYSCALL)):
            words = "syscall" if syscall else "user-space"
            off = common.worst([line.off(load) for line in lines if line.syscall == syscall])
            rows.append((f"{load}: worst deviation of a {words} ratio", off, target, "%", False))
    for load in loads:
        worst = common.worst([line.half(load) for line in lines])
        rows.append((f"{load}: worst half-width", worst, TARGET_HALF_WIDTH, "%", False))
        rows.append((f"{load}: wall time of all rounds", wall_s.get(load), TARGET_S[load], "s", False))
    return common.figures(rows)


def ratios(lines: Sequence[Line], loads: Sequence[str]) -> str:
    """Return the table of all ratios."""
    head = ["ratio"]
    for load in loads:
        head += [load, "95% interval", *(["off %"] if load != "none" else []), "half %"]
    rows = []
    for line in lines:
        row = [line.name]
        for load in loads:
            here = line.found.get(load)
            row.append("no number" if here is None else f"{here.value:.5g}")
            row.append("-" if here is None or here.low is None else f"{here.low:.5g} .. {here.high:.5g}")
            row += [number(line.off(load), "+.3f")] if load != "none" else []
            row.append(number(line.half(load), ".3f"))
        rows.append(row)
    return common.table(head, rows)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--rounds", type=int, help="per load, as far apart as the engine takes them (default: 20)")
    parser.add_argument("--loads", type=common.loads, default="none,L2,L4", help="by commas (default: %(default)s)")
    parser.add_argument("--every", action="store_true", help="also each other kernel over the empty loop")
    parser.add_argument("--limit", type=float, default=180, help="seconds for each load (default: %(default)s)")
    return parser.parse_args(argv)


def _measure(of: Session, loads: Sequence[str], count: int, limit_s: float) -> dict[str, Rounds]:
    found = {}
    for name in loads:
        try:
            with common.load(name, limit_s + 60) as words:
                rounds = take(of, count, name, Clock(limit_s))
        except LoadError as error:
            print(f"{name}: not measured: {error}")
            continue
        found[name] = rounds
        lost = sum(map(len, rounds.void.values()))
        waits = sum(gated.waits for gated in rounds.gated)
        print(
            f"{words}: {rounds.done} of {count} rounds in {rounds.wall_s:.1f} s, of which {rounds.prepare_s:.1f} s "
            f"before the first; {lost} of {rounds.done * len(of.plan.cases)} values void, core given up {waits} times"
        )
        for benchmark, why in sorted(rounds.void.items()):
            print(f"    {benchmark}: void in {len(why)}: {why[0]}")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 unless something that was to be measured could not be."""
    options = _arguments(argv)
    loads = options.loads
    count = options.rounds or (6 if options.quick else 20)
    print(*common.environment(common.GCC | common.STRESS_NG), "", sep="\n")
    with session() as of:
        found = _measure(of, loads, count, options.limit)
        names = sorted({case.benchmark for case in of.plan.cases})
        lines = [
            Line(
                f"{pair.slow} / {pair.fast}",
                is_syscall(pair.slow) or is_syscall(pair.fast),
                {load: ratio(of, rounds, pair) for load, rounds in found.items()},
            )
            for pair in pairs(of.arch, names, options.every)
        ]
    print(f"\n{len(names)} kernels, N = {count} rounds a load\n")
    print(ratios(lines, loads), end="\n\n")
    print(summary(lines, loads, {load: rounds.wall_s for load, rounds in found.items()}))
    return 0 if len(found) == len(loads) else 1


if __name__ == "__main__":
    sys.exit(common.run(main))
