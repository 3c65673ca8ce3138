"""What the gated engine itself costs: time outside of chunks, the start of a round's process, a whole round.

A round is quiet when the core was never given up to a neighbour in it. Its time is what kernels/core/round.c took from
the first probe to the last; warm-ups and probes count as cost. The whole round is what `rseqbench run` waits for: the
old process ended, a new one started, the request, the measurement, and its answer read.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

import common
from common import Clock, number
from measuring import Rounds, Session, session, take

from rseqbench.build import architectures, products
from rseqbench.host.rseq_support import make_environment
from rseqbench.store import samples
from rseqbench.targets.native.target import WorkerProcess

TARGET_INSIDE, TARGET_START_MS = 90.0, 30.0


def starts(of: Session, count: int) -> list[float]:
    """Return how many milliseconds a round's process took from its start to its hello, `count` times."""
    module = products.extension(architectures.named(of.arch)).path
    registration = str(of.target.registration())
    found = []
    for _ in range(count):
        begin = time.monotonic()
        worker = WorkerProcess(module, registration, make_environment(registration))
        found.append((time.monotonic() - begin) * 1e3)
        worker.stop()
    return found


def spread(name: str, values: Sequence[float], unit: str, digits: str = ".1f") -> tuple[str, ...]:
    """Return a row of a table: how many, median, 10% and 90% quantiles, largest."""
    if not values:
        return name, unit, "0", "-", "-", "-", "-"
    points = [statistics.median(values), *(samples.quantile(values, q) for q in (0.1, 0.9)), max(values)]
    return name, unit, str(len(values)), *(number(point, digits) for point in points)


def quiet_inside(rounds: Rounds) -> list[float]:
    """Return the share of each quiet round that was inside chunks, in percent."""
    return [gated.inside * 100 for gated in rounds.gated if not gated.waits]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--rounds", type=int, help="of all kernels (default: 60)")
    parser.add_argument("--starts", type=int, help="of a process (default: 30)")
    parser.add_argument("--limit", type=float, default=120, help="seconds for the rounds (default: %(default)s)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _arguments(argv)
    print(*common.environment(common.GCC), "", sep="\n")
    with session() as of:
        start_ms = starts(of, options.starts or (5 if options.quick else 30))
        rounds = take(of, options.rounds or (5 if options.quick else 60), "none", Clock(options.limit), spread=False)
    inside = quiet_inside(rounds)
    shares = [own / took * 100 for own, took in zip(rounds.inside_s, rounds.took, strict=False)]
    rows = [
        spread("inside chunks, of a quiet round", inside, "%"),
        spread("inside chunks, of any round", [gated.inside * 100 for gated in rounds.gated], "%"),
        spread("inside chunks, of a whole round with its process", shares, "%"),
        spread("start of a round's process, to its hello", start_ms, "ms"),
        spread("start, request, measurement and answer", [s * 1e3 for s in rounds.asked_s], "ms"),
        spread("a whole round", [s * 1e3 for s in rounds.took], "ms"),
    ]
    print(f"{len(of.plan.cases)} kernels, {rounds.done} rounds, {len(inside)} of them quiet\n")
    print(common.table(("what", "unit", "n", "median", "10%", "90%", "largest"), rows), end="\n\n")
    summary = [
        ("inside chunks, of a quiet round", statistics.median(inside) if inside else None, TARGET_INSIDE, "%", True),
        ("start of a round's process", statistics.median(start_ms), TARGET_START_MS, "ms", False),
    ]
    print(common.figures(summary))
    return 0


if __name__ == "__main__":
    sys.exit(common.run(main))
