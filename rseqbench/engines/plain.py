"""pyperf as its users know it: its Runner times one case after the other, each in a fresh process."""

from __future__ import annotations

import pyperf

from rseqbench.engines.one_by_one import OneByOne
from rseqbench.model import Case, Plan
from rseqbench.targets import Target


class Plain(OneByOne):
    """The engine `pyperf`."""

    def _calibrate(self, target: Target, plan: Plan, number: int, case: Case) -> int:
        return int(target.measure(case, plan, number, 0).get_runs()[0].get_loops())

    def _take(self, target: Target, plan: Plan, number: int, case: Case, loops: int) -> pyperf.Benchmark:
        return target.measure(case, plan, number, loops)
