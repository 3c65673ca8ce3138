"""The one loop: checks, then rounds over all cases in random order, every finished round on disk. Prints nothing.

What happens is yielded as events; who listens may show them. Closing the generator, or an exception in it, loses only
the round that was under way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pyperf

from rseqbench.config import CheckOptions
from rseqbench.errors import CheckError, TargetError
from rseqbench.measure import plan as planning
from rseqbench.measure.engines import Engine
from rseqbench.model import Benchmark, Case, Skip
from rseqbench.store.events import (
    BootDone,
    CaseMeasured,
    Checked,
    ChecksBegun,
    Preparing,
    RoundBegun,
    RoundDone,
    RunEvent,
)
from rseqbench.store.runs import Header, UnfinishedRun
from rseqbench.targets import Reboots, Target

MOST_VOID = 0.3  # of the rounds; a case void in more has no number, whatever the others say
_FAILED = "failed in every round"


Failures = dict[Case, dict[int, str]]  # why a case was void, by round


def checkable(benchmarks: Sequence[Benchmark]) -> list[Benchmark]:
    """Return those of the benchmarks that check() proves: what cannot run, or is no kernel, is left out."""
    return [benchmark for benchmark in benchmarks if not benchmark.unavailable and not benchmark.whole]


def check(target: Target, benchmarks: Sequence[Benchmark], options: CheckOptions) -> Iterator[Checked]:
    """Prove the benchmarks exact, one after the other; what cannot run, or is no kernel, is not."""
    available = checkable(benchmarks)
    for done, benchmark in enumerate(available, start=1):
        yield Checked(target.check(benchmark, options), done, len(available))


def run(target: Target, unfinished: UnfinishedRun, engine: Engine, options: CheckOptions) -> Iterator[RunEvent]:
    """Do what is left of an unfinished run: its checks, if they were not done, and its missing rounds.

    A case whose check fails is not timed; a case that fails in a round is void in that round. Both are written into
    the header. A round in which every case fails is not stored, and the run goes on. Where a run has several boots and
    the machine is not ours to boot, it ends with each. Raises CheckError when nothing is left to time, TargetError when
    there were too many such rounds for any case to have a number, or when this boot is done and it is still this boot.
    """
    if not unfinished.header.checks:
        yield from _checks(target, unfinished, options)
    cases = _exact_cases(unfinished)
    plan = unfinished.header.plan
    boot = plan.boot(next(iter(_missing(unfinished)), plan.rounds - 1))
    _begin_boot(target, unfinished, boot)
    missing = _missing(unfinished)
    failures: Failures = {}
    done, of, void = 0, len(missing) * len(cases), 0
    if missing:
        yield Preparing()
    engine.prepare(target, plan, cases)
    for number in missing:
        if plan.boot(number) != boot:
            boot = plan.boot(number)
            yield BootDone(boot, plan.boots)
            if not isinstance(target, Reboots):
                return
            target.reboot()
            _begin_boot(target, unfinished, boot)
        begin = time.monotonic()
        _new_round(target, unfinished, failures)
        suite: list[pyperf.Benchmark] = []
        order = planning.order(plan, number, cases)
        yield RoundBegun(number, plan.rounds, engine.steps(order))
        for taken in engine.round(target, plan, number, order):
            done += 1
            if taken.bench is None:
                failures.setdefault(taken.case, {})[number] = taken.failure
            else:
                suite.append(taken.bench)
            yield CaseMeasured(taken.case, number, taken.failure, done, of)
        if suite:
            values = pyperf.BenchmarkSuite(suite)
            unfinished.save_round(number, values)
            yield RoundDone(number, len(unfinished.rounds()), plan.rounds, values)
        else:
            void += 1
            if void > MOST_VOID * plan.rounds:
                raise TargetError(f"round {number + 1}: nothing could be measured: {_first(failures)}")
        if number != missing[-1]:
            time.sleep(max(0.0, begin + engine.pause_s() - time.monotonic()))
    _note_failures(unfinished, cases, failures)


def _new_round(target: Target, unfinished: UnfinishedRun, failures: Failures) -> None:
    """Begin a round. A target that is gone then took part of the round before with it, which is to be measured anew."""
    try:
        target.new_round()
    except TargetError:
        last = max((number for found in failures.values() for number in found), default=None)
        if last is not None and last == max(unfinished.rounds(), default=None):
            unfinished.drop([last])
        raise


def _missing(unfinished: UnfinishedRun) -> list[int]:
    there = unfinished.rounds()
    return [number for number in range(unfinished.header.plan.rounds) if number not in there]


def _begin_boot(target: Target, unfinished: UnfinishedRun, boot: int) -> None:
    """Note which boot of the machine is number `boot` of a run.

    A boot is a unit: what another boot left of its rounds is dropped, as it could only be mixed with this one's.
    """
    plan = unfinished.header.plan
    if plan.boots == 1:
        return
    seen, here = unfinished.header.boots, target.boot_id()
    if here in seen[:boot]:
        how = f"boot it anew, then: rseqbench run --resume {unfinished.header.label}"
        raise TargetError(f"boot {boot} of {plan.boots} is done, and the machine is still in it", how)
    if len(seen) > boot and seen[boot] != here:
        unfinished.drop(plan.rounds_of(boot))
    unfinished.update(replace(unfinished.header, boots=(*seen[:boot], here)))


def _first(failures: Failures) -> str:
    return next(reason for found in failures.values() for reason in found.values())


def _checks(target: Target, unfinished: UnfinishedRun, options: CheckOptions) -> Iterator[ChecksBegun | Checked]:
    wanted = {case.benchmark for case in unfinished.header.plan.cases}
    benchmarks = [benchmark for benchmark in target.benchmarks() if benchmark.name in wanted]
    checks = []
    yield ChecksBegun(tuple(benchmark.name for benchmark in checkable(benchmarks)))
    for event in check(target, benchmarks, options):
        checks.append(event.check)
        yield event
    unfinished.update(replace(unfinished.header, checks=tuple(checks)))


def _exact_cases(unfinished: UnfinishedRun) -> list[Case]:
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


def _note_failures(unfinished: UnfinishedRun, cases: Sequence[Case], failures: Failures) -> None:
    """Write into the header which cases were void in how many rounds; void in too many, a case has no number.

    What counts is what is on disk: `failures` knows nothing of the time before a run was taken up again.
    """
    header = unfinished.header
    notes, skips, of = list(header.notes), list(header.plan.skips), header.plan.rounds
    stored = {bench.get_name(): bench.get_nrun() for bench in unfinished.suite()}
    known = {(skip.benchmark, skip.threads) for skip in skips}
    for case in cases:
        void = of - stored.get(case.id, 0)
        reason = next(iter(failures.get(case, {}).values()), "before the run was taken up again")
        if void > MOST_VOID * of and (case.benchmark, case.threads) not in known:
            word = _FAILED if void == of else f"void in {void} of {of} rounds"
            skips.append(Skip(case.benchmark, case.threads, f"{word}: {reason}"))
        elif 0 < void <= MOST_VOID * of and not any(note.startswith(f"{case.id}: void in ") for note in notes):
            notes.append(f"{case.id}: void in {void} of {of} rounds: {reason}")
    finished = datetime.now(UTC).isoformat(timespec="seconds")
    plan = replace(header.plan, skips=tuple(skips))
    unfinished.update(replace(header, notes=tuple(notes), plan=plan, finished=finished))


def failures(header: Header) -> list[str]:
    """Return a line for each benchmark that should have been measured and was not: its check or every round failed."""
    wrong = [f"check FAILED: {c.benchmark}: {c.message}" for c in header.checks if not c.passed]
    return wrong + [f"{s.benchmark}: {s.reason}" for s in header.plan.skips if s.reason.startswith(_FAILED)]
