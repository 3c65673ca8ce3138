"""Runs -> one tidy DataFrame, a row per benchmark and round. The columns are declared here and checked at the door."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rseqbench.analysis import ratios as quotients
from rseqbench.analysis import stats
from rseqbench.analysis.ratios import Side
from rseqbench.analysis.stats import Floats
from rseqbench.errors import ResultsError
from rseqbench.model import BASELINE, COUNTED, USER_ONLY, BenchmarkId, CaseKey, Estimate
from rseqbench.store import pyperf_reader
from rseqbench.store.pyperf_reader import Readings
from rseqbench.store.runs import Header, Run

COLUMNS: dict[str, str] = {
    "label": "str",  # the run
    "arch": "str",  # x86_64, arm32, arm64
    "timing": "str",  # hardware, virtual, emulated, published
    "benchmark": "str",  # group/method
    "threads": "int64",
    "registration": "str",  # glibc, self, none: what the process really had
    "engine": "str",
    "unit": "str",  # ns, instructions, or user instructions (without Linux's), per operation
    "round": "int64",
    "boot": "int64",  # of the machine, which the round belongs to
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

WITHOUT_LOOP = frozenset({"server", "whole"})  # engines whose values have no empty loop of ours in them
_NS_PER_SECOND = 1e9
_INSTRUCTIONS = {USER_ONLY: "user instructions"}
Rounds = NDArray[np.int64]
Columns = Mapping[str, NDArray[Any]]
Groups = Mapping[tuple[str, str, str, int], NDArray[np.intp]]  # rows of a label's arch, benchmark and threads
Rows = NDArray[np.intp]
_NONE: Rows = np.empty(0, dtype=np.intp)


@dataclass(frozen=True)
class Row:
    """One benchmark of a run, summarised over its rounds: per operation, with the loop and net of the baseline.

    `net` is None where no baseline was measured, and where there is no loop: see WITHOUT_LOOP.
    `counted` are the medians of COUNTED, empty where nothing counts them.
    """

    label: str
    arch: str
    benchmark: BenchmarkId
    threads: int
    registration: str
    engine: str
    unit: str
    timing: str
    gross: Estimate
    net: Estimate | None
    aborts: int
    operations: int
    counted: tuple[float, ...] = ()

    @property
    def key(self) -> CaseKey:
        """What makes rows of different runs comparable."""
        return CaseKey(self.arch, self.benchmark, self.threads)


def build(runs: Iterable[Run]) -> pd.DataFrame:
    """Return the tidy table of all rounds of all runs; see COLUMNS. Raises ResultsError on a foreign suite."""
    return _tidy(record for run in runs for record in _records(run.folder, run.header, pyperf_reader.of(run.suite)))


def read(folder: Path, header: Header) -> pd.DataFrame:
    """Return the same of a run that is stored, without loading its suite. Raises ResultsError when it is damaged."""
    return _tidy(_records(folder, header, pyperf_reader.read(folder / "pyperf.json")))


def _tidy(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame.from_records(list(records), columns=list(COLUMNS)).astype(COLUMNS)


def _records(folder: Path, header: Header, benchmarks: Iterable[Readings]) -> Iterable[dict[str, Any]]:
    machines = {machine.arch: machine for machine in header.machines}
    void = {(skip.benchmark, skip.threads) for skip in header.plan.skips}
    for benchmark in benchmarks:
        seconds = benchmark.unit == "second"
        for meta, values in benchmark.runs:
            if not values or (meta.get("benchmark"), meta.get("threads")) in void:
                continue
            try:
                strange = [name for name in ("threads", "round", "aborts") if type(meta[name]) is not int]
                if strange:
                    raise ValueError(f"{strange[0]} is {meta[strange[0]]!r}")
                machine = machines[meta["arch"]]
                yield {
                    "label": header.label,
                    "arch": machine.arch,
                    "timing": machine.timing,
                    "benchmark": meta["benchmark"],
                    "threads": meta["threads"],
                    "registration": meta["registration"],
                    "engine": meta["engine"],
                    "unit": "ns" if seconds else _INSTRUCTIONS.get(machine.target, "instructions"),
                    "round": meta["round"],
                    "boot": header.plan.boot(meta["round"]),
                    "value": stats.round_value(values, meta["engine"]) * (_NS_PER_SECOND if seconds else 1.0),
                    "values": len(values),
                    "loops": meta.get("loops", 1),
                    "aborts": meta["aborts"],
                    "resolution": meta.get("resolution", math.nan),
                    "interrupted": meta.get("interrupted", math.nan),
                    "busy": meta.get("busy_ns", math.nan),
                    **{name: meta.get(name, math.nan) for name in COUNTED},
                }
            except KeyError as error:
                raise ResultsError(f"{folder}: pyperf.json lacks {error} for {benchmark.name!r}") from error
            except ValueError as error:
                raise ResultsError(f"{folder}: pyperf.json: {benchmark.name!r}: {error}") from error


def units(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with one row a boot, the median of its rounds, for each run that has several boots.

    What two boots of a machine differ by is in all rounds of them: there, boots are the unit of observation, and take
    the place of rounds.
    """
    boots = frame.groupby("label")["boot"].transform("nunique")
    several = frame[boots > 1]
    if several.empty:
        return frame
    counts: dict[str, Any] = dict.fromkeys(("values", "aborts", "interrupted"), _sum)
    how = {name: counts.get(name, "median" if kind == "float64" else "first") for name, kind in COLUMNS.items()}
    keys = ["label", "arch", "benchmark", "threads", "boot"]
    grouped = several.groupby(keys, as_index=False, sort=False)
    collapsed = grouped.agg({name: how[name] for name in COLUMNS if name not in keys})
    collapsed["round"] = collapsed["boot"]
    return pd.concat([frame[boots == 1], collapsed[list(COLUMNS)]], ignore_index=True).astype(COLUMNS)


def _sum(values: pd.Series[float]) -> float:
    """Return a sum that stays NaN where there is nothing but NaN."""
    return float(values.sum(min_count=1))


def series(frame: pd.DataFrame, label: str, key: CaseKey, column: str = "value") -> pd.Series[float]:
    """Return a column of one benchmark of one run, indexed by round, without NaN; empty when it was not measured."""
    rounds, values = _rounds(frame, label, key, column)
    return pd.Series(values, pd.Index(rounds, name="round"), name=column)


def _rounds(frame: pd.DataFrame, label: str, key: CaseKey, column: str) -> tuple[Rounds, Floats]:
    """Return the same as arrays: the numbers of the rounds, ascending, and the column."""
    return of(frame).values(label, key, column)


def _joined(frame: pd.DataFrame, label: str, keys: Sequence[CaseKey], column: str) -> list[Floats]:
    """Return a column of several benchmarks of one run for the rounds that all of them have, in the order of rounds."""
    found = [_rounds(frame, label, key, column) for key in keys]
    shared = reduce(np.intersect1d, [rounds for rounds, _ in found])
    return [values[np.isin(rounds, shared)] for rounds, values in found]


def pair(frame: pd.DataFrame, label: str, one: CaseKey, other: CaseKey) -> tuple[Sequence[float], Sequence[float]]:
    """Return the values of two benchmarks of one run for the rounds that have both, in the order of rounds."""
    first, second = _joined(frame, label, [one, other], "value")
    return first.tolist(), second.tolist()


@dataclass(frozen=True)
class Ratios:
    """The quotient of two benchmarks in each round of a run, NaN where nothing is known of it.

    `unsure` is the share of it that the clock cannot tell. `unit` is that of the values, per operation.
    """

    each: Floats
    unsure: float
    unit: str


def ratios(
    frame: pd.DataFrame, label: str, slow: CaseKey, fast: CaseKey, net: bool = False, column: str = "value"
) -> Ratios | None:
    """Return slow/fast in each round of one run that has both, or None where there is none.

    With `net`, the baseline of the same round is subtracted from both first; quotients.rounds() says what becomes of
    rounds in which that leaves nothing of one of them, and None is returned where these are more than a quarter.
    `column` is "value", or "busy" for what the same takes beside a neighbour.
    """
    keys = [slow, fast, CaseKey(slow.arch, BASELINE)] if net else [slow, fast]
    found = _joined(frame, label, keys, column)
    if not len(found[0]):
        return None
    sides = [Side(values, _resolution(frame, label, key)) for key, values in zip(keys, found, strict=True)]
    top, bottom, base = sides[0], sides[1], sides[2] if net else None
    each = quotients.rounds(top, bottom, base)
    return None if each is None else Ratios(each, quotients.unsure(top, bottom, base), unit(frame, label, slow.arch))


def speedup(
    frame: pd.DataFrame,
    label: str,
    slow: CaseKey,
    fast: CaseKey,
    confidence: float,
    net: bool = False,
    column: str = "value",
) -> Estimate | None:
    """Estimate how many times faster `fast` is than `slow` in one run, or None where ratios() has none.

    An interval is never narrower than what the clock can tell of a chunk: that is the same in all rounds, and their
    spread cannot show it.
    """
    found = ratios(frame, label, slow, fast, net, column)
    return None if found is None else estimated(found, confidence)


def estimated(found: Ratios, confidence: float) -> Estimate:
    """Estimate the quotient of a run from that of each round."""
    ratio = stats.paired_ratio(found.each, np.ones_like(found.each), _level(found.unit, confidence))
    return stats.widened(ratio, found.unsure)


def difference(frame: pd.DataFrame, label: str, slow: CaseKey, fast: CaseKey, confidence: float) -> Estimate | None:
    """Estimate by how much `slow` takes longer than `fast` in one run; None when no round has both."""
    top, bottom = pair(frame, label, slow, fast)
    level = _level(unit(frame, label, slow.arch), confidence)
    return stats.median([t - b for t, b in zip(top, bottom, strict=True)], level) if top else None


def _resolution(frame: pd.DataFrame, label: str, key: CaseKey) -> float:
    """Return what share of a value of `key` the clock cannot tell; 0 where nothing is known of it."""
    _, known = _rounds(frame, label, key, "resolution")
    return float(np.median(known)) if len(known) else 0.0


def unit(frame: pd.DataFrame, label: str, arch: str) -> str:
    """Return the unit of the values that run `label` has for `arch`; an empty string where it has none."""
    return of(frame).units.get((label, arch), "")


def _level(unit_name: str, confidence: float) -> float | None:
    """Return the confidence of an interval, None for counts: of those there is a range, and rounds are no sample."""
    return confidence if unit_name == "ns" else None


def summarise(frame: pd.DataFrame, confidence: float) -> list[Row]:
    """Return one Row per run, machine, benchmark and thread count, in the order of the names."""
    columns = {name: frame[name].to_numpy() for name in COLUMNS}
    groups: Groups = frame.groupby(["label", "arch", "benchmark", "threads"]).indices  # type: ignore[assignment]
    return [_row(columns, groups, key, confidence) for key in sorted(groups)]


def _row(columns: Columns, groups: Groups, key: tuple[str, str, str, int], confidence: float) -> Row:
    own = {name: values[groups[key]] for name, values in columns.items()}
    first = {name: str(own[name][0]) for name in ("registration", "engine", "unit", "timing")}
    level = _level(first["unit"], confidence)
    return Row(
        label=str(key[0]),
        arch=str(key[1]),
        benchmark=BenchmarkId(key[2]),
        threads=int(key[3]),
        gross=stats.median(own["value"], level),
        net=None if first["engine"] in WITHOUT_LOOP else _net(columns, groups, key, level),
        aborts=int(own["aborts"].sum()),
        operations=int((own["loops"] * own["values"]).sum()),
        counted=_counted(own),
        **first,
    )


def _counted(own: Columns) -> tuple[float, ...]:
    known = [own[name][~np.isnan(own[name])] for name in COUNTED]
    return tuple(float(np.median(values)) for values in known) if all(map(len, known)) else ()


def _net(columns: Columns, groups: Groups, key: tuple[str, str, str, int], confidence: float | None) -> Estimate | None:
    """Return what is left of the rounds that have the baseline too without it; None where there is none."""
    own, base = groups[key], groups.get((*key[:2], BASELINE, 1))
    if key[2] == BASELINE or base is None:
        return None
    rounds = columns["round"]
    _, mine, its = np.intersect1d(rounds[own], rounds[base], return_indices=True)
    values = columns["value"]
    return stats.median(values[own[mine]] - values[base[its]], confidence) if len(mine) else None


@dataclass(frozen=True)
class Lookup:
    """A table's columns as arrays, as pandas takes its time for each; `rows` of a benchmark are in order of rounds.

    `units` is by label and arch.
    """

    columns: Mapping[str, NDArray[Any]]
    rows: Mapping[tuple[str, str, str, int], Rows]
    units: Mapping[tuple[str, str], str]

    def values(self, label: str, key: CaseKey, column: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return the numbers of the rounds of one benchmark of one run, ascending, and a column, without NaN."""
        rows = self.rows.get((label, *key), _NONE)
        rounds, values = self.columns["round"][rows], self.columns[column][rows]
        known = ~np.isnan(values)
        return rounds[known], values[known]


_last: tuple[weakref.ref[pd.DataFrame] | None, Lookup] = None, Lookup({}, {}, {})


def of(frame: pd.DataFrame) -> Lookup:
    """Return where in a table what is. That of the last one is kept: nobody changes a table once it is built."""
    global _last  # noqa: PLW0603 - one slot
    whose, found = _last
    if whose is None or whose() is not frame:
        found = _looked(frame)
        _last = weakref.ref(frame), found
    return found


def _looked(frame: pd.DataFrame) -> Lookup:
    columns = {name: frame[name].to_numpy() for name in frame.columns}
    keys = [columns[name].tolist() for name in ("label", "arch", "benchmark", "threads")]
    places: dict[tuple[str, str, str, int], list[int]] = {}
    units: dict[tuple[str, str], str] = {}
    for row, (label, arch, benchmark, threads) in enumerate(zip(*keys, strict=True)):
        places.setdefault((label, arch, benchmark, threads), []).append(row)
        units.setdefault((label, arch), str(columns["unit"][row]))
    rounds = columns["round"].tolist()
    rows = {key: np.asarray(sorted(own, key=rounds.__getitem__), dtype=np.intp) for key, own in places.items()}
    return Lookup(columns, rows, units)
