"""Pure: the grids of Linuxes that were built: what they are, how their configurations differ, how large they are."""

from __future__ import annotations

from collections.abc import Mapping

from rseqbench.linux import sizes as sizing
from rseqbench.linux.kbuild import BuiltLinux
from rseqbench.linux.sizes import Growth, Sizes
from rseqbench.show.grids import Grid, make

MOST_SYMBOLS = 10
_PADDED = "a section is padded to a boundary, so `size` may hide what was added, or show more; symbols are not"
_KINDS = {"code": sizing.TEXT, "data": sizing.DATA, "read-only data": sizing.READ_ONLY}


def built(wanted: Mapping[str, str], made: Mapping[str, BuiltLinux]) -> Grid:
    """Return a row a configuration, by the CONFIG_RSEQ that it is `wanted` with: the Linux that was made for it."""
    rows = []
    for name, rseq in wanted.items():
        one = made[rseq]
        took = f"{one.seconds:.0f} s" if one.seconds else "in the cache"
        rows.append((name, rseq, f"{one.source}, {one.base}", one.release, took))
    compilers = sorted({one.compiler for one in made.values()})
    heads = ("configuration", "CONFIG_RSEQ", "source, base", "release", "built")
    return make("Linuxes that configurations boot", heads, "-----", rows, [f"compiled by {', '.join(compilers)}"])


def difference(found: Mapping[str, tuple[str, str]]) -> Grid:
    """Return the options in which two final configurations differ."""
    rows = [(name, one, other) for name, (one, other) in found.items()]
    note = "nothing else: all of these come from CONFIG_RSEQ"
    return make("How the two configurations differ", ("option", "n", "y"), "---", rows, [note])


def sizes(one: str, a: Sizes, other: str, b: Sizes) -> list[Grid]:
    """Return how large two Linuxes are: in all, by section where they differ, and the symbols that grew most."""
    whole = [("text", a.text, b.text), ("data", a.data, b.data), ("bss", a.bss, b.bss)]
    sections = [(name, a.sections.get(name, 0), b.sections.get(name, 0)) for name in {**a.sections, **b.sections}]
    return [
        _sized("Size of vmlinux in bytes, as `size` prints it", ("", one, other), whole, (_PADDED,)),
        _sized("Sections that differ, bytes", ("section", one, other), [row for row in sections if row[1] != row[2]]),
        _kinds(a, b),
        _symbols(one, other, sizing.growth(a, b)),
    ]


def _sized(
    caption: str, heads: tuple[str, str, str], rows: list[tuple[str, int, int]], notes: tuple[str, ...] = ()
) -> Grid:
    cells = [(name, f"{x:,}", f"{y:,}", f"{y - x:+,}") for name, x, y in rows]
    return make(caption, (*heads, "growth"), "-nnn", cells, notes)


def _kinds(a: Sizes, b: Sizes) -> Grid:
    grown = {name: sizing.growth(a, b, types) for name, types in _KINDS.items()} | {"all": sizing.growth(a, b)}
    rows = [(name, f"+{one.added:,}", f"-{one.removed:,}", f"{one.net:+,}") for name, one in grown.items()]
    heads = ("symbols", "added", "removed", "growth")
    return make("Growth of the symbols, bytes, as Linux's bloat-o-meter counts it", heads, "-nnn", rows)


def _symbols(one: str, other: str, grown: Growth) -> Grid:
    rows = list(grown.changed[:MOST_SYMBOLS])
    caption = f"The {len(rows)} symbols that grew most, of {len(grown.changed)} that differ, bytes"
    return _sized(caption, ("symbol", one, other), rows)
