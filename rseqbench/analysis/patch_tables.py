"""Pure: the message's own tables with a run beside them, as typed rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from rseqbench.analysis import dataset, patch_claims
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.outcomes import Lacks, NotSelected, Reasons
from rseqbench.analysis.patch_claims import Section
from rseqbench.analysis.summary import BenchmarkRow
from rseqbench.model import REPLAY, BenchmarkId, CaseKey, Estimate, Machine
from rseqbench.selection import LIBRARIES
from rseqbench.store.runs import Run

NamePair = tuple[BenchmarkId, BenchmarkId]  # the slow benchmark and the fast one
REPLAYED = "REPLAYED run"  # in place of "this run"


@dataclass(frozen=True)
class PairLine:
    """One line of a table with two columns and a speed-up: a machine of the message, or the run's.

    `stated` is the speed-up that the message prints, `speedup` the one that was measured.
    """

    who: str
    slow: BenchmarkId
    fast: BenchmarkId
    values: tuple[Row | None, Row | None]
    stated: float | None
    speedup: Estimate | None
    reasons: Reasons


@dataclass(frozen=True)
class ListLine:
    """One line of a list of times: the message's words, its value on each of its machines, and the run's."""

    benchmark: BenchmarkId
    words: str
    printed: tuple[Row | None, ...]
    measured: tuple[BenchmarkRow | None, ...]


@dataclass(frozen=True)
class PatchTable:
    """A table of the message with the run beside it; it has either `pairs` or `lines`.

    `printed_on` and `measured_on` name the machines of the two tuples in each ListLine.
    """

    section: Section
    pairs: tuple[PairLine, ...]
    lines: tuple[ListLine, ...]
    printed_on: tuple[Machine, ...]
    measured_on: tuple[Machine, ...]


def tables(
    run: Run,
    frame: pd.DataFrame,
    found: Sequence[BenchmarkRow],
    patch: Run,
    patch_frame: pd.DataFrame,
    confidence: float,
) -> tuple[PatchTable, ...]:
    """Return the message's tables with `run` beside them; the patch's own run is shown without anything beside it."""
    rows = {row.key: row for row in dataset.summarise(patch_frame, confidence)}
    printed_on = patch.header.machines
    measured_on = () if run.label == patch.label else run.header.machines

    def quotient(slow: CaseKey, fast: CaseKey) -> Estimate | None:
        return dataset.speedup(frame, run.label, slow, fast, confidence)

    shown = []
    for section in patch_claims.SECTIONS:
        if section.lines:
            names = [(BenchmarkId(name), words) for name, words in section.lines.items()]
            lines = tuple(_list_line(name, words, rows, printed_on, found, measured_on) for name, words in names)
            shown.append(PatchTable(section, (), lines, printed_on, measured_on))
        elif (printed_on[0].arch, patch_claims.table_pair(section)[0], 1) in rows:
            printed = [_printed_pair(section, machine, rows) for machine in printed_on]
            beside = [
                line
                for machine in measured_on
                for line in _measured_pairs(section, machine, found, quotient, several=len(measured_on) > 1)
            ]
            shown.append(PatchTable(section, (*printed, *beside), (), printed_on, measured_on))
    return tuple(shown)


def _printed_pair(section: Section, machine: Machine, rows: Mapping[CaseKey, Row]) -> PairLine:
    slow, fast = patch_claims.table_pair(section)
    claimed = [
        c.stated for c in patch_claims.written_claims() if (c.slow, c.fast, c.arch) == (slow, fast, machine.arch)
    ]
    values = rows.get(CaseKey(machine.arch, slow)), rows.get(CaseKey(machine.arch, fast))
    return PairLine(f"patch, {machine.arch}", slow, fast, values, claimed[0] if claimed else None, None, ())


def _measured_pairs(
    section: Section,
    machine: Machine,
    found: Sequence[BenchmarkRow],
    quotient: Callable[[CaseKey, CaseKey], Estimate | None],
    several: bool,
) -> Iterable[PairLine]:
    """Yield the run's line for the pair as claimed, and one for the pair that a user would compare today."""
    by_name = {m.benchmark: m for m in found if m.arch == machine.arch and m.threads == 1}
    claimed = patch_claims.table_pair(section)
    todays = [
        c.current
        for c in patch_claims.written_claims()
        if (c.slow, c.fast) == claimed and c.arch == machine.arch and c.current
    ]
    who = REPLAYED if machine.target == REPLAY else "this run"
    who = f"{who}, {machine.arch}" if several else who
    libraries = {pair: f"{who}, {title}" for pair, title in _in_libraries(claimed, machine.arch) if pair[0] in by_name}
    for slow, fast in dict.fromkeys([claimed, *todays, *libraries]):
        both = by_name.get(slow), by_name.get(fast)
        values = both[0].row if both[0] else None, both[1].row if both[1] else None
        lacking = [(name, one) for name, one in zip((slow, fast), both, strict=True) if one is None or one.row is None]
        why = tuple(
            Lacks(name, reason) for name, one in lacking for reason in (one.reasons if one else (NotSelected(),))
        )
        speedup = quotient(CaseKey(machine.arch, slow), CaseKey(machine.arch, fast))
        yield PairLine(libraries.get((slow, fast), who), slow, fast, values, None, speedup, why)


def _in_libraries(claimed: NamePair, arch: str) -> Iterable[tuple[NamePair, str]]:
    """Yield the pairs that measure the same in the shipped library, each with the library's name."""
    for claim in patch_claims.written_claims():
        if (claim.slow, claim.fast) == claimed and claim.arch == arch and claim.library:
            shipped = claim.in_library
            title = LIBRARIES[shipped.slow.group].title
            yield (shipped.slow, shipped.fast), title
            if shipped.current:
                yield shipped.current, title


def _list_line(
    name: BenchmarkId,
    words: str,
    rows: Mapping[CaseKey, Row],
    printed_on: Sequence[Machine],
    found: Sequence[BenchmarkRow],
    measured_on: Sequence[Machine],
) -> ListLine:
    mine = {(m.arch, m.benchmark, m.threads): m for m in found}
    printed = tuple(rows.get(CaseKey(machine.arch, name)) for machine in printed_on)
    return ListLine(name, words, printed, tuple(mine.get((machine.arch, name, 1)) for machine in measured_on))
