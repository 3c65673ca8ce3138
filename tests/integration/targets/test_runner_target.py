"""rseqbench/targets/runner/target.py over a runner whose answers are written here."""

import base64
import os
from dataclasses import replace
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.errors import TargetError
from rseqbench.host import facts
from rseqbench.model import Benchmark, Case, Plan, Registration
from rseqbench.targets import CountsInstructions, require
from rseqbench.targets.qemu.target import QemuSystemTarget
from rseqbench.targets.runner.target import RunnerTarget
from tests.support.requirements import defaults, resolved

HELLO = {
    "machine": os.uname().machine,
    "linux": os.uname().release,
    "glibc": "2.99",
    "page_size": 4096,
    "registration": "glibc",
    "reason": "",
    "libc_size": 32,
    "registered": True,
    "feature_size": 28,
    "no_counters": "none here",
    "clock_step_ns": 16,
    "cpus": [0, 1, 2],
}
RSEQ = Case("counter/rseq", 1, Registration.GLIBC)
PLAN = Plan((RSEQ,), (), 6, 3, 0.5, 1, "pyperf", "quick", (2,))
NS_PER_OPERATION, AROUND = 7, 100


class Scripted:
    """A runner: hello and time are answered as written here, files are this machine's own or those of `root`."""

    def __init__(self, root=Path("/"), **changes):
        self.root, self.hello, self.changes = root, {**HELLO, **changes.pop("hello", {})}, changes
        self.asked, self.broken = [], False

    def ask(self, verb, timeout_s, **arguments):
        self.asked.append((verb, arguments))
        return self.changes[verb](arguments) if verb in self.changes else getattr(self, f"_{verb}")(arguments)

    def _hello(self, arguments):
        return self.hello

    def _time(self, arguments):
        ns = [AROUND + NS_PER_OPERATION * loops for loops in arguments["loops"] * arguments["repeat"]]
        return {"ns": ns, "aborts": [2] * len(ns)}

    def _read(self, arguments):
        try:
            return base64.b64encode((self.root / arguments["path"].removeprefix("/")).read_bytes()).decode()
        except OSError as error:
            raise TargetError(f"cannot read: {error}") from error

    def _glob(self, arguments):
        return [f"/{path.relative_to(self.root)}" for path in self.root.glob(arguments["pattern"].removeprefix("/"))]

    def requests(self, verb):
        return [arguments for one, arguments in self.asked if one == verb]


class Imagined(RunnerTarget):
    """A target that reaches its runners here; `runners` are handed out one after the other."""

    def __init__(self, *runners, **options):
        super().__init__(architectures.host(), resolved(**options))
        self.runners, self.closed = list(runners), []

    def _start_commands(self, program):
        return []

    def _connect(self, program, stack):
        assert program.is_file()
        runner = self.runners.pop(0)
        stack.callback(self.closed.append, runner)
        return runner


class Emulated(Imagined):
    timing = "emulated"
    count = QemuSystemTarget.count


# ---- measuring ----


def test_loops_double_until_a_value_is_as_long_as_the_plan_wants():
    runner = Scripted()
    with Imagined(runner) as target:
        bench = target.measure(RSEQ, PLAN, 0)
    loops = bench.loops
    assert AROUND + NS_PER_OPERATION * loops >= 500_000 > AROUND + NS_PER_OPERATION * loops / 2
    assert [request["loops"] for request in runner.requests("time")] == [[2**i] for i in range(loops.bit_length())]
    assert {request["repeat"] for request in runner.requests("time")} == {1}


def test_a_clock_that_stands_still_does_not_calibrate_for_ever():
    still = Scripted(time=lambda arguments: {"ns": [0], "aborts": [0]})
    with Imagined(still) as target:
        assert target.measure(RSEQ, PLAN, 0).loops == 2**40
    assert len(still.requests("time")) == 40


def test_a_measurement_is_one_request_and_its_warm_up_no_value():
    spoilt = Scripted(time=lambda arguments: {"ns": [999_999, 7000, 8000, 9000], "aborts": [1, 2, 3, 4]})
    with Imagined(spoilt) as target:
        times = target.measure(RSEQ, PLAN, 1000)
    assert times.values == pytest.approx((7e-9, 8e-9, 9e-9))
    assert times.loops == 1000
    assert times.aborts == 10
    assert times.registration == "glibc"
    (request,) = spoilt.requests("time")
    assert request == {
        "kernel": "counter/rseq",
        "threads": 1,
        "cpus": [2],
        "loops": [1000],
        "repeat": PLAN.values + 1,
        "registration": "glibc",
    }


def test_operations_that_take_no_time_are_an_error_and_no_value():
    coarse = Scripted(time=lambda arguments: {"ns": [0, 16, 0, 16], "aborts": [0] * 4})
    with Imagined(coarse) as target, pytest.raises(TargetError, match=r"^counter/rseq: 10 operations took no time; "):
        target.measure(RSEQ, PLAN, 10)


# ---- counting ----


def test_counts_are_sorted_by_their_number_of_loops():
    shuffled = Scripted(time=lambda arguments: {"ns": [1, 10, 2, 20, 3, 30], "aborts": [1] * 6})
    with Emulated(shuffled) as target:
        counts = target.count(RSEQ, PLAN, (1000, 3000), 3)
    assert counts.taken == ((1, 2, 3), (10, 20, 30))
    assert (counts.step, counts.aborts, counts.registration) == (16, 6, "glibc")
    assert [(r["loops"], r["repeat"]) for r in shuffled.requests("time")] == [([1000, 3000], 3)]


def test_real_time_counts_nothing():
    with Imagined(Scripted()) as target, pytest.raises(TargetError, match="counts no instructions, as time is real"):
        require(target, CountsInstructions)


# ---- checking ----


def test_a_check_has_four_threads_for_each_cpu_of_the_machine_there():
    exact = {"passed": True, "message": "", "operations": 1, "aborts": 1, "disturbances": 200}
    runner = Scripted(check=lambda arguments: exact)
    benchmark = Benchmark("counter/rseq", "", shared=True, sequence=True, threaded=True, needs_rseq=True)
    with Imagined(runner) as target:
        check = target.check(benchmark, defaults().check)
    assert (check.threads, check.verdict) == (4 * len(HELLO["cpus"]), "exact")
    assert [(r["stress"], r["registration"]) for r in runner.requests("check")] == [(False, "glibc"), (True, "glibc")]


def test_what_needs_rseq_off_is_checked_without_it():
    exact = {"passed": True, "message": "", "operations": 1, "aborts": 0, "disturbances": 200}
    runner = Scripted(check=lambda arguments: exact)
    with Imagined(runner) as target:
        target.check(Benchmark("cpu_id/x", "", needs_no_rseq=True), defaults().check)
    assert [request["registration"] for request in runner.requests("check")] == ["none"]


# ---- what the machine is ----


@pytest.mark.parametrize(
    ("asked", "isolated", "cpus"),
    [("auto", "", (2, 1, 0)), ("auto", "1", (1, 2, 0)), ("0", "", (0,))],
)
def test_cpus_are_those_of_the_machine_there(tmp_path, asked, isolated, cpus):
    file = tmp_path / "sys/devices/system/cpu/isolated"
    file.parent.mkdir(parents=True)
    file.write_text(isolated + "\n")
    with Imagined(Scripted(tmp_path), cpus=asked) as target:
        assert target.cpus() == cpus


@pytest.mark.parametrize(("machine", "timing"), [(None, "hardware"), ("linux,dummy-virt", "virtual")])
def test_time_is_real_or_a_virtual_machines_as_its_own_files_say(tmp_path, machine, timing):
    if machine:
        tree = tmp_path / "proc/device-tree"
        tree.mkdir(parents=True)
        (tree / "compatible").write_bytes(machine.encode() + b"\0")
    with Imagined(Scripted(tmp_path, hello={"machine": "armv7l"})) as target:
        assert target.machine().timing == timing


def test_an_emulated_machine_is_emulated_whatever_its_files_say(tmp_path):
    with Emulated(Scripted(tmp_path)) as target:
        assert target.machine().timing == "emulated"


def test_the_facts_of_this_machine_by_way_of_a_runner_are_its_own():
    with Imagined(Scripted()) as target:
        there, here = target.machine().facts.to_dict(), facts.collect_machine_facts().to_dict()
    assert here
    changing = {"load_1min"}
    assert {name: there.get(name) for name in here.keys() - changing} == {n: here[n] for n in here.keys() - changing}
    assert (there["libc"], there["page_size"], there["rseq_feature_size"]) == ("glibc 2.99", 4096, 28)


def test_what_cannot_be_read_there_is_not_known(tmp_path):
    with Imagined(Scripted(tmp_path)) as target:
        assert target.machine().facts.config_rseq == "unknown"
        assert target.machine().facts.cpu is None


# ---- runners that break ----


def test_a_runner_that_can_be_asked_is_kept_and_another_one_replaced():
    one, other = Scripted(), Scripted()
    target = Imagined(one, other)
    with target:
        target.new_round()
        assert target.closed == []
        one.broken = True
        target.new_round()
        assert target.closed == [one]
        target.measure(RSEQ, PLAN, 10)
        assert other.requests("time")
    assert target.closed == [one, other]


@pytest.mark.parametrize("error", [TargetError("no"), KeyboardInterrupt()])
def test_what_goes_wrong_on_entering_leaves_no_runner(error):
    def fail(arguments):
        raise error

    runner = Scripted(hello={}, glob=fail)
    target = Imagined(runner)
    with pytest.raises(type(error)), target:
        pass
    assert target.closed == [runner]


def test_a_plan_of_other_values_is_obeyed():
    runner = Scripted()
    with Imagined(runner) as target:
        assert len(target.measure(RSEQ, replace(PLAN, values=9), 10).values) == 9
