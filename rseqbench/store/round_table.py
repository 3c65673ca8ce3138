"""rounds.csv: the value of each round of a finished run, so that a page over fifty runs reads no raw values.

The first line is a comment with a SHA-256 over pyperf.json and the table below it. Where that does not match, one of
the two was changed or damaged: the reader ignores the file and makes the table of pyperf.json, as for a run without
rounds.csv. So nobody reads a wrong number from it, and it can be removed at any time.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rseqbench.errors import ResultsError
from rseqbench.model import COUNTED, USER_ONLY, Machine, Plan
from rseqbench.store.samples import NS_PER_SECOND, Sample
from rseqbench.support import atomic_io

FILE = "rounds.csv"
COLUMNS: Mapping[str, str] = {
    "arch": "str",  # x86_64, arm32, arm64
    "benchmark": "str",  # group/method
    "threads": "int64",
    "registration": "str",  # glibc, self, none: what the process really had
    "engine": "str",
    "unit": "str",  # ns, instructions, or user instructions (without Linux's), per operation
    "round": "int64",
    "value": "float64",  # per operation, loop included, in `unit`
    "values": "int64",  # raw values behind it
    "loops": "int64",
    "aborts": "int64",  # rseq aborts while it was timed
    "resolution": "float64",  # the clock's least step over a chunk's length; NaN where values are no chunks
    "interrupted": "float64",  # counts left out, as a timer tick was in them; NaN where instructions are not counted
    "busy": "float64",  # the same as value with a neighbour on the core; NaN where that was not seen
    "instructions": "float64",  # per operation, in user mode; NaN where the CPU's counters cannot be read
    "cycles": "float64",
    "branch_misses": "float64",
}
_SCHEMA = "# rseqbench rounds 1 sha256 "
_PARSERS: Mapping[str, Callable[[str], Any]] = {"str": str, "int64": int, "float64": float}
_INSTRUCTIONS = {USER_ONLY: "user instructions"}

Record = Mapping[str, Any]


def records(folder: Path, machines: Sequence[Machine], plan: Plan, measured: Iterable[Sample]) -> Iterator[Record]:
    """Yield a row of COLUMNS per sample, but for cases that are void in the run. Raises ResultsError."""
    by_arch = {machine.arch: machine for machine in machines}
    void = {(skip.benchmark, skip.threads) for skip in plan.skips}
    for sample in measured:
        if (sample.benchmark, sample.threads) in void:
            continue
        machine = by_arch.get(sample.arch)
        if machine is None:
            raise ResultsError(f"{folder}: pyperf.json lacks {sample.arch!r} for {sample.benchmark!r}")
        seconds = sample.unit == "second"
        try:
            value = sample.value * (NS_PER_SECOND if seconds else 1.0)
        except ValueError as error:
            raise ResultsError(f"{folder}: pyperf.json: {sample.benchmark!r}: {error}") from error
        yield {
            "arch": sample.arch,
            "benchmark": sample.benchmark,
            "threads": sample.threads,
            "registration": sample.registration,
            "engine": sample.engine,
            "unit": "ns" if seconds else _INSTRUCTIONS.get(machine.target, "instructions"),
            "round": sample.round,
            "value": value,
            "values": len(sample.values),
            "loops": sample.loops,
            "aborts": sample.aborts,
            "resolution": _or_nan(sample.resolution),
            "interrupted": _or_nan(sample.interrupted),
            "busy": _or_nan(sample.busy_ns),
            **{name: sample.counters.get(name, math.nan) for name in COUNTED},
        }


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def write(folder: Path, machines: Sequence[Machine], plan: Plan, measured: Iterable[Sample]) -> None:
    """Write rounds.csv for the samples of the pyperf.json in a run folder.

    Raises OSError, and ResultsError of a foreign suite.
    """
    out = io.StringIO()
    writer = csv.DictWriter(out, list(COLUMNS), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records(folder, machines, plan, measured))
    table = out.getvalue()
    atomic_io.write(folder / FILE, f"{_SCHEMA}{_digest(folder, table.encode())}\n{table}")


def read(folder: Path) -> Mapping[str, list[Any]] | None:
    """Return the columns of a run's table by name; None where there is no table that belongs to its pyperf.json."""
    try:
        first, _, table = (folder / FILE).read_bytes().partition(b"\n")
        if first.decode() != f"{_SCHEMA}{_digest(folder, table)}":
            return None
    except (OSError, UnicodeDecodeError):
        return None
    head, *rows = csv.reader(io.StringIO(table.decode()))
    parsers = [_PARSERS[COLUMNS[name]] for name in head]
    columns = zip(*rows, strict=True) if rows else [()] * len(head)
    return {name: [*map(parse, column)] for name, parse, column in zip(head, parsers, columns, strict=True)}


def _digest(folder: Path, table: bytes) -> str:
    return hashlib.sha256((folder / "pyperf.json").read_bytes() + table).hexdigest()
