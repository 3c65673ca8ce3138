"""rseqbench/targets/native.py: what it concludes from the answers of its workers, and what it refuses."""

import os

import pytest

from rseqbench import arches
from rseqbench.errors import TargetError, UsageError
from rseqbench.model import Benchmark, Case, Plan, Registration
from rseqbench.targets import native
from tests.machines import defaults
from tests.machines import native as on_this_machine

SHARED = Benchmark("counter/x", "doc", shared=True)
SEQUENCE = Benchmark("counter/x", "doc", shared=True, sequence=True)
EXACT = {"passed": True, "message": "", "operations": 10, "aborts": 2, "disturbances": 5}
WRONG = {"passed": False, "message": "the sum is 3", "operations": 10, "aborts": 0, "disturbances": 5}


@pytest.mark.parametrize(
    ("benchmark", "answers", "cpus", "verdict", "message"),
    [
        (SEQUENCE, [EXACT, EXACT], 2, "exact", ""),
        (SEQUENCE, [EXACT, WRONG], 2, "FAILED", "the sum is 3"),
        (SEQUENCE, [{**EXACT, "aborts": 0}] * 2, 2, "exact, not exercised", "no abort was taken"),
        (SEQUENCE, [{**EXACT, "aborts": 0}, EXACT], 2, "exact", ""),
        (SHARED, [{**EXACT, "aborts": 0}] * 2, 2, "exact", ""),
        (SHARED, [EXACT], 1, "exact, not exercised", "only one CPU, so no migration"),
        (SHARED, [{**EXACT, "disturbances": 0}], 2, "exact, not exercised", "over before anything disturbed it"),
        (Benchmark("cpu_id/x", "doc"), [{**EXACT, "aborts": 0, "disturbances": 0}], 1, "exact", ""),
        (Benchmark("cpu_id/x", "doc", trivial=True), [EXACT], 2, "trivial", ""),
    ],
)
def test_what_is_concluded_from_the_answers(monkeypatch, benchmark, answers, cpus, verdict, message):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)))
    check = native._concluded(benchmark, 8, answers)
    assert (check.verdict, check.message) == (verdict, message)
    assert check.operations == 10 * len(answers)
    assert check.threads == 8


def test_foreign_code_is_refused():
    foreign = next(arch for arch in arches.known().values() if not arch.is_host)
    with pytest.raises(UsageError, match=f"{foreign.name} code cannot run natively on"):
        native.Native(foreign, defaults().run)


def test_nothing_is_measured_on_a_target_that_was_not_entered():
    target = on_this_machine()
    plan = Plan((), (), 6, 3, 0.2, 1, "pyperf", "quick", target.cpus())
    with pytest.raises(TargetError, match="not entered"):
        target.measure(Case("cpu_id/baseline", 1, Registration.NONE), plan, 0, 1)
