"""Pure: what a run says of each claim of the patch message; patch_claims.py has the claims.

The rules, with the tolerances of [verdict] in bench.toml. A claim of a speed-up of c is judged by the interval of the
measured speed-up:
  reproduced              the interval overlaps c*reach .. c/reach, and its ends are at most a factor `widest` apart
  stronger                the interval lies wholly above c/reach
  weaker                  a gain (the interval lies above 1), but it ends below c*reach
  no difference resolved  the interval holds 1, the value is within the floor of 1, or the interval is too wide
  contradicted            the interval lies below 1
A claim of equality is reproduced when the whole interval lies within the band around 1, contradicted when it lies
wholly outside, and otherwise no difference is resolved. Instructions of an emulated machine, a printed time of another
machine, a loop that stands for a whole library, and glibc's getcpu where the vDSO runs another instruction than the
patch's are not comparable; what is not there was not measured, and why.

Where both benchmarks of a claim's `library` were measured, in time, they are judged in place of the loops, as any
speed-up: lttng-x86_64 by lttng/lsl over lttng/rseq. That is the shipped library, in which rseq gives the CPU number
alone: both keep the two atomics of an event, which the patch replaced too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from rseqbench.analysis import dataset, patch_claims
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.outcomes import (
    AboveLeeway,
    BareOperation,
    BelowLeeway,
    ClaimOfArchitecture,
    Direction,
    EmulatedMachine,
    EqualityBand,
    Failure,
    FewerWithoutPrice,
    InInstructions,
    InLibrary,
    Lacks,
    Leeway,
    Needs,
    NoGain,
    NothingToDivide,
    NotSelected,
    OtherMachinesTime,
    OtherVdso,
    PatchTimed,
    Reaches,
    ReachesByWidth,
    Reason,
    Reasons,
    Slower,
    TooFewRounds,
    Verdict,
)
from rseqbench.analysis.patch_claims import Arithmetic, Claim
from rseqbench.config import VerdictRules
from rseqbench.model import BASELINE, NO_BENCHMARK, CaseKey, Estimate, Machine, Skip, VerdictWord
from rseqbench.selection import LIBRARIES


@dataclass(frozen=True)
class JudgedClaim:
    """A claim, what its own table gives, what was measured, and the verdict.

    `unit` is that of the values behind `measured` and `current`, per operation; empty where there are none.
    """

    claim: Claim
    arithmetic: Arithmetic | None
    measured: Estimate | None
    current: Estimate | None
    verdict: Verdict
    unit: str = ""


def judge(
    frame: pd.DataFrame,
    label: str,
    machine: Machine,
    patch: pd.DataFrame,
    rules: VerdictRules,
    skips: Sequence[Skip] = (),
) -> list[JudgedClaim]:
    """Judge every claim of the message by run `label` on `machine`; `skips` explain what the run lacks."""
    skipped: dict[str, str] = {skip.benchmark: skip.reason for skip in skips}
    rows = {row.key: row for row in dataset.summarise(frame[frame["label"] == label], rules.confidence)}
    return [
        _judge_one(claim, frame, label, machine, patch, rules, skipped, rows)
        for claim in patch_claims.all_claims(patch)
    ]


def _judge_one(
    claim: Claim,
    frame: pd.DataFrame,
    label: str,
    machine: Machine,
    patch: pd.DataFrame,
    rules: VerdictRules,
    skipped: dict[str, str],
    rows: dict[CaseKey, Row],
) -> JudgedClaim:
    own, shipped = patch_claims.arithmetic(claim, patch), claim.in_library
    lacking = _lacking_library(shipped, rows, skipped) if claim.library and claim.arch == machine.arch else ()
    if claim.library and all(key in rows for key in shipped.pair):
        claim = shipped
    absence = _absence(claim, machine, rows, skipped)
    if absence:
        return JudgedClaim(claim, own, None, None, Verdict(VerdictWord.NOT_MEASURED, (*absence, *lacking)))
    if claim.kind == "time":
        row = rows[CaseKey(claim.arch, claim.slow)]
        verdict = Verdict(VerdictWord.NOT_COMPARABLE, (OtherMachinesTime(row.gross.value, row.unit),))
        return JudgedClaim(claim, own, row.gross, None, verdict, row.unit)
    ratio = dataset.speedup(frame, label, *claim.pair, rules.confidence, claim.net)
    current = None
    if claim.current:
        slow, fast = (CaseKey(claim.arch, benchmark) for benchmark in claim.current)
        current = dataset.speedup(frame, label, slow, fast, rules.confidence, claim.net)
    if ratio is None:
        word = VerdictWord.NOT_COMPARABLE if machine.timing == "emulated" else VerdictWord.UNRESOLVED
        verdict = Verdict(word, (NothingToDivide(),))
    else:
        verdict = _ratio_verdict(claim, ratio, current, machine, rules)
    verdict = Verdict(verdict.word, (*verdict.reasons, *lacking))
    return JudgedClaim(claim, own, ratio, current, verdict, rows[claim.pair[0]].unit)


def _absence(claim: Claim, machine: Machine, rows: dict[CaseKey, Row], skipped: dict[str, str]) -> Reasons:
    """Return why a claim was not measured; nothing when it was."""
    if claim.needs:
        return (Needs(claim.needs),)
    if claim.arch != machine.arch:
        return (ClaimOfArchitecture(claim.arch, machine.arch),)
    for name in (claim.slow, claim.fast, BASELINE if claim.net else NO_BENCHMARK):
        if name and (claim.arch, name, 1) not in rows:
            return (Lacks(name, Failure(skipped[name]) if name in skipped else NotSelected()),)
    return ()


def _lacking_library(shipped: Claim, rows: dict[CaseKey, Row], skipped: dict[str, str]) -> Reasons:
    """Return why the library itself was not measured though somebody asked; nothing otherwise."""
    for name in (shipped.slow, shipped.fast):
        if (shipped.arch, name, 1) not in rows and name in skipped:
            return (Lacks(LIBRARIES[name.group].title, Failure(skipped[name])),)
    return ()


def _ratio_verdict(
    claim: Claim, ratio: Estimate, current: Estimate | None, machine: Machine, rules: VerdictRules
) -> Verdict:
    if machine.timing == "emulated":
        direction = None if claim.kind == "equal" else _direction(ratio)
        counts = InInstructions(direction, ratio.value, claim.net, claim.whole)
        return Verdict(VerdictWord.NOT_COMPARABLE, (counts, *_no_price(claim, current)))
    limit: Reason | None = None
    if machine.emulates:
        limit = EmulatedMachine(_direction(ratio))
    elif claim.whole:
        limit = BareOperation(_direction(ratio), claim.whole)
    elif claim.vdso and machine.facts.vdso_getcpu == "rdpid":
        limit = OtherVdso(_direction(ratio))
    if limit:
        return Verdict(VerdictWord.NOT_COMPARABLE, (limit,))
    verdict = equality(ratio, rules) if claim.kind == "equal" else speedup(claim.stated, ratio, rules)
    if claim.library:
        return Verdict(verdict.word, (*verdict.reasons, InLibrary()))
    return Verdict(verdict.word, (*verdict.reasons, PatchTimed(claim.timed))) if claim.timed else verdict


def _no_price(claim: Claim, current: Estimate | None) -> Reasons:
    """Keep a reader from taking fewer instructions for less time, where the method in use today has fewer."""
    if claim.current is None or current is None or current.value >= 1:
        return ()
    fewer, more = claim.current
    return (FewerWithoutPrice(fewer.method, more.method),)


def _direction(ratio: Estimate) -> Direction:
    if ratio.low is not None and ratio.low > 1:
        return Direction.SAME
    if ratio.high is not None and ratio.high < 1:
        return Direction.OPPOSITE
    return Direction.UNRESOLVED


def speedup(stated: float, ratio: Estimate, rules: VerdictRules) -> Verdict:
    """Judge a measured speed-up against a stated one, whose leeway is that of the rules.

    An interval wider than the rules allow reproduces nothing: noise would be what makes it reach so far.
    """
    leeway = Leeway(stated * rules.reach, stated / rules.reach, stated, rules.reach)
    verdict = gain(leeway, ratio, rules)
    if verdict.word == VerdictWord.REPRODUCED and _width(ratio) > rules.widest:
        return Verdict(VerdictWord.UNRESOLVED, (ReachesByWidth(leeway),))
    return verdict


def _width(ratio: Estimate) -> float:
    assert ratio.low is not None and ratio.high is not None
    return ratio.high / ratio.low


def gain(leeway: Leeway, ratio: Estimate, rules: VerdictRules) -> Verdict:
    """Judge a measured speed-up by the leeway of the claim."""
    if ratio.low is None or ratio.high is None:
        return _too_few(ratio)
    no_gain = _no_gain(ratio, leeway, rules)
    if no_gain:
        return no_gain
    if ratio.low > leeway.strongest:
        return Verdict(VerdictWord.STRONGER, (AboveLeeway(leeway),))
    if ratio.high < leeway.weakest:
        return Verdict(VerdictWord.WEAKER, (BelowLeeway(leeway),))
    return Verdict(VerdictWord.REPRODUCED, (Reaches(leeway),))


def _no_gain(ratio: Estimate, leeway: Leeway, rules: VerdictRules) -> Verdict | None:
    """Return the verdict on a ratio that is no gain, or cannot be told from 1; None for a gain."""
    assert ratio.low is not None and ratio.high is not None
    ends_below = leeway if ratio.high < leeway.weakest else None
    if ratio.low <= 1 <= ratio.high:
        return Verdict(VerdictWord.UNRESOLVED, (NoGain(ends_below=ends_below),))
    if 1 / (1 + rules.floor) < ratio.value < 1 + rules.floor:
        return Verdict(VerdictWord.UNRESOLVED, (NoGain(rules.floor, ratio.low <= 1, ends_below),))
    if ratio.high < 1:
        return Verdict(VerdictWord.CONTRADICTED, (Slower(),))
    return None


def equality(ratio: Estimate, rules: VerdictRules) -> Verdict:
    """Judge a measured ratio against a claim that two methods cost the same."""
    if ratio.low is None or ratio.high is None:
        return _too_few(ratio)
    low, high = 1 / (1 + rules.equal_band), 1 + rules.equal_band
    if low <= ratio.low and ratio.high <= high:
        return Verdict(VerdictWord.REPRODUCED, (EqualityBand(low, high, inside=True),))
    if ratio.high < low or ratio.low > high:
        return Verdict(VerdictWord.CONTRADICTED, (EqualityBand(low, high, inside=False),))
    return Verdict(VerdictWord.UNRESOLVED, (EqualityBand(low, high, inside=None),))


def _too_few(ratio: Estimate) -> Verdict:
    return Verdict(VerdictWord.UNRESOLVED, (TooFewRounds(ratio.n),))
