"""Many runs in the order of their dates as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby

from rseqbench import __version__
from rseqbench.analysis import history, patch_claims
from rseqbench.analysis.history import History, Series
from rseqbench.analysis.summary_csv import Summary
from rseqbench.config import VerdictRules
from rseqbench.report import caveats, charts, data, formatting, prose
from rseqbench.report.html import page
from rseqbench.report.html.page import Download, Figure
from rseqbench.report.tables import history as history_tables

_MOST_VALUES = 5000  # rows of the CSV that still fit a page
_MOST_LABELS = 50  # of the command to repeat


def render_page(found: Sequence[Summary], rules: VerdictRules, left_out: Sequence[str] = ()) -> str:
    """Return the whole page of the history of runs, in any order; their labels differ.

    `left_out` are sentences about those that are not in it, which limits it.
    """
    parts = _parts(history.history(found, rules), rules, left_out)
    return page.create_environment().get_template("history.html").render(**parts)


def _parts(found: History, rules: VerdictRules, left_out: Sequence[str]) -> dict[str, object]:
    """Return what the template names."""
    values = sum(len(one.points) for one in found.series)
    return {
        "version": __version__,
        "title": f"{len(found.runs)} runs",
        "summary": _summary(found),
        "notes": [*map(formatting.line, left_out), *caveats.limits_of(found.runs, rules.confidence)],
        "rules": rules,
        "usually": history.USUALLY,
        "further": history.FURTHER,
        "figures": list(_figures(found)),
        "reading": _reading(found),
        "steps": history_tables.tabulate_steps(found),
        "costs": history_tables.tabulate_costs(found),
        "runs": history_tables.tabulate_runs(found),
        "commands": _commands(found),
        "download": _download(found) if values <= _MOST_VALUES else None,
        "icons": formatting.ICONS,
        "style": page.load_style(),
    }


def _summary(found: History) -> str:
    first, last = found.runs[0], found.runs[-1]
    steps = sum(len(one.steps) for one in found.series)
    said = f"{steps or 'no'} step{'' if steps == 1 else 's'} beyond noise"
    return formatting.line(
        f"{len({one.key for one in found.series})} benchmarks in {len(found.runs)} runs, from {first.label} "
        f"({prose.moment(first.created)}) to {last.label} ({prose.moment(last.created)}); {said}."
    )


def _figures(found: History) -> Iterator[Figure]:
    """Yield a figure for each machine, unit and group, as the message has the groups."""
    parts = groupby(history_tables.sort_series(found.series), key=lambda one: (one.key[0], one.unit, one.group))
    for number, ((arch, unit, group), series) in enumerate(parts):
        own = list(series)
        draw = partial(_draw, found, own, formatting.unit(unit))
        drawn = page.draw_twice(draw, f"runs-{number}")
        title = patch_claims.group_title(group)
        caption = formatting.line(f"{group} on {arch}, {formatting.unit(unit)}" + (f": {title}" if title else ""))
        if drawn:
            yield Figure(f"runs-{number}", caption, "", drawn)


def _draw(found: History, series: Sequence[Series], unit: str, name: str, narrow: bool) -> str:
    return charts.draw_history(found, series, name, unit, narrow)


def _reading(found: History) -> str:
    """Return how to read the figures, once for all of them."""
    runs, units = len(found.runs), {one.unit for one in found.series}
    bar = (
        "its interval"
        if units == {"ns"}
        else "the range of its counts"
        if "ns" not in units
        else ("the interval of a time, or the range of counts")
    )
    many = runs > charts.MOST_DRAWN
    shown = f"the band is all that the intervals of some {runs // charts.MOST_DRAWN + 1} neighbouring runs reach"
    bars = shown if many else f"a bar is {bar}"
    return (
        f"Runs stand in the order of their dates, numbered as in the table of runs; {bars}, and every panel has a "
        "scale of its own that need not begin at 0. A triangle marks a step beyond noise, up where it takes more from "
        "then on, and a dotted line a change of Linux, compiler or another fact that is watched."
    )


def _commands(found: History) -> list[str]:
    labels = [shlex.quote(header.label) for header in found.runs]
    named = " ".join(labels) if len(labels) <= _MOST_LABELS else f"$(ls results)  # {len(labels)} labels"
    return [
        formatting.line(f"rseqbench report --history {named}"),
        formatting.line(f"rseqbench compare {labels[0]} {labels[-1]}"),
    ]


def _download(found: History) -> Download:
    return page.embed_download("history.csv", "a row a benchmark and run", "text/csv", data.to_csv(records(found)))


def records(found: History) -> list[Mapping[str, object]]:
    """Return a record per benchmark and run, and whether a step led there; values per operation in `unit`."""
    return [
        {
            "run": number + 1,
            "label": found.runs[number].label,
            "created": found.runs[number].created,
            "arch": row.arch,
            "benchmark": row.benchmark,
            "threads": row.threads,
            "unit": formatting.unit(row.unit),
            "gross": row.gross.value,
            "gross_low": row.gross.low,
            "gross_high": row.gross.high,
            "rounds": row.gross.n,
            "step": number in steps,
        }
        for one in found.series
        for steps in [{step.after for step in one.steps}]
        for number, row in one.points
    ]
