"""The formats of documents: each module here is one, and its name is what `--format` takes.

A new format is one new file with the three functions of `Format`. A module may have render_claims() too.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:  # the names are needed for --help, which loads nothing heavy
    from rseqbench.analysis.fleet.compare import FleetComparison
    from rseqbench.analysis.summary import RunComparison
    from rseqbench.config import VerdictRules
    from rseqbench.report.run_view import RunView
    from rseqbench.store.runs import Run


class Format(Protocol):
    """A module that writes a document as text."""

    def render_run(self, view: RunView) -> str:
        """Return all that is shown of one run."""

    def render_comparison(self, runs: Sequence[Run], comparisons: Sequence[RunComparison], rules: VerdictRules) -> str:
        """Return all that is shown of the comparisons of further runs with the first one."""

    def render_fleet(self, fleets: FleetComparison) -> str:
        """Return all that is shown of one fleet, or of two, machine by machine."""


class ClaimsFormat(Protocol):
    """A module that can write the claims alone."""

    def render_claims(self, view: RunView, verdicts: bool) -> str:
        """Return each number of the message, with `verdicts` the run's verdict on each."""


def list_formats() -> list[str]:
    """Return the names of all formats, by importing none."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load_format(name: str) -> Format:
    """Return the format of a name that list_formats() has."""
    return cast(Format, importlib.import_module(f"{__name__}.{name}"))


def load_claims_format(name: str) -> ClaimsFormat:
    """Return the format of a name that can write the claims alone: csv, json or markdown."""
    return cast(ClaimsFormat, importlib.import_module(f"{__name__}.{name}"))
