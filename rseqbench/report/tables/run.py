"""Pure: the grids of one run: its values, the message's tables with it beside them, its checks and machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from rseqbench.analysis import patch_claims
from rseqbench.analysis.allocators import GROUP, OPERATION
from rseqbench.analysis.dataset import WITHOUT_LOOP
from rseqbench.analysis.patch_tables import REPLAYED, PairLine, PatchTable
from rseqbench.analysis.summary import BenchmarkRow, PairSpeedup
from rseqbench.model import BASELINE, COUNTED, REPLAY, Benchmark, Check, Estimate, Fact, Machine
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.reasons import explain
from rseqbench.report.tables import (
    Cell,
    Columns,
    ColumnSpec,
    Grid,
    Reason,
    build_grid,
    format_cost,
    number_column,
    tabulate,
)

NET = "net of the loop"  # the heading of what the empty loop is subtracted from
_FACTS = {
    "cpu": "CPU",
    "cpu_model": "CPU, its model in numbers",
    "machine": "machine",
    "cpus": "CPUs online",
    "linux": "Linux",
    "config_rseq": "CONFIG_RSEQ",
    "libc": "C library",
    "glibc_registers": "C library registers rseq by itself",
    "rseq_size": "rseq area, size in bytes",
    "rseq_feature_size": "rseq area, bytes that Linux fills",
    "rseq_registered": "rseq area, bytes registered",
    "registration": "rseq area registered by",
    "vdso_getcpu": "vDSO reads the CPU number by",
    "compiler": "compiler",
    "cflags": "compiler flags",
    "kernels": "kernels (digest of the compiled sources)",
    "virtual": "virtual machine",
    "governor": "frequency governor",
    "smt": "SMT",
    "turbo": "turbo",
    "load_1min": "load when the run began (1 min)",
    "isolated_cpus": "isolated CPUs",
    "clocksource": "clock source",
    "page_size": "page size in bytes",
    "python": "Python",
    "pyperf": "pyperf",
    "counters": "CPU counters",
}
_EMULATED = {
    "emulator": "emulated by",
    "linux_image": "Linux asked for",
    "linux_package": "Linux, the package it is from",
    "check_cpus": "CPUs online in the checks",
}
_BUILT = {  # where a Linux was built for the run
    "linux_source": "Linux, its source",
    "linux_base": "Linux, its base configuration",
    "linux_compiler": "Linux, its compiler",
    "linux_build": "Linux, its build",
}
_HARDWARE = ("virtual", "governor", "smt", "turbo", "load_1min", "isolated_cpus")  # nothing to an emulated CPU
_PRINTED_MACHINE = ("cpu", "machine", "libc")  # all that the message says of its machines


def tabulate_measured(rows: Sequence[BenchmarkRow]) -> list[Grid]:
    """Return one grid for each machine and group: with the loop, net of the baseline, registration, aborts, check."""
    parts = groupby(rows, key=lambda one: (one.arch, one.group))
    return [_measured(arch, group, list(part)) for (arch, group), part in parts]


def _measured(arch: str, group: str, found: Sequence[BenchmarkRow]) -> Grid:
    units = sorted({formatting.short(one.row.unit) for one in found if one.row})
    per = ", ".join(units) or "per op"
    title = patch_claims.group_title(group)
    counted = any(one.row and one.row.counted for one in found)
    counts = ("insn/op", "cycles/op", "misses/op") if counted else ()
    name = "method" if all(one.threads == 1 for one in found) else "method (threads)"
    looped = any(one.row and one.row.engine not in WITHOUT_LOOP for one in found)
    gross = f"{per} with loop" if looped or not units else per
    heads = (name, gross, f"{per} net of it" if looped or not units else NET, "rseq by", "aborts/M", *counts, "check")
    mark = "REPLAY: " if any(one.replayed for one in found) else ""
    caption = f"{mark}{group} on {arch}" + (f": {title}" if title else "")
    rows = [_measured_row(one, counted) for one in found]
    return build_grid(caption, heads, "-nn-n" + "n" * len(counts) + "-", rows, [OPERATION] if group == GROUP else [])


def _measured_row(one: BenchmarkRow, counted: bool) -> tuple[Cell, ...]:
    name = one.method if one.threads == 1 else f"{one.method} ({one.threads}t)"
    row = one.row
    if row is None:
        return name, Reason(f"not measured: {explain(one.reasons)}")
    published = row.timing == "published"
    net: Cell = "no loop" if row.engine in WITHOUT_LOOP else "no baseline"
    if row.benchmark == BASELINE:
        net = "baseline"
    if row.net:
        net = formatting.as_printed(row.net.value) if published else formatting.cost(row.net)
    counts = [f"{count:.3g}" for count in row.counted] or [""] * len(COUNTED)
    shown = counts if counted else ()
    if published:
        return name, format_cost(row), net, "", "", *shown, ""
    return (
        name,
        format_cost(row),
        net,
        row.registration,
        formatting.per_million(row.aborts, row.operations),
        *shown,
        one.check,
    )


def tabulate_patch_table(table: PatchTable) -> Grid:
    """Return a table of the message, as printed, with the run beside it."""
    return _pairs(table) if table.pairs else _lines(table)


def _pairs(table: PatchTable) -> Grid:
    units = sorted({formatting.short(one.unit) for line in table.pairs for one in line.values if one})
    notes = _printed_machines(table)
    if len(units) > 1:  # each row says its own
        rows = [_with_unit(line) for line in table.pairs]
        columns = ("machine", "unit", "instead of", "takes", "rseq takes", "quotient")
        return build_grid(table.section.title, columns, "---nnn", rows, [*notes, *_no_price(table.pairs)])
    per = "".join(units) or "per op"
    heads = ("machine", "instead of", f"{per}", f"rseq, {per}", "speedup")
    return build_grid(table.section.title, heads, "--nnn", [_pair_row(line) for line in table.pairs], notes)


def _with_unit(line: PairLine) -> tuple[Cell, ...]:
    row = _pair_row(line)
    slow, fast = line.values
    unit = formatting.short(slow.unit) if slow and fast else ""
    return row[0], unit, *row[1:]


def _no_price(lines: Sequence[PairLine]) -> list[str]:
    """Keep a reader from taking fewer instructions for less time, where an atomic comes out with fewer than rseq."""
    fewer = [formatting.method(one.slow) for one in lines if one.speedup and one.speedup.value < 1]
    return [f"{', '.join(fewer)}: fewer instructions, but these do not price an atomic."] if fewer else []


def _printed_machines(table: PatchTable) -> list[str]:
    """Say which machines the message measured."""
    return [f"patch, {m.arch}: {m.facts.cpu}" for m in table.printed_on if m.facts.cpu]


def _pair_row(line: PairLine) -> tuple[Cell, ...]:
    instead = formatting.method(line.slow)
    slow, fast = line.values
    if slow is None or fast is None:
        return line.who, instead, Reason(explain(line.reasons) or "not in the message")
    speedup: Cell = ""
    if line.stated is not None:
        speedup = formatting.as_printed(line.stated)
        speedup = FormattedNumber(f"{speedup.value}x")
    elif line.speedup is not None:
        speedup = formatting.ratio(line.speedup)
    return line.who, instead, format_cost(slow), format_cost(fast), speedup


def _lines(table: PatchTable) -> Grid:
    printed = [f"patch, {machine.arch}" for machine in table.printed_on]
    beside: list[str] = []
    units = [_units(table, place) for place in range(len(table.measured_on))]
    mixed = any(unit not in (formatting.short("ns"), "") for unit in units)
    if mixed:
        printed = [f"{head}, {formatting.short('ns')}" for head in printed]
    for machine, unit in zip(table.measured_on, units, strict=True):
        who = REPLAYED if machine.target == REPLAY else "this run"
        name = f"{who}, {machine.arch}" if len(table.measured_on) > 1 else who
        beside += [f"{name}, {unit}" if mixed and unit else name, NET]
    rows: list[list[Cell]] = []
    for line in table.lines:
        row: list[Cell] = [line.words, *(formatting.as_printed(one.gross.value) if one else "" for one in line.printed)]
        for one in line.measured:
            row += _beside(one, last=one is line.measured[-1])
        rows.append(row)
    heads = ("way of reading", *printed, *beside)
    caption = table.section.title if mixed else f"{table.section.title}, {formatting.short('ns')}"
    return build_grid(caption, heads, "-" + "n" * (len(heads) - 1), rows, _printed_machines(table))


def _units(table: PatchTable, place: int) -> str:
    found = {formatting.short(one.row.unit) for line in table.lines if (one := line.measured[place]) and one.row}
    return ", ".join(sorted(found))


def _beside(row: BenchmarkRow | None, last: bool) -> tuple[Cell, ...]:
    if row is None or row.row is None:
        why = f"not measured: {explain(row.reasons) if row else 'not selected in this run'}"
        return (Reason(why),) if last else (why, "")
    return format_cost(row.row), formatting.cost(row.row.net) if row.row.net else ""


def tabulate_ratios(speedups: Sequence[PairSpeedup]) -> Grid:
    """Return the quotients of a run; what they are beside a neighbour only where one was there."""
    unit = next((formatting.short(one.unit) for one in speedups), "")
    time = unit == formatting.short("ns")
    busy = any(one.beside for one in speedups)
    columns: list[ColumnSpec[PairSpeedup]] = [
        ColumnSpec("slow / fast", lambda row: formatting.quotient(row.pair)),
        number_column("alone on the core" if time else unit, lambda row: formatting.ratio(row.alone)),
        ColumnSpec("what it is", lambda row: row.pair.why),
    ]
    if busy:
        columns.insert(2, number_column("beside a neighbour", _format_beside))
    return tabulate("Quotients inside each round", columns, speedups)


def _format_beside(row: PairSpeedup) -> Cell:
    return _of_rounds(row.beside) if row.beside else formatting.NOTHING


def _of_rounds(ratio: Estimate) -> FormattedNumber:
    """Print a quotient that few rounds have, and where it was but one, that."""
    printed = formatting.ratio(ratio)
    return printed if ratio.n > 1 else replace(printed, after="in 1 round")


def tabulate_checks(checks: Sequence[Check], requested: Sequence[Benchmark] = ()) -> Grid:
    """Return the outcome of every exactness check, and why others of the benchmarks `asked` for had none."""
    columns: Columns[Check] = (
        ColumnSpec("benchmark", lambda check: check.benchmark),
        ColumnSpec("outcome", lambda check: check.verdict),
        number_column("threads", lambda check: str(check.threads)),
        number_column("operations", lambda check: str(check.operations)),
        number_column("disturbances", lambda check: str(check.disturbances)),
        number_column("aborts taken", lambda check: str(check.aborts)),
        ColumnSpec("remark", lambda check: check.message),
    )
    ordered = sorted(checks, key=lambda check: (patch_claims.group_order(check.benchmark.group), check.benchmark))
    grid = tabulate("Exactness checks, made before anything was timed", columns, ordered)
    unchecked = [
        (formatting.line(benchmark.name), Reason(formatting.line(f"not checked: {benchmark.unavailable}")))
        for benchmark in requested
        if benchmark.unavailable
    ]
    return replace(grid, rows=(*grid.rows, *unchecked))


def tabulate_facts(machines: Sequence[Machine], names: Sequence[str] = ()) -> Grid:
    """Return what is known of each machine and build; what should be known and is not says so.

    `names` head the machines' columns, in place of their architectures: those of the runs, where there are several.
    """
    emulated = all(machine.timing == "emulated" for machine in machines)
    wanted = [name for name in _FACTS if name != "machine" and not (emulated and name in _HARDWARE)]
    if emulated:
        wanted = [*_EMULATED, *wanted]
    if all(machine.timing == "published" for machine in machines):
        wanted = list(_PRINTED_MACHINE)
    known = [machine.facts.to_dict() for machine in machines]
    found = dict.fromkeys([*wanted, *(name for facts in known for name in facts)])
    rows: list[tuple[Cell, ...]] = [
        ("target", *(machine.target for machine in machines)),
        ("time", *(machine.timing for machine in machines)),
        *((name_fact(name), *(_fact(facts.get(name, "not known")) for facts in known)) for name in found),
    ]
    heads = ("fact", *(names or [machine.arch for machine in machines]))
    return build_grid("Machine and build", heads, "-" * len(heads), rows)


def name_fact(name: str) -> str:
    """Return how a page calls a fact: "linux" -> "Linux"; itself where we have no better name."""
    return {**_FACTS, **_EMULATED, **_BUILT}.get(name, name)


def _fact(value: Fact) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def tabulate_descriptions(rows: Sequence[BenchmarkRow]) -> Grid:
    """Return what each benchmark does, in the words of its source."""
    columns: Columns[BenchmarkRow] = (
        ColumnSpec("benchmark", lambda row: formatting.with_threads(row.benchmark, row.threads)),
        ColumnSpec("what one operation is", lambda row: row.doc),
    )
    return tabulate("What each benchmark does", columns, [row for row in rows if row.doc])
