"""What several commands do with a stored run or a document: find the last, print it, write it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rseqbench.config import Config
    from rseqbench.store.runs import Run, Store


def write_document(text: str, output: str | None, name: str, config: Config) -> Path | None:
    """Write a document to the file `output`, to standard output if that is "-", and without it as the page `name`.

    Return the file's path. Only the folder of the pages is made where it is not there.
    """
    from rseqbench.support import atomic_io

    if output == "-":
        print_document(text)
        return None
    path = Path(config.paths.reports) / f"{name}.html" if output is None else Path(output)
    atomic_io.save(path, text, ours=output is None)
    return path


def print_document(text: str) -> None:
    """Print a document as UTF-8, whatever the locale: it may be on its way to a file."""
    click.echo(text.encode("utf-8", errors="replace"), nl=False)


def latest_label(store: Store) -> str:
    """Return the label of the last run; what could not be read, and may be later, is named on standard error."""
    label, unreadable = store.latest()
    for line in unreadable:
        click.echo(f"rseqbench: passed over: {line}", err=True)
    return label


def print_run(run: Run, store: Store, config: Config) -> None:
    """Print a run: what `run` does at its end, and `show` at any time."""
    from rseqbench.report import run_view
    from rseqbench.report.text import terminal
    from rseqbench.store.runs import PATCH

    terminal.print_run(run_view.build_run_view(run, store.load(PATCH), config.verdict), terminal.console())
