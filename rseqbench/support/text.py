"""Pure: text that is not ours, made harmless. Needs no package, so that doctor can speak where packages are missing."""

from __future__ import annotations

import unicodedata


def line(text: str) -> str:
    """Return foreign text as one harmless line: control and direction characters are spelled out, not obeyed."""
    one = " ".join(text.split())
    return one if one.isprintable() else "".join(map(_harmless, one))  # nearly all is, and a page has 100,000 texts


def is_control(char: str) -> bool:
    """Whether a character directs what stands beside it, or the terminal, and shows nothing itself."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _harmless(char: str) -> str:
    return f"\\u{ord(char):04x}" if is_control(char) else char
