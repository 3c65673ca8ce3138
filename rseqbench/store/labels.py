"""What can name a run: nobody's label leaves the results folder, or needs quoting in a shell."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import datetime

from rseqbench.errors import ResultsError

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,99}")


def is_label(name: str) -> bool:
    """Whether a name can be a run's label."""
    return _LABEL.fullmatch(name) is not None


def check_label(label: str) -> str:
    """Return `label` if it can name a run, else raise ResultsError: nobody's label leaves the results folder."""
    if is_label(label):
        return label
    shown = repr(label if len(label) <= 40 else label[:37] + "...")
    raise ResultsError(
        f"bad label {shown}", "use 1 to 100 letters, digits and . _ + @ -, starting with a letter or digit"
    )


def fresh(first: str, taken: Collection[str]) -> str:
    """Return a label that begins with `first` and names the minute; a second one in that minute gets a number."""
    name = f"{first}-{datetime.now():%Y%m%d-%H%M}"
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if one not in taken)
