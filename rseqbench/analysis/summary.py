"""Pure: the contents of every table as typed rows, so that the formats can differ in looks only.

A run's values and quotients, the verdicts on its claims, and two runs compared; the message's own tables are in
patch_tables.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from rseqbench.analysis import compare, dataset, kernel_config, patch_claims, verdicts
from rseqbench.analysis.compare import SpeedupComparison
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.kernel_config import ConfigVerdict
from rseqbench.analysis.outcomes import CheckFailed, Failure, NotStored, Reasons, Unlike
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.config import VerdictRules
from rseqbench.model import BenchmarkId, CaseKey, Check, Estimate, Skip
from rseqbench.store import runs
from rseqbench.store.runs import Header, Run
from rseqbench.support import kconfig
from rseqbench.support.attachments import KernelSizes

NO_CHECK = "no check"  # of a benchmark that shares no state, or where the run was told not to check


@dataclass(frozen=True)
class BenchmarkRow:
    """One benchmark of a run: its values, or the reason why there are none."""

    arch: str
    benchmark: BenchmarkId
    threads: int
    doc: str
    check: str
    row: Row | None
    reasons: Reasons
    replayed: bool = False

    @property
    def group(self) -> str:
        """The use case it belongs to."""
        return self.benchmark.group

    @property
    def method(self) -> str:
        """The way it is done."""
        return self.benchmark.method


@dataclass(frozen=True)
class RunComparison:
    """Run `b` against run `a`: a row a benchmark, what neither could measure, and the speed-ups inside each.

    Where each booted a Linux that was built for it, `sizes` are how large those are and `options` in what their
    configurations differ; `beyond` is what else they differ in; `said` is what the two say of the claims
    about CONFIG_RSEQ; `headers` are those of the two runs.
    """

    a: str
    b: str
    rows: tuple[compare.Comparison, ...]
    skips: tuple[tuple[str, Skip], ...]
    speedups: tuple[SpeedupComparison, ...]
    said: tuple[ConfigVerdict, ...] = ()
    sizes: tuple[KernelSizes, KernelSizes] | None = None
    options: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    beyond: Unlike | None = None
    headers: tuple[Header, Header] | None = None


@dataclass(frozen=True)
class PairSpeedup:
    """A pair's quotient inside a run: on a core of its own, and beside a neighbour where one was there.

    `unit` is that of the values: a quotient of instructions is none of times.
    """

    pair: ArchPair
    unit: str
    alone: Estimate
    beside: Estimate | None


def pair_speedups(run: Run, frame: pd.DataFrame, confidence: float) -> tuple[PairSpeedup, ...]:
    """Return every quotient worth showing that `run` has the values for."""
    found = []
    for pair in patch_claims.pairs_on([machine.arch for machine in run.header.machines]):
        keys = CaseKey(pair.arch, pair.slow), CaseKey(pair.arch, pair.fast)
        alone = dataset.speedup(frame, run.label, *keys, confidence, pair.net)
        if alone is not None:
            beside = dataset.speedup(frame, run.label, *keys, confidence, pair.net, "busy")
            found.append(PairSpeedup(pair, dataset.unit(frame, run.label, pair.arch), alone, beside))
    return tuple(found)


def benchmark_rows(run: Run, frame: pd.DataFrame, confidence: float) -> tuple[BenchmarkRow, ...]:
    """Return a row for everything that `run` measured, skipped or planned in vain; `frame` is its tidy table.

    By machine, then group in the order of the message; what has no values comes last in its group.
    """
    header = run.header
    rows = {row.key: row for row in dataset.summarise(frame[frame["label"] == run.label], confidence)}
    reasons, checks, replayed = _reasons(header, rows), _checks(header.checks), runs.is_replay(header)
    found = [
        BenchmarkRow(*key, header.docs.get(key[1], ""), checks.get(key[1], NO_CHECK), rows.get(key), why, replayed)
        for key, why in {**reasons, **dict.fromkeys(rows, ())}.items()
    ]
    known = list(header.docs) or [name for section in patch_claims.SECTIONS for name in section.lines]
    place = {name: number for number, name in enumerate(known)}
    machines = [machine.arch for machine in header.machines]

    def order(one: BenchmarkRow) -> tuple[object, ...]:
        rank = (one.row is None, place.get(one.benchmark, len(place)), one.benchmark, one.threads)
        return (machines.index(one.arch), patch_claims.group_order(one.group), *rank)

    return tuple(sorted(found, key=order))


def _reasons(header: Header, rows: Mapping[CaseKey, Row]) -> dict[CaseKey, Reasons]:
    """Return why each case without values has none; nothing that was planned may vanish."""
    arch = header.machines[0].arch
    planned = (CaseKey(arch, case.benchmark, case.threads) for case in header.plan.cases)
    found: dict[CaseKey, Reasons] = dict.fromkeys(planned, (NotStored(),))
    for check in header.checks:
        if not check.passed:
            found[CaseKey(arch, check.benchmark)] = (CheckFailed(check.message),)
    found |= {CaseKey(arch, skip.benchmark, skip.threads): (Failure(skip.reason),) for skip in header.plan.skips}
    return {key: why for key, why in found.items() if key not in rows}


def _checks(checks: Iterable[Check]) -> dict[str, str]:
    """Return one word a benchmark: its worst check's, but that one is enough that was exercised, or long enough."""
    by_name: dict[str, list[Check]] = {}
    for check in checks:
        by_name.setdefault(check.benchmark, []).append(check)
    return {
        name: min(own, key=lambda check: (check.passed, not check.exercised, check.short)).verdict
        for name, own in by_name.items()
    }


def judge_claims(run: Run, frame: pd.DataFrame, patch: pd.DataFrame, rules: VerdictRules) -> tuple[JudgedClaim, ...]:
    """Return the verdict on every claim of the message, each by the machine of `run` that has the claim's arch."""
    header = run.header
    each = [verdicts.judge(frame, run.label, m, patch, rules, header.plan.skips) for m in header.machines]
    arches = [machine.arch for machine in header.machines]
    places = [arches.index(one.claim.arch) if one.claim.arch in arches else 0 for one in each[0]]
    return tuple(own[place] for own, place in zip(zip(*each, strict=True), places, strict=True))


def compare_runs(a: Run, b: Run, rules: VerdictRules) -> RunComparison:
    """Compare run `b` with run `a`: every benchmark that either of them measured or skipped."""
    frame = dataset.collapse_boots(dataset.build([a, b]))
    skips = [(run.label, skip) for run in (a, b) for skip in run.header.plan.skips]
    headers = a.header, b.header
    same, unlike = kernel_config.same_machine(*headers), kernel_config.unlike(*headers)
    emulates = any(machine.emulates for header in headers for machine in header.machines)
    rows = compare.compare(frame, a.label, b.label, rules, skips, same, unlike, emulates)
    arches = list(dict.fromkeys(machine.arch for run in (a, b) for machine in run.header.machines))
    quotients = compare.compare_speedups(frame, a.label, b.label, patch_claims.pairs_on(arches), rules.confidence)
    there = {(row.benchmark, row.threads) for row in rows}
    neither = [(label, skip) for label, skip in skips if (skip.benchmark, skip.threads) not in there]

    def order(row: compare.Comparison) -> tuple[object, ...]:
        return row.arch, patch_claims.group_order(row.benchmark.group), row.threads

    return RunComparison(
        a=a.label,
        b=b.label,
        rows=tuple(sorted(rows, key=order)),
        skips=tuple(neither),
        speedups=tuple(quotients),
        said=tuple(kernel_config.judge(a, b, frame, rules) or kernel_config.judge(b, a, frame, rules)),
        sizes=_sizes(a, b) if len(arches) == 1 else None,
        options=_options(a, b) if len(arches) == 1 else {},
        beyond=kernel_config.beyond(a, b),
        headers=headers,
    )


def _sizes(a: Run, b: Run) -> tuple[KernelSizes, KernelSizes] | None:
    """Return the sizes of two Linuxes that were built, where they are two."""
    one, other = a.sizes(), b.sizes()
    return (one, other) if one and other and one != other else None


def _options(a: Run, b: Run) -> dict[str, tuple[str, str]]:
    """Return in which options two Linuxes that were built differ."""
    found = a.linux_config(), b.linux_config()
    return {} if found[0] is None or found[1] is None else kconfig.compare_configs(found[0], found[1])
