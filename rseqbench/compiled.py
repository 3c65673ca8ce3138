"""The names of the kernels that were compiled last, read out of their file: nothing is compiled, loaded or started."""

from __future__ import annotations

import re

from rseqbench import paths
from rseqbench.build import cache


def groups() -> list[str]:
    """Return the groups there are: each is a file of sources."""
    return sorted(source.stem for folder in ("src", "libraries") for source in (paths.kernels() / folder).glob("*.c"))


def names() -> list[str]:
    """Return the names of all benchmarks in the cache's newest extension or runner, sorted; none if it has neither.

    A name is a string of its own among those of the program: group/method, and the end of the string.
    """
    files = [file for kind in (f"{cache.MODULE}.*", "runner") for file in paths.cache().glob(f"*/{kind}")]
    if not files:
        return []
    newest = max(files, key=lambda file: file.stat().st_mtime)
    name = re.compile(rb"(?<![\w/.-])((?:%s)/\w+)\0" % b"|".join(group.encode() for group in groups()))
    return sorted({found.decode() for found in name.findall(newest.read_bytes())})
