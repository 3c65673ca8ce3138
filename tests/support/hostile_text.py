"""Text of others that means something to a browser, a shell, a terminal, a mail program, Markdown or a spreadsheet."""

from __future__ import annotations

import dataclasses
import re

from rseqbench.analysis import summary
from rseqbench.config import load
from rseqbench.report.run_view import build_run_view
from rseqbench.store.runs import PATCH, Store
from tests.support.simulated_runs import COSTS, SKIPS, Simulation, Skip, store

FEW = {name: COSTS[name] for name in ("cpu_id/baseline", "cpu_id/gs", "cpu_id/rseq", "counter/plain", "counter/rseq")}
TEXTS = {
    "html": "<img src=x onerror=alert(1)><script>alert('x')</script>",
    "closing": "</td></table></details></pre>--><!--",
    "shell": "$(touch /tmp/x); `id` && rm -rf ~ | cat > 'a' \"b\" \\",
    "long": "x" * 200,
    "long words": "word " * 60,
    "markdown": "| a | *b* _c_ `d` ~~e~~ [f](http://g.example) ![h](i) # j **k** $l$ \\|",
    "mentions": "@user @org/team #123 GH-7 user@example.org www.example.org https://example.org :smile:",
    "list": "- a",
    "numbered": "1. a",
    "hebrew": "\u05d0\u05d1\u05d2 12 \u05d3\u05d4",
    "bidi": "\u202eabc\u202c \u2066def\u2069 \u200fghi\u061c",
    "control": "\x1b[31mred\x1b[0m \x07 \x00 \x9b2J a\rb\nc\td",
    "mailbox": "From somebody",
    "separator": "---",
    "signature": "-- ",
    "quote": "> quoted",
    "patch": "diff --git a/x b/x",
    "formula": "=1+1",
    "surrogate": "\ud800 lone",
    "wide": "\u6f22\u5b57 \U0001f600 e\u0301 \u00b5 \u201cq\u201d \u2026",
    "fence": "``` ````",
    "empty": " ",
}


def run(folder, text, label=None):
    """Return a stored run in which `text` stands wherever text of others can stand, its label included."""
    skips = (*SKIPS, Skip("counter/rseq", 1, text), Skip("cpu_id/gs", 1, text))
    facts = {"cpu": text, text: text, "virtual": text, "governor": text, "linux": text, "libc": text}
    made = store(
        Store(folder),
        Simulation(label="hostile", rounds=2, skips=skips, docs=dict.fromkeys(COSTS, text), facts=facts, notes=(text,)),
    )
    named = dataclasses.replace(made.header, label=text if label is None else label, command=text, finished=text)
    return dataclasses.replace(made, header=named)


def shown(folder, text):
    """Return that run as it is shown."""
    return build_run_view(run(folder, text), Store(folder).load(PATCH), load().verdict)


def compared(folder, text):
    """Return that run and another one, compared with it."""
    runs = [run(folder, text), store(Store(folder), Simulation(label="other", costs=FEW, rounds=2))]
    return runs, [summary.compare_runs(*runs, load().verdict)]


def sound(text):
    """Hold a mail to what every mail must be, and return its lines."""
    lines = text.splitlines()
    assert text.isascii()
    assert not re.search(r"[^\n -~]", text)
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert max(map(len, lines)) <= 76
    for line in lines:
        assert line == line.rstrip()
        assert not re.match(r"From |--$|---|diff |Index: |[>#]", line)
    return lines
