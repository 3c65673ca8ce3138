"""Pure: the claim that a reader asks for first, its answer in plain words, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from rseqbench.analysis import patch_claims
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import Estimate, VerdictWord
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.reasons import explain
from rseqbench.report.run_view import RunView

_FIRST = "counter"  # the group of the message's first table
_BESIDE = ("cpu_id", "control")  # groups of what stands beside every benchmark: the empty loop, the machine's check
_SAID = {
    VerdictWord.REPRODUCED: "Yes, as claimed",
    VerdictWord.STRONGER: "Yes, and by more",
    VerdictWord.WEAKER: "Faster, but by less",
    VerdictWord.UNRESOLVED: "Not shown either way",
    VerdictWord.CONTRADICTED: "No",
    VerdictWord.NOT_COMPARABLE: "This run cannot tell",
    VerdictWord.NOT_MEASURED: "Not measured here",
}


@dataclass(frozen=True)
class Answer:
    """A claim as a question; the verdict, in plain words and in its own; the quotient; why so; and how sure it is.

    `measured` and `sure` are empty where nothing was measured.
    """

    question: str
    said: str
    word: VerdictWord
    measured: FormattedNumber | None
    unit: str
    reason: str
    sure: tuple[str, ...]


def answer_question(shown: RunView) -> Answer | None:
    """Return the answer on the claim of the counter, or on the first other claim that this run can answer.

    There is none for the message's own run: what it printed cannot confirm what it says; none for an architecture of
    which it claims nothing; and none for a run that selected none of what is claimed, which is about something else.
    """
    machines = shown.run.header.machines
    if all(machine.timing == "published" for machine in machines):
        return None
    arches = {machine.arch for machine in machines}
    asked = [one for one in shown.judged if one.claim.kind in ("speedup", "equal") and one.claim.arch in arches]
    if not asked:
        return None
    one = min(asked, key=partial(_rank, selected=_selected(shown)))
    if one.measured is None and not _is_asked(one, _selected(shown)):
        return None
    return Answer(
        question=_question(one),
        said=_SAID[one.verdict.word],
        word=one.verdict.word,
        measured=formatting.ratio(one.measured) if one.measured else None,
        unit=" of instructions" if shown.counts else "",
        reason=explain(one.verdict.reasons),
        sure=tuple(_sure(one, one.measured, shown)) if one.measured else (),
    )


def about(shown: RunView) -> str:
    """Return what a run is about that selected none of what is claimed: its groups; empty where it measured none."""
    groups = dict.fromkeys(one.group for one in shown.measured if one.row and one.group not in _BESIDE)
    return ", ".join(groups)


def _selected(shown: RunView) -> frozenset[str]:
    """Return the benchmarks that a run was to measure, whatever came of them."""
    return frozenset(one.benchmark for one in shown.measured)


def _is_asked(one: JudgedClaim, selected: frozenset[str]) -> bool:
    return one.claim.slow in selected and one.claim.fast in selected


def _rank(one: JudgedClaim, selected: frozenset[str]) -> tuple[bool, bool, bool, bool]:
    """Rank a claim: measured before all, then what the run was to measure, the counter's, what can be compared."""
    counter = one.claim.slow.startswith(f"{_FIRST}/")
    asked = _is_asked(one, selected)
    return one.measured is None, not asked, not counter, one.verdict.word == VerdictWord.NOT_COMPARABLE


def _question(one: JudgedClaim) -> str:
    claim = one.claim
    slow, fast = formatting.method(claim.slow), formatting.method(claim.fast)
    place = patch_claims.section_of(claim).title
    if claim.kind == "equal":
        return f"{place}: does {slow} cost the same as {fast}, as the patch says?"
    return f"{place}: is {fast} {claim.stated:g} times faster than {slow}, as the patch says?"


def _sure(one: JudgedClaim, ratio: Estimate, shown: RunView) -> Iterable[str]:
    plan = shown.run.header.plan
    units = "boots" if plan.boots > 1 else "rounds"
    if shown.counts:
        yield "Instructions were counted on an emulated machine, so nothing here is time."
    elif ratio.has_interval:
        share = f"{100 * shown.rules.confidence:g} of 100 runs like this one"
        yield f"The interval is from {ratio.n} {units} and holds the true median in at least {share}."
    else:
        yield f"{ratio.n} {units} give no interval: take the number as a first look."
    claim, current = one.claim, one.current
    if claim.current is not None and current is not None and claim.current != (claim.slow, claim.fast):
        slow = formatting.method(claim.current[0])
        yield f"Over {slow}, which one would write today: {formatting.ratio(current)}."
