"""Where in the patch message each number stands."""

from pathlib import Path

import pytest

from rseqbench.analysis import dataset, patch_claims
from rseqbench.store.runs import PATCH, Store

TEXT = Path(__file__).parents[2].joinpath("data", "patch-message.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def patch(tmp_path_factory):
    return dataset.build([Store(tmp_path_factory.mktemp("results")).load(PATCH)])


@pytest.mark.parametrize("section", patch_claims.SECTIONS, ids=lambda section: section.title)
def test_a_section_is_titled_as_in_the_message(section):
    assert section.title in TEXT


def test_sections_are_in_the_order_of_the_message():
    places = [TEXT.rindex(section.title) for section in patch_claims.SECTIONS]
    assert places == sorted(places)


@pytest.mark.parametrize("claim", patch_claims.written_claims(), ids=lambda claim: claim.id)
def test_a_claim_stands_in_the_section_that_is_named(claim):
    place = TEXT.index(claim.text)
    before = [section for section in patch_claims.SECTIONS if TEXT.index(section.title) < place]
    assert patch_claims.section_of(claim) == before[-1]


def test_every_time_has_a_section(patch):
    for claim in patch_claims.all_claims(patch):
        assert patch_claims.section_of(claim).title


def test_the_lines_of_the_list_are_the_message_s_own_words():
    lines = next(section for section in patch_claims.SECTIONS if section.lines).lines
    for words in lines.values():
        assert words.replace("glibc getcpu (the patch: 2.19)", "glibc 2.19-0ubuntu6 getcpu") in TEXT


def test_unknown_groups_come_last_and_by_name():
    groups = ["zeta", "cpu_id", "alpha", "counter", "freelist"]
    assert sorted(groups, key=patch_claims.group_order) == ["counter", "freelist", "cpu_id", "alpha", "zeta"]
    assert patch_claims.group_title("zeta") == ""
