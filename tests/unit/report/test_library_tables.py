"""A library's rows beside its kernels': together, in order, with what is not included said."""

import dataclasses

import pytest

from rseqbench.model import Skip
from rseqbench.report.charts import draw_library
from rseqbench.report.html import run as html
from rseqbench.report.tables import Reason, allocators
from rseqbench.report.text import markdown
from tests.support.library_runs import LTTNG, URCU
from tests.support.simulated_runs import COSTS, Simulation, shown

WHY = "LTTng-UST cannot be measured without babeltrace2; apt-get install babeltrace2"


def of(folder, costs, **parts):
    return shown(folder, Simulation(costs=costs, rounds=8, skips=(), spread=0.0, **parts))


@pytest.fixture
def lttng(tmp_path):
    return of(tmp_path, LTTNG)


def cells(grid):
    return [[str(cell) for cell in row] for row in grid.rows]


def test_rows_of_both_stand_in_one_table_the_cheapest_first(lttng):
    (one,) = lttng.shipped
    table = cells(allocators.tabulate_library(one)[0])
    assert [(row[0], row[1]) for row in table] == [
        ("ring_buffer/rseq", "kernel"),
        ("ring_buffer/rseq_atomic", "kernel"),
        ("ring_buffer/getcpu_atomic", "kernel"),
        ("lttng/constant", "LTTng-UST"),
        ("lttng/rseq", "LTTng-UST"),
        ("lttng/lsl", "LTTng-UST"),
    ]
    assert table[4][2].startswith("80.0")
    assert table[4][3].startswith("79.7")


def test_differences_are_in_ns_and_the_atomics_said_to_be_not_included(lttng):
    prices = {row[0]: row[1:] for row in cells(allocators.tabulate_library(lttng.shipped[0])[1])}
    assert prices["lttng/lsl - lttng/rseq"][0].startswith("14.0")
    assert prices["ring_buffer/getcpu_atomic - ring_buffer/rseq_atomic"][0].startswith("17.5")
    atomics = prices["ring_buffer/rseq_atomic - ring_buffer/rseq"]
    assert atomics[0].startswith("3.0")
    assert "do not include" in atomics[1]


@pytest.mark.parametrize(
    ("arch", "words"), [("x86_64", "an LSL"), ("arm32", "the C library's getcpu"), ("arm64", "the C library's getcpu")]
)
def test_what_rseq_stands_in_for_in_the_kernel_is_what_the_architecture_has(tmp_path, arch, words):
    (one,) = of(tmp_path, {**LTTNG, "cpu_id/baseline": 0.3}, arch=arch).shipped
    (said,) = [found.words for found in one.differences if found.slow == "ring_buffer/getcpu_atomic"]
    assert said == f"{words} in place of rseq, in the kernel"


@pytest.mark.parametrize(("lsl", "slow"), [(True, "lttng/lsl"), (False, "lttng/syscall")])
def test_where_there_is_no_lsl_the_system_call_is_what_rseq_stands_in_for(tmp_path, lsl, slow):
    costs = {name: cost for name, cost in LTTNG.items() if lsl or name != "lttng/lsl"}
    (one,) = of(tmp_path, {**costs, "lttng/syscall": 200.0}, arch="x86_64" if lsl else "arm32").shipped
    found = {one.slow: one for one in one.differences if one.fast == "lttng/rseq"}
    assert set(found) == {slow}
    if not lsl:
        assert found[slow].words == "the getcpu system call in place of rseq, in LTTng-UST"
        assert found[slow].price.value == pytest.approx(120.0)


def test_a_difference_without_both_its_sides_is_not_there(tmp_path):
    costs = {name: cost for name, cost in LTTNG.items() if name != "ring_buffer/rseq_atomic"}
    (one,) = of(tmp_path, costs).shipped
    assert [(found.slow, found.fast) for found in one.differences] == [("lttng/lsl", "lttng/rseq")]


def test_the_widths_of_the_two_headers_are_told(lttng):
    (note,) = allocators.tabulate_library(lttng.shipped[0])[0].notes
    assert "48 bits" in note
    assert "32" in note


def test_that_no_flavour_is_of_the_patch_is_told(tmp_path):
    (one,) = of(tmp_path, URCU).shipped
    (note,) = allocators.tabulate_library(one)[0].notes
    assert "No flavour that liburcu ships counts its readers by CPU" in note
    assert [row[0] for row in cells(allocators.tabulate_library(one)[0])] == [
        "rcu/rseq", "urcu/memb_inline", "urcu/signal", "urcu/memb",
    ]  # fmt: skip


def test_a_library_that_is_missing_is_rows_with_the_reason(tmp_path):
    costs = {name: cost for name, cost in LTTNG.items() if not name.startswith("lttng/")}
    run = shown(tmp_path, Simulation(costs=costs, rounds=8, skips=(Skip("lttng/rseq", 1, WHY),)))
    (one,) = run.shipped
    (table,) = allocators.tabulate_library(dataclasses.replace(one, differences=()))
    assert table.rows[-1] == ("lttng/rseq", "LTTng-UST", Reason(f"not measured: {WHY}"))


def test_a_run_without_libraries_says_nothing_of_them(tmp_path):
    run = of(tmp_path, {name: cost for name, cost in COSTS.items() if name != "cpu_id/mm_cid"})
    assert run.shipped == ()
    assert "The libraries themselves" not in html.render_page(run)


def test_all_formats_have_it(lttng):
    page = html.render_page(lttng)
    assert "The libraries themselves" in page
    assert 'id="plot-library-lttng-x86_64"' in page
    for text in (page, markdown.render_run(lttng)):
        assert "LTTng-UST as it is shipped, and kernels that do the same" in text
        assert "do not include this gain" in text


def test_the_plot_has_every_row_and_tells_both_kinds_apart(lttng):
    drawn = draw_library(lttng.shipped[0], "x")
    for name in LTTNG:
        assert (name in drawn) == (name != "cpu_id/baseline")
    assert "LTTng-UST as it is shipped" in drawn
    assert "the operation alone, as a kernel" in drawn


def test_nothing_measured_is_nothing_drawn(tmp_path):
    run = shown(tmp_path, Simulation(costs={"cpu_id/baseline": 0.3}, rounds=8, skips=(Skip("lttng/rseq", 1, WHY),)))
    assert draw_library(run.shipped[0], "x") == ""
    assert "nothing of it was measured in this run" in html.render_page(run)
