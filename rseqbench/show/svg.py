"""matplotlib's SVG made fit to stand in a page: no ids twice, colours from the page, a text alternative."""

from __future__ import annotations

import re
from html import escape

from rseqbench.report import formatting

# What charts.py draws in, and what it becomes: the page's own colours, with a fallback for an SVG on its own.
TEXT = "#000001"
RULE = "#000002"
BAND = "#000003"
FIRST = "#000004"
SECOND = "#000005"
_COLOURS = {
    TEXT: "currentColor",
    RULE: "var(--rule, #8886)",
    BAND: "var(--band, #8884)",
    FIRST: "var(--first, #1a6fb5)",
    SECOND: "var(--second, #b3591a)",
}
_SCALE = 1.33  # CSS pixels a point, so that text has the same size in every plot
_HEAD = re.compile(r"^.*?<svg[^>]*?viewBox=\"([^\"]*)\"[^>]*>", re.DOTALL)
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_STYLE = re.compile(r"<defs>\s*<style[^>]*>.*?</style>\s*</defs>", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_WORDS = re.compile(r">([^<]*)</text>")
_FONT = re.compile(r"font: ([\d.]+)px [^;\"]*")


def finish(raw: str, name: str, title: str, description: str) -> str:
    """Return matplotlib's `raw` SVG as an element for HTML; `name` starts all of its ids.

    Global styles, comments, prolog and metadata are gone, so that it cannot reach out of itself; text is harmless.
    """
    head = _HEAD.match(raw)
    if head is None:
        raise ValueError("not an SVG as matplotlib writes it")
    width = float(head[1].split()[2]) * _SCALE
    body = raw[head.end() :]
    for pattern in (_METADATA, _STYLE, _COMMENT):
        body = pattern.sub("", body)
    body = re.sub(r'\bid="([^"]*)"', rf'id="{name}-\1"', body)
    body = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r'xlink:href="#([^"]*)"', rf'href="#{name}-\1"', body)
    for drawn, shown in _COLOURS.items():
        body = body.replace(drawn, shown)
    body = _WORDS.sub(lambda text: f">{formatting.line(text[1])}</text>", body)
    body = _FONT.sub(r"font-size: \1px", body)
    spoken = {"title": escape(formatting.line(title)), "desc": escape(formatting.line(description))}
    alternative = "\n".join(f'<{tag} id="{name}-{tag}">{text}</{tag}>' for tag, text in spoken.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{head[1]}" width="{width:.0f}" role="img" '
        f'stroke-linejoin="round" aria-labelledby="{name}-title {name}-desc">\n'
        f"{alternative}{_squeezed(body)}"
    )


def _squeezed(body: str) -> str:
    """Return the body without blank lines and indentation, which are a tenth of it."""
    return "\n".join(stripped for line in body.splitlines() if (stripped := line.strip()))
