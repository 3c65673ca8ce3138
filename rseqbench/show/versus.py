"""Runs against the first of them as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from markupsafe import Markup

from rseqbench import __version__, table
from rseqbench.config import VerdictRules
from rseqbench.results import Run
from rseqbench.show import charts, data, emulated, html, limits, sentences, words
from rseqbench.show.grids import Grid, run, together
from rseqbench.show.html import Figure
from rseqbench.show.tables import Compared

_CAPTION = "What each takes in the other runs, against the first"
_COST = "What restartable sequences cost the rest of the system, measured"
_READING = (
    "A mark to the right of the line takes more than in the first run, one to the left less; its bar is the interval, "
    "or of counts the range of what was counted. "
    "Behind a row stands by how much an operation differs in each, or “=” for equal, “~” for no difference resolved."
)


def page(runs: Sequence[Run], found: Sequence[Compared], rules: VerdictRules) -> str:
    """Return the whole page of the comparisons of all further `runs` with the first one."""
    return html.environment().get_template("versus.html").render(**_parts(runs, found, rules))


def _parts(runs: Sequence[Run], found: Sequence[Compared], rules: VerdictRules) -> dict[str, object]:
    """Return what the template names."""
    labels = [one.label for one in runs]
    title = " against ".join([", ".join(labels[1:]), labels[0]])
    drawn = Markup(charts.differences(found))
    return {
        "version": __version__,
        "title": title,
        "summaries": [f"{one.label}: {_summary(one)}" for one in runs],
        "heading": _COST if any(one.said or one.sizes for one in found) else f"{title}, measured",
        "notes": [*dict.fromkeys(text for one in found for text in one.notes), *_limits(runs, rules)],
        "figure": Figure("differences", _CAPTION, _READING, drawn),
        "parts": [{"title": title, "grids": grids} for title, grids in together.sections(found)],
        "facts": _facts(runs),
        "commands": _commands(runs),
        "download": html.download(
            f"{'-against-'.join(labels)}.json", "every table", "application/json", data.comparisons_json(found)
        ),
        "icons": words.ICONS,
        "style": html.style(),
    }


def _limits(runs: Sequence[Run], rules: VerdictRules) -> list[str]:
    """Return what limits the runs themselves: what is true of all of them once, the rest with the run's name."""
    each = {
        one.label: [
            *emulated.limits(one.header, table.build([one])),
            *limits.limits(one.header, rules.confidence),
        ]
        for one in runs
    }
    shared = [text for text in each[runs[0].label] if all(text in texts for texts in each.values())]
    own = [f"{label}: {text}" for label, texts in each.items() for text in texts if text not in shared]
    return [*shared, *own]


def _summary(one: Run) -> str:
    return sentences.measured_where(one.header, len({bench.get_name() for bench in one.suite}))


def _facts(runs: Sequence[Run]) -> Grid:
    """Return what is known of the machines of all runs, beside each other."""
    machines = [(one.label, machine, len(one.header.machines)) for one in runs for machine in one.header.machines]
    names = [f"{label} ({machine.arch})" if of > 1 else label for label, machine, of in machines]
    return run.facts([machine for _, machine, _ in machines], names)


def _commands(runs: Sequence[Run]) -> list[str]:
    """Return the commands that build, measure and compare again."""
    built = any("linux_build" in one.header.machines[0].facts for one in runs)
    again = [one.header.command for one in runs if one.header.plan.engine != "published"]
    labels = " ".join(shlex.quote(one.label) for one in runs)
    first = ["rseqbench linux build"] if built else []
    return [*first, *map(words.line, again), f"rseqbench compare {labels}", f"rseqbench report {labels}"]
