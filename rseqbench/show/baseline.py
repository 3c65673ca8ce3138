"""Pure: what share the empty loop has in the values of a table of the message, which left it in."""

from __future__ import annotations

from rseqbench.analysis.dataset import Row
from rseqbench.analysis.patch_tables import PatchTable
from rseqbench.model import BASELINE
from rseqbench.report import formatting


def share(shown: PatchTable) -> str:
    """Return a sentence on the empty loop's share in the run's values of a table of pairs; empty without such values.

    A list of times has the loop as a line of its own.
    """
    measured = {row.benchmark: row for line in shown.pairs for row in line.values if row and row.timing != "published"}
    if not measured:
        return ""
    parts = {formatting.method(name): _percent(row) for name, row in measured.items()}
    if not all(parts.values()):
        return f"How much of these is the empty loop is not known: {BASELINE} was not measured."
    listed = ", ".join(f"{name} {part}" for name, part in parts.items())
    return f"The empty loop is left in, as the patch left it. Its share of this run's values: {listed}."


def _percent(row: Row) -> str:
    """Return the loop's share of a value; empty where it was not taken apart."""
    if row.net is None:
        return ""
    part = 1 - row.net.value / row.gross.value
    return "below 1%" if part < 0.01 else f"{part:.0%}"
