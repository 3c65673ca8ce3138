"""The page of many runs: sound, bounded however many there are, and saying what it leaves out."""

import re
from dataclasses import replace

import pytest

from rseqbench.analysis import history
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.summary_csv import Summary
from rseqbench.config import load
from rseqbench.model import Estimate, Facts
from rseqbench.report import charts
from rseqbench.report.charts.history import gather_points
from rseqbench.report.html import history as pages
from rseqbench.store.runs import Store
from tests.support.html_page import Page
from tests.support.simulated_runs import COSTS, FACTS, Simulation, store

RULES = load().verdict
HOSTILE = '<b onclick="x">&amp;\u202e'


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    run = Simulation(costs={"cpu_id/baseline": 0.3}, rounds=6, skips=())
    return store(Store(tmp_path_factory.mktemp("results")), run).header


def row(benchmark, value, unit="ns"):
    gross = Estimate(value, value * 0.999, value * 1.001, 10, 0.97 if unit == "ns" else 0.0)
    return Row("x", "x86_64", benchmark, 1, "glibc", "gated", unit, "hardware", gross, None, 0, 1000)


def imagined(header, number, benchmarks=tuple(COSTS), step_at=None, label="run-{}"):
    """Return summaries of runs in which counter/rseq takes a fifth more from number `step_at` on, by a new compiler."""
    found = []
    for at in range(number):
        later = step_at is not None and at >= step_at
        facts = {**FACTS, "compiler": "gcc 14.1.0"} if later else FACTS
        own = replace(
            header,
            label=label.format(at),
            created=f"20{20 + at // 365:02}-01-01T00:{at % 365 // 60:02}:{at % 60:02}+00:00",
            machines=(replace(header.machines[0], facts=Facts.from_dict(facts)),),
        )
        costs = {name: COSTS.get(name, 1.0) * (1.2 if later and name == "counter/rseq" else 1.0) for name in benchmarks}
        found.append(Summary(own, tuple(row(name, cost) for name, cost in costs.items())))
    return found


@pytest.fixture(scope="module")
def six(header):
    return pages.render_page(imagined(header, 6, step_at=4), RULES)


def test_the_page_is_sound(six):
    page = Page(six)
    assert page.scripts == 0
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert all(table["caption"] == 1 and table["heads"] == table["scopes"] > 0 for table in page.tables)
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert all(link.startswith(("#", "data:")) for link in page.links)


def test_the_step_stands_first_with_what_changed_with_it(six):
    body = six.partition("</style>")[2]
    steps = body[body.index('id="steps"') : body.index('id="plots"')]
    assert re.search(r'scope="row"[^>]*>counter/rseq</th>\s*<td[^>]*>4 and 5</td>', steps)
    assert "compiler gcc 12.2.0 → gcc 14.1.0" in steps
    assert "1.200x" in steps
    assert steps.count("<tr") == 2
    assert "1 steps beyond noise" not in body


def test_every_group_has_its_figure_with_words(six):
    for group in {name.partition("/")[0] for name in COSTS}:
        assert f"<strong>{group} on x86_64, ns/op" in six
    drawn = re.findall(r"<svg .*?</svg>", six, re.DOTALL)
    assert len(drawn) == 2 * len({name.partition("/")[0] for name in COSTS})  # for a wide and a narrow screen
    assert six.count("How to read this:") == 1
    for svg in drawn:
        assert len(re.search(r"<desc[^>]*>([^<]+)</desc>", svg)[1]) > 100
        assert ">run, by date</text>" in svg
        assert ">ns/op</text>" in svg


def test_the_figure_says_where_the_step_is(header):
    found = history.history(imagined(header, 6, step_at=4), RULES)
    series = [one for one in found.series if one.key[1] == "counter/rseq"]
    svg = charts.draw_history(found, series, "x", "ns/op")
    assert re.search(r"counter/rseq on x86_64: 0\.62\d* \([^)]*\) in run 1, 0\.74\d* \([^)]*\) in run 6, 1 step", svg)
    assert ">rseq, 1 step</text>" in svg


def test_values_of_few_runs_stand_beside_each_other_and_of_many_what_they_range_over(header, six):
    assert "Cost in each run" in six
    assert six.index(">6: run-5<") < six.index(">3: run-2<") < six.index(">1: run-0<")
    many = pages.render_page(imagined(header, 20, ("counter/rseq",), step_at=10), RULES)
    assert "Cost over all runs" in many
    assert "last / first" in many


def test_what_is_drawn_of_a_thousand_runs_is_bounded(header):
    """The points, and with them the bytes: a panel of 1,000 runs has as many as one of 120."""
    found = history.history(imagined(header, 1000, ("counter/rseq",), step_at=500), RULES)
    (series,) = found.series
    points = gather_points(series)
    assert 100 <= len(points) <= charts.MOST_DRAWN
    assert points[0].run == 4.0
    assert min(point.low for point in points) == series.points[0][1].gross.low
    assert max(point.high for point in points) == series.points[-1][1].gross.high
    few = history.history(imagined(header, charts.MOST_DRAWN, ("counter/rseq",), step_at=60), RULES)
    sizes = [len(charts.draw_history(each, each.series, "x", "ns/op")) for each in (few, found)]
    assert sizes[1] < 1.2 * sizes[0]


def test_no_run_is_lost_where_neighbours_are_drawn_as_one(header):
    found = history.history(imagined(header, 250, ("counter/rseq",)), RULES)
    outlier = replace(found.series[0].points[123][1].gross, value=9.0, low=8.0, high=10.0)
    points = list(found.series[0].points)
    points[123] = 123, replace(points[123][1], gross=outlier)
    assert max(point.high for point in gather_points(replace(found.series[0], points=tuple(points)))) == 10.0


def test_a_page_of_a_thousand_runs_stays_small_and_says_what_it_leaves_out(header):
    text = pages.render_page(
        imagined(header, 1000, ("counter/rseq", "counter/plain", *list(COSTS)[:4]), step_at=500), RULES
    )
    assert len(text.encode()) < 1_500_000
    assert "too many for a page" in text
    assert "history.csv" not in text
    assert "run-999" in text
    assert "1000 labels" in text


def test_the_largest_steps_are_kept_of_very_many(header):
    values = [1.0, 1.2] * 3
    names = [f"counter/b{number}" for number in range(60)]
    found = [
        Summary(replace(one.header), tuple(row(name, value) for name in names))
        for one, value in zip(imagined(header, 6), values, strict=True)
    ]
    text = pages.render_page(found, RULES)
    assert "100 smaller steps are left out" in text


def test_the_csv_has_every_value(six):
    assert "history.csv" in six


def test_records_say_where_a_step_led(header):
    found = history.history(imagined(header, 6, ("counter/rseq",), step_at=4), RULES)
    records = pages.records(found)
    assert [one["step"] for one in records] == [False] * 4 + [True, False]
    assert [one["run"] for one in records] == [1, 2, 3, 4, 5, 6]
    assert {one["unit"] for one in records} == {"ns/op"}


def test_hostile_labels_and_facts_are_text(header):
    found = imagined(header, 6, ("counter/rseq",), step_at=4, label=HOSTILE + "-{}")
    facts = {**FACTS, "linux": HOSTILE}
    found[5] = replace(
        found[5], header=replace(found[5].header, machines=(replace(header.machines[0], facts=Facts.from_dict(facts)),))
    )
    text = pages.render_page(found, RULES)
    assert "<b onclick" not in text
    assert "\u202e" not in text
    assert "&lt;b onclick" in text
    Page(text)


def test_what_limits_all_is_said_once_and_the_rest_with_its_runs(header):
    found = imagined(header, 6, ("counter/rseq",))
    virtual = replace(header.machines[0], facts=Facts.from_dict({**FACTS, "virtual": "kvm"}))
    for at in range(4):
        found[at] = replace(found[at], header=replace(found[at].header, machines=(virtual,)))
    text = pages.render_page(found, RULES)
    assert text.count("Measured in a virtual machine") == 1
    assert "run-0, run-1, run-2 and 1 more: Measured in a virtual machine" in text


def test_nothing_to_draw_is_said(header):
    text = pages.render_page(imagined(header, 2, ()), RULES)
    assert "<svg" not in text
    assert "there is nothing to draw" in text
    found = history.history(imagined(header, 1, ("counter/rseq",)), RULES)
    assert charts.draw_history(found, found.series, "x", "ns/op") == ""
