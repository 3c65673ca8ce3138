"""Several runs against the first: one grid of all, what they share once, and the page of them."""

import dataclasses
import io
import json
import re

import pytest
from rich.console import Console

from rseqbench.analysis import summary
from rseqbench.config import load
from rseqbench.report import charts, data
from rseqbench.report.charts import canvas
from rseqbench.report.html.comparison import render_page
from rseqbench.report.tables import comparison
from rseqbench.report.text import terminal
from rseqbench.store.runs import Store
from tests.support.html_page import Page
from tests.support.kernel_config_runs import COUNTS, REGISTERED, N, Y
from tests.support.simulated_runs import Simulation, store

RULES = load().verdict


def together_of(folder, *simulations):
    results = Store(folder)
    first, *others = [store(results, one) for one in simulations]
    return [first, *others], [summary.compare_runs(first, other, RULES) for other in others]


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return together_of(tmp_path_factory.mktemp("results"), N, Y, REGISTERED)


def grids(found):
    return {grid.caption: grid for grid in comparison.tabulate_everything(found)}


def printed(found):
    out = Console(file=io.StringIO(), width=terminal.WIDTH)
    terminal.print_comparison(found, out)
    return out.file.getvalue()


def cells(grid, name):
    return [str(cell) for cell in next(row for row in grid.rows if str(row[0]) == name)]


# ---- one grid of all ----


def test_a_sign_with_several_reasons_names_the_benchmarks_of_each(tmp_path):
    timed = Simulation("a", {"counter/rseq": 5.0, "counter/plain": 1.0, "linux/yield": 100.0}, rounds=20, skips=())
    wide = dataclasses.replace(timed, label="b", seed=2, spread=0.2)
    few = dataclasses.replace(timed, label="c", seed=3, rounds=1)
    _, found = together_of(tmp_path, timed, wide, few)
    note = next(
        note for note in comparison.tabulate_everything(found)[0].notes if note.startswith("~ no difference resolved")
    )
    assert "too few rounds for an interval (1) (counter/plain, counter/rseq, linux/yield)" in note


def test_two_further_runs_stand_beside_the_first_and_no_more(tmp_path):
    full = dataclasses.replace(REGISTERED, label="config-y-full")
    _, found = together_of(tmp_path, N, Y, REGISTERED, full)
    captions = list(grids(found))
    assert captions[0].startswith("config-y, config-y-registered against config-n")
    assert captions[1].startswith("config-y-full against config-n")


def test_the_terminal_holds_large_counts_of_three_runs_within_its_width(tmp_path):
    noisy = [dataclasses.replace(one, spread=0.01, seed=seed) for seed, one in enumerate((N, Y, REGISTERED))]
    text = printed(together_of(tmp_path, *noisy)[1])
    table = text.partition("\n\n")[0].splitlines()
    assert max(map(len, table)) <= terminal.WIDTH
    assert sum(line.startswith("hackbench/processes ") for line in table) == 1
    assert len([line for line in table if re.match(r"\w+/", line)]) == len(COUNTS)  # none folds


def test_two_runs_have_their_values_and_words_in_full(three):
    found = three[1][:1]
    grid = grids(found)["config-y (second) against config-n (first) on x86_64, insn/op"]
    assert cells(grid, "linux/pipe_one_cpu") == [
        "linux/pipe_one_cpu", "6,695", "6,795", "+100 (+1.49%)", "more instructions",
    ]  # fmt: skip


# ---- spread ----


def test_the_spread_of_those_that_do_not_stands_beside_them(tmp_path):
    noisy = dataclasses.replace(N, spread=0.01)
    _, found = together_of(tmp_path, noisy, dataclasses.replace(Y, spread=0.01, seed=2))
    grid = grids(found)["How far counts of the same lie apart, least to most, of the median"]
    row = next(row.a for row in found[0].rows if row.benchmark == "hackbench/processes")
    apart = (row.gross.high - row.gross.low) / row.gross.value
    assert 0 < apart < 0.06
    assert cells(grid, "hackbench/processes")[1] == f"{apart:.2%}"
    assert cells(grid, "the other 2")[1:] == ["the same", "the same"]


def test_times_have_intervals_and_no_such_table(tmp_path):
    timed = Simulation("a", {"counter/rseq": 5.0}, rounds=8, skips=())
    _, found = together_of(tmp_path, timed, dataclasses.replace(timed, label="b"))
    assert not any("lie apart" in caption for caption in grids(found))


# ---- what they share ----


def test_the_patch_s_sizes_stand_beside_no_other_architecture(tmp_path):
    _, found = together_of(tmp_path, *(dataclasses.replace(one, arch="arm32") for one in (N, Y)))
    whole = grids(found)["Size of vmlinux in bytes, as `size` prints it"]
    assert [column.head for column in whole.columns][-1] == "growth"


# ---- formats ----


def test_the_json_of_two_runs_is_one_comparison_and_of_more_a_list(three):
    two, more = (json.loads(data.comparisons_json(found)) for found in (three[1][:1], three[1]))
    assert two == {"schema": 1, "kind": "compare", **more["comparisons"][0]}
    assert [(one["a"], one["b"]) for one in more["comparisons"]] == [
        ("config-n", "config-y"), ("config-n", "config-y-registered"),
    ]  # fmt: skip
    assert two["sizes"]["text"] == [6595469, 6595689]
    assert two["sizes"]["symbols"]["__rseq_handle_notify_resume"] == [0, 837]


def test_the_page_is_sound_and_holds_all_of_it(three):
    text = render_page(*three, RULES)
    page = Page(text)
    assert page.scripts == 0
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert all(table["caption"] == 1 and table["scopes"] == table["heads"] for table in page.tables)
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert all(link.startswith(("#", "data:")) for link in page.links)
    body = text.partition("</style>")[2]
    for words in (
        "What restartable sequences cost the rest of the system",
        "Side by side",
        "What the patch claimed",
        "The Linuxes",
        "qemu-system-x86_64 7.2.22",
        "rseqbench compare config-n config-y config-y-registered",
        "rseqbench linux build",
        "nothing here migrates",
    ):
        assert words in body


def test_a_page_of_other_runs_does_not_speak_of_linux(tmp_path):
    one = Simulation("a", {"counter/rseq": 5.0}, rounds=8, skips=())
    body = render_page(*together_of(tmp_path, one, dataclasses.replace(one, label="b", seed=2)), RULES)
    assert "<h1>b against a, measured</h1>" in body
    assert "The Linuxes" not in body


def test_the_chart_keeps_thread_counts_and_runs_apart(tmp_path):
    one = Simulation("a", {"counter/rseq": 5.0}, rounds=8, skips=(), threads={"counter/rseq": 1})
    four = dataclasses.replace(one, threads={"counter/rseq": 4})
    results = Store(tmp_path)
    runs = [store(results, dataclasses.replace(each, label=label)) for each, label in ((one, "a"), (one, "b"))]
    more = [store(results, dataclasses.replace(each, label=label)) for each, label in ((four, "c"), (four, "d"))]
    found = [summary.compare_runs(*runs, RULES), summary.compare_runs(*more, RULES)]
    drawn = charts.draw_differences(found)
    assert "counter/rseq (4 threads)" in drawn
    shapes = [canvas.choose_mark(number) for number in range(20)]
    assert len(set(shapes)) == 20


def test_ratios_far_from_one_are_drawn_on_a_logarithmic_axis(tmp_path):
    one = Simulation("a", {"counter/rseq": 5.0}, rounds=8, skips=())
    for factor, said in ((1.02, False), (20.0, True), (0.02, True)):
        other = dataclasses.replace(one, label="b", costs={"counter/rseq": 5.0 * factor})
        drawn = charts.draw_differences(together_of(tmp_path, one, other)[1])
        assert ("logarithmic" in drawn) == said
