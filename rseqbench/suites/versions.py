"""Which version of a shipped library or program is here, and how what calls it was compiled and linked."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rseqbench.build.cache import Built

_UNKNOWN = "not known"
_VERSION = re.compile(r"\d+\.\d+(\.\d+)*\S*")
_MODULES = ("/usr/lib/*/pkgconfig", "/usr/lib*/pkgconfig", "/usr/local/lib/pkgconfig", "/usr/share/pkgconfig")


def library(module: str) -> str:
    """Return the version of a library by its pkg-config module, which is read as it is: pkg-config may be missing."""
    for pattern in _MODULES:
        for path in sorted(Path("/").glob(f"{pattern[1:]}/{module}.pc")):
            found = re.search(r"^Version:\s*(\S+)", path.read_text(errors="replace"), re.MULTILINE)
            if found:
                return found[1]
    return _UNKNOWN


def program(name: str) -> str:
    """Return the version that a program says it has."""
    try:
        done = subprocess.run([name, "--version"], capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return _UNKNOWN
    found = _VERSION.search(done.stdout)
    return found[0] if found else _UNKNOWN


def linked(provider: Built, libraries: Sequence[str]) -> str:
    """Return how the code that calls a library was compiled and linked."""
    return f"{provider.compiler} {provider.cflags} -shared {' '.join(libraries)}"
