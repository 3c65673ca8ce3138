"""Pure: the claim that a reader asks for first, its answer in plain words, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rseqbench.claims import Judged
from rseqbench.model import Estimate, VerdictWord
from rseqbench.results import PATCH
from rseqbench.show import message, words
from rseqbench.show.contents import Contents
from rseqbench.show.words import Printed

_FIRST = "counter"  # the group of the message's first table
_SAID = {
    VerdictWord.REPRODUCED: "Yes, as claimed",
    VerdictWord.STRONGER: "Yes, and by more",
    VerdictWord.WEAKER: "Faster, but by less",
    VerdictWord.UNRESOLVED: "Not shown either way",
    VerdictWord.CONTRADICTED: "No",
    VerdictWord.NOT_COMPARABLE: "This run cannot tell",
}


@dataclass(frozen=True)
class Answer:
    """A claim as a question; the verdict, in plain words and in its own; the quotient; why so; and how sure it is."""

    question: str
    said: str
    word: VerdictWord
    measured: Printed
    unit: str
    reason: str
    sure: tuple[str, ...]


def of(shown: Contents) -> Answer | None:
    """Return the answer on the claim of the counter, or the first other claim that was measured; None without one.

    There is none for the message's own run: what it printed cannot confirm what it says.
    """
    published = all(machine.timing == "published" for machine in shown.run.header.machines)
    one = None if published or shown.run.label == PATCH else _first(shown.judged)
    if one is None or one.measured is None:
        return None
    return Answer(
        question=_question(one),
        said=_SAID[one.verdict.word],
        word=one.verdict.word,
        measured=words.ratio(one.measured),
        unit=" of instructions" if shown.counts else "",
        reason=one.verdict.reason,
        sure=tuple(_sure(one, one.measured, shown)),
    )


def _first(judged: Sequence[Judged]) -> Judged | None:
    asked = [one for one in judged if one.claim.kind in ("speedup", "equal") and one.measured is not None]
    counter = [one for one in asked if one.claim.slow.startswith(f"{_FIRST}/")]
    return next(iter([*counter, *asked]), None)


def _question(one: Judged) -> str:
    claim = one.claim
    slow, fast = words.method(claim.slow), words.method(claim.fast)
    place = message.section_of(claim).title
    if claim.kind == "equal":
        return f"{place}: does {slow} cost the same as {fast}, as the patch says?"
    return f"{place}: is {fast} {claim.stated:g} times faster than {slow}, as the patch says?"


def _sure(one: Judged, ratio: Estimate, shown: Contents) -> Iterable[str]:
    plan = shown.run.header.plan
    units = "boots" if plan.boots > 1 else "rounds"
    if shown.counts:
        yield "Instructions were counted on an emulated machine, so nothing here is time."
    elif ratio.has_interval:
        share = f"{100 * shown.rules.confidence:g} of 100"
        yield f"The interval is from {ratio.n} {units} and holds the true median in at least {share} runs like this one."
    else:
        yield f"{ratio.n} {units} give no interval: take the number as a first look."
    if one.claim.today is not None and one.today is not None and one.claim.today != (one.claim.slow, one.claim.fast):
        slow = words.method(one.claim.today[0])
        yield f"Over {slow}, which one would write today: {words.ratio(one.today)}."
