"""Pure: the rules by which an interval is held against what was stated; claims.py tells them in words."""

from __future__ import annotations

from rseqbench.config import VerdictRules
from rseqbench.model import Estimate, Verdict, VerdictWord


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
