"""Pure: two runs' tables in, one comparison a benchmark out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from rseqbench.analysis import dataset, stats
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.outcomes import (
    BelowFloor,
    ClockMoved,
    CountsByChance,
    CountsOverlap,
    EmulatedClock,
    Failure,
    HoldsOne,
    IsLoop,
    Lacks,
    NoRoundWithLoop,
    NotBeyondChance,
    NotInRun,
    OtherOverLoop,
    OtherTiming,
    Outcome,
    Printed,
    Reason,
    Reasons,
    SameCount,
    SameOverLoop,
    TooFewRounds,
    Unlike,
    WithinBand,
)
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.config import VerdictRules
from rseqbench.model import BASELINE, BenchmarkId, CaseKey, Estimate, Skip


@dataclass(frozen=True)
class Relative:
    """What a benchmark takes over the empty loop of the same round, in two runs between which the clock moved.

    `ratio` and `p` as in Comparison. `outcomes` are those by what was measured alone, and by this alone. Where no round
    has both, the second is None and the numbers are what was measured.
    """

    ratio: Estimate
    p: float
    outcomes: tuple[Outcome | None, Outcome | None] = (None, None)


@dataclass(frozen=True)
class Comparison:
    """One benchmark in two runs. `ratio` is b/a: above 1 means that b takes longer, or more instructions.

    `p` is the Mann-Whitney probability of equality, adjusted by Holm for all rows that are compared. `relative` is None
    where the clock did not move; `ratio` is what was measured in any case.
    """

    arch: str
    benchmark: BenchmarkId
    threads: int
    a: Row | None
    b: Row | None
    ratio: Estimate | None
    p: float | None
    word: Outcome
    reasons: Reasons = ()
    relative: Relative | None = None

    @property
    def perhaps(self) -> float:
        """What b/a is at most by those of its two readings that say that b is slower; 0 if the clock did not move."""
        if self.relative is None or self.ratio is None:
            return 0.0
        values = self.ratio.value, self.relative.ratio.value
        slower = [outcome == Outcome.SLOWER for outcome in self.relative.outcomes]
        return max((value for value, counts in zip(values, slower, strict=True) if counts), default=0)


def compare(
    frame: pd.DataFrame,
    a: str,
    b: str,
    rules: VerdictRules,
    skips: Sequence[tuple[str, Skip]] = (),
    same_machine: bool = False,
    unlike: Mapping[str, Unlike] | None = None,
    emulates: bool = False,
) -> list[Comparison]:
    """Compare run `b` with run `a`: one row for every benchmark that either of them measured.

    The rows are those of compare_benchmarks(), judged together; without verdicts where qemu `emulates` a clock.
    """
    rows = compare_benchmarks(frame, a, b, rules, skips, unlike)
    return judge_together([(without_verdicts(rows) if emulates else rows, same_machine)], rules)[0]


def compare_benchmarks(
    frame: pd.DataFrame,
    a: str,
    b: str,
    rules: VerdictRules,
    skips: Sequence[tuple[str, Skip]] = (),
    unlike: Mapping[str, Unlike] | None = None,
) -> list[Comparison]:
    """Return a row for every benchmark that run `a` or `b` measured; `p` is that of the row alone, if it is tested.

    `skips` are the cases that a run (named first) could not measure; their reasons are carried into the rows. `unlike`
    are benchmarks that are not the same in both, each with the reason: a program that was given other arguments.

    Counts of instructions have no noise, so there is nothing to test: they are equal, or differ by as little as one
    instruction, whatever the floor. Each run is one boot and so one sample, however many rounds it has.
    """
    rows = {label: _by_key(frame, label, rules.confidence) for label in (a, b)}
    reasons = {(label, skip.benchmark, skip.threads): skip.reason for label, skip in skips}
    unalike = unlike or {}
    keys = sorted(set(rows[a]) | set(rows[b]), key=lambda key: (key.benchmark, key.threads, key.arch))
    found = [
        _one(frame, (a, rows[a].get(key)), (b, rows[b].get(key)), key, rules, reasons, unalike.get(key.benchmark))
        for key in keys
    ]
    moved = _moved(found, rules)
    return [replace(row, relative=_relative(frame, row, rules)) if row.arch in moved else row for row in found]


def without_verdicts(found: Sequence[Comparison]) -> list[Comparison]:
    """Return the rows of a machine whose clock tells no time: none of them is tested, or says anything."""
    return [
        replace(row, p=None, relative=None, word=Outcome.NOT_COMPARABLE, reasons=(EmulatedClock(),))
        if row.ratio
        else row
        for row in found
    ]


def judge_together(found: Sequence[tuple[Sequence[Comparison], bool]], rules: VerdictRules) -> list[list[Comparison]]:
    """Judge the rows of one comparison, or of several that are looked at together: Holm goes over all of them.

    Each comes with whether both runs are of the same machine. There the clock may tick at another rate than last time,
    which the empty loop shows. What a processor does scales with it, what memory does only in part, so neither what was
    measured nor the same relative to the loop is right for all: a word is said if both say it, each adjusted for all
    rows, and otherwise no difference is resolved. Different machines may differ in everything.
    """
    known = [[row if same else replace(row, relative=None) for row in rows] for rows, same in found]
    adjusted = iter(stats.holm([row.p for rows in known for row in rows if row.p is not None]))
    again = iter(stats.holm([row.relative.p for rows in known for row in rows if row.relative]))
    made = []
    for rows, (_, same_machine) in zip(known, found, strict=True):
        moved = _moved(rows, rules) if same_machine else {}
        tested = [row if row.p is None else replace(row, p=next(adjusted)) for row in rows]
        both = [replace(row, relative=replace(row.relative, p=next(again))) if row.relative else row for row in tested]
        made.append([_judge(row, rules, moved.get(row.arch)) for row in both])
    return made


def _moved(rows: Sequence[Comparison], rules: VerdictRules) -> dict[str, Estimate]:
    """Return by how much the empty loop surely moved, beyond the floor, on each architecture where it did."""
    loops = {row.arch: row.ratio for row in rows if row.benchmark == BASELINE and row.p is not None and row.ratio}
    return {arch: ratio for arch, ratio in loops.items() if stats.beyond_floor(ratio, rules.floor)}


def _relative(frame: pd.DataFrame, row: Comparison, rules: VerdictRules) -> Relative | None:
    """Return the quotient of a row's two sides, each over the empty loop of its own rounds.

    That has the loop's own uncertainty in it. None for the loop, for what is not tested or shares no round with it.
    """
    if row.a is None or row.b is None or row.p is None or row.benchmark == BASELINE:
        return None
    loop = CaseKey(row.arch, BASELINE)
    over = [dataset.ratios(frame, side.label, side.key, loop) for side in (row.b, row.a)]
    if over[0] is None or over[1] is None:
        return None
    return Relative(*stats.independent_ratio(over[0].each, over[1].each, rules.confidence))


def _by_key(frame: pd.DataFrame, label: str, confidence: float) -> dict[CaseKey, Row]:
    return {row.key: row for row in dataset.summarise(frame[frame["label"] == label], confidence)}


def _one(
    frame: pd.DataFrame,
    left: tuple[str, Row | None],
    right: tuple[str, Row | None],
    key: CaseKey,
    rules: VerdictRules,
    reasons: Mapping[tuple[str, BenchmarkId, int], str],
    unlike: Unlike | None,
) -> Comparison:
    (a, row_a), (b, row_b) = left, right
    row = Comparison(*key, row_a, row_b, None, None, Outcome.MISSING)
    if row_a is None or row_b is None:
        absent = a if row_a is None else b
        skipped = reasons.get((absent, key[1], key[2]))
        absence = NotInRun(absent, key[0]) if skipped is None else Lacks(absent, Failure(skipped))
        return replace(row, reasons=(absence,))
    if unlike:
        return replace(row, word=Outcome.NOT_COMPARABLE, reasons=(unlike,))
    if row_a.unit != row_b.unit:
        return replace(row, word=Outcome.NOT_COMPARABLE, reasons=(Unlike(row_a.unit, row_b.unit),))
    published = [r.label for r in (row_a, row_b) if r.timing == "published"]
    if published:
        ratio = _against_constant(row_a.gross, row_b.gross)
        return replace(row, ratio=ratio, word=Outcome.NOT_COMPARABLE, reasons=(Printed(published[0]),))
    if row_a.unit != "ns":
        ratio, word, why = compare_counts(row_a.gross, row_b.gross, rules.confidence)
        return replace(row, ratio=ratio, word=word, reasons=why)
    ratio, p = stats.independent_ratio(
        dataset.series(frame, b, key).to_list(), dataset.series(frame, a, key).to_list(), rules.confidence
    )
    return replace(row, ratio=ratio, p=p, word=Outcome.UNRESOLVED)


def compare_counts(a: Estimate, b: Estimate, confidence: float) -> tuple[Estimate, Outcome, Reasons]:
    """Compare counts of instructions, each with the range of its rounds, or of its boots where there are several.

    Returns b/a with its range, the outcome, and why. Counts that do not repeat may lie apart by chance, the
    likelier the fewer there are. Raises ValueError for one without its range.
    """
    if a.low is None or a.high is None or b.low is None or b.high is None:
        raise ValueError("a count without its range")
    ratio = Estimate(b.value / a.value, b.low / a.high, b.high / a.low, min(a.n, b.n), 0.0)
    if abs(b.value - a.value) <= stats.SAME_COUNT:
        return ratio, Outcome.EQUAL, (SameCount(stats.SAME_COUNT),)
    if a.low <= b.high and b.low <= a.high:
        return ratio, Outcome.UNRESOLVED, (CountsOverlap(),)
    chance = stats.separation_chance(a.n, b.n)
    if max(a.high - a.low, b.high - b.low) > stats.SAME_COUNT and chance > 1 - confidence:
        return ratio, Outcome.UNRESOLVED, (CountsByChance(a.n, b.n, chance),)
    return ratio, Outcome.MORE if b.value > a.value else Outcome.FEWER, ()


def _against_constant(a: Estimate, b: Estimate) -> Estimate:
    """Return b/a where one of them is a single printed value: the interval is the other one's."""
    if b.has_interval and b.low is not None and b.high is not None:
        return Estimate(b.value / a.value, b.low / a.value, b.high / a.value, b.n, b.coverage)
    if a.has_interval and a.low is not None and a.high is not None:
        return Estimate(b.value / a.value, b.value / a.high, b.value / a.low, a.n, a.coverage)
    return Estimate(b.value / a.value, None, None, 1, 0.0)


def _judge(row: Comparison, rules: VerdictRules, moved: Estimate | None) -> Comparison:
    """Say what a row means; `moved` is how the empty loop did on the same machine, None where it did not."""
    if row.ratio is None or row.p is None:
        return row
    if row.a is not None and row.b is not None and row.a.timing != row.b.timing:
        return replace(row, word=Outcome.NOT_COMPARABLE, reasons=(OtherTiming(row.a.timing, row.b.timing),))
    outcome, why = _outcome(row.ratio, row.p, rules)
    if moved is None:
        return replace(row, word=outcome, reasons=why)
    clock = ClockMoved(moved.value)
    if row.benchmark == BASELINE:
        return replace(row, word=Outcome.UNRESOLVED, reasons=(clock, IsLoop()))
    own = row.relative
    if own is None:
        alone = Relative(row.ratio, row.p, (outcome, None))
        return replace(row, word=Outcome.UNRESOLVED, reasons=(clock, NoRoundWithLoop()), relative=alone)
    other, _ = _outcome(own.ratio, own.p, rules)
    row = replace(row, relative=replace(own, outcomes=(outcome, other)))
    if outcome == other:
        return replace(row, word=outcome, reasons=(*why, clock, SameOverLoop(outcome)))
    return replace(row, word=Outcome.UNRESOLVED, reasons=(clock, OtherOverLoop(outcome, other, own.ratio.value)))


def _outcome(ratio: Estimate, p: float, rules: VerdictRules) -> tuple[Outcome, Reasons]:
    """Return the outcome of a ratio of times, and why it is no difference."""
    if not ratio.has_interval:
        return Outcome.UNRESOLVED, (TooFewRounds(ratio.n),)
    beyond = stats.beyond_floor(ratio, rules.floor)
    if beyond and p <= 1 - rules.confidence:
        return (Outcome.SLOWER if ratio.value > 1 else Outcome.FASTER), ()
    if within(ratio, rules.same_within):
        return Outcome.EQUAL, (WithinBand(rules.same_within),)
    return Outcome.UNRESOLVED, (why_undecided(ratio, beyond, rules),)


def why_undecided(ratio: Estimate, beyond: bool, rules: VerdictRules) -> Reason:
    """Return why a ratio is no difference; `beyond` the floor it then is only by chance."""
    if beyond:
        return NotBeyondChance()
    return BelowFloor(rules.floor) if _excludes_one(ratio) else HoldsOne()


def within(ratio: Estimate, band: float) -> bool:
    """Whether the whole interval of a ratio lies within the band around 1."""
    if ratio.low is None or ratio.high is None:
        return False
    return 1 / (1 + band) <= ratio.low and ratio.high <= 1 + band


def _excludes_one(ratio: Estimate) -> bool:
    return ratio.low is not None and ratio.high is not None and (ratio.low > 1 or ratio.high < 1)


@dataclass(frozen=True)
class SpeedupComparison:
    """The quotient of a pair inside each of two runs; None where a run lacks one of the pair.

    `units` are those of the values behind the two: a quotient of instructions is none of times.
    """

    pair: ArchPair
    a: Estimate | None
    b: Estimate | None
    units: tuple[str, str]


def compare_speedups(
    frame: pd.DataFrame, a: str, b: str, pairs: Sequence[ArchPair], confidence: float
) -> list[SpeedupComparison]:
    """Return the quotient of each pair inside each run, where at least one run has it."""
    found = []
    for pair in pairs:
        keys = CaseKey(pair.arch, pair.slow), CaseKey(pair.arch, pair.fast)
        both = [dataset.speedup(frame, label, *keys, confidence, pair.net) for label in (a, b)]
        if any(estimate is not None for estimate in both):
            units = dataset.unit(frame, a, pair.arch), dataset.unit(frame, b, pair.arch)
            found.append(SpeedupComparison(pair, both[0], both[1], units))
    return found
