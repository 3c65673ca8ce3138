"""What a run does now, and how long still: on standard error, so that standard output holds results only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from rseqbench.model import Case
from rseqbench.report import formatting
from rseqbench.report.progress import live
from rseqbench.report.progress.estimate import RunningEstimate
from rseqbench.report.text import console
from rseqbench.store.events import (
    BootDone,
    CaseMeasured,
    Checked,
    ChecksBegun,
    Preparing,
    RoundBegun,
    RoundDone,
    RunEvent,
)


def follow_run(events: Iterable[RunEvent], running: RunningEstimate, mark: str = "") -> None:
    """Go through the events of a run and show them: some live lines on a terminal, else one line a round.

    `mark` goes before whatever is said. None of it costs the measurement. The events are a generator's, so while one
    is shown here nothing is timed: the process that times waits for its next request. Nothing is drawn at other times,
    there is no thread for it. What a terminal still does with a drawn line falls into the start of the next process,
    or into the pause that engine gated makes between rounds; and the sums of `running`, some milliseconds, are made
    once a round.
    """
    out = console.progress_console()
    if not console.is_interactive(out):
        _follow_plainly(events, out, f"{mark}: " if mark else "")
        return
    with live.LiveLines(out, mark) as foot:
        shown = _LiveRun(foot, running)
        for event in events:
            shown.event(event)


@contextlib.contextmanager
def show_activity(what: str) -> Iterator[None]:
    """Say on a terminal, as long as it takes, what is done before there are any events."""
    out = console.progress_console()
    if not console.is_interactive(out):
        yield
        return
    with live.LiveLines(out) as foot:
        foot.show(what)
        yield


class _LiveRun:
    """Shows the events of a run at the foot of a terminal, a line for each stage of it."""

    def __init__(self, foot: live.LiveLines, running: RunningEstimate) -> None:
        self._foot, self._running = foot, running
        self._clock, self._so_far = live.Clock(), running.said()
        self._names: tuple[str, ...] = ()  # of what is checked
        self._title = ""  # of the round
        self._steps: list[tuple[Case, ...]] = []  # that are left of it
        self._over = 0  # cases of the first of them
        self._done, self._of = 0, 0  # cases of all rounds

    def event(self, event: RunEvent) -> None:
        """Show what an event tells."""
        match event:
            case ChecksBegun(names):
                self._names = names
                self._clock.begin()
                self._draw_check(0)
            case Checked(check, done, _):
                if not check.passed:
                    self._foot.say(f"check FAILED: {check.benchmark}: {check.message}")
                self._draw_check(done)
            case Preparing():
                self._clock = live.Clock()
                self._foot.show("getting ready for the first round", so_far=self._so_far)
            case RoundBegun(number, rounds, steps):
                self._clock.begin(self._done)
                self._title, self._steps = f"round {number + 1} of {rounds}", list(steps)
                self._over = 0
                self._draw_round()
            case CaseMeasured():
                self._measured(event)
            case RoundDone(suite=suite):
                self._running.add(suite)
                self._so_far = self._running.said()
                self._draw_round()
            case BootDone(done, of):
                self._foot.say(f"boot {done} of {of} done")

    def _measured(self, event: CaseMeasured) -> None:
        if event.failure:
            self._foot.say(f"round {event.number + 1}: {event.case.id} is void: {event.failure}")
        self._done, self._of = event.done, event.of
        self._over += 1
        if self._steps and self._over == len(self._steps[0]):
            del self._steps[0]
            self._over = 0
            self._draw_round()

    def _draw_check(self, done: int) -> None:
        of = len(self._names)
        if done < of:
            now = f"check {done + 1} of {of}: {self._names[done]}"
            self._foot.show(now, done / of, self._clock.time_left(done, of))

    def _draw_round(self) -> None:
        share = self._done / self._of if self._of else 0.0
        now = f"{self._title}: {_step(self._steps[0])}" if self._steps else self._title
        self._foot.show(now, share, self._clock.time_left(self._done, self._of), self._so_far)


def _step(cases: Sequence[Case]) -> str:
    """Name what is measured at once."""
    return cases[0].id if len(cases) == 1 else f"{len(cases)} benchmarks, interleaved"


def _follow_plainly(events: Iterable[RunEvent], out: Console, mark: str) -> None:
    clock, part = live.Clock(), (0, 0)
    for event in events:
        match event:
            case Checked(check, done, of):
                if not check.passed:
                    out.print(Text(formatting.line(f"{mark}check FAILED: {check.benchmark}: {check.message}")))
                if done == of:
                    out.print(f"{mark}{of} checks done")
            case RoundBegun():
                clock.begin(part[0])
            case CaseMeasured(case, number, failure, done, of):
                part = done, of
                if failure:
                    out.print(Text(formatting.line(f"{mark}round {number + 1}: {case.id} is void: {failure}")))
            case RoundDone(_, done, of, _):
                out.print(f"{mark}round {done} of {of} done, {clock.time_left(*part)}")
            case BootDone(done, of):
                out.print(f"{mark}boot {done} of {of} done")


@contextlib.contextmanager
def show_build(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show how far a build is, by what the yielded function is told: steps done, and of how many if that is known."""
    out = console.progress_console()
    if not console.is_interactive(out):
        yield _BuildLines(what, out)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=out, transient=True) as progress:
        task = progress.add_task(what, total=None)
        begun = False

        def seen(done: int, of: int | None) -> None:
            nonlocal begun
            if begun:
                progress.update(task, completed=done, total=of)
            else:  # what earlier attempts did says nothing of how fast this one is
                progress.reset(task, completed=done, total=of)
            begun = True

        yield seen


class _BuildLines:
    """Prints a line a tenth of a build, or every 200 steps where nobody knows how many there are."""

    def __init__(self, what: str, out: Console) -> None:
        self._what, self._out = what, out
        self._clock: live.Clock | None = None
        self._shown = 0

    def __call__(self, done: int, of: int | None) -> None:
        step = done * 10 // of if of else done // 200
        if self._clock is None:
            self._clock, self._shown = live.Clock(before=done), step
            self._clock.begin()
        if step <= self._shown:
            return
        self._shown = step
        time_left = self._clock.time_left(done, of) if of else f"{self._clock.elapsed():.0f} s so far"
        self._out.print(f"{self._what}: {done} steps{f' of {of}' if of else ''}, {time_left}")
