"""The run of one member of a fleet, and all of them together: what `rseqbench run` does, on many machines at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from rseqbench import resume, targets
from rseqbench.build import architectures
from rseqbench.config import Config, RunOptions
from rseqbench.errors import ResultsError, RseqbenchError, UsageError
from rseqbench.measure import engines, rounds, session
from rseqbench.measure.fleet import scheduler
from rseqbench.measure.fleet.scheduler import Ended, Event, Stopped
from rseqbench.store import fleets
from rseqbench.store.fleets import Fleet, Member
from rseqbench.store.runs import Run, Store, Unfinished

INTERRUPTED = "interrupted"
KIND = "labgrid"  # of the targets: places that are acquired


@dataclass(frozen=True)
class Stored:
    """A run is finished and stored; `failures` are lines about benchmarks that should have been measured."""

    run: Run
    failures: tuple[str, ...]


Told = rounds.Event | Stored
Work = Callable[[Member], Generator[Told, None, None]]


def measuring(fleet: Fleet, config: Config, store: Store, summary: Callable[[Run], str]) -> Work:
    """Return what measures a member: begins its run, or takes it up where this fleet left it, and stores it.

    `summary` writes table.csv. What it returns raises the errors of everything that may happen on the way, and where
    something else has the label; what was finished of the run is kept.
    """

    def measure(member: Member) -> Generator[Told, None, None]:
        left = _left(fleet, member, store)
        options = replace(fleet.options, target=f"{KIND}:{member.place}")
        if left:  # its coordinator is the fleet's: one for all, as one process talks to it
            options = replace(options, **resume.resumed_options(left.header) | _lab(fleet))
        with targets.create(architectures.named(options.arch), options) as target:
            if left:
                session.again(target, left)
            asked = session.Asked(options, fleet.preset, fleet.seed, member.label, fleet.force, fleet.command)
            unfinished = left or session.anew(target, asked, store)
            yield from rounds.run(target, unfinished, engines.create(options.engine), config.check)
        run = unfinished.finish(summary)
        yield Stored(run, tuple(rounds.failures(run.header)))

    return measure


def _left(fleet: Fleet, member: Member, store: Store) -> Unfinished | None:
    """Return what this fleet has left unfinished of a member's run; None where that is to be begun.

    Raises ResultsError when something else has its label, and may not be replaced.
    """
    left = store.resume(member.label) if store.is_unfinished(member.label) else None
    if left and fleet.owns(left.header):
        return left
    if not fleet.force and (left or store.exists(member.label)):
        raise ResultsError(fleets.foreign(member))
    return None


def _lab(fleet: Fleet) -> dict[str, str]:
    return {"coordinator": fleet.options.coordinator, "environment": fleet.options.environment}


def missing(fleet: Fleet, store: Store) -> list[Member]:
    """Return the members without a finished run of this fleet."""
    return [member for member in fleet.members if fleets.done(store, fleet, member) is None]


def complaints(fleet: Fleet, store: Store) -> list[str]:
    """Return a line for each benchmark of a finished run that should have been measured and was not."""
    headers = filter(None, (fleets.done(store, fleet, member) for member in fleet.members))
    return [f"{header.label}: {line}" for header in headers for line in rounds.failures(header)]


def run(
    fleet: Fleet, members: Sequence[Member], store: Store, work: Work, at_once: int, cut: Callable[[], None]
) -> Generator[Event[Member, Told], None, None]:
    """Do `work` for the `members` of a fleet, `at_once` at the same time, and keep its index; yield what happens.

    `cut` ends all connections, so that whoever waits for a machine comes back. The index is on disk before anything
    begins, and whenever a member is over.
    """
    known, left = {member.place: member for member in fleet.members}, {member.place for member in members}

    def note(member: Member, failure: str) -> None:
        known[member.place] = replace(member, failure=failure)
        left.discard(member.place)

    def save() -> None:
        fleets.save(store.root, replace(fleet, members=tuple(known.values())))

    save()
    events = scheduler.run(members, work, at_once, cut)
    try:
        for event in events:
            if isinstance(event, Ended):
                note(event.job, words(event.error))
                with contextlib.suppress(ResultsError):  # a disk that is full now: it is saved at the end, or that told
                    save()
            yield event
    finally:
        try:
            events.close()
        finally:
            for member in members:
                if member.place in left and fleets.done(store, fleet, member) is None:
                    note(member, INTERRUPTED)
            save()


def words(error: BaseException | None) -> str:
    """Return one line for what stopped a member, empty for nothing."""
    if error is None:
        return ""
    if isinstance(error, Stopped | KeyboardInterrupt):
        return INTERRUPTED
    if isinstance(error, RseqbenchError):
        return str(error)
    return f"a defect in rseqbench itself: {type(error).__name__}: {error}"


def shared(options: RunOptions) -> RunOptions:
    """Return the options that all members share, their engine chosen. Raises UsageError where that is not one."""
    chosen = engines.chosen(options.engine, targets.kind(KIND).emulated)
    if len(chosen) > 1:
        raise UsageError(f"a fleet has one engine, and --engine {options.engine} means {len(chosen)}", "name one")
    return replace(options, engine=chosen[0], target=KIND)
