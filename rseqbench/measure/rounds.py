"""The one loop: checks, then rounds over all cases in random order, every finished round on disk. Prints nothing.

What happens is yielded as events; who listens may show them. Closing the generator, or an exception in it, loses only
the round that was under way.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from rseqbench.config import CheckOptions
from rseqbench.errors import CheckError, TargetError
from rseqbench.measure import plan as planning
from rseqbench.measure.engines import Engine
from rseqbench.model import Benchmark, Case, Skip, SkipKind
from rseqbench.store import samples
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
from rseqbench.store.samples import Sample
from rseqbench.targets import Reboots, Target

MOST_VOID = 0.3  # of the rounds; a case void in more has no number, whatever the others say
_MEASURED = (SkipKind.VOID, SkipKind.FAILED)  # kinds of skips that only the end of all rounds decides


def checkable(benchmarks: Sequence[Benchmark]) -> list[Benchmark]:
    """Return those of the benchmarks that check() proves: all that can run and are compiled in."""
    return [benchmark for benchmark in benchmarks if not benchmark.unavailable and not benchmark.whole]


def check(target: Target, benchmarks: Sequence[Benchmark], options: CheckOptions) -> Iterator[Checked]:
    """Check the benchmarks that are checkable(), one after the other."""
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
        yield from _check_cases(target, unfinished, options)
    yield from _Rounds(target, unfinished, engine).measure()


def failures(header: Header) -> list[str]:
    """Return a line for each benchmark that should have been measured and was not: its check or every round failed."""
    failed = [f"check FAILED: {check.benchmark}: {check.message}" for check in header.checks if not check.passed]
    never = [skip for skip in header.plan.skips if skip.kind == SkipKind.FAILED]
    return failed + [f"{skip.benchmark}: {skip.reason}" for skip in never]


def _check_cases(target: Target, unfinished: UnfinishedRun, options: CheckOptions) -> Iterator[ChecksBegun | Checked]:
    planned = {case.benchmark for case in unfinished.header.plan.cases}
    benchmarks = [benchmark for benchmark in target.benchmarks() if benchmark.name in planned]
    checks = []
    yield ChecksBegun(tuple(benchmark.name for benchmark in checkable(benchmarks)))
    for event in check(target, benchmarks, options):
        checks.append(event.check)
        yield event
    unfinished.record_checks(checks)


def _skip_inexact(unfinished: UnfinishedRun) -> list[Case]:
    """Return the cases that may be timed; the others become skips of the stored plan."""
    failed = {check.benchmark: check.message for check in unfinished.header.checks if not check.passed}
    plan = unfinished.header.plan
    exact = [case for case in plan.cases if case.benchmark not in failed]
    if not exact:
        raise CheckError("no benchmark passed its check, so nothing is timed", "rseqbench check shows them")
    skipped = {(skip.benchmark, skip.threads) for skip in plan.skips}
    added = [
        Skip(
            case.benchmark,
            case.threads,
            f"check FAILED, so it is not timed: {failed[case.benchmark]}",
            SkipKind.CHECK_FAILED,
        )
        for case in plan.cases
        if case.benchmark in failed and (case.benchmark, case.threads) not in skipped
    ]
    unfinished.record_skips([*plan.skips, *added])
    return exact


class _Rounds:
    """The missing rounds of an unfinished run whose checks are done.

    failures: why a case was void, by round; it knows nothing of the time before a run was resumed.
    """

    def __init__(self, target: Target, unfinished: UnfinishedRun, engine: Engine) -> None:
        self._target, self._unfinished, self._engine = target, unfinished, engine
        self._cases = _skip_inexact(unfinished)
        self._plan = unfinished.header.plan
        self._failures: dict[Case, dict[int, str]] = {}

    def measure(self) -> Iterator[RunEvent]:
        """Measure and store the missing rounds."""
        boot = self._plan.boot(next(iter(self._missing()), self._plan.rounds - 1))
        self._begin_boot(boot)
        missing = self._missing()
        if missing:
            yield Preparing()
        self._engine.prepare(self._target, self._plan, self._cases)
        done, of, void_rounds = 0, len(missing) * len(self._cases), 0
        for number in missing:
            if self._plan.boot(number) != boot:
                boot = self._plan.boot(number)
                yield BootDone(boot, self._plan.boots)
                if not isinstance(self._target, Reboots):
                    return
                self._target.reboot()
                self._begin_boot(boot)
            begin = time.monotonic()
            self._begin_round()
            measured: list[Sample] = []
            order = planning.order_cases(self._plan, number, self._cases)
            yield RoundBegun(number, self._plan.rounds, self._engine.steps(order))
            for result in self._engine.round(self._target, self._plan, number, order):
                done += 1
                if result.sample is None:
                    self._failures.setdefault(result.case, {})[number] = result.failure
                else:
                    measured.append(result.sample)
                yield CaseMeasured(result.case, number, result.failure, done, of)
            if measured:
                suite = samples.to_suite(measured)
                self._unfinished.save_round(number, suite)
                yield RoundDone(number, len(self._unfinished.rounds()), self._plan.rounds, suite)
            else:
                void_rounds += 1
                if void_rounds > MOST_VOID * self._plan.rounds:
                    raise TargetError(f"round {number + 1}: nothing could be measured: {self._first_failure()}")
            if number != missing[-1]:
                time.sleep(max(0.0, begin + self._engine.pause_s() - time.monotonic()))
        if missing or not self._unfinished.header.finished:
            self._record_end()

    def _missing(self) -> list[int]:
        stored = self._unfinished.rounds()
        return [number for number in range(self._plan.rounds) if number not in stored]

    def _begin_boot(self, number: int) -> None:
        """Record which boot of the machine is boot `number` of the run.

        A boot is a unit: what another boot left of its rounds is dropped, as it could only be mixed with this one's.
        """
        if self._plan.boots == 1:
            return
        recorded, boot_id = self._unfinished.header.boots, self._target.boot_id()
        if boot_id in recorded[:number]:
            hint = f"boot it anew, then: rseqbench run --resume {self._unfinished.header.label}"
            raise TargetError(f"boot {number} of {self._plan.boots} is done, and the machine is still in it", hint)
        if len(recorded) > number and recorded[number] != boot_id:
            self._unfinished.drop(self._plan.rounds_of(number))
        self._unfinished.record_boot(number, boot_id)

    def _begin_round(self) -> None:
        """Begin a round. If the target is gone, it took part of the round before with it, which is dropped."""
        try:
            self._target.new_round()
        except TargetError:
            last = max((number for rounds in self._failures.values() for number in rounds), default=None)
            if last is not None and last == max(self._unfinished.rounds(), default=None):
                self._unfinished.drop([last])
            raise

    def _first_failure(self) -> str:
        return next(reason for rounds in self._failures.values() for reason in rounds.values())

    def _record_end(self) -> None:
        """Record which cases were void in how many of the stored rounds; void in too many, a case has no number."""
        of = self._plan.rounds
        stored = {bench.get_name(): bench.get_nrun() for bench in self._unfinished.suite()}
        skips = [skip for skip in self._unfinished.header.plan.skips if skip.kind not in _MEASURED]
        notes = []
        skipped = {(skip.benchmark, skip.threads) for skip in skips}
        for case in self._cases:
            void = of - stored.get(case.id, 0)
            reason = next(iter(self._failures.get(case, {}).values()), "before the run was taken up again")
            words = f"void in {void} of {of} rounds: {reason}"
            if 0 < void <= MOST_VOID * of:
                notes.append(f"{case.id}: {words}")
            elif void and (case.benchmark, case.threads) not in skipped:
                every = void == of
                words = f"failed in every round: {reason}" if every else words
                skips.append(Skip(case.benchmark, case.threads, words, SkipKind.FAILED if every else SkipKind.VOID))
        self._unfinished.record_end(skips, notes)
