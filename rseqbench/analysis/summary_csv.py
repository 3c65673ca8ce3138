"""table.csv -> rows: what a stored run took, without reading its raw values.

A run's pyperf.json has megabytes, and a page over a thousand runs needs a value with its interval of each benchmark:
table.csv has that, as it was estimated when the run was made, to six digits. A run without it is estimated anew.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rseqbench.analysis import dataset
from rseqbench.analysis.dataset import Row
from rseqbench.errors import ResultsError, describe_damage
from rseqbench.model import BenchmarkId, Estimate
from rseqbench.store.runs import Header, Store

FILE = "table.csv"
_SCHEMA = "1"
_PER = "/op"


@dataclass(frozen=True)
class Summary:
    """A stored run: its header, and a row for each benchmark that has a value."""

    header: Header
    rows: tuple[Row, ...]


def load(store: Store, label: str, confidence: float) -> Summary:
    """Read a finished run's header and table.csv. Raises ResultsError where one is damaged or from a newer rseqbench.

    `confidence` is what the intervals of a run without table.csv are to have.
    """
    folder, header = store.header(label)
    path = folder / FILE
    if not path.is_file():
        frame = dataset.collapse_boots(dataset.read(folder, header))
        return Summary(header, tuple(dataset.summarise(frame, confidence)))
    return Summary(header, tuple(parsed(path, label, confidence)))


def parsed(path: Path, label: str, confidence: float) -> list[Row]:
    """Return the rows of a table.csv that have a value; raises ResultsError."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            records = list(csv.DictReader(file))
        if any(record["schema"] != _SCHEMA for record in records):
            raise ResultsError(f"{path}: not of schema {_SCHEMA}", "update rseqbench, or the run folder is damaged")
        return [_row(record, label, confidence) for record in records if record["gross"]]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError, AttributeError, csv.Error) as error:
        raise ResultsError(
            f"{path}: damaged ({describe_damage(error)})", "remove it, and it is made of pyperf.json"
        ) from error


def _row(record: Mapping[str, str], label: str, confidence: float) -> Row:
    if not 0 < float(record["gross"]) < math.inf:
        raise ValueError(f"{record['benchmark']} takes {record['gross']}")
    unit, rounds = record["unit"].removesuffix(_PER), int(record["rounds"])
    counts = unit != "ns"
    return Row(
        label=label,
        arch=record["arch"],
        benchmark=BenchmarkId(record["benchmark"]),
        threads=int(record["threads"]),
        registration=record["registration"],
        engine=record["engine"],
        unit=unit,
        timing=record["timing"],
        gross=_estimate(record, "gross", rounds, 0.0 if counts else confidence),
        net=_estimate(record, "net", rounds, 0.0 if counts else confidence) if record["net"] else None,
        aborts=int(record["aborts"]),
        operations=int(record["operations"]),
    )


def _estimate(record: Mapping[str, str], name: str, rounds: int, coverage: float) -> Estimate:
    value, low, high = (record[key] for key in (name, f"{name}_low", f"{name}_high"))
    if not low or not high:
        return Estimate(float(value), None, None, rounds, 0.0)
    return Estimate(float(value), float(low), float(high), rounds, coverage)
