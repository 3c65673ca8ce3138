"""What a run does now, and how long still: on standard error, so that standard output holds results only."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rseqbench.rounds import BootDone, Checked, Event, Measured, RoundDone


def follow(events: Iterable[Event]) -> None:
    """Go through the events of a run and show them: one live line on a terminal, else one line a round."""
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        _follow_plainly(events, console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("checking")
        for event in events:
            _show(event, progress, task)


@contextlib.contextmanager
def building(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show how far a build is, by what the yielded function is told: steps done, and of how many if that is known."""
    console = Console(file=sys.stderr, highlight=False, soft_wrap=True)
    if not console.is_terminal:
        yield _Plainly(what, console)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(compact=True))
    with Progress(*columns, console=console, transient=True) as progress:
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


class _Plainly:
    """Prints a line a tenth of a build, or every 200 steps where nobody knows how many there are."""

    def __init__(self, what: str, console: Console) -> None:
        self._what, self._console = what, console
        self._begun: tuple[float, int] | None = None  # when, with so many steps of earlier attempts
        self._shown = 0

    def __call__(self, done: int, of: int | None) -> None:
        step = done * 10 // of if of else done // 200
        if self._begun is None:
            self._begun, self._shown = (time.monotonic(), done), step
        if step <= self._shown:
            return
        self._shown = step
        began, before = self._begun
        took = time.monotonic() - began
        left = f"{took * (of - done) / (done - before):.0f} s left" if of else f"{took:.0f} s so far"
        self._console.print(f"{self._what}: {done} steps{f' of {of}' if of else ''}, {left}")


def _show(event: Event, progress: Progress, task: TaskID) -> None:
    match event:
        case Checked(check, done, of):
            progress.update(task, description=f"check {done}/{of} {check.benchmark}", completed=done, total=of)
            if not check.passed:
                progress.console.print(f"check FAILED: {check.benchmark}: {check.message}")
        case Measured(case, number, failure, done, of):
            if done == 1:
                progress.reset(task)
            progress.update(task, description=f"round {number + 1} {case.id}", completed=done, total=of)
            if failure:
                progress.console.print(f"round {number + 1}: {case.id} is void: {failure}")
        case BootDone(done, of):
            progress.console.print(f"boot {done} of {of} done")
        case RoundDone():
            pass


def _follow_plainly(events: Iterable[Event], console: Console) -> None:
    begin = None
    for event in events:
        match event:
            case Checked(check, done, of):
                if not check.passed:
                    console.print(f"check FAILED: {check.benchmark}: {check.message}")
                if done == of:
                    console.print(f"{of} checks done")
            case Measured(case, number, failure, done, of):
                begin = begin or time.monotonic()
                share = done / of
                left = (time.monotonic() - begin) / share * (1 - share)
                if failure:
                    console.print(f"round {number + 1}: {case.id} is void: {failure}")
            case RoundDone(number, done, of):
                console.print(f"round {done} of {of} done, {left:.0f} s left")
            case BootDone(done, of):
                console.print(f"boot {done} of {of} done")
