"""rseqbench/targets/native/target.py: what it refuses."""

import pytest

from rseqbench.build import architectures
from rseqbench.errors import TargetError, UsageError
from rseqbench.model import Case, Plan, Registration
from rseqbench.targets.native import target as native
from tests.support.requirements import native as on_this_machine
from tests.support.requirements import resolved


def test_foreign_code_is_refused():
    foreign = next(arch for arch in architectures.known().values() if not arch.is_host)
    with pytest.raises(UsageError, match=f"{foreign.name} code cannot run natively on"):
        native.NativeTarget(foreign, resolved())


def test_nothing_is_measured_on_a_target_that_was_not_entered():
    target = on_this_machine()
    plan = Plan((), (), 6, 3, 0.2, 1, "pyperf", "quick", target.cpus())
    with pytest.raises(TargetError, match="not entered"):
        target.measure(Case("cpu_id/baseline", 1, Registration.NONE), plan, 1)
