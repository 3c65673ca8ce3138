"""rseqbench/store/round_table.py and samples.py: what is stored of a round is read again, or made anew, never wrong."""

import json
import shutil
from dataclasses import replace

import pyperf
import pytest

from rseqbench.analysis import dataset
from rseqbench.errors import ResultsError
from rseqbench.model import BenchmarkId
from rseqbench.store import round_table, samples
from rseqbench.store.runs import Store
from rseqbench.store.samples import Sample
from tests.support.simulated_runs import Simulation, store

SAMPLE = Sample(BenchmarkId("counter/rseq"), 2, "glibc", "x86_64", "gated", 3, "second", (2e-9,) * 40, 1000, 7)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return store(Store(tmp_path_factory.mktemp("results")), Simulation(rounds=3))


@pytest.fixture
def copy(run, tmp_path):
    return replace(run, folder=shutil.copytree(run.folder, tmp_path / run.label))


def scale_first_value(folder, factor):
    """Change a raw value in pyperf.json."""
    raw = json.loads((folder / "pyperf.json").read_text())
    raw["benchmarks"][0]["runs"][0]["values"] = [value * factor for value in raw["benchmarks"][0]["runs"][0]["values"]]
    (folder / "pyperf.json").write_text(json.dumps(raw))


def rewrite(folder, old, new):
    path = folder / round_table.FILE
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_stored_table_is_that_of_the_raw_values_to_the_last_digit(run, monkeypatch):
    expected = dataset.build([run])
    monkeypatch.setattr(samples, "load_suite", lambda _: pytest.fail("pyperf was asked"))
    assert dataset.read(run.folder, run.header).equals(expected)


def test_a_run_without_the_table_is_read_from_its_raw_values(copy):
    (copy.folder / round_table.FILE).unlink()
    assert dataset.read(copy.folder, copy.header).equals(dataset.build([copy]))


def test_a_raw_value_that_was_changed_counts(copy):
    before = dataset.read(copy.folder, copy.header)["value"]
    scale_first_value(copy.folder, 10)
    assert round_table.read(copy.folder) is None
    after = dataset.read(copy.folder, copy.header)["value"]
    assert after[0] == pytest.approx(10 * before[0])
    assert after[1:].equals(before[1:])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (",ns,", ",instructions,"),
        (",ns,0,", ",ns,0,9"),
        ("rounds 1 ", "rounds 2 "),
        ("# rseqbench", "#"),
        ("sha256 ", "sha256 0"),
        ("arch,", "arch;"),
    ],
)
def test_a_table_that_was_changed_is_ignored(copy, old, new):
    rewrite(copy.folder, old, new)
    assert round_table.read(copy.folder) is None
    assert dataset.read(copy.folder, copy.header).equals(dataset.build([copy]))


@pytest.mark.parametrize("size", [0, 10, 100, -1])
def test_a_table_that_is_cut_off_is_ignored(copy, size):
    path = copy.folder / round_table.FILE
    path.write_bytes(path.read_bytes()[:size])
    assert round_table.read(copy.folder) is None
    assert dataset.read(copy.folder, copy.header).equals(dataset.build([copy]))


def test_the_table_of_another_run_is_ignored(copy, tmp_path):
    other = store(Store(tmp_path / "others"), Simulation(rounds=3, seed=2))
    shutil.copyfile(other.folder / round_table.FILE, copy.folder / round_table.FILE)
    assert dataset.read(copy.folder, copy.header).equals(dataset.build([copy]))


def test_a_table_that_is_no_text_is_ignored(copy):
    (copy.folder / round_table.FILE).write_bytes(b"\xff\xfe\n\xff")
    assert round_table.read(copy.folder) is None


def test_damaged_raw_values_are_an_error_whatever_the_table_says(copy):
    (copy.folder / "pyperf.json").write_text("{")
    with pytest.raises(ResultsError, match=r"pyperf\.json: not a readable pyperf file"):
        dataset.read(copy.folder, copy.header)


# ---- samples ----


@pytest.mark.parametrize(
    "sample",
    [
        SAMPLE,
        replace(SAMPLE, resolution=0.01, busy_ns=3.0, counters={"cycles": 4.0}),
        replace(SAMPLE, engine="counted", unit="integer", values=(12.0, 13.0, 12.0), interrupted=2),
        replace(SAMPLE, engine="server", values=(1e-6,), phases=({"threads": 2, "mean": 3.5},), details={"step_ns": 9}),
        replace(SAMPLE, engine="pyperf", values=(1e-9, 2e-9), warmups=((1000, 5e-9),), details={"load_avg_1min": 0.5}),
    ],
)
def test_a_sample_is_the_same_after_pyperf(sample, tmp_path):
    path = tmp_path / "pyperf.json"
    samples.to_suite([sample]).dump(str(path))
    assert list(samples.from_suite(samples.load_suite(path), tmp_path)) == [sample]


def test_of_a_gated_round_the_lowest_decile_counts_and_of_others_the_median():
    values = tuple(float(number) for number in range(1, 41))
    assert replace(SAMPLE, values=values).value == 4.0
    assert replace(SAMPLE, values=values, engine="pyperf").value == 20.5


@pytest.mark.parametrize("key", ["benchmark", "arch", "threads", "engine", "round", "registration", "aborts"])
def test_a_pyperf_file_of_somebody_else_is_refused(key, tmp_path):
    (run,) = SAMPLE.to_pyperf().get_runs()
    metadata = {name: value for name, value in run.get_metadata().items() if name != key}
    foreign = pyperf.Benchmark([pyperf.Run(run.values, metadata=metadata, collect_metadata=False)])
    with pytest.raises(ResultsError, match=f"pyperf.json lacks '{key}' for 'counter/rseq/threads=2'"):
        list(samples.from_suite([foreign], tmp_path))


@pytest.mark.parametrize(("key", "value"), [("threads", "2"), ("round", 1.5), ("aborts", "none"), ("phases", "[")])
def test_metadata_of_another_kind_are_refused(key, value, tmp_path):
    (run,) = SAMPLE.to_pyperf().get_runs()
    metadata = {**run.get_metadata(), key: value}
    strange = pyperf.Benchmark([pyperf.Run(run.values, metadata=metadata, collect_metadata=False)])
    with pytest.raises(ResultsError, match=f"{key}|damaged"):
        list(samples.from_suite([strange], tmp_path))
