"""targets/runner/target.py when a runner does not answer: another one takes its place for the next request."""

import pytest

from rseqbench.build import architectures
from rseqbench.errors import TargetError
from rseqbench.measure.engines.instructions import InstructionEngine
from rseqbench.model import Benchmark, Case, Plan, Registration
from rseqbench.targets.qemu.target import QemuSystemTarget
from rseqbench.targets.runner.target import RunnerTarget
from tests.support.requirements import defaults, resolved

HELLO = {
    "machine": "x86_64",
    "linux": "6.1",
    "glibc": "2.36",
    "page_size": 4096,
    "registration": "glibc",
    "reason": "",
    "libc_size": 32,
    "registered": 32,
    "feature_size": 0,
    "no_counters": "none here",
    "clock_step_ns": 16,
    "cpus": [0],
}
PASSED = {"passed": True, "message": "", "operations": 9, "aborts": 1, "disturbances": 9}
NAMES = ("counter/rseq", "rcu/rseq", "ring_buffer/rseq")
CASES = [Case(name, 1, Registration.GLIBC) for name in NAMES]
PLAN = Plan(tuple(CASES), (), 6, 3, 0.5, 1, "counted", "quick", (0,))


class Hangs:
    """A runner that is lost at the first request of the verb `at` about the kernel `what`, and says so afterwards."""

    def __init__(self, at="", what=""):
        self.at, self.what, self.broken = at, what, False

    def ask(self, verb, timeout_s, **arguments):
        if self.broken or (verb == self.at and self.what in arguments.values()):
            self.broken = True
            raise TargetError("the runner did not answer within 60 s")
        return getattr(self, f"_{verb}")(**arguments)

    def _hello(self, **_):
        return HELLO

    def _glob(self, **_):
        return []

    def _read(self, **_):
        raise TargetError("no such file")

    def _check(self, **_):
        return PASSED

    def _time(self, loops, repeat, **_):
        ns = [7 * number for number in loops] * repeat
        return {"ns": ns, "aborts": [0] * len(ns), "operations": loops * repeat}


class Imagined(RunnerTarget):
    """A target whose runners are handed out one after the other."""

    timing = "emulated"
    count = QemuSystemTarget.count

    def __init__(self, *runners):
        super().__init__(architectures.host(), resolved())
        self.runners, self.closed, self.reached = list(runners), [], 0

    def _start_commands(self, program):
        return []

    def _connect(self, program, stack):
        self.reached += 1
        if not self.runners:
            raise TargetError("nobody is there")
        stack.callback(self.closed.append, self.runners[0])
        return self.runners.pop(0)


def test_a_check_that_hangs_fails_and_the_next_one_has_a_runner_of_its_own():
    lost, fresh = Hangs("check", NAMES[0]), Hangs()
    with Imagined(lost, fresh) as target:
        checks = [target.check(Benchmark(name, "one"), defaults().check) for name in NAMES]
        assert target.closed == [lost]
    assert [check.passed for check in checks] == [False, True, True]
    assert checks[0].message == "the runner did not answer within 60 s"
    assert target.closed == [lost, fresh]


def test_a_case_that_hangs_is_void_and_those_after_it_are_not():
    with Imagined(Hangs("time", NAMES[0]), Hangs()) as target:
        taken = list(InstructionEngine().round(target, PLAN, 0, CASES))
    assert [one.failure for one in taken] == ["the runner did not answer within 60 s", "", ""]


def test_a_place_that_is_gone_is_tried_once_a_round():
    with Imagined(Hangs("time", NAMES[0])) as target:
        taken = list(InstructionEngine().round(target, PLAN, 0, CASES))
        assert [one.failure for one in taken] == [
            "the runner did not answer within 60 s",
            "nobody is there",
            "nobody is there",
        ]
        assert target.reached == 2
        with pytest.raises(TargetError, match=r"^nobody is there$"):
            target.new_round()
    assert target.reached == 3


def test_a_runner_that_hangs_over_a_fact_is_an_error_and_not_a_run_without_facts():
    lost = Hangs("read", "/proc/cpuinfo")
    target = Imagined(lost, Hangs())
    with pytest.raises(TargetError, match="did not answer"), target:
        pass
    assert target.closed == [lost]
