"""rseqbench/report/progress/run.py and running.py: what is said of a run while it goes on."""

import dataclasses
import re

import pyperf
import pytest
from rich.console import Console

from rseqbench import config
from rseqbench.measure.engines.composite import CompositeEngine
from rseqbench.measure.engines.gated import GatedEngine
from rseqbench.model import Case, Check, Plan, Registration
from rseqbench.report.progress import live
from rseqbench.report.progress import run as progress
from rseqbench.report.progress.estimate import RunningEstimate
from rseqbench.report.text import console
from rseqbench.store.events import CaseMeasured, Checked, ChecksBegun, Preparing, RoundBegun, RoundDone
from rseqbench.store.runs import Store
from rseqbench.workloads import jemalloc
from tests.support.simulated_runs import COSTS, Simulation, store

RULES = config.load().verdict
ONE, TWO = Case("counter/rseq"), Case("counter/plain")


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    return now


class Silent:
    """A running estimate that counts how often it is asked, and by what."""

    def __init__(self):
        self.added = []

    def add(self, suite):
        self.added.append(suite)

    def said(self):
        return f"{len(self.added)} rounds say so"


def check(name, passed=True):
    return Check(name, passed, 8, 1000, 1, 100, True, "" if passed else "the sum is 3")


def events(clock, steps=((ONE,), (TWO,))):
    """Yield the events of two rounds of two cases, where a case takes a second and the pause before a round eight."""
    yield ChecksBegun((ONE.id, TWO.id))
    yield Checked(check(ONE.id), 1, 2)
    yield Checked(check(TWO.id, passed=False), 2, 2)
    yield Preparing()
    done = 0
    for number in range(3):
        yield RoundBegun(number, 3, steps)
        for case in (ONE, TWO):
            clock[0] += 1
            done += 1
            yield CaseMeasured(case, number, "Linux stumbled" if done == 2 else "", done, 6)
        yield RoundDone(number, number + 1, 3, f"suite {number}")
        clock[0] += 8


def test_where_there_is_no_terminal_a_line_a_round_with_the_time_that_is_left(capsys, clock):
    progress.follow_run(events(clock), Silent())
    assert capsys.readouterr().err.splitlines() == [
        "check FAILED: counter/plain: the sum is 3",
        "2 checks done",
        "round 1: counter/plain is void: Linux stumbled",
        "round 1 of 3 done, 4 s left",
        "round 2 of 3 done, 10 s left",  # by now it is known that rounds have pauses
        "round 3 of 3 done, 0 s left",
    ]


class Drawn:
    """In place of the foot: what is shown, and what is said above it."""

    def __init__(self, out, mark=""):
        self.lines, self.said = [], []
        Drawn.last = self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def say(self, text):
        self.said.append(text)

    def show(self, now, share=None, left="", so_far=""):
        self.lines.append((now, share, left, so_far))


@pytest.fixture
def drawn(monkeypatch):
    monkeypatch.setattr(console, "is_interactive", lambda out: True)
    monkeypatch.setattr(live, "LiveLines", Drawn)
    return lambda *given: (progress.follow_run(*given), Drawn.last)[1]


def test_on_a_terminal_it_says_what_it_does_now_and_not_what_is_over(clock, drawn):
    foot = drawn(events(clock), Silent())
    assert [now for now, *_ in foot.lines[:5]] == [
        "check 1 of 2: counter/rseq",
        "check 2 of 2: counter/plain",
        "getting ready for the first round",
        "round 1 of 3: counter/rseq",
        "round 1 of 3: counter/plain",
    ]
    assert foot.said == ["check FAILED: counter/plain: the sum is 3", "round 1: counter/plain is void: Linux stumbled"]
    assert [share for now, share, *_ in foot.lines if now == "round 2 of 3: counter/plain"] == [3 / 6]


def test_the_estimate_is_of_the_rounds_that_are_done_and_made_once_a_round(clock, drawn):
    running = Silent()
    foot = drawn(events(clock), running)
    assert running.added == ["suite 0", "suite 1", "suite 2"]
    of_round = {now.partition(":")[0]: so_far for now, _, _, so_far in foot.lines if now.startswith("round")}
    assert of_round["round 1 of 3"] == "1 rounds say so"  # the last that was drawn of it
    assert [so_far for now, *_, so_far in foot.lines if now == "round 1 of 3: counter/rseq"] == ["0 rounds say so"]
    assert [so_far for now, *_, so_far in foot.lines if now == "round 2 of 3: counter/rseq"] == ["1 rounds say so"]


def test_what_is_measured_at_once_is_said_to_be(clock, drawn):
    foot = drawn(events(clock, steps=((ONE, TWO),)), Silent())
    of_first = [(now, share) for now, share, *_ in foot.lines if now.startswith("round 1 of 3")]
    assert of_first == [("round 1 of 3: 2 benchmarks, interleaved", 0.0), *[("round 1 of 3", 2 / 6)] * 2]


def test_nothing_is_drawn_between_events_and_no_thread_is_there_for_it(clock, monkeypatch):
    made = []
    real = live.Live
    monkeypatch.setattr(console, "is_interactive", lambda out: True)
    monkeypatch.setattr(live, "Live", lambda **given: (made.append(given), real(**given))[1])
    progress.follow_run(events(clock), Silent())
    assert [(given["auto_refresh"], given["transient"]) for given in made] == [(False, True)]


def test_the_steps_of_a_round_are_those_of_the_engines():
    program = Case("hackbench/processes", 1, Registration.GLIBC)
    assert CompositeEngine(GatedEngine()).steps([ONE, program, TWO]) == ((ONE, TWO), (program,))
    assert CompositeEngine(GatedEngine()).steps([program]) == ((program,),)
    served = Case("jemalloc/shipped", 1, Registration.GLIBC), Case("jemalloc/glibc", 1, Registration.GLIBC)
    assert CompositeEngine(GatedEngine()).steps([served[0], ONE, served[1]]) == ((ONE,), (served[0],), (served[1],))


def test_the_server_takes_its_time_in_every_round():
    served = Case("jemalloc/shipped", 1, Registration.GLIBC)
    kernels, both, alone = (
        CompositeEngine(GatedEngine()).expected_s(Plan(cases, (), 10, 1, 1.0, 1, "gated", "quick", (0,)))
        for cases in ((ONE,), (ONE, served), (served,))
    )
    assert both == pytest.approx(kernels + 10 * jemalloc.PROCESS_S)
    assert alone == pytest.approx(10 * jemalloc.PROCESS_S)
    assert jemalloc.PROCESS_S > 2 * 5 * 0.058  # all phases


@pytest.mark.parametrize("width", [30, 40, 60, 100, 200])
def test_the_foot_fits_whatever_the_width(width, capsys):
    out = Console(force_terminal=True, width=width, highlight=False, soft_wrap=True)
    with live.LiveLines(out, "REPLAY") as foot:
        foot.show(f"round 3 of 10: {'long/' * 20}", 0.3, "12 s left", "counter: rseq is 8.5 (8.3 to 8.7) times faster")
    lines = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().out).replace("\r", "\n").splitlines()
    assert max(map(len, lines)) <= width
    assert any(line.rstrip().endswith("12 s left") for line in lines)
    assert "8.5 (8.3 to 8.7)" in " ".join(" ".join(lines).split())


# ---- the running estimate ----


def part(run, first, last):
    """Return the values of some rounds of a run, as they come out of it."""
    return pyperf.BenchmarkSuite([pyperf.Benchmark(bench.get_runs()[first:last]) for bench in run.suite])


def test_in_the_end_it_says_what_the_finished_run_says(tmp_path):
    results = Store(tmp_path)
    run = store(results, Simulation(rounds=8))
    running = RunningEstimate(run.header, RULES)
    assert running.said() == ""
    for number in range(8):
        running.add(part(run, number, number + 1))
        assert running.said().startswith("counter: rseq looks 8.") or number >= 5
    assert re.fullmatch(
        r"counter: rseq is 8\.\d+ \(.* to .*\) times faster than .*; the patch said 7.7", running.said()
    )
    whole = RunningEstimate(run.header, RULES, [run.suite])
    assert running.said() == whole.said()


def test_a_run_that_is_taken_up_again_counts_the_rounds_that_are_there(tmp_path):
    run = store(Store(tmp_path), Simulation(rounds=8))
    running = RunningEstimate(run.header, RULES, [part(run, 0, 5)])
    assert "5 rounds give no interval" in running.said()
    running.add(part(run, 5, 6))
    assert "looks" not in running.said()


def test_without_a_claim_it_is_of_the_benchmark_that_was_asked_for(tmp_path):
    costs = {name: COSTS[name] for name in ("cpu_id/baseline", "counter/shared_atomic")}
    run = store(Store(tmp_path), Simulation(rounds=8, costs=costs, skips=()))
    assert re.fullmatch(
        r"counter/shared_atomic: 1\.86\d* \(.* to .*\) ns/op", RunningEstimate(run.header, RULES, [run.suite]).said()
    )


def test_emulated_it_is_of_instructions(tmp_path):
    costs = {name: cost * 1000 for name, cost in COSTS.items()}
    run = store(Store(tmp_path), Simulation(rounds=3, costs=costs, timing="emulated", skips=()))
    said = RunningEstimate(run.header, RULES, [run.suite]).said()
    assert "times the instructions of rseq" in said
    assert "faster" not in said


def test_a_benchmark_that_is_void_leaves_the_others(tmp_path):
    run = store(Store(tmp_path), Simulation(rounds=8))
    some = pyperf.BenchmarkSuite([bench for bench in part(run, 0, 1) if bench.get_name() != "counter/rseq"])
    header = dataclasses.replace(run.header)
    assert RunningEstimate(header, RULES, [some]).said().startswith("ring_buffer: ")
