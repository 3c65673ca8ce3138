"""Pure: the grid of the runs in the results folder."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from itertools import groupby

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from rseqbench.analysis import patch_claims
from rseqbench.model import Benchmark, CommandLine, DryRun, Machine, Plan
from rseqbench.report import formatting
from rseqbench.report.tables import Cell, Grid, Reason, build_grid
from rseqbench.store.manage import Entry
from rseqbench.store.runs import Header

Record = dict[str, object]


_NARROW = 80
_HEADS = ("label", "when (UTC)", "machine", "Linux", "target", "state", "rounds")
_KEPT = (0, 1, 5, 6)  # of the columns, where all would be words broken in pieces
_MINUTE = 60


def tabulate_runs(entries: Sequence[Entry], where: str, width: int) -> Grid:
    """Return a row a run, in the order given; the time is UTC, as it is stored. In a small `width` some is left out."""
    rows = [_row(entry) for entry in entries]
    if width >= _NARROW:
        return build_grid(f"Runs in {where}", _HEADS, "------n", rows)
    few = [row if len(row) < len(_HEADS) else [row[place] for place in _KEPT] for row in rows]
    note = f"In {width} columns there is no room for machine, Linux and target."
    return build_grid(f"Runs in {where}", [_HEADS[place] for place in _KEPT], "---n", few, [note])


def _row(entry: Entry) -> tuple[Cell, ...]:
    if entry.places:
        return entry.label, Reason(f"fleet, {entry.done} of {entry.places} places done")
    if entry.header is None:
        return entry.label, Reason(f"{'' if entry.finished else 'unfinished, '}unreadable: {entry.problem}")
    header = entry.header
    rounds = str(header.plan.rounds) if entry.finished else f"{entry.done} of {header.plan.rounds}"
    targets = _each(machine.target for machine in header.machines)
    return entry.label, _minute(entry.when), _machines(header), _kernels(header), targets, entry.state, rounds


def _machines(header: Header) -> str:
    return _each(_machine(machine) for machine in header.machines)


def _machine(machine: Machine) -> str:
    """Name a machine by its CPU; an emulated one has none worth a name."""
    cpu = "emulated" if machine.timing == "emulated" else machine.facts.cpu or "unknown CPU"
    return f"{machine.arch}, {cpu}"


def _kernels(header: Header) -> str:
    return _each(machine.facts.linux for machine in header.machines if machine.facts.linux)


def _each(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


def _minute(when: str) -> str:
    """Return "2026-11-25 21:33" of a time in ISO 8601."""
    return when[:16].replace("T", " ")


def list_run_records(entries: Sequence[Entry]) -> list[Record]:
    """Return the same as data: a record a run, null where something is not known."""
    return [_record(entry) for entry in entries]


def _record(entry: Entry) -> Record:
    header = entry.header
    return {
        "label": entry.label,
        "state": entry.state,
        "complete": entry.finished and header is not None,
        "problem": entry.problem or None,
        "when": entry.when or None,
        "created": header.created if header else None,
        "machines": [
            {"arch": one.arch, "cpu": one.facts.cpu, "linux": one.facts.linux, "target": one.target,
             "timing": one.timing}
            for one in header.machines
        ] if header else [],
        "engine": header.plan.engine if header else None,
        "rounds": entry.done if header else None,
        "planned_rounds": header.plan.rounds if header else None,
        "places": entry.places or None,
        "places_done": entry.done if entry.places else None,
    }  # fmt: skip


def build_benchmark_tree(benchmarks: Sequence[Benchmark], machine: str) -> Tree:
    """Return a branch a group, in the order of the message, and in it a leaf a method: threads, and what it does.

    `machine` is what they were asked on: an architecture, and by which target.
    """
    ordered = sorted(benchmarks, key=lambda b: (patch_claims.group_order(b.group), bool(b.unavailable), b.name))
    here = sum(not benchmark.unavailable for benchmark in ordered)
    counted = f"{_counted(here, len(ordered))} can be measured, with one thread or any number of them"
    root = Tree(Text(f"{formatting.line(machine)}: {counted}", "bold"))
    for group, part in groupby(ordered, key=lambda b: b.group):
        _add_group(root, group, list(part))
    return root


def _counted(here: int, all_of_them: int) -> str:
    return f"all {here}" if here == all_of_them else f"{here} of {all_of_them}"


def _add_group(root: Tree, group: str, benchmarks: Sequence[Benchmark]) -> None:
    here = sum(not benchmark.unavailable for benchmark in benchmarks)
    title = patch_claims.group_title(group)
    label = Text.assemble((formatting.line(group), "bold cyan"), f" ({_counted(here, len(benchmarks))})")
    branch = root.add(label.append(f": {title}") if title else label)
    width = max(len(formatting.line(benchmark.method)) for benchmark in benchmarks)
    for benchmark in benchmarks:
        branch.add(_leaf(benchmark, width))


def _leaf(benchmark: Benchmark, width: int) -> Table:
    """Return a line, or more where it has to be folded: the parts stay below each other."""
    line = Table.grid(padding=(0, 2, 0, 0))
    line.add_column(width=width, overflow="fold")
    if benchmark.unavailable:
        line.add_column(overflow="fold")
        reason = Text.assemble(("not here: ", "yellow"), (formatting.line(benchmark.unavailable), "dim"))
        line.add_row(Text(formatting.line(benchmark.method), "dim"), reason)
        return line
    line.add_column(width=3)
    line.add_column(overflow="fold")
    doc = formatting.line(benchmark.doc) + (" (only where it is asked for by name)" if benchmark.whole else "")
    threads = "any" if benchmark.threaded else "" if benchmark.whole else "one"
    line.add_row(Text(formatting.line(benchmark.method), "green"), threads, Text(doc))
    return line


def tabulate_plan(dry_run: DryRun) -> Grid:
    """Return what a run would do, a row a decision."""
    options, first = dry_run.options, dry_run.plans[0]
    asked = ", ".join(options.benchmarks)
    each = f"{len(first.cases)} cases, for {asked}" if first.cases else f"those that {asked} names"
    rounds = f"{first.rounds}" + (f", over {first.boots} boots" if first.boots > 1 else "")
    rows = [
        ("target", dry_run.target),
        ("architecture", dry_run.arch),
        ("engine", ", then ".join(one.engine for one in dry_run.plans)),
        ("benchmarks", each),
        ("threads", ", ".join(map(str, options.threads))),
        ("rounds", f"{rounds} (preset {first.preset})"),
        *(("values in a round", _values(one)) for one in dry_run.plans if one.engine == "pyperf"),
        ("order", f"seed {dry_run.seed}" if dry_run.seed is not None else "a new seed, drawn when it begins; --seed N"),
        ("CPUs", ", ".join(map(str, dry_run.cpus)) or "as the target has them"),
        ("registration", options.registration),
        ("the rounds take", _expected(dry_run)),
    ]
    return build_grid("What would be done", ("what", "how"), "--", rows)


def _values(plan: Plan) -> str:
    return f"{plan.values}, of at least {plan.value_ms:g} ms each"


def _expected(dry_run: DryRun) -> str:
    if dry_run.expected_s is None:
        return "not known before they are tried"
    seconds = dry_run.expected_s
    about = f"{seconds:.0f} s" if seconds < 10 * _MINUTE else f"{seconds / _MINUTE:.0f} min"
    return f"about {about} on cores that are ours, more beside others; checks come before"


def tabulate_cases(plans: Sequence[Plan]) -> list[Grid]:
    """Return what would be measured by each engine, and what would not, as far as that is known."""
    return [_cases(one, several=len(plans) > 1) for one in plans if one.cases or one.skips]


def _cases(plan: Plan, several: bool) -> Grid:
    groups: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys(case.benchmark for case in plan.cases):
        threads = ", ".join(str(case.threads) for case in plan.cases if case.benchmark == name)
        groups.setdefault((name.group, threads), []).append(name.method)
    rows: list[tuple[Cell, ...]] = [
        (group, threads, ", ".join(methods)) for (group, threads), methods in groups.items()
    ]
    rows += [
        (formatting.with_threads(skip.benchmark, skip.threads), Reason(f"not: {skip.reason}")) for skip in plan.skips
    ]
    caption = "Benchmarks" + (f" of engine {plan.engine}" if several else "")
    return build_grid(caption, ("group", "threads", "methods"), "---", rows)


def format_commands(found: Sequence[CommandLine]) -> list[tuple[str, str]]:
    """Return what each command line is for, with what cannot be known of it, and the line as bash takes it."""
    return [
        (f"{one.what}" + (f" ({one.note})" if one.note else ""), " ".join(map(_quoted, one.words))) for one in found
    ]


def _quoted(word: str) -> str:
    """Quote a word for bash, exactly; what a terminal would obey is spelled out."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(char: str) -> str:
    if char in "'\\":
        return f"\\{char}"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))
