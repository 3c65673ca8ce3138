"""The run of one member of a fleet, and all of them together: what `rseqbench run` does, on many machines at once."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from rseqbench.config import Config, RequestedOptions
from rseqbench.errors import ResultsError, UsageError, unknown_name
from rseqbench.measure import engines, rounds, session
from rseqbench.measure.engines.composite import create_engine
from rseqbench.measure.fleet import scheduler
from rseqbench.store import fleets
from rseqbench.store.events import INTERRUPTED, JobEnded, JobEvent, MemberEvent, Stored, failure_text
from rseqbench.store.fleets import Fleet, Member
from rseqbench.store.runs import Run, Store, UnfinishedRun
from rseqbench.targets import resolve

KIND = "labgrid"  # of the targets: places that are acquired


Work = Callable[[Member], Generator[MemberEvent, None, None]]


def measure_members(fleet: Fleet, config: Config, store: Store, summary: Callable[[Run], str]) -> Work:
    """Return the work for a member: it begins the run, or resumes it where this fleet left it, and stores it.

    `summary` writes table.csv. The work raises the errors of all steps, and ResultsError where something else has the
    label; finished rounds are kept.
    """

    def measure(member: Member) -> Generator[MemberEvent, None, None]:
        left = _load_unfinished(fleet, member, store)
        # The board's Linux is its own: nothing is booted there.
        requested = replace(fleet.options, target=f"{KIND}:{member.place}", boot="host")
        if left:  # its coordinator is the fleet's: one for all, as one process talks to it
            requested = replace(requested, **session.resumed_options(left.header) | _lab(fleet))
        options = resolve.resolve_options(requested, config.linux, requested.engine)
        with resolve.create_target(options) as target:
            if left:
                session.resume_run(target, left)
            request = session.RunRequest(options, fleet.preset, fleet.seed, member.label, fleet.force, fleet.command)
            unfinished = left or session.begin_run(target, request, store)
            yield from rounds.run(target, unfinished, create_engine(options.engine), config.check)
        run = unfinished.finish(summary)
        yield Stored(run, tuple(rounds.failures(run.header)))

    return measure


def _load_unfinished(fleet: Fleet, member: Member, store: Store) -> UnfinishedRun | None:
    """Return what this fleet has left unfinished of a member's run; None where that is to be begun.

    Raises ResultsError when something else has its label, and may not be replaced.
    """
    left = store.resume(member.label) if store.is_unfinished(member.label) else None
    if left and fleet.owns(left.header):
        return left
    if not fleet.force and (left or store.exists(member.label)):
        raise ResultsError(fleets.describe_foreign(member))
    return None


def _lab(fleet: Fleet) -> dict[str, str]:
    return {"coordinator": fleet.options.coordinator, "environment": fleet.options.environment}


def missing_members(fleet: Fleet, store: Store) -> list[Member]:
    """Return the members without a finished run of this fleet."""
    return [member for member in fleet.members if fleets.find_finished(store, fleet, member) is None]


def failure_lines(fleet: Fleet, store: Store) -> list[str]:
    """Return a line for each benchmark of a finished run that should have been measured and was not."""
    headers = filter(None, (fleets.find_finished(store, fleet, member) for member in fleet.members))
    return [f"{header.label}: {line}" for header in headers for line in rounds.failures(header)]


def run_members(
    fleet: Fleet, members: Sequence[Member], store: Store, work: Work, at_once: int, cut: Callable[[], None]
) -> Generator[JobEvent[Member, MemberEvent], None, None]:
    """Do `work` for the `members` of a fleet, `at_once` at the same time, and keep its index; yield what happens.

    `cut` ends all connections, so that whoever waits for a machine comes back. The index is on disk before anything
    begins, and whenever a member is over.
    """
    known, left = {member.place: member for member in fleet.members}, {member.place for member in members}

    def note(member: Member, failure: str) -> None:
        known[member.place] = replace(member, failure=failure)
        left.discard(member.place)

    def save() -> None:
        fleets.save_fleet(store.root, replace(fleet, members=tuple(known.values())))

    save()
    events = scheduler.run_jobs(members, work, at_once, cut)
    try:
        for event in events:
            if isinstance(event, JobEnded):
                note(event.job, failure_text(event.error))
                with contextlib.suppress(ResultsError):  # a disk that is full now: it is saved at the end, or that told
                    save()
            yield event
    finally:
        try:
            events.close()
        finally:
            for member in members:
                if member.place in left and fleets.find_finished(store, fleet, member) is None:
                    note(member, INTERRUPTED)
            save()


def shared_options(requested: RequestedOptions) -> RequestedOptions:
    """Return the options that all members share, their engine chosen. Raises UsageError where that is not one."""
    names = engines.choose_engines(requested.engine, resolve.target_kind(KIND).emulated)
    if len(names) > 1:
        raise UsageError(f"a fleet has one engine, and --engine {requested.engine} means {len(names)}", "name one")
    return replace(requested, engine=names[0], target=KIND)


class Tagged(Protocol):
    """What has a name and tags."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags, by their names."""


Place = TypeVar("Place", bound=Tagged)


def choose_places(places: Sequence[Place], patterns: Sequence[str], tags: Mapping[str, str]) -> list[Place]:
    """Return the places that any of the `patterns` names, or all without one, and that have all the `tags`, by name.

    Raises UsageError for a pattern that names none, and when nothing is left.
    """
    names = [place.name for place in places]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise unknown_name("place", pattern, names, "in this lab")
    named = [place for place in places if not patterns or any(fnmatchcase(place.name, name) for name in patterns)]
    chosen = [place for place in named if tags.items() <= place.tags.items()]
    if not named:
        raise UsageError("this lab has no places")
    if not chosen:
        wanted = ", ".join(f"{name}={value}" for name, value in tags.items())
        known = sorted({f"{name}={value}" for place in named for name, value in place.tags.items()})
        raise UsageError(
            f"no place has the tags {wanted}", f"there are {', '.join(known)}" if known else "no place has any tag"
        )
    return sorted(chosen, key=lambda place: place.name)


def parse_names(text: str) -> list[str]:
    """Read NAME[,NAME...]. Raises UsageError for an empty one: a variable that is not set means no whole lab."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"bad places {text!r}", "write them like pi4 or 'pi*,cubie'")
    return names


def parse_tags(text: str) -> dict[str, str]:
    """Read NAME=VALUE[,NAME=VALUE...]. Raises UsageError for anything else."""
    parts = [part.partition("=") for part in text.split(",")]
    if not all(name.strip() and equals and value.strip() for name, equals, value in parts):
        raise UsageError(f"bad tags {text!r}", "write them like arch=arm32,board=pi4")
    return {name.strip(): value.strip() for name, _, value in parts}
