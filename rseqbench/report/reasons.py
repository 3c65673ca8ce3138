"""Pure: the words for the reasons that analysis gives: one clause for each kind of reason."""

from __future__ import annotations

from rseqbench.analysis import outcomes as why
from rseqbench.analysis.allocators import Curve, Gain, UnknownShare
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.kernel_config import ConfigVerdict
from rseqbench.analysis.outcomes import Leeway, Outcome, Reason, Reasons
from rseqbench.model import Estimate

_UNKNOWN_SHARE = (
    "a production workload over a prototype of 2016, and not stated is the share of its allocator, which decides"
)
_PLAIN = {  # reasons without a number
    why.NotStored: "planned, but no values are stored",
    why.NothingToDivide: "too few rounds in which there is anything to divide",
    why.EmulatedClock: "by a clock that qemu emulates, which tells no time",
    why.NotBeyondChance: "not beyond chance among all rows compared (Holm)",
    why.HoldsOne: "interval holds 1",
    why.CountsOverlap: "the counts overlap",
    why.RangesOverlap: "the ranges do not lie apart",
    why.NoRange: "no range: a quotient is 0 or infinite",
    why.IsLoop: "this is the loop",
    why.NoRoundWithLoop: "no round has both",
    why.InLibrary: "in the shipped library, where rseq gives the CPU number and the two atomics of an event stay",
    why.Slower: "the interval lies below 1: slower, not faster",
    why.UnknownSizes: "not both runs booted a Linux that rseqbench built, so nothing knows their sizes",
}


def explain(reasons: Reasons) -> str:
    """Return the clauses of all reasons in one line; an empty string for none."""
    return "; ".join(map(clause, reasons))


def clause(reason: Reason) -> str:
    """Return the clause that words a reason. Raises TypeError for a kind that has no words."""
    for words in (_of_absence, _of_unlike, _of_comparison, _of_fleet, _of_claim, _of_limit, _of_interval, _of_kernels):
        said = words(reason)
        if said is not None:
            return said
    try:
        return _PLAIN[type(reason)]
    except KeyError:
        raise TypeError(f"no words for {reason!r}") from None


def _of_absence(reason: Reason) -> str | None:
    match reason:
        case why.Failure(text):
            return text
        case why.NotSelected(program):
            return f"{program} was not selected" if program else "not selected in this run"
        case why.NotInRun(label, arch):
            return f"not in {label} for {arch}"
        case why.CheckFailed(message):
            return f"check FAILED: {message}" if message else "check FAILED"
        case why.Lacks(name, because):
            return f"{name}: {clause(because)}"
        case why.NotClaimedNet(arch):
            return f"net of the empty loop it is not claimed of {arch}"
    return None


def _of_unlike(reason: Reason) -> str | None:
    match reason:
        case why.Unlike(first, second, noun):
            return f"{noun}: {first} against {second}" if noun else f"{first} against {second}"
        case why.OtherTiming(first, second):
            return f"{first} against {second} time"
        case why.Printed(label):
            return f"{label}: another machine, one printed value without spread"
    return None


def _of_comparison(reason: Reason) -> str | None:
    match reason:
        case why.WithinBand(band):
            return f"the whole interval lies within {band:.1%} of 1"
        case why.BelowFloor(floor):
            return f"below the floor of {floor:.1%}"
        case why.SameCount(instructions):
            return f"to {instructions:g} of an instruction"
        case why.CountsByChance(first_n, second_n, chance):
            return f"{first_n} and {second_n} counts that do not repeat lie apart by chance in {chance:.0%} of cases"
        case why.ClockMoved(ratio):
            return f"the empty loop is {ratio:.3f}x (another clock, or another loop)"
        case why.SameOverLoop(outcome):
            return f"relative to it {outcome} too"
        case why.OtherOverLoop(measured, relative, ratio):
            by = f", {ratio:.3f}x" if relative.is_difference else ""
            return f"as measured {measured}, relative to it {relative}{by}"
    return None


def _of_fleet(reason: Reason) -> str | None:
    match reason:
        case why.SeveralMachines(label, machines):
            return f"{label} is of {machines} machines, not of one"
        case why.NotInFleet(label):
            return f"not in {label}"
        case why.SameRun(label):
            return f"both fleets have the same run, {label}"
        case why.OtherArchitectures((arch, label), (other_arch, other)):
            return f"{arch} in {label}, {other_arch} in {other}"
        case why.TooFewForMachines(rounds):
            return f"{rounds} rounds are too few to tell so many machines apart"
        case why.MachineCountsByChance(chance):
            return f"counts that do not repeat, apart by chance in {chance:.0%}"
        case why.LessSurelyBeyond(machines):
            listed = ", ".join(f"{machine} ({rounds} rounds)" for machine, rounds in machines)
            return f"beyond them, but less surely: {listed}"
    return None


def _of_claim(reason: Reason) -> str | None:
    match reason:
        case why.Needs(what):
            return f"needs {what}"
        case why.ClaimOfArchitecture(claimed, measured, runs):
            return f"an {claimed} claim; {'these runs are' if runs else 'this machine is'} {measured}"
        case why.OtherMachinesTime(value, unit):
            no_time = ", which is no time" if unit != "ns" else ""
            return f"another machine's time; here {value:.3g} {unit}/op{no_time}"
        case why.InInstructions(direction, ratio, net, whole):
            return _in_instructions(direction, ratio, net, whole)
        case why.FewerWithoutPrice(fewer, more):
            return f"{fewer} takes fewer instructions than {more}, but instructions do not price an atomic"
        case why.PatchTimed(what):
            return f"the patch timed {what}"
        case UnknownShare(curve):
            return f"{_UNKNOWN_SHARE}; here {gains(curve)}"
    return None


def _of_limit(reason: Reason) -> str | None:
    match reason:
        case why.EmulatedMachine(direction):
            return f"{direction}, but this machine is emulated by qemu, so its clock tells no time"
        case why.BareOperation(direction, whole):
            return f"{direction}, but {_bare(whole)}"
        case why.OtherVdso(direction):
            return f"{direction}, but the vDSO here runs RDPID, the patch's ran LSL"
    return None


def _in_instructions(direction: why.Direction | None, ratio: float, net: bool, whole: str) -> str:
    said = f"{direction}, " if direction else ""
    said += f"{ratio:.3g}x in instructions{' without the loop' if net else ''}; time not comparable"
    return f"{said}, and {_bare(whole)}" if whole else said


def _bare(whole: str) -> str:
    return f"the kernel is the bare operation; the patch timed {whole}"


def _of_interval(reason: Reason) -> str | None:
    match reason:
        case why.TooFewRounds(rounds):
            return f"too few rounds for an interval ({rounds})"
        case why.Reaches(leeway):
            return f"the interval reaches {_weakest(leeway)} .. {_strongest(leeway)}"
        case why.ReachesByWidth(leeway):
            ends = f"{_weakest(leeway)} .. {_strongest(leeway)}"
            return f"a gain, but an interval that reaches {ends} only by being so wide"
        case why.AboveLeeway(leeway):
            return f"the interval lies above {_strongest(leeway)}{_origin(leeway, '/')}"
        case why.BelowLeeway(leeway):
            return f"a gain, but the interval ends below {_weakest(leeway)}{_origin(leeway, '*')}"
        case why.NoGain(floor, is_loss, ends_below):
            said = "the interval holds 1"
            if floor is not None:
                said = f"a {'loss' if is_loss else 'gain'} below the floor of {floor:.1%}"
            ends = f", and it ends below {_weakest(ends_below)}{_origin(ends_below, '*')}" if ends_below else ""
            return said + ends
        case why.EqualityBand(low, high, inside):
            where = "crosses the edge of" if inside is None else "lies within" if inside else "lies outside"
            return f"the interval {where} {low:.3g} .. {high:.3g}"
    return None


def _weakest(leeway: Leeway) -> str:
    return _end(leeway, leeway.weakest)


def _strongest(leeway: Leeway) -> str:
    return _end(leeway, leeway.strongest)


def _end(leeway: Leeway, value: float) -> str:
    return f"{value:.4g}" if leeway.stated is None else f"{value:.3g}"


def _origin(leeway: Leeway, operator: str) -> str:
    if leeway.stated is None:
        return ", where the deviations that the message prints end"
    return f" = {leeway.stated:g}{operator}{leeway.reach:g}"


def _of_kernels(reason: Reason) -> str | None:
    match reason:
        case why.OtherMachinesProgram(command):
            return f"another machine's time; here {command}"
        case why.MoreThanConfig(difference):
            return f"the two differ in more than CONFIG_RSEQ: {clause(difference)}"
        case why.OtherOptions(option, more):
            return f"the two differ in {option}{f' and {more} more options' if more else ''} too"
        case why.OtherCommand(word, command, stated):
            return f"{word} by {command}, and the message ran {stated}"
        case why.ProgramInstructions(command, ratio, outcome, reasons):
            said = f"{command}: {outcome}, {explain(reasons)}"
            if outcome.is_difference:
                change = "fewer" if outcome == Outcome.MORE else "more"
                said = f"{command} takes {abs(ratio.value - 1):.1%} {change} instructions with CONFIG_RSEQ"
            return f"{said}; instructions are no time"
        case why.KernelGrowth(by_symbol, by_size, source, base, costs_more):
            cost = "" if costs_more is None else f"costs {'more' if costs_more else 'less'}: "
            kernel = f"{source or 'Linux'}, {base or '?'} configuration"
            sizes = f"{by_symbol:+,} by symbol, {by_size:+,} by `size`"
            return f"{cost}{sizes}; {kernel}, and the message's was v4.6 with a defconfig"
    return None


def gains(curve: Curve) -> str:
    """Return a curve at each share that was measured: "..., 8 threads: +1.2% (+0.8% .. +2%) at a share of 9%"."""
    points = ", ".join(f"{_signed(gain)} at a share of {gain.share:.1%}" for gain in curve.gains)
    column = "mean" if curve.column == "mean" else "99th percentile"
    return f"pools by rseq gain over {curve.over}, {column}, {curve.threads} threads: {points}"


def _signed(gain: Gain) -> str:
    estimate = gain.gain
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.1%} ({estimate.n} rounds, no interval)"
    return f"{estimate.value:+.1%} ({estimate.low:+.1%} .. {estimate.high:+.1%})"


def config_measured(verdict: ConfigVerdict) -> str:
    """Return what two runs measured for a claim: "41.370 s", "1.022x (1.020 .. 1.024)", "+568 bytes"."""
    match verdict.measured:
        case Row(unit="ns", gross=gross):
            return f"{gross.value * 1e-9:.3f} s"
        case Row(gross=gross):
            return f"{gross.value:,.0f} instructions"
        case Estimate(value, low, high) if low is not None and high is not None:
            return f"{value:.3f}x ({low:.3f} .. {high:.3f})"
        case Estimate(value):
            return f"{value:.3f}x"
        case int(grown):
            return f"{grown:+,} bytes"
    return "-"
