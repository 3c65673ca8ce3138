"""The first thing on the page: which claim is asked about, and what is said of it."""

import pytest

from rseqbench.model import Skip, VerdictWord
from rseqbench.report import caveats, headline
from rseqbench.report.html import page
from tests.support.simulated_runs import COSTS, Simulation, shown


def of(tmp_path, **changes):
    return headline.answer_question(shown(tmp_path, Simulation(**{"rounds": 8, **changes})))


@pytest.mark.parametrize(
    ("cost", "word", "said"),
    [
        (0.68, VerdictWord.REPRODUCED, "Yes, as claimed"),
        (0.2, VerdictWord.STRONGER, "Yes, and by more"),
        (2.0, VerdictWord.WEAKER, "Faster, but by less"),
        (5.25, VerdictWord.UNRESOLVED, "Not shown either way"),
        (9.0, VerdictWord.CONTRADICTED, "No"),
    ],
)
def test_the_counter_s_claim_is_answered_in_words(tmp_path, cost, word, said):
    found = of(tmp_path, costs={**COSTS, "counter/rseq": cost})
    assert (found.word, found.said) == (word, said)
    assert found.question.endswith("is rseq 7.7 times faster than getcpu+atomic, as the patch says?")
    assert " .. " in found.measured.interval
    assert "8 rounds" in found.sure[0] and "95 of 100" in found.sure[0]


def test_every_word_has_an_answer():
    assert set(headline._SAID) == set(VerdictWord)


def test_too_few_rounds_are_no_certainty(tmp_path):
    found = of(tmp_path, rounds=3)
    assert found.word == VerdictWord.UNRESOLVED
    assert found.sure[0] == "3 rounds give no interval: take the number as a first look."


def test_boots_are_the_unit_where_there_are_several(tmp_path):
    assert "from 6 boots" in of(tmp_path, rounds=12, boots=6).sure[0]


def test_a_run_without_the_counter_answers_what_it_can(tmp_path):
    skips = tuple(Skip(name, 1, "not wanted") for name in COSTS if name.startswith("counter/"))
    found = of(tmp_path, skips=skips)  # of LTTng-UST and liburcu, one can be compared
    assert found.question.startswith("liburcu percpu")


def test_what_was_not_measured_is_answered_with_the_reason(tmp_path):
    found = of(tmp_path, skips=tuple(Skip(name, 1, "ENOSYS") for name in COSTS), rounds=1)
    assert (found.said, found.measured, found.sure) == ("Not measured here", None, ())
    assert found.reason == "counter/getcpu_atomic: ENOSYS"


def test_a_run_about_something_else_says_what(tmp_path):
    found = shown(tmp_path, Simulation(rounds=8, costs={"cpu_id/baseline": 0.3, "linux/yield": 500.0}, skips=()))
    assert (headline.answer_question(found), headline.about(found)) == (None, "linux")


def test_an_architecture_without_claims_has_no_question(tmp_path):
    assert of(tmp_path, arch="aarch64") is None


# ---- the empty loop ----


def test_the_empty_loop_s_share(tmp_path):
    table = shown(tmp_path, Simulation(rounds=8, spread=0)).patch_tables[0]
    assert caveats.share(table).endswith("values: getcpu+atomic 6%, rseq 50%, rseq+atomic 16%.")


def test_no_share_without_the_empty_loop(tmp_path):
    skips = (Skip("cpu_id/baseline", 1, "not wanted"),)
    assert "is not known" in caveats.share(shown(tmp_path, Simulation(rounds=8, skips=skips)).patch_tables[0])


def test_no_share_of_what_was_not_measured(tmp_path):
    skips = tuple(Skip(name, 1, "ENOSYS") for name in COSTS)
    assert caveats.share(shown(tmp_path, Simulation(rounds=1, skips=skips)).patch_tables[0]) == ""


# ---- direction ----


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain <b> & text", "plain &lt;b&gt; &amp; text"),
        ("glibc \u05d0\u05d1; 8 rounds", "glibc <bdi>\u05d0\u05d1</bdi>; 8 rounds"),
        ("\u05d0 12 \u05d1", "<bdi>\u05d0 12 \u05d1</bdi>"),
        ("\u0627<x>\u0628", "<bdi>\u0627</bdi>&lt;x&gt;<bdi>\u0628</bdi>"),
        ("", ""),
    ],
)
def test_what_runs_from_the_right_is_isolated(text, html):
    assert page.isolate_direction(text) == html
