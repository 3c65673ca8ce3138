"""How a value is taken. An engine measures a round of cases on a target; a file each, and its name with every value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyperf

from rseqbench.config import unknown
from rseqbench.model import Case, Plan
from rseqbench.targets import Target


@dataclass(frozen=True)
class Taken:
    """What an engine made of one case in one round: a benchmark of one pyperf run, or why there is none."""

    case: Case
    bench: pyperf.Benchmark | None
    failure: str = ""


class Engine(Protocol):
    """Takes values. It may keep what it learnt in earlier rounds of the run, such as how many loops a case wants."""

    def prepare(self, target: Target, plan: Plan, cases: Sequence[Case]) -> None:
        """Find out, once a run, what has to be known before its first round."""

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[Taken]:
        """Measure the cases, in their order or mixed; one Taken each. Raises TargetError only if all is lost."""

    def pause_s(self) -> float:
        """Return how many seconds rounds should begin apart at least."""


def _pyperf() -> Engine:
    from rseqbench.engines.plain import Plain  # noqa: PLC0415 - an engine is loaded when it is used

    return Plain()


def _gated() -> Engine:
    from rseqbench.engines.gated import Gated  # noqa: PLC0415 - as above

    return Gated()


ENGINES: dict[str, Callable[[], Engine]] = {"gated": _gated, "pyperf": _pyperf}


def chosen(name: str) -> list[str]:
    """Return the names of the engines to measure with: "both" is all of them. Raises UsageError for an unknown one."""
    if name != "both" and name not in ENGINES:
        raise unknown("engine", name, [*ENGINES, "both"])
    return list(ENGINES) if name == "both" else [name]


def create(name: str) -> Engine:
    """Return a new engine. Raises UsageError when there is none of that name."""
    if name not in ENGINES:
        raise unknown("engine", name, ENGINES)
    return ENGINES[name]()
