"""rseqbench/fleet: which places are meant, the scheduler, and the index, without any machine."""

import dataclasses
import json
import resource
import shutil
import threading
import time

import pytest

from rseqbench import config, paths
from rseqbench.errors import ResultsError, TargetError, UsageError
from rseqbench.measure.fleet import members, scheduler
from rseqbench.measure.fleet import members as choice
from rseqbench.measure.fleet import scheduler as files
from rseqbench.store import fleets
from rseqbench.store.events import INTERRUPTED, JobBegun, JobEnded, JobReported, Stopped, failure_text
from rseqbench.store.fleets import Fleet, Member
from rseqbench.store.runs import Store
from tests.support.simulated_runs import Simulation, store


@dataclasses.dataclass(frozen=True)
class Place:
    name: str
    tags: dict


LAB = (
    Place("pi4", {"arch": "arm64", "site": "a"}),
    Place("pi2", {"arch": "arm32", "site": "a"}),
    Place("cubie", {"arch": "arm32", "site": "b"}),
    Place("bare", {}),
)


@pytest.mark.parametrize(
    ("patterns", "tags", "found"),
    [
        ((), {}, "bare cubie pi2 pi4"),
        (("pi*", "cubie"), {}, "cubie pi2 pi4"),
        ((), {"arch": "arm32"}, "cubie pi2"),
        (("pi*",), {"arch": "arm32"}, "pi2"),
        (("p?4",), {"arch": "arm64", "site": "a"}, "pi4"),
    ],
)
def test_places_are_chosen_by_name_and_tags(patterns, tags, found):
    assert " ".join(place.name for place in choice.choose_places(LAB, patterns, tags)) == found


@pytest.mark.parametrize(
    ("lab", "patterns", "tags", "words"),
    [
        (LAB, ("pi4", "rpi*"), {}, "unknown place 'rpi\\*' in this lab"),
        (LAB, (), {"arch": "riscv"}, "no place has the tags arch=riscv; there are arch=arm32, arch=arm64, site=a"),
        (LAB[3:], (), {"arch": "riscv"}, "no place has any tag"),
        (LAB, ("pi4",), {"arch": "arm32"}, "no place has the tags arch=arm32; there are arch=arm64, site=a"),
        ((), (), {}, "this lab has no places$"),
    ],
)
def test_choosing_nothing_is_misuse(lab, patterns, tags, words):
    with pytest.raises(UsageError, match=words):
        choice.choose_places(lab, patterns, tags)


def test_tags_are_read():
    assert choice.parse_tags("arch=arm32, board=pi=4") == {"arch": "arm32", "board": "pi=4"}
    for wrong in ("arch", "=x", "arch=", "a=b,", ""):
        with pytest.raises(UsageError, match="bad tags"):
            choice.parse_tags(wrong)


def nothing():
    """Cut no connection: there is none."""


def test_every_job_is_done_and_no_error_reaches_another():
    def work(number):
        yield f"{number} on its way"
        if number % 3 == 0:
            raise TargetError(f"{number} is gone")

    events = list(scheduler.run_jobs(range(1, 10), work, 4, nothing))
    assert sorted(event.job for event in events if isinstance(event, JobBegun)) == list(range(1, 10))
    assert {event.told for event in events if isinstance(event, JobReported)} == {
        f"{n} on its way" for n in range(1, 10)
    }
    errors = {event.job: event.error for event in events if isinstance(event, JobEnded)}
    assert {job for job, error in errors.items() if error} == {3, 6, 9}
    assert str(errors[6]) == "6 is gone"


def test_so_many_run_at_the_same_time_and_no_more():
    gate, left, before = threading.Event(), [], threading.active_count()
    events = scheduler.run_jobs(range(12), waiting_for(gate, left), 3, nothing)
    first = next(events)  # all that may begin have begun, and none can end
    assert threading.active_count() - before == 3
    gate.set()
    done = [event.job for event in (first, *events) if isinstance(event, JobEnded)]
    assert sorted(done) == sorted(left) == list(range(12))


def waiting_for(gate, left):
    def work(job):
        try:
            yield "begins"
            if not gate.wait(60):
                raise AssertionError("nobody cut the connection")
            yield "was cut"
        finally:
            left.append(job)

    return work


@pytest.mark.parametrize("how", ["interrupt", "close"])
def test_leaving_ends_every_job_and_begins_no_other(how):
    gate, left, before = threading.Event(), [], threading.active_count()
    events = scheduler.run_jobs(range(8), waiting_for(gate, left), 4, gate.set)
    while sum(isinstance(event, JobReported) for event in [next(events) for _ in range(8)]) < 4:
        raise AssertionError("each of the four begins and says so")
    if how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            events.throw(KeyboardInterrupt)
    else:
        events.close()
    assert sorted(left) == [0, 1, 2, 3]
    assert threading.active_count() == before


def test_a_job_that_tells_much_is_told_to_stop_where_nobody_reads():
    left = []

    def work(job):
        try:
            while True:
                yield time.monotonic()
        finally:
            left.append(job)

    events = scheduler.run_jobs(["a", "b"], work, 2, nothing)
    for _ in range(50):
        next(events)
    events.close()
    assert sorted(left) == ["a", "b"]


@pytest.fixture
def fleet():
    options = members.shared_options(config.load(paths.default_config()).run)
    preset = config.load(paths.default_config()).presets["quick"]
    named = tuple(Member(place, label) for place, label in fleets.assign_labels(["a", "b", "c"], "f").items())
    return Fleet("f", "2026-01-01", "rseqbench fleet run", options, preset, 7, named)


def test_the_index_is_read_as_it_was_written(tmp_path, fleet):
    fleets.save_fleet(tmp_path, fleet)
    assert fleets.is_fleet(tmp_path, "f")
    assert not fleets.is_fleet(tmp_path, "g")
    assert fleets.load_fleet(tmp_path, "f") == fleet


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda raw: raw.pop("seed"), "damaged"),
        (lambda raw: raw.update(schema=2), "written in schema 2, this rseqbench reads 1"),
        (lambda raw: raw.update(members=[{"place": "a", "label": "../x", "failure": ""}]), "damaged"),
        (lambda raw: raw["options"].update(threads=["1"]), "damaged"),
        (lambda raw: raw.update(members=[]), "a fleet without places"),
        (lambda raw: raw["members"].append(raw["members"][0]), "a place, or a label, is in it twice"),
        (lambda raw: raw["members"][0].update(label="f@b"), "a place, or a label, is in it twice"),
    ],
)
def test_an_index_that_is_not_ours_says_so(tmp_path, fleet, change, words):
    fleets.save_fleet(tmp_path, fleet)
    path = tmp_path / "f" / fleets.FILE
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))
    with pytest.raises(ResultsError, match=words):
        fleets.load_fleet(tmp_path, "f")


def test_a_fleet_that_is_not_there_names_those_that_are(tmp_path, fleet):
    fleets.save_fleet(tmp_path, fleet)
    with pytest.raises(ResultsError, match=r"unknown fleet 'g'.*there is: f"):
        fleets.load_fleet(tmp_path, "g")


def test_a_place_with_an_odd_name_has_a_label_and_stops_no_other():
    places = ["ok", "x y", "x/y", "x-y", "@"]
    assert fleets.assign_labels(places, "f") == {
        "ok": "f@ok", "x y": "f@x-y", "x/y": "f@x-y-2", "x-y": "f@x-y-3", "@": "f@@"
    }  # fmt: skip
    with pytest.raises(ResultsError, match="bad label 'a b'"):
        fleets.assign_labels(places, "a b")
    with pytest.raises(ResultsError, match="bad label"):
        fleets.assign_labels(["p" * 100], "f")


def test_the_index_says_who_failed_and_why(tmp_path, fleet):
    def work(member):
        yield from ()
        if member.place == "b":
            raise TargetError("place b is held by x/y", "wait")
        if member.place == "c":
            raise ZeroDivisionError("1/0")

    list(members.run_members(fleet, fleet.members, Store(tmp_path), work, 2, nothing))
    found = {member.place: member.failure for member in fleets.load_fleet(tmp_path, "f").members}
    assert found["a"] == ""
    assert found["b"] == "place b is held by x/y; wait"
    assert found["c"] == "a defect in rseqbench itself: ZeroDivisionError: 1/0"


def test_who_was_interrupted_is_in_the_index_and_missing(tmp_path, fleet):
    gate, left = threading.Event(), []
    events = members.run_members(fleet, fleet.members, Store(tmp_path), waiting_for(gate, left), 2, gate.set)
    for _ in range(4):
        next(events)
    events.close()
    assert sorted(member.place for member in left) == ["a", "b"]
    kept = fleets.load_fleet(tmp_path, "f")
    assert {member.failure for member in kept.members} == {INTERRUPTED}
    assert [member.place for member in members.missing_members(kept, Store(tmp_path))] == ["a", "b", "c"]


def stored(root, label, seed, created="2026-02-01"):
    """Store a finished run, as if of a plan with this seed."""
    store(Store(root), Simulation(label=label, plan_seed=seed, created=created, rounds=6))


def test_a_run_of_another_plan_is_not_the_fleets(tmp_path, fleet):
    results = Store(tmp_path)
    fleets.save_fleet(tmp_path, fleet)
    stored(tmp_path, "f@a", fleet.seed)
    stored(tmp_path, "f@b", fleet.seed + 1)
    stored(tmp_path, "f@c", fleet.seed, created="2025-12-31")  # before the fleet, which was forced over it
    assert [member.place for member in members.missing_members(fleet, results)] == ["b", "c"]
    loaded = {
        member.place: fleets.find_run(results, fleet, member) for member in fleets.load_fleet(tmp_path, "f").members
    }
    assert {place for place, run in loaded.items() if not isinstance(run, str)} == {"a"}
    assert loaded["b"] == "run 'f@b' is not of this fleet; rseqbench runs rm f@b"


def test_a_run_that_is_damaged_is_missing(tmp_path, fleet):
    results = Store(tmp_path)
    for member in fleet.members:
        stored(tmp_path, member.label, fleet.seed)
    assert members.missing_members(fleet, results) == []
    (tmp_path / "f@a" / "pyperf.json").unlink()
    (tmp_path / "f@b" / "run.json").write_text("{}")
    assert [member.place for member in members.missing_members(fleet, results)] == ["a", "b"]


class Reached(Exception):
    """A machine would be reached now."""


def begun_by(fleet, folder, place, monkeypatch):
    """Return with which label, force and seed a member's run would be begun; or what stops it."""
    monkeypatch.setattr(
        members.resolve, "create_target", lambda options: (_ for _ in ()).throw(Reached(options.target))
    )
    work = members.measure_members(fleet, config.load(paths.default_config()), Store(folder), lambda run: "")
    member = next(one for one in fleet.members if one.place == place)
    with pytest.raises((Reached, ResultsError)) as caught:
        next(work(member))
    return caught.value


def test_what_another_fleet_left_is_replaced_by_force_only(tmp_path, fleet, monkeypatch):
    stored(tmp_path, "f@a", fleet.seed + 1)
    assert "f@a' is not of this fleet; rseqbench runs rm f@a" in str(begun_by(fleet, tmp_path, "a", monkeypatch))
    forced = dataclasses.replace(fleet, force=True)
    assert isinstance(begun_by(forced, tmp_path, "a", monkeypatch), Reached)
    assert isinstance(begun_by(fleet, tmp_path, "b", monkeypatch), Reached)


@pytest.mark.parametrize("force", [False, True])
def test_labels_that_are_taken_are_refused_before_anything_is_held(tmp_path, fleet, force):
    results, new = Store(tmp_path), dataclasses.replace(fleet, force=force)
    fleets.ensure_free(results, new)
    fleets.save_fleet(tmp_path, fleet)
    if force:
        fleets.ensure_free(results, new)
    else:
        with pytest.raises(ResultsError, match="there is a fleet 'f' already"):
            fleets.ensure_free(results, new)
    (tmp_path / "f" / fleets.FILE).unlink()
    (tmp_path / "f").rmdir()
    stored(tmp_path, "f", 1)
    with pytest.raises(ResultsError, match="there is a run 'f' already"):
        fleets.ensure_free(results, new)


def test_a_run_never_takes_the_label_of_a_fleet(tmp_path, fleet):
    fleets.save_fleet(tmp_path, fleet)
    for force in (False, True):
        with pytest.raises(ResultsError, match="'f' is a fleet"):
            Store(tmp_path).ensure_free("f", force)


def test_a_copied_fleet_is_one_of_its_own(tmp_path, fleet):
    fleets.save_fleet(tmp_path, fleet)
    shutil.copytree(tmp_path / "f", tmp_path / "g")
    copied = fleets.load_fleet(tmp_path, "g")
    assert copied.label == "g"
    assert copied.members == fleet.members


def test_where_no_thread_can_be_started_the_others_do_it(monkeypatch):
    start, started = threading.Thread.start, []

    def scarce(thread):
        started.append(thread)
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    done = [event.job for event in scheduler.run_jobs("abc", iter_of, 3, nothing) if isinstance(event, JobEnded)]
    assert sorted(done) == ["a", "b", "c"]


def iter_of(job):
    yield job


def test_where_none_can_be_started_it_says_so(monkeypatch):
    def none(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(TargetError, match="no thread can be started"):
        list(scheduler.run_jobs("abc", iter_of, 3, nothing))


def test_a_disk_that_is_full_for_a_while_ends_no_place(tmp_path, fleet, monkeypatch):
    saves, save = [], fleets.save_fleet

    def full_in_between(root, one):
        saves.append(one)
        if 1 < len(saves) < 4:
            raise ResultsError("cannot write fleet.json: No space left on device")
        save(root, one)

    monkeypatch.setattr(members.fleets, "save_fleet", full_in_between)
    events = list(members.run_members(fleet, fleet.members, Store(tmp_path), iter_of, 1, nothing))
    assert sum(isinstance(event, JobEnded) for event in events) == 3


def test_stopping_is_no_defect():
    assert failure_text(Stopped()) == INTERRUPTED


@pytest.fixture
def limits():
    """Let a test change how many files we may open."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_room_is_made_for_the_files_of_many_machines(limits):
    _, hard = limits
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    with pytest.raises(UsageError, match="50 machines at once need 600 open files, and we may have 256; --at-once 15"):
        files.check_file_limit(50)
    files.raise_file_limit(50)
    files.check_file_limit(50)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)
    files.raise_file_limit(5)
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (600, hard)


def test_more_files_than_we_may_ever_have_is_said_before_anything_is_held(limits):
    _, hard = limits
    files.raise_file_limit(hard)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    with pytest.raises(UsageError, match="--at-once"):
        files.check_file_limit(hard)
