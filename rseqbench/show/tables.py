"""Pure: the contents of every table as typed rows, so that the formats can differ in looks only.

A run's values, the message's own tables with the run beside them, the verdicts on its claims, and two runs compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from rseqbench import between, claims, compare, table
from rseqbench.between import Said
from rseqbench.claims import Judged, Pair
from rseqbench.config import VerdictRules
from rseqbench.linux import kconfig
from rseqbench.linux.sizes import Sizes
from rseqbench.model import REPLAY, Check, Estimate, Machine, Skip
from rseqbench.results import Header, Run
from rseqbench.show import booted, message, sentences
from rseqbench.show.message import Section
from rseqbench.suites.libraries import LIBRARIES
from rseqbench.table import Key, Row

REPLAYED = "REPLAYED run"  # in place of "this run"
NO_CHECK = "no check"  # of a benchmark that shares no state, or where the run was told not to check


@dataclass(frozen=True)
class Measured:
    """One benchmark of a run: its values, or the reason why there are none."""

    arch: str
    benchmark: str
    threads: int
    doc: str
    check: str
    row: Row | None
    reason: str
    replayed: bool = False

    @property
    def group(self) -> str:
        """The use case it belongs to."""
        return self.benchmark.partition("/")[0]

    @property
    def method(self) -> str:
        """The way it is done."""
        return self.benchmark.partition("/")[2]


@dataclass(frozen=True)
class PairLine:
    """One line of a table with two columns and a speed-up: a machine of the message, or the run's.

    `stated` is the speed-up that the message prints, `speedup` the one that was measured.
    """

    who: str
    slow: str
    fast: str
    values: tuple[Row | None, Row | None]
    stated: float | None
    speedup: Estimate | None
    reason: str


@dataclass(frozen=True)
class ListLine:
    """One line of a list of times: the message's words, its value on each of its machines, and the run's."""

    benchmark: str
    words: str
    printed: tuple[Row | None, ...]
    measured: tuple[Measured | None, ...]


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


@dataclass(frozen=True)
class Compared:
    """Run `b` against run `a`: a row a benchmark, what neither could measure, and the speed-ups inside each.

    Where each booted a Linux that was built for it, `sizes` are how large those are and `options` in what their
    configurations differ; `beyond` is what else they differ in, in words; `said` is what the two say of the claims
    about CONFIG_RSEQ; `notes` limit it all.
    """

    a: str
    b: str
    rows: tuple[compare.Comparison, ...]
    skips: tuple[tuple[str, Skip], ...]
    speedups: tuple[compare.Speedup, ...]
    said: tuple[Said, ...] = ()
    sizes: tuple[Sizes, Sizes] | None = None
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    beyond: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Quotient:
    """A pair's quotient inside a run: on a core of its own, and beside a neighbour where one was there.

    `unit` is that of the values: a quotient of instructions is none of times.
    """

    pair: Pair
    unit: str
    alone: Estimate
    beside: Estimate | None


def quotients(run: Run, frame: pd.DataFrame, confidence: float) -> tuple[Quotient, ...]:
    """Return every quotient worth showing that `run` has the values for."""
    found = []
    for pair in claims.pairs([machine.arch for machine in run.header.machines]):
        keys: tuple[Key, Key] = (pair.arch, pair.slow, 1), (pair.arch, pair.fast, 1)
        alone = table.speedup(frame, run.label, *keys, confidence, pair.net)
        if alone is not None:
            beside = table.speedup(frame, run.label, *keys, confidence, pair.net, "busy")
            found.append(Quotient(pair, table.unit(frame, run.label, pair.arch), alone, beside))
    return tuple(found)


def measured(run: Run, frame: pd.DataFrame, confidence: float) -> tuple[Measured, ...]:
    """Return a row for everything that `run` measured, skipped or planned in vain; `frame` is its tidy table.

    By machine, then group in the order of the message; what has no values comes last in its group.
    """
    header = run.header
    rows = {row.key: row for row in table.summarise(frame[frame["label"] == run.label], confidence)}
    reasons, checks, replayed = _reasons(header, rows), _checks(header.checks), sentences.replayed(header)
    found = [
        Measured(*key, header.docs.get(key[1], ""), checks.get(key[1], NO_CHECK), rows.get(key), why, replayed)
        for key, why in {**reasons, **dict.fromkeys(rows, "")}.items()
    ]
    known = list(header.docs) or [name for section in message.SECTIONS for name in section.lines]
    place = {name: number for number, name in enumerate(known)}
    machines = [machine.arch for machine in header.machines]

    def order(one: Measured) -> tuple[object, ...]:
        rank = (one.row is None, place.get(one.benchmark, len(place)), one.benchmark, one.threads)
        return (machines.index(one.arch), message.group_order(one.group), *rank)

    return tuple(sorted(found, key=order))


def _reasons(header: Header, rows: Mapping[Key, Row]) -> dict[Key, str]:
    """Return why each case without values has none; nothing that was planned may vanish."""
    arch = header.machines[0].arch
    found = {(arch, case.benchmark, case.threads): "planned, but no values are stored" for case in header.plan.cases}
    for check in header.checks:
        if not check.passed:
            found[arch, check.benchmark, 1] = f"check FAILED: {check.message}".removesuffix(": ")
    found |= {(arch, skip.benchmark, skip.threads): skip.reason for skip in header.plan.skips}
    return {key: why for key, why in found.items() if key not in rows}


def _checks(checks: Iterable[Check]) -> dict[str, str]:
    """Return one word a benchmark: its worst check's, except that one exercised check is enough."""
    by_name: dict[str, list[Check]] = {}
    for check in checks:
        by_name.setdefault(check.benchmark, []).append(check)
    return {
        name: min(own, key=lambda check: (check.passed, not check.exercised, check.short)).verdict
        for name, own in by_name.items()
    }


def judged(run: Run, frame: pd.DataFrame, patch: pd.DataFrame, rules: VerdictRules) -> tuple[Judged, ...]:
    """Return the verdict on every claim of the message, each by the machine of `run` that has the claim's arch."""
    header = run.header
    each = [claims.judge(frame, run.label, m, patch, rules, header.plan.skips) for m in header.machines]
    arches = [machine.arch for machine in header.machines]
    places = [arches.index(one.claim.arch) if one.claim.arch in arches else 0 for one in each[0]]
    return tuple(own[place] for own, place in zip(zip(*each, strict=True), places, strict=True))


def patch_tables(
    run: Run, frame: pd.DataFrame, found: Sequence[Measured], patch: Run, patch_frame: pd.DataFrame, confidence: float
) -> tuple[PatchTable, ...]:
    """Return the message's tables with `run` beside them; the patch's own run is shown without anything beside it."""
    rows = {row.key: row for row in table.summarise(patch_frame, confidence)}
    printed_on = patch.header.machines
    measured_on = () if run.label == patch.label else run.header.machines

    def quotient(slow: Key, fast: Key) -> Estimate | None:
        return table.speedup(frame, run.label, slow, fast, confidence)

    shown = []
    for section in message.SECTIONS:
        if section.lines:
            names = section.lines.items()
            lines = tuple(_list_line(name, words, rows, printed_on, found, measured_on) for name, words in names)
            shown.append(PatchTable(section, (), lines, printed_on, measured_on))
        elif (printed_on[0].arch, message.pair(section)[0], 1) in rows:
            printed = [_printed_pair(section, machine, rows) for machine in printed_on]
            beside = [
                line
                for machine in measured_on
                for line in _measured_pairs(section, machine, found, quotient, several=len(measured_on) > 1)
            ]
            shown.append(PatchTable(section, (*printed, *beside), (), printed_on, measured_on))
    return tuple(shown)


def _printed_pair(section: Section, machine: Machine, rows: Mapping[Key, Row]) -> PairLine:
    slow, fast = message.pair(section)
    stated = [c.stated for c in claims.written() if (c.slow, c.fast, c.arch) == (slow, fast, machine.arch)]
    values = rows.get((machine.arch, slow, 1)), rows.get((machine.arch, fast, 1))
    return PairLine(f"patch, {machine.arch}", slow, fast, values, stated[0] if stated else None, None, "")


def _measured_pairs(
    section: Section,
    machine: Machine,
    found: Sequence[Measured],
    quotient: Callable[[Key, Key], Estimate | None],
    several: bool,
) -> Iterable[PairLine]:
    """Yield the run's line for the pair as claimed, and one for the pair that a user would compare today."""
    by_name = {m.benchmark: m for m in found if m.arch == machine.arch and m.threads == 1}
    claimed = message.pair(section)
    todays = [c.today for c in claims.written() if (c.slow, c.fast) == claimed and c.arch == machine.arch and c.today]
    who = REPLAYED if machine.target == REPLAY else "this run"
    who = f"{who}, {machine.arch}" if several else who
    libraries = {pair: f"{who}, {title}" for pair, title in _in_libraries(claimed, machine.arch) if pair[0] in by_name}
    for slow, fast in dict.fromkeys([claimed, *todays, *libraries]):
        both = by_name.get(slow), by_name.get(fast)
        values = both[0].row if both[0] else None, both[1].row if both[1] else None
        lacking = [(name, one) for name, one in zip((slow, fast), both, strict=True) if one is None or one.row is None]
        why = "; ".join(f"{name}: {one.reason if one else 'not selected in this run'}" for name, one in lacking)
        speedup = quotient((machine.arch, slow, 1), (machine.arch, fast, 1))
        yield PairLine(libraries.get((slow, fast), who), slow, fast, values, None, speedup, why)


def _in_libraries(claimed: tuple[str, str], arch: str) -> Iterable[tuple[tuple[str, str], str]]:
    """Yield the pairs that measure the same in the shipped library, each with the library's name."""
    for claim in claims.written():
        if (claim.slow, claim.fast) == claimed and claim.arch == arch and claim.library:
            shipped = claim.in_library
            title = LIBRARIES[shipped.slow.partition("/")[0]].title
            yield (shipped.slow, shipped.fast), title
            if shipped.today:
                yield shipped.today, title


def _list_line(
    name: str,
    words: str,
    rows: Mapping[Key, Row],
    printed_on: Sequence[Machine],
    found: Sequence[Measured],
    measured_on: Sequence[Machine],
) -> ListLine:
    mine = {(m.arch, m.benchmark, m.threads): m for m in found}
    printed = tuple(rows.get((machine.arch, name, 1)) for machine in printed_on)
    return ListLine(name, words, printed, tuple(mine.get((machine.arch, name, 1)) for machine in measured_on))


def compared(a: Run, b: Run, rules: VerdictRules) -> Compared:
    """Compare run `b` with run `a`: every benchmark that either of them measured or skipped."""
    frame = table.units(table.build([a, b]))
    skips = [(run.label, skip) for run in (a, b) for skip in run.header.plan.skips]
    headers = a.header, b.header
    same, unlike = between.same_machine(*headers), between.unlike(*headers)
    rows = compare.compare(frame, a.label, b.label, rules, skips, same, unlike)
    arches = list(dict.fromkeys(machine.arch for run in (a, b) for machine in run.header.machines))
    quotients = compare.speedups(frame, a.label, b.label, claims.pairs(arches), rules.confidence)
    there = {(row.benchmark, row.threads) for row in rows}
    neither = [(label, skip) for label, skip in skips if (skip.benchmark, skip.threads) not in there]

    def order(row: compare.Comparison) -> tuple[object, ...]:
        return row.arch, message.group_order(row.benchmark.partition("/")[0]), row.threads

    return Compared(
        a=a.label,
        b=b.label,
        rows=tuple(sorted(rows, key=order)),
        skips=tuple(neither),
        speedups=tuple(quotients),
        said=tuple(between.judge(a, b, frame, rules) or between.judge(b, a, frame, rules)),
        sizes=_sizes(a, b) if len(arches) == 1 else None,
        options=_options(a, b) if len(arches) == 1 else {},
        beyond=between.beyond(a, b),
        notes=tuple(booted.limits(a.header, b.header)) if rows else (compare.NOTHING,),
    )


def _sizes(a: Run, b: Run) -> tuple[Sizes, Sizes] | None:
    """Return the sizes of two Linuxes that were built, where they are two."""
    one, other = a.sizes(), b.sizes()
    return (one, other) if one and other and one != other else None


def _options(a: Run, b: Run) -> dict[str, tuple[str, str]]:
    """Return in which options two Linuxes that were built differ."""
    found = a.linux_config(), b.linux_config()
    return {} if found[0] is None or found[1] is None else kconfig.difference(found[0], found[1])
