"""Pure: what a run says of each claim of the patch message; stated.py has the claims.

The rules, with the tolerances of [verdict] in bench.toml. A claim of a speed-up of c is judged by the interval of the
measured speed-up:
  reproduced              the interval overlaps c*reach .. c/reach, and its ends are at most a factor `widest` apart
  stronger                the interval lies wholly above c/reach
  weaker                  a gain (the interval lies above 1), but it ends below c*reach
  no difference resolved  the interval holds 1, the value is within the floor of 1, or the interval is too wide
  contradicted            the interval lies below 1
A claim of equality is reproduced when the whole interval lies within the band around 1, contradicted when it lies
wholly outside, and otherwise no difference is resolved. Instructions of an emulated machine, a printed time of another
machine, a kernel that stands for a whole library, and glibc's getcpu where the vDSO runs another instruction than the
patch's are not comparable; what is not there was not measured, and why.

Where both benchmarks of a claim's `library` were measured, in time, they are judged in place of the kernels, as any
speed-up: lttng-x86_64 by lttng/lsl over lttng/rseq. That is the shipped library, in which rseq gives the CPU number
alone: both keep the two atomics of an event, which the patch replaced too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from rseqbench.analysis import dataset, patch_claims
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.patch_claims import Arithmetic, Claim
from rseqbench.config import VerdictRules
from rseqbench.model import BASELINE, CaseKey, Estimate, Machine, Skip, Verdict, VerdictWord
from rseqbench.selection import LIBRARIES

_IN_LIBRARY = "in the shipped library, where rseq gives the CPU number and the two atomics of an event stay"


@dataclass(frozen=True)
class JudgedClaim:
    """A claim, what its own table gives, what was measured, and the verdict.

    `unit` is that of the values behind `measured` and `today`, per operation; empty where there are none.
    """

    claim: Claim
    arithmetic: Arithmetic | None
    measured: Estimate | None
    today: Estimate | None
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
    reasons: dict[str, str] = {skip.benchmark: skip.reason for skip in skips}
    rows = {row.key: row for row in dataset.summarise(frame[frame["label"] == label], rules.confidence)}
    return [
        _judge_one(claim, frame, label, machine, patch, rules, reasons, rows)
        for claim in patch_claims.all_claims(patch)
    ]


def _judge_one(
    claim: Claim,
    frame: pd.DataFrame,
    label: str,
    machine: Machine,
    patch: pd.DataFrame,
    rules: VerdictRules,
    reasons: dict[str, str],
    rows: dict[CaseKey, Row],
) -> JudgedClaim:
    own, shipped = patch_claims.arithmetic(claim, patch), claim.in_library
    lacking = _lacking(shipped, rows, reasons) if claim.library and claim.arch == machine.arch else ""
    if claim.library and all(key in rows for key in shipped.pair):
        claim = shipped
    why = _not_measured(claim, machine, rows, reasons)
    if why:
        return JudgedClaim(claim, own, None, None, Verdict(VerdictWord.NOT_MEASURED, _joined(why, lacking)))
    if claim.kind == "time":
        measured = rows[CaseKey(claim.arch, claim.slow)]
        no_time = ", which is no time" if measured.unit != "ns" else ""
        reason = f"another machine's time; here {measured.gross.value:.3g} {measured.unit}/op{no_time}"
        return JudgedClaim(claim, own, measured.gross, None, Verdict(VerdictWord.NOT_COMPARABLE, reason), measured.unit)
    ratio = dataset.speedup(frame, label, *claim.pair, rules.confidence, claim.net)
    today = None
    if claim.today:
        slow, fast = (CaseKey(claim.arch, benchmark) for benchmark in claim.today)
        today = dataset.speedup(frame, label, slow, fast, rules.confidence, claim.net)
    if ratio is None:
        word = VerdictWord.NOT_COMPARABLE if machine.timing == "emulated" else VerdictWord.UNRESOLVED
        verdict = Verdict(word, "too few rounds in which there is anything to divide")
    else:
        verdict = _ratio_verdict(claim, ratio, today, machine, rules)
    verdict = dataclasses.replace(verdict, reason=_joined(verdict.reason, lacking))
    return JudgedClaim(claim, own, ratio, today, verdict, rows[claim.pair[0]].unit)


def _not_measured(claim: Claim, machine: Machine, rows: dict[CaseKey, Row], reasons: dict[str, str]) -> str:
    """Return why a claim was not measured, or an empty string when it was."""
    if claim.needs:
        return f"needs {claim.needs}"
    if claim.arch != machine.arch:
        return f"an {claim.arch} claim; this machine is {machine.arch}"
    for name in (claim.slow, claim.fast, BASELINE if claim.net else ""):
        if name and (claim.arch, name, 1) not in rows:
            return f"{name}: {reasons.get(name, 'not selected in this run')}"
    return ""


def _lacking(shipped: Claim, rows: dict[CaseKey, Row], reasons: dict[str, str]) -> str:
    """Return why the library itself was not measured though somebody asked; empty otherwise."""
    for name in (shipped.slow, shipped.fast):
        if (shipped.arch, name, 1) not in rows and name in reasons:
            return f"{LIBRARIES[name.partition('/')[0]].title}: {reasons[name]}"
    return ""


def _ratio_verdict(
    claim: Claim, ratio: Estimate, today: Estimate | None, machine: Machine, rules: VerdictRules
) -> Verdict:
    bare = f"the kernel is the bare operation; the patch timed {claim.whole}"
    if machine.timing == "emulated":
        said = _in_instructions(claim, ratio) + (f", and {bare}" if claim.whole else "")
        return Verdict(VerdictWord.NOT_COMPARABLE, _joined(said, _no_price(claim, today)))
    if machine.emulates:
        said = f"{_direction(ratio)}, but this machine is emulated by qemu, so its clock tells no time"
        return Verdict(VerdictWord.NOT_COMPARABLE, said)
    if claim.whole:
        return Verdict(VerdictWord.NOT_COMPARABLE, f"{_direction(ratio)}, but {bare}")
    if claim.vdso and machine.facts.vdso_getcpu == "rdpid":
        said = f"{_direction(ratio)}, but the vDSO here runs RDPID, the patch's ran LSL"
        return Verdict(VerdictWord.NOT_COMPARABLE, said)
    equal = claim.kind == "equal"
    verdict = equality(ratio, rules) if equal else speedup(claim.stated, ratio, rules)
    limits = _IN_LIBRARY if claim.library else f"the patch timed {claim.timed}" if claim.timed else ""
    return dataclasses.replace(verdict, reason=_joined(verdict.reason, limits))


def _joined(*reasons: str) -> str:
    return "; ".join(filter(None, reasons))


def _in_instructions(claim: Claim, ratio: Estimate) -> str:
    """Say what a quotient of instructions is beside a claim in time. That two cost the same has no direction."""
    direction = "" if claim.kind == "equal" else f"{_direction(ratio)}, "
    net = " without the loop" if claim.net else ""
    return f"{direction}{ratio.value:.3g}x in instructions{net}; time not comparable"


def _no_price(claim: Claim, today: Estimate | None) -> str:
    """Keep a reader from taking fewer instructions for less time, where what is in use today has fewer."""
    if claim.today is None or today is None or today.value >= 1:
        return ""
    ways = [name.method for name in claim.today]
    return f"{ways[0]} takes fewer instructions than {ways[1]}, but instructions do not price an atomic"


def _direction(ratio: Estimate) -> str:
    if ratio.low is not None and ratio.low > 1:
        return "same direction"
    if ratio.high is not None and ratio.high < 1:
        return "opposite direction"
    return "direction not resolved"


def speedup(stated: float, ratio: Estimate, rules: VerdictRules) -> Verdict:
    """Judge a measured speed-up against a stated one, whose leeway is that of the rules.

    An interval wider than the rules allow reproduces nothing: noise would be what makes it reach so far.
    """
    weakest, strongest = stated * rules.reach, stated / rules.reach
    whence = f" = {stated:g}*{rules.reach:g}", f" = {stated:g}/{rules.reach:g}"
    verdict = _gain(ratio, (weakest, strongest), whence, rules, digits=3)
    if verdict.word == VerdictWord.REPRODUCED and _width(ratio) > rules.widest:
        reason = f"a gain, but an interval that reaches {weakest:.3g} .. {strongest:.3g} only by being so wide"
        return Verdict(VerdictWord.UNRESOLVED, reason)
    return verdict


def gain(weakest: float, strongest: float, ratio: Estimate, rules: VerdictRules, why: str) -> Verdict:
    """Judge a measured speed-up against one that was stated with an interval of its own; `why` tells what that is."""
    return _gain(ratio, (weakest, strongest), (f", {why}",) * 2, rules, digits=4)


def _width(ratio: Estimate) -> float:
    assert ratio.low is not None and ratio.high is not None
    return ratio.high / ratio.low


def _gain(
    ratio: Estimate, leeway: tuple[float, float], whence: tuple[str, str], rules: VerdictRules, digits: int
) -> Verdict:
    if ratio.low is None or ratio.high is None:
        return _too_few(ratio)
    weakest, strongest = (f"{end:.{digits}g}" for end in leeway)
    none = _no_gain(ratio, rules)
    if none and none.word == VerdictWord.UNRESOLVED and ratio.high < leeway[0]:
        return Verdict(none.word, f"{none.reason}, and it ends below {weakest}{whence[0]}")
    if none:
        return none
    if ratio.low > leeway[1]:
        return Verdict(VerdictWord.STRONGER, f"the interval lies above {strongest}{whence[1]}")
    if ratio.high < leeway[0]:
        return Verdict(VerdictWord.WEAKER, f"a gain, but the interval ends below {weakest}{whence[0]}")
    return Verdict(VerdictWord.REPRODUCED, f"the interval reaches {weakest} .. {strongest}")


def _no_gain(ratio: Estimate, rules: VerdictRules) -> Verdict | None:
    """Return the verdict on a quotient that is no gain, or none that is told from 1; None for a gain."""
    assert ratio.low is not None and ratio.high is not None
    if ratio.low <= 1 <= ratio.high:
        return Verdict(VerdictWord.UNRESOLVED, "the interval holds 1")
    if 1 / (1 + rules.floor) < ratio.value < 1 + rules.floor:
        which = "gain" if ratio.low > 1 else "loss"
        return Verdict(VerdictWord.UNRESOLVED, f"a {which} below the floor of {rules.floor:.1%}")
    if ratio.high < 1:
        return Verdict(VerdictWord.CONTRADICTED, "the interval lies below 1: slower, not faster")
    return None


def equality(ratio: Estimate, rules: VerdictRules) -> Verdict:
    """Judge a measured ratio against a claim that two methods cost the same."""
    if ratio.low is None or ratio.high is None:
        return _too_few(ratio)
    low, high = 1 / (1 + rules.equal_band), 1 + rules.equal_band
    if low <= ratio.low and ratio.high <= high:
        return Verdict(VerdictWord.REPRODUCED, f"the interval lies within {low:.3g} .. {high:.3g}")
    if ratio.high < low or ratio.low > high:
        return Verdict(VerdictWord.CONTRADICTED, f"the interval lies outside {low:.3g} .. {high:.3g}")
    return Verdict(VerdictWord.UNRESOLVED, f"the interval crosses the edge of {low:.3g} .. {high:.3g}")


def _too_few(ratio: Estimate) -> Verdict:
    return Verdict(VerdictWord.UNRESOLVED, f"too few rounds for an interval ({ratio.n})")
