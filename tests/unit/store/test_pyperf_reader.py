"""rseqbench/store/pyperf_reader.py: the same as pyperf reads, and in its words what it does not."""

import copy
import json

import pyperf
import pytest

from rseqbench.analysis import dataset
from rseqbench.errors import ResultsError
from rseqbench.store import pyperf_reader
from rseqbench.store.runs import Store
from tests.support.simulated_runs import Simulation, store


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return store(Store(tmp_path_factory.mktemp("results")), Simulation(rounds=3))


def in_full(found):
    return [(one.name, one.unit, [(dict(meta), list(values)) for meta, values in one.runs]) for one in found]


def by_pyperf(path):
    return in_full(pyperf_reader.of(pyperf.BenchmarkSuite.load(str(path))))


def test_what_we_wrote_is_read_without_a_suite_and_is_the_same(run, monkeypatch):
    path = run.folder / "pyperf.json"
    expected = by_pyperf(path)
    monkeypatch.setattr(pyperf_reader, "suite", lambda _: pytest.fail("pyperf was asked"))
    assert in_full(pyperf_reader.read(path)) == expected


def test_a_table_of_what_is_stored_is_that_of_the_run(run):
    assert dataset.read(run.folder, run.header).equals(dataset.build([run]))


def first_run(raw):
    return raw["benchmarks"][0]["runs"][0]


def values(found):
    return lambda raw: first_run(raw).update(values=found)


def own(**metadata):
    return lambda raw: first_run(raw)["metadata"].update(metadata)


REFUSED = {
    "zero": values([1e-9, 0]),
    "negative": values([1e-9, -1e-9]),
    "text": values([1e-9, "2"]),
    "null": values([None]),
    "not a number": values([1e-9, float("nan")]),
    "a list": values([[1e-9]]),
    "no values": values([]),
    "loops": own(loops=0),
    "a newline": own(note="a\nb"),
    "an empty text": own(note=" "),
    "a list of metadata": own(note=[1]),
    "another name": own(name="another"),
    "another unit": own(unit="byte"),
    "another host": own(hostname="another"),
    "no name": lambda raw: raw["benchmarks"][0]["metadata"].pop("name"),
    "no runs": lambda raw: raw["benchmarks"][0].update(runs=[]),
    "no benchmarks": lambda raw: raw.update(benchmarks=[]),
    "twice": lambda raw: raw["benchmarks"].append(copy.deepcopy(raw["benchmarks"][0])),
    "version": lambda raw: raw.update(version="9.0"),
}


def changed(run, folder, change):
    raw = json.loads((run.folder / "pyperf.json").read_text())
    change(raw)
    (folder / "pyperf.json").write_text(json.dumps(raw))
    return folder / "pyperf.json"


@pytest.mark.parametrize("what", REFUSED)
def test_what_pyperf_refuses_is_refused_in_the_same_words(run, tmp_path, what):
    path = changed(run, tmp_path, REFUSED[what])
    with pytest.raises(ResultsError) as said:
        pyperf_reader.suite(path)
    with pytest.raises(ResultsError) as found:
        pyperf_reader.read(path)
    assert str(found.value) == str(said.value)


ACCEPTED = {
    "whole numbers": values([1, 2]),
    "spaces": own(note="  a  "),
    "warm-ups": lambda raw: first_run(raw).update(warmups=[[1, 1e-9]]),
    "infinity": values([float("inf")]),
    "no metadata of a run": lambda raw: first_run(raw).pop("metadata"),
}


@pytest.mark.parametrize("what", ACCEPTED)
def test_what_pyperf_takes_is_taken(run, tmp_path, what):
    path = changed(run, tmp_path, ACCEPTED[what])
    assert in_full(pyperf_reader.read(path)) == by_pyperf(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"benchmarks": 3}', "[" * 100_000])
def test_what_is_no_file_of_pyperf_is_one_line(tmp_path, text):
    (tmp_path / "pyperf.json").write_text(text)
    with pytest.raises(ResultsError, match="not a readable pyperf file"):
        pyperf_reader.read(tmp_path / "pyperf.json")
