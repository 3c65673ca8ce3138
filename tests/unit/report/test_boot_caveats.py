"""rseqbench/report/caveats.py, and boots as the unit of what is shown of one run."""

import csv
import dataclasses
import io

import pytest

from rseqbench.analysis import summary
from rseqbench.config import load
from rseqbench.model import Skip
from rseqbench.report import caveats, data
from rseqbench.store.runs import PATCH, Store
from tests.support.simulated_runs import COSTS, FACTS, Simulation, shown, store

RULES = load().verdict
BUILT = {**FACTS, "config_rseq": "y", "linux_build": "0123abcd"}
COUNTED = {"timing": "emulated", "target": "qemu-system"}
LINUX = {"linux/pipe_one_cpu": 6695.0, "counter/plain": 3.0}
ONE = Simulation("one", facts=BUILT, rounds=8, skips=())
SEVERAL = dataclasses.replace(ONE, label="several", rounds=20, boots=10)


def header(folder, simulation):
    return store(Store(folder), simulation).header


def said(folder, a, b):
    return " ".join(caveats.boot_comparison_limits(header(folder, a), header(folder, b)))


# ---- one run ----


def test_boots_are_the_unit_of_one_run_too(tmp_path):
    found = shown(tmp_path, SEVERAL)
    assert {one.row.gross.n for one in found.measured if one.row} == {10}
    assert {one.measured.n for one in found.judged if one.measured} == {10}
    assert {one.alone.n for one in found.quotients} == {10}
    assert "20 rounds over 10 boots each" in found.summary
    rows = csv.DictReader(io.StringIO(data.table_csv(found.run)))
    assert {row["rounds"] for row in rows} == {"10"}


def test_every_round_of_every_boot_stays_to_be_seen(tmp_path):
    found = shown(tmp_path, SEVERAL)
    assert len(found.frame) == 20 * len(COSTS)
    assert len(data.rounds_csv(found).splitlines()) == 1 + 20 * len(COSTS)


def test_too_few_boots_give_no_interval_however_many_rounds(tmp_path):
    found = shown(tmp_path, dataclasses.replace(SEVERAL, boots=5))
    assert not any(one.row.gross.has_interval for one in found.measured if one.row)
    assert any(text.startswith("Too few boots: 5 give no 95% interval, which takes 6") for text in found.limits)


def test_one_boot_of_a_linux_that_was_built_says_so(tmp_path):
    assert "One boot: nothing here covers" in " ".join(caveats.boot_limits(header(tmp_path, ONE)))
    assert list(caveats.boot_limits(header(tmp_path, dataclasses.replace(ONE, facts=FACTS)))) == []


@pytest.mark.parametrize("timing", ["hardware", "emulated"])
def test_several_boots_are_named_as_the_unit(tmp_path, timing):
    text = " ".join(caveats.boot_limits(header(tmp_path, dataclasses.replace(SEVERAL, timing=timing))))
    assert "The units are boots, 10:" in text
    assert ("range the least and the most" in text) == (timing == "emulated")
    assert "one sample" not in " ".join(shown(tmp_path, dataclasses.replace(SEVERAL, **COUNTED)).limits)


def test_that_nothing_migrates_is_said_where_linux_itself_is_counted(tmp_path):
    about_linux = dataclasses.replace(ONE, costs=LINUX, **COUNTED)
    assert any("nothing here migrates" in text for text in shown(tmp_path, about_linux).limits)
    others = [dataclasses.replace(ONE, **COUNTED), dataclasses.replace(ONE, costs=LINUX)]
    assert not any("migrates" in text for one in others for text in shown(tmp_path, one).limits)
    absent = dataclasses.replace(about_linux, skips=(Skip("linux/pipe_one_cpu", 1, "no fork here"),))
    assert not any("migrates" in text for text in shown(tmp_path, absent).limits)


# ---- two runs ----


def test_what_one_boot_each_leaves_open(tmp_path):
    assert said(tmp_path, ONE, dataclasses.replace(ONE, label="other")).startswith("One boot each: no interval")
    assert said(tmp_path, ONE, SEVERAL).startswith("one is one boot: its interval")
    assert said(tmp_path, SEVERAL, dataclasses.replace(SEVERAL, label="other")).startswith(
        "The units are boots, 10 and"
    )


def test_two_runs_of_a_linux_that_nobody_booted_for_them_need_no_word(tmp_path):
    a, b = (dataclasses.replace(ONE, label=label, facts=FACTS) for label in "ab")
    assert said(tmp_path, a, b) == ""
    assert said(tmp_path, a, dataclasses.replace(b, facts={**FACTS, "config_rseq": "n"})).startswith("One boot each")


def test_the_patch_was_not_booted(tmp_path):
    results = Store(tmp_path)
    found = summary.compare_runs(results.load(PATCH), store(results, dataclasses.replace(ONE, **COUNTED)), RULES)
    assert caveats.comparison_notes(found) == ()
