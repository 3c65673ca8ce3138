"""rseqbench/analysis/dataset.py: stored runs as one tidy table, and what is computed of it inside a run."""

import math

import numpy as np
import pandas as pd
import pyperf
import pytest

from rseqbench.analysis import dataset
from rseqbench.errors import ResultsError
from rseqbench.model import BASELINE, CaseKey, Machine, Plan, Skip
from rseqbench.store.runs import Header, Run
from tests.support.frames import frame, run

X86 = "x86_64"
RSEQ, LSL, ATOMIC = "cpu_id/rseq", "cpu_id/lsl", "counter/getcpu_atomic"


def key(benchmark, arch=X86, threads=1):
    return CaseKey(arch, benchmark, threads)


def stored(tmp_path, benches, skips=(), timing="virtual", label="mine"):
    plan = Plan((), tuple(skips), 2, 2, 0.5, 1, "pyperf", "quick", (0,))
    header = Header(label, "", "", plan, (Machine(X86, "native", timing),))
    return Run(tmp_path / label, header, pyperf.BenchmarkSuite(benches))


def bench(name, rounds, unit="second", threads=1, **changes):
    runs = []
    for number, values in enumerate(rounds):
        metadata = {"name": name, "benchmark": name, "arch": X86, "threads": threads, "registration": "self"}
        metadata |= {"engine": "pyperf", "round": number, "aborts": number, "loops": 1000, "unit": unit, **changes}
        metadata = {name: value for name, value in metadata.items() if value is not None}
        runs.append(pyperf.Run(values, metadata=metadata, collect_metadata=False))
    return pyperf.Benchmark(runs)


# ---- from stored runs ----


def test_a_row_is_a_benchmark_in_a_round(tmp_path):
    found = dataset.build([stored(tmp_path, [bench(RSEQ, [[1e-9, 3e-9, 2e-9], [5e-9]])])])
    assert list(found.columns) == list(dataset.COLUMNS)
    assert {name: str(kind) for name, kind in found.dtypes.items()} == {
        name: str(pd.Series([], dtype=kind).dtype) for name, kind in dataset.COLUMNS.items()
    }
    assert len(found) == 2
    first = found.iloc[0]
    assert (first["label"], first["arch"], first["timing"], first["benchmark"]) == ("mine", X86, "virtual", RSEQ)
    assert (first["threads"], first["registration"], first["engine"], first["unit"]) == (1, "self", "pyperf", "ns")
    assert (first["round"], first["values"], first["loops"], first["aborts"]) == (0, 3, 1000, 0)
    assert found["value"].to_list() == pytest.approx([2.0, 5.0])
    assert math.isnan(first["busy"])


def test_instructions_are_not_nanoseconds(tmp_path):
    found = dataset.build([stored(tmp_path, [bench(RSEQ, [[7, 7, 8]], unit="integer")], timing="emulated")])
    assert (found.iloc[0]["unit"], found.iloc[0]["timing"], found.iloc[0]["value"]) == ("instructions", "emulated", 7.0)


def test_several_runs_stand_in_one_table(tmp_path):
    one, other = (stored(tmp_path, [bench(RSEQ, [[1e-9]])], label=label) for label in ("a", "b"))
    assert dataset.build([one, other])["label"].to_list() == ["a", "b"]


def test_no_runs_are_an_empty_table_with_all_columns():
    assert list(dataset.build([]).columns) == list(dataset.COLUMNS)


def test_a_calibration_without_values_is_no_round(tmp_path):
    benchmark = bench(RSEQ, [[1e-9]])
    metadata = {"name": RSEQ, "unit": "second"}
    benchmark.add_run(pyperf.Run([], warmups=[(1000, 1e-9)], metadata=metadata, collect_metadata=False))
    assert len(dataset.build([stored(tmp_path, [benchmark])])) == 1


def test_what_the_plan_calls_void_has_no_number(tmp_path):
    benches = [bench(RSEQ, [[1e-9]]), bench(LSL, [[9e-9]])]
    found = dataset.build([stored(tmp_path, benches, skips=[Skip(LSL, 1, "void"), Skip(RSEQ, 2, "other threads")])])
    assert found["benchmark"].to_list() == [RSEQ]


@pytest.mark.parametrize("missing", ["benchmark", "arch", "threads", "registration", "engine", "round", "aborts"])
def test_a_suite_that_lacks_what_we_store_is_refused_in_one_line(tmp_path, missing):
    with pytest.raises(ResultsError, match=r"pyperf\.json lacks '?\w+'? for") as caught:
        dataset.build([stored(tmp_path, [bench(RSEQ, [[1e-9]], **{missing: None})])])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("arch", "m68k"),
        ("threads", "many"),
        ("round", "first"),
        ("aborts", "none"),
        ("engine", "gated"),
        ("round", 1.5),
    ],
)
def test_a_suite_that_holds_something_else_there_is_refused_in_one_line(tmp_path, name, value):
    with pytest.raises(ResultsError, match=r"pyperf\.json") as caught:
        dataset.build([stored(tmp_path, [bench(RSEQ, [[1e-9]], **{name: value})])])
    assert "\n" not in str(caught.value)


# ---- inside a run ----

DRIFTING = run("mine", {RSEQ: [1.0, 2.0, 4.0], LSL: [10.0, 20.0, None], BASELINE: [0.5, 1.0, 2.0]})


def test_a_series_is_indexed_by_round_in_order():
    shuffled = frame(DRIFTING).sample(frac=1, random_state=1)
    found = dataset.series(shuffled, "mine", key(RSEQ))
    assert found.index.to_list() == [0, 1, 2]
    assert found.to_list() == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("other", [key(RSEQ, threads=2), key(RSEQ, arch="arm32"), key("cpu_id/none")])
def test_a_series_of_what_was_not_measured_is_empty(other):
    assert dataset.series(frame(DRIFTING), "mine", other).empty
    assert dataset.series(frame(DRIFTING), "other", key(RSEQ)).empty


def test_a_pair_takes_only_rounds_that_have_both():
    assert dataset.pair(frame(DRIFTING), "mine", key(LSL), key(RSEQ)) == ([10.0, 20.0], [1.0, 2.0])


def test_a_speedup_is_taken_inside_rounds():
    """The machine gets four times slower; the quotient does not notice."""
    ratio = dataset.speedup(frame(DRIFTING), "mine", key(RSEQ), key(BASELINE), 0.95)
    assert (ratio.value, ratio.n) == (2.0, 3)
    assert dataset.speedup(frame(DRIFTING), "mine", key(LSL), key(RSEQ), 0.95).value == pytest.approx(10.0)


def test_a_speedup_has_an_interval_where_there_are_enough_rounds():
    drift = np.exp(np.cumsum(np.random.default_rng(1).standard_normal(12)))
    noise = np.linspace(0.99, 1.01, 12)
    ratio = dataset.speedup(
        frame(run("mine", {LSL: 14 * drift * noise, RSEQ: drift})), "mine", key(LSL), key(RSEQ), 0.95
    )
    assert ratio.value == pytest.approx(14, rel=0.01)
    assert 13.8 < ratio.low < 14 < ratio.high < 14.2


@pytest.mark.parametrize(("net", "reach"), [(False, 1.01), (True, 1.02)])
def test_no_speedup_is_surer_than_the_clock(net, reach):
    """A hundredth of a chunk, which is twice that of what is left of it without the loop."""
    found = frame(run("mine", {LSL: [10.0] * 12, RSEQ: [1.0] * 12, BASELINE: [0.5] * 12}))
    found.loc[found["benchmark"] == RSEQ, "resolution"] = 0.01
    ratio = dataset.speedup(found, "mine", key(LSL), key(RSEQ), 0.95, net)
    assert (ratio.low, ratio.high) == pytest.approx((ratio.value / reach, ratio.value * reach))


def test_a_net_speedup_subtracts_the_baseline_of_the_same_round():
    ratio = dataset.speedup(frame(DRIFTING), "mine", key(LSL), key(RSEQ), 0.95, net=True)
    assert ratio.value == pytest.approx((10 - 0.5) / (1 - 0.5))
    assert ratio.n == 2


@pytest.mark.parametrize("resolutions", [(0.01, 0.03, 0.02), (0.03, 0.01, 0.02)])
def test_the_clock_may_err_to_opposite_sides_in_the_two(resolutions):
    """A value of `unsure` shares of a chunk; without the loop, it is more of what is left, and so is the loop's own."""
    found = frame(run("mine", {LSL: [10.0] * 12, RSEQ: [1.0] * 12, BASELINE: [0.5] * 12}))
    for name, share in zip((LSL, RSEQ, BASELINE), resolutions, strict=True):
        found.loc[found["benchmark"] == name, "resolution"] = share
    slow, fast, loop = resolutions
    gross = dataset.speedup(found, "mine", key(LSL), key(RSEQ), 0.95)
    assert (gross.value, gross.high) == pytest.approx((10, 10 * (1 + slow + fast)))
    net = dataset.speedup(found, "mine", key(LSL), key(RSEQ), 0.95, net=True)
    unsure = slow * 10 / 9.5 + fast * 1 / 0.5 + loop * 0.5 * (1 / 0.5 - 1 / 9.5)
    assert (net.value, net.low, net.high) == pytest.approx((19, 19 / (1 + unsure), 19 * (1 + unsure)))


# A round of two that leaves something of both without the loop, of the slow one only, of the fast one only, of neither.
LOOP, OF_LSL, NOTHING = 8.4, 16.7, 8.4
BOTH, SLOW, FAST, NEITHER = (OF_LSL, 10.0), (OF_LSL, NOTHING), (NOTHING, 10.0), (NOTHING, NOTHING)


def netted(*pairs):
    """Return the quotient of LSL and RSEQ without the loop, of rounds that were these."""
    slow, fast = (list(values) for values in zip(*pairs, strict=True))
    return dataset.speedup(
        frame(run("mine", {LSL: slow, RSEQ: fast, BASELINE: [LOOP] * len(pairs)})),
        "mine",
        key(LSL),
        key(RSEQ),
        0.95,
        net=True,
    )


def differing(number):
    """Return rounds whose quotients are 2, 3, 4 and so on."""
    return [(LOOP + (at + 2), LOOP + 1.0) for at in range(number)]


def test_one_bad_round_of_many_does_not_void_a_net_speedup():
    ratio = netted(*[(16.7, 10.0)] * 21, (8.4, 8.4))
    value = (16.7 - 8.4) / (10.0 - 8.4)
    assert (ratio.value, ratio.low, ratio.high, ratio.n) == (*(pytest.approx(value),) * 3, 22)


@pytest.mark.parametrize(
    ("bad", "low", "high"),
    [
        ([], 4, 11),  # of 12, from the third to the tenth: 2 .. 13
        ([SLOW] * 2, 4, 11),  # the greatest two, whatever they are
        ([FAST] * 2, 2, 9),  # the least two
        ([SLOW, FAST], 3, 10),
        ([NEITHER] * 2, 2, 11),  # the least two for one end, the greatest two for the other
        ([SLOW, NEITHER], 3, 11),
    ],
)
def test_a_round_of_which_nothing_is_left_keeps_its_place_in_the_order(bad, low, high):
    """The third to the tenth of twelve cover 96.1%; those that are there have the quotients 2, 3, 4 and so on."""
    ratio = netted(*differing(12 - len(bad)), *bad)
    assert (ratio.low, ratio.high) == pytest.approx((low, high))
    assert (ratio.n, ratio.coverage) == (12, pytest.approx(1 - 2 * 79 / 4096))
    assert ratio.low < ratio.value < ratio.high


@pytest.mark.parametrize("bad", [[SLOW] * 3, [FAST] * 3, [NEITHER] * 3, [SLOW, SLOW, NEITHER]])
def test_an_interval_that_would_reach_to_nothing_or_without_end_is_none(bad):
    ratio = netted(*differing(12 - len(bad)), *bad)
    assert (ratio.low, ratio.high, ratio.n, ratio.coverage) == (None, None, 12, 0)
    assert 2 <= ratio.value <= 13


@pytest.mark.parametrize("bad", [SLOW, FAST, NEITHER])
def test_there_is_no_speedup_where_more_than_a_quarter_of_the_rounds_have_no_quotient(bad):
    assert netted(*differing(9), *[bad] * 3) is not None
    assert netted(*differing(8), *[bad] * 4) is None
    assert netted(*differing(17), *[bad] * 5).has_interval
    assert netted(*differing(16), *[bad] * 6) is None


@pytest.mark.parametrize("rseq", [[0.5, 1.0], [0.5, 0.9], [0.4, 2.0]])
def test_a_net_speedup_with_nothing_left_to_divide_by_is_none(rseq):
    found = frame(run("mine", {LSL: [10.0, 20.0], RSEQ: rseq, BASELINE: [0.5, 1.0]}))
    assert dataset.speedup(found, "mine", key(LSL), key(RSEQ), 0.95, net=True) is None
    assert dataset.speedup(found, "mine", key(LSL), key(RSEQ), 0.95) is not None


@pytest.mark.parametrize(("slow", "fast"), [(ATOMIC, RSEQ), (LSL, ATOMIC)])
def test_a_speedup_of_what_was_not_measured_is_none(slow, fast):
    for net in (False, True):
        assert dataset.speedup(frame(DRIFTING), "mine", key(slow), key(fast), 0.95, net) is None


def test_rounds_that_do_not_meet_have_no_speedup():
    found = frame(run("mine", {LSL: [10.0]}, rounds=[0]), run("mine", {RSEQ: [1.0]}, rounds=[1]))
    assert dataset.speedup(found, "mine", key(LSL), key(RSEQ), 0.95) is None


# ---- summaries ----


def test_a_summary_has_a_row_per_run_machine_benchmark_and_thread_count():
    found = frame(
        run("b", {RSEQ: [1.0, 3.0, 2.0]}),
        run("a", {RSEQ: [1.0], BASELINE: [0.5]}),
        run("a", {RSEQ: [9.0]}, threads=2),
        run("a", {RSEQ: [16.7]}, arch="arm32"),
    )
    rows = dataset.summarise(found, 0.95)
    assert [(row.label, *row.key) for row in rows] == [
        ("a", "arm32", RSEQ, 1),
        ("a", X86, BASELINE, 1),
        ("a", X86, RSEQ, 1),
        ("a", X86, RSEQ, 2),
        ("b", X86, RSEQ, 1),
    ]
    assert [row.gross.value for row in rows] == [16.7, 0.5, 1.0, 9.0, 2.0]


def test_a_row_sums_up_operations_and_aborts_and_keeps_who_measured():
    (row,) = dataset.summarise(frame(run("mine", {RSEQ: [1.0, 2.0, 3.0]}, engine="gated")), 0.95)
    assert row.aborts == 3 * 2
    assert row.operations == 3 * 3 * 1000
    assert (row.registration, row.engine, row.unit, row.timing) == ("glibc", "gated", "ns", "virtual")
    assert row.counted == ()


def test_net_is_the_median_of_the_differences_inside_rounds():
    """Not the difference of the medians, which would be 1.5 - 1.0."""
    rows = {
        row.benchmark: row
        for row in dataset.summarise(frame(run("mine", {RSEQ: [1.5, 5.0, 0.6], BASELINE: [1.0, 1.5, 0.5]})), 0.95)
    }
    assert rows[RSEQ].net.value == pytest.approx(0.5)
    assert rows[BASELINE].net is None


@pytest.mark.parametrize("engine", ["server", "whole"])
def test_what_is_no_loop_of_operations_has_no_net(tmp_path, engine):
    loop, whole = bench(BASELINE, [[1e-9], [1e-9]]), bench("any/program", [[1e-6], [2e-6]], engine=engine)
    found = {row.benchmark: row for row in dataset.summarise(dataset.build([stored(tmp_path, [loop, whole])]), 0.95)}
    assert found["any/program"].net is None
    assert found["any/program"].gross.value == pytest.approx(1500.0)


def test_without_a_baseline_nothing_is_net():
    assert dataset.summarise(frame(run("mine", {RSEQ: [1.0]})), 0.95)[0].net is None


def test_the_baseline_of_another_machine_is_not_subtracted():
    found = frame(run("mine", {RSEQ: [1.0]}), run("mine", {BASELINE: [0.5]}, arch="arm32"))
    assert {row.key: row.net for row in dataset.summarise(found, 0.95)} == {
        key(RSEQ): None,
        key(BASELINE, "arm32"): None,
    }


def test_every_machine_s_own_baseline_is_subtracted():
    found = frame(
        *(run("mine", {RSEQ: [4.0], BASELINE: [base]}, arch=arch) for arch, base in ((X86, 0.5), ("arm32", 3.0)))
    )
    net = {row.arch: row.net.value for row in dataset.summarise(found, 0.95) if row.benchmark == RSEQ}
    assert net == {X86: 3.5, "arm32": 1.0}


def test_the_baseline_of_one_thread_serves_all_thread_counts():
    found = frame(run("mine", {RSEQ: [4.0]}, threads=2), run("mine", {BASELINE: [0.5]}))
    assert dataset.summarise(found, 0.95)[-1].net.value == 3.5


def test_counters_are_shown_only_where_they_counted():
    counted = run("mine", {RSEQ: [1.0, 2.0, 3.0]})
    counted[["instructions", "cycles", "branch_misses"]] = [[8.0, 3.0, 0.0], [8.0, 4.0, 0.1], [8.0, 5.0, 0.0]]
    assert dataset.summarise(counted.astype(dataset.COLUMNS), 0.95)[0].counted == (8.0, 4.0, 0.0)


# ---- the index of a table ----


def test_values_are_in_the_order_of_rounds():
    shuffled = frame(run("mine", {"cpu_id/rseq": [1.0, 2.0, 3.0]})).iloc[::-1].reset_index(drop=True)
    rounds, values = dataset.index_frame(shuffled).values("mine", key("cpu_id/rseq"), "value")
    assert (rounds.tolist(), values.tolist()) == ([0, 1, 2], [1.0, 2.0, 3.0])


def test_of_what_is_not_there_there_is_nothing():
    found = dataset.index_frame(frame(run("mine", {"cpu_id/rseq": [1.0]})))
    assert [len(part) for part in found.values("other", key("cpu_id/rseq"), "value")] == [0, 0]
    assert [len(part) for part in found.values("mine", key("cpu_id/rseq"), "resolution")] == [0, 0]  # nothing but NaN
    assert ("other", "x86_64") not in found.units


def test_a_table_is_gone_through_once_and_another_one_by_itself():
    one, other = (frame(run("mine", {"cpu_id/rseq": [value]})) for value in (1.0, 2.0))
    assert dataset.index_frame(one) is dataset.index_frame(one)
    for table, value in ((one, 1.0), (other, 2.0), (one, 1.0)):
        assert dataset.index_frame(table).values("mine", key("cpu_id/rseq"), "value")[1].tolist() == [value]
