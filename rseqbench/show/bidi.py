"""Pure: text of unknown direction, made safe to stand inside a line that runs from left to right."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from itertools import groupby

from markupsafe import Markup, escape

_FROM_THE_RIGHT = ("R", "AL")  # Unicode's classes of letters that are written so


def isolated(text: str) -> Markup:
    """Return `text` as HTML in which every word from right to left is isolated, so that it moves nothing beside it.

    Marks and controls of direction are expected to be gone already (words.line).
    """
    return Markup(" ").join(_parts(text))


def _parts(text: str) -> Iterable[Markup]:
    """Yield runs of words: the boundary lies at spaces, so that no word is torn."""
    for foreign, words in groupby(text.split(" "), key=_from_the_right):
        run = escape(" ".join(words))
        yield Markup("<bdi>{}</bdi>").format(run) if foreign else run


def _from_the_right(word: str) -> bool:
    classes = [unicodedata.bidirectional(char) for char in word]
    return any(name in _FROM_THE_RIGHT for name in classes)
