"""Pure: one run, ready to be shown in any format; nothing behind this computes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from rseqbench.analysis import allocators, controls, dataset, library_costs, patch_tables
from rseqbench.analysis import summary as tables
from rseqbench.analysis.allocators import AllocatorResults
from rseqbench.analysis.library_costs import LibraryComparison
from rseqbench.analysis.patch_tables import PatchTable
from rseqbench.analysis.summary import BenchmarkRow, PairSpeedup
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.config import VerdictRules
from rseqbench.report import caveats, formatting, prose
from rseqbench.store.runs import Run


@dataclass(frozen=True)
class RunView:
    """Everything that is shown of one run.

    `frame` is the run's tidy table, a row a round (see dataset.COLUMNS), to be seen as it is; all that is estimated
    takes boots as the unit where there are several. `patch` is the table of the patch's own run.
    """

    run: Run
    frame: pd.DataFrame
    patch: pd.DataFrame
    rules: VerdictRules
    measured: tuple[BenchmarkRow, ...]
    patch_tables: tuple[PatchTable, ...]
    judged: tuple[JudgedClaim, ...]
    quotients: tuple[PairSpeedup, ...]
    summary: str
    limits: tuple[str, ...]
    sentences: tuple[str, ...]
    headline: str
    served: AllocatorResults | None
    shipped: tuple[LibraryComparison, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the run's values are instructions of an emulated machine, no times."""
        return any(one.row.unit != "ns" for one in self.measured if one.row)

    @property
    def unit(self) -> str:
        """The unit of the run's values, "ns/op" unless it says otherwise."""
        return next((formatting.unit(one.row.unit) for one in self.measured if one.row), formatting.unit("ns"))


def build_run_view(run: Run, patch: Run, rules: VerdictRules) -> RunView:
    """Gather what is shown of `run`; `patch` is the stored run of the message's own tables.

    Raises ResultsError when one of the two is not a suite of rseqbench.
    """
    frame, patch_frame = dataset.build([run]), dataset.build([patch])
    units = dataset.collapse_boots(frame)
    measured = tables.benchmark_rows(run, units, rules.confidence)
    served = allocators.summarise_allocators(run, rules.confidence)
    judged = allocators.judge_allocator_claims(tables.judge_claims(run, units, patch_frame, rules), served)
    return RunView(
        run=run,
        frame=frame,
        patch=patch_frame,
        rules=rules,
        measured=measured,
        patch_tables=patch_tables.tables(run, units, measured, patch, patch_frame, rules.confidence),
        judged=judged,
        quotients=tables.pair_speedups(run, units, rules.confidence),
        summary=prose.measured_where(run.header, sum(one.row is not None for one in measured)),
        limits=(
            *_false_alarms(run, units, rules),
            *_limits(run, frame, rules),
            *filter(None, [caveats.modes_sentence(frame, rules)]),
            *_placement(run, units),
        ),
        sentences=prose.verdicts(judged, run.header.machines),
        headline=prose.headline(judged, run.header.machines),
        shipped=library_costs.compare_libraries(run, units, measured, rules.confidence),
        served=served,
    )


def _limits(run: Run, frame: pd.DataFrame, rules: VerdictRules) -> tuple[str, ...]:
    header = run.header
    return (
        *caveats.emulation_limits(header, frame),
        *caveats.boot_limits(header),
        *caveats.limits(header, rules.confidence),
    )


def _false_alarms(run: Run, frame: pd.DataFrame, rules: VerdictRules) -> tuple[str, ...]:
    """Return what the control benchmarks say against the run."""
    arches = [machine.arch for machine in run.header.machines]
    alarms = [alarm for arch in arches for alarm in controls.false_alarms(frame, run.label, arch, rules)]
    return tuple(map(caveats.false_alarm_sentence, alarms))


def _placement(run: Run, frame: pd.DataFrame) -> tuple[str, ...]:
    """Return what placement in memory does to the same code, on each machine whose values are times."""
    timed = [machine.arch for machine in run.header.machines if machine.timing != "emulated"]  # a count has no place
    spreads = (controls.placement_spread(frame, run.label, arch) for arch in timed)
    return tuple(caveats.placement_sentence(spread) for spread in spreads if spread)
