"""The formats agree: every number is read back out of each, by a parser of its own, and held against the JSON."""

import csv
import dataclasses
import io
import json
import re

import pytest

from rseqbench.analysis import summary
from rseqbench.config import load
from rseqbench.model import Skip
from rseqbench.report.formats import list_formats, load_format
from rseqbench.report.run_view import build_run_view
from rseqbench.store.runs import PATCH, Store
from tests.support import readback
from tests.support.emulated_runs import A32
from tests.support.kernel_config_runs import N, Y
from tests.support.simulated_runs import COSTS, SKIPS, Simulation, shown, store

FORMATS = ("html", "markdown", "mail", "terminal", "csv")
RUNS = {
    "a laptop": Simulation(rounds=12, spread=0.02),
    "skips": Simulation(
        rounds=8, skips=(*SKIPS, Skip("counter/rseq", 1, "ENOSYS: no rseq"), Skip("rcu/rseq", 1, "ENOSYS: no rseq"))
    ),
    "several threads": Simulation(rounds=8, threads={"counter/rseq": 4, "counter/shared_atomic": 2, "rcu/rseq": 16}),
    "too few rounds": Simulation(rounds=2),
    "emulated": dataclasses.replace(A32, spread=0.01, skips=(Skip("cpu_id/gs", 1, "gs: x86 only"),)),
}


@pytest.fixture(scope="module", params=[*RUNS, PATCH])
def seen(request, tmp_path_factory):
    """Return a run as it is shown, and its documents by format."""
    folder = tmp_path_factory.mktemp("results")
    if request.param == PATCH:
        patch = Store(folder).load(PATCH)
        found = build_run_view(patch, patch, load().verdict)
    else:
        found = shown(folder, RUNS[request.param])
    return found, {style: load_format(style).render_run(found) for style in list_formats()}


def test_every_cost_is_the_same_in_all_formats(seen):
    true = readback.true_costs(seen[1])
    found = readback.costs(*seen)
    assert true
    assert tuple(sorted(found)) == tuple(sorted(FORMATS))
    for style, printed in found.items():
        assert set(printed) == set(true), style
        for key, value in true.items():
            if style == "csv":
                assert printed[key] == value
            else:
                assert readback.agrees(printed[key], value), (style, key, printed[key], value)


def test_every_interval_is_printed_in_all_formats(seen):
    true = readback.true_costs(seen[1])
    found = readback.costs(*seen)
    ranges = {key for key, (_, low, high) in true.items() if low is not None and high - low > 0.02}
    if all(machine.timing == "published" for machine in seen[0].run.header.machines):
        assert not ranges
    for style in ("html", "markdown", "mail", "terminal"):
        assert {key for key, printed in found[style].items() if " .. " in printed} >= ranges, style


def test_every_verdict_is_the_same_in_all_formats(seen):
    true = readback.true_verdicts(seen[1])
    found = readback.verdicts(*seen)
    assert len(true) == 43
    for style, printed in found.items():
        published = seen[0].run.label == PATCH and style in ("html", "mail", "markdown")
        expected = {} if published else true  # what the message printed cannot confirm what it says
        assert {name for name in printed if name in true} == set(expected), style
        for name, (measured, word) in expected.items():
            assert printed[name][1] == word, (style, name)
            if measured is None:
                assert printed[name][0].strip() == "", (style, name)
            elif style == "csv":
                assert float(printed[name][0]) == measured[0]
            else:
                assert readback.agrees(printed[name][0], measured), (style, name, printed[name], measured)


def test_every_skip_has_its_reason_in_all_formats(seen):
    found, documents = seen
    for skip in found.run.header.plan.skips:
        for style, text in documents.items():
            assert skip.reason in readback.words(style, text), style
    assert found.run.label == PATCH or found.run.header.plan.skips


def test_an_absent_cost_is_absent_everywhere(seen):
    absent = {one.benchmark for one in seen[0].measured if one.row is None}
    for style, printed in readback.costs(*seen).items():
        assert not absent & {benchmark for _, benchmark, _ in printed}, style
    assert absent <= set(COSTS) | {skip.benchmark for skip in seen[0].run.header.plan.skips}


# ---- comparisons ----

SLOWER = {**COSTS, "counter/rseq": 0.8, "rcu/rseq": 15.0, "cpu_id/lsl": 14.7}
PAIRS = {
    "times": (Simulation(label="a", rounds=10), Simulation(label="b", rounds=10, seed=4, costs=SLOWER)),
    "threads": (
        Simulation(label="a", rounds=10, threads={"counter/rseq": 4}),
        Simulation(label="b", rounds=10, seed=4, threads={"counter/rseq": 4, "rcu/rseq": 2}),
    ),
    "counts": (N, Y),
}


@pytest.fixture(scope="module", params=[*PAIRS, "against the patch"])
def pair(request, tmp_path_factory):
    """Return the comparison of two runs, and its documents by format."""
    store_ = Store(tmp_path_factory.mktemp("results"))
    simulations = PAIRS.get(request.param, PAIRS["times"])
    runs = [store(store_, one) for one in simulations]
    if request.param not in PAIRS:
        runs[0] = store_.load(PATCH)
    rules = load().verdict
    found = [summary.compare_runs(runs[0], runs[1], rules)]
    return found, {style: load_format(style).render_comparison(runs, found, rules) for style in list_formats()}


def test_every_difference_is_the_same_in_all_formats(pair):
    rows = [row for row in json.loads(pair[1]["json"])["benchmarks"] if row["kind"] == "benchmark"]
    true = {(row["arch"], row["benchmark"], row["threads"]): row for row in rows}
    assert true
    for style, printed in readback.comparisons(*pair).items():
        assert set(printed) == set(true), style
        for key, row in true.items():
            by, word = printed[key]
            assert word == row["verdict"], (style, key)
            if row["ratio"] is None:
                assert by == "", (style, key)
            elif style == "csv":
                assert float(by) == row["ratio"]
            elif row["a_unit"] == "ns/op":
                assert readback.agrees(by, (row["ratio"], row["ratio_low"], row["ratio_high"])), (style, key, by, row)
            else:
                assert readback.near(by.split(" ")[0], row["b_value"] - row["a_value"]), (style, key, by, row)


def test_sizes_are_the_same_in_all_formats(tmp_path):
    store_, rules = Store(tmp_path), load().verdict
    runs = [store(store_, one) for one in (N, Y)]
    found = [summary.compare_runs(*runs, rules)]
    documents = {style: load_format(style).render_comparison(runs, found, rules) for style in list_formats()}
    true = json.loads(documents["json"])["sizes"]
    rows = list(csv.DictReader(io.StringIO(documents["csv"])))
    for kind, sized in (("size", {name: true[name] for name in ("text", "data", "bss")}),
                        ("section", true["sections"]), ("symbol", true["symbols"])):  # fmt: skip
        read = {row["name"]: [int(row["a_value"]), int(row["b_value"])] for row in rows if row["kind"] == kind}
        assert read == sized
    assert {row["a_unit"] for row in rows if row["kind"] in ("size", "section", "symbol")} == {"bytes"}
    tables_ = {style: getattr(readback, f"{style}_tables")(documents[style]) for style in ("html", "markdown")}
    for style, found_ in tables_.items():
        symbols = next(table for table in found_ if "symbols that grew most" in table.caption)
        read = {row[0]: [int(cell.replace(",", "")) for cell in row[1:3]] for row in symbols.rows}
        assert read == true["symbols"], style
    for name, (a, b) in {**true["symbols"], "text": true["text"], "data": true["data"]}.items():
        assert re.search(rf"^{re.escape(name)} +{a:,} +{b:,} +[+]?{b - a:,}( |$)", documents["mail"], re.MULTILINE), (
            name
        )
