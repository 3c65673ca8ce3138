"""Golden files: the text of every report, by subject and format, under tests/data/golden/.

`pytest tests/unit/report/test_golden.py --update-golden` records them anew. A change of wording is reviewed as a
change of these files; what must hold of any report (widths, escaping, agreement) has tests of its own.
"""

from __future__ import annotations

import dataclasses
import difflib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from rseqbench import __version__
from rseqbench.analysis import summary, summary_csv
from rseqbench.analysis.fleet import compare
from rseqbench.config import load
from rseqbench.model import REPLAY, USER_ONLY, Skip
from rseqbench.report.formats import load_format
from rseqbench.report.html import history
from rseqbench.report.run_view import build_run_view
from rseqbench.report.text import terminal
from rseqbench.store.runs import PATCH, Store
from tests.support import fleets
from tests.support.emulated_runs import A32
from tests.support.kernel_config_runs import REGISTERED, N, Y
from tests.support.library_runs import LTTNG, URCU
from tests.support.simulated_runs import COSTS, FACTS, Simulation, shown, store

FOLDER = Path(__file__).resolve().parents[1] / "data" / "golden"
STYLES = ("mail", "markdown", "html")
_RULES = load().verdict
_SLOWER = {**COSTS, "counter/rseq": 0.8, "rcu/rseq": 15.0, "cpu_id/lsl": 14.7}
_LIMITED = {**FACTS, "virtual": "kvm", "load_1min": 3.0, "governor": "powersave", "turbo": "on"}
_NEWER = {**FACTS, "linux": "6.12.0"}
_UNMEASURED = tuple(Skip(name, 1, "ENOSYS: no rseq in this Linux") for name in COSTS)


class _Text(HTMLParser):
    """The text that a page shows: a line per block, cells of a row apart; of drawings the title and description."""

    _UNSEEN = ("style", "script", "template", "text")
    _LINES = ("p", "li", "tr", "caption", "h1", "h2", "h3", "summary", "div", "pre", "title", "desc", "dt", "dd", "br")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._unseen = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._unseen += tag in self._UNSEEN
        self.parts.append("\n" if tag in self._LINES else " | " if tag in ("td", "th") else "")

    def handle_endtag(self, tag: str) -> None:
        self._unseen -= tag in self._UNSEEN
        self.parts.append("\n" if tag in self._LINES else "")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(re.sub(r"\s+", " ", data))


def page_text(page: str) -> str:
    """Return what a reader of a page sees, without data that it carries encoded."""
    lines = ("".join(_Text(page).parts)).splitlines()
    return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line) + "\n"


def _on_terminal(draw: Callable[[Console], None]) -> str:
    out = Console(file=io.StringIO(), width=terminal.WIDTH, highlight=False)
    draw(out)
    return out.file.getvalue()


def _run(simulation: Simulation, styles: Sequence[str] = STYLES) -> Callable[[Path], Mapping[str, str]]:
    def documents(folder: Path) -> Mapping[str, str]:
        view = shown(folder, simulation)
        texts = {style: load_format(style).render_run(view) for style in styles}
        if styles != STYLES:
            return texts
        claims = _on_terminal(lambda out: terminal.print_claims(view, out, verdicts=True))
        return {**texts, "terminal": _on_terminal(lambda out: terminal.print_run(view, out)), "claims": claims}

    return documents


def _patch(folder: Path) -> Mapping[str, str]:
    run = Store(folder).load(PATCH)
    view = build_run_view(run, run, _RULES)
    texts = {style: load_format(style).render_run(view) for style in STYLES}
    claims = _on_terminal(lambda out: terminal.print_claims(view, out, verdicts=False))
    return {**texts, "terminal": _on_terminal(lambda out: terminal.print_run(view, out)), "claims": claims}


def _comparison(*simulations: Simulation) -> Callable[[Path], Mapping[str, str]]:
    def documents(folder: Path) -> Mapping[str, str]:
        runs = [store(Store(folder), simulation) for simulation in simulations]
        compared = [summary.compare_runs(runs[0], run, _RULES) for run in runs[1:]]
        texts = {style: load_format(style).render_comparison(runs, compared, _RULES) for style in STYLES}
        return {**texts, "terminal": _on_terminal(lambda out: terminal.print_comparison(compared, out))}

    return documents


def _fleet(folder: Path) -> Mapping[str, str]:
    results = fleets.fleet(folder, "three", {**fleets.three(), "board": fleets.emulated()})
    return _of_fleet(compare.compare_machines(results, "three", _RULES))


def _two_fleets(folder: Path) -> Mapping[str, str]:
    slower = {name: cost * (1.2 if name == "rcu/rseq" else 1) for name, cost in fleets.machine(1).costs.items()}
    opteron = dataclasses.replace(fleets.machine(1, seed=99), costs=slower)
    fleets.fleet(folder, "before", fleets.three())
    results = fleets.fleet(folder, "after", {**fleets.three(), "opteron": opteron, "extra": fleets.machine(5)})
    return _of_fleet(compare.compare_fleets(results, "before", "after", _RULES))


def _of_fleet(comparison: compare.FleetComparison) -> Mapping[str, str]:
    texts = {style: load_format(style).render_fleet(comparison) for style in STYLES}
    return {**texts, "terminal": _on_terminal(lambda out: terminal.print_fleet(comparison, out))}


def _history(folder: Path) -> Mapping[str, str]:
    results = Store(folder)
    costs = {name: cost for name, cost in COSTS.items() if name.startswith("counter/") or name == "cpu_id/baseline"}
    for number in range(6):
        created = f"2024-05-{17 + number}T12:08:41+00:00"
        run = Simulation(f"run-{number}", costs, rounds=8, seed=number, created=created, skips=())
        if number > 3:
            newer = {**FACTS, "compiler": "gcc 14.1.0"}
            run = dataclasses.replace(run, costs={**costs, "counter/rseq": 0.74}, facts=newer)
        store(results, run)
    summaries = [summary_csv.load(results, f"run-{number}", _RULES.confidence) for number in range(6)]
    return {"html": history.render_page(summaries, _RULES)}


SUBJECTS: Mapping[str, Callable[[Path], Mapping[str, str]]] = {
    "run": _run(Simulation(rounds=12, threads={"counter/rseq": (1, 4)})),
    "run-limited": _run(Simulation(rounds=2, facts=_LIMITED, preset="quick")),
    "run-unmeasured": _run(Simulation(rounds=1, skips=_UNMEASURED, facts={}, docs={})),
    "run-empty": _run(Simulation(rounds=2, costs={}, skips=(), docs={}), ("mail", "html")),
    "run-replayed": _run(Simulation(rounds=8, target=REPLAY), ("mail",)),
    "run-emulated": _run(A32),
    "run-emulated-user": _run(dataclasses.replace(A32, target=USER_ONLY, interrupted=0), ("mail",)),
    "run-libraries": _run(Simulation(rounds=8, costs={**COSTS, **LTTNG, **URCU})),
    "patch": _patch,
    "comparison": _comparison(
        Simulation(label="a", rounds=10),
        Simulation("b", _SLOWER, rounds=10, seed=4, skips=_UNMEASURED[:2], facts=_NEWER),
    ),
    "comparison-empty": _comparison(*(Simulation(label, {}, rounds=2, skips=()) for label in "ab")),
    "comparison-of-units": _comparison(Simulation("x", arch="arm32", rounds=8, skips=()), A32),
    "kernel-config": _comparison(N, Y, REGISTERED),
    "fleet": _fleet,
    "two-fleets": _two_fleets,
    "history": _history,
}


def documents(subject: str, folder: Path) -> Mapping[str, str]:
    """Return the documents of a subject by format, without what differs from one version or folder to another."""
    made = SUBJECTS[subject](folder)
    return {
        style: (page_text(text) if style == "html" else text)
        .replace(__version__, "VERSION")
        .replace(str(folder), "FOLDER")
        for style, text in made.items()
    }


def check(subject: str, made: Mapping[str, str], update: bool) -> None:
    """Compare the documents of a subject with its golden files, or record them; a failure shows lines that differ."""
    texts = {f"{subject}.{style}.txt": text for style, text in made.items()}
    if update:
        FOLDER.mkdir(exist_ok=True)
        for name, text in texts.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    recorded = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob(f"{subject}.*.txt")}
    lines: list[str] = []
    for name in sorted({*texts, *recorded}):
        before, now = (documents.get(name, "").splitlines() for documents in (recorded, texts))
        lines += difflib.unified_diff(before, now, f"recorded {name}", f"made {name}", n=1, lineterm="")
    if lines:
        again = "If this is as it should be: pytest tests/unit/report/test_golden.py --update-golden"
        pytest.fail("\n".join([*lines, "", again]), pytrace=False)
