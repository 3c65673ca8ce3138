"""The consoles for results and for progress. They need no package but rich: doctor says which others are missing."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.text import Text

from rseqbench.support.text import line

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


def print_paragraph(text: str, out: Console, style: str = "") -> None:
    """Print one paragraph, wrapped on a terminal; markup and control codes in it are not obeyed."""
    out.print(Text(line(text), style=style), soft_wrap=not out.is_terminal)


def progress_console() -> Console:
    """Return the console for what is not a result: standard error."""
    return Console(file=sys.stderr, highlight=False, soft_wrap=True)


def is_interactive(out: Console) -> bool:
    """Whether a console can have lines that change; FORCE_COLOR makes no terminal of a pipe."""
    return out.is_terminal and not out.is_dumb_terminal and sys.stderr.isatty()
