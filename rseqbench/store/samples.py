"""The record between an engine and the dataset: the values of one case in one round, and its form in a pyperf file.

pyperf.json is a plain pyperf suite: one pyperf run per sample. All other fields of a sample are in
the run's metadata; this is the one module that knows their keys.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Literal

import pyperf

from rseqbench.errors import ResultsError
from rseqbench.model import COUNTED, BenchmarkId, Case

FEWEST_CHUNKS = 40  # below that, a tenth of the chunks is too few to mean anything
NS_PER_SECOND = 1e9
_LOWEST = 0.1
_NEEDED = ("arch", "benchmark", "threads", "engine", "round", "registration", "aborts")
_INTEGERS = ("threads", "round", "aborts")
_OPTIONAL = ("resolution", "interrupted", "busy_ns", *COUNTED)
_DECODED = {"name", "unit", "loops", "date", "phases", *_NEEDED, *_OPTIONAL}

Detail = str | int | float


def quantile(values: Sequence[float], share: float = _LOWEST) -> float:
    """Return the smallest value that at least `share` of the values do not exceed; by default the lowest decile."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def round_value(values: Sequence[float], engine: str) -> float:
    """Reduce the values that one process took in one round to the round's value.

    This is the one place that decides what a value is, also for runs that were stored without it. Gated chunks have no
    disturbance in them, but a benchmark may run in modes of its own, a few percent apart, between which a higher
    quantile jumps: the lowest decile. Values of other engines may have a preemption in them, which a median does not
    feel. Both were compared with mean, minimum and other quantiles on a loaded machine (docs/method.md).
    Raises ValueError where there are no values, or too few chunks.
    """
    if not values or (engine == "gated" and len(values) < FEWEST_CHUNKS):
        raise ValueError(f"{len(values)} values are too few for a round of engine {engine}")
    return quantile(values) if engine == "gated" else float(median(values))


def _now() -> str:
    return datetime.now().isoformat(timespec="seconds")


@dataclass(frozen=True)
class Sample:
    """The values of one case in one round, as an engine took them.

    `unit` is pyperf's: seconds, or "integer" for instructions. `values` are per operation, with the loop around them,
    and each covers `loops` operations. `registration` is the one that the process really had. `resolution` is the
    least step of the clock as a share of a value; `interrupted` are counts left out; `busy_ns` is the median with a
    neighbour on the core; `counters` are the medians of COUNTED per operation. These are None or empty where nothing
    is known of them. `phases` are those of a server, `warmups` and `details` what else is worth keeping.
    """

    benchmark: BenchmarkId
    threads: int
    registration: str
    arch: str
    engine: str
    round: int
    unit: Literal["second", "integer"]
    values: tuple[float, ...]
    loops: int = 1
    aborts: int = 0
    resolution: float | None = None
    interrupted: int | None = None
    busy_ns: float | None = None
    counters: Mapping[str, float] = field(default_factory=dict)
    phases: tuple[Mapping[str, Any], ...] = ()
    warmups: tuple[tuple[int, float], ...] = ()
    details: Mapping[str, Detail] = field(default_factory=dict)
    date: str = field(default_factory=_now)

    @cached_property
    def value(self) -> float:
        """The value of the round, in `unit`. Raises ValueError where the values are too few."""
        return round_value(self.values, self.engine)

    def to_pyperf(self) -> pyperf.Benchmark:
        """Return the sample as a pyperf benchmark of one run."""
        known = {"resolution": self.resolution, "interrupted": self.interrupted, "busy_ns": self.busy_ns}
        metadata: dict[str, Detail] = {
            **self.details,
            "name": Case(self.benchmark, self.threads).id,
            "unit": self.unit,
            "loops": self.loops,
            "benchmark": str(self.benchmark),
            "arch": self.arch,
            "threads": self.threads,
            "engine": self.engine,
            "round": self.round,
            "registration": self.registration,
            "aborts": self.aborts,
            **{name: value for name, value in known.items() if value is not None},
            **self.counters,
            "date": self.date,
        }
        if self.phases:
            metadata["phases"] = json.dumps(self.phases, separators=(",", ":"))
        return pyperf.Benchmark(
            [pyperf.Run(self.values, warmups=self.warmups, metadata=metadata, collect_metadata=False)]
        )


def load_suite(path: Path) -> pyperf.BenchmarkSuite:
    """Return the suite in a pyperf.json. Raises ResultsError when it is damaged."""
    try:
        return pyperf.BenchmarkSuite.load(str(path))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ResultsError(f"{path}: not a readable pyperf file ({error})", "the run folder is damaged") from error


def to_suite(samples: Iterable[Sample]) -> pyperf.BenchmarkSuite:
    """Return the samples of one round as a pyperf suite; each case is in it once."""
    return pyperf.BenchmarkSuite([sample.to_pyperf() for sample in samples])


def from_suite(suite: Iterable[pyperf.Benchmark], where: Path) -> Iterator[Sample]:
    """Yield the samples in a pyperf suite of the run folder `where`, leaving out runs without values.

    Raises ResultsError where a run lacks a field of a sample, or has it in another type.
    """
    for benchmark in suite:
        for run in benchmark.get_runs():
            if run.values:
                yield from_run(run, f"{where}: pyperf.json", benchmark.get_name())


def from_run(run: pyperf.Run, where: str, name: str) -> Sample:
    """Return the sample in a pyperf run; `where` and `name` say in errors what it is of. Raises ResultsError."""
    metadata = run.get_metadata()
    lacking = [key for key in _NEEDED if key not in metadata]
    if lacking:
        raise ResultsError(f"{where} lacks {lacking[0]!r} for {name!r}")
    strange = [key for key in _INTEGERS if type(metadata[key]) is not int]
    if strange:
        raise ResultsError(f"{where}: {name!r}: {strange[0]} is {metadata[strange[0]]!r}")
    try:
        benchmark = BenchmarkId(metadata["benchmark"])
    except TypeError as error:
        raise ResultsError(f"{where}: {name!r}: {error}") from error
    try:
        phases = tuple(json.loads(metadata.get("phases", "[]")))
    except (ValueError, TypeError) as error:
        raise ResultsError(f"{where}: group {benchmark.group} is damaged ({error!r})") from error
    return Sample(
        benchmark=benchmark,
        threads=metadata["threads"],
        registration=metadata["registration"],
        arch=metadata["arch"],
        engine=metadata["engine"],
        round=metadata["round"],
        unit="second" if metadata.get("unit", "second") == "second" else "integer",
        values=run.values,
        loops=metadata.get("loops", 1),
        aborts=metadata["aborts"],
        resolution=metadata.get("resolution"),
        interrupted=metadata.get("interrupted"),
        busy_ns=metadata.get("busy_ns"),
        counters={key: metadata[key] for key in COUNTED if key in metadata},
        phases=phases,
        warmups=tuple(run.warmups),
        details={key: value for key, value in metadata.items() if key not in _DECODED},
        date=metadata.get("date", ""),
    )
