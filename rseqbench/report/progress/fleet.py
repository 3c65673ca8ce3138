"""What many machines do now, in one view on standard error: the few that run, how many are done, and who failed."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from rseqbench.report import formatting
from rseqbench.report.progress import live
from rseqbench.report.text import console
from rseqbench.store.events import (
    CaseMeasured,
    Checked,
    ChecksBegun,
    JobBegun,
    JobEnded,
    JobEvent,
    JobReported,
    MemberEvent,
    Preparing,
    RoundDone,
    Stored,
    failure_text,
)
from rseqbench.store.fleets import Member

_DRAWN_S = 0.1  # between two drawings: a thousand machines tell more than anybody reads
_OTHER_LINES = 4  # of a terminal that are not ours to fill
_MOST_LINES = 20
_FEWEST = 0.02  # of everything is done before the time left can be told
_CHECKS = 0.1  # of a run's share are its checks
_TOLD_S = 30.0  # between two lines about all of them where nothing can be drawn


@dataclass
class _MemberProgress:
    """What a machine does, in words, and how much of its run is done."""

    doing: str = "being acquired and entered"
    share: float = 0.0
    void: int = 0  # values of benchmarks in rounds
    first: str = ""  # of those

    def voids(self) -> str:
        """Return how many values were void, with the first reason; empty where none was."""
        return f", with {self.void} void, the first {self.first}" if self.void else ""


class FleetProgress:
    """The state of all members, by what they tell."""

    def __init__(self, of: int, done: int) -> None:
        """Take how many there are, of which some were done before."""
        self.running: dict[str, _MemberProgress] = {}
        self.of, self.done, self.failed = of, done, 0
        self._before = done / of if of else 0.0
        self._clock = live.Clock(self._before)
        self._clock.begin()

    def take(self, event: JobEvent[Member, MemberEvent]) -> str:
        """Take what happened; return a line that everybody should see, or nothing."""
        place = event.job.place
        match event:
            case JobBegun():
                self.running[place] = _MemberProgress()
            case JobEnded(_, error):
                now = self.running.pop(place)
                self.done, self.failed = self.done + (error is None), self.failed + (error is not None)
                return f"{place} FAILED: {failure_text(error)}" if error else f"{place} done{now.voids()}"
            case JobReported(_, told):
                return _note_event(self.running[place], place, told)
        return ""

    @property
    def share(self) -> float:
        """How much of everything is done, from 0 to 1."""
        over = self.done + self.failed + sum(now.share for now in self.running.values())
        return over / self.of if self.of else 1.0

    def time_left(self) -> str:
        """Return "3 min left" if everything goes on as it went; empty while that cannot be told."""
        return self._clock.time_left(min(self.share, 1.0), 1.0) if self.share - self._before > _FEWEST else ""

    def summary(self) -> str:
        """Return how many are where."""
        waiting = self.of - self.done - self.failed - len(self.running)
        counts = ((len(self.running), "running"), (waiting, "waiting"), (self.failed, "FAILED"))
        more = "".join(f", {number} {what}" for number, what in counts if number)
        return f"{self.done} of {self.of} places done{more}"

    def member_lines(self, lines: int) -> list[str]:
        """Return a line for each of those that run, as many as there is room for."""
        shown = list(self.running.items())
        kept = shown if len(shown) <= lines else shown[: lines - 1]
        found = [f"{place}: {now.doing}" for place, now in kept]
        return found if len(kept) == len(shown) else [*found, f"and {len(shown) - len(kept)} more"]


def _note_event(now: _MemberProgress, place: str, told: MemberEvent) -> str:
    """Note what a member tells of itself; return a line that everybody should see, or nothing."""
    match told:
        case ChecksBegun(names):
            now.doing = f"check 1 of {len(names)}"
        case Checked(check, done, of):
            now.doing, now.share = f"check {min(done + 1, of)} of {of}", _CHECKS * done / of
            return "" if check.passed else f"{place}: check FAILED: {check.benchmark}: {check.message}"
        case Preparing():
            now.doing = "getting ready for the first round"
        case RoundDone(_, done, of, _):
            now.doing, now.share = f"{done} of {of} rounds done", _CHECKS + (1 - _CHECKS) * done / of
        case CaseMeasured(case, number, failure):
            if failure:
                now.void, now.first = now.void + 1, now.first or f"{case.id} in round {number + 1}: {failure}"
        case Stored(_, failures):
            return "; ".join(f"{place}: {line}" for line in failures)
    return ""


def follow_fleet(events: Iterable[JobEvent[Member, MemberEvent]], of: int, done: int) -> FleetProgress:
    """Go through the events of members and show them; return the state at the end. `done` of `of` were done before."""
    out, progress = console.progress_console(), FleetProgress(of, done)
    if console.is_interactive(out):
        _draw_live(events, progress, out)
    else:
        _print_plainly(events, progress, out)
    return progress


def _draw_live(events: Iterable[JobEvent[Member, MemberEvent]], progress: FleetProgress, out: Console) -> None:
    drawn = 0.0
    with live.LiveLines(out) as live_lines:
        for event in events:
            line = progress.take(event)
            if line and not (isinstance(event, JobEnded) and event.error is None):
                live_lines.say(line)
            if not isinstance(event, JobReported) or time.monotonic() - drawn >= _DRAWN_S:
                room = min(_MOST_LINES, max(1, out.height - _OTHER_LINES))
                live_lines.show(
                    progress.summary(), progress.share, progress.time_left(), each=progress.member_lines(room)
                )
                drawn = time.monotonic()


def _print_plainly(events: Iterable[JobEvent[Member, MemberEvent]], progress: FleetProgress, out: Console) -> None:
    told = time.monotonic()
    for event in events:
        line = progress.take(event)
        if line:
            out.print(Text(formatting.line(f"{line} ({progress.summary()})" if isinstance(event, JobEnded) else line)))
        elif time.monotonic() - told >= _TOLD_S:
            told = time.monotonic()
            out.print(Text(", ".join(filter(None, (progress.summary(), progress.time_left())))))
