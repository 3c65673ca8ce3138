"""Every reason that analysis gives has words, and those of one kind are told apart by its numbers."""

import dataclasses

import pytest

from rseqbench.analysis import allocators, outcomes
from rseqbench.analysis.allocators import Curve, Gain
from rseqbench.analysis.outcomes import Direction, Leeway, Outcome, Reason, Unlike
from rseqbench.model import Estimate, VerdictWord
from rseqbench.report.reasons import clause, explain

RATIO = Estimate(1.5, 1.4, 1.6, 10, 0.95)
VALUES = {
    "str": "text", "int": 3, "float": 0.5, "bool": True, "Leeway": Leeway(2.0, 3.0, 2.5, 0.9), "Estimate": RATIO,
    "Reason": outcomes.IsLoop(), "Reasons": (outcomes.CountsOverlap(),), "Outcome": Outcome.MORE,
    "Direction": Direction.SAME, "VerdictWord": VerdictWord.WEAKER, "Unlike": Unlike("1", "2"),
    "Curve": Curve("shipped", 8, "mean", (Gain(0.1, RATIO),)), "tuple[str, str]": ("x86_64", "a"),
    "tuple[tuple[str, int], ...]": (("xeon", 3),),
}  # fmt: skip
KINDS = [kind for kind in Reason.__subclasses__() if kind.__module__ in (outcomes.__name__, allocators.__name__)]


def example(kind):
    fields = dataclasses.fields(kind)
    return kind(**{field.name: VALUES[field.type.removesuffix(" | None")] for field in fields})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_reason_has_words(kind):
    words = clause(example(kind))
    assert words and "Reason" not in words and "(" + kind.__name__ not in words


def test_no_two_kinds_have_the_same_words():
    words = [clause(example(kind)) for kind in KINDS]
    assert len(KINDS) > 50 and len(set(words)) == len(words)


def test_a_kind_without_words_is_refused():
    class Unworded(Reason):
        """Has none."""

    with pytest.raises(TypeError, match="no words"):
        clause(Unworded())


def test_reasons_are_joined_and_none_say_nothing():
    assert explain((outcomes.IsLoop(), outcomes.CountsOverlap())) == "this is the loop; the counts overlap"
    assert explain(()) == ""


def test_reasons_are_compared_by_their_numbers():
    assert outcomes.BelowFloor(0.1) == outcomes.BelowFloor(0.1) != outcomes.BelowFloor(0.2)
