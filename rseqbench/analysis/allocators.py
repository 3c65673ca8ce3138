"""Pure: what a run says of a server over several allocators: a row a phase, and the gain against the allocator's share.

A gain is the part of a request's time that goes away: 1 - fast/slow, taken inside a round, with its interval over
rounds; below 0 it is a loss. The share is that of the allocator in a request over jemalloc as it is shipped, the same
for all curves. Only shares that were measured have a gain: nothing is said between them, and nothing beyond.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from rseqbench.analysis import stats
from rseqbench.analysis.outcomes import Reason, Verdict
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.errors import ResultsError
from rseqbench.model import Estimate, VerdictWord
from rseqbench.store.runs import Run

GROUP = "jemalloc"
OPERATION = (
    "jemalloc: an operation is a whole request, 64 blocks without other work, served by four threads for each CPU; its "
    "value is the mean latency."
)
SHIPPED, RSEQ = "shipped", "pools_rseq"
AGAINST = (SHIPPED, "pools_lsl", "pools_vdso", "pools_off")  # what pools by rseq are held against
GAINS = ("mean", "p50", "p99")  # a median is no claim, but no preemption is in it
_CLAIMS = {"jemalloc-mean": "mean", "jemalloc-p99": "p99"}


@dataclass(frozen=True)
class Phase:
    """An allocator with so many threads and so much other work, over all rounds; times in ns.

    throughput: requests a second, each thread's own added up; share: of a request, in the allocator; inside: of the
    threads' time, in requests; waits: requests that found the queue to another thread full, of 1; getcpu_calls: calls
    of sched_getcpu() in a request.
    """

    method: str
    threads: int
    work: int
    requests: int
    mean: Estimate
    p50: Estimate
    p99: Estimate
    p999: Estimate
    maximum: float
    throughput: Estimate
    share: Estimate
    inside: Estimate
    waits: float
    getcpu_calls: float


@dataclass(frozen=True)
class Gain:
    """What a request gains at a share, with its interval; all as parts of 1."""

    share: float
    gain: Estimate


@dataclass(frozen=True)
class Curve:
    """The gains of pools by rseq over another method, with so many threads, by share; `column` is what gains."""

    over: str
    threads: int
    column: str
    gains: tuple[Gain, ...]


@dataclass(frozen=True)
class UnknownShare(Reason):
    """The message does not state the share of the allocator in its workload; here are the gains by share."""

    curve: Curve


@dataclass(frozen=True)
class Bound:
    """What the way of reading the CPU number can be to jemalloc's arenas by CPU at most, as a part of a request."""

    calls: float
    difference_ns: float
    mean_ns: float

    @property
    def part(self) -> float:
        """The bound."""
        return self.calls * self.difference_ns / self.mean_ns


@dataclass(frozen=True)
class AllocatorResults:
    """All that a run says of allocators; `peaks` are in bytes, by method, and `step_ns` what a step of work takes."""

    phases: tuple[Phase, ...]
    peaks: dict[str, Estimate]
    curves: tuple[Curve, ...]
    bound: Bound | None
    step_ns: float

    def curve(self, over: str, column: str) -> Curve | None:
        """Return the curve with the most threads."""
        found = [one for one in self.curves if (one.over, one.column) == (over, column)]
        return max(found, key=lambda one: one.threads, default=None)


def summarise_allocators(run: Run, confidence: float) -> AllocatorResults | None:
    """Return what `run` says; None where it served nothing. Raises ResultsError where that is damaged."""
    try:
        frame, processes = _frames(run)
    except (KeyError, ValueError, TypeError) as error:
        raise ResultsError(f"{run.folder}: pyperf.json: group {GROUP} is damaged ({error!r})") from error
    if frame.empty:
        return None
    keys = ["method", "threads", "work"]
    phases = [_phase(key, part, confidence) for key, part in frame.groupby(keys, sort=True)]
    peaks = {
        str(method): stats.median(part["peak_bytes"].to_list(), confidence)
        for method, part in processes.groupby("method")
    }
    curves = [
        Curve(over, int(threads), column, gains(frame, over, int(threads), column, confidence))
        for threads in sorted(frame["threads"].unique())
        for over in AGAINST
        for column in GAINS
    ]
    kept = tuple(one for one in curves if one.gains)
    return AllocatorResults(tuple(phases), peaks, kept, _bound(frame, processes), float(processes["step_ns"].median()))


def _frames(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row for each phase of each process, and one for each process."""
    void = {skip.benchmark for skip in run.header.plan.skips}
    phases: list[dict[str, Any]] = []
    processes: list[dict[str, Any]] = []
    for sample in run.samples():
        if sample.benchmark.group != GROUP or sample.benchmark in void:
            continue
        origin = {"method": sample.benchmark.method, "round": sample.round}
        processes.append({**origin, **{name: sample.details[name] for name in ("peak_bytes", "step_ns", "getcpu_ns")}})
        phases += [{**phase, **origin, "throughput": phase["rate"]} for phase in sample.phases]
    return pd.DataFrame.from_records(phases), pd.DataFrame.from_records(processes)


def _phase(key: Any, part: pd.DataFrame, confidence: float) -> Phase:
    def over_rounds(column: str) -> Estimate:
        return stats.median(part[column].to_list(), confidence)

    method, threads, work = key
    return Phase(
        method=str(method),
        threads=int(threads),
        work=int(work),
        requests=int(part["requests"].sum()),
        mean=over_rounds("mean"),
        p50=over_rounds("p50"),
        p99=over_rounds("p99"),
        p999=over_rounds("p99.9"),
        maximum=float(part["max"].max()),
        throughput=over_rounds("throughput"),
        share=over_rounds("share"),
        inside=over_rounds("inside"),
        waits=float(part["waits"].sum() / part["all"].sum()),
        getcpu_calls=float(part["getcpu_calls"].sum() / part["all"].sum()),
    )


def gains(frame: pd.DataFrame, over: str, threads: int, column: str, confidence: float) -> tuple[Gain, ...]:
    """Return what pools by rseq gain over `over` in `column` for each amount of work, by rising share.

    `frame` has a row for each round, method, threads and work. Empty where one of the two, or the share, is not there.
    """
    own = frame[frame["threads"] == threads].set_index(["method", "work", "round"]).sort_index()
    methods = set(own.index.get_level_values("method"))
    if not {over, RSEQ, SHIPPED} <= methods:
        return ()
    found = []
    for work in sorted(set(own.index.get_level_values("work"))):
        try:
            both = pd.concat([own.loc[(name, work), column] for name in (over, RSEQ)], axis=1, join="inner")
            share = float(own.loc[(SHIPPED, work), "share"].median())
        except KeyError:
            continue
        if len(both):
            ratio = stats.paired_ratio(both.iloc[:, 0].to_list(), both.iloc[:, 1].to_list(), confidence)
            found.append(Gain(share, _as_gain(ratio)))
    return tuple(sorted(found, key=lambda one: one.share))


def _as_gain(ratio: Estimate) -> Estimate:
    """Turn how many times longer the slow one takes into what goes away of it."""
    low = None if ratio.low is None else 1 - 1 / ratio.low
    high = None if ratio.high is None else 1 - 1 / ratio.high
    return Estimate(1 - 1 / ratio.value, low, high, ratio.n, ratio.coverage)


def _bound(frame: pd.DataFrame, processes: pd.DataFrame) -> Bound | None:
    """Bound what rseq can be to arenas by CPU: at the amount of work and threads where that is the most."""
    costs = processes.groupby("method")["getcpu_ns"].median()
    if not {"percpu_arena", "percpu_arena_norseq"} <= set(costs.index):
        return None
    difference = float(costs["percpu_arena_norseq"] - costs["percpu_arena"])
    own = frame[frame["method"] == "percpu_arena"].groupby(["threads", "work"])
    each = [
        Bound(float(p["getcpu_calls"].sum() / p["all"].sum()), difference, float(p["mean"].median())) for _, p in own
    ]
    return max(each, key=lambda one: one.part)


def judge_allocator_claims(found: Sequence[JudgedClaim], of: AllocatorResults | None) -> tuple[JudgedClaim, ...]:
    """Return verdicts in which the claims about jemalloc are answered as far as they can be; others as they are."""
    return tuple(_judged(one, of) if of and one.claim.id in _CLAIMS else one for one in found)


def _judged(one: JudgedClaim, of: AllocatorResults) -> JudgedClaim:
    column = _CLAIMS[one.claim.id]
    curve = of.curve(SHIPPED, column)
    if curve is None:
        return one
    verdict = Verdict(VerdictWord.NOT_COMPARABLE, (UnknownShare(curve),))
    return JudgedClaim(one.claim, one.arithmetic, None, None, verdict, "")
