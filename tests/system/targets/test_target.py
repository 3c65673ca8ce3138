"""What every target promises. A new kind joins by one more entry in KINDS.

All kinds go through TestTarget; those whose time is real through TestRealTime, those that count through TestEmulated.
A guest takes seconds to boot, so the tests of a kind share one target and leave it usable.
"""

import contextlib
import itertools
import os
import signal
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.errors import TargetError
from rseqbench.measure.engines.instructions import slope
from rseqbench.model import Case, Plan, Registration
from rseqbench.targets import CountsInstructions, require, resolve
from rseqbench.targets.measurements import ChunkRequest, Counts
from tests.support.commands import processes_with
from tests.support.labgrid_lab import Lab, daemons
from tests.support.requirements import defaults, resolved
from tests.support.sshd import Sshd, eventually

SHARED = "counter/shared_atomic"
LOOPS = (1000, 3000)
MARK = "RSEQBENCH_TEST_CONTRACT"
SOCKETS = ("rseqbench-ssh-*", "rseqlab-*")


@dataclass(frozen=True)
class Kind:
    """A kind of target as it is tested. `standing`: some process of it is there between requests."""

    target: str
    arch: str = "host"
    standing: bool = True

    @property
    def id(self):
        return self.target if self.arch == "host" else f"{self.target}-{self.arch}"

    @property
    def emulated(self):
        return resolve.target_kind(self.target).emulated

    @property
    def boots(self):
        return resolve.target_kind(self.target).boots


KINDS = [
    Kind("native"),
    Kind("runner"),
    Kind("ssh"),
    Kind("labgrid"),
    *(Kind("qemu-user", arch, standing=False) for arch in ("arm32", "arm64")),
    *(Kind("qemu-system", arch) for arch in ("arm32", "arm64")),
]


def every(chosen):
    """Return the kinds as parameters of the fixture `place`."""
    return pytest.mark.parametrize(
        "place",
        [pytest.param(k, id=k.id, marks=[pytest.mark.slow] if k.boots else []) for k in KINDS if chosen(k)],
        indirect=True,
        scope="module",
    )


class Place:
    """A kind of target with the machine it is on: makes targets, and says what is left of them.

    All processes of its targets carry its mark in their environment, those behind an sshd too.
    """

    def __init__(self, kind, folder):
        self.kind = kind
        self.mark = f"{os.getpid()}-{kind.id}"
        self.server = self.lab = None
        where = [kind.target]
        if kind.target in ("ssh", "labgrid"):
            self.server = Sshd(folder / "sshd", env={MARK: self.mark})
            where = [f"ssh:{self.server.destination}"]
        if kind.target == "labgrid":
            self.lab = Lab(folder / "lab")
            # Two, as a place is there for one at a time.
            self.lab.add("b1", "b2", port=self.server.port, keyfile=self.server.folder / "user_key")
            where = ["labgrid:b1", "labgrid:b2"]
        self._where = itertools.cycle(where)
        self._sockets = sockets()

    def new(self):
        lab = {} if self.lab is None else {"coordinator": self.lab.address, "environment": str(self.lab.environment)}
        return resolve.create_target(resolved(target=next(self._where), arch=self.kind.arch, **lab))

    def stop(self):
        if self.lab is not None:
            assert self.lab.all_free()
            self.lab.stop()
        if self.server is not None:
            self.server.stop()

    def processes(self):
        """Return the ids of what runs for its targets, which this process and the sshd itself do not."""
        return set(processes_with(f"{MARK}={self.mark}\0")) - {os.getpid()}

    def here(self):
        """Return those of its processes that are not an sshd's: on another machine they would be out of reach.

        What keeps a place is not meant either: without it, the place is not there for its target any more.
        """
        beyond = {*(self.server.sessions() if self.server else ()), *daemons(self.mark)}
        return self.processes() - beyond

    def nothing_left(self):
        files = self.server.left() if self.server else []
        return not self.processes() and not files and sockets() == self._sockets


def sockets():
    return {found for pattern in SOCKETS for found in Path("/tmp").glob(pattern)}


@pytest.fixture(scope="module")
def place(request, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        made = Place(request.param, tmp_path_factory.mktemp("place"))
        stack.callback(made.stop)
        if made.server is not None:
            patch.setenv("RSEQBENCH_SSH", made.server.ssh)
        patch.setenv(MARK, made.mark)
        yield made
        assert eventually(made.nothing_left)


@pytest.fixture(scope="module")
def target(place):
    with place.new() as entered:
        yield entered


def plan(target, **changes):
    made = Plan((), (), rounds=6, values=3, value_ms=0.2, seed=1, engine="pyperf", preset="quick", cpus=target.cpus())
    return replace(made, **changes)


def case(target, threads=1, name=SHARED):
    return Case(name, threads, target.registration())


def take(place, target, name=SHARED, loops=LOOPS, number=0):
    """Take values the way that suits the kind, and prove that they are some."""
    if place.kind.emulated:
        counts = target.count(case(target, name=name), plan(target), loops, 2)
        assert [len(taken) for taken in counts.taken] == [2, 2]
    else:
        assert len(target.measure(case(target, name=name), plan(target), loops[0]).values) == 3


@every(lambda kind: True)
class TestTarget:
    def test_can_be_left_and_entered_again(self, place, target):
        before = target.benchmarks()
        target.__exit__(None, None, None)
        assert eventually(place.nothing_left)
        target.__enter__()
        assert target.benchmarks() == before
        take(place, target)

    def test_two_can_be_there_at_once_and_one_leaves_nothing_after_an_error(self, place, target):
        before = place.processes()
        with pytest.raises(KeyboardInterrupt), place.new() as other:
            assert other.benchmarks() == target.benchmarks()
            take(place, other)
            assert bool(place.processes() - before) == place.kind.standing
            raise KeyboardInterrupt
        assert eventually(lambda: place.processes() <= before)
        take(place, target)

    def test_benchmarks_are_named_and_described(self, target):
        benchmarks = target.benchmarks()
        names = [benchmark.name for benchmark in benchmarks]
        assert len(names) > 20
        assert names == sorted(set(names))
        for benchmark in benchmarks:
            assert benchmark.group
            assert benchmark.method
            assert benchmark.name == f"{benchmark.group}/{benchmark.method}"
            assert benchmark.doc
            assert "\n" not in benchmark.doc + benchmark.unavailable
        assert {"cpu_id/baseline", SHARED} <= set(names)

    def test_says_what_it_is(self, place, target):
        machine = target.machine()
        assert machine.arch == target.arch
        assert machine.arch == architectures.named(place.kind.arch).name
        assert machine.timing in (("emulated",) if place.kind.emulated else ("hardware", "virtual"))
        assert machine.target.partition(":")[0] == place.kind.target
        known = {"compiler", "cflags", "kernels", "registration", "rseq_feature_size", "libc", "linux", "python"}
        assert known <= set(machine.facts.to_dict())
        assert machine.facts.registration == target.registration()
        assert isinstance(target.registration(), Registration)

    def test_rseq_is_there_or_its_benchmarks_say_why_not(self, place, target):
        rseq = next(benchmark for benchmark in target.benchmarks() if benchmark.name == "counter/rseq")
        if target.registration() == Registration.NONE:
            assert rseq.unavailable
        else:
            assert not rseq.unavailable
        if place.kind.boots:
            assert target.registration() == Registration.GLIBC

    def test_cpus_to_pin_to_are_distinct(self, target):
        assert target.cpus()
        assert len(set(target.cpus())) == len(target.cpus())

    def test_checks_a_benchmark(self, target):
        benchmark = next(one for one in target.benchmarks() if one.name == SHARED)
        check = target.check(benchmark, replace(defaults().check, disturbances=20, operations=100_000))
        assert (check.benchmark, check.passed, check.message.count("\n")) == (SHARED, True, 0)
        assert check.operations > 0
        assert check.threads >= 1

    def test_a_check_that_takes_too_long_is_failed_and_nothing_more(self, place, target):
        benchmark = next(one for one in target.benchmarks() if one.name == SHARED)
        hard = replace(defaults().check, disturbances=1_000_000, operations=1_000_000_000, timeout_s=1)
        check = target.check(benchmark, hard)
        assert not check.passed
        assert "within 1 s" in check.message
        target.new_round()
        take(place, target)

    def test_an_unknown_kernel_is_an_error_and_nothing_more(self, place, target):
        with pytest.raises(TargetError, match=r"no benchmark '?counter/nonsense'?$"):
            take(place, target, "counter/nonsense")
        take(place, target)

    def test_processes_that_are_killed_in_between_do_no_harm(self, place, target):
        take(place, target)
        kill(place.here())
        with contextlib.suppress(TargetError):  # they are gone, but were not yet known to be
            take(place, target)
        target.new_round()
        take(place, target)


def kill(processes):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


@every(lambda kind: not kind.boots)
class TestProcesses:
    """What can be seen of processes from here: a guest's own are its own."""

    def test_a_new_round_has_other_processes_than_the_last(self, place, target):
        seen = []
        for number in range(2):
            target.new_round()
            before = place.processes()
            with watched(place) as found:
                take(place, target, loops=(10_000_000, 20_000_000), number=number)
            seen.append(found - before)
        assert seen[0]
        assert seen[1]
        assert not seen[0] & seen[1]


@contextlib.contextmanager
def watched(place):
    """Collect the ids of all processes that are there meanwhile."""
    found, over = set(), threading.Event()

    def watch():
        while not over.is_set():
            found.update(place.processes())
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        over.set()
        watcher.join()


def killed_while(place, target, working):
    """Kill all processes of a target half a second after it began to work; return the error that this makes."""
    take(place, target)
    killer = threading.Timer(0.5, lambda: kill(place.here()))
    killer.start()
    with pytest.raises(TargetError) as caught:
        working()
    killer.join()
    target.new_round()
    take(place, target)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@every(lambda kind: not kind.emulated)
class TestRealTime:
    def test_calibrates_and_measures(self, target):
        calibration = target.measure(case(target), plan(target), 0)
        loops = calibration.loops
        assert loops >= 1
        times = target.measure(case(target), plan(target, values=5), loops)
        assert len(times.values) == 5
        assert min(times.values) > 0
        assert times.loops == loops
        assert times.registration == target.registration()
        assert times.aborts >= 0

    def test_measures_several_threads(self, target):
        times = target.measure(case(target, threads=2), plan(target), 1000)
        assert min(times.values) > 0

    def test_measures_without_rseq_beside_what_has_it(self, target):
        name = "cpu_id/sched_getcpu_norseq"
        times = target.measure(Case(name, 1, Registration.NONE), plan(target), 1000)
        assert times.registration == "none"

    def test_takes_gated_rounds(self, target):
        cases = list(map(Case, [SHARED, "cpu_id/baseline", "cpu_id/sched_getcpu_norseq"]))
        loops = [target.calibrate(case, plan(target), 20_000) for case in cases]
        assert min(loops) >= 1
        options = {"fastest": 0, "limit_ms": 500, "seed": 1, "capacity": 100}
        answer = target.gate(
            [ChunkRequest(one, count, 3) for one, count in zip(cases, loops, strict=True)], plan(target), options
        )
        assert [bool(chunks) for chunks in answer.chunks] == [True] * 3
        assert sum(map(len, answer.chunks)) <= 100
        assert min(chunk.value for chunks in answer.chunks for chunk in chunks) > 0
        assert answer.registration == target.registration()
        assert answer.fastest > 0
        assert answer.ns_per_tick > 0
        assert 0 < answer.inside <= 1

    def test_a_gated_round_of_an_unknown_kernel_is_an_error_and_nothing_more(self, target):
        with pytest.raises(TargetError, match=r"no benchmark '?counter/nonsense'?$"):
            target.calibrate(Case("counter/nonsense"), plan(target), 20_000)
        assert target.calibrate(case(target), plan(target), 20_000)

    def test_counts_no_instructions(self, target):
        with pytest.raises(TargetError, match="time is real there"):
            require(target, CountsInstructions)

    def test_processes_that_are_killed_while_they_measure_are_an_error_of_that_measurement(self, place, target):
        long = plan(target, value_ms=500.0, values=100)
        error = killed_while(place, target, lambda: target.measure(case(target), long, 100_000_000))
        assert "SIGKILL" in error or "lost" in error


@every(lambda kind: kind.emulated)
class TestEmulated:
    def test_counts_the_same_each_time(self, target):
        found = [target.count(case(target), plan(target), LOOPS, 3) for _ in range(2)]
        slopes = [slope(counts) for counts in found]
        assert all(isinstance(counts, Counts) and counts.aborts == 0 for counts in found)
        assert {counts.registration for counts in found} == {target.registration()}
        assert slopes[0] == slopes[1]
        assert slopes[0] > 3, "an atomic increment takes a load, an addition and a store"

    def test_what_is_killed_while_it_counts_is_an_error_of_that_count(self, place, target):
        working = lambda: target.count(case(target), plan(target), (1_000_000_000, 2_000_000_000), 3)  # noqa: E731
        error = killed_while(place, target, working)
        assert "SIGKILL" in error
        if place.kind.boots:
            assert error.endswith("qemu was ended by SIGKILL"), "its console has no reason"
