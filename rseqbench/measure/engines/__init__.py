"""How a value is taken. An engine measures a round of cases on a target; each has a file, and its name is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rseqbench.errors import UsageError, unknown_name
from rseqbench.model import Case, Plan
from rseqbench.store.samples import Sample
from rseqbench.targets import Target


@dataclass(frozen=True)
class CaseResult:
    """The outcome of one case in one round: its sample, or why there is none."""

    case: Case
    sample: Sample | None
    failure: str = ""


class Engine(Protocol):
    """Takes values. It may keep what it learnt in earlier rounds of the run, such as how many loops a case wants."""

    def prepare(self, target: Target, plan: Plan, cases: Sequence[Case]) -> None:
        """Find out, once a run, what has to be known before its first round."""

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
        """Measure the cases, in their order or mixed; one CaseResult each. Raises TargetError only if all is lost."""

    def steps(self, cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
        """Return what round() does with the cases one after the other: each step the cases that are measured at once.

        Pure, and so are the two below.
        """

    def expected_s(self, plan: Plan) -> float | None:
        """Return how many seconds the rounds of a plan take on a machine that is ours; None where only trying tells."""

    def pause_s(self) -> float:
        """Return how many seconds rounds should begin apart at least."""


TIMING_ENGINES = ("gated", "pyperf")  # the first is the one of "auto"
COUNTING_ENGINES = ("counted",)  # they count the instructions of emulated machines
ENGINES = (*TIMING_ENGINES, *COUNTING_ENGINES)


def choose_engines(name: str, emulated: bool) -> list[str]:
    """Return the names of the engines to measure with on a target whose time is `emulated` or not.

    "auto" is the best one there, "both" is all of them. Raises UsageError for an unknown one, and for one that cannot
    tell anything there: emulated time is no time, and where time is real nothing counts instructions.
    """
    possible = COUNTING_ENGINES if emulated else TIMING_ENGINES
    if name == "auto":
        return [possible[0]]
    if name == "both":
        return [*possible]
    if name not in ENGINES:
        raise unknown_name("engine", name, [*ENGINES, "auto", "both"])
    if name not in possible:
        why = "time is emulated there, which is no time" if emulated else "time is real there, so nothing counts"
        raise UsageError(f"engine {name} cannot measure on this target: {why}", f"--engine {possible[0]}")
    return [name]
