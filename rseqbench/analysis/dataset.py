"""Runs to one tidy DataFrame, a row per benchmark and round. The columns are declared and their types enforced."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rseqbench.analysis import stats
from rseqbench.analysis.ratios import Side, clock_error, divide_rounds
from rseqbench.analysis.stats import Floats
from rseqbench.model import BASELINE, COUNTED, USER_ONLY, BenchmarkId, CaseKey, Estimate
from rseqbench.store import round_table, samples
from rseqbench.store.runs import Header, Run
from rseqbench.store.samples import Sample

COLUMNS: dict[str, str] = {
    "label": "str",  # the run
    "arch": "str",
    "timing": "str",  # hardware, virtual, emulated, published
    **round_table.COLUMNS,
    "boot": "int64",  # of the machine, which the round belongs to
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
    empty = pd.DataFrame(columns=list(COLUMNS)).astype(COLUMNS)
    tables = [empty, *(_tidy(run.header, _frame(run.folder, run.header, run.samples())) for run in runs)]
    return pd.concat(tables, ignore_index=True).astype(COLUMNS)


def read(folder: Path, header: Header) -> pd.DataFrame:
    """Return the same of a run that is stored, from its rounds.csv, or slower from pyperf.json.

    Raises ResultsError when pyperf.json is damaged.
    """
    columns = round_table.read(folder)
    if columns is not None:
        return _tidy(header, pd.DataFrame(columns).astype(round_table.COLUMNS))
    suite = samples.load_suite(folder / "pyperf.json")
    return _tidy(header, _frame(folder, header, samples.from_suite(suite, folder)))


def _frame(folder: Path, header: Header, measured: Iterable[Sample]) -> pd.DataFrame:
    records = round_table.records(folder, header.machines, header.plan, measured)
    return pd.DataFrame.from_records(list(records), columns=list(round_table.COLUMNS)).astype(round_table.COLUMNS)


def _tidy(header: Header, rounds: pd.DataFrame) -> pd.DataFrame:
    """Return the rounds of a run with what its header says of each."""
    timing = {machine.arch: machine.timing for machine in header.machines}
    plan = header.plan
    rounds.insert(0, "label", header.label)
    rounds.insert(2, "timing", rounds["arch"].map(timing))
    rounds["boot"] = [plan.boot(number) for number in rounds["round"]]
    return rounds.astype(COLUMNS)[list(COLUMNS)]


def collapse_boots(frame: pd.DataFrame) -> pd.DataFrame:
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
    rounds, values = index_frame(frame).values(label, key, column)
    return pd.Series(values, pd.Index(rounds, name="round"), name=column)


def _values_in_shared_rounds(frame: pd.DataFrame, label: str, keys: Sequence[CaseKey], column: str) -> list[Floats]:
    """Return a column of several benchmarks of one run for the rounds that all of them have, in the order of rounds."""
    columns = [index_frame(frame).values(label, key, column) for key in keys]
    shared = reduce(np.intersect1d, [rounds for rounds, _ in columns])
    return [values[np.isin(rounds, shared)] for rounds, values in columns]


def pair(frame: pd.DataFrame, label: str, one: CaseKey, other: CaseKey) -> tuple[Sequence[float], Sequence[float]]:
    """Return the values of two benchmarks of one run for the rounds that have both, in the order of rounds."""
    first, second = _values_in_shared_rounds(frame, label, [one, other], "value")
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

    With `net`, the baseline of the same round is subtracted from both first; divide_rounds() says what becomes of
    rounds in which that leaves nothing of one of them, and None is returned where these are more than a quarter.
    `column` is "value", or "busy" for what the same takes beside a neighbour.
    """
    keys = [slow, fast, CaseKey(slow.arch, BASELINE)] if net else [slow, fast]
    columns = _values_in_shared_rounds(frame, label, keys, column)
    if not len(columns[0]):
        return None
    sides = [Side(values, _resolution(frame, label, key)) for key, values in zip(keys, columns, strict=True)]
    top, bottom, base = sides[0], sides[1], sides[2] if net else None
    by_round = divide_rounds(top, bottom, base)
    if by_round is None:
        return None
    return Ratios(by_round, clock_error(top, bottom, base), unit(frame, label, slow.arch))


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
    rounds = ratios(frame, label, slow, fast, net, column)
    return None if rounds is None else estimate_ratio(rounds, confidence)


def estimate_ratio(rounds: Ratios, confidence: float) -> Estimate:
    """Estimate the quotient of a run from that of each round."""
    ratio = stats.paired_ratio(rounds.each, np.ones_like(rounds.each), _level(rounds.unit, confidence))
    return stats.widen(ratio, rounds.unsure)


def difference(frame: pd.DataFrame, label: str, slow: CaseKey, fast: CaseKey, confidence: float) -> Estimate | None:
    """Estimate by how much `slow` takes longer than `fast` in one run; None when no round has both."""
    top, bottom = pair(frame, label, slow, fast)
    level = _level(unit(frame, label, slow.arch), confidence)
    return stats.median([t - b for t, b in zip(top, bottom, strict=True)], level) if top else None


def _resolution(frame: pd.DataFrame, label: str, key: CaseKey) -> float:
    """Return what share of a value of `key` the clock cannot tell; 0 where nothing is known of it."""
    _, known = index_frame(frame).values(label, key, "resolution")
    return float(np.median(known)) if len(known) else 0.0


def unit(frame: pd.DataFrame, label: str, arch: str) -> str:
    """Return the unit of the values that run `label` has for `arch`; an empty string where it has none."""
    return index_frame(frame).units.get((label, arch), "")


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


class FrameIndex:
    """The columns of a table as arrays, and where in them each benchmark of each run is.

    A filter of a DataFrame takes a millisecond, and a comparison of fleets needs tens of thousands.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        """Look through the table once."""
        self._columns = {name: frame[name].to_numpy() for name in frame.columns}
        self.units: dict[tuple[str, str], str] = {}  # by label and arch
        keys = [self._columns[name].tolist() for name in ("label", "arch", "benchmark", "threads")]
        positions: dict[tuple[str, CaseKey], list[int]] = {}
        for row, (label, arch, benchmark, threads) in enumerate(zip(*keys, strict=True)):
            positions.setdefault((label, CaseKey(arch, benchmark, threads)), []).append(row)
            self.units.setdefault((label, arch), str(self._columns["unit"][row]))
        rounds = self._columns["round"].tolist()
        self._rows: dict[tuple[str, CaseKey], Rows] = {
            key: np.asarray(sorted(own, key=rounds.__getitem__), dtype=np.intp) for key, own in positions.items()
        }

    def values(self, label: str, key: CaseKey, column: str) -> tuple[Rounds, Floats]:
        """Return the numbers of the rounds of one benchmark of one run, ascending, and a column, without NaN."""
        rows = self._rows.get((label, key), _NONE)
        rounds, values = self._columns["round"][rows], self._columns[column][rows]
        known = ~np.isnan(values)
        return rounds[known], values[known]


_latest: tuple[weakref.ref[pd.DataFrame], FrameIndex] | None = None


def index_frame(frame: pd.DataFrame) -> FrameIndex:
    """Return the index of a table. That of the latest one is kept: nobody changes a table once it is built."""
    global _latest  # noqa: PLW0603 - one table is asked many things in a row
    if _latest is None or _latest[0]() is not frame:
        _latest = weakref.ref(frame), FrameIndex(frame)
    return _latest[1]
