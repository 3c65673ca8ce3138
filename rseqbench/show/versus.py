"""Runs against the first of them as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from markupsafe import Markup

from rseqbench import __version__
from rseqbench.results import Run
from rseqbench.show import charts, data, html, sentences, words
from rseqbench.show.grids import comparison, run
from rseqbench.show.html import Figure
from rseqbench.show.tables import Compared

_CAPTION = "What each takes in the other runs, against the first"
_READING = (
    "a mark to the right of the line takes more than in the first run, one to the left less; its bar is the interval, "
    "or of counts the range of what was counted. Without a bar, all counts were the same."
)


def page(runs: Sequence[Run], found: Sequence[Compared]) -> str:
    """Return the whole page of the comparisons of all further `runs` with the first one."""
    return html.environment().get_template("versus.html").render(**_parts(runs, found))


def _parts(runs: Sequence[Run], found: Sequence[Compared]) -> dict[str, object]:
    """Return what the template names."""
    labels = [one.label for one in runs]
    title = " against ".join([", ".join(labels[1:]), labels[0]])
    drawn = Markup(charts.differences(found))
    return {
        "version": __version__,
        "title": title,
        "summaries": [f"{one.label}: {_summary(one)}" for one in runs],
        "notes": list(dict.fromkeys(text for one in found for text in one.notes)),
        "figure": Figure("differences", _CAPTION, _READING, drawn),
        "parts": [{"title": f"{one.b} against {one.a}", "grids": comparison.everything(one)} for one in found],
        "facts": [run.facts(one.header.machines) for one in runs],
        "commands": _commands(runs),
        "download": html.download(
            f"{'-against-'.join(labels)}.json", "every table", "application/json", data.comparisons_json(found)
        ),
        "icons": words.ICONS,
        "style": html.style(),
    }


def _summary(one: Run) -> str:
    return sentences.measured_where(one.header, len({bench.get_name() for bench in one.suite}))


def _commands(runs: Sequence[Run]) -> list[str]:
    """Return the commands that build, measure and compare again."""
    built = any("linux_build" in one.header.machines[0].facts for one in runs)
    again = [one.header.command for one in runs if one.header.plan.engine != "published"]
    labels = " ".join(shlex.quote(one.label) for one in runs)
    first = ["rseqbench linux build"] if built else []
    return [*first, *map(words.line, again), f"rseqbench compare {labels}", f"rseqbench report {labels}"]
