"""Which benchmarks, libraries and CPUs the words of a user name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rseqbench.errors import UsageError, unknown_name
from rseqbench.model import ALL, BASELINE, CONTROLS, Benchmark

# What every run measures, whatever was asked for: every value is also given net of the baseline, and the controls show
# whether the run raises false alarms.
ALWAYS_MEASURED = frozenset({BASELINE, *(name for pair in CONTROLS for name in pair)})


def parse_cpu_list(text: str) -> tuple[int, ...] | None:
    """Parse Linux's list format, "0-3,8", into CPU numbers in order; None for other text."""
    numbers: list[int] = []
    for part in filter(None, text.strip().split(",")):
        span = re.fullmatch(r"(\d{1,6})(?:-(\d{1,6}))?", part)
        if span is None or int(span[2] or span[1]) < int(span[1]):
            return None
        numbers.extend(range(int(span[1]), int(span[2] or span[1]) + 1))
    return tuple(numbers)


def select_benchmarks(
    benchmarks: Sequence[Benchmark], patterns: Sequence[str], along: Set[str] = frozenset()
) -> list[Benchmark]:
    """Return the benchmarks that the patterns name: "all" benchmarks, a group, group/method, or with * and ?.

    Whole programs, which take longer than everything else together, and shipped libraries have to be named. Those in
    `along` come along in any case. Raises UsageError for a pattern that names nothing.
    """
    chosen = set(along)
    for pattern in patterns:
        names = [b.name for b in benchmarks if matches(b, pattern)]
        if not names:
            known = {b.name for b in benchmarks} | {b.group for b in benchmarks} | {ALL}
            raise unknown_name("benchmark", pattern, known)
        chosen.update(names)
    return [b for b in benchmarks if b.name in chosen]


def matches(benchmark: Benchmark, pattern: str) -> bool:
    """Whether a pattern names a benchmark."""
    if pattern == ALL or set(pattern) == {"*"}:
        return not benchmark.whole and not benchmark.library
    return pattern in (benchmark.group, benchmark.name) or fnmatchcase(benchmark.name, pattern)


def choose_cpus(wanted: str | None, allowed: Set[int], isolated: Set[int]) -> tuple[int, ...]:
    """Return the CPUs to pin to, the one for single threads first.

    None prefers an isolated CPU, then the highest allowed one (CPU 0 often serves interrupts), then the others; else a
    list such as "2,3" or "0-3", taken as it stands. Raises UsageError for a CPU that is not there.
    """
    if wanted is None:
        free = sorted(allowed, reverse=True)
        return tuple([*(cpu for cpu in free if cpu in isolated), *(cpu for cpu in free if cpu not in isolated)])
    cpus = parse_cpu_list(wanted)
    if not cpus:
        raise UsageError(f"bad CPU list {wanted!r}", "write it like 0,2-3, or auto")
    missing = [cpu for cpu in cpus if cpu not in allowed]
    if missing:
        raise UsageError(f"CPU {missing[0]} is not one we may use", f"there are {sorted(allowed)}")
    return tuple(dict.fromkeys(cpus))


@dataclass(frozen=True)
class Library:
    """A library that the benchmarks of a group call as it is shipped.

    packages: Debian's, that it takes to compile and measure, each with the program, header or library it is needed for;
    own_group: the group of the patch that does the same without it. The module of its group's name in this folder has a
    function open_environment() that makes its LibraryEnvironment and ends it, and calls(), its command lines.
    """

    group: str
    title: str
    packages: Mapping[str, str]
    own_group: str


_LIBRARIES = (
    Library(
        "lttng",
        "LTTng-UST",
        {"lttng-tools": "lttng-sessiond", "liblttng-ust-dev": "lttng/tracepoint.h", "babeltrace2": "babeltrace2"},
        "ring_buffer",
    ),
    Library("urcu", "liburcu", {"liburcu-dev": "urcu.h"}, "rcu"),
    Library("jemalloc", "jemalloc", {"libjemalloc2": "libjemalloc.so"}, "freelist"),
)


LIBRARIES = {library.group: library for library in _LIBRARIES}


# The patterns that `--suite` stands for. With a library, the benchmarks that do the same without it are measured.
SUITES = {
    **{library.group: (library.group, library.own_group) for library in _LIBRARIES},
    "kernels": (ALL,),
    "all": (ALL, *LIBRARIES),
}


def suite_patterns(suites: Sequence[str], benchmarks: Sequence[str]) -> list[str]:
    """Return the patterns of benchmarks that suites and `benchmarks` mean together. Raises UsageError."""
    for name in suites:
        if name not in SUITES:
            raise unknown_name("suite", name, SUITES)
    return list(dict.fromkeys([*(pattern for name in suites for pattern in SUITES[name]), *benchmarks]))


def requested_libraries(patterns: Sequence[str]) -> list[str]:
    """Return the groups of shipped libraries that patterns of benchmarks ask for by name."""
    return [group for group in LIBRARIES if any(_may_name(pattern, group) for pattern in patterns)]


def _may_name(pattern: str, group: str) -> bool:
    """Whether a pattern may name a benchmark of a group; one of stars alone means all benchmarks."""
    return fnmatchcase(group, pattern.partition("/")[0]) and bool(pattern.strip("*"))
