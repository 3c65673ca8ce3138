"""What engines share that take one case after the other, and calibrate each when they first meet it."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Sequence

from rseqbench.errors import TargetError
from rseqbench.measure.engines import CaseResult
from rseqbench.model import Case, Plan
from rseqbench.store.samples import Sample
from rseqbench.targets import Target, TimesCases, require

_PROCESS_S = 0.02  # beside its values: it is started, and pinned
_CALIBRATION = 3  # values: as its loops double, each takes half of the next


class SequentialEngine(abc.ABC):
    """An engine without anything to prepare, whose rounds need not be spread."""

    def __init__(self) -> None:
        """Begin with nothing calibrated."""
        self._loops: dict[Case, int] = {}

    @abc.abstractmethod
    def _calibrate(self, target: Target, plan: Plan, number: int, case: Case) -> int:
        """Return how many operations a value of the case takes. Raises TargetError."""

    @abc.abstractmethod
    def _take(self, target: Target, plan: Plan, number: int, case: Case, loops: int) -> Sample:
        """Measure a case for round `number`. Raises TargetError."""

    def prepare(self, target: Target, plan: Plan, cases: Sequence[Case]) -> None:  # noqa: B027 - nothing is a choice
        """Do nothing: a case is calibrated when it is first met."""

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
        """Measure one case after the other; one that fails is calibrated anew in the next round if it was not yet."""
        for case in cases:
            try:
                if case not in self._loops:
                    self._loops[case] = self._calibrate(target, plan, number, case)
                yield CaseResult(case, self._take(target, plan, number, case, self._loops[case]))
            except TargetError as error:
                yield CaseResult(case, None, error.message)

    def steps(self, cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
        """Return each case alone."""
        return tuple((case,) for case in cases)

    def expected_s(self, plan: Plan) -> float | None:
        """Return None: how fast an emulated machine is, only running it tells."""
        return None

    def pause_s(self) -> float:
        """Return 0: a pyperf round takes long enough by itself, and nobody disturbs a count."""
        return 0.0


class PyperfEngine(SequentialEngine):
    """The engine `pyperf`."""

    def expected_s(self, plan: Plan) -> float | None:
        """Return how long the processes take: in each round one a case, and before the first the calibrations."""
        value_s = plan.value_ms * 1e-3
        once = _PROCESS_S + (plan.values + 1) * value_s  # one more warms up
        return len(plan.cases) * (plan.rounds * once + _PROCESS_S + _CALIBRATION * value_s)

    def _calibrate(self, target: Target, plan: Plan, number: int, case: Case) -> int:
        return require(target, TimesCases).measure(case, plan, 0).loops

    def _take(self, target: Target, plan: Plan, number: int, case: Case, loops: int) -> Sample:
        times = require(target, TimesCases).measure(case, plan, loops)
        return Sample(
            benchmark=case.benchmark,
            threads=case.threads,
            registration=times.registration,
            arch=target.arch,
            engine="pyperf",
            round=number,
            unit="second",
            values=times.values,
            loops=times.loops,
            aborts=times.aborts,
            warmups=times.warmups,
            details=times.details,
        )
