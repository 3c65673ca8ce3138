"""No machine at all: the rounds of a stored run, handed out once more. What comes out of it is marked as a replay."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from rseqbench.config import CheckOptions
from rseqbench.errors import TargetError
from rseqbench.measure.engines import CaseResult, Engine
from rseqbench.measure.engines.sequential import SequentialEngine
from rseqbench.model import (
    REPLAY,
    Benchmark,
    Case,
    Check,
    CommandLine,
    Machine,
    Plan,
    Registration,
)
from rseqbench.store.runs import Header, Run
from rseqbench.store.samples import Sample
from rseqbench.targets import Target

LABEL = "demo-replay"
_CHECK_S, _ROUND_S = 0.05, 0.4  # how long they are shown


def replay_header(run: Run) -> Header:
    """Return the header under which a run is replayed: its own, but for what says that it is a replay."""
    own = run.header
    return replace(own, label=LABEL, machines=tuple(map(_machine, own.machines)), checks=(), finished="")


def _machine(own: Machine) -> Machine:
    remark = f"of a run on another machine, whose target was {own.target}; nothing was measured on this one"
    return replace(own, target=REPLAY, facts=replace(own.facts, replay=remark))


class ReplayTarget:
    """The target `replay`, which needs neither rseq nor a compiler. Its checks and values are those of a stored run."""

    def __init__(self, run: Run, check_s: float = _CHECK_S) -> None:
        """Take the run, on one machine, and for how long each check is shown."""
        self._header = replay_header(run)
        self._check_s = check_s
        self._checks = {check.benchmark: check for check in run.header.checks}
        self._samples = {(sample.benchmark, sample.threads, sample.round): sample for sample in run.samples()}

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing."""

    def calls(self) -> list[CommandLine]:
        """Return none."""
        return []

    @property
    def arch(self) -> str:
        """The architecture of the recorded machine."""
        return self._header.machines[0].arch

    def machine(self) -> Machine:
        """Return the recorded machine, as a replay of it."""
        return self._header.machines[0]

    def cpus(self) -> tuple[int, ...]:
        """Return the CPUs of the recorded run."""
        return self._header.plan.cpus

    def registration(self) -> Registration:
        """Return who registered rseq then."""
        registration = self.machine().facts.registration
        assert registration is not None
        return registration

    def benchmarks(self) -> list[Benchmark]:
        """Return what the recorded run measured."""
        names = dict.fromkeys(case.benchmark for case in self._header.plan.cases)
        return [Benchmark(name, self._header.docs.get(name, "")) for name in names]

    def check(self, benchmark: Benchmark, options: CheckOptions) -> Check:
        """Return the recorded check."""
        time.sleep(self._check_s)
        return self._checks[benchmark.name]

    def new_round(self) -> None:
        """Do nothing."""

    def recorded_sample(self, case: Case, number: int) -> Sample:
        """Return the recorded values of a case in a round. Raises TargetError where there are none."""
        sample = self._samples.get((case.benchmark, case.threads, number))
        if sample is None:
            raise TargetError("void in the recorded run")
        return sample

    def doubts(self, case: Case) -> str:
        """Return nothing: what is replayed was believed when it was measured."""
        return ""

    def boot_id(self) -> str:
        """Return that there is none."""
        return REPLAY


class ReplayEngine(SequentialEngine):
    """The engine that goes with it: it takes recorded values as they are, in the steps of the engine that took them."""

    def __init__(self, recorded: Engine, round_s: float = _ROUND_S) -> None:
        """Take that engine, and for how long each round is shown."""
        super().__init__()
        self._recorded, self._round_s = recorded, round_s

    def steps(self, cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
        """Return what the recording engine did one after the other."""
        return self._recorded.steps(cases)

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
        """Let the round be seen for a moment, and hand it out."""
        time.sleep(self._round_s)
        yield from super().round(target, plan, number, cases)

    def _calibrate(self, target: Target, plan: Plan, number: int, case: Case) -> int:
        return 1

    def _take(self, target: Target, plan: Plan, number: int, case: Case, loops: int) -> Sample:
        assert isinstance(target, ReplayTarget)
        return target.recorded_sample(case, number)
