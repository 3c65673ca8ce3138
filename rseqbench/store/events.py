"""What a run, or each member of a fleet, reports while it is measured. report/progress shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import pyperf

from rseqbench.errors import RseqbenchError
from rseqbench.model import Case, Check
from rseqbench.store.runs import Run

Job = TypeVar("Job")
Reported = TypeVar("Reported")
INTERRUPTED = "interrupted"


@dataclass(frozen=True)
class ChecksBegun:
    """The checks of these benchmarks follow, in this order."""

    benchmarks: tuple[str, ...]


@dataclass(frozen=True)
class Checked:
    """A check is over; `done` of `of` are."""

    check: Check
    done: int
    of: int


@dataclass(frozen=True)
class Preparing:
    """The engine finds out what it has to know before its first round, which takes some seconds."""


@dataclass(frozen=True)
class RoundBegun:
    """A round begins: `steps` follow in this order, each of the cases that are measured at once."""

    number: int
    rounds: int
    steps: tuple[tuple[Case, ...], ...]


@dataclass(frozen=True)
class CaseMeasured:
    """A case was measured, or failed with a reason, in a round; `done` of `of` cases of all rounds are."""

    case: Case
    number: int
    failure: str
    done: int
    of: int


@dataclass(frozen=True)
class RoundDone:
    """A round is complete and on disk, with the values of `suite`; `done` of `of` are."""

    number: int
    done: int
    of: int
    suite: pyperf.BenchmarkSuite


@dataclass(frozen=True)
class BootDone:
    """The rounds of a boot are complete; `done` of `of` boots are."""

    done: int
    of: int


RunEvent = ChecksBegun | Checked | Preparing | RoundBegun | CaseMeasured | RoundDone | BootDone


@dataclass(frozen=True)
class JobBegun(Generic[Job]):
    """A job has begun."""

    job: Job


@dataclass(frozen=True)
class JobReported(Generic[Job, Reported]):
    """A job tells something on its way."""

    job: Job
    told: Reported


@dataclass(frozen=True)
class JobEnded(Generic[Job]):
    """A job is over: with nothing, or with what stopped it."""

    job: Job
    error: BaseException | None


JobEvent = JobBegun[Job] | JobReported[Job, Reported] | JobEnded[Job]


class Stopped(Exception):
    """A job was told to stop: it is raised in the job, where that tells what it does."""


@dataclass(frozen=True)
class Stored:
    """A run is finished and stored; `failures` are lines about benchmarks that should have been measured."""

    run: Run
    failures: tuple[str, ...]


MemberEvent = RunEvent | Stored


def failure_text(error: BaseException | None) -> str:
    """Return one line for what stopped a member, empty for nothing."""
    if error is None:
        return ""
    if isinstance(error, Stopped | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, RseqbenchError):
        return str(error)
    return f"a defect in rseqbench itself: {type(error).__name__}: {error}"
