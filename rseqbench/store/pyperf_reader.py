"""The raw values of a run as its table takes them: out of a pyperf suite, or of pyperf.json without a suite.

pyperf looks at each value and at each word about it, one by one; a fleet has five million of them. A file that is as
pyperf writes it is read without that here, and whatever is not, pyperf reads, or refuses in its own words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyperf

from rseqbench.errors import ResultsError

Meta = Mapping[str, Any]
_VERSION = "1.0"  # of pyperf's files
_RUN = {"values", "metadata"}
# What pyperf wants the same in all runs of a benchmark, and therefore writes but once.
_ALIKE = frozenset({
    "aslr", "cpu_count", "cpu_model_name", "hostname", "inner_loops", "name", "platform", "python_executable",
    "python_implementation", "python_unicode", "python_version", "unit",
})  # fmt: skip


class _Unlike(Exception):
    """A file is not as pyperf writes it."""


@dataclass(frozen=True)
class Readings:
    """One benchmark: of each process that was started for it what is said of it, and its values."""

    name: str
    unit: str
    runs: Sequence[tuple[Meta, Sequence[float]]]


def of(suite: Iterable[pyperf.Benchmark]) -> Iterator[Readings]:
    """Yield the readings of a suite."""
    for one in suite:
        yield Readings(one.get_name(), one.get_unit(), [(run.get_metadata(), run.values) for run in one.get_runs()])


def read(path: Path) -> list[Readings]:
    """Return the readings in a pyperf.json. Raises ResultsError when pyperf could not read it."""
    try:
        return _plain(json.loads(path.read_text(encoding="utf-8"), parse_constant=_refused))
    except (_Unlike, OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return list(of(suite(path)))


def suite(path: Path) -> pyperf.BenchmarkSuite:
    """Return the suite in a pyperf.json. Raises ResultsError when it is damaged."""
    try:
        return pyperf.BenchmarkSuite.load(str(path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path}: not a readable pyperf file ({error})", "the run folder is damaged") from error


def _refused(constant: str) -> None:
    """Refuse NaN and infinity, with which nothing can be compared."""
    raise _Unlike(constant)


def _plain(raw: Mapping[str, Any]) -> list[Readings]:
    found = [_benchmark(one, raw.get("metadata", {})) for one in raw["benchmarks"]]
    if raw["version"] != _VERSION or not found or len({one.name for one in found}) < len(found):
        raise _Unlike
    return found


def _benchmark(raw: Mapping[str, Any], of_all: Meta) -> Readings:
    common = _checked({**of_all, **raw["metadata"]})
    runs = [(_own(run, common), _values(run)) for run in raw["runs"]]
    if not runs:
        raise _Unlike
    return Readings(common["name"], common["unit"], runs)


def _own(run: Mapping[str, Any], common: Meta) -> Meta:
    own = _checked(run["metadata"])
    if not _ALIKE.isdisjoint(own):
        raise _Unlike
    return {**common, **own}


def _checked(meta: Meta) -> Meta:
    """Return metadata as pyperf has them, which refuses some."""
    checked: Meta = pyperf.Run((1.0,), metadata=meta, collect_metadata=False).get_metadata()
    return checked


def _values(run: Mapping[str, Any]) -> Sequence[float]:
    values: Sequence[float] = run["values"]
    if run.keys() != _RUN or min(values) <= 0:  # which raises TypeError where one is no number
        raise _Unlike
    return values
