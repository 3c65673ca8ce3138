"""The run of one member of a fleet, and all of them together: what `rseqbench run` does, on many machines at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from rseqbench import arches, begin, engines, resume, rounds, targets
from rseqbench.config import Config, RunOptions
from rseqbench.errors import RseqbenchError, UsageError
from rseqbench.fleet import index, scheduler
from rseqbench.fleet.index import Fleet, Member
from rseqbench.fleet.scheduler import Ended, Event, Stopped
from rseqbench.results import Run, Store

INTERRUPTED = "interrupted"
KIND = "labgrid"  # of the targets: places that are acquired


@dataclass(frozen=True)
class Stored:
    """A run is finished and stored; `failures` are lines about benchmarks that should have been measured."""

    run: Run
    failures: tuple[str, ...]


Told = rounds.Event | Stored
Work = Callable[[Member], Generator[Told, None, None]]


def measuring(fleet: Fleet, config: Config, store: Store, summary: Callable[[Run], str], force: bool) -> Work:
    """Return what measures a member: begins its run, or takes it up where it was left, and stores it.

    `summary` writes table.csv, and `force` lets a run take the place of one that is there. What it returns raises the
    errors of everything that may happen on the way; what was finished of the run is kept.
    """

    def measure(member: Member) -> Generator[Told, None, None]:
        left = None if force or not store.is_unfinished(member.label) else store.resume(member.label)
        options = replace(fleet.options, **resume.resumed_options(left.header) if left else _reaching(member))
        with targets.create(arches.named(options.arch), options) as target:
            if left:
                begin.again(target, left)
            asked = begin.Asked(options, fleet.preset, fleet.seed, member.label, force)
            unfinished = left or begin.anew(target, asked, store)
            yield from rounds.run(target, unfinished, engines.create(options.engine), config.check)
        run = unfinished.finish(summary)
        yield Stored(run, tuple(rounds.failures(run.header)))

    return measure


def _reaching(member: Member) -> dict[str, str]:
    return {"target": f"{KIND}:{member.place}"}


def missing(fleet: Fleet, store: Store) -> list[Member]:
    """Return the members whose runs are not finished."""
    return [member for member in fleet.members if not store.exists(member.label)]


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

    index.save(store.root, fleet)
    events = scheduler.run(members, work, at_once, cut)
    try:
        for event in events:
            if isinstance(event, Ended):
                note(event.job, words(event.error))
                index.save(store.root, replace(fleet, members=tuple(known.values())))
            yield event
    finally:
        events.close()
        for member in members:
            if member.place in left and not store.exists(member.label):
                note(member, INTERRUPTED)
        index.save(store.root, replace(fleet, members=tuple(known.values())))


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
