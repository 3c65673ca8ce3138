"""Pure: what a run says, in sentences that a person can repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rseqbench.analysis import regression_gate
from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.patch_claims import Claim
from rseqbench.analysis.regression_gate import GateCoverage
from rseqbench.analysis.summary import RunComparison
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.config import VerdictRules
from rseqbench.model import Estimate, Machine, Plan, VerdictWord
from rseqbench.report import formatting
from rseqbench.report.formatting import FormattedNumber, named
from rseqbench.report.reasons import explain
from rseqbench.store.runs import Header, is_replay

TOO_FEW = "could not have seen any slowdown: too few rounds"


def measured_where(header: Header, benchmarks: int) -> str:
    """Return one sentence: how many benchmarks, on which machines, by how many rounds of which engine, when."""
    where = " and ".join(_machine(machine) for machine in header.machines)
    plan = header.plan
    if any(machine.timing == "published" for machine in header.machines):
        return formatting.line(f"{benchmarks} values as the patch message printed them, of {where}.")
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    rounds += f" over {plan.boots} boots" if plan.boots > 1 else ""
    how = f"{rounds} each by engine {plan.engine}{_pinned(plan)}"
    mark = "REPLAY of a recorded run, nothing was measured on this machine: " if is_replay(header) else ""
    if not benchmarks:
        return formatting.line(f"{mark}Nothing was measured on {where}{why_nothing(plan)}.")
    return formatting.line(
        f"{mark}{benchmarks} benchmarks on {where}; {how}; finished {moment(header.finished) or 'at an unknown time'}."
    )


def _pinned(plan: Plan) -> str:
    """Return on which CPUs a plan's loops run: the first alone where a loop is of one thread."""
    if len(plan.cpus) < 2:
        return f", on CPU {plan.cpus[0]}" if plan.cpus else ""
    several = any(case.threads > 1 for case in plan.cases)
    rest = f", several on CPUs {', '.join(map(str, plan.cpus))}" if several else ""
    return f", single threads on CPU {plan.cpus[0]}{rest}"


def moment(stamp: str) -> str:
    """Return a time as a person writes it, "2026-11-25 22:30 UTC"; what is no time stays as it is."""
    try:
        when = datetime.fromisoformat(stamp)
    except ValueError:
        return stamp
    return f"{(when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def why_nothing(plan: Plan) -> str:
    """Return why a run has nothing, in one line, to go behind where that was; empty where it may have something."""
    return f": all {len(plan.skips)} skipped: {plan.skips[0].reason}" if plan.skips and not plan.cases else ""


def _machine(machine: Machine) -> str:
    facts = machine.facts
    emulated = machine.timing == "emulated"
    parts = [f"{facts.cpu or 'an unknown CPU'} ({machine.arch})"]
    if emulated:  # the CPU that such a machine names is none
        parts = [f"{machine.arch} emulated by {machine.target} ({facts.emulator or 'an unknown emulator'})"]
    elif facts.cpus is not None:
        parts.append(f"{facts.cpus} CPUs")
    if facts.linux:
        parts.append(f"Linux {facts.linux}")
    if facts.libc:
        parts.append(facts.libc)
    if machine.emulates:
        parts.append("emulated by qemu")
    elif facts.is_virtual and not emulated:
        parts.append("in a virtual machine")
    return ", ".join(parts)


def counted(judged: Sequence[JudgedClaim]) -> list[tuple[VerdictWord, int]]:
    """Return how many of the message's written claims got each verdict, in the fixed order of the words."""
    found = Counter(one.verdict.word for one in judged if is_written(one))
    return [(word, found[word]) for word in VerdictWord if found[word]]


def is_written(one: JudgedClaim) -> bool:
    """Whether a claim stands in the message's text, rather than being one of the times in its tables."""
    return "@" not in one.claim.id


def verdicts(judged: Sequence[JudgedClaim], machines: Sequence[Machine]) -> tuple[str, ...]:
    """Return a sentence for every quotient that was measured, in the order of the message.

    There is none for the message's own machines: what it printed cannot confirm what it says.
    """
    return tuple(_of_judged(one, machines) for one in _told(judged, machines))


def headline(judged: Sequence[JudgedClaim], machines: Sequence[Machine]) -> str:
    """Return the one sentence to repeat: of the first claim that can be judged by the run, whatever came out of it.

    Where none can be, it is of the first that was measured; a run that measured none says so.
    """
    told = _told(judged, machines)
    comparable = [one for one in told if one.verdict.word != VerdictWord.NOT_COMPARABLE]
    if told:
        return _of_judged((comparable or told)[0], machines)
    if any(machine.timing == "published" for machine in machines):
        return ""
    return "None of what the patch claims was measured: a claim takes both methods that it compares"


def _told(judged: Sequence[JudgedClaim], machines: Sequence[Machine]) -> list[JudgedClaim]:
    """Return the claims about which a run says something in a sentence."""
    printed = {machine.arch for machine in machines if machine.timing == "published"}
    return [
        one
        for one in judged
        if one.measured is not None and one.claim.kind in ("speedup", "equal") and one.claim.arch not in printed
    ]


def _of_judged(one: JudgedClaim, machines: Sequence[Machine]) -> str:
    own = [machine for machine in machines if machine.arch == one.claim.arch]
    emulated = any(machine.timing == "emulated" for machine in own)
    said = of_claim(one.claim, one.measured, one.verdict.word, emulated) if one.measured else ""
    return f"By a clock that qemu emulates, and that tells no time: {said}" if any(m.emulates for m in own) else said


def of_claim(claim: Claim, ratio: Estimate, word: VerdictWord, emulated: bool) -> str:
    """Return the sentence for a measured quotient `ratio` of a claim, and the verdict on it.

    Where the machine was `emulated` it is one of instructions, which are neither faster nor slower.
    """
    group = claim.slow.group
    slow, fast = formatting.method(claim.slow), formatting.method(claim.fast)
    net = ", both net of the empty loop" if claim.net else ""
    said = f"the patch said {claim.stated:g}" + (" in time" if emulated else "")
    said += f" of {claim.whole or claim.timed}" if claim.whole or claim.timed else ""
    said += ", over a vDSO that ran LSL" if claim.vdso else ""
    value = spoken(formatting.ratio(ratio, ""))
    if claim.kind == "equal":
        what = "as many instructions as" if emulated else "as long as"
        return f"{group}: {slow} takes {value} times {what} {fast}; the patch said that they cost the same"
    if emulated:
        return f"{group}: {slow} takes {value} times the instructions of {fast}{net}; {said}"
    if ratio.low is None or ratio.high is None:
        looks = f"{formatting.estimate(ratio).value} times faster than {slow}{net}"
        return f"{group}: {fast} looks {looks}, but {_too_few(ratio.n)}; {said}"
    if word == VerdictWord.UNRESOLVED or ratio.low <= 1 <= ratio.high:
        what = "no difference" if ratio.low <= 1 <= ratio.high else "nothing"  # too little, or too uncertain
        return f"{group}: {what} resolved between {fast} and {slow}, {value}{net}; {said}"
    if ratio.high < 1:
        against = ", which this contradicts" if word == VerdictWord.CONTRADICTED else ""
        return f"{group}: {fast} is slower than {slow}, {value} times its speed{net}; {said}{against}"
    return f"{group}: {fast} is {value} times faster than {slow}{net}; {said}"


def _too_few(rounds: int) -> str:
    return "1 round gives no interval" if rounds == 1 else f"{rounds} rounds give no interval"


def spoken(printed: FormattedNumber) -> str:
    """Return a number and its interval as one says them: "8.5 (8.3 to 8.7)"."""
    return str(printed).replace(" .. ", " to ")


def slower(row: Comparison, a: str, b: str, limit: float) -> str:
    """Return the line that says by how much `row`, which is surely slower in `b`, is so, or takes more instructions.

    It is empty where that is at most `limit` percent: the value is, and its interval may reach beyond.
    """
    ratio = row.ratio
    if ratio is None or not regression_gate.exceeds_limit(ratio.value, limit):
        return ""
    interval = (
        f" ({formatting.percent(ratio.low)} .. {formatting.percent(ratio.high)})" if ratio.low and ratio.high else ""
    )
    case = formatting.with_threads(row.benchmark, row.threads)
    if row.word == Outcome.MORE:
        more = f"{case} takes {formatting.percent(ratio.value)} more instructions"
        return f"{more} in {b} than in {a}, more than {limit:g}%"
    return f"{case} is {formatting.percent(ratio.value)}{interval} slower in {b} than in {a}, more than {limit:g}%"


def failure_of_runs(found: Sequence[RunComparison], rules: VerdictRules, limit: float) -> str:
    """Return what is slower than `limit` percent allow in each further run, or that nothing can be said of it."""
    return formatting.line("; ".join(filter(None, (_of_run(one, rules, limit) for one in found))))


def _of_run(found: RunComparison, rules: VerdictRules, limit: float) -> str:
    able = regression_gate.comparable_runs({found.b: found.rows}, rules)
    if not able:
        return f"nothing was compared: {found.b} and {found.a} have no value in common that can be"
    if not able[found.b]:
        return f"{found.b} against {found.a} {TOO_FEW}"
    worst, perhaps = regression_gate.worst_slowdown(found.rows), regression_gate.worst_perhaps(found.rows)
    certain = slower(worst, found.a, found.b, limit) if worst else ""
    return certain or (_perhaps(perhaps, found.a, found.b, limit) if perhaps else "")


def _perhaps(row: Comparison, a: str, b: str, limit: float) -> str:
    """Return the line that says how much slower a row is by the worse of its two readings; empty within the limit."""
    if not regression_gate.exceeds_limit(row.perhaps, limit):
        return ""
    case = formatting.with_threads(row.benchmark, row.threads)
    is_ = "is, by one reading," if row.word == Outcome.SLOWER else "may be"
    what = f"{case} {is_} {formatting.percent(row.perhaps)} slower in {b} than in {a}, more than {limit:g}%"
    return f"{what}: {explain(row.reasons)}; measure both again"


def failure(found: FleetComparison, limit: float) -> str:
    """Return what is slower than `limit` percent allow, and where; then which machines nothing can be said of."""
    certain = _of_one(found, limit) if len(found.labels) == 1 else _of_two(found, limit)
    return formatting.line("; ".join(filter(None, (certain, *_unseen(found, regression_gate.find_coverage(found))))))


def _of_one(found: FleetComparison, limit: float) -> str:
    worst = regression_gate.worst_cell(found.matrices, found.rules)
    if worst is None or worst[2].ratio is None:
        return ""
    what, machine, cell = worst
    ratio = worst[2].ratio.inverse()
    if not regression_gate.exceeds_limit(ratio.value, limit):
        return ""
    how = "more instructions than" if cell.word == Outcome.MORE else "slower than"
    return f"{machine}: {what.fast} is {formatting.percent(ratio.value)} {how} {what.slow}, more than {limit:g}%"


def _of_two(found: FleetComparison, limit: float) -> str:
    (a, b), worst, perhaps = found.labels, regression_gate.worst_row(found), regression_gate.worst_perhaps_row(found)
    said = slower(worst[1], a, b, limit) if worst else ""
    if worst and said:
        return f"{worst[0]}: {said}"
    said = _perhaps(perhaps[1], a, b, limit) if perhaps else ""
    return f"{perhaps[0]}: {said}" if perhaps and said else ""


def _unseen(found: FleetComparison, lacking: GateCoverage) -> Iterable[str]:
    of, both = len(found.places), " in both fleets" if len(found.labels) > 1 else ""
    if not lacking.judged and not lacking.blind:
        yield f"nothing was compared: no machine of {' and '.join(found.labels)} has a value{both}"
        return
    if lacking.no_run:
        yield f"{_of(lacking.no_run, of)} no run{both}: {named(lacking.no_run)}"
    if lacking.no_value:
        yield f"{_of(lacking.no_value, of)} nothing to compare: {named(lacking.no_value)}"
    if lacking.blind and not lacking.judged:
        yield TOO_FEW
    elif lacking.blind:
        yield f"{_of(lacking.blind, of)} too few rounds for any slowdown to be seen: {named(lacking.blind)}"


def _of(machines: Sequence[str], of: int) -> str:
    return f"{len(machines)} of {of} machines {'has' if len(machines) == 1 else 'have'}"
