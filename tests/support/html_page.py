"""A page as a parser sees it: nesting, ids, links, tables and headings."""

from __future__ import annotations

import re
from html.parser import HTMLParser

VOID = {"meta", "link", "br", "wbr", "hr", "img", "input", "use", "path"}


class Page(HTMLParser):
    """Checks nesting, and collects ids, links, and what stands in tables and figures."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.stack, self.ids, self.links, self.references, self.tables, self.headings = [], [], [], [], [], []
        self.scripts = 0
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        assert "onclick" not in given and not any(name.startswith("on") for name in given)
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [given[name] for name in ("href", "src", "xlink:href") if name in given]
        self.references += given.get("aria-labelledby", "").split()
        self.references += re.findall(r"url\(#([^)]*)\)", " ".join(v or "" for v in given.values()))
        self.scripts += tag == "script"
        if tag == "table":
            self.tables.append({"caption": 0, "scopes": 0, "heads": 0})
        elif tag == "caption":
            self.tables[-1]["caption"] += 1
        elif tag == "th":
            self.tables[-1]["heads"] += 1
            self.tables[-1]["scopes"] += given.get("scope") in ("col", "row")
        elif re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.stack.pop()

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.stack.pop() == tag
