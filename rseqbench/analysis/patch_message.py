"""Where in the patch message each number stands, and the message's own words for what it timed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rseqbench.analysis.patch_claims import Claim
from rseqbench.model import BenchmarkId


@dataclass(frozen=True)
class Section:
    """A part of the message: its title, the group that reproduces it, and its words for the benchmarks it lists.

    library: the group that does the same in the library as it is shipped.
    """

    title: str
    group: str = ""
    library: str = ""
    lines: Mapping[str, str] = field(default_factory=dict)


_PAIR = ("getcpu_atomic", "rseq")  # the two columns of the message's tables, in our words

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


def pair(section: Section) -> tuple[BenchmarkId, BenchmarkId]:
    """Return the benchmarks of the two columns that the message's tables have."""
    slow, fast = _PAIR
    return BenchmarkId.of_parts(section.group, slow), BenchmarkId.of_parts(section.group, fast)
