"""A run as one HTML file: no network, no script, everything inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from pathlib import Path

from rseqbench.analysis.library_costs import LibraryComparison
from rseqbench.analysis.summary import BenchmarkRow
from rseqbench.report import charts, context, data, formatting, headline, prose
from rseqbench.report.charts import shares
from rseqbench.report.html import captions, page
from rseqbench.report.html.page import Download, Figure
from rseqbench.report.run_view import RunView
from rseqbench.report.tables import allocators, claims, run
from rseqbench.support import attachments
from rseqbench.support.attachments import Listing

_MOST_ROUNDS = 5000  # rows of the rounds' CSV that still fit a page under 1 MB
_MOST = 300_000  # characters on a page


def render_page(view: RunView) -> str:
    """Return the whole page of one run."""
    return page.create_environment().get_template("run.html").render(**_parts(view))


def _parts(view: RunView) -> dict[str, object]:
    """Return what the template names."""
    header = view.run.header
    decided, absent, _ = claims.split_claims(view.judged)
    return {
        "header": header,
        "answer": headline.answer_question(view),
        "about": headline.about(view),
        "counts": view.counts,
        "published": all(machine.timing == "published" for machine in header.machines),
        "summary": view.summary,
        "limits": view.limits,
        "sentences": view.sentences,
        "confidence": view.rules.confidence,
        "icons": formatting.ICONS,
        "counted": prose.counted(view.judged),
        "verdicts": claims.tabulate_verdicts_widely(decided, "Claims with a verdict"),
        "absent": claims.tabulate_unmeasured(absent, "Claims not measured here"),
        "arithmetic": claims.tabulate_arithmetic(view.judged),
        "wrong": [one for one in view.judged if one.arithmetic and not one.arithmetic.agrees],
        "stated": claims.tabulate_claims(view.judged),
        "times": claims.tabulate_times(view.judged),
        "patch_tables": list(map(context.patch_table, view.patch_tables)),
        "shipped": [(allocators.tabulate_library(one), _beside(one)) for one in view.shipped],
        "figures": _figures(view),
        "distributions": _distributions(view),
        "code": timed(view.run.folder, view.measured),
        "measured": run.tabulate_measured(view.measured),
        "allocators": allocators.tabulate_server(view.served),
        "gains": _gains(view),
        "quotients": run.tabulate_ratios(view.quotients),
        "what": run.tabulate_descriptions(view.measured),
        "checks": run.tabulate_checks(header.checks),
        "facts": run.tabulate_facts(header.machines),
        "commands": [*map(formatting.line, context.commands_of_run(view.run))],
        "downloads": list(_downloads(view)),
        "too_many_rounds": len(view.frame) > _MOST_ROUNDS,
        "style": page.load_style(),
    }


def _figures(view: RunView) -> list[Figure]:
    readings = captions.of_counts() if view.counts else captions.of_times()
    each = {"speedups": charts.draw_speedups, "reading": charts.draw_cpu_number, "threads": charts.draw_threads}
    found = {name: page.draw_twice(partial(draw, view), name) for name, draw in each.items()}
    if not found["threads"]:  # what nobody asked for is not missing
        del found["threads"]
    if not found["reading"] and any(one.row and one.group == "cpu_id" for one in view.measured):
        del found["reading"]  # one method alone is measured, but no comparison
    return [Figure(name, *readings[name], svg) for name, svg in found.items()]


def _beside(comparison: LibraryComparison) -> Figure:
    caption, how = captions.of_library(comparison.library.title)
    name = f"library-{comparison.library.group}-{comparison.arch}"
    return Figure(name, caption, how, page.draw_twice(partial(charts.draw_library, comparison), name))


def _gains(view: RunView) -> Figure:
    return Figure(
        "jemalloc",
        shares.CAPTION,
        shares.READING,
        page.draw_twice(partial(shares.draw_gains, view.served), "jemalloc"),
    )


def _distributions(view: RunView) -> Figure:
    caption, how = (captions.of_counts() if view.counts else captions.of_times())["rounds"]
    return Figure("rounds", caption, how, page.draw_twice(partial(charts.draw_rounds, view), "rounds"))


def _downloads(view: RunView) -> Iterator[Download]:
    label = view.run.label
    summary = data.to_csv(data.measured(label, view.measured))
    yield page.embed_download(f"{label}-table.csv", "a row a benchmark", "text/csv", summary)
    yield page.embed_download(
        f"{label}-claims.csv", "a row a claim", "text/csv", data.to_csv(data.verdicts(view.judged))
    )
    if len(view.frame) <= _MOST_ROUNDS:
        yield page.embed_download(
            f"{label}-rounds.csv", "a row a benchmark and round", "text/csv", data.rounds_csv(view)
        )
    whole = "all of these but the rounds, and the header"
    yield page.embed_download(f"{label}.json", whole, "application/json", data.run_json(view))


@dataclass(frozen=True)
class Timed:
    """The loops to show, and a line on why some or all of them are missing, else empty."""

    listings: tuple[Listing, ...]
    missing: str


def timed(folder: Path, rows: Iterable[BenchmarkRow]) -> Timed:
    """Return the code of what was measured, from the run's folder. Raises ResultsError where its file is damaged."""
    wanted = dict.fromkeys(one.benchmark for one in rows if one.row)
    kept = attachments.load_listings(folder)
    if kept is None:
        return Timed(
            (), f"No {attachments.ASSEMBLY_FILE} is kept with this run: it is older than that, or there was no objdump."
        )
    by_name = {one.benchmark: one for one in kept}
    return limited([by_name[name] for name in wanted if name in by_name], [n for n in wanted if n not in by_name])


def limited(listings: Sequence[Listing], unknown: Sequence[str], most: int = _MOST) -> Timed:
    """Keep as many loops as have `most` characters together; say which are left out, and which nobody knows."""
    reached = accumulate(sum(len(line) + 1 for line in one.lines) for one in listings)
    fitting = sum(characters <= most for characters in reached)
    left = [one.benchmark for one in listings[fitting:]]
    said = [
        f"Too long for a page, but in {attachments.ASSEMBLY_FILE}: {', '.join(left)}." if left else "",
        f"No kernel of ours, so no loop of it is known: {', '.join(unknown)}." if unknown else "",
    ]
    return Timed(tuple(listings[:fitting]), " ".join(filter(None, said)))
