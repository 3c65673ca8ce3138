"""Programs measured as a whole: run once a round, by their own figure where time is real, else by instructions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rseqbench.errors import TargetError
from rseqbench.measure.engines import COUNTING_ENGINES, CaseResult
from rseqbench.model import Case, Plan, ProgramResult
from rseqbench.store.samples import NS_PER_SECOND, Sample
from rseqbench.targets import RunsPrograms, Target, require
from rseqbench.workloads.hackbench import PROGRAMS

LIMIT_S = 1800.0  # for one run of a program


def run(target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
    """Run each of the programs that `cases` are once, for round `number`; there is but one way to measure them."""
    for case in cases:
        program = PROGRAMS[case.benchmark]
        try:
            ran = require(target, RunsPrograms).run(program.path, plan.hackbench.split(), case.registration, LIMIT_S)
            yield CaseResult(case, _sample(target, case, plan, number, ran))
        except TargetError as error:
            yield CaseResult(case, None, error.message)


def _sample(target: Target, case: Case, plan: Plan, number: int, ran: ProgramResult) -> Sample:
    """Return the value of a run; the program's figure and the time from outside are both kept."""
    own_s = PROGRAMS[case.benchmark].seconds(ran)
    counted = plan.engine in COUNTING_ENGINES
    return Sample(
        benchmark=case.benchmark,
        threads=case.threads,
        registration=case.registration,
        arch=target.arch,
        engine="whole",
        round=number,
        unit="integer" if counted else "second",
        values=(ran.ns if counted else own_s,),
        details={"own_seconds": own_s, "outside_seconds": ran.ns / NS_PER_SECOND},
    )
