"""Suites by name, what of a library is missing, and what is left at places of the whole machine."""

import pytest

from rseqbench import selection
from rseqbench.errors import TargetError, UsageError
from rseqbench.model import Benchmark
from rseqbench.selection import LIBRARIES, SUITES, Library
from rseqbench.workloads import packages
from rseqbench.workloads.library import ensure_installed, missing_packages
from rseqbench.workloads.lttng import namespace
from tests.support.commands import rseqbench

THERE = [
    Benchmark("ring_buffer/rseq", ""), Benchmark("rcu/rseq", ""), Benchmark("counter/rseq", ""),
    Benchmark("lttng/rseq", "", library=True), Benchmark("urcu/memb", "", library=True),
    Benchmark("hackbench/processes", "", whole=True),
]  # fmt: skip


def chosen(suites, benchmarks=()):
    return {one.name for one in selection.select_benchmarks(THERE, selection.suite_patterns(suites, benchmarks))}


def test_a_suite_is_a_library_and_the_kernels_beside_it():
    assert chosen(["lttng"]) == {"lttng/rseq", "ring_buffer/rseq"}
    assert chosen(["urcu"]) == {"urcu/memb", "rcu/rseq"}
    assert chosen(["kernels"]) == {"ring_buffer/rseq", "rcu/rseq", "counter/rseq"}
    assert chosen(["kernels", "lttng"]) == {"ring_buffer/rseq", "rcu/rseq", "counter/rseq", "lttng/rseq"}


def test_suites_and_benchmarks_come_together_each_once():
    assert selection.suite_patterns(["lttng", "urcu", "lttng"], ["cpu_id", "rcu"]) == [
        "lttng", "ring_buffer", "urcu", "rcu", "cpu_id",
    ]  # fmt: skip
    assert selection.suite_patterns([], []) == []


def test_every_library_is_a_suite_and_in_all_of_them():
    assert set(SUITES) == {*LIBRARIES, "kernels", "all"}
    assert set(LIBRARIES) < set(SUITES["all"])


def test_a_suite_that_is_not_there(tmp_path):
    with pytest.raises(UsageError) as error:
        selection.suite_patterns(["ltng"], [])
    assert str(error.value) == "unknown suite 'ltng'; did you mean lttng?"
    for command in ("run", "list", "check"):
        done = rseqbench(command, "--suite", "ltng", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (2, "rseqbench: unknown suite 'ltng'; did you mean lttng?\n")


def test_a_library_is_opened_only_where_it_is_asked_for():
    assert selection.requested_libraries(["all"]) == []
    assert selection.requested_libraries(["*"]) == []
    assert selection.requested_libraries(["lttng/lsl"]) == ["lttng"]
    assert selection.requested_libraries(["u*/memb"]) == ["urcu"]
    assert selection.requested_libraries(SUITES["all"]) == list(LIBRARIES)


def test_what_is_missing_is_named_by_what_it_is_needed_for():
    library = Library("x", "libx", {"x-tools": "no-such-program", "x-dev": "no/such.h", "libc6-dev": "stdio.h"}, "y")
    assert missing_packages(library) == ["x-tools", "x-dev"]
    with pytest.raises(TargetError) as error:
        ensure_installed(library)
    why = "libx cannot be measured without no-such-program, no/such.h"
    assert str(error.value) == f"{why}; apt-get install x-tools x-dev"


def test_versions_that_are_not_known_are_said_to_be_not_known():
    assert packages.read_library_version("no-such-module") == "not known"
    assert packages.read_program_version("no-such-program") == "not known"


def test_what_was_at_a_place_before_stays_and_what_came_goes(tmp_path, monkeypatch):
    run, shm = tmp_path / "run", tmp_path / "shm"
    shm.mkdir()
    monkeypatch.setattr(namespace, "_SHM", shm)
    (shm / "lttng-ust-wait-8").write_text("somebody's")
    with namespace._remove_leftovers((run, shm)):
        (run / "ustconsumerd64").mkdir(parents=True)
        (run / "lttng-sessiond.pid").write_text("1")
        (shm / "lttng-ust-wait-8-1000").write_text("ours")
        (shm / "other").write_text("somebody's")
    assert not run.exists()
    assert {path.name for path in shm.iterdir()} == {"lttng-ust-wait-8", "other"}


def test_what_is_in_use_by_somebody_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(namespace, "_SHM", tmp_path)
    monkeypatch.setattr(namespace, "_mapped_files", lambda: {namespace._identify(tmp_path / "lttng-ust-wait-8")})
    with namespace._remove_leftovers((tmp_path,)):
        (tmp_path / "lttng-ust-wait-8").write_text("")
        (tmp_path / "lttng-ust-wait-9").write_text("")
    assert {path.name for path in tmp_path.iterdir()} == {"lttng-ust-wait-8"}


def test_what_lies_where_nothing_is_seen_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(namespace, "_SHM", tmp_path)
    with pytest.raises(TargetError, match="is empty where root's LTTng is measured"):
        namespace._refuse_hidden([tmp_path / "trace"])
    namespace._refuse_hidden([tmp_path.parent / "trace"])


def test_a_dry_run_says_what_libraries_would_take(tmp_path):
    done = rseqbench("run", "--suite", "all", "--dry-run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "-lurcu-memb" in done.stdout
    assert "-llttng-ust" in done.stdout
    assert "lttng-sessiond --no-kernel" in done.stdout
    assert "lttng-sessiond" not in rseqbench("run", "--dry-run", cwd=tmp_path).stdout
