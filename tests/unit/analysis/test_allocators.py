"""rseqbench/analysis/allocators.py and the engine's summaries: known answers."""

import pandas as pd
import pytest
from hdrh.histogram import HdrHistogram

from rseqbench import config, paths
from rseqbench.analysis import allocators, compare, dataset, patch_claims
from rseqbench.analysis.outcomes import Needs, Verdict
from rseqbench.analysis.summary import BenchmarkRow, RunComparison
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.errors import ResultsError
from rseqbench.measure.engines.allocator_server import summarise_phase
from rseqbench.model import BASELINE, BenchmarkId, Registration, Skip, VerdictWord
from rseqbench.report.charts import shares
from rseqbench.report.reasons import explain
from rseqbench.report.tables import allocators as grids
from rseqbench.report.tables import comparison
from rseqbench.report.tables import run as of_run
from rseqbench.workloads import jemalloc
from tests.support.frames import frame, run
from tests.support.served_runs import COSTS, PHASE, stored

# ---- latencies ----


def test_latencies_become_mean_percentiles_and_a_histogram_that_has_all_of_them():
    found = summarise_phase({**PHASE, "latencies": [*range(1, 1000), 4_000_000_000]})
    assert found["latencies"] == 1000
    assert found["mean"] == pytest.approx((999 * 500 + 4e9) / 1000)
    assert (found["p50"], found["p99"]) == (500, 990)
    assert found["max"] == 4_000_000_000
    decoded = HdrHistogram.decode(found["histogram"])
    assert decoded.get_total_count() == 1000
    assert decoded.get_max_value() == pytest.approx(4_000_000_000, rel=1e-3)


def test_percentiles_are_of_the_latencies_not_of_the_histogram():
    found = summarise_phase({**PHASE, "latencies": [100_003] * 50 + [200_005] * 49 + [300_007] * 1})
    assert (found["p50"], found["p99"], found["p99.9"]) == (100_003, 200_005, 300_007)


# ---- gains ----


def test_a_gain_is_what_goes_away_of_a_request_by_the_share_of_jemalloc_as_shipped(tmp_path):
    found = allocators.summarise_allocators(stored(tmp_path, COSTS), 0.95)
    shipped, lsl = found.curve("shipped", "mean"), found.curve("pools_lsl", "mean")
    assert [one.share for one in shipped.gains] == [one.share for one in lsl.gains] == [0.1, 0.6]
    assert [one.gain.value for one in shipped.gains] == pytest.approx([0.02, 0.2])
    assert [one.gain.value for one in lsl.gains] == pytest.approx([1 - 98 / 106, 0.5])
    assert all(one.gain.low == pytest.approx(one.gain.value) for one in shipped.gains)
    assert found.curve("pools_vdso", "mean") is None


def test_gains_are_taken_inside_a_round():
    rows = [
        {"method": method, "threads": 4, "work": 0, "round": n, "mean": factor * 10.0**n, "share": 0.5}
        for n in range(6)
        for method, factor in (("shipped", 100.0), ("pools_rseq", 50.0))
    ]
    (one,) = allocators.gains(pd.DataFrame(rows), "shipped", 4, "mean", 0.95)
    assert (one.gain.value, one.gain.low, one.gain.high) == pytest.approx((0.5, 0.5, 0.5))
    assert allocators.gains(pd.DataFrame(rows), "shipped", 8, "mean", 0.95) == ()


def test_a_loss_is_a_negative_gain_and_its_interval_stays_in_order():
    rows = [
        {"method": method, "threads": 4, "work": 0, "round": n, "mean": mean, "share": 0.5}
        for n in range(8)
        for method, mean in (("shipped", 100.0), ("pools_rseq", 120.0 + n))
    ]
    (one,) = allocators.gains(pd.DataFrame(rows), "shipped", 4, "mean", 0.95)
    assert one.gain.low < one.gain.value < one.gain.high < 0


# ---- the claims ----


def judged(claim_id):
    claim = next(claim for claim in patch_claims.written_claims() if claim.id == claim_id)
    return JudgedClaim(claim, None, None, None, Verdict(VerdictWord.NOT_MEASURED, (Needs("it"),)))


@pytest.mark.parametrize(("claim_id", "what"), [("jemalloc-mean", "mean"), ("jemalloc-p99", "99th percentile")])
def test_the_claims_are_answered_as_a_curve_and_are_not_comparable(tmp_path, claim_id, what):
    of = allocators.summarise_allocators(stored(tmp_path, COSTS), 0.95)
    (found,) = allocators.judge_allocator_claims([judged(claim_id)], of)
    assert found.verdict.word == VerdictWord.NOT_COMPARABLE
    assert f"over shipped, {what}, 8 threads: +2.0% (+2.0% .. +2.0%) at a share of 10.0%, +20.0% (" in explain(
        found.verdict.reasons
    )
    assert explain(found.verdict.reasons).count("at a share of") == 2
    assert explain(found.verdict.reasons).endswith("at a share of 60.0%")


def test_without_pools_they_stay_as_they_were(tmp_path):
    of = allocators.summarise_allocators(stored(tmp_path, {"shipped": COSTS["shipped"]}), 0.95)
    one, other = judged("jemalloc-mean"), judged("counter-x86_64")
    assert allocators.judge_allocator_claims([one, other], of) == (one, other)
    assert allocators.judge_allocator_claims([one], None) == (one,)


# ---- the bound on arenas by CPU ----


def test_the_bound_is_calls_times_what_a_call_takes_longer_over_what_a_request_takes(tmp_path):
    costs = {"percpu_arena": {0: (1000.0, 0.5)}, "percpu_arena_norseq": {0: (1000.0, 0.5)}}
    run = stored(tmp_path, costs, percpu_arena_norseq={"getcpu_ns": 6.0})
    bound = allocators.summarise_allocators(run, 0.95).bound
    assert (bound.calls, bound.difference_ns, bound.mean_ns) == (0.5, 4.0, 1000.0)
    assert bound.part == pytest.approx(0.002)


# ---- rows ----


def test_a_phase_is_the_median_over_rounds_and_the_worst_of_all(tmp_path):
    found = allocators.summarise_allocators(stored(tmp_path, COSTS), 0.95)
    one = next(one for one in found.phases if (one.method, one.work) == ("shipped", 0))
    assert (one.mean.value, one.p99.value, one.maximum, one.throughput.value) == (1000, 2000, 9000, 22)
    assert (one.inside.value, one.requests, one.waits, one.getcpu_calls) == (0.75, 100, 0.25, 0.5)
    assert found.peaks["shipped"].value == pytest.approx(1_000_004.5)


def test_what_the_run_calls_void_is_not_there(tmp_path):
    skips = (Skip("jemalloc/pools_rseq", 1, "void in 4 of 10 rounds: it"),)
    found = allocators.summarise_allocators(stored(tmp_path, COSTS, skips=skips), 0.95)
    assert {one.method for one in found.phases} == {"shipped", "pools_lsl"}
    assert found.curves == ()


def test_a_damaged_run_says_so(tmp_path):
    run = stored(tmp_path, {"shipped": COSTS["shipped"]}, shipped={"phases": "[{]"})
    with pytest.raises(ResultsError, match="group jemalloc is damaged"):
        allocators.summarise_allocators(run, 0.95)


def test_tables_and_plot_hold_every_curve(tmp_path):
    found = allocators.summarise_allocators(stored(tmp_path, COSTS), 0.95)
    *phases, gains = grids.tabulate_server(found)
    assert [len(grid.rows) for grid in phases] == [3, 3]
    assert [str(cell) for cell in gains.rows[0]][:3] == ["shipped", "10.0%", "+2.0% (+2.0% .. +2.0%)"]
    assert gains.caption.endswith(", 8 threads")
    assert len(gains.rows) == 4
    heads = [column.head for column in phases[0].columns]
    row = dict(zip(heads, map(str, phases[0].rows[0]), strict=True))
    assert (row["waits"], row["inside"]) == ("25%", "75%")
    assert any("lies outside" in note for note in phases[-1].notes)
    svg = shares.draw_gains(found)
    assert "over pools_lsl" in svg
    assert shares.draw_gains(None) == ""
    assert grids.tabulate_server(None) == grids.tabulate_server_briefly(None) == []


def test_what_an_operation_is_is_said_in_the_run_s_table_and_beside_another_run():
    def rows(label, value):
        return run(label, {BASELINE: [1.0] * 8, "jemalloc/shipped": [value] * 8}, engine="server")

    both = frame(rows("a", 2000.0), rows("b", 4000.0))
    found = {row.benchmark: row for row in dataset.summarise(both[both["label"] == "a"], 0.95)}
    assert found["jemalloc/shipped"].net is None
    measured = BenchmarkRow("x86_64", BenchmarkId("jemalloc/shipped"), 1, "", "no check", found["jemalloc/shipped"], "")
    (grid,) = of_run.tabulate_measured([measured])
    assert allocators.OPERATION in grid.notes
    assert "loop" not in grid.columns[1].head
    assert grid.rows[0][2] == "no loop"
    compared = compare.compare(both[both["benchmark"] != BASELINE], "a", "b", config.load().verdict)
    beside_it = RunComparison("a", "b", tuple(compared), (), ())
    for (beside,) in (comparison.tabulate_comparison(beside_it), comparison.tabulate_narrowly(beside_it)):
        assert allocators.OPERATION in beside.notes


def test_what_an_operation_is_is_so():
    assert (jemalloc.TIMES_CPUS[0], jemalloc.WORK[0]) == (4, 0)
    assert "#define BLOCKS 64 " in (paths.kernels() / "server" / "blocks.h").read_text()
    assert "64 blocks" in allocators.OPERATION
    assert "four threads for each CPU" in allocators.OPERATION


# ---- what a process has to say of itself ----


FOUND = {"library": "libjemalloc.so.2", "percpu_arena": "disabled", "pools": "", "rseq": True}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({}, ""),
        ({"library": "libc.so.6"}, "malloc() is from libc.so.6"),
        ({"percpu_arena": "phycpu"}, "opt.percpu_arena is phycpu"),
        ({"percpu_arena": ""}, "opt.percpu_arena is not known"),
        ({"pools": "rseq"}, "the pools are protected by rseq"),
        ({"rseq": False}, "rseq is not registered"),
    ],
)
def test_another_allocator_than_asked_for_is_refused(changed, why):
    mismatch = jemalloc.METHODS[0].find_mismatch({**FOUND, **changed}, Registration.GLIBC)
    assert mismatch == (f"shipped did not take: {why}" if why else "")


def test_the_page_has_a_plot_for_each_method_that_is_held_against_rseq():
    assert set(shares._SHAPES) == set(allocators.AGAINST) <= {one.name for one in jemalloc.METHODS}
