"""Pure: shipped libraries beside the benchmarks that do the same without them, and what of the patch they leave out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from rseqbench.analysis import dataset
from rseqbench.analysis.summary import BenchmarkRow
from rseqbench.model import BenchmarkId, CaseKey, Estimate
from rseqbench.selection import LIBRARIES, Library
from rseqbench.store.runs import Run


@dataclass(frozen=True)
class Difference:
    """By how much one benchmark is slower than another, inside each round; `words` say of what that is the price."""

    slow: BenchmarkId
    fast: BenchmarkId
    words: str
    price: Estimate


@dataclass(frozen=True)
class LibraryComparison:
    """A library's rows and those of its benchmarks together, the cheapest first, those without a value last."""

    library: Library
    arch: str
    rows: tuple[BenchmarkRow, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


# slow, fast, and of what their difference is the price. The message's getcpu, as we read it, is LSL on x86-64, and
# elsewhere the C library's (kernels/include/percpu.h): of lttng/lsl and lttng/syscall, that one is shown.
_GETCPU_2018 = {"x86_64": "an LSL"}
_PRICES: Mapping[str, Sequence[tuple[str, str, str]]] = {
    "lttng": (
        ("lttng/lsl", "lttng/rseq", "an LSL in place of rseq, in LTTng-UST"),
        ("lttng/syscall", "lttng/rseq", "the getcpu system call in place of rseq, in LTTng-UST"),
        ("ring_buffer/getcpu_atomic", "ring_buffer/rseq_atomic", "{getcpu_2018} in place of rseq, in the kernel"),
        (
            "ring_buffer/rseq_atomic",
            "ring_buffer/rseq",
            "the two atomics of an event, in the kernel: LTTng-UST keeps them, so its rows do not include this gain",
        ),
    ),
    "urcu": (("urcu/memb", "urcu/memb_inline", "calling liburcu in place of inlining it"),),
}
_NOTES: Mapping[str, Sequence[str]] = {
    "lttng": (
        "LTTng's session daemon chooses an event's header: by lttng-tools 2.13 it has 48 bits with per-user buffers, "
        "where the patch's had 32. Both read a clock for it.",
    ),
    "urcu": (
        "No flavour that liburcu ships counts its readers by CPU, as the patch's branch did: the claim is carried by "
        "the kernels of group rcu, and the flavours are what a user of liburcu has today.",
    ),
}


def compare_libraries(
    run: Run, frame: pd.DataFrame, found: Sequence[BenchmarkRow], confidence: float
) -> tuple[LibraryComparison, ...]:
    """Return each library that `run` measured by loops, or was asked to, on each of its machines.

    `frame` is its table.
    """
    return tuple(
        _beside(run.label, machine.arch, library, frame, found, confidence)
        for machine in run.header.machines
        for library in LIBRARIES.values()
        if library.group in _NOTES and any(one.group == library.group and one.arch == machine.arch for one in found)
    )


def _beside(
    label: str, arch: str, library: Library, frame: pd.DataFrame, found: Sequence[BenchmarkRow], confidence: float
) -> LibraryComparison:
    groups = (library.group, library.own_group)
    rows = [one for one in found if one.arch == arch and one.group in groups]
    measured = {one.benchmark for one in rows if one.row}
    getcpu = _GETCPU_2018.get(arch, "the C library's getcpu")
    differences = []
    for slow_name, fast_name, words in _PRICES.get(library.group, ()):
        slow, fast = BenchmarkId(slow_name), BenchmarkId(fast_name)
        if slow == "lttng/syscall" and "lttng/lsl" in measured:
            continue
        price = dataset.difference(frame, label, CaseKey(arch, slow), CaseKey(arch, fast), confidence)
        if price is not None:
            differences.append(Difference(slow, fast, words.format(getcpu_2018=getcpu), price))
    order = sorted(rows, key=lambda one: one.row.gross.value if one.row else math.inf)
    return LibraryComparison(library, arch, tuple(order), tuple(differences), tuple(_NOTES.get(library.group, ())))
