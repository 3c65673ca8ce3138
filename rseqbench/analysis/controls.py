"""Pure: what the control benchmarks say of a run itself: false alarms, and what code placement alone may do."""

from __future__ import annotations

import pandas as pd

from rseqbench.analysis import dataset, stats
from rseqbench.config import VerdictRules
from rseqbench.model import CONTROLS, BenchmarkId, CaseKey

PLACED = tuple(BenchmarkId.of_parts("control", f"placed_{bytes_}") for bytes_ in (0, 16, 32, 48))


def false_alarms(frame: pd.DataFrame, label: str, arch: str, rules: VerdictRules) -> list[str]:
    """Return a sentence for each pair of names for the same code that a run calls different; it then proves nothing."""
    found = []
    for one, other in CONTROLS:
        ratio = dataset.speedup(frame, label, CaseKey(arch, one), CaseKey(arch, other), rules.confidence)
        if ratio is not None and stats.beyond_floor(ratio, rules.floor):
            found.append(
                f"This run cannot be trusted: {one} and {other} are the same code on {arch}, and it finds them "
                f"{abs(ratio.value - 1):.1%} apart."
            )
    return found


def placement(frame: pd.DataFrame, label: str, arch: str) -> str:
    """Return by how much the same loop differs between places in memory, in a sentence; empty where not measured."""
    copies = [dataset.series(frame, label, CaseKey(arch, name)) for name in PLACED]
    known = [float(copy.median()) for copy in copies if len(copy)]
    if len(known) < 2:
        return ""
    spread = max(known) / min(known) - 1
    return (
        f"Where code lands in memory moves the per-CPU increment by {spread:.2%} on {arch} ({len(known)} places); "
        "no interval covers that."
    )
