"""What all pages are made with: their templates, style, plots and downloads, and text that keeps its direction."""

from __future__ import annotations

import base64
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from rseqbench.model import VerdictWord
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.tables import Cell, Grid, Reason

_FROM_THE_RIGHT = ("R", "AL")  # Unicode's classes of letters that are written so
_FROM_THE_LEFT = "L"


@dataclass(frozen=True)
class Figure:
    """A plot with its caption and two sentences on how to read it, empty where they stand elsewhere.

    `svg` is empty where nothing was measured; it holds the plot twice, for a wide screen and for a narrow one.
    """

    name: str
    caption: str
    reading: str
    svg: Markup


@dataclass(frozen=True)
class Download:
    """A file that the page carries inside: its name, what it holds, and its content as a data: address."""

    name: str
    holds: str
    address: str


def create_environment() -> jinja2.Environment:
    """Return what renders the templates of all pages."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["line"] = formatting.line  # for attributes and titles, which hold no elements
    made.filters["text"] = _text
    made.tests["reason"] = lambda cell: isinstance(cell, Reason)
    made.tests["printed"] = lambda cell: isinstance(cell, FormattedNumber)
    made.tests["verdict"] = lambda cell: isinstance(cell, VerdictWord)
    made.globals["missing"] = _missing
    return made


def _text(text: object) -> Markup:
    """Return text for the inside of an element: one harmless line, whatever its direction."""
    return text if isinstance(text, Markup) else isolate_direction(formatting.line(str(text)))


def _missing(grid: Grid, row: Sequence[Cell]) -> int:
    """Return how many columns the last cell of a row has to span."""
    return len(grid.columns) - len(row) + 1


def load_style() -> Markup:
    """Return the style sheet of all pages."""
    return Markup(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))


def draw_twice(draw: Callable[[str, bool], str], name: str) -> Markup:
    """Return a plot for a wide screen and one for a narrow one, of which the style sheet shows one; empty of nothing.

    `draw` takes the name that its ids begin with, and whether it is to be narrow.
    """
    wide = draw(name, False)
    return Markup(
        f'<div class="wide">{wide}</div><div class="narrow">{draw(f"{name}-narrow", True)}</div>' if wide else ""
    )


def embed_download(name: str, holds: str, kind: str, text: str) -> Download:
    """Return a file to be carried in a page."""
    encoded = base64.b64encode(text.encode("utf-8", errors="replace")).decode("ascii")
    return Download(name, holds, f"data:{kind};charset=utf-8;base64,{encoded}")


def isolate_direction(text: str) -> Markup:
    """Return `text` as HTML in which all that runs from right to left is isolated, so that it moves nothing beside it.

    Marks and controls of direction are expected to be gone already (support.text.line).
    """
    parts: list[Markup] = []
    end = 0
    for start, stop in _right_to_left_spans(text):
        parts += [escape(text[end:start]), Markup("<bdi>{}</bdi>").format(text[start:stop])]
        end = stop
    return Markup("").join([*parts, escape(text[end:])])


def _right_to_left_spans(text: str) -> Iterable[tuple[int, int]]:
    """Yield from where to where letters from the right stand with none from the left between them."""
    start = stop = -1
    for index, char in enumerate(text):
        direction = unicodedata.bidirectional(char)
        if direction in _FROM_THE_RIGHT:
            start, stop = (index if start < 0 else start), index + 1
        elif direction == _FROM_THE_LEFT and start >= 0:
            yield start, stop
            start = -1
    if start >= 0:
        yield start, stop
