"""Pure: grids, a run, or runs compared, as GitHub-flavoured Markdown: three lines first, what is long folded away.

All foreign text is escaped so that it is read as text. GitHub looks for people, issues, addresses and emoji in what the
Markdown has become, where no backslash and no entity is left: only a space of no width inside keeps them apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.report import context, fleet_prose, formatting
from rseqbench.report.context import KeyLines
from rseqbench.report.run_view import RunView
from rseqbench.report.tables import Cell, Grid, allocators, claims, comparison, fleet, run
from rseqbench.store.runs import Run

_ACTIVE = re.compile(r"([\\`*\[\]~#!$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))")
_LEADING = re.compile(r"^([-+])(?=\s|$)|^(\d+)([.)])(?=\s|$)")  # what makes a list of a line
_ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\u200b": "&#8203;"})
_PERSON, _ADDRESS = r"(?<![A-Za-z0-9])@(?=\w)", r"@(?=[\w-]+\.\w)|:(?=//)|\bwww(?=\.)"
_FOUND_LATER = re.compile(rf"({_PERSON}|{_ADDRESS}|#(?=\d)|\bGH(?=-\d)|:(?=[\w+-]+:))")


def render_grids(grids: Iterable[Grid], *paragraphs: str) -> str:
    """Return paragraphs, then every grid under its caption; all text is escaped."""
    return "\n\n".join([*map(escape, paragraphs), *map(render_grid, grids)]) + "\n"


def render_grid(grid: Grid) -> str:
    """Return one table with its caption in bold above it; numbers are set to the right."""
    lines = [
        _line([column.head for column in grid.columns]),
        "|" + "|".join(" ---: " if column.numeric else " --- " for column in grid.columns) + "|",
        *(_line([*row, *[""] * (len(grid.columns) - len(row))]) for row in grid.rows),
    ]
    notes = "".join(f"\n\n{escape(note)}" for note in grid.notes)
    return f"**{escape(grid.caption)}**\n\n" + "\n".join(lines) + notes


def _line(cells: Iterable[Cell]) -> str:
    return "| " + " | ".join(_inside(str(cell)) for cell in cells) + " |"


def escape(text: str) -> str:
    """Return one line of text that Markdown shows as it is: no markup, no HTML, no mention of a user, no link."""
    return _LEADING.sub(lambda found: f"{found[2] or ''}\\{found[1] or found[3]}", _inside(text))


def _inside(text: str) -> str:
    marked = _FOUND_LATER.sub("\\1\u200b", formatting.line(text))
    return _ACTIVE.sub(r"\\\1", marked).translate(_ENTITIES)


def render_run(view: RunView) -> str:
    """Return what is shown of one run."""
    return "\n\n".join(_run(view)) + "\n"


def _run(view: RunView) -> Iterator[str]:
    header = view.run.header
    decided, absent, _ = claims.split_claims(view.judged)
    yield _brief("Run", "Claims", context.of_run(view))
    published = context.published(view.run)
    if not published:
        yield from _tables(
            [claims.tabulate_verdicts(decided, "What the patch claimed, what was measured, and whether it holds")]
        )
    yield from _tables(map(context.patch_table, view.patch_tables))
    for one in view.shipped:
        yield from _tables(allocators.tabulate_library(one))
    yield from _folded("A server over each allocator", _tables(allocators.tabulate_server(view.served)))
    yield from _folded("In words", _list(view.sentences))
    yield from _folded("What limits this", _list(view.limits))
    yield from _folded("The message's own arithmetic", _tables([claims.tabulate_arithmetic(view.judged)]))
    other_claims = [
        claims.tabulate_today(view.judged),
        claims.tabulate_verdicts(absent, "Claims that were not measured here"),
        claims.tabulate_times(view.judged),
    ]
    yield from _folded("The other claims", [] if published else _tables(other_claims))
    everything = [
        *run.tabulate_measured(view.measured),
        run.tabulate_ratios(view.quotients),
        run.tabulate_checks(header.checks),
    ]
    yield from _folded("Everything measured, skipped and checked", _tables(everything))
    yield from _folded("Machine and build", _tables([run.tabulate_facts(header.machines)]))
    yield from _folded("To reproduce", [_commands([*map(formatting.line, context.commands_of_run(view.run))])])


def render_comparison(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> str:
    """Return what is shown of the comparisons of further runs with the first one."""
    return "\n\n".join(_runs(runs, comparisons, rules)) + "\n"


def _runs(runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> Iterator[str]:
    yield _brief("Runs", "Result", context.of_runs(runs, comparisons, rules))
    for number, (title, grids) in enumerate(comparison.tabulate_sections(comparisons)):
        yield from _tables(grids) if not number else _folded(title, _tables(grids))
    yield from _folded("What limits this", _list(context.limits_of(runs, comparisons, rules)))
    yield from _folded("Machines and builds", _tables([context.facts_of(runs)]))
    yield from _folded("To reproduce", [_commands([*map(formatting.line, context.commands_of(runs))])])


def render_fleet(fleets: FleetComparison) -> str:
    """Return what is shown of one fleet, or of two held against each other."""
    return "\n\n".join(_machines(fleets)) + "\n"


def _machines(fleets: FleetComparison) -> Iterator[str]:
    yield _brief("Fleet", "Result", fleet_prose.brief(fleets))
    yield from _tables([fleet.tabulate_summary(fleets, one) for one in fleets.matrices])
    cells = [grid for one in fleets.matrices for grid in fleet.tabulate_cells(fleets, one)]
    yield from _folded("By machine", _tables(cells))
    yield from _folded("Verdicts", _tables(fleet.tabulate_verdicts(fleets)))
    yield from _tables([fleet.tabulate_places(fleets)])
    yield from _folded("What limits this", _list(fleet_prose.limits(fleets)))
    yield from _folded("To reproduce", [_commands(fleet_prose.commands(fleets))])


def _brief(what: str, holds: str, brief: KeyLines) -> str:
    limits = "; ".join(brief.limits) or "none known"
    told = {what: brief.measured, holds: brief.holds, "Limits": limits}
    return "\n".join(f"- **{name}:** {_inside(text)}" for name, text in told.items())


def _tables(grids: Iterable[Grid]) -> list[str]:
    return [render_grid(grid) for grid in grids if grid.rows]


def _list(texts: Iterable[str]) -> list[str]:
    found = "\n".join(f"- {escape(text)}" for text in texts)
    return [found] if found else []


def _folded(title: str, parts: Sequence[str]) -> Iterator[str]:
    """Yield what is folded away under a title; nothing where there are no parts."""
    if parts:
        yield f"<details>\n<summary>{title}</summary>"
        yield from parts
        yield "</details>"


def _commands(texts: Iterable[str]) -> str:
    """Return commands as a block of code, behind a fence that none of them can end."""
    lines = [formatting.line(text) for text in texts]
    longest = max((len(ticks) for line in lines for ticks in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}sh", *lines, fence])


def render_claims(view: RunView, verdicts: bool) -> str:
    """Return each number of the message, with `verdicts` the run's verdict on each."""
    judged = view.judged
    return render_grids(claims.tabulate_run(judged, view.run.label) if verdicts else claims.tabulate_claims(judged))
