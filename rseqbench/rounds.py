"""The one loop: checks, then rounds over all cases in random order, every finished round on disk. Prints nothing.

What happens is yielded as events; who listens may show them. Closing the generator, or an exception in it, loses only
the round that was under way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pyperf

from rseqbench import plan as planning
from rseqbench.config import CheckOptions
from rseqbench.errors import CheckError, TargetError
from rseqbench.model import Benchmark, Case, Check, Skip
from rseqbench.results import Header, Unfinished
from rseqbench.targets import Target

_FAILED = "failed in every round"


@dataclass(frozen=True)
class Checked:
    """A check is over; `done` of `of` are."""

    check: Check
    done: int
    of: int


@dataclass(frozen=True)
class Measured:
    """A case was measured, or failed with a reason, in a round; `done` of `of` cases of all rounds are."""

    case: Case
    number: int
    failure: str
    done: int
    of: int


@dataclass(frozen=True)
class RoundDone:
    """A round is complete and on disk; `done` of `of` are."""

    number: int
    done: int
    of: int


Event = Checked | Measured | RoundDone


@dataclass
class _Loops:
    """What is known of each case while the rounds go on: its calibrated loops, and its failures by round."""

    loops: dict[Case, int] = field(default_factory=dict)
    failures: dict[Case, dict[int, str]] = field(default_factory=dict)


def check(target: Target, benchmarks: Sequence[Benchmark], options: CheckOptions) -> Iterator[Checked]:
    """Prove the benchmarks exact, one after the other; what cannot run is passed over."""
    available = [benchmark for benchmark in benchmarks if not benchmark.unavailable]
    for done, benchmark in enumerate(available, start=1):
        yield Checked(target.check(benchmark, options), done, len(available))


def run(target: Target, unfinished: Unfinished, options: CheckOptions) -> Iterator[Event]:
    """Do what is left of an unfinished run: its checks, if they were not done, and its missing rounds.

    A case whose check fails is not timed; a case that fails in a round is void in that round. Both are written into
    the header. Raises CheckError when nothing is left to time, TargetError when every case of a round fails.
    """
    if not unfinished.header.checks:
        yield from _checks(target, unfinished, options)
    cases = _exact_cases(unfinished)
    plan = unfinished.header.plan
    missing = [number for number in range(plan.rounds) if number not in unfinished.rounds()]
    known = _Loops()
    done = 0
    for number in missing:
        target.new_round()
        suite: list[pyperf.Benchmark] = []
        for case in planning.order(plan, number, cases):
            failure = _one(target, unfinished, case, number, known, suite)
            done += 1
            yield Measured(case, number, failure, done, len(missing) * len(cases))
        if not suite:
            reasons = sorted({reason for found in known.failures.values() for reason in found.values()})
            raise TargetError(f"round {number + 1}: nothing could be measured: {reasons[0]}")
        unfinished.save_round(number, pyperf.BenchmarkSuite(suite))
        yield RoundDone(number, plan.rounds - len(missing) + missing.index(number) + 1, plan.rounds)
    _note_failures(unfinished, known)


def _checks(target: Target, unfinished: Unfinished, options: CheckOptions) -> Iterator[Checked]:
    wanted = {case.benchmark for case in unfinished.header.plan.cases}
    benchmarks = [benchmark for benchmark in target.benchmarks() if benchmark.name in wanted]
    checks = []
    for event in check(target, benchmarks, options):
        checks.append(event.check)
        yield event
    unfinished.update(replace(unfinished.header, checks=tuple(checks)))


def _exact_cases(unfinished: Unfinished) -> list[Case]:
    """Return the cases that may be timed; the others become skips of the stored plan."""
    failed = {c.benchmark: c.message for c in unfinished.header.checks if not c.passed}
    plan = unfinished.header.plan
    exact = [case for case in plan.cases if case.benchmark not in failed]
    if not exact:
        raise CheckError("no benchmark passed its check, so nothing is timed", "rseqbench check shows them")
    known = {(skip.benchmark, skip.threads) for skip in plan.skips}
    added = [
        Skip(case.benchmark, case.threads, f"check FAILED, so it is not timed: {failed[case.benchmark]}")
        for case in plan.cases
        if case.benchmark in failed and (case.benchmark, case.threads) not in known
    ]
    if added:
        unfinished.update(replace(unfinished.header, plan=replace(plan, skips=(*plan.skips, *added))))
    return exact


def _one(
    target: Target, unfinished: Unfinished, case: Case, number: int, known: _Loops, suite: list[pyperf.Benchmark]
) -> str:
    """Measure one case of one round into `suite`, calibrating it at first sight; return why it failed, or nothing."""
    plan = unfinished.header.plan
    try:
        if case not in known.loops:
            calibration = target.measure(case, plan, number, 0)
            known.loops[case] = calibration.get_runs()[0].get_loops()
        bench = target.measure(case, plan, number, known.loops[case])
    except TargetError as error:
        known.failures.setdefault(case, {})[number] = error.message
        return error.message
    suite.append(bench)
    return ""


def _note_failures(unfinished: Unfinished, known: _Loops) -> None:
    """Write into the header which cases were void in which rounds; void in all, a case is a skip with its reason."""
    header = unfinished.header
    notes, skips = list(header.notes), list(header.plan.skips)
    for case, found in known.failures.items():
        reason = next(iter(found.values()))
        if len(found) == header.plan.rounds:
            skips.append(Skip(case.benchmark, case.threads, f"{_FAILED}: {reason}"))
        else:
            notes.append(f"{case.id}: void in {len(found)} of {header.plan.rounds} rounds: {reason}")
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    plan = replace(header.plan, skips=tuple(skips))
    unfinished.update(replace(header, notes=tuple(notes), plan=plan, finished=finished))


def failures(header: Header) -> list[str]:
    """Return a line for each benchmark that should have been measured and was not: its check or every round failed."""
    wrong = [f"check FAILED: {c.benchmark}: {c.message}" for c in header.checks if not c.passed]
    return wrong + [f"{s.benchmark}: {s.reason}" for s in header.plan.skips if s.reason.startswith(_FAILED)]
