"""Pure: the grids of the message's claims: the arithmetic on them, and what a run says of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from rseqbench.analysis import patch_claims
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import Estimate, VerdictWord
from rseqbench.report import formatting, prose
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.tables import Cell, Footnotes, Grid, build_grid


def tabulate_claims(judged: Sequence[JudgedClaim]) -> list[Grid]:
    """Return every number of the message: a grid a section for those in its text, then the times in its tables."""
    written, times = [one for one in judged if prose.is_written(one)], split_claims(judged)[2]
    parts: dict[str, list[tuple[Cell, ...]]] = {}
    for one in written:
        parts.setdefault(patch_claims.section_of(one.claim).title, []).append(_claim_row(one))
    heads = ("claim", "words of the message", "stated", "its own table", "gives", "agrees")
    grids = [build_grid(title, heads, "--n-n-", rows) for title, rows in parts.items()]
    rows = [(one.claim.id, _stated(one), patch_claims.section_of(one.claim).title) for one in times]
    return [*grids, build_grid("The times in its tables", ("claim", "stated", "place"), "-n-", rows)]


def _claim_row(one: JudgedClaim) -> tuple[Cell, ...]:
    own = one.arithmetic
    first = one.claim.id, one.claim.text, _stated(one)
    if own is None:
        return *first, "", "", ""
    gives = formatting.ratio(Estimate(own.value, own.low, own.high, 1, 1.0))
    return *first, own.formula, gives, "yes" if own.agrees else "NO"


def tabulate_arithmetic(judged: Sequence[JudgedClaim]) -> Grid:
    """Return the claims that are computed from other numbers of the message, recomputed."""
    heads = ("claim", "words of the message", "stated", "its own table", "gives", "agrees")
    rows = [_claim_row(one) for one in judged if one.arithmetic]
    return build_grid("The message's own arithmetic", heads, "--n-n-", rows)


def tabulate_times(judged: Sequence[JudgedClaim]) -> Grid:
    """Return the times in the message's tables beside the measured ones."""
    marks = Footnotes()
    rows = []
    for one in split_claims(judged)[2]:
        note = marks.of(one.verdict.reason) if one.measured is None else ""
        rows.append((one.claim.id, _stated(one), _measured_cell(one), one.verdict.word, note))
    heads = ("claim", "claimed", "measured", "verdict", "why")
    return build_grid("The times in the message's tables, of other machines", heads, "-nn--", rows, marks.notes())


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
    heads = ("claim", "claimed", "measured", "verdict", "why")
    rows = [(one.claim.id, _stated(one), _measured_cell(one), one.verdict.word, one.verdict.reason) for one in judged]
    return build_grid(caption, heads, "-nn--", rows)


def tabulate_verdicts_widely(judged: Sequence[JudgedClaim], caption: str) -> Grid:
    """Return the verdicts with what each claim compares and what a user would replace today: the wide form."""
    heads = ("claim", "claimed", "measured", "verdict", "why", "today")
    rows = [
        (_named(one), _stated(one), _measured_cell(one), one.verdict.word, one.verdict.reason, _today(one))
        for one in judged
    ]
    return build_grid(caption, heads, "-nn---", rows)


def tabulate_unmeasured(judged: Sequence[JudgedClaim], caption: str) -> Grid:
    """Return the claims that were not measured, each with the reason."""
    rows = [(_named(one), _stated(one), one.verdict.word, one.verdict.reason) for one in judged]
    return build_grid(caption, ("claim", "claimed", "verdict", "why"), "-n--", rows)


def _stated(one: JudgedClaim) -> str:
    return formatting.claimed(one.claim)


def _named(one: JudgedClaim) -> Cell:
    name = formatting.claim(one.claim)
    return FormattedNumber(formatting.line(name), one.claim.id) if name != one.claim.id else name


def _today(one: JudgedClaim) -> Cell:
    if one.claim.today is None or one.today is None:
        return ""
    return dataclasses.replace(formatting.ratio(one.today), after=f"over {formatting.method(one.claim.today[0])}")


def _measured_cell(one: JudgedClaim) -> Cell:
    if one.measured is None:
        return ""
    return (
        formatting.cost(one.measured, f" {formatting.short(one.unit)}")
        if one.claim.kind == "time"
        else formatting.ratio(one.measured)
    )


def tabulate_today(judged: Sequence[JudgedClaim]) -> Grid:
    """Return, for the claims whose comparison has changed since, what a user would replace now and its speed-up."""
    rows = []
    for one in judged:
        if one.claim.today and one.today is not None:
            slow, fast = one.claim.today
            rows.append((one.claim.id, slow, fast, formatting.ratio(one.today)))
    times = all(one.unit in ("ns", "") for one in judged)
    heads = ("claim", "in use today", "rseq way", "speedup" if times else "quotient of instructions")
    return build_grid("What a user would replace today", heads, "---n", rows)


def split_claims(judged: Sequence[JudgedClaim]) -> tuple[list[JudgedClaim], list[JudgedClaim], list[JudgedClaim]]:
    """Part the claims: written ones with a verdict, written ones not measured here, and the times of the tables."""
    written = [one for one in judged if prose.is_written(one)]
    times = [one for one in judged if not prose.is_written(one)]
    absent = [one for one in written if one.verdict.word == VerdictWord.NOT_MEASURED]
    return [one for one in written if one not in absent], absent, times
