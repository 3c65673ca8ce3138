"""The mail: plain ASCII, 76 columns, nothing that a mail program or git takes for its own, whatever is in it."""

import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rseqbench.report.formats import mail
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.tables import Reason, build_grid
from rseqbench.report.text import ascii_table
from tests.support import hostile_text
from tests.support.emulated_runs import A32
from tests.support.readback import section
from tests.support.simulated_runs import Simulation, shown


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=12))


# ---- one run ----


def test_numbers_stand_right_under_each_other(laptop):
    table = section(mail.render_run(laptop), "Everything measured").partition("- ring_buffer")[0]
    rows = [line for line in table.splitlines() if " .. " in line]
    ends = {match.start() for line in rows for match in [re.search(r" +\(", line)]}
    first = {line.index(")") for line in rows}
    assert len(rows) > 5
    assert len(first) == 1
    assert ends


def test_emulated_runs_say_instructions_and_never_time(tmp_path):
    found = shown(tmp_path, A32)
    text = mail.render_run(found)
    hostile_text.sound(text)
    assert text.splitlines()[0].endswith("in instructions") or "in instructions" in " ".join(text.split())[:200]
    assert not re.search(r"\d ns/op", text)
    measured = section(text, "Everything measured")
    assert "insn/op" in measured
    assert "ns/op" not in measured
    assert "faster" not in section(text, "Verdicts")


# ---- bad input ----


def test_what_ascii_has_not_is_spelled_out():
    assert ascii_table.ascii_of("\u201cIntel\u00ae Core\u2122\u201d 3 \u00b5s \u2026 10\u00b2 \u05d0") == (
        '"Intel(R) Core(TM)" 3 us ... 10\\xb2 \\u05d0'
    )


@pytest.mark.parametrize("line", ["From me", "---", "--", "diff a", "Index: x", "> x", "# x"])
def test_a_line_that_means_something_to_tools_is_moved_by_a_space(line):
    assert ascii_table.document([line]) == f" {line}\n"


TEXT = st.text(max_size=60) | st.sampled_from(list(hostile_text.TEXTS.values()))
CELL = TEXT | st.builds(FormattedNumber, st.just("123.45x"), st.sampled_from(["", "120.01 .. 130.99"]), st.just(""))


@st.composite
def grids(draw):
    columns = draw(st.integers(2, 7))
    kinds = "-" + draw(st.text("-n", min_size=columns - 1, max_size=columns - 1))
    rows = draw(st.lists(st.tuples(TEXT, *[CELL] * (columns - 1)), max_size=5))
    cut = draw(st.integers(1, columns - 1))
    ending = [(*row[:cut], Reason(draw(TEXT))) for row in draw(st.lists(st.tuples(*[TEXT] * columns), max_size=2))]
    return build_grid(draw(TEXT), draw(st.tuples(*[TEXT] * columns)), kinds, [*rows, *ending], [draw(TEXT)])


@settings(max_examples=100)
@given(grids())
def test_no_table_is_wider_than_a_mail(grid):
    text = ascii_table.document(ascii_table.table(grid))
    assert text.isascii()
    assert all(len(line) <= 76 for line in text.splitlines())


@settings(max_examples=100)
@given(grids())
def test_no_word_of_a_table_is_lost(grid):
    seen = re.sub(r"\s", "", ascii_table.document(ascii_table.table(grid)))
    for row in grid.rows:
        for cell in row:
            for word in ascii_table.ascii_of(str(cell)).split():
                assert set(word) <= set(seen)
                assert len(word) > 15 or word in seen


def test_limits_that_do_not_fit_a_line_are_counted():
    assert ascii_table.joined("Limits: ", ["a virtual machine", "b" * 70, "c"], "below") == [
        "Limits: a virtual machine; and 2 more, below"
    ]


def test_a_mail_of_the_same_run_is_the_same(laptop):
    assert mail.render_run(laptop) == mail.render_run(dataclasses.replace(laptop))
