"""Programs measured as a whole: run once a round, by their own figure where time is real, else by instructions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import pyperf

from rseqbench.errors import TargetError
from rseqbench.measure.engines import COUNTING_ENGINES, CaseResult
from rseqbench.model import Case, Plan, ProgramResult
from rseqbench.targets import RunsPrograms, Target, require
from rseqbench.workloads.hackbench import PROGRAMS

LIMIT_S = 1800.0  # for one run of a program
_NS_PER_SECOND = 1e9


def run(target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
    """Run each of the programs that `cases` are once, for round `number`; there is but one way to measure them."""
    for case in cases:
        program = PROGRAMS[case.benchmark]
        try:
            ran = require(target, RunsPrograms).run(program.path, plan.hackbench.split(), case.registration, LIMIT_S)
            yield CaseResult(case, _bench(target, case, plan, number, ran))
        except TargetError as error:
            yield CaseResult(case, None, error.message)


def _bench(target: Target, case: Case, plan: Plan, number: int, ran: ProgramResult) -> pyperf.Benchmark:
    """Return the value of a run; what the program says of itself and what we saw from outside are both kept."""
    own_s = PROGRAMS[case.benchmark].seconds(ran)
    counted = plan.engine in COUNTING_ENGINES
    metadata: dict[str, str | int | float] = {
        "name": case.id,
        "unit": "integer" if counted else "second",
        "loops": 1,
        "benchmark": case.benchmark,
        "arch": target.arch,
        "threads": case.threads,
        "engine": "whole",
        "round": number,
        "registration": case.registration.value,
        "aborts": 0,
        "own_seconds": own_s,
        "outside_seconds": ran.ns / _NS_PER_SECOND,
        "date": datetime.now().isoformat(timespec="seconds"),
    }
    value = ran.ns if counted else own_s
    return pyperf.Benchmark([pyperf.Run([value], metadata=metadata, collect_metadata=False)])
