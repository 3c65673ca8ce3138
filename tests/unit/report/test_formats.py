"""The formats say the same: every number is read back out of each of them and compared. Foreign text does no harm."""

import base64
import csv
import io
import json
import re

import pytest
from rich.console import Console

from rseqbench.analysis import summary
from rseqbench.config import load
from rseqbench.model import Skip
from rseqbench.report import data, formatting
from rseqbench.report.formats import markdown
from rseqbench.report.html import run
from rseqbench.report.tables import claims as of_claims
from rseqbench.report.tables import run as of_run
from rseqbench.report.text import terminal
from rseqbench.store.runs import PATCH, Store
from tests.support import readback
from tests.support.simulated_runs import COSTS, SKIPS, Simulation, shown, store

EVIL = "<script>alert('x')</script> & [bold]b[/bold] | `c` *d* \x1b[31m\u202e=1+1"


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=8))


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    results = Store(tmp_path_factory.mktemp("results"))
    a = store(results, Simulation(label="a", rounds=8))
    return summary.compare_runs(results.load(PATCH), a, load().verdict), summary.compare_runs(
        a, store(results, Simulation(label="b", rounds=8, seed=9)), load().verdict
    )


def from_terminal(draw):
    out = Console(file=io.StringIO(), width=terminal.WIDTH, highlight=False)
    draw(out)
    return out.file.getvalue()


def test_every_record_has_the_same_keys_and_a_schema(laptop, pair):
    for records in (data.measured("x", laptop.measured), data.verdicts(laptop.judged), data.claims(laptop.judged)):
        assert len({tuple(record) for record in records}) == 1
        assert data.to_csv(records).splitlines()[0].split(",") == ["schema", *records[0]]
    for found in pair:
        assert len({tuple(record) for record in [*data.comparison(found), *data.speedups(found)]}) == 1
    for text in (data.to_json("claims", claims=[]), data.run_json(laptop)):
        assert json.loads(text)["schema"] == data.SCHEMA


def test_the_summary_on_disk_does_not_change_with_noise_in_the_last_digits(laptop):
    written = (laptop.run.folder / "table.csv").read_text(encoding="utf-8")
    assert written == data.table_csv(laptop.run)
    assert not re.search(r"\d\.\d{12}", written)


def test_the_rounds_are_all_there(laptop):
    rows = list(csv.DictReader(io.StringIO(data.rounds_csv(laptop))))
    assert len(rows) == 8 * (len(COSTS) - 1)
    assert {row["unit"] for row in rows} == {"ns"}


def test_the_terminal_stays_within_its_columns(laptop, pair):
    def draw(out):
        terminal.print_run(laptop, out)
        terminal.print_claims(laptop, out, verdicts=True)
        terminal.print_claims(laptop, out, verdicts=False)
        for found in pair:
            terminal.print_comparison([found], out)

    rows = [line for line in from_terminal(draw).splitlines() if "─" in line or "  " in line]
    assert max(map(len, rows)) <= terminal.WIDTH


def test_no_number_is_cut_off_on_the_terminal(laptop):
    drawn = from_terminal(lambda out: terminal.print_claims(laptop, out, verdicts=False))
    for row in of_claims.tabulate_arithmetic(laptop.judged).rows:
        assert str(row[4]) in drawn
    assert "…" not in drawn


def test_a_terminal_gets_colour_unless_it_asks_for_none(laptop, monkeypatch):
    def drawn(**environment):
        for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        out = Console(file=io.StringIO(), force_terminal=True, width=terminal.WIDTH, highlight=False)
        terminal.print_run(laptop, out)
        return out.file.getvalue()

    coloured = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
    assert coloured.search(drawn(TERM="xterm-256color"))
    assert not coloured.search(drawn(TERM="xterm-256color", NO_COLOR="1"))
    assert "\x1b" not in from_terminal(lambda out: terminal.print_run(laptop, out))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    skips = (*SKIPS, Skip("counter/rseq", 1, EVIL))
    docs = dict.fromkeys(COSTS, EVIL)
    facts = {"cpu": EVIL, EVIL: EVIL, "virtual": EVIL, "governor": EVIL}
    return shown(
        tmp_path_factory.mktemp("results"),
        Simulation(label="x" * 100, rounds=2, skips=skips, docs=docs, facts=facts, notes=(EVIL,)),
    )


def test_hostile_text_appears_as_text(hostile):
    page = run.render_page(hostile)
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    marked = markdown.render_grids(of_run.tabulate_measured(hostile.measured), hostile.summary)
    assert "<script" not in marked
    assert "\x1b" not in marked
    drawn = from_terminal(lambda out: terminal.print_run(hostile, out))
    assert "<script>" in drawn
    assert "[bold]b[/bold]" in drawn
    assert "\x1b" not in drawn
    assert "\u202e" not in drawn


def test_hostile_text_survives_in_json_and_stays_one_cell_in_csv(hostile):
    document = json.loads(data.run_json(hostile))
    assert {record["benchmark"]: record["reason"] for record in document["measured"]}["counter/rseq"] == EVIL
    rows = list(csv.DictReader(io.StringIO(data.table_csv(hostile.run))))
    assert {row["benchmark"]: row["reason"] for row in rows}["counter/rseq"] == formatting.line(EVIL)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " ="])
def test_no_csv_cell_can_start_a_formula(start):
    text = data.to_csv([{"label": f"{start}1+1", "value": -1.5, "empty": None, "yes": True}])
    (row,) = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {"schema": "1", "label": f"'{start.strip()}1+1", "value": "-1.5", "empty": "", "yes": "true"}


@pytest.mark.parametrize(
    "text", ["a|b", "*a*", "_a_", "`a`", "[a](b)", "<b>", "# a", "~~a~~", "a\\", "@user", "![a](b)"]
)
def test_markdown_shows_what_it_was_given(text):
    escaped = markdown.escape(text)
    assert escaped != text
    (shown,) = [token for token in readback.markdown_tokens(escaped) if token.type == "inline"]
    assert {child.type for child in shown.children} == {"text"}
    assert readback.markdown_text(shown) == text


def test_markdown_leaves_method_names_readable():
    assert markdown.escape("counter/getcpu_atomic") == "counter/getcpu_atomic"


def test_the_page_carries_the_same_data(laptop):
    page = run.render_page(laptop)
    found = dict(re.findall(r'download="([^"]*)" href="data:[^,]*,([^"]*)"', page))
    held = {name: base64.b64decode(text).decode() for name, text in found.items()}
    assert json.loads(held["simulated.json"]) == json.loads(data.run_json(laptop))
    assert held["simulated-claims.csv"] == data.to_csv(data.verdicts(laptop.judged))
    assert held["simulated-rounds.csv"] == data.rounds_csv(laptop)
    assert len(held["simulated-table.csv"].splitlines()) == len(COSTS) + 1
