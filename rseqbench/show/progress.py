"""What a run does now, and how long still: on standard error, so that standard output holds results only."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from rseqbench.rounds import Checked, Event, Measured, RoundDone


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
