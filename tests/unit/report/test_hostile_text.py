"""Whatever stands in a label, a reason or a fact appears as text in every format, and does no harm."""

import csv
import io
import json
import re

import pytest

from rseqbench.config import load
from rseqbench.report import formatting
from rseqbench.report.formats import list_formats, load_format
from rseqbench.report.text import terminal
from tests.support import hostile_text, readback

TEXT = [style for style in list_formats() if style != "html"]  # a page has tests of its own
RULES = load().verdict
ACTIVE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.fixture(scope="module", params=hostile_text.TEXTS.values(), ids=hostile_text.TEXTS)
def made(request, tmp_path_factory):
    """Return a hostile text, and the documents of a run full of it and of its comparison with another."""
    folder = tmp_path_factory.mktemp("results")
    shown = hostile_text.shown(folder, request.param)
    runs, found = hostile_text.compared(folder, request.param)
    documents = [(style, load_format(style).render_run(shown)) for style in TEXT]
    documents += [(style, load_format(style).render_comparison(runs, found, RULES)) for style in TEXT]
    drawn = [readback.on_terminal(lambda out: terminal.print_run(shown, out)),
             readback.on_terminal(lambda out: terminal.print_comparison(found, out))]  # fmt: skip
    return request.param, documents, drawn


def of(made, style):
    return [text for name, text in made[1] if name == style]


def test_a_mail_stays_a_mail(made):
    for text in of(made, "mail"):
        hostile_text.sound(text)


def test_nothing_obeys_control_and_direction_characters(made):
    for style, text in made[1]:
        assert not ACTIVE.search(text), style
    for drawn in made[2]:
        assert not ACTIVE.search(drawn)


def test_markdown_shows_text_and_nothing_else(made):
    for text in of(made, "markdown"):
        tokens = readback.markdown_tokens(text)
        inline = [child for token in tokens for child in token.children or []]
        assert {token.type for token in inline} <= {"text", "strong_open", "strong_close", "text_special", "softbreak"}
        html = [token.content.strip() for token in tokens if token.type == "html_block"]
        assert all(re.fullmatch(r"<details>\n<summary>[A-Za-z', ]+</summary>|</details>", one) for one in html)
        assert html.count("</details>") == sum(one.startswith("<details>") for one in html) > 2
        assert sum(token.type == "fence" for token in tokens) == 1
        lines = ["".join(child.content for child in token.children or []) for token in tokens]
        shown = "\n".join(lines)
        assert not re.search(r"(?<![A-Za-z0-9_])@\w|(?<!\w)#\d|\bGH-\d|://|\bwww\.|@[\w-]+\.\w|:\w+:", shown)


def test_markdown_holds_every_word_of_it(made):
    expected = formatting.line(made[0])
    tables = readback.markdown_tables(of(made, "markdown")[0])
    cells = [cell for table in tables for row in table.rows for cell in row]
    if expected:
        assert any(expected in cell.replace("\n", "") for cell in cells)


def test_every_row_of_markdown_has_its_columns(made):
    for text in of(made, "markdown"):
        lines = [line for line in text.splitlines() if line.startswith("| ")]
        heads = {line.count("|") for line in lines}
        assert heads
        for table in readback.markdown_tables(text):
            assert all(len(row) == len(table.heads) for row in table.rows)
    raw = [line for text in of(made, "markdown") for line in text.splitlines() if line.startswith("| gs |")]
    assert raw and all(line.count("|") == 7 for line in raw)


def test_json_keeps_it_as_it_was(made):
    document = json.loads(of(made, "json")[0])
    reasons = {row["benchmark"]: row["reason"] for row in document["measured"]}
    assert reasons["counter/rseq"] == made[0]
    assert document["header"]["label"] == made[0]


def test_csv_stays_one_rectangle_without_formulas(made):
    for text in of(made, "csv"):
        rows = list(csv.reader(io.StringIO(text, newline="")))
        assert len({len(row) for row in rows}) == 1
        assert not any(re.match(r"\s*[=+@]|\s*-(?!\d)", cell) for row in rows for cell in row)
