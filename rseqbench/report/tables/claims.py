"""Pure: the grids of the message's claims: the arithmetic on them, and what a run says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rseqbench.analysis import patch_claims
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import Estimate, VerdictWord
from rseqbench.report import formatting, prose
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.reasons import explain
from rseqbench.report.tables import Cell, ColumnSpec, Footnotes, Grid, build_grid, number_column, tabulate


def tabulate_claims(judged: Sequence[JudgedClaim]) -> list[Grid]:
    """Return every number of the message: a grid a section for those in its text, then the times in its tables."""
    sections: dict[str, list[JudgedClaim]] = {}
    for claim in filter(prose.is_written, judged):
        sections.setdefault(_section(claim), []).append(claim)
    times = tabulate(
        "The times in its tables", (_CLAIM, _STATED, ColumnSpec("place", _section)), split_claims(judged)[2]
    )
    return [*(tabulate(title, _ARITHMETIC, claims) for title, claims in sections.items()), times]


def tabulate_arithmetic(judged: Sequence[JudgedClaim]) -> Grid:
    """Return the claims that are computed from other numbers of the message, recomputed."""
    return tabulate("The message's own arithmetic", _ARITHMETIC, [claim for claim in judged if claim.arithmetic])


def tabulate_times(judged: Sequence[JudgedClaim]) -> Grid:
    """Return the times in the message's tables beside the measured ones."""
    footnotes = Footnotes()
    why: ColumnSpec[JudgedClaim] = ColumnSpec(
        "why", lambda claim: footnotes.mark(explain(claim.verdict.reasons)) if claim.measured is None else ""
    )
    caption = "The times in the message's tables, of other machines"
    return tabulate(caption, (_CLAIM, _CLAIMED, _MEASURED, _VERDICT, why), split_claims(judged)[2], footnotes)


def tabulate_run(judged: Sequence[JudgedClaim], label: str) -> list[Grid]:
    """Return all that run `label` says: the written claims, what a user would replace today, the tables' times."""
    decided, absent, _ = split_claims(judged)
    parts = [
        tabulate_verdicts(decided, f"What {label} says of the claims"),
        tabulate_today(judged),
        tabulate_verdicts(absent, f"Not measured in {label}"),
        tabulate_times(judged),
    ]
    return [grid for grid in parts if grid.rows]


def tabulate_verdicts(judged: Sequence[JudgedClaim], caption: str) -> Grid:
    """Return claimed, measured and the verdict with its reason, a row a claim."""
    return tabulate(caption, (_CLAIM, _CLAIMED, _MEASURED, _VERDICT, _WHY), judged)


def tabulate_verdicts_widely(judged: Sequence[JudgedClaim], caption: str) -> Grid:
    """Return the verdicts with what each claim compares and what a user would replace today: the wide form."""
    return tabulate(caption, (_NAMED, _CLAIMED, _MEASURED, _VERDICT, _WHY, ColumnSpec("today", _today)), judged)


def tabulate_unmeasured(judged: Sequence[JudgedClaim], caption: str) -> Grid:
    """Return the claims that were not measured, each with the reason."""
    return tabulate(caption, (_NAMED, _CLAIMED, _VERDICT, _WHY), judged)


def tabulate_today(judged: Sequence[JudgedClaim]) -> Grid:
    """Return, for the claims whose comparison has changed since, what a user would replace now and its speed-up."""
    rows = [
        (claim.claim.id, *claim.claim.current, formatting.ratio(claim.current))
        for claim in judged
        if claim.claim.current and claim.current is not None
    ]
    times = all(claim.unit in ("ns", "") for claim in judged)
    heads = ("claim", "in use today", "rseq way", "speedup" if times else "quotient of instructions")
    return build_grid("What a user would replace today", heads, "---n", rows)


def split_claims(judged: Sequence[JudgedClaim]) -> tuple[list[JudgedClaim], list[JudgedClaim], list[JudgedClaim]]:
    """Part the claims: written ones with a verdict, written ones not measured here, and the times of the tables."""
    written = [one for one in judged if prose.is_written(one)]
    times = [one for one in judged if not prose.is_written(one)]
    absent = [one for one in written if one.verdict.word == VerdictWord.NOT_MEASURED]
    return [one for one in written if one not in absent], absent, times


def _section(claim: JudgedClaim) -> str:
    return patch_claims.section_of(claim.claim).title


def _stated(claim: JudgedClaim) -> str:
    return formatting.claimed(claim.claim)


def _name(claim: JudgedClaim) -> Cell:
    name = formatting.claim(claim.claim)
    return FormattedNumber(formatting.line(name), claim.claim.id) if name != claim.claim.id else name


def _gives(claim: JudgedClaim) -> Cell:
    own = claim.arithmetic
    return formatting.ratio(Estimate(own.value, own.low, own.high, 1, 1.0)) if own else ""


def _agrees(claim: JudgedClaim) -> Cell:
    return "" if claim.arithmetic is None else "yes" if claim.arithmetic.agrees else "NO"


def _measured(claim: JudgedClaim) -> Cell:
    if claim.measured is None:
        return ""
    if claim.claim.kind == "time":
        return formatting.cost(claim.measured, f" {formatting.short(claim.unit)}")
    return formatting.ratio(claim.measured)


def _today(claim: JudgedClaim) -> Cell:
    if claim.claim.current is None or claim.current is None:
        return ""
    return dataclasses.replace(
        formatting.ratio(claim.current), after=f"over {formatting.method(claim.claim.current[0])}"
    )


# The columns of these grids.
_CLAIM = ColumnSpec[JudgedClaim]("claim", lambda claim: claim.claim.id)
_NAMED = ColumnSpec("claim", _name)
_STATED = number_column("stated", _stated)
_CLAIMED = number_column("claimed", _stated)
_MEASURED = number_column("measured", _measured)
_VERDICT = ColumnSpec[JudgedClaim]("verdict", lambda claim: claim.verdict.word)
_WHY = ColumnSpec[JudgedClaim]("why", lambda claim: explain(claim.verdict.reasons))
_ARITHMETIC = (
    _CLAIM,
    ColumnSpec[JudgedClaim]("words of the message", lambda claim: claim.claim.text),
    _STATED,
    ColumnSpec[JudgedClaim]("its own table", lambda claim: claim.arithmetic.formula if claim.arithmetic else ""),
    number_column("gives", _gives),
    ColumnSpec("agrees", _agrees),
)
