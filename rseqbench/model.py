"""The frozen dataclasses that every room shares. No behaviour beyond what the words themselves mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, Literal, NamedTuple, Self, get_args, get_type_hints

from rseqbench.config import RequestedOptions

Fact = str | int | float | bool
Timing = Literal["hardware", "virtual", "emulated", "published"]
ALL = "all"  # the pattern that names every benchmark but whole programs and libraries
USER_ONLY = "qemu-user"  # the target that counts a program's instructions without Linux's
REPLAY = "replay"  # the target that measures nothing: it hands out the rounds of a stored run
COUNTED = ("instructions", "cycles", "branch_misses")  # what a CPU's own counters count, in user mode
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
    """One thing that can be timed, as the compiled benchmarks describe it.

    `unavailable` is the reason why it cannot run on this target, or empty. `shared`: it changes state that threads
    share, and is proved exact under stress; `sequence`: it runs rseq sequences, so its check must see aborts;
    `threaded`: it may be timed with several threads at once; `trivial`: it has no result that could be wrong;
    `own_cpus`: a thread of it that is preempted stops the others, so it needs as many CPUs as threads; `whole`: it is a
    whole program, and `library` a loop that calls a library as it is shipped: both are measured only where they are
    asked for by name.
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


class CaseKey(NamedTuple):
    """What makes measurements of a case comparable between rounds and between runs."""

    arch: str
    benchmark: BenchmarkId
    threads: int = 1


class SkipKind(StrEnum):
    """Why a case has no number: what decisions are made by. The reason itself is for people."""

    UNAVAILABLE = "unavailable"
    REGISTRATION = "registration"
    THREADS = "threads"
    CHECK_FAILED = "check failed"
    VOID = "void in too many rounds"
    FAILED = "failed in every round"


@dataclass(frozen=True)
class Skip:
    """A case without a number, and why."""

    benchmark: BenchmarkId
    threads: int
    reason: str
    kind: SkipKind = SkipKind.UNAVAILABLE

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


class Virtualization(StrEnum):
    """Which hypervisor a machine runs under, as the fact `virtual` of run.json spells it."""

    NONE = "none"
    UNKNOWN = "unknown"  # there is one, which hides its name, or whose name only another rseqbench knows
    EMULATED = "qemu, emulating"  # no CPU runs the kernel, so its clock tells no time
    QEMU = "qemu"
    KVM = "kvm"
    VMWARE = "vmware"
    VIRTUALBOX = "virtualbox"
    XEN = "xen"
    HYPERV = "hyperv"
    PARALLELS = "parallels"
    APPLE = "apple"
    BHYVE = "bhyve"

    @classmethod
    def _missing_(cls, value: object) -> Virtualization | None:
        return cls.UNKNOWN if value else None


_CONSTANT = {"constant": True}  # a fact that must not change between the rounds of one run


@dataclass(frozen=True)
class Facts:
    """What is known of a machine and of the software that measured on it; None where it is not known.

    Each field is a key of `facts` in run.json, and is left out there where it is None. `other` keeps the facts that
    this version does not know, or not with such a value, as they were read.
    """

    replay: str | None = None
    cpu: str | None = field(default=None, metadata=_CONSTANT)
    cpu_model: str | None = field(default=None, metadata=_CONSTANT)
    machine: str | None = None
    cpus: int | None = None
    linux: str | None = field(default=None, metadata=_CONSTANT)
    config_rseq: str | None = field(default=None, metadata=_CONSTANT)
    virtual: Virtualization | None = field(default=None, metadata=_CONSTANT)
    governor: str | None = None
    smt: str | None = None
    turbo: str | None = None
    load_1min: float | None = None
    isolated_cpus: str | None = None
    vdso_getcpu: str | None = None
    clocksource: str | None = None
    libc: str | None = field(default=None, metadata=_CONSTANT)
    page_size: int | None = None
    python: str | None = None
    pyperf: str | None = None
    compiler: str | None = field(default=None, metadata=_CONSTANT)
    cflags: str | None = None
    kernels: str | None = field(default=None, metadata=_CONSTANT)
    registration: Registration | None = field(default=None, metadata=_CONSTANT)
    glibc_registers: bool | None = None
    rseq_size: int | None = None
    rseq_registered: int | None = None
    rseq_feature_size: int | None = field(default=None, metadata=_CONSTANT)
    counters: str | None = None
    rseq_reason: str | None = None
    lttng_ust: str | None = field(default=None, metadata=_CONSTANT)
    lttng_tools: str | None = None
    babeltrace2: str | None = None
    lttng_linked: str | None = field(default=None, metadata=_CONSTANT)
    lttng_channel: str | None = None
    liburcu: str | None = field(default=None, metadata=_CONSTANT)
    liburcu_linked: str | None = field(default=None, metadata=_CONSTANT)
    jemalloc: str | None = None
    emulator: str | None = field(default=None, metadata=_CONSTANT)
    check_cpus: int | None = None
    linux_image: str | None = None
    linux_package: str | None = field(default=None, metadata=_CONSTANT)
    runner: str | None = field(default=None, metadata=_CONSTANT)
    virtme_ng: str | None = None
    linux_build: str | None = field(default=None, metadata=_CONSTANT)
    linux_source: str | None = None
    linux_base: str | None = None
    linux_compiler: str | None = None
    place: str | None = None
    place_tags: str | None = None
    coordinator: str | None = None
    labgrid_environment: str | None = None
    other: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def is_virtual(self) -> bool:
        """Whether the machine is known to run under a hypervisor."""
        return self.virtual not in (None, Virtualization.NONE)

    def __or__(self, later: Facts) -> Facts:
        """Return the facts of both; where both know one, that of `later`."""
        return replace(self, **later._known(), other={**self.other, **later.other})

    def to_dict(self) -> dict[str, Fact]:
        """Return the facts that are known, as run.json has them."""
        known = self._known().items()
        return {name: str(value) if isinstance(value, StrEnum) else value for name, value in known} | dict(self.other)

    def _known(self) -> dict[str, Any]:
        return {name: value for name in _FACT_TYPES if (value := getattr(self, name)) is not None}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Fact]) -> Facts:
        """Return the facts that to_dict() made, this version's or another's."""
        read = {name: _typed(_FACT_TYPES.get(name), value) for name, value in stored.items()}
        known: dict[str, Any] = {name: value for name, value in read.items() if value is not None}
        return cls(**known, other={name: value for name, value in stored.items() if read[name] != value})


def _typed(kind: type | None, value: Fact) -> Fact | None:
    """Return a stored value as its field has it; None where it is of another type."""
    if kind is None:
        return None
    if issubclass(kind, StrEnum):
        try:
            return kind(str(value))
        except ValueError:
            return None
    return value if type(value) is kind or (kind is float and type(value) is int) else None


_FACT_TYPES: Mapping[str, type] = {
    name: get_args(hint)[0] for name, hint in get_type_hints(Facts).items() if name != "other"
}
SAME_IN_A_RUN = tuple(fact.name for fact in fields(Facts) if fact.metadata.get("constant"))


@dataclass(frozen=True)
class Machine:
    """One machine that a run's numbers come from; a run has one, the patch's own table has two."""

    arch: str
    target: str
    timing: Timing
    facts: Facts = Facts()

    @property
    def emulates(self) -> bool:
        """Whether a machine whose clock we have to believe is seen to be an emulated one."""
        return self.timing != "emulated" and self.facts.virtual == Virtualization.EMULATED

    def to_dict(self) -> dict[str, Any]:
        """Return the machine as run.json has it."""
        return {"arch": self.arch, "target": self.target, "timing": self.timing, "facts": self.facts.to_dict()}


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
    """What can be said of a claim; the words are fixed, the rules stand in analysis/verdicts.py."""

    REPRODUCED = "reproduced"
    STRONGER = "stronger"
    WEAKER = "weaker"
    UNRESOLVED = "no difference resolved"
    CONTRADICTED = "contradicted"
    NOT_COMPARABLE = "not comparable"
    NOT_MEASURED = "not measured"


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
    options: RequestedOptions
    plans: tuple[Plan, ...]
    cpus: tuple[int, ...]
    seed: int | None
    expected_s: float | None
    calls: tuple[CommandLine, ...]
    unknown: tuple[str, ...]
