"""The frozen dataclasses that every room shares. No behaviour beyond what the words themselves mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Self

from rseqbench.config import RunOptions

Fact = str | int | float | bool
EMULATING = "qemu, emulating"  # the fact `virtual` of a machine whose Linux runs on no CPU
Timing = Literal["hardware", "virtual", "emulated", "published"]
ALL = "all"  # the pattern of benchmarks that means all kernels
USER_ONLY = "qemu-user"  # the target that counts a program's instructions without Linux's
REPLAY = "replay"  # the target that measures nothing: it hands out the rounds of a stored run
COUNTED = ("instructions", "cycles", "branch_misses")  # what a CPU's own counters count, in user mode
_FLAGS = {
    "needs_rseq": 0x01,
    "needs_no_rseq": 0x04,
    "shared": 0x08,
    "sequence": 0x10,
    "threaded": 0x20,
    "trivial": 0x40,
    "own_cpus": 0x80,
    "library": 0x800,
}
# What must not change between the rounds of one run.
SAME_IN_A_RUN = (
    "cpu",
    "cpu_model",
    "linux",
    "libc",
    "config_rseq",
    "compiler",
    "kernels",
    "registration",
    "rseq_feature_size",
    "virtual",
    "emulator",
    "linux_package",
    "linux_build",
    "runner",
    "lttng_ust",
    "lttng_linked",
    "liburcu",
    "liburcu_linked",
)
FEWEST_CHUNKS = 40  # below that, a tenth of the chunks is too few to mean anything
Status = Literal["ok", "warn", "bad"]


class BenchmarkId(str):
    """The name of a benchmark, `group/method`: a string, with its two parts.

    Raises TypeError of what is no string.
    """

    __slots__ = ()

    def __new__(cls, name: str) -> Self:
        """Make one of a string that is read from somewhere."""
        if not isinstance(name, str):
            raise TypeError(f"a benchmark's name is {name!r}")
        return super().__new__(cls, name)

    @classmethod
    def of_parts(cls, group: str, method: str) -> Self:
        """Return the name that a method has in a group."""
        return cls(f"{group}/{method}")

    @property
    def group(self) -> str:
        """The use case: the part before the slash."""
        return self.partition("/")[0]

    @property
    def method(self) -> str:
        """The way to do it: the part behind the slash; empty where there is none."""
        return self.partition("/")[2]


class Registration(StrEnum):
    """Who registered the rseq area of a process: a property it has from its start."""

    GLIBC = "glibc"
    SELF = "self"
    NONE = "none"


NO_BENCHMARK = BenchmarkId("")  # of a claim that is of none
BASELINE = BenchmarkId("cpu_id/baseline")
CONTROLS = (  # the same code twice
    (BenchmarkId("control/atomic_a"), BenchmarkId("control/atomic_b")),
    (BenchmarkId("control/syscall_a"), BenchmarkId("control/syscall_b")),
)


@dataclass(frozen=True)
class Benchmark:
    """One thing that can be timed, as the compiled kernels describe it.

    `unavailable` is the reason why it cannot run on this target, or empty. `shared`: it changes state that threads
    share, and is proved exact under stress; `sequence`: it runs rseq sequences, so its check must see aborts;
    `threaded`: it may be timed with several threads at once; `trivial`: it has no result that could be wrong;
    `own_cpus`: a thread of it that is preempted stops the others, so it needs as many CPUs as threads; `whole`: it is a
    program of its own, not a kernel, and `library` one that calls a library as it is shipped: both are measured only
    where they are asked for by name.
    """

    name: BenchmarkId
    doc: str
    unavailable: str = ""
    needs_rseq: bool = False
    needs_no_rseq: bool = False
    shared: bool = False
    sequence: bool = False
    threaded: bool = False
    trivial: bool = False
    own_cpus: bool = False
    whole: bool = False
    library: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", BenchmarkId(self.name))

    @property
    def group(self) -> str:
        """The use case of the patch it belongs to."""
        return self.name.group

    @property
    def method(self) -> str:
        """The way it is done."""
        return self.name.method


@dataclass(frozen=True)
class Case:
    """A benchmark with its parameters: what one worker process measures in one round."""

    benchmark: BenchmarkId
    threads: int = 1
    registration: Registration = Registration.NONE

    def __post_init__(self) -> None:
        object.__setattr__(self, "benchmark", BenchmarkId(self.benchmark))

    @property
    def id(self) -> str:
        """The name under which pyperf stores it; unique within a run on one machine."""
        return self.benchmark if self.threads == 1 else f"{self.benchmark}/threads={self.threads}"


@dataclass(frozen=True)
class Skip:
    """A case that cannot run here, and why."""

    benchmark: BenchmarkId
    threads: int
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "benchmark", BenchmarkId(self.benchmark))


@dataclass(frozen=True)
class Check:
    """The outcome of a benchmark's exactness check: `operations` by `threads` threads, of which `aborts` restarted.

    `disturbances` counts the migrations forced and the signals sent meanwhile. `exercised` is False where something
    that had to happen did not: no abort was ever taken, or there was only one CPU to move between. `trivial`: there is
    no result that could be wrong, as in an empty loop. `short`: its operations were done before as many disturbances
    had come as were asked for.
    """

    benchmark: BenchmarkId
    passed: bool
    threads: int
    operations: int
    aborts: int
    disturbances: int
    exercised: bool
    message: str = ""
    trivial: bool = False
    short: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "benchmark", BenchmarkId(self.benchmark))

    @property
    def verdict(self) -> str:
        """One word or two for a table."""
        if not self.passed:
            return "FAILED"
        if self.trivial:
            return "trivial"
        if not self.exercised:
            return "exact, not exercised"
        return "exact, short" if self.short else "exact"


@dataclass(frozen=True)
class Machine:
    """One machine that a run's numbers come from; a run has one, the patch's own table has two."""

    arch: str
    target: str
    timing: Timing
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def emulates(self) -> bool:
        """Whether a machine whose clock we have to believe is seen to be an emulated one."""
        return self.timing != "emulated" and self.facts.get("virtual") == EMULATING


@dataclass(frozen=True)
class GatedRequest:
    """What a gated round is asked for: `wanted` chunks of a case, `loops` operations each in every thread."""

    case: Case
    loops: int
    wanted: int


@dataclass(frozen=True)
class Chunk:
    """One timed chunk of a gated round: ns/op, what the probes took (ticks), whether it was disturbed, its aborts.

    `counted` are instructions, cycles and branch misses per operation, in user mode; None where nothing counts them.
    """

    value: float
    before: int
    after: int
    disturbed: bool
    aborts: int
    counted: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class GatedRound:
    """What a target answers to a gated round: the chunks of each slot asked for, in the same order.

    `fastest` is the fastest probe and `resolution` the clock's smallest step, both in ticks of `ns_per_tick`;
    `inside` is the share of the round that was spent in timed chunks.
    """

    chunks: tuple[tuple[Chunk, ...], ...]
    fastest: int
    resolution: int
    ns_per_tick: float
    inside: float
    waits: int
    registration: str


@dataclass(frozen=True)
class Counts:
    """How many instructions an emulated machine took for a case: each of `taken[i]` covers `operations[i]` operations.

    Each was repeated as often as asked. A count may be off by `step` instructions, the clock's smallest step, and
    holds whatever the emulated Linux did meanwhile.
    """

    operations: tuple[int, ...]
    taken: tuple[tuple[int, ...], ...]
    step: int
    aborts: int
    registration: str


@dataclass(frozen=True)
class ProgramResult:
    """How a program ended that a target ran: its exit code, ns from before its start to after its end, what it said."""

    code: int
    ns: int
    output: str
    errors: str


@dataclass(frozen=True)
class CommandLine:
    """A command line that a run executes: `what` for, its words, and a `note` on what in it is not known before.

    Without words, the note says why there is no such line.
    """

    what: str
    words: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval: `n` rounds went in, `coverage` is what the interval promises.

    Without enough rounds there is no interval: `low` and `high` are then None and `coverage` 0. Of a count, which has
    no noise, `low` and `high` are the least and the most that was seen; that promises nothing, so `coverage` is 0 too.
    """

    value: float
    low: float | None
    high: float | None
    n: int
    coverage: float

    @property
    def has_interval(self) -> bool:
        """Whether enough rounds were there for an interval."""
        return self.low is not None and self.high is not None

    @property
    def is_range(self) -> bool:
        """Whether `low` and `high` are all that was seen of a count, no interval."""
        return self.has_interval and not self.coverage

    def inverse(self) -> Estimate:
        """Return the estimate of 1/x, for a ratio read the other way round."""
        low = None if self.high is None else 1 / self.high
        high = None if self.low is None else 1 / self.low
        return Estimate(1 / self.value, low, high, self.n, self.coverage)


class VerdictWord(StrEnum):
    """What can be said of a claim; the words are fixed, the rules stand in claims.py."""

    REPRODUCED = "reproduced"
    STRONGER = "stronger"
    WEAKER = "weaker"
    UNRESOLVED = "no difference resolved"
    CONTRADICTED = "contradicted"
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Verdict:
    """A word and its reason in one line."""

    word: VerdictWord
    reason: str


@dataclass(frozen=True)
class Plan:
    """What a run does, decided before it starts and stored with it, so that it can be taken up again.

    `boots`: over how many boots of the machine its rounds are spread, evenly; `hackbench`: the program's arguments.
    """

    cases: tuple[Case, ...]
    skips: tuple[Skip, ...]
    rounds: int
    values: int
    value_ms: float
    seed: int
    engine: str
    preset: str
    cpus: tuple[int, ...]
    boots: int = 1
    hackbench: str = ""

    def boot(self, number: int) -> int:
        """Return the number of the boot that a round belongs to."""
        return number * self.boots // self.rounds

    def rounds_of(self, boot: int) -> list[int]:
        """Return the numbers of the rounds that a boot has."""
        return [number for number in range(self.rounds) if self.boot(number) == boot]


@dataclass(frozen=True)
class LabPlace:
    """A place of the lab. `holder` is HOST/USER, empty when it is free; `resources` are those that are there now."""

    name: str
    tags: Mapping[str, str]
    holder: str
    resources: tuple[str, ...]


def described(name: str, doc: str, unavailable: str, flags: int) -> dict[str, Any]:
    """Return a kernel as the mapping that a target makes a Benchmark of; `flags` is struct host_benchmark's."""
    named = {flag: bool(flags & bit) for flag, bit in _FLAGS.items()}
    return {"name": name, "doc": doc, "unavailable": unavailable, **named}


@dataclass(frozen=True)
class Finding:
    """What a check found: `value` is what is there, `advice` what to do in words, `command` what to type.

    `packages` are Debian's that are missing; the command installs them.

    It is "bad" only when it keeps a native run from working, and "warn" when some rows will be missing or the numbers
    less steady than they could be.
    """

    name: str
    value: str
    status: Status = "ok"
    advice: str = ""
    command: str = ""
    packages: tuple[str, ...] = ()


def missing_packages(findings: Iterable[Finding]) -> list[str]:
    """Return Debian's names of all packages that were found missing, each once."""
    return list(dict.fromkeys(package for finding in findings for package in finding.packages))


@dataclass(frozen=True)
class DryRun:
    """A run that was not made: its plans, one an engine, and the command lines that it would execute.

    `plans` have no cases where the benchmarks are not known. `cpus` is empty where only the target knows them, `seed`
    None where each run draws its own; `expected_s` is how long the rounds take on a machine that is ours, None where
    only trying tells. `unknown` says, in sentences, what cannot be known before.
    """

    arch: str
    target: str
    options: RunOptions
    plans: tuple[Plan, ...]
    cpus: tuple[int, ...]
    seed: int | None
    expected_s: float | None
    calls: tuple[CommandLine, ...]
    unknown: tuple[str, ...]
