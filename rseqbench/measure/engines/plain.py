"""pyperf as its users know it: its Runner times one case after the other, each in a fresh process."""

from __future__ import annotations

import pyperf

from rseqbench.measure.engines.sequential import OneByOne
from rseqbench.model import Case, Plan
from rseqbench.targets import Target

_PROCESS_S = 0.02  # beside its values: it is started, and pinned
_CALIBRATION = 3  # values: as its loops double, each takes half of the next


class Plain(OneByOne):
    """The engine `pyperf`."""

    def expected_s(self, plan: Plan) -> float | None:
        """Return how long the processes take: in each round one a case, and before the first the calibrations."""
        value_s = plan.value_ms * 1e-3
        once = _PROCESS_S + (plan.values + 1) * value_s  # one more warms up
        return len(plan.cases) * (plan.rounds * once + _PROCESS_S + _CALIBRATION * value_s)

    def _calibrate(self, target: Target, plan: Plan, number: int, case: Case) -> int:
        return int(target.measure(case, plan, number, 0).get_runs()[0].get_loops())

    def _take(self, target: Target, plan: Plan, number: int, case: Case, loops: int) -> pyperf.Benchmark:
        return target.measure(case, plan, number, loops)
