"""The console that results are printed on. Of packages it needs but rich, so that doctor can say which are missing."""

from __future__ import annotations

import sys

from rich.console import Console

WIDTH = 100


class _Results(Console):
    """A console whose reader may have seen enough, which is no failure."""

    def on_broken_pipe(self) -> None:
        """Leave that to the command line, which ends quietly; rich would end the process with 1."""
        raise BrokenPipeError


def console() -> Console:
    """Return the console for results: standard output, at most WIDTH columns wide."""
    probe = Console(file=sys.stdout, highlight=False)
    width = min(probe.width, WIDTH) if probe.is_terminal else WIDTH
    return _Results(file=sys.stdout, highlight=False, width=width)
