"""pyperf as its users know it: its Runner times one case after the other, each in a fresh process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rseqbench.engines import Taken
from rseqbench.errors import TargetError
from rseqbench.model import Case, Plan
from rseqbench.targets import Target


class Plain:
    """The engine `pyperf`."""

    def __init__(self) -> None:
        """Begin with nothing calibrated."""
        self._loops: dict[Case, int] = {}

    def prepare(self, target: Target, plan: Plan, cases: Sequence[Case]) -> None:
        """Do nothing: pyperf calibrates a case when it first meets it."""

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[Taken]:
        """Measure one case after the other."""
        for case in cases:
            try:
                if case not in self._loops:
                    calibration = target.measure(case, plan, number, 0)
                    self._loops[case] = calibration.get_runs()[0].get_loops()
                yield Taken(case, target.measure(case, plan, number, self._loops[case]))
            except TargetError as error:
                yield Taken(case, None, error.message)

    def pause_s(self) -> float:
        """Return 0: a round takes long enough by itself."""
        return 0.0
