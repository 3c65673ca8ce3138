"""The figures: what is drawn of what, and that nothing is drawn of nothing."""

import re

import pytest

from rseqbench.report import charts
from rseqbench.report.charts import canvas
from rseqbench.report.charts.intervals import spread_dots
from rseqbench.report.charts.threads import move_apart
from rseqbench.report.html.run import render_page
from tests.support.simulated_runs import COSTS, Simulation, shown

HOSTILE = 'x</text><script>alert(1)</script>"$\\frac$\u202e'


def described(svg):
    return re.search(r"<desc[^>]*>([^<]*)</desc>", svg)[1]


@pytest.fixture(scope="module")
def scaled(tmp_path_factory):
    """Return a run in which one counter is as fast in each of four threads, and another four times slower."""
    costs = {"counter/rseq": 1.0, "counter/shared_atomic": 2.0, "counter/shared_atomic/threads=4": 8.0, "rcu/rseq": 3.0}
    threads = {"counter/rseq": (1, 2, 4), "counter/shared_atomic": (1, 2, 4)}
    run = Simulation(costs=costs, threads=threads, rounds=8, spread=0.001, skips=())
    return shown(tmp_path_factory.mktemp("results"), run)


def test_cost_against_threads_has_every_count_of_every_method(scaled):
    svg = charts.draw_threads(scaled)
    said = described(svg)
    assert re.search(
        r"counter, rseq: 1\.0\d* \([^)]*\) with 1 thread, [^;]*with 2 threads, 1\.0\d* [^;]*with 4 threads", said
    )
    assert re.search(r"counter, shared_atomic: 2\.0\d* [^;]*with 1 thread, [^;]* 8\.0\d* [^;]*with 4 threads", said)
    assert "ns/op" in svg
    assert {">1</text>", ">2</text>", ">4</text>"} <= set(re.findall(r">\d</text>", svg))


def test_a_group_with_one_thread_count_has_no_panel(scaled):
    assert "rcu" not in charts.draw_threads(scaled)


def test_the_page_shows_threads_only_where_there_are_several(scaled, tmp_path):
    assert 'id="plot-threads"' in render_page(scaled)
    assert "plot-threads" not in render_page(shown(tmp_path, Simulation(rounds=6)))


def test_threads_of_counts_are_in_instructions(tmp_path):
    costs = {"counter/rseq": 100.0, "counter/rseq/threads=2": 100.0}
    run = Simulation(costs=costs, threads={"counter/rseq": (1, 2)}, rounds=6, timing="emulated", skips=(), facts={})
    svg = charts.draw_threads(shown(tmp_path, run))
    assert "instructions/op" in svg
    assert not re.search(r"\bns/op", svg)


def test_names_that_would_overlap_are_moved_apart_in_their_order():
    heights = {"a": 0.50, "b": 0.51, "c": 0.52, "d": 0.9}
    moved = move_apart(heights, 0.1)
    assert moved["d"] == 0.9
    assert [round(moved[name], 6) for name in "abc"] == [0.41, 0.51, 0.61]
    assert move_apart({}, 0.1) == {}


def test_a_name_moved_into_the_next_one_moves_that_too():
    moved = move_apart({"a": 0.5, "b": 0.5, "c": 0.56}, 0.1)
    assert sorted(moved, key=moved.get) == ["a", "b", "c"]
    assert moved["b"] - moved["a"] >= 0.1 - 1e-9
    assert moved["c"] - moved["b"] >= 0.1 - 1e-9


def test_a_hostile_method_is_text_in_every_figure(tmp_path):
    name = f"counter/{HOSTILE}"
    run = Simulation(
        costs={name: 1.0, f"cpu_id/{HOSTILE}": 1.0, "cpu_id/rseq": 1.0}, threads={name: (1, 2)}, rounds=6, skips=()
    )
    found = shown(tmp_path, run)
    drawn = [charts.draw_threads(found), charts.draw_rounds(found), charts.draw_cpu_number(found)]
    for svg in drawn:
        assert "alert(1)" in svg
        assert "$\\frac$" in svg
        assert "<script" not in svg
        assert "\u202e" not in svg


def test_nothing_is_drawn_of_nothing(tmp_path):
    nothing = shown(tmp_path, Simulation(costs={}, rounds=1, skips=()))
    each = (charts.draw_threads, charts.draw_rounds, charts.draw_cpu_number, charts.draw_speedups)
    assert [draw(nothing) for draw in each] == [""] * 4
    assert charts.draw_differences([]) == ""


def test_marks_of_twenty_lines_differ():
    assert len({canvas.choose_mark(number) for number in range(20)}) == 20


def test_every_round_is_a_dot(tmp_path):
    found = shown(tmp_path, Simulation(rounds=9))
    assert charts.draw_rounds(found).count("<use ") >= 9 * (len(COSTS) - 1)


def test_a_range_of_counts_is_drawn_where_it_can_be_seen(tmp_path):
    def bars(spread):
        run = Simulation(
            costs={"cpu_id/lsl": 1000.0, "cpu_id/rseq": 1000.0},
            rounds=8,
            timing="emulated",
            spread=spread,
            skips=(),
            facts={},
        )
        return charts.draw_cpu_number(shown(tmp_path / str(spread), run)).count("<use ")

    assert bars(0.05) > bars(0.0001)


def test_rounds_that_agree_do_not_hide_each_other():
    heights = spread_dots(3, 22)
    assert heights == sorted(set(heights))
    assert len(heights) == 22
    assert 2.5 < heights[0] < heights[-1] < 3.5
    assert spread_dots(3, 1) == [3.0]
