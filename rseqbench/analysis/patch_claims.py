"""Pure: what the patch message states, as claims and pairs, and the arithmetic on it."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from rseqbench.analysis import stats
from rseqbench.model import BASELINE, NO_BENCHMARK, BenchmarkId, CaseKey

Kind = Literal["speedup", "equal", "time", "size", "percent", "between"]
_PAIR = ("getcpu_atomic", "rseq")  # the two columns of the message's tables, in our words


@dataclass(frozen=True)
class Claim:
    """One number of the patch message; claims.toml says what each field means."""

    id: str
    text: str
    kind: Kind
    stated: float
    arch: str = ""
    slow: BenchmarkId = NO_BENCHMARK
    fast: BenchmarkId = NO_BENCHMARK
    current: tuple[BenchmarkId, BenchmarkId] | None = None
    net: bool = False
    vdso: bool = False
    library: Mapping[str, str] = field(default_factory=dict)
    whole: str = ""
    timed: str = ""
    range: str = ""
    needs: str = ""
    unit: str = "x"
    deviation: float = 0.0
    runs: int = 0

    def __post_init__(self) -> None:
        for name in ("slow", "fast"):
            object.__setattr__(self, name, BenchmarkId(getattr(self, name)))
        if self.current:
            slow, fast = self.current
            object.__setattr__(self, "current", (BenchmarkId(slow), BenchmarkId(fast)))

    @property
    def pair(self) -> tuple[CaseKey, CaseKey]:
        """The keys of the slow and the fast benchmark."""
        return CaseKey(self.arch, self.slow), CaseKey(self.arch, self.fast)

    @property
    def in_library(self) -> Claim:
        """The same claim, of the benchmarks that measure the shipped library itself."""
        slow, fast, current = (BenchmarkId(self.library.get(name, "")) for name in ("slow", "fast", "current"))
        pair = (current, fast) if current else None
        return dataclasses.replace(self, slow=slow, fast=fast, current=pair, whole="")


@dataclass(frozen=True)
class ArchPair:
    """Two benchmarks whose quotient slow/fast says something: `why`. With `net`, both without the empty loop."""

    arch: str
    slow: BenchmarkId
    fast: BenchmarkId
    net: bool
    why: str

    def __post_init__(self) -> None:
        for name in ("slow", "fast"):
            object.__setattr__(self, name, BenchmarkId(getattr(self, name)))


@dataclass(frozen=True)
class Arithmetic:
    """A claim recomputed from the patch's own table: `value` within `low`..`high`, what its printed digits allow."""

    formula: str
    value: float
    low: float
    high: float
    agrees: bool


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("claims.toml").read_text(encoding="utf-8"))


@cache
def written_claims() -> tuple[Claim, ...]:
    """Return the claims that the message's text makes, in the order of the text."""
    return tuple(Claim(**claim) for claim in _data()["claim"])


def all_claims(patch: pd.DataFrame) -> list[Claim]:
    """Return every number of the message: the written claims, then each time of its tables (the run `patch`)."""
    rows = zip(patch["benchmark"].to_list(), patch["arch"].to_list(), patch["value"].to_list(), strict=True)
    times = [
        Claim(f"{name}@{arch}", f"{value:.1f} ns", "time", stated=value, arch=arch, slow=name, unit="ns")
        for name, arch, value in rows
    ]
    return [*written_claims(), *times]


def pairs_on(arches: Sequence[str]) -> list[ArchPair]:
    """Return the quotients worth showing on these architectures: claimed, in use today, and what a reader asks for."""
    found: dict[tuple[str, str, str], ArchPair] = {}
    for claim in written_claims():
        if claim.kind in ("speedup", "equal") and claim.arch in arches:
            claimed = ArchPair(claim.arch, claim.slow, claim.fast, claim.net, "as the patch claims it")
            found.setdefault((claimed.arch, claimed.slow, claimed.fast), claimed)
            if claim.current:
                current = ArchPair(claim.arch, *claim.current, claim.net, "what a user would replace today")
                found.setdefault((current.arch, current.slow, current.fast), current)
    for entry in _data()["pair"]:
        for arch in arches:
            found.setdefault((arch, entry["slow"], entry["fast"]), ArchPair(arch, net=False, **entry))
    return list(found.values())


def arithmetic(claim: Claim, patch: pd.DataFrame) -> Arithmetic | None:
    """Recompute a claim from the patch's table; None for a number that is not computed from others.

    Every printed value stands for an interval of half its last digit to both sides, and so does the stated one.
    """
    if claim.kind == "between":
        return hackbench_arithmetic()
    if claim.kind not in ("speedup", "equal"):
        return None
    columns = (patch[name].to_list() for name in ("arch", "benchmark", "value"))
    value_of = {name: value for arch, name, value in zip(*columns, strict=True) if arch == claim.arch}
    top, bottom = value_of[claim.slow], value_of[claim.fast]
    base = value_of[BASELINE] if claim.net else 0.0
    half, base_half = 0.05, 0.05 if claim.net else 0.0
    value = (top - base) / (bottom - base)
    # Quotients are monotonic in each value, so the extremes lie at the ends (for net: the baseline's ends are shared).
    corners = [
        (top + t - base - s) / (bottom + b - base - s)
        for t in (-half, half)
        for b in (-half, half)
        for s in (-base_half, base_half)
    ]
    digit = 0.05 if claim.stated % 1 else 0.5
    agrees = min(corners) - digit <= claim.stated <= max(corners) + digit
    formula = f"({top:g} - {base:g}) / ({bottom:g} - {base:g})" if claim.net else f"{top:g} / {bottom:g}"
    return Arithmetic(formula, value, min(corners), max(corners), agrees)


def hackbench_arithmetic(confidence: float = 0.95) -> Arithmetic:
    """Divide the message's two times of hackbench, with an interval from their printed deviations and numbers of runs.

    Welch's interval (1947), on the logarithm, where a deviation is the relative one.
    """
    without, having = (next(c for c in written_claims() if c.id == name) for name in ("hackbench-n", "hackbench-y"))
    variances = [(claim.deviation / claim.stated) ** 2 / claim.runs for claim in (without, having)]
    degrees = sum(variances) ** 2 / sum(v**2 / (c.runs - 1) for v, c in zip(variances, (without, having), strict=True))
    half = stats.student_quantile(confidence, degrees) * math.sqrt(sum(variances))
    value = without.stated / having.stated
    low, high = value * math.exp(-half), value * math.exp(half)
    return Arithmetic(f"{without.stated:g} / {having.stated:g}", value, low, high, agrees=low > 1)


@dataclass(frozen=True)
class Section:
    """A part of the message: its title, the group that reproduces it, and its words for the benchmarks it lists.

    library: the group that does the same in the library as it is shipped.
    """

    title: str
    group: str = ""
    library: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)


SECTIONS = (
    Section("Per-CPU statistic counter increment", "counter"),
    Section("LTTng-UST: write event 32-bit header, 32-bit payload into tracer per-cpu buffer", "ring_buffer", "lttng"),
    Section("liburcu percpu: lock-unlock pair, dereference, read/compare word", "rcu", "urcu"),
    Section("jemalloc memory allocator adapted to use rseq", "freelist", "jemalloc"),
    Section(
        "Reading the current CPU number",
        "cpu_id",
        "",
        {
            "cpu_id/baseline": "Baseline (empty loop)",
            "cpu_id/rseq": "Read CPU from rseq cpu_id",
            "cpu_id/rseq_lazy": "Read CPU from rseq cpu_id (lazy register)",
            "cpu_id/gs": "Read using gs segment selector",
            "cpu_id/lsl": '"lsl" inline assembly',
            "cpu_id/sched_getcpu_norseq": "glibc getcpu (the patch: 2.19)",
            "cpu_id/getcpu_syscall": "getcpu system call",
        },
    ),
    Section("Speed (benchmark taken on v8 of patchset)"),
    Section("Size"),
)


_WITHOUT_BENCHMARK = {"jemalloc": SECTIONS[3], "hackbench": SECTIONS[5], "size": SECTIONS[6]}  # by the claim's id


_BY_GROUP = {group: section for section in SECTIONS for group in (section.group, section.library) if group}


def section_of(claim: Claim) -> Section:
    """Return the part of the message in which the claim stands."""
    group = claim.slow.group
    return _BY_GROUP[group] if group else _WITHOUT_BENCHMARK[claim.id.partition("-")[0]]


def group_title(group: str) -> str:
    """Return the message's title for a group, or an empty string for a group of our own."""
    return _BY_GROUP[group].title if group in _BY_GROUP else ""


def group_order(group: str) -> tuple[int, str]:
    """Return a sort key: groups in the order of the message, then the others by name."""
    names = list(_BY_GROUP)
    return (names.index(group) if group in names else len(names), group)


def table_pair(section: Section) -> tuple[BenchmarkId, BenchmarkId]:
    """Return the benchmarks of the two columns that the message's tables have."""
    slow, fast = _PAIR
    return BenchmarkId.of_parts(section.group, slow), BenchmarkId.of_parts(section.group, fast)
