"""Pure: text that is not ours, made harmless. Needs no package, so that doctor can speak where packages are missing."""

from __future__ import annotations

import unicodedata


def line(text: str) -> str:
    """Return foreign text as one harmless line: control and direction characters are spelled out, not obeyed."""
    joined = " ".join(text.split())
    # Nearly every text is printable, and a page has 100,000 of them.
    return joined if joined.isprintable() else "".join(map(_escape, joined))


def is_control(char: str) -> bool:
    """Whether a character shows nothing itself, but directs its neighbours or the terminal."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if is_control(char) else char
