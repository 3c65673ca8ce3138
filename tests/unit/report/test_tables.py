"""What is shown of a run: nothing is left out, and every number stands where it belongs."""

import dataclasses

import pytest

from rseqbench.analysis import summary
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.config import load
from rseqbench.model import Case, Check, Estimate, Skip
from rseqbench.report.reasons import explain
from rseqbench.report.run_view import build_run_view
from rseqbench.report.tables import comparison as of_comparison
from rseqbench.report.tables import run as of_run
from rseqbench.store.runs import PATCH, Store
from tests.support.simulated_runs import COSTS, FACTS, SKIPS, Simulation, shown, store

RULES = load().verdict


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=8))


@pytest.fixture(scope="module")
def patch(tmp_path_factory):
    run = Store(tmp_path_factory.mktemp("results")).load(PATCH)
    return build_run_view(run, run, RULES)


def changed(run, **parts):
    return dataclasses.replace(run, header=dataclasses.replace(run.header, **parts))


def test_every_benchmark_has_one_row_with_the_cost_that_was_simulated(laptop):
    rows = {one.benchmark: one for one in laptop.measured}
    assert set(rows) == set(COSTS)
    assert len(rows) == len(laptop.measured)
    for name, cost in COSTS.items():
        if name != "cpu_id/mm_cid":
            assert rows[name].row.gross.value == pytest.approx(cost, rel=0.02)
            assert rows[name].row.unit == "ns"


def test_net_is_the_cost_less_the_empty_loop(laptop):
    rows = {one.benchmark: one.row for one in laptop.measured}
    assert rows["cpu_id/baseline"].net is None
    assert rows["counter/rseq"].net.value == pytest.approx(0.31, abs=0.02)


def test_what_was_skipped_says_why_and_comes_last_in_its_group(laptop):
    group = [one for one in laptop.measured if one.group == "cpu_id"]
    assert group[-1].benchmark == "cpu_id/mm_cid"
    assert group[-1].row is None
    assert explain(group[-1].reasons) == "mm_cid: Linux < 6.3"
    assert all(one.row is not None for one in group[:-1])


def test_groups_are_in_the_order_of_the_message(laptop):
    assert list(dict.fromkeys(one.group for one in laptop.measured)) == [
        "counter", "ring_buffer", "rcu", "freelist", "cpu_id",
    ]  # fmt: skip


def test_what_was_planned_in_vain_is_shown(laptop):
    plan = laptop.run.header.plan
    lost = changed(laptop.run, plan=dataclasses.replace(plan, cases=(*plan.cases, Case("counter/lost"))))
    row = next(m for m in summary.benchmark_rows(lost, laptop.frame, 0.95) if m.benchmark == "counter/lost")
    assert row.row is None
    assert explain(row.reasons) == "planned, but no values are stored"


def test_a_failed_check_is_the_reason_for_a_missing_value(laptop):
    failed = Check("counter/broken", False, 8, 1000, 5, 10, True, "the sum is 999 after 1000 increments")
    run = changed(laptop.run, checks=(*laptop.run.header.checks, failed))
    row = next(m for m in summary.benchmark_rows(run, laptop.frame, 0.95) if m.benchmark == "counter/broken")
    assert row.check == "FAILED"
    assert explain(row.reasons) == "check FAILED: the sum is 999 after 1000 increments"


def test_the_check_of_a_benchmark_is_its_worst_but_one_exercised_is_enough(laptop):
    def check(passed, exercised, short=False):
        return Check("counter/rseq", passed, 8, 1000, 0, 0, exercised, short=short)

    def word(*checks):
        found = summary.benchmark_rows(changed(laptop.run, checks=checks), laptop.frame, 0.95)
        return next(one.check for one in found if one.benchmark == "counter/rseq")

    assert word() == summary.NO_CHECK
    assert word(check(True, False)) == "exact, not exercised"
    assert word(check(True, False), check(True, True)) == "exact"
    assert word(check(True, True), check(False, True)) == "FAILED"
    assert word(check(True, True, short=True), check(True, False)) == "exact, short"
    assert word(check(True, True, short=True), check(True, True)) == "exact"


def test_the_patch_s_pairs_are_as_printed_with_the_run_beside_them(laptop):
    counter = laptop.patch_tables[0]
    arm, x86, claimed, today = counter.pairs
    assert [row.gross.value for row in arm.values] == pytest.approx([344.0, 31.4])
    assert [row.gross.value for row in x86.values] == pytest.approx([15.3, 2.0])
    assert (arm.stated, x86.stated) == (11.0, 7.7)
    assert (claimed.slow, claimed.fast) == ("counter/getcpu_atomic", "counter/rseq")
    assert claimed.speedup.value == pytest.approx(5.25 / 0.62, rel=0.03)
    assert (today.slow, today.fast) == ("counter/rseq_atomic", "counter/rseq")
    assert today.speedup.value == pytest.approx(1.9 / 0.62, rel=0.03)


def test_the_patch_s_list_is_as_printed_with_the_run_beside_it(laptop):
    reading = next(table for table in laptop.patch_tables if table.lines)
    printed = {line.words: [row and row.gross.value for row in line.printed] for line in reading.lines}
    assert printed["Baseline (empty loop)"] == pytest.approx([8.4, 0.8])
    assert printed['"lsl" inline assembly'][0] is None
    assert printed["glibc getcpu (the patch: 2.19)"] == pytest.approx([301.8, 16.6])
    assert all(line.measured[0].row for line in reading.lines)


def test_the_patch_stands_beside_nothing_but_itself(patch):
    assert [len(table.pairs) for table in patch.patch_tables] == [2, 2, 2, 0]
    assert all(line.measured == () for table in patch.patch_tables for line in table.lines)
    assert patch.sentences == ()
    assert patch.limits == ()


def test_claims_are_judged_by_the_machine_they_are_about(patch):
    by_id = {one.claim.id: one for one in patch.judged}
    assert by_id["counter-arm32"].measured.value == pytest.approx(10.96, abs=0.01)
    assert by_id["counter-x86_64"].measured.value == pytest.approx(7.65, abs=0.01)
    assert by_id["getcpu-arm32"].measured.value == pytest.approx(35.3, abs=0.1)


def test_a_pair_that_is_not_there_says_why(tmp_path):
    skips = (*SKIPS, Skip("counter/rseq", 1, "rseq: ENOSYS"))
    counter = shown(tmp_path, Simulation(rounds=2, skips=skips)).patch_tables[0]
    assert counter.pairs[2].speedup is None
    assert explain(counter.pairs[2].reasons) == "counter/rseq: rseq: ENOSYS"


def test_a_run_of_some_benchmarks_says_what_it_did_not_select(tmp_path):
    costs = {name: cost for name, cost in COSTS.items() if name.startswith("cpu_id/")}
    counter = shown(tmp_path, Simulation(rounds=2, costs=costs)).patch_tables[0]
    assert "counter/rseq: not selected in this run" in explain(counter.pairs[2].reasons)


def test_two_runs_are_compared_row_by_row(tmp_path):
    results = Store(tmp_path)
    slower = {name: cost * (1.2 if name == "counter/rseq" else 1) for name, cost in COSTS.items()}
    a = store(results, Simulation(label="a", rounds=12, skips=()))
    b = store(results, Simulation(label="b", rounds=12, seed=2, costs=slower, skips=SKIPS))
    found = summary.compare_runs(a, b, RULES)
    rows = {row.benchmark: row for row in found.rows}
    assert set(rows) == set(COSTS)
    assert rows["counter/rseq"].ratio.value == pytest.approx(1.2, rel=0.02)
    assert [name for name, row in rows.items() if row.word == "slower"] == ["counter/rseq"]
    assert explain(rows["cpu_id/mm_cid"].reasons) == "b: mm_cid: Linux < 6.3"
    quotient = next(
        s for s in found.speedups if (s.pair.slow, s.pair.fast) == ("counter/getcpu_atomic", "counter/rseq")
    )
    assert quotient.a.value / quotient.b.value == pytest.approx(1.2, rel=0.02)
    assert found.skips == ()


def test_what_neither_run_measured_is_named(tmp_path):
    results = Store(tmp_path)
    runs = [store(results, Simulation(label=label, rounds=2)) for label in "ab"]
    found = summary.compare_runs(*runs, RULES)
    assert [(label, skip.benchmark) for label, skip in found.skips] == [("a", "cpu_id/mm_cid"), ("b", "cpu_id/mm_cid")]


def test_what_neither_run_measured_for_the_same_reason_is_told_once(tmp_path):
    results, same = Store(tmp_path), Skip("cpu_id/mm_cid", 1, "Linux < 6.3")
    own = {"a": [same, Skip("cpu_id/none", 1, "one")], "b": [same, Skip("cpu_id/none", 1, "another")]}
    own["b"].append(Skip("cpu_id/mm_cid", 2, "Linux < 6.3"))
    runs = [store(results, Simulation(label=label, rounds=2, skips=skips)) for label, skips in own.items()]
    grid = of_comparison.tabulate_comparison(summary.compare_runs(*runs, RULES))[-1]
    assert grid.caption == "Measured in neither run"
    assert [tuple(map(str, row)) for row in grid.rows] == [
        ("cpu_id/mm_cid", "a, b: Linux < 6.3"),
        ("cpu_id/none", "a: one"),
        ("cpu_id/none", "b: another"),
        ("cpu_id/mm_cid (2 threads)", "b: Linux < 6.3"),
    ]


def test_more_threads_are_another_row(tmp_path):
    found = shown(tmp_path, Simulation(rounds=2, threads={"counter/rseq": 4}, facts=FACTS)).measured
    assert [one.threads for one in found if one.benchmark == "counter/rseq"] == [4]


def test_a_quotient_beside_a_neighbour_says_where_it_is_of_one_round():
    pair = ArchPair("x86_64", "counter/lsl", "counter/rseq", False, "why")
    alone = Estimate(8.0, 7.9, 8.1, 22, 0.98)
    cells = [
        of_run.tabulate_ratios([summary.PairSpeedup(pair, "ns", alone, Estimate(9.0, None, None, n, 0.0))]).rows[0][2]
        for n in (1, 2)
    ]
    assert [str(cell) for cell in cells] == ["9.00x in 1 round", "9.00x (2 rounds)"]
