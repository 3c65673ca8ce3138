"""False alarms and power: does an engine keep quiet about equal code, and find what is 1% slower?

Rounds are taken one after the other and dealt out to groups of N; no round is in two groups of a table, so the
comparisons of a pair have no round in common. Each group is judged as `rseqbench run` judges a run of N rounds. Two
ways to deal: "spread" gives neighbouring rounds to different groups, so that the rounds of one group are as far apart
as the engine takes them in a run; "burst" gives a group N rounds in a row. Both tables are dealt from the same rounds;
where a round takes that long by itself there is only the second.

Equal code: control/atomic_a and _b, control/syscall_a and _b. One percent apart, exactly: 100 and 101 dependent
multiplications, 100 and 101 atomic adds (kernels/slowed.c, compiled into a copy of the kernels in a temporary folder).
Other kernels run between them, so that they are interleaved as in a real run.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import common
from common import Clock, number
from measuring import Rounds, session, take

from rseqbench.analysis import stats
from rseqbench.measure.engines.gated import SPREAD_S

SAME = (("control/atomic_a", "control/atomic_b"), ("control/syscall_a", "control/syscall_b"))
SLOWED = (("slowed/multiply_101", "slowed/multiply_100"), ("slowed/atomic_101", "slowed/atomic_100"))
TRUTH = 1.01
OTHERS = ("counter/rseq", "counter/getcpu_atomic", "cpu_id/rseq", "ring_buffer/rseq")
WANTED_GROUPS = 150  # times two pairs of equal code: 300 comparisons
TARGET_ALARMS, TARGET_POWER = 2.5, 95.0  # percent


@dataclass(frozen=True)
class Tally:
    """What became of the comparisons of one pair, or several together."""

    name: str
    of: int  # groups with an interval
    alarms: int  # intervals that exclude 1
    beyond: int  # of these, ratios beyond the floor: what rseqbench calls a difference
    covered: int  # intervals that hold the truth
    half: float | None  # median half-width, percent

    @property
    def alarm_share(self) -> float | None:
        """Percent of the groups whose interval excludes 1."""
        return self.alarms / self.of * 100 if self.of else None

    @property
    def found_share(self) -> float | None:
        """Percent of the groups in which a difference is found."""
        return self.beyond / self.of * 100 if self.of else None


def deal(total: int, size: int, stride: int) -> list[list[int]]:
    """Deal rounds 0 .. total-1 out to groups of `size`, `stride` groups at a time in turn; no round twice.

    What is left at the end is dealt out to fewer groups at a time. Stride 1 makes groups of consecutive rounds.
    """
    groups: list[list[int]] = []
    at = 0
    while total - at >= size:
        turn = max(1, min(stride, (total - at) // size))
        groups += [[at + first + turn * i for i in range(size)] for first in range(turn)]
        at += turn * size
    return groups


def tally(
    name: str,
    tops: Mapping[int, float],
    bottoms: Mapping[int, float],
    groups: Sequence[Sequence[int]],
    truth: float,
    floor: float,
    resolution: float = 0.0,
) -> Tally:
    """Judge a pair, given the values of both in each round, in every group, and what share the clock cannot tell."""
    alarms = beyond = covered = 0
    halves = []
    for group in groups:
        both = [number for number in group if number in tops and number in bottoms]
        if not both:
            continue
        found = stats.widen(stats.paired_ratio([tops[n] for n in both], [bottoms[n] for n in both]), resolution)
        if found.low is None or found.high is None:
            continue
        alarms += found.low > 1 or found.high < 1
        beyond += stats.beyond_floor(found, floor)
        covered += found.low <= truth <= found.high
        halves.append((found.high - found.low) / 2 / found.value * 100)
    return Tally(name, len(halves), alarms, beyond, covered, statistics.median(halves) if halves else None)


def together(name: str, tallies: Sequence[Tally]) -> Tally:
    """Sum tallies up; the half-width is the largest of their medians."""
    return Tally(
        name,
        of=sum(t.of for t in tallies),
        alarms=sum(t.alarms for t in tallies),
        beyond=sum(t.beyond for t in tallies),
        covered=sum(t.covered for t in tallies),
        half=common.worst([t.half for t in tallies]),
    )


def share_interval(count: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share, in percent."""
    if not of:
        return 0.0, 100.0
    z = statistics.NormalDist().inv_cdf((1 + confidence) / 2)
    middle = (count + z * z / 2) / (of + z * z)
    half = z / (of + z * z) * math.sqrt(count * (of - count) / of + z * z / 4)
    return max(0.0, middle - half) * 100, min(1.0, middle + half) * 100


@contextlib.contextmanager
def slowed_kernels() -> Iterator[None]:
    """Let rseqbench compile a copy of its kernels with the slowed ones among them, and leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="rseqbench-alarms-") as folder:
        copy = Path(folder) / "kernels"
        shutil.copytree(common.ROOT / "kernels", copy)
        shutil.copy(Path(__file__).parent / "kernels" / "slowed.c", copy / "src")
        changed = {"RSEQBENCH_KERNELS": str(copy), "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        before = {name: os.environ.get(name) for name in changed}
        os.environ.update(changed)
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                os.environ.update({name: value} if value is not None else {})


def _judged(rounds: Rounds, groups: Sequence[Sequence[int]], floor: float) -> tuple[list[Tally], list[Tally]]:
    """Return the tallies of equal code and of slowed code."""
    both = []
    for pairs, truth in ((SAME, 1.0), (SLOWED, TRUTH)):
        both.append(
            [
                tally(
                    f"{top} / {bottom}",
                    rounds.value(top),
                    rounds.value(bottom),
                    groups,
                    truth,
                    floor,
                    max(rounds.resolution(top), rounds.resolution(bottom)),
                )
                for top, bottom in pairs
            ]
        )
    both[0].append(together("equal code together", both[0]))
    return both[0], both[1]


def _shown(tallies: Sequence[Tally], floor: float) -> str:
    head = ("pair", "groups", "excl. 1", "share %", "95% interval", f"beyond {floor:.1%}", "hold truth %", "half %")
    rows = []
    for found in tallies:
        low, high = share_interval(found.alarms, found.of)
        held = found.covered / found.of * 100 if found.of else None
        cells = (found.name, str(found.of), str(found.alarms), number(found.alarm_share, ".1f"))
        rows.append(
            (*cells, f"{low:.1f} .. {high:.1f}", str(found.beyond), number(held, ".1f"), number(found.half, ".3f"))
        )
    return common.table(head, rows)


def summary(same: Tally, slowed: Sequence[Tally]) -> str:
    """Return figure 3 as a table."""
    beyond = float(same.beyond) if same.of else None
    rows = [
        (f"false alarms by interval, of {same.of}", same.alarm_share, TARGET_ALARMS, "%", False),
        (f"false alarms beyond the floor, of {same.of}", beyond, 0.0, "", False),
    ]
    rows += [(f"found: {t.name}, of {t.of}", t.found_share, TARGET_POWER, "%", True) for t in slowed]
    return common.figures(rows)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--groups", type=int, help=f"of rounds (default: {WANTED_GROUPS}, two comparisons each)")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="rounds a group (default: %(default)s)")
    parser.add_argument("--engine", default="gated", choices=("gated", "pyperf"), help="default: %(default)s")
    parser.add_argument("--load", default="none", choices=tuple(common.LOADS), help="default: %(default)s")
    parser.add_argument("--limit", type=float, default=420, help="seconds for all rounds (default: %(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _arguments(argv)
    wanted = options.groups or (4 if options.quick else WANTED_GROUPS)
    size = options.rounds
    print(*common.environment(common.GCC | common.STRESS_NG), "", sep="\n")
    names = [name for pair in (*SAME, *SLOWED) for name in pair] + list(OTHERS)
    with slowed_kernels(), session(names, options.engine) as of, common.load(options.load, options.limit + 60) as words:
        rounds = take(of, wanted * size, options.load, Clock(options.limit), spread=False)
    floor = of.rules.floor
    apart = statistics.median([b - a for a, b in zip(rounds.began, rounds.began[1:], strict=False)] or [SPREAD_S])
    stride = max(1, min(round(SPREAD_S / apart), rounds.done // size))
    nominal = stats.sign_rank(size, of.rules.confidence)
    print(f"engine {options.engine}, {words}")
    print(
        f"{rounds.done} of {wanted * size} rounds of {len(of.plan.cases)} kernels in {rounds.wall_s:.0f} s, a round "
        f"every {apart:.3f} s; {sum(map(len, rounds.void.values()))} values void"
    )
    if nominal:
        print(f"groups of {size} rounds: the interval promises {nominal[1]:.2%}, so {1 - nominal[1]:.2%} false alarms")
    ways = {stride: f"spread, {stride * apart:.2f} s apart inside a group", 1: f"burst, {apart:.2f} s apart"}
    for step, title in ways.items():
        same, slowed = _judged(rounds, deal(rounds.done, size, step), floor)
        print(f"\n{title}\n\n{_shown([*same, *slowed], floor)}\n\n{summary(same[-1], slowed)}")
    return 0 if rounds.done == wanted * size else 1


if __name__ == "__main__":
    sys.exit(common.run(main))
