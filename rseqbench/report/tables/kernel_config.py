"""Pure: the grids of Linuxes that were built: what they are, how their configurations differ, how large they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rseqbench.analysis import kernel_config
from rseqbench.analysis.kernel_config import ConfigVerdict, Growth
from rseqbench.analysis.patch_claims import Claim
from rseqbench.analysis.summary import RunComparison
from rseqbench.model import VerdictWord
from rseqbench.report import formatting
from rseqbench.report.reasons import clause, config_measured, explain
from rseqbench.report.tables import Column, Columns, ColumnSpec, Footnotes, Grid, build_grid, number_column, tabulate
from rseqbench.support.attachments import BuiltKernel, KernelSizes
from rseqbench.support.kconfig import RSEQ

MOST_SYMBOLS = 10
MOST_OPTIONS = 20  # as many as anybody reads; Linuxes with bases of their own differ in thousands
_ELSEWHERE = (VerdictWord.NOT_MEASURED, VerdictWord.NOT_COMPARABLE)  # claims about other Linuxes than these
_CLAIMED = "What the patch claimed of the two configurations"
_PROVED = "nothing else; all come from CONFIG_RSEQ, which `rseqbench linux build` proves of a pair"
_SIZE = "Size of vmlinux in bytes, as `size` prints it"
_PADDED = "a section is padded to a boundary, so `size` may hide what was added, or show more; symbols are not"
_KINDS = {"code": kernel_config.TEXT, "data": kernel_config.DATA, "read-only data": kernel_config.READ_ONLY}


def tabulate_builds(wanted: Mapping[str, str], made: Mapping[str, BuiltKernel]) -> Grid:
    """Return a row a configuration, by the CONFIG_RSEQ that it is `wanted` with: the Linux that was made for it."""
    columns: Columns[tuple[str, BuiltKernel]] = (
        ColumnSpec("configuration", lambda row: row[0]),
        ColumnSpec("CONFIG_RSEQ", lambda row: wanted[row[0]]),
        ColumnSpec("source, base", lambda row: f"{row[1].source}, {row[1].base}"),
        ColumnSpec("release", lambda row: row[1].release),
        ColumnSpec("built", lambda row: f"{row[1].seconds:.0f} s" if row[1].seconds else "in the cache"),
    )
    compilers = sorted({kernel.compiler for kernel in made.values()})
    rows = [(name, made[rseq]) for name, rseq in wanted.items()]
    return tabulate("Linuxes that configurations boot", columns, rows, [f"compiled by {', '.join(compilers)}"])


def tabulate_options(
    options: Mapping[str, tuple[str, str]], one: str = "n", other: str = "y", beyond: str = ""
) -> Grid:
    """Return the options in which two final configurations differ: what comes from CONFIG_RSEQ, as a build proves.

    `beyond` tells in what else the two Linuxes differ; then nothing is proved of the options.
    """
    names = sorted(options, key=lambda name: (name != RSEQ, name))
    caption = "How the configurations of the two Linuxes differ"
    if len(names) > MOST_OPTIONS:
        caption += f": the first {MOST_OPTIONS} of {len(names)} options"
    rows = [(name, *options[name]) for name in names[:MOST_OPTIONS]]
    note = f"these differ in more than CONFIG_RSEQ: {beyond}" if beyond else _PROVED
    return build_grid(caption, ("option", one, other), "---", rows, [note])


def tabulate_claims(comparisons: Sequence[RunComparison]) -> list[Grid]:
    """Return what each pair of runs says of the claims; on the same two Linuxes, their sizes are told only once."""
    grids, told = [], []
    for one in comparisons:
        again = _linuxes(one) in told
        told.append(_linuxes(one))
        rows = [row for row in one.said if not (again and row.claim.kind == "size")]
        if rows:
            caption = f"What the patch claimed of the two configurations: {one.b} against {one.a}"
            grids.append(tabulate_verdicts(rows, caption if len(comparisons) > 1 else _CLAIMED))
    return grids


def tabulate_kernels(comparisons: Sequence[RunComparison]) -> list[Grid]:
    """Return in which options the Linuxes of runs differ from the first's and how large they are, each of them once."""
    grids: list[Grid] = []
    told: list[object] = []
    for one in comparisons:
        if _linuxes(one) in told:
            continue
        told.append(_linuxes(one))
        other = ", ".join(each.b for each in comparisons if _linuxes(each) == _linuxes(one))
        if one.options:
            grids.append(tabulate_options(one.options, one.a, other, clause(one.beyond) if one.beyond else ""))
        if one.sizes:
            about = [row.claim for row in one.said if row.claim.kind == "size" and row.verdict.word not in _ELSEWHERE]
            claimed = {claim.id.removeprefix("size-"): claim for claim in about}
            grids += tabulate_sizes(one.a, one.sizes[0], other, one.sizes[1], claimed)
    return grids


def _linuxes(comparison: RunComparison) -> object:
    """Return what tells two Linuxes that are compared from two others."""
    return comparison.sizes, comparison.options, comparison.beyond


def tabulate_verdicts(verdicts: Sequence[ConfigVerdict], caption: str) -> Grid:
    """Return what two runs say of the claims about the two configurations."""
    footnotes = Footnotes()
    columns: Columns[ConfigVerdict] = (
        ColumnSpec("claim", lambda judged: judged.claim.id),
        number_column("claimed", lambda judged: formatting.claimed(judged.claim)),
        number_column("here", config_measured),
        ColumnSpec("verdict", lambda judged: judged.verdict.word),
        ColumnSpec("why", lambda judged: footnotes.mark(explain(judged.verdict.reasons))),
    )
    return tabulate(caption, columns, verdicts, footnotes)


def tabulate_size(kernel: BuiltKernel) -> Grid:
    """Return how large a Linux is for which there is no other to compare it with."""
    sizes = kernel.sizes
    row = (kernel.rseq, *(f"{value:,}" for value in (sizes.text, sizes.data, sizes.bss, kernel.image.stat().st_size)))
    return build_grid(_SIZE, ("CONFIG_RSEQ", "text", "data", "bss", "image"), "-nnnn", [row])


def tabulate_sizes(
    one: str, a: KernelSizes, other: str, b: KernelSizes, claimed: Mapping[str, Claim] | None = None
) -> list[Grid]:
    """Return how large two Linuxes are: in all, by section where they differ, and the symbols that grew most.

    `claimed` are the message's own figures, by "text" and "data", where they are about this architecture.
    """
    whole = [("text", a.text, b.text), ("data", a.data, b.data), ("bss", a.bss, b.bss)]
    sections = [(name, a.sections.get(name, 0), b.sections.get(name, 0)) for name in {**a.sections, **b.sections}]
    return [
        _whole(one, other, whole, claimed or {}),
        _sized("Sections that differ, bytes", ("section", one, other), [row for row in sections if row[1] != row[2]]),
        _kinds(a, b),
        _symbols(one, other, kernel_config.growth(a, b)),
    ]


def _whole(one: str, other: str, rows: list[tuple[str, int, int]], claimed: Mapping[str, Claim]) -> Grid:
    plain = _sized(_SIZE, ("", one, other), rows, (_PADDED,))
    if not claimed:
        return plain
    figures = [f"{claimed[name].stated:+,.0f}" if name in claimed else "" for name, *_ in rows]
    beside = tuple((*row, figure) for row, figure in zip(plain.rows, figures, strict=True))
    return replace(plain, columns=(*plain.columns, Column("the patch's", numeric=True)), rows=beside)


def _sized(
    caption: str, heads: tuple[str, str, str], rows: list[tuple[str, int, int]], notes: tuple[str, ...] = ()
) -> Grid:
    cells = [(name, f"{x:,}", f"{y:,}", f"{y - x:+,}") for name, x, y in rows]
    return build_grid(caption, (*heads, "growth"), "-nnn", cells, notes)


def _kinds(a: KernelSizes, b: KernelSizes) -> Grid:
    kinds = {name: kernel_config.growth(a, b, types) for name, types in _KINDS.items()}
    columns: Columns[tuple[str, Growth]] = (
        ColumnSpec("symbols", lambda row: row[0]),
        number_column("added", lambda row: f"+{row[1].added:,}"),
        number_column("removed", lambda row: f"-{row[1].removed:,}"),
        number_column("growth", lambda row: f"{row[1].net:+,}"),
    )
    rows = [*kinds.items(), ("all", kernel_config.growth(a, b))]
    return tabulate("Growth of the symbols, bytes, as Linux's bloat-o-meter counts it", columns, rows)


def _symbols(one: str, other: str, grown: Growth) -> Grid:
    rows = list(grown.changed[:MOST_SYMBOLS])
    caption = f"The {len(rows)} symbols that grew most, of {len(grown.changed)} that differ, bytes"
    return _sized(caption, ("symbol", one, other), rows)
