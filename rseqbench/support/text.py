"""Pure: text that is not ours, made harmless. Needs no package, so that doctor can speak where packages are missing."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from markupsafe import Markup, escape

_FROM_THE_RIGHT = ("R", "AL")  # Unicode's classes of letters that are written so
_FROM_THE_LEFT = "L"


def line(text: str) -> str:
    """Return foreign text as one harmless line: control and direction characters are spelled out, not obeyed."""
    joined = " ".join(text.split())
    # Nearly every text is printable, and a page has 100,000 of them.
    return joined if joined.isprintable() else "".join(map(_escape, joined))


def is_control(char: str) -> bool:
    """Whether a character directs what stands beside it, or the terminal, and shows nothing itself."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if is_control(char) else char


def isolated(text: str) -> Markup:
    """Return `text` as HTML in which all that runs from right to left is isolated, so that it moves nothing beside it.

    Marks and controls of direction are expected to be gone already (words.line).
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
