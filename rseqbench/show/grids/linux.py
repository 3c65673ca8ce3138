"""Pure: the grids of Linuxes that were built: what they are, how their configurations differ, how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rseqbench.between import Said
from rseqbench.linux import sizes as sizing
from rseqbench.linux.kbuild import BuiltLinux
from rseqbench.linux.kconfig import RSEQ
from rseqbench.linux.sizes import Growth, Sizes
from rseqbench.show import words
from rseqbench.show.grids import Grid, Marks, make
from rseqbench.show.tables import Compared

MOST_SYMBOLS = 10
MOST_OPTIONS = 20  # as many as anybody reads; Linuxes with bases of their own differ in thousands
_PROVED = "nothing else, and all of these come from CONFIG_RSEQ: `rseqbench linux build` proves that of each pair"
_SIZE = "Size of vmlinux in bytes, as `size` prints it"
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


def difference(found: Mapping[str, tuple[str, str]], one: str = "n", other: str = "y", beyond: str = "") -> Grid:
    """Return the options in which two final configurations differ: what comes from CONFIG_RSEQ, as a build proves.

    `beyond` tells in what else the two Linuxes differ; then nothing is proved of the options.
    """
    names = sorted(found, key=lambda name: (name != RSEQ, name))
    caption = "How the configurations of the two Linuxes differ"
    if len(names) > MOST_OPTIONS:
        caption += f": the first {MOST_OPTIONS} of {len(names)} options"
    rows = [(name, *found[name]) for name in names[:MOST_OPTIONS]]
    note = f"these differ in more than CONFIG_RSEQ: {beyond}" if beyond else _PROVED
    return make(caption, ("option", one, other), "---", rows, [note])


def of_comparison(found: Compared) -> list[Grid]:
    """Return what is to be said of two Linuxes beside what was measured on them: claims, options and sizes."""
    grids = [said(found.said)] if found.said else []
    if found.options:
        grids.append(difference(found.options, found.a, found.b, found.beyond))
    return grids + (sizes(found.a, found.sizes[0], found.b, found.sizes[1]) if found.sizes else [])


def said(found: Sequence[Said]) -> Grid:
    """Return what two runs say of the claims about the two configurations."""
    marks = Marks()
    rows = [
        (one.claim.id, words.stated(one.claim.stated, one.claim.unit), one.measured, one.verdict.word,
         marks.of(one.verdict.reason))
        for one in found
    ]  # fmt: skip
    heads = ("claim", "claimed", "here", "verdict", "why")
    return make("What the patch claimed of the two configurations", heads, "-nn--", rows, marks.notes())


def size(one: BuiltLinux) -> Grid:
    """Return how large a Linux is for which there is no other to compare it with."""
    sizes = one.sizes
    row = (one.rseq, *(f"{value:,}" for value in (sizes.text, sizes.data, sizes.bss, one.image.stat().st_size)))
    return make(_SIZE, ("CONFIG_RSEQ", "text", "data", "bss", "image"), "-nnnn", [row])


def sizes(one: str, a: Sizes, other: str, b: Sizes) -> list[Grid]:
    """Return how large two Linuxes are: in all, by section where they differ, and the symbols that grew most."""
    whole = [("text", a.text, b.text), ("data", a.data, b.data), ("bss", a.bss, b.bss)]
    sections = [(name, a.sections.get(name, 0), b.sections.get(name, 0)) for name in {**a.sections, **b.sections}]
    return [
        _sized(_SIZE, ("", one, other), whole, (_PADDED,)),
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
