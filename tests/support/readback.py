"""Reads numbers back out of every format, each by a parser of its own: what a reader of that format would see."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import dataclass
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from rich.console import Console

from rseqbench.model import VerdictWord
from rseqbench.report.formatting import SIGNS as signs
from rseqbench.report.text import terminal

NUMBER = r"-?[\d,]*\.?\d+(?:e[+-]?\d+)?"
INTERVAL = re.compile(rf"({NUMBER})(x?(?: s)?)(?: [a-z]+(?:/op)?)*(?:\s*\(({NUMBER}) \.\. ({NUMBER})\))?")
GROUP = re.compile(r"([a-z_]+) on ([a-z0-9_]+)(?:$|:)")  # a caption of what was measured
VALUE = rf"(?:{NUMBER}|-)"
SIGNS = list(signs)
NO_WIDTH = "\u200b"


@dataclass(frozen=True)
class Table:
    """A table as it was read: its caption, the cells of its heading, and those of its rows."""

    caption: str
    heads: list[str]
    rows: list[list[str]]

    def column(self, head):
        return next((place for place, one in enumerate(self.heads) if one.startswith(head)), None)


class Html(HTMLParser):
    """Collects the tables of a page."""

    def __init__(self, text):
        super().__init__()
        self.found, self._into = [], None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "table":
            self.found.append(["", []])
        elif tag == "tr":
            self.found[-1][1].append([])
        elif tag in ("td", "th"):
            self.found[-1][1][-1].append("")
            self._into = "cell"
        elif tag == "caption":
            self._into = "caption"

    def handle_endtag(self, tag):
        if tag in ("td", "th", "caption"):
            self._into = None

    def handle_data(self, text):
        if self._into == "caption":
            self.found[-1][0] += text
        elif self._into == "cell":
            self.found[-1][1][-1][-1] += text


def html_tables(text):
    return [Table(caption, rows[0], rows[1:]) for caption, rows in Html(text).found if rows]


def markdown_tokens(text):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)


def markdown_text(inline):
    """Return what is read where an inline token is shown; spaces of no width are not seen."""
    parts = (child.content if child.type == "text" else "\n" for child in inline.children if child.content)
    return "".join(parts).replace(NO_WIDTH, "")


def markdown_tables(text):
    found, caption, rows, inside = [], "", [], False
    for token in markdown_tokens(text):
        if token.type == "table_open":
            rows, inside = [], True
        elif token.type == "tr_open":
            rows.append([])
        elif token.type == "table_close":
            found.append(Table(caption, rows[0], rows[1:]))
            inside = False
        elif token.type == "inline" and inside:
            rows[-1].append(markdown_text(token))
        elif token.type == "inline":
            caption = markdown_text(token)
    return found


def text_tables(text, lead, part):
    """Return the tables of a text as (caption, lines of rows); `lead` stands before each caption.

    `part` is the paragraph that the rows are in: the caption's own, or the one after it.
    """
    found = []
    for block in re.split(rf"\n(?={re.escape(lead)}[a-z_]+ on )", text)[1:]:
        found.append((block.removeprefix(lead).splitlines()[0], block.split("\n\n")[part].splitlines()))
    return found


def of_text(tables):
    """Return what each benchmark takes in a text for people: (arch, benchmark, threads) to what is printed of it."""
    found = {}
    for caption, lines in tables:
        group = GROUP.match(caption)
        for line in lines:
            row = re.match(rf"([a-z][a-z0-9_]*)( \((\d+)t\))? +({INTERVAL.pattern})(?: |$)", line)
            if row:
                found[group[2], f"{group[1]}/{row[1]}", int(row[3] or 1)] = row[4]
    return found


def of_tables(tables):
    """Return the same of tables."""
    found = {}
    for table in tables:
        group = GROUP.match(table.caption)
        if not group or not table.heads[0].startswith("method"):
            continue
        for row in table.rows:
            name = re.match(r"([a-z0-9_]+)(?: \((\d+)t\))?$", row[0])
            if INTERVAL.match(row[1]):
                found[group[2], f"{group[1]}/{name[1]}", int(name[2] or 1)] = row[1]
    return found


def costs(shown, documents):
    """Return what each format says of each benchmark, by the format's name; printed text, or (value, low, high)."""
    rows = [row for row in csv.DictReader(io.StringIO(documents["csv"])) if row["kind"] == "benchmark"]
    return {
        "html": of_tables(html_tables(documents["html"])),
        "markdown": of_tables(markdown_tables(documents["markdown"])),
        "mail": of_text(text_tables(documents["mail"], "- ", 1)),
        "terminal": of_text(text_tables(on_terminal(lambda out: terminal.print_run(shown, out)), "", 0)),
        "csv": {
            (row["arch"], row["benchmark"], int(row["threads"])): tuple(
                map(number, (row["gross"], row["gross_low"], row["gross_high"]))
            )
            for row in rows
            if row["gross"]
        },
    }


def true_costs(documents):
    """Return (value, low, high) of each benchmark that has a value, out of the JSON document."""
    return {
        (row["arch"], row["benchmark"], row["threads"]): (row["gross"], row["gross_low"], row["gross_high"])
        for row in json.loads(documents["json"])["measured"]
        if row["gross"] is not None
    }


def verdicts(shown, documents):
    """Return what each format says of each claim: its name to (what is printed as measured, the verdict)."""
    rows = [row for row in csv.DictReader(io.StringIO(documents["csv"])) if row["kind"] == "claim"]
    return {
        "html": verdicts_of_tables(html_tables(documents["html"])),
        "markdown": verdicts_of_tables(markdown_tables(documents["markdown"])),
        "mail": verdicts_of_text(documents["mail"]),
        "terminal": verdicts_of_text(on_terminal(lambda out: terminal.print_claims(shown, out, verdicts=True))),
        "csv": {row["claim"]: (row["measured"], row["verdict"]) for row in rows},
    }


def verdicts_of_tables(tables):
    found = {}
    for table in tables:
        verdict, measured = table.column("verdict"), table.column("measured")
        if verdict is None or not table.heads[0].startswith("claim"):
            continue
        for row in table.rows:
            name = row[0].split("(")[-1].strip(") ")
            word = next(word for word in VerdictWord if row[verdict].endswith(word.value))
            found[name] = (row[measured] if measured is not None else "", word.value)
    return found


def verdicts_of_text(text):
    """Return the same of a text: from rows that end in a verdict, and from lists under a title or a caption of one."""
    words = "|".join(VerdictWord)
    stated = rf"{NUMBER}(?:-{NUMBER})?(?:x| [a-z%]+)"
    found = {}
    for claim, measured, word in re.findall(
        rf"^([a-z_]\S+) +{stated}(?: {{2,}}({NUMBER}.*?))? {{2,}}({words})(?: |$)", text, re.MULTILINE
    ):
        found[claim] = (measured, word)
    for word, block in re.findall(rf"\n- ({words}), [^\n]*\n\n(.*?)(?=\n\n|$)", text, re.DOTALL):
        for claim, measured in re.findall(rf"^([a-z_]\S+) +{stated} +(.*)$", block, re.MULTILINE):
            found[claim] = (measured, word)
    for block in re.findall(r"\n[^\n]* not measured here, and why\n=+\n(.*?)(?=\n\n\n|$)", text, re.DOTALL):
        names = " ".join(line.strip() for line in block.splitlines() if line.startswith("    "))
        found |= dict.fromkeys(re.findall(r"(\S+?)(?: \([^)]*\))?(?:, | |$)", names), ("", "not measured"))
    return found


def true_verdicts(documents):
    """Return ((value, low, high) or None, verdict) of each claim, out of the JSON document."""
    return {
        row["claim"]: (
            None if row["measured"] is None else (row["measured"], row["measured_low"], row["measured_high"]),
            row["verdict"],
        )
        for row in json.loads(documents["json"])["claims"]
    }


def comparisons(found, documents):
    """Return what each format says of each benchmark of two runs: (what it differs by, as printed; the verdict)."""
    rows = [row for row in csv.DictReader(io.StringIO(documents["csv"])) if row["kind"] == "benchmark"]
    drawn = on_terminal(lambda out: terminal.print_comparison(found, out))
    return {
        "html": compared_in(html_tables(documents["html"])),
        "markdown": compared_in(markdown_tables(documents["markdown"])),
        "mail": compared_in_text(documents["mail"]),
        "terminal": compared_in_text(drawn),
        "csv": {(row["arch"], row["benchmark"], int(row["threads"])): (row["ratio"], row["verdict"]) for row in rows},
    }


def compared_in(tables):
    found = {}
    for table in tables:
        about = re.search(r" against .* on ([a-z0-9_]+)(?:$|,)", table.caption)
        for row in table.rows if about else []:
            word = re.sub(r" (\[\d+\])?$", "", row[4])
            found[case(about[1], row[0])] = (row[3], word)
    return found


def compared_in_text(text):
    """Return the same of a text, in which a sign may stand for a verdict; what it means stands below the table."""
    found = {}
    for caption, block in re.findall(
        r"\n(?:- )?([^\n]*\(second\) against [^\n]*)\n(.*?)(?=\n\n(?!benchmark| )|$)", text, re.DOTALL
    ):
        arch = re.search(r" on ([a-z0-9_]+)", caption)[1]
        signs = dict(re.findall(rf"^ *([<>=~/-]) ({'|'.join(SIGNS)})", block, re.MULTILINE))
        meaning = "|".join(map(re.escape, [*SIGNS, *signs]))
        split = len(re.findall("^benchmark", block, re.MULTILINE)) > 1  # the values, then the differences
        values = "" if split else f" +{VALUE} +{VALUE}"
        last = block.split("\n\n", 1)[1] if split else block
        row = rf"^([a-z_]+/\S+(?: \(\d+ threads\))?){values} +(\S.*?)?  +({meaning})(?: \[\d+\])? *$"
        for name, by, word in re.findall(row, last, re.MULTILINE):
            found[case(arch, name)] = (by, signs.get(word, word))
    return found


def case(arch, name):
    named = re.match(r"(\S+)(?: \((\d+) threads\))?$", name)
    return arch, named[1], int(named[2] or 1)


def words(style, text):
    """Return the words of a document as they are read, without its markup."""
    if style in ("html", "markdown"):
        tables = html_tables(text) if style == "html" else markdown_tables(text)
        return "\n".join(cell for table in tables for row in table.rows for cell in row)
    return " ".join(text.split())


def on_terminal(draw, width=300):
    """Return what is drawn on a terminal so wide that nothing folds."""
    out = Console(file=io.StringIO(), width=width, highlight=False)
    draw(out)
    return "\n" + out.file.getvalue()


def number(text):
    return float(text.replace(",", "")) if text else None


def agrees(printed, true):
    """Whether a printed number with its interval is the true one, to within half a unit of its last digit."""
    value, _, low, high = INTERVAL.match(printed).groups()
    if low is None:  # none, or one that cannot be seen: of a count, or of a value of the message
        low, high, true = value, value, (true[0], true[0], true[0])
    return all(near(text, one) for text, one in zip((value, low, high), true, strict=True))


def near(text, true):
    """Whether a printed number is the true one as precisely as it is printed."""
    places = len(text.partition(".")[2])
    return abs(number(text) - true) <= 0.5000001 * 10**-places


def section(text, title):
    return text.partition(f"\n{title}\n{'=' * len(title)}\n")[2].partition("\n\n\n")[0]
