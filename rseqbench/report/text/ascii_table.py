"""Pure: text and grids as plain ASCII within the columns that a mail has; whatever is too wide folds, nothing is cut.

A number stands right under a number, its interval behind it. A column of long reasons goes below its rows; columns that
do not fit beside each other follow below, each part led by the names again.
"""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.tables import Cell, Column, Grid, Reason

WIDTH = 76  # of a line: a mail's 80, quoted twice
_INNER = WIDTH - 1  # one is kept for the space before what a mail would not leave as it is
_GAP = 2
_NAME, _MOST = 35, 38  # columns of a row's name, and of any other: two of them always fit
_FOLDED = 30  # columns that a name keeps when it gives way to what stands behind it
_LEAST = 16  # columns of one text beside others
_HEAD = 20  # columns of a heading's word that may widen its column
_PROSE = 28  # from here on a cell is a sentence
_INDENT = "    "
_MEANT_FOR_TOOLS = re.compile(r"(From |-- ?$|---|diff |Index: |[>#])")  # read by mail programs, quoters, patch and git
_SIGNS = {  # typography that has its like in ASCII: quotes, dashes, dots, times, plus or minus, micro, marks
    **dict.fromkeys((0x2018, 0x2019), "'"),
    **dict.fromkeys((0x201C, 0x201D), '"'),
    **dict.fromkeys((0x2010, 0x2011, 0x2013, 0x2014, 0x2212), "-"),
    **{0x2026: "...", 0xD7: "x", 0xB1: "+-", 0xB5: "u", 0x3BC: "u", 0xAE: "(R)", 0xA9: "(C)", 0x2122: "(TM)"},
}


def ascii_of(text: str) -> str:
    """Return foreign text as one line of ASCII: what has no like there is spelled out by its number, as in C."""
    return formatting.line(text).translate(_SIGNS).encode("ascii", "backslashreplace").decode("ascii")


def lines(text: str, first: str = "", then: str | None = None) -> list[str]:
    """Return text wrapped; `first` and `then` lead its first line and the others."""
    indent = first if then is None else then
    return _wrapped(ascii_of(text), WIDTH if first and indent else _INNER, first, indent)


def _wrapped(text: str, width: int, first: str = "", then: str = "") -> list[str]:
    wrapper = textwrap.TextWrapper(
        width, initial_indent=first, subsequent_indent=then, break_on_hyphens=False, drop_whitespace=True
    )
    return wrapper.wrap(text) or [first.rstrip()]


def joined(first: str, parts: Sequence[str], rest: str) -> list[str]:
    """Return as many of `parts` as one line holds behind `first`, and how many more there are: "and 2 more, REST"."""
    texts = [ascii_of(part) for part in parts]
    for kept in range(len(texts), 0, -1):
        more = f"; and {len(texts) - kept} more, {rest}" if kept < len(texts) else ""
        line = first + "; ".join(texts[:kept]) + more
        if len(line) <= _INNER:
            return [line]
    more = f"; and {len(texts) - 1} more, {rest}" if texts[1:] else ""
    return lines("; ".join(texts[:1]) + more, first, " " * len(first))


def command(text: str) -> list[str]:
    """Return a shell command, continued over lines so that a shell still reads the same words, and only words."""
    try:
        parts = shlex.split(text)  # before anything is spelled out: a backslash means something to it
    except ValueError:  # no command at all
        return lines(text, "  ", _INDENT)
    found = [" "]
    for part in parts:
        for number, piece in enumerate(_pieces(ascii_of(part))):
            if number:  # the rest of a word: a shell joins it
                found[-1] += "\\"
                found.append(piece)
            elif len(found[-1]) + 1 + len(piece) <= _INNER - 2:
                found[-1] += f" {piece}"
            else:
                found[-1] += " \\"
                found.append(f"{_INDENT}{piece}")
    return found


def _pieces(word: str) -> list[str]:
    """Return one word of a shell command, quoted, in pieces that fit a line each."""
    quoted = shlex.quote(word)
    if len(quoted) <= _INNER - len(_INDENT) - 2:
        return [quoted]
    half = len(word) // 2
    return [*_pieces(word[:half]), *_pieces(word[half:])]


def table(grid: Grid, caption: bool = True) -> list[str]:
    """Return a grid under its caption; where that is too wide, what all rows have in common is told once, below."""
    rows = [row[:-1] if _ends_early(row) else row for row in grid.rows]
    reasons = [str(row[-1]) if _ends_early(row) else "" for row in grid.rows]
    widths = [_width(grid.columns, rows, place) for place in range(len(grid.columns))]
    shown = list(range(len(grid.columns)))
    notes = list(grid.notes)
    if _is_prose(grid, rows) and _together(widths) > WIDTH:
        shown.pop()
        reasons = [reason or _cell(row, len(shown)) for reason, row in zip(reasons, rows, strict=True)]
    if not any(column.numeric for column in grid.columns):
        share = (WIDTH - widths[0]) // max(1, len(widths) - 1) - _GAP
        widths = [widths[0], *(min(width, max(share, _LEAST)) for width in widths[1:])]
    if _together(widths[place] for place in shown) > WIDTH:
        same = [place for place in shown[1:] if grid.columns[place].head and _is_constant(rows, place)]
        shown = [place for place in shown if place not in same]
        told = [f"{grid.columns[place].head} {_cell(rows[0], place)}" for place in same]
        notes += [f"all of these: {', '.join(told)}"] if told else []
    text = [*lines(grid.caption, "- ", "  "), ""] if caption else []
    for number, block in enumerate(_blocks(grid.columns, shown, widths)):
        fitting = _fitted(grid, block, widths)
        why = reasons if not number else [""] * len(rows)
        text += [*([""] if number else []), *_block(grid, rows, block, fitting, why)]
    below = [line for note in notes for line in lines(note, "  ", _INDENT)]
    return [*text, *([""] if below else []), *below]


def _fitted(grid: Grid, block: Sequence[int], widths: Sequence[int]) -> list[int]:
    """Return the widths with what a line has left given to a last column of text, which may need it."""
    left = WIDTH - _together(widths[place] for place in block)
    last = block[-1]
    wide = list(widths)
    if not grid.columns[last].numeric and left > 0:
        wide[last] += left
    elif left < 0:  # the names give way
        wide[0] += left
    return wide


def _ends_early(row: Sequence[Cell]) -> bool:
    return isinstance(row[-1], Reason)


def _is_prose(grid: Grid, rows: Iterable[Sequence[Cell]]) -> bool:
    last = len(grid.columns) - 1
    numbers = any(column.numeric for column in grid.columns)
    return last > 1 and numbers and not grid.columns[-1].numeric and any(len(_cell(row, last)) > _PROSE for row in rows)


def _is_constant(rows: Sequence[Sequence[Cell]], place: int) -> bool:
    """Whether all rows, of more than one, say the same."""
    return len(rows) > 1 and bool(_cell(rows[0], place)) and len({_cell(row, place) for row in rows}) == 1


def _cell(row: Sequence[Cell], place: int) -> str:
    return ascii_of(str(row[place])) if place < len(row) else ""


def _together(widths: Iterable[int]) -> int:
    return sum(width + _GAP for width in widths) - _GAP


def _width(columns: Sequence[Column], rows: Iterable[Sequence[Cell]], place: int) -> int:
    """Return how many columns a column gets: what its cells need, and the longest word of its heading."""
    head = max((min(len(word), _HEAD) for word in ascii_of(columns[place].head).split()), default=1)
    most = _MOST if place else _NAME
    cells = [row[place] for row in rows if place < len(row)]
    if columns[place].numeric:
        value, rest = _parts(cells)
        sentence = _PROSE if any(len(_split(cell)[0]) > _PROSE for cell in cells) else 0
        return max(head, sentence, min(most, value + rest))
    return max(head, min(most, max((len(ascii_of(str(cell))) for cell in cells), default=1)))


def _split(cell: Cell) -> tuple[str, str]:
    """Return a number's value and what stands behind it, its interval and words."""
    if not isinstance(cell, FormattedNumber):
        return ascii_of(str(cell)), ""
    value = ascii_of(cell.value)
    return value, ascii_of(str(cell))[len(value) :]


def _parts(cells: Iterable[Cell]) -> tuple[int, int]:
    """Return the columns that values and what stands behind them need; a sentence in place of a number needs none."""
    split = [_split(cell) for cell in cells]
    numbers = [(value, rest) for value, rest in split if len(value) <= _PROSE]
    widest = (max((len(value) for value, _ in numbers), default=1), max((len(rest) for _, rest in numbers), default=0))
    return widest


def _blocks(columns: Sequence[Column], shown: Sequence[int], widths: Sequence[int]) -> list[list[int]]:
    """Part the columns so that each part fits the width; the first column leads each of them.

    If names that fold by a little let all the others stand in one line, they do. A column without a heading belongs to
    the one before it.
    """
    if _together(widths[place] for place in shown) - WIDTH <= max(0, widths[0] - _FOLDED):
        return [list(shown)]
    units: list[list[int]] = []
    for place in shown[1:]:
        if columns[place].head or not units or _together(widths[p] for p in (shown[0], *units[-1], place)) > WIDTH:
            units.append([])
        units[-1].append(place)
    blocks: list[list[int]] = [[shown[0]]]
    for unit in units:
        if len(blocks[-1]) > 1 and _together(widths[p] for p in (*blocks[-1], *unit)) > WIDTH:
            blocks.append([shown[0]])
        blocks[-1] += unit
    return blocks


def _block(
    grid: Grid, rows: Sequence[Sequence[Cell]], places: Sequence[int], widths: Sequence[int], reasons: Sequence[str]
) -> list[str]:
    numbers = {p: _parts([row[p] for row in rows if p < len(row)]) for p in places if grid.columns[p].numeric}

    def fold(text: str, place: int) -> list[str]:
        return _wrapped(text, widths[place])

    def folded(row: Sequence[Cell], place: int) -> list[str]:
        if place >= len(row):
            return [""]
        value, rest = _split(row[place])
        if place in numbers and len(value) <= _PROSE:
            value, rest = value.rjust(numbers[place][0]), rest.rjust(numbers[place][1])
            return fold(value + rest, place) if len(value + rest) > widths[place] else [value + rest]
        return fold(f"{value}{rest}", place)

    def drawn(cells: Sequence[Sequence[str]]) -> list[str]:
        found = []
        for parts in zip_longest(*cells, fillvalue=""):
            sides = [
                part.rjust(widths[p]) if grid.columns[p].numeric else part.ljust(widths[p])
                for part, p in zip(parts, places, strict=True)
            ]
            found.append((" " * _GAP).join(sides).rstrip())
        return found

    heads = [fold(ascii_of(grid.columns[place].head), place) for place in places]
    deep = max(map(len, heads))
    text = drawn([[""] * (deep - len(head)) + head for head in heads])
    for row, reason in zip(rows, reasons, strict=True):
        line = drawn([folded(row, place) for place in places])
        beside = f"{line[0]:{widths[places[0]]}}{' ' * _GAP}{ascii_of(reason)}"
        if reason and len(row) == 1 and len(line) == 1 and len(beside) <= WIDTH:
            text.append(beside)
        else:
            text += [*line, *(lines(reason, _INDENT) if reason else [])]
    return text


def document(found: Iterable[str]) -> str:
    """Return the text of all lines; what a mail program, a quoter or git would take for its own is moved by a space."""
    return "".join(f"{_safe(line.rstrip())}\n" for line in found)


def _safe(line: str) -> str:
    if not _MEANT_FOR_TOOLS.match(line):
        return line
    return (
        f" {line}" if len(line) < WIDTH else f" {line.replace('  ', ' ', 1)}"
    )  # a row so long has a gap that can give
