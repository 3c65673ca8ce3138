"""liburcu as it is shipped: every flavour is exact here, and would not be if it did not protect its readers."""

from pathlib import Path

import pytest

from rseqbench.measure.engines.composite import CompositeEngine
from rseqbench.model import Case, Plan
from tests.support.installed_libraries import broken, checked, needs
from tests.support.requirements import native, two_cpus

pytestmark = [needs("urcu"), two_cpus]
FLAVOURS = ("memb", "mb", "bp", "qsbr", "signal")
WAYS = [name + way for name in FLAVOURS for way in ("", "_inline")]
HEADER = "providers/urcu/flavour.h"


@pytest.fixture(scope="module")
def here():
    """Return an entered target, with liburcu."""
    with native(benchmarks=["urcu"]) as target:
        yield target


def present(target, name):
    found = next(one for one in target.benchmarks() if one.name == f"urcu/{name}")
    if name.startswith("signal") and found.unavailable:
        pytest.skip("liburcu 0.15 and newer has no signal flavour")
    assert not found.unavailable, found.unavailable


@pytest.mark.parametrize("name", WAYS)
def test_a_flavour_is_exact_while_words_are_freed(here, name):
    present(here, name)
    check = checked(here, f"urcu/{name}")
    assert check.passed and check.exercised, check.message
    assert check.threads > 2
    assert check.disturbances >= 50


# What keeps a reader safe, taken away: the lock, or for qsbr, which has none, that a reader is one at all.
UNLOCKED = (HEADER, "\t\tAPI(read_lock)();", "\t\t;"), (HEADER, "\t\tAPI(read_unlock)();", "\t\t;")


@pytest.mark.parametrize("name", [way for way in WAYS if not way.startswith("qsbr")])
def test_a_reader_that_takes_no_lock_meets_poison(tmp_path, monkeypatch, name):
    for number, (file, right, wrong) in enumerate(UNLOCKED):
        broken(tmp_path / str(number), monkeypatch, file, right, wrong)
    with native(benchmarks=[f"urcu/{name}"]) as target:
        present(target, name)
        check = checked(target, f"urcu/{name}")
    assert not check.passed
    assert "operations went wrong" in check.message


@pytest.mark.parametrize("name", ["qsbr", "qsbr_inline"])
def test_a_reader_that_is_offline_meets_poison(tmp_path, monkeypatch, name):
    broken(tmp_path / "0", monkeypatch, "providers/urcu/reader.c", "API(thread_online)();", "API(thread_offline)();")
    # A quiescent state brings a reader online again, so there must be none.
    broken(tmp_path / "1", monkeypatch, HEADER, "API(quiescent_state)();", ";")
    with native(benchmarks=[f"urcu/{name}"]) as target:
        check = checked(target, f"urcu/{name}")
    assert not check.passed
    assert "operations went wrong" in check.message


@pytest.mark.slow  # as each is compiled anew
@pytest.mark.parametrize("name", WAYS)
def test_a_writer_that_does_not_wait_poisons_what_is_read(tmp_path, monkeypatch, name):
    broken(tmp_path, monkeypatch, HEADER, "API(synchronize_rcu)();", ";")
    with native(benchmarks=[f"urcu/{name}"]) as target:
        present(target, name)
        check = checked(target, f"urcu/{name}")
    assert not check.passed
    assert "operations went wrong" in check.message


def test_a_writer_that_never_gets_through_leaves_it_unexercised(tmp_path, monkeypatch):
    counting = "WRITE_ONCE(grace_periods, grace_periods + 1);"
    broken(tmp_path, monkeypatch, "libraries/urcu.c", counting, "")
    with native(benchmarks=["urcu/memb"]) as target:
        check = checked(target, "urcu/memb", operations=200_000, disturbances=5)
    assert check.passed
    assert not check.exercised
    assert "no grace period ended" in check.message


def test_a_flavour_that_a_version_has_not_says_so_and_the_others_are_there(tmp_path, monkeypatch):
    (tmp_path / "urcu").mkdir()
    (tmp_path / "urcu/urcu-signal.h").write_text('#error "gone, as in 0.15"\n')
    monkeypatch.setenv("CPATH", str(tmp_path))
    with native(benchmarks=["urcu"]) as target:
        found = {one.name: one.unavailable for one in target.benchmarks() if one.group == "urcu"}
        check = checked(target, "urcu/memb", operations=200_000)
    assert check.passed
    there = {name for name, why in found.items() if not why}
    assert there == {f"urcu/{way}" for way in WAYS if not way.startswith("signal")}
    for name in ("urcu/signal", "urcu/signal_inline"):
        assert found[name].startswith("not in this liburcu: ")
        assert "gone, as in 0.15" in found[name]


def test_only_what_calls_the_library_shares_a_process_with_it():
    with native(benchmarks=["urcu", "rcu"]) as target:
        plan = Plan((), (), 1, 1, 1.0, 1, "gated", "quick", target.cpus())
        for benchmark in ("rcu/rseq", "urcu/memb"):
            target.calibrate(Case(benchmark, 1, target.registration()), plan, 10_000)
        mapped = {
            amid: "liburcu" in Path(f"/proc/{worker._process.pid}/maps").read_text()
            for (_, amid), worker in target._workers.items()
        }
    assert mapped == {False: False, True: True}


def test_kernels_and_those_of_libraries_are_measured_one_after_the_other():
    asked = []

    class Engine:
        def round(self, target, plan, number, cases):
            asked.append([case.benchmark for case in cases])
            return iter(())

    cases = [Case(name) for name in ("urcu/memb", "rcu/rseq", "lttng/lsl", "counter/rseq")]
    assert not list(CompositeEngine(Engine()).round(None, None, 0, cases))
    assert asked == [["rcu/rseq", "counter/rseq"], ["urcu/memb", "lttng/lsl"]]
