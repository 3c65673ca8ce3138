"""Some lines at the foot of a terminal that say what is done now, and are gone when it is over; the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from rseqbench.report import formatting

_WIDE, _MEDIUM = 90, 50  # columns: with room for a bar of 20, and of 10
_LEFT = len("99 s left")
_LONG_S = 600  # from which on nobody wants the seconds


class Clock:
    """How long what is left will take, if it goes on as it went; what was done `before` says nothing of that."""

    def __init__(self, before: float = 0.0) -> None:
        """Take how much was done before; the clock stands until begin()."""
        self._before = before
        self._began: float | None = None
        self._each_s = 0.0  # of a part with the pauses between rounds

    def begin(self, done: float = 0.0) -> None:
        """Begin, or begin the next round when so many parts are `done`."""
        if self._began is None:
            self._began = time.monotonic()
        self._each_s = self.elapsed() / done if done else 0.0

    def elapsed(self) -> float:
        """Return the seconds since it began; 0 before."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def time_left(self, done: float, of: float) -> str:
        """Return "12 s left", or minutes of very many, when `done` of `of` are; empty while that cannot be told."""
        if self._began is None or not self._before < done <= of:
            return ""
        seconds = (self._each_s or self.elapsed() / (done - self._before)) * (of - done)
        return f"{seconds:.0f} s left" if seconds < _LONG_S else f"{seconds / 60:.0f} min left"


class LiveLines:
    """The lines: what is done now with a bar and the time that is left, and below it what is known so far.

    They are drawn when show() is called and at no other time: no thread of ours wakes up while something is timed.
    """

    def __init__(self, out: Console, mark: str = "") -> None:
        """Take the console, and a word that goes before everything."""
        self._mark = formatting.line(mark)
        self._live = Live(console=out, auto_refresh=False, transient=True)
        self._out = out

    def __enter__(self) -> Self:
        """Begin with nothing at the foot."""
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Clear the foot."""
        self._live.__exit__(kind, error, trace)

    def say(self, text: str) -> None:
        """Print a line that stays, above the foot."""
        self._out.print(Text(formatting.line(text)))

    def show(
        self, now: str, share: float | None = None, left: str = "", so_far: str = "", each: Sequence[str] = ()
    ) -> None:
        """Draw the foot anew; `share` of what is done now, 0 to 1, is the bar's; `each` gets a line that is cut."""
        width = min(self._out.width, _WIDE)
        bar = 20 if width == _WIDE else 10
        first = Table.grid(padding=(0, 1, 0, 0))
        first.width = width  # so that nothing moves when the names change
        first.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        cells: list[Text | ProgressBar] = [self._now(now)]
        if share is not None and width >= _MEDIUM:
            first.add_column(width=bar)
            cells.append(ProgressBar(total=1.0, completed=share, width=bar))
        if left:
            first.add_column(no_wrap=True, width=max(len(left), _LEFT))
            cells.append(Text(left))
        first.add_row(*cells)
        lines = [first]
        if so_far:
            lines.append(Table.grid())  # which wraps, as a Text does not on a console that leaves that to the terminal
            lines[-1].add_row(Text(formatting.line(so_far), style="dim"))
        for text in each:
            lines.append(Table.grid())
            lines[-1].width = width
            lines[-1].add_column(no_wrap=True, overflow="ellipsis")
            lines[-1].add_row(Text(formatting.line(text), style="dim"))
        self._live.update(Group(*lines), refresh=True)

    def _now(self, text: str) -> Text:
        return Text.assemble((f"{self._mark} " if self._mark else "", "bold magenta"), formatting.line(text))
