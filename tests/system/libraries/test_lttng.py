"""LTTng-UST as it is shipped: all that it is given is in its trace, and what is not costs the row its number."""

import contextlib
import json

import pyperf
import pytest

from rseqbench.errors import TargetError
from rseqbench.model import Case, Plan
from rseqbench.workloads.library import Stage
from tests.support.commands import rseqbench
from tests.support.installed_libraries import HARDNESS, broken, checked, needs
from tests.support.requirements import native, some_rseq, two_cpus

pytestmark = [needs("lttng"), two_cpus]
KERNELS = "libraries/lttng.c"
RSEQ = "return (int)READ_ONCE(area->cpu_id);"
EMIT = "provider->emit(events, value);"
RUN = ("run", "lttng/rseq", "lttng/syscall", "--quick", "--rounds", "3", "--label", "here")


@pytest.fixture(scope="module")
def here():
    """Return an entered target, with a session of LTTng's."""
    with native(benchmarks=["lttng"]) as target:
        yield target


def run_of(folder, *command):
    """Run rseqbench in a folder; return what became of it, why what was skipped, and the rounds by benchmark."""
    done = rseqbench(*command, cwd=folder)
    stored = folder / "results/here"
    header = json.loads((stored / "run.json").read_text())
    suite = pyperf.BenchmarkSuite.load(str(stored / "pyperf.json"))
    skips = {skip["benchmark"]: skip["reason"] for skip in header["plan"]["skips"]}
    rounds = {bench.get_name(): bench.get_nrun() for bench in suite}
    return done, skips, rounds


@pytest.mark.parametrize("method", ["lsl", "vdso", "syscall", "rseq", "shipped", "constant"])
def test_every_event_of_a_check_is_recorded_or_discarded(here, method):
    found = next(one for one in here.benchmarks() if one.name == f"lttng/{method}")
    if found.unavailable:
        pytest.skip(found.unavailable)
    check = checked(here, found.name, disturbances=20)
    assert check.passed and check.exercised, check.message
    assert check.threads > 2 or method == "constant"


def test_what_is_measured_with_says_what_it_is(here):
    facts = here.machine().facts
    assert facts.lttng_ust.startswith("2.")
    assert facts.lttng_tools.startswith("2.")
    assert facts.babeltrace2.startswith("2.")
    assert "-O2" in facts.lttng_linked
    assert "-llttng-ust" in facts.lttng_linked
    assert "--overwrite" in facts.lttng_channel


def test_the_header_of_an_event_is_as_wide_as_said(here):
    """kernels/providers/lttng/event.h and docs/method.md: 48 bits, not the 32 of the patch."""
    checked(here, "lttng/constant", disturbances=1)
    session = here._libraries._environments["lttng"]
    with session._take_snapshot() as taken:
        text = next(taken.rglob("metadata")).read_bytes().replace(b"\0", b"").decode(errors="replace")
    assert "event.header := struct event_header_large;" in text


@some_rseq
def test_a_method_that_drops_every_event_is_not_exact(tmp_path, monkeypatch):
    broken(tmp_path, monkeypatch, KERNELS, RSEQ, "return -2;")
    with native(benchmarks=["lttng/rseq"]) as target:
        check = checked(target, "lttng/rseq", disturbances=20)
    assert not check.passed
    assert check.message == "LTTng recorded 0 of the 4000 events that this method left last"


@some_rseq
def test_a_method_that_drops_every_event_of_a_round_has_no_number(tmp_path, monkeypatch):
    broken(tmp_path, monkeypatch, KERNELS, RSEQ, "return checking ? (int)READ_ONCE(area->cpu_id) : -2;")
    done, skips, rounds = run_of(tmp_path, *RUN)
    assert done.returncode == 1
    words = "LTTng recorded 0 of the 1000 events that this method left last"
    assert skips["lttng/rseq"] == f"failed in every round: {words}"
    assert "lttng/rseq" not in rounds
    assert rounds["lttng/syscall"] == 3


def test_one_event_in_a_thousand_that_is_dropped_is_noticed(tmp_path, monkeypatch):
    lossy = "static unsigned int asked;\n\tunsigned int cpu = 0;\n\n\tif (!(++asked % 1000))\n\t\treturn -2;"
    broken(tmp_path, monkeypatch, KERNELS, "unsigned int cpu = 0;", lossy)
    with native(benchmarks=["lttng/syscall"]) as target:
        check = checked(target, "lttng/syscall", disturbances=20)
    assert not check.passed
    assert " of the 4000 events that this method left last" in check.message


def test_chunks_that_are_lost_in_the_middle_of_a_round_are_noticed(tmp_path, monkeypatch):
    """Its first and its last events are all there: only the number of all of them tells."""
    lossy = f"static unsigned int chunks;\n\n\tif (checking || value >> 31 || ++chunks % 64)\n\t\t{EMIT}"
    broken(tmp_path, monkeypatch, KERNELS, EMIT, lossy)
    done, skips, rounds = run_of(tmp_path, *RUN)
    assert done.returncode == 1
    for name in ("lttng/rseq", "lttng/syscall"):
        assert skips[name].startswith("failed in every round: LTTng's buffers took ")
        assert skips[name].endswith(" were emitted")
    assert rounds["cpu_id/baseline"] == 3


def test_events_that_are_lost_before_the_last_are_noticed_in_a_check(tmp_path, monkeypatch):
    lossy = f"static unsigned int chunks;\n\n\tif (value >> 31 || ++chunks % 8)\n\t\t{EMIT}"
    broken(tmp_path, monkeypatch, KERNELS, EMIT, lossy)
    with native(benchmarks=["lttng/syscall"]) as target:
        check = checked(target, "lttng/syscall", disturbances=20)
    assert not check.passed
    assert "LTTng's buffers took" in check.message


def test_the_session_that_counts_all_finds_one_event_too_few(here):
    """The equality itself: of a check that was exact, one event more is said to have been emitted."""
    session = here._libraries._environments["lttng"]
    told = type(session)._find_uncounted

    def one_more(self, seen):
        for method, one in seen.reports.items():
            seen.reports[method] = type(one)(one.proof, one.proved, one.emitted + 1)
        return told(self, seen)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(session), "_find_uncounted", one_more)
        check = checked(here, "lttng/syscall", disturbances=20)
    assert not check.passed
    assert "LTTng recorded " in check.message
    assert " and discarded " in check.message


STRESSED = {
    "fails": 'return "as it was told to";',
    "hangs": "for (;;) nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);",
}


def wrong_under_stress(folder, monkeypatch, what):
    """Break the method syscall in the second half of its check, in which a session counts all besides."""
    broken(
        folder, monkeypatch, KERNELS, "checking = setup->check;", "checking = setup->check, stressed = setup->stress;"
    )
    source = folder / "kernels" / KERNELS
    text = source.read_text().replace("static bool checking;", "static bool checking, stressed;")
    start = "area = registration_enter();\n\tprovider->override(get_cpu);\n"
    assert start in text
    source.write_text(text.replace(start, f"if (stressed && method == 3u)\n\t\t{STRESSED[what]}\n\t{start}"))


@pytest.mark.parametrize(("what", "words"), [("fails", "as it was told to"), ("hangs", "within 5 s")])
def test_a_check_that_goes_wrong_leaves_nothing_to_the_next(tmp_path, monkeypatch, what, words):
    """What it leaves would record all that comes after it once more, and so be in their time."""
    wrong_under_stress(tmp_path, monkeypatch, what)
    with native(benchmarks=["lttng"]) as target:
        first = checked(target, "lttng/syscall", disturbances=5, timeout_s=5.0)
        second = checked(target, "lttng/constant", disturbances=5)
        sessions = target._libraries._environments["lttng"]._sessions()
    assert not first.passed
    assert words in first.message
    assert second.passed and second.exercised, second.message
    assert sessions == {"rseqbench": True}


def test_a_check_that_goes_wrong_leaves_the_rounds_of_others_as_they_are(tmp_path, monkeypatch):
    wrong_under_stress(tmp_path, monkeypatch, "fails")
    done, skips, rounds = run_of(tmp_path, "run", "lttng/constant", "lttng/syscall", *RUN[3:])
    assert done.returncode == 1
    assert skips["lttng/syscall"] == "check FAILED, so it is not timed: as it was told to"
    assert rounds["lttng/constant"] == 3


def test_what_was_left_is_gone_before_an_operation_is_calibrated(here):
    here._libraries.begin(["lttng/syscall"], Stage.STRESSED)
    session = here._libraries._environments["lttng"]
    assert session._sessions() == {"rseqbench": True, "rseqbench-proof": True}
    plan = Plan((), (), 8, 1, 1.0, 1, "gated", "quick", here.cpus())
    here.calibrate(Case("lttng/constant"), plan, 1_000_000)
    assert session._sessions() == {"rseqbench": True}


def test_a_snapshot_that_cannot_be_taken_leaves_no_session_that_counts(here, monkeypatch):
    session = here._libraries._environments["lttng"]
    here._libraries.begin(["lttng/syscall"], Stage.STRESSED)
    with monkeypatch.context() as patch:
        patch.setattr(session, "_read_text", lambda taken: session._daemon.run("false"))
        here._libraries.doubts("lttng/syscall")
    assert session._sessions() == {"rseqbench": True}


@contextlib.contextmanager
def another_session(target):
    """Have somebody else's session record the same event."""
    lttng = target._libraries._environments["lttng"]._daemon.lttng
    lttng("create", "other", "--snapshot")
    lttng("enable-event", "--userspace", "--session=other", "rseqbench:event")
    lttng("start", "other")
    try:
        yield
    finally:
        lttng("destroy", "other")


def test_what_another_session_records_too_is_void(here):
    with another_session(here):
        check = checked(here, "lttng/constant", disturbances=5)
    assert not check.passed
    assert check.message == "another session of LTTng's records in the same daemon: other"


def test_what_is_recorded_twice_is_void_whoever_does_it(here, monkeypatch):
    """As by a daemon of root's, of which a user's own lists nothing: the process itself sees who calls."""
    session = here._libraries._environments["lttng"]
    monkeypatch.setattr(type(session), "_ensure_no_other_session", lambda self, ours: None)
    with another_session(here):
        check = checked(here, "lttng/constant", disturbances=5)
    assert not check.passed
    assert check.message == "LTTng recorded each event 2 times: another session has it on"


NAP = "nanosleep(&step, NULL);"
GONE = "lttng-sessiond ended with SIGKILL"


@contextlib.contextmanager
def orphaned():
    """Yield an entered target whose session daemon was killed, and a plan of one case of LTTng's and its case."""
    with native(benchmarks=["lttng/syscall"], engine="pyperf") as target:
        case = Case("lttng/syscall")
        daemon = target._libraries._environments["lttng"]._daemon._process
        daemon.kill()
        daemon.wait()
        yield target, case, Plan((case,), (), 2, 3, 1.0, 1, "pyperf", "quick", target.cpus())


def test_what_is_void_before_it_begins_is_not_measured(monkeypatch):
    with orphaned() as (target, case, plan):
        benchmark = next(one for one in target.benchmarks() if one.name == case.benchmark)
        monkeypatch.setattr(target, "_worker", lambda *which: pytest.fail("a process was asked"))
        with pytest.raises(TargetError, match=GONE):
            target.measure(case, plan, 1000)
        assert target.check(benchmark, HARDNESS).message == GONE


def test_a_process_waits_but_once_for_a_daemon_that_is_gone(tmp_path, monkeypatch):
    """As where it dies within a round; pyperf has a kernel set up for each of its values."""
    told = "static int naps;\n\n\t\tif (++naps > PATIENCE_MS)\n\t\t\treturn EDEADLK;\n"
    broken(tmp_path, monkeypatch, KERNELS, f"\t\t{NAP}", f"\t{{\n\t\t{told}\t\t{NAP}\n\t}}")
    with orphaned() as (target, case, plan):
        monkeypatch.setattr(target, "_begin_case", lambda benchmark, stage: None)
        assert len(target.measure(case, plan, 1000).values) == plan.values
        assert target.doubts(case) == GONE


def test_without_a_process_nothing_is_believed(here):
    here._libraries.begin(["lttng/lsl"], Stage.TIMED)
    assert here._libraries.doubts("lttng/lsl") == "nothing that this method left is in LTTng's trace"
    assert here._libraries.doubts("cpu_id/baseline") == ""


@pytest.mark.parametrize("registration", [pytest.param("self", marks=pytest.mark.slow), "none"])
def test_other_registrations(tmp_path, registration):
    done, skips, rounds = run_of(tmp_path, *RUN, "--registration", registration)
    assert done.returncode == 0, done.stderr
    assert rounds["lttng/syscall"] == 3
    if registration == "none":
        assert "rseq" in skips["lttng/rseq"]
    else:
        assert rounds["lttng/rseq"] == 3


@pytest.mark.slow
def test_several_threads_by_plain_pyperf(tmp_path):
    run = ("run", "lttng/rseq", "lttng/constant", "--quick", "--rounds", "6", "--values", "2", "--label", "here")
    done, _, rounds = run_of(tmp_path, *run, "--engine", "pyperf", "--threads", "1,2")
    assert done.returncode == 0, done.stderr
    assert (rounds["lttng/rseq"], rounds["lttng/rseq/threads=2"], rounds["lttng/constant"]) == (6, 6, 6)
    assert "lttng/constant/threads=2" not in rounds
