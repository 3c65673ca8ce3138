"""A library's rows beside its kernels': together, in order, with what is not included said."""

import dataclasses

import pytest

from rseqbench.model import Skip
from rseqbench.report.charts import draw_library
from rseqbench.report.html import run as html
from rseqbench.report.tables import Reason, allocators
from tests.support.library_runs import LTTNG
from tests.support.simulated_runs import COSTS, Simulation, shown

WHY = "LTTng-UST cannot be measured without babeltrace2; apt-get install babeltrace2"


def of(folder, costs, **parts):
    return shown(folder, Simulation(costs=costs, rounds=8, skips=(), spread=0.0, **parts))


@pytest.fixture
def lttng(tmp_path):
    return of(tmp_path, LTTNG)


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
