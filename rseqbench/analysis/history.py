"""Pure: many runs, in the order of their dates -> what each benchmark took in them, and where that changed.

A step is a change between two neighbours that is beyond noise: beyond what is uncertain in each of the two, and beyond
what neighbours usually differ by, which no interval inside a run can know.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median

from rseqbench import model
from rseqbench.analysis import compare, kernel_config, stats
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.summary_csv import Summary
from rseqbench.config import VerdictRules
from rseqbench.model import BASELINE, BenchmarkId, CaseKey, Estimate
from rseqbench.store.runs import Header

# Besides what must not change inside a run: what may change between runs, and then belongs beside their differences.
WATCHED = (*model.SAME_IN_A_RUN, "cflags", "governor", "smt", "turbo", "vdso_getcpu", "isolated_cpus")
USUALLY = 7  # changes between neighbours from which on it is known what they usually differ by
FURTHER = 6.0  # times their median: beyond it lies one in 20,000 of normally distributed ones


@dataclass(frozen=True)
class Change:
    """A fact that differs between two runs, both of which know it."""

    fact: str
    before: str
    after: str


@dataclass(frozen=True)
class Step:
    """A change beyond noise, between the runs numbered `before` and `after`; `ratio` is after over before."""

    before: int
    after: int
    ratio: Estimate

    @property
    def up(self) -> bool:
        """Whether it takes more than before."""
        return self.ratio.value > 1


@dataclass(frozen=True)
class Series:
    """One benchmark over the runs: `points` are run numbers and rows; `usual` is what neighbours usually differ by.

    That is a quotient, None where there are too few of them to know.
    """

    key: CaseKey
    unit: str
    points: tuple[tuple[int, Row], ...]
    steps: tuple[Step, ...]
    usual: float | None

    @property
    def group(self) -> str:
        """The use case it belongs to."""
        return BenchmarkId(self.key[1]).group


@dataclass(frozen=True)
class History:
    """Runs by date, in what each differs from the one before, and the series of all benchmarks."""

    runs: tuple[Header, ...]
    changes: tuple[tuple[Change, ...], ...]
    series: tuple[Series, ...]


def history(found: Iterable[Summary], rules: VerdictRules) -> History:
    """Order runs by the date at which they began, and return what is to be said of them together.

    Times and counts of the same benchmark are series of their own: neither can be held against the other.
    """
    ordered = sorted(found, key=lambda one: begun(one.header))
    headers = tuple(one.header for one in ordered)
    points: dict[tuple[CaseKey, str], list[tuple[int, Row]]] = {}
    for number, one in enumerate(ordered):
        for row in one.rows:
            points.setdefault((row.key, row.unit), []).append((number, row))
    loops = {(key[0], unit): dict(run) for (key, unit), run in points.items() if key[1] == BASELINE}
    series = [
        _series(key, unit, run, headers, loops.get((key[0], unit), {}), rules) for (key, unit), run in points.items()
    ]
    changes = ((), *(changed(a, b) for a, b in pairwise(headers)))
    return History(headers, changes if headers else (), tuple(series))


def begun(header: Header) -> datetime:
    """Return when a run began; the first of all times where that cannot be read."""
    try:
        when = datetime.fromisoformat(header.created)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def changed(a: Header, b: Header) -> tuple[Change, ...]:
    """Return in what the machines, benchmarks and engines of two runs differ, as far as it is watched.

    A fact that only one of them has is no change: it belongs to what only that one measured.
    """
    one, other = _facts(a), _facts(b)
    return tuple(Change(name, one[name], other[name]) for name in one if name in other and one[name] != other[name])


def _facts(header: Header) -> Mapping[str, str]:
    found = {"engine": header.plan.engine, "architecture": ", ".join(machine.arch for machine in header.machines)}
    several = len(header.machines) > 1
    for machine in header.machines:
        facts = machine.facts.to_dict()
        known = {"target": machine.target, **{name: facts[name] for name in WATCHED if name in facts}}
        found |= {f"{name} ({machine.arch})" if several else name: str(value) for name, value in known.items()}
    return found


def _series(
    key: CaseKey,
    unit: str,
    points: Sequence[tuple[int, Row]],
    headers: Sequence[Header],
    loops: Mapping[int, Row],
    rules: VerdictRules,
) -> Series:
    neighbours = list(pairwise(points))
    apart = [abs(math.log(b.gross.value / a.gross.value)) for (_, a), (_, b) in neighbours]
    usual = median(apart) if len(apart) >= USUALLY and unit == "ns" else None
    steps = []
    for (before, a), (after, b) in neighbours:
        shift = None
        if (
            kernel_config.same_machine(headers[before], headers[after])
            and before in loops
            and after in loops
            and key[1] != BASELINE
        ):
            shift = quotient(loops[before].gross, loops[after].gross)
        ratio = stepped(a, b, rules, usual, shift)
        if ratio is not None:
            steps.append(Step(before, after, ratio))
    return Series(key, unit, tuple(points), tuple(steps), None if usual is None else math.exp(usual))


def stepped(
    a: Row, b: Row, rules: VerdictRules, usual: float | None = None, shift: Estimate | None = None
) -> Estimate | None:
    """Return b/a where that is a step, else None.

    Of times: the intervals do not touch, the values lie further apart than the floor, also than FURTHER times `usual`
    (a logarithm) where that is known, and also relative to `shift`, that of the empty loop, to the same side, where it
    made a step itself: then the machine's clock did. Of counts: as compare says. Printed values have no interval, so no
    step.
    """
    if a.unit != b.unit or a.timing != b.timing or not (a.gross.has_interval and b.gross.has_interval):
        return None
    if a.unit != "ns":
        ratio, word, _ = compare.compare_counts(a.gross, b.gross, rules.confidence)
        return ratio if word in (Outcome.MORE, Outcome.FEWER) else None
    ratio = quotient(a.gross, b.gross)
    if not stats.beyond_floor(ratio, rules.floor) or abs(math.log(ratio.value)) <= FURTHER * (usual or 0.0):
        return None
    if shift is not None and stats.beyond_floor(shift, rules.floor):
        own = quotient(shift, ratio)
        if not stats.beyond_floor(own, rules.floor) or (own.value > 1) != (ratio.value > 1):
            return None
    return ratio


def quotient(a: Estimate, b: Estimate) -> Estimate:
    """Return b/a with all that the two intervals leave open; it holds 1 where they touch."""
    n, coverage = min(a.n, b.n), min(a.coverage, b.coverage)
    if a.low is None or a.high is None or b.low is None or b.high is None:
        return Estimate(b.value / a.value, None, None, n, 0.0)
    return Estimate(b.value / a.value, b.low / a.high, b.high / a.low, n, coverage)
