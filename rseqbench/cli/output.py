"""What several commands do with a document: name it, write it, print it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rseqbench.config import Config

_LONGEST = 200  # characters of a file's name; a filesystem takes 255


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


def name_document(labels: Sequence[str]) -> str:
    """Return the name of a page's file without its ending, as its title has it, short enough for a filesystem."""
    first, *others = labels
    name = f"{'-and-'.join(others)}-against-{first}" if others else first
    if len(name) <= _LONGEST:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{len(others)}-others-against-{first}-{digest}"
