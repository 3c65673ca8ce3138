"""rseqbench/store/runs.py: runs on disk. Whatever happens, a label holds the old run or the new one, whole."""

import dataclasses
import json
import os
import re
import shutil

import pyperf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rseqbench import __version__
from rseqbench.analysis import dataset
from rseqbench.errors import ResultsError
from rseqbench.measure import session
from rseqbench.model import SAME_IN_A_RUN, Facts, Machine, Registration
from rseqbench.paths import builtin_results
from rseqbench.store import manage
from rseqbench.store import runs as results
from rseqbench.store.runs import PATCH, Header, Store
from rseqbench.support import atomic_io
from rseqbench.support.attachments import KernelSizes
from tests.support.commands import tree
from tests.support.stored_runs import NAMES, header, stored, suite


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def refused(call, *arguments):
    """Return the one line with which something is refused."""
    with pytest.raises(ResultsError) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# ---- labels ----


@pytest.mark.parametrize("label", ["a", "7", "my-laptop", "v1.2_rc+1@host", "x" * 100, "A.B", "x86_64-20240517-1208"])
def test_what_can_name_a_run(label):
    assert results.check_label(label) == label


BAD = [
    *(
        "",
        " ",
        ".",
        "..",
        "../x",
        "/abs",
        "a/b",
        "a\\b",
        ".hidden",
        ".unfinished-x",
        "-rf",
        "_x",
        "@last",
        "~",
        "*",
        "$HOME",
    ),
    *("x y", "x\n", "\nx", "a\0b", "a:b", "x" * 101, "x" * 300, "caf\u00e9", "\uff41", "a\u202eb"),
]


@pytest.mark.parametrize("label", BAD)
def test_what_cannot_name_a_run_is_refused_by_everything_that_takes_a_label(store, label):
    for call in (results.check_label, store.load, store.resume, lambda name: store.begin(header(name), force=True)):
        line = refused(call, label)
        assert line.startswith("bad label '")
        assert len(line) < 200
        assert all(character.isprintable() for character in line)
    assert not store.root.exists()


@given(st.text(max_size=120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_label_leads_out_of_the_results_folder(tmp_path, label):
    try:
        results.check_label(label)
    except ResultsError:
        return
    assert (tmp_path / label).resolve().parent == tmp_path.resolve()
    assert not label.startswith(".")


def test_the_patch_s_own_table_cannot_be_replaced(store):
    for force in (False, True):
        assert "is the patch's own table" in refused(store.begin, header(PATCH), force)


# ---- there and back ----


def test_a_run_comes_back_as_it_was_stored(store):
    run = stored(store)
    assert run.folder == store.root / "mine"
    assert sorted(path.name for path in run.folder.iterdir()) == ["pyperf.json", "rounds.csv", "run.json", "table.csv"]
    found = store.load("mine")
    assert found.header == header()
    assert found.label == "mine"
    assert (run.folder / "table.csv").read_text() == "mine,1e-09\n"
    assert found.suite.get_benchmark_names() == sorted(NAMES)
    for name in NAMES:
        runs = found.suite.get_benchmark(name).get_runs()
        assert [run.get_metadata()["round"] for run in runs] == [0, 1, 2]
        assert [run.values for run in runs] == [(1e-9, 1e-9)] * 3


def test_a_finished_run_is_all_that_is_left(store):
    stored(store)
    assert [path.name for path in store.root.iterdir()] == ["mine"]


def test_rounds_come_back_in_order_whenever_they_were_measured(store):
    unfinished = store.begin(header(), force=False)
    for number in (2, 0, 1):
        unfinished.save_round(number, suite(number))
    assert unfinished.rounds() == [0, 1, 2]
    runs = unfinished.finish(lambda _: "").suite.get_benchmark(NAMES[1]).get_runs()
    assert [run.get_metadata()["round"] for run in runs] == [0, 1, 2]


def test_a_round_may_lack_a_benchmark(store):
    unfinished = store.begin(header(), force=False)
    whole = suite(0)
    unfinished.save_round(0, whole)
    unfinished.save_round(1, pyperf.BenchmarkSuite([whole.get_benchmark(NAMES[0])]))
    found = unfinished.finish(lambda _: "").suite
    assert [found.get_benchmark(name).get_nrun() for name in NAMES] == [2, 1]


def test_a_header_survives_text(tmp_path):
    whole = header()
    assert Header.from_json(whole.to_json(), tmp_path) == whole
    assert json.loads(whole.to_json())["version"] == __version__
    assert "\u00b5" in whole.to_json()


# ---- which runs are there ----


def test_of_a_checkout_s_own_runs_only_the_patch_s_is_built_in(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    shutil.copytree(builtin_results() / PATCH, checkout / PATCH)
    shutil.copytree(builtin_results() / PATCH, checkout / "quick")
    monkeypatch.setattr("rseqbench.paths.builtin_results", lambda: checkout)
    elsewhere = Store(tmp_path / "elsewhere")
    assert elsewhere.labels() == [PATCH]
    assert elsewhere.exists(PATCH) and not elsewhere.exists("quick")
    assert Store(checkout).labels() == [PATCH, "quick"]


def test_runs_are_listed_with_the_built_in_ones(store):
    assert store.labels() == [PATCH]
    stored(store, "b")
    stored(store, "a")
    store.begin(header("open"), force=False)
    (store.root / "junk").mkdir()
    (store.root / "file").touch()
    assert store.labels() == ["a", "b", PATCH]


def test_the_patch_s_own_table_is_a_run_like_any_other(store):
    run = store.load(PATCH)
    assert {machine.arch for machine in run.header.machines} == {"arm32", "x86_64"}
    assert all(machine.timing == "published" for machine in run.header.machines)


def dated(store, label, finished):
    path = stored(store, label).folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "finished": finished}))
    return path


def test_the_latest_run_is_the_one_finished_last_whenever_its_files_were_copied(store):
    for age, label, day in ((10, "first", 1), (30, "last", 3), (20, "middle", 2)):
        path = dated(store, label, f"2024-05-0{day}T00:00:00+00:00")
        os.utime(path, (1_700_000_000 - age, 1_700_000_000 - age))
    store.begin(header("open"), force=False)
    assert store.latest() == ("last", [])
    listed = [entry.label for entry in manage.entries(store) if entry.finished and entry.label != PATCH]
    assert listed == ["first", "middle", "last"]


def test_a_run_that_cannot_be_read_is_not_the_latest_but_named(store):
    stored(store)
    (dated(store, "zzz", "2099-01-01T00:00:00+00:00")).write_text("not json")
    label, unreadable = store.latest()
    assert label == "mine"
    assert len(unreadable) == 1 and "zzz/run.json: damaged" in unreadable[0]
    (store.root / "mine" / "run.json").write_text("{}")
    assert "no runs in" in refused(store.latest)


def test_what_is_no_run_is_not_the_latest(store):
    stored(store)
    (store.root / "zzz").mkdir()
    (store.root / "file").touch()
    assert store.latest() == ("mine", [])


def test_without_runs_there_is_no_latest(store):
    assert "no runs in" in refused(store.latest)
    store.root.mkdir()
    (store.root / "junk").mkdir()
    assert "no runs in" in refused(store.latest)


def test_a_run_that_is_not_there_is_refused_and_the_nearest_named(store):
    stored(store, "my-laptop")
    assert "did you mean my-laptop" in refused(store.load, "my-labtop")
    assert "unknown run 'zzz'" in refused(store.load, "zzz")


def test_an_unfinished_run_is_not_loaded_but_named(store):
    store.begin(header(), force=False)
    assert refused(store.load, "mine") == "run 'mine' is unfinished; rseqbench run --resume mine"


# ---- taken labels ----


def test_a_label_that_is_taken_is_refused_and_nothing_changes(store):
    stored(store)
    before = tree(store.root)
    assert "there is a run 'mine' already; give another --label, or --force" in refused(store.begin, header(), False)
    assert tree(store.root) == before


def test_a_label_of_an_unfinished_run_is_refused_and_nothing_changes(store):
    store.begin(header(), force=False).save_round(0, suite(0))
    before = tree(store.root)
    assert "there is an unfinished run 'mine'; rseqbench run --resume mine" in refused(store.begin, header(), False)
    assert tree(store.root) == before


@pytest.mark.parametrize("what", ["mkdir", "touch"])
def test_whatever_is_in_the_way_is_not_overwritten_without_being_told(store, what):
    store.root.mkdir()
    getattr(store.root / "mine", what)()
    with pytest.raises(ResultsError):
        stored(store)
    assert (store.root / "mine").exists()


def test_force_replaces(store):
    stored(store, value=1e-9)
    stored(store, value=2e-9, force=True)
    assert store.load("mine").suite.get_benchmark(NAMES[0]).mean() == pytest.approx(2e-9)
    assert [path.name for path in store.root.iterdir()] == ["mine"]


def test_force_keeps_the_old_run_until_the_new_one_is_whole(store):
    stored(store, value=1e-9)
    unfinished = store.begin(header(), force=True)
    unfinished.save_round(0, suite(0, 2e-9))
    assert store.load("mine").suite.get_benchmark(NAMES[0]).mean() == pytest.approx(1e-9)


def test_force_drops_an_unfinished_run(store):
    store.begin(header(), force=False).save_round(0, suite(0))
    assert store.begin(header(), force=True).rounds() == []


# ---- taken up again ----


def test_an_unfinished_run_is_taken_up_with_its_header_and_rounds(store):
    begun = store.begin(header(), force=False)
    begun.save_round(0, suite(0))
    begun.save_round(2, suite(2))
    begun.update(dataclasses.replace(header(), notes=("changed",)))
    found = store.resume("mine")
    assert found.header == dataclasses.replace(header(), notes=("changed",))
    assert found.rounds() == [0, 2]
    found.save_round(1, suite(1))
    found.finish(lambda _: "")
    assert len(store.load("mine").suite.get_benchmark(NAMES[0]).get_runs()) == 3


def test_what_is_not_unfinished_is_not_taken_up(store):
    assert "no unfinished run 'mine' to resume: it is not in" in refused(store.resume, "mine")
    stored(store)
    assert "no unfinished run 'mine' to resume: it is finished" in refused(store.resume, "mine")


def test_what_was_interrupted_while_it_was_written_does_not_count_as_a_round(store):
    begun = store.begin(header(), force=False)
    begun.save_round(0, suite(0))
    (begun.folder / "rounds" / "00001.json.part").write_text("{")
    (begun.folder / "rounds" / "notes.json").write_text("{}")
    assert store.resume("mine").rounds() == [0]


def test_the_options_of_a_run_that_is_taken_up_are_those_it_was_begun_with():
    assert session.resumed_options(header()) == {
        "arch": "x86_64",
        "target": "native",
        "engine": "pyperf",
        "cpus": "1,0",
        "registration": "glibc",
        "rseq": "any",
        "benchmarks": sorted({case.benchmark for case in header().plan.cases}),
    }
    without = dataclasses.replace(header().machines[0], facts=Facts(registration=Registration.NONE))
    assert session.resumed_options(header(machines=(without,)))["registration"] == "none"


def test_a_run_in_a_guest_is_resumed_with_the_linux_it_was_begun_with():
    guest = Machine(
        "arm32", "qemu-system", "emulated", Facts(registration=Registration.GLIBC, linux_image="/boot/zImage")
    )
    assert session.resumed_options(header(machines=(guest,)))["linux"] == "/boot/zImage"
    assert "linux" not in session.resumed_options(header())


@pytest.mark.parametrize("name", [name for name in SAME_IN_A_RUN if name != "cpu_model"])
def test_another_machine_is_told_from_the_one_a_run_was_begun_on(name):
    begun = header().machines[0]
    assert session.changed_since(begun, begun) == ""
    other = dataclasses.replace(begun, facts=Facts.from_dict({**begun.facts.to_dict(), name: "other"}))
    assert session.changed_since(begun, other).startswith(f"{name} was ")
    assert session.changed_since(begun, dataclasses.replace(begun, facts=begun.facts | Facts(load_1min=9.0))) == ""


def test_another_model_of_the_same_name_is_told_where_the_run_knows_its_own():
    begun = header().machines[0]
    one, other = (
        dataclasses.replace(begun, facts=begun.facts | Facts(cpu_model=f"family 25, model {number}"))
        for number in (1, 17)
    )
    assert session.changed_since(one, other) == "cpu_model was 'family 25, model 1' and is 'family 25, model 17'"
    assert session.changed_since(one, begun).startswith("cpu_model was ")
    assert session.changed_since(begun, other) == "", "begun by an older rseqbench"


# ---- damage ----


def without(key):
    return lambda raw: raw.pop(key)


def with_value(key, value):
    return lambda raw: raw.__setitem__(key, value)


def inside(part, change):
    return lambda raw: change(raw[part])


DAMAGES = {
    "no_schema": without("schema"),
    "no_plan": without("plan"),
    "no_label": without("label"),
    "no_machines": without("machines"),
    "plan_is_null": with_value("plan", None),
    "plan_is_a_list": with_value("plan", []),
    "machines_is_a_number": with_value("machines", 3),
    "machine_is_a_number": with_value("machines", [3]),
    "machine_without_arch": with_value("machines", [{"target": "native", "timing": "virtual"}]),
    "checks_is_null": with_value("checks", None),
    "foreign_key": with_value("colour", "green"),
    "foreign_plan_key": inside("plan", with_value("colour", "green")),
    "plan_without_rounds": inside("plan", without("rounds")),
    "case_without_threads": inside("plan", with_value("cases", [{"benchmark": "x", "registration": "glibc"}])),
    "unknown_registration": inside(
        "plan", with_value("cases", [{"benchmark": "x", "threads": 1, "registration": "systemd"}])
    ),
    "schema_is_a_word": with_value("schema", "one"),
    "schema_is_a_fraction": with_value("schema", 1.5),
    "schema_that_nobody_wrote": with_value("schema", 0),
    "no_machine": with_value("machines", []),
    "value_is_no_number": inside("plan", with_value("value_ms", float("nan"))),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_header_is_one_line(store, damage):
    path = stored(store).folder / "run.json"
    raw = json.loads(path.read_text())
    DAMAGES[damage](raw)
    path.write_text(json.dumps(raw))
    line = refused(store.load, "mine")
    assert f"{path}: damaged, or not written by rseqbench" in line
    assert not re.search(r"Error|__|<class|\bDict\b|NoneType", line)  # in words, not in Python's


def test_what_is_damaged_is_said_in_words(store):
    path = stored(store).folder / "run.json"
    raw = json.loads(path.read_text())
    del raw["machines"]
    path.write_text(json.dumps(raw))
    assert refused(store.load, "mine").endswith("(it lacks machines)")
    path.write_text("not json")
    assert refused(store.load, "mine").endswith("(it is not JSON)")


TEXTS = [b"", b"{", b"[]", b"{}", b"null", b"3", b'"words"', b"\xff\xfe\x00", b"\0" * 100, b"not json", b"[" * 100_000]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
@pytest.mark.parametrize("file", ["run.json", "pyperf.json"])
def test_a_file_that_holds_something_else_is_one_line(store, file, text):
    path = stored(store).folder / file
    path.write_bytes(text)
    assert str(path) in refused(store.load, "mine")


@pytest.mark.parametrize("file", ["run.json", "pyperf.json"])
def test_a_file_that_is_cut_off_is_one_line(store, file):
    path = stored(store).folder / file
    whole = path.read_bytes()
    for share in (0.1, 0.5, 0.9, 0.99):
        path.write_bytes(whole[: int(len(whole) * share)])
        assert str(path) in refused(store.load, "mine")


@pytest.mark.parametrize("file", ["run.json", "pyperf.json"])
@pytest.mark.parametrize("put", [lambda path: None, lambda path: path.mkdir()], ids=["missing", "folder"])
def test_a_file_that_is_not_there_is_one_line(store, file, put):
    path = stored(store).folder / file
    path.unlink()
    put(path)
    assert str(path) in refused(store.load, "mine")


def test_a_folder_that_is_no_run_is_one_line(store):
    (store.root / "foreign").mkdir(parents=True)
    (store.root / "foreign" / "notes.txt").write_text("mine")
    assert "run.json: No such file" in refused(store.load, "foreign")


def test_a_run_of_a_newer_rseqbench_is_one_line_that_says_so(store):
    path = stored(store).folder / "run.json"
    raw = {**json.loads(path.read_text()), "schema": results.SCHEMA + 1, "plan": "of a kind we do not know"}
    path.write_text(json.dumps(raw))
    line = refused(store.load, "mine")
    assert f"written in schema {results.SCHEMA + 1}, this rseqbench reads {results.SCHEMA}; update it" in line


def test_a_suite_of_somebody_else_s_pyperf_is_one_line(store):
    run = stored(store)
    bench = pyperf.Benchmark([pyperf.Run([1.0], metadata={"name": "telco"}, collect_metadata=False)])
    bench.dump(str(run.folder / "pyperf.json"), replace=True)
    assert "pyperf.json lacks" in refused(dataset.build, [store.load("mine")])


@given(st.data())
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_a_header_in_which_anything_is_anything_else_is_a_header_or_one_line(tmp_path, data):
    raw = json.loads(header().to_json())
    place = raw
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(
            st.none() | st.integers() | st.text(max_size=3) | st.just([]) | st.just({}) | st.just([{}])
        )
        break
    try:
        Header.from_json(json.dumps(raw), tmp_path / "run.json")
    except ResultsError as error:
        assert "\n" not in str(error)


def test_a_damaged_round_of_an_unfinished_run_is_one_line(store):
    begun = store.begin(header(), force=False)
    begun.save_round(0, suite(0))
    path = begun.folder / "rounds" / "00000.json"
    path.write_text("{")
    assert str(path) in refused(store.resume("mine").suite)


def test_an_unfinished_run_without_header_is_one_line(store):
    (store.root / ".unfinished-mine" / "rounds").mkdir(parents=True)
    assert "run.json: No such file" in refused(store.resume, "mine")


# ---- what cannot be written ----


def test_a_results_folder_that_cannot_be_written_is_one_line_before_anything_is_measured(tmp_path):
    (tmp_path / "results").write_text("a file in the way")
    line = refused(Store(tmp_path / "results").begin, header(), False)
    assert line.startswith(f"cannot write {tmp_path / 'results'}")
    assert (tmp_path / "results").read_text() == "a file in the way"


def test_a_run_that_cannot_be_begun_leaves_nothing(store, monkeypatch):
    store.root.mkdir()

    def full(path, text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_io, "write", full)
    assert "No space left on device" in refused(store.begin, header(), False)
    assert list(store.root.iterdir()) == []


# ---- death between two renames ----


class Death(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("nth", [1, 2])
def test_death_between_two_renames_where_folders_cannot_be_exchanged_can_be_taken_up(store, monkeypatch, nth):
    """A filesystem without RENAME_EXCHANGE: for a moment the label is free, but both runs are there."""
    stored(store, value=1e-9)
    unfinished = store.begin(header(), force=True)
    unfinished.save_round(0, suite(0, 2e-9))
    seen, rename = [], os.rename

    def dying(source, target):
        seen.append(source)
        if len(seen) == nth:
            raise Death
        rename(source, target)

    monkeypatch.setattr(atomic_io.ctypes, "CDLL", lambda *_, **__: _NoExchange())
    monkeypatch.setattr(atomic_io.ctypes, "get_errno", lambda: 22)
    monkeypatch.setattr(os, "rename", dying)
    with pytest.raises(Death):
        unfinished.finish(lambda _: "")
    monkeypatch.setattr(os, "rename", rename)
    if nth == 1:
        assert store.load("mine").suite.get_benchmark(NAMES[0]).mean() == pytest.approx(1e-9)
    else:
        assert "rseqbench run --resume mine" in refused(store.load, "mine")
    store.resume("mine").finish(lambda _: "")
    assert store.load("mine").suite.get_benchmark(NAMES[0]).mean() == pytest.approx(2e-9)
    assert [path.name for path in store.root.iterdir()] == ["mine"]


class _NoExchange:
    @staticmethod
    def renameat2(*_):
        return -1


def test_an_exchange_that_is_refused_is_one_line_and_changes_nothing(store, monkeypatch):
    stored(store, value=1e-9)
    unfinished = store.begin(header(), force=True)
    unfinished.save_round(0, suite(0, 2e-9))
    monkeypatch.setattr(atomic_io.ctypes, "CDLL", lambda *_, **__: _NoExchange())
    monkeypatch.setattr(atomic_io.ctypes, "get_errno", lambda: 13)
    assert "Permission denied" in refused(unfinished.finish, lambda _: "")
    assert store.load("mine").suite.get_benchmark(NAMES[0]).mean() == pytest.approx(1e-9)


def test_what_a_copy_of_a_run_is_called_is_its_folder_s_name_in_the_list(store):
    shutil.copytree(stored(store).folder, store.root / "copy")
    assert store.labels() == ["copy", "mine", PATCH]


# ---- what a run has beside its own ----


def test_the_linux_that_was_built_for_a_run_is_known_where_one_was(store):
    run = stored(store)
    assert (run.sizes(), run.linux_config()) == (None, None)
    KernelSizes(1, 2, 3, {}, {"t a": 4}).save(run.folder / "sizes.json")
    (run.folder / "linux.config").write_text("CONFIG_RSEQ=y\n")
    assert (run.sizes().text, run.linux_config()) == (1, "CONFIG_RSEQ=y\n")


def test_what_is_damaged_of_it_is_one_line(store):
    run = stored(store)
    (run.folder / "sizes.json").write_text('{"text": "x"}')
    (run.folder / "linux.config").write_bytes(b"\xff\xfe")
    assert "sizes.json: damaged" in refused(run.sizes)
    assert "linux.config: " in refused(run.linux_config)
