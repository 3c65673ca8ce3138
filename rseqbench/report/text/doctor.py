"""Pure: what doctor found -> lines of text. What is to be typed has a line of its own, whole, however long."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.text import Text

from rseqbench.model import Finding, missing_packages
from rseqbench.support import text as foreign

_STYLES = {"ok": "green", "warn": "yellow", "bad": "bold red"}


def format_findings(findings: Sequence[Finding], width: int) -> Iterator[Text]:
    """Yield a line a finding, folded at `width`, its advice below it, and below that the command that mends it."""
    names = max((len(finding.name) for finding in findings), default=0)
    indent = len("warn") + 2 + names + 2
    for finding in findings:
        first, *more = _folded(finding.value, width - indent)
        yield Text.assemble((f"{finding.status:4}", _STYLES[finding.status]), f"  {finding.name:{names}}  {first}")
        yield from (Text(f"{'':{indent}}{line}") for line in more)
        yield from (Text(f"{'':{indent}}{line}", "dim") for line in _folded(finding.advice, width - indent) if line)
        if finding.command:
            yield Text.assemble(" " * indent, (finding.command, "bold cyan"))


def format_summary(findings: Sequence[Finding]) -> Text:
    """Say in one line how it stands, and what can be installed at once."""
    bad = [finding.name for finding in findings if finding.status == "bad"]
    warned = sum(finding.status == "warn" for finding in findings)
    told = f"A native run cannot work: {', '.join(bad)}." if bad else "A native run works here."
    told += f" {warned} warning{'s' if warned != 1 else ''}."
    packages = missing_packages(findings)
    if packages:
        told += f" rseqbench doctor --fix installs: {' '.join(packages)}"
    return Text(told, "bold red" if bad else "bold")


def _folded(text: str, width: int) -> list[str]:
    return textwrap.wrap(foreign.line(text), max(width, 20), break_on_hyphens=False) or [""]
