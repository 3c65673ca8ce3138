"""The code that was timed, as a page shows it: what is kept of it with the run, of what the run has values for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from rseqbench.analysis.summary import Measured
from rseqbench.build import disassembly
from rseqbench.build.disassembly import Listing

_MOST = 300_000  # characters on a page


@dataclass(frozen=True)
class Timed:
    """The loops to show, and a line on why some or all of them are missing, else empty."""

    listings: tuple[Listing, ...]
    missing: str


def timed(folder: Path, found: Iterable[Measured]) -> Timed:
    """Return the code of what was measured, from the run's folder. Raises ResultsError where its file is damaged."""
    wanted = dict.fromkeys(one.benchmark for one in found if one.row)
    kept = disassembly.stored(folder)
    if kept is None:
        return Timed(
            (), f"No {disassembly.FILE} is kept with this run: it is older than that, or there was no objdump."
        )
    by_name = {one.kernel: one for one in kept}
    return limited([by_name[name] for name in wanted if name in by_name], [n for n in wanted if n not in by_name])


def limited(listings: Sequence[Listing], unknown: Sequence[str], most: int = _MOST) -> Timed:
    """Keep as many loops as have `most` characters together; say which are left out, and which nobody knows."""
    reached = accumulate(sum(len(line) + 1 for line in one.lines) for one in listings)
    fitting = sum(characters <= most for characters in reached)
    left = [one.kernel for one in listings[fitting:]]
    said = [
        f"Too long for a page, but in {disassembly.FILE}: {', '.join(left)}." if left else "",
        f"No kernel of ours, so no loop of it is known: {', '.join(unknown)}." if unknown else "",
    ]
    return Timed(tuple(listings[:fitting]), " ".join(filter(None, said)))
