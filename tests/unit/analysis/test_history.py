"""Many runs by date: what is a step, what is noise, and what is read of each run."""

import json
import math
from dataclasses import replace

import pytest

from rseqbench.analysis import dataset, history, summary_csv
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.history import Change
from rseqbench.analysis.summary_csv import Summary
from rseqbench.config import load
from rseqbench.errors import ResultsError
from rseqbench.model import Estimate, Facts
from rseqbench.store.runs import PATCH, Store
from tests.support.simulated_runs import FACTS, Simulation, store

RULES = load().verdict
SMALL = Simulation(costs={"cpu_id/baseline": 0.3, "counter/rseq": 1.0}, rounds=8, skips=(), spread=0.001)


def row(value, half=0.001, benchmark="counter/rseq", unit="ns", timing="hardware"):
    """Return a row whose interval reaches `half` of its value to both sides; none with None."""
    low, high = (None, None) if half is None else (value * (1 - half), value * (1 + half))
    gross = Estimate(value, low, high, 10, 0.0 if unit != "ns" else 0.97)
    return Row("x", "x86_64", benchmark, 1, "glibc", "gated", unit, timing, gross, None, 0, 1000)


@pytest.fixture
def header(tmp_path):
    return store(Store(tmp_path), SMALL).header


def runs(header, *values, **more):
    """Return a summary a value, a day apart."""
    return [
        Summary(replace(header, label=f"r{day}", created=f"2024-05-{day:02}T00:00:00+00:00"), (row(value, **more),))
        for day, value in enumerate(values, start=1)
    ]


def steps(found):
    (series,) = history.history(found, RULES).series
    return [(step.before, step.after, round(step.ratio.value, 3)) for step in series.steps]


def test_a_step_is_where_intervals_do_not_touch(header):
    assert steps(runs(header, 1.0, 1.0, 1.1, 1.1)) == [(1, 2, 1.1)]
    assert steps(runs(header, 1.0, 1.0, 1.1, 1.1, half=0.06)) == []
    assert steps(runs(header, 1.0, 1.1, half=None)) == []


def test_a_step_is_beyond_the_floor(header):
    assert steps(runs(header, 1.0, 1.0 + RULES.floor * 0.9, half=1e-6)) == []
    assert steps(runs(header, 1.0, 1.0 + RULES.floor * 1.1, half=1e-6)) == [(0, 1, 1.006)]


def test_the_ratio_of_a_step_holds_all_that_the_two_leave_open(header):
    ((series),) = history.history(runs(header, 1.0, 1.2, half=0.01), RULES).series
    (step,) = series.steps
    assert step.up
    assert math.isclose(step.ratio.low, 1.2 * 0.99 / 1.01)
    assert math.isclose(step.ratio.high, 1.2 * 1.01 / 0.99)


def test_what_neighbours_usually_differ_by_is_no_step(header):
    restless = [1.0, 1.02] * 5
    assert len(steps(runs(header, *restless[:7]))) == 6, "too few to know what is usual"
    assert steps(runs(header, *restless)) == []
    assert steps(runs(header, *restless, 1.5, 1.52)) == [(9, 10, 1.471)]


def test_a_step_that_the_empty_loop_shares_is_the_clock_s(header):
    def both(loop, value):
        return Summary(header, (row(loop, benchmark="cpu_id/baseline"), row(value)))

    early = replace(header, created="2018-01-01")
    before = replace(both(0.3, 1.0), header=early)
    shared, own, turned = both(0.36, 1.2), both(0.36, 1.5), both(0.36, 1.1)

    def of(found):
        return {one.key[1]: len(one.steps) for one in history.history([before, found], RULES).series}

    assert of(shared) == {"cpu_id/baseline": 1, "counter/rseq": 0}
    assert of(own) == {"cpu_id/baseline": 1, "counter/rseq": 1}
    assert of(turned) == {"cpu_id/baseline": 1, "counter/rseq": 0}, "more in time, and less relative to the loop"
    elsewhere = replace(shared.header.machines[0], facts=Facts.from_dict({**FACTS, "cpu": "another"}))
    assert of(replace(shared, header=replace(shared.header, machines=(elsewhere,))))["counter/rseq"] == 1


def test_counts_step_by_what_is_no_rounding(header):
    assert steps(runs(header, 100.0, 100.0, 101.0, half=0.0, unit="instructions")) == [(1, 2, 1.01)]
    assert steps(runs(header, 100.0, 100.05, half=0.0, unit="instructions")) == []


def test_times_and_counts_are_series_of_their_own(header):
    first, second = runs(header, 1.0, 2.0)
    counted = replace(second, rows=(row(2.0, unit="instructions", half=0.0),))
    assert [len(one.points) for one in history.history([first, counted], RULES).series] == [1, 1]


def test_emulated_and_real_time_make_no_step(header):
    first, second = runs(header, 1.0, 2.0)
    assert steps([first, replace(second, rows=(row(2.0, timing="virtual"),))]) == []


def test_runs_stand_in_the_order_of_their_dates_whatever_was_given(header):
    found = runs(header, 1.0, 1.1, 1.2)
    mixed = history.history([found[2], found[0], found[1]], RULES)
    assert [one.label for one in mixed.runs] == ["r1", "r2", "r3"]
    assert [number for number, _ in mixed.series[0].points] == [0, 1, 2]


def test_dates_with_and_without_a_zone_and_none_at_all_can_be_ordered(header):
    dates = ["2024-05-17T12:00:00+02:00", "2018-06-02", "2024-05-17T11:00:00+00:00", "yesterday"]
    ordered = sorted((replace(header, created=date) for date in dates), key=history.begun)
    assert [one.created for one in ordered] == ["yesterday", "2018-06-02", dates[0], dates[2]]


def test_a_run_without_the_benchmark_is_passed_over(header):
    first, second, third = runs(header, 1.0, 9.0, 1.2)
    assert steps([first, replace(second, rows=()), third]) == [(0, 2, 1.2)]


def test_what_changed_is_told_of_watched_facts_only(header):
    machine = header.machines[0]
    facts = {**FACTS, "linux": "6.12", "load_1min": 7.0}
    del facts["compiler"]
    other = replace(header, machines=(replace(machine, facts=Facts.from_dict(facts)),))
    changes = history.changed(header, other)
    assert changes == (Change("linux", FACTS["linux"], "6.12"),)  # that one does not know its compiler is no change
    assert history.changed(header, header) == ()


def test_a_history_of_nothing_is_one():
    assert history.history([], RULES) == history.History((), (), ())


def test_the_summary_of_a_run_says_what_its_values_say(tmp_path):
    results = Store(tmp_path)
    threads = {"counter/rseq": (1, 2)}
    run = store(results, replace(SMALL, threads=threads))
    exact = dataset.summarise(dataset.build([run]), RULES.confidence)
    read = summary_csv.load(results, run.label, RULES.confidence)
    assert read.header == run.header
    by_key = {one.key: one for one in read.rows}
    assert list(sorted(by_key)) == sorted(one.key for one in exact)
    for one in exact:
        got = by_key[one.key]
        assert (got.unit, got.timing, got.engine, got.registration) == (
            one.unit,
            one.timing,
            one.engine,
            one.registration,
        )
        assert (got.gross.n, got.aborts, got.operations) == (one.gross.n, one.aborts, one.operations)
        for name in ("value", "low", "high"):
            assert getattr(got.gross, name) == float(f"{getattr(one.gross, name):.6g}")


def test_counts_come_back_as_counts(tmp_path):
    results = Store(tmp_path)
    store(results, replace(SMALL, timing="emulated", costs={"counter/rseq": 100.0}, spread=0.0, facts={}))
    (read,) = summary_csv.load(results, SMALL.label, RULES.confidence).rows
    assert read.unit == "instructions"
    assert read.gross.is_range


def test_no_raw_value_is_read_for_a_history(tmp_path):
    """A run has megabytes of them."""
    results = Store(tmp_path)
    run = store(results, SMALL)
    (run.folder / "pyperf.json").unlink()
    assert len(summary_csv.load(results, run.label, RULES.confidence).rows) == 2


def test_a_run_without_its_table_is_estimated_anew(tmp_path):
    read = summary_csv.load(Store(tmp_path), PATCH, RULES.confidence)
    assert {row.timing for row in read.rows} == {"published"}
    assert {row.arch for row in read.rows} == {"arm32", "x86_64"}


@pytest.mark.parametrize(
    ("old", "new"),
    [(",gross,", ",other,"), ("\n1,", "\n2,"), (",1,ns/op", ",one,ns/op"), (",8,", ",,")],
)
def test_a_damaged_table_is_one_line(tmp_path, old, new):
    results = Store(tmp_path)
    path = store(results, SMALL).folder / "table.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(ResultsError, match=r"table\.csv"):
        summary_csv.load(results, SMALL.label, RULES.confidence)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf"])
def test_a_value_that_no_operation_can_take_is_damage(tmp_path, value):
    path = tmp_path / "table.csv"
    header, first, *_ = (store(Store(tmp_path), SMALL).folder / "table.csv").read_text().splitlines()
    cells = first.split(",")
    cells[header.split(",").index("gross")] = value
    path.write_text(f"{header}\n{','.join(cells)}\n")
    with pytest.raises(ResultsError, match="damaged"):
        summary_csv.parsed(path, "x", 0.95)


def test_a_run_of_a_newer_schema_is_refused(tmp_path):
    results = Store(tmp_path)
    path = store(results, SMALL).folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 99}))
    with pytest.raises(ResultsError, match="schema 99"):
        summary_csv.load(results, SMALL.label, RULES.confidence)
