"""Pure: what a run says, in sentences that a person can repeat."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rseqbench.claims import Judged
from rseqbench.compare import MORE, Comparison
from rseqbench.model import Estimate, Fact, Machine, VerdictWord
from rseqbench.results import Header
from rseqbench.show import words


def measured_where(header: Header, benchmarks: int) -> str:
    """Return one sentence: how many benchmarks, on which machines, by how many rounds of which engine, when."""
    where = " and ".join(_machine(machine) for machine in header.machines)
    plan = header.plan
    if any(machine.timing == "published" for machine in header.machines):
        return words.line(f"{benchmarks} values as the patch message printed them, of {where}.")
    rounds = "1 round" if plan.rounds == 1 else f"{plan.rounds} rounds"
    rounds += f" over {plan.boots} boots" if plan.boots > 1 else ""
    cpus = f", on CPU {' and '.join(map(str, plan.cpus))}" if plan.cpus else ""
    how = f"{rounds} each by engine {plan.engine}{cpus}"
    return words.line(f"{benchmarks} benchmarks on {where}; {how}; finished {header.finished or 'at an unknown time'}.")


def _machine(machine: Machine) -> str:
    facts = machine.facts
    emulated = machine.timing == "emulated"
    parts = [f"{facts.get('cpu', 'an unknown CPU')} ({machine.arch})"]
    if emulated:  # the CPU that such a machine names is none
        parts = [f"{machine.arch} emulated by {machine.target} ({facts.get('emulator', 'an unknown emulator')})"]
    elif "cpus" in facts:
        parts.append(f"{facts['cpus']} CPUs")
    if "linux" in facts:
        parts.append(f"Linux {facts['linux']}")
    if "libc" in facts:
        parts.append(str(facts["libc"]))
    if virtual(facts) and not emulated:
        parts.append("in a virtual machine")
    return ", ".join(parts)


def virtual(facts: Mapping[str, Fact]) -> bool:
    """Whether the facts of a machine say that it is a virtual one."""
    return str(facts.get("virtual", "none")).lower() not in ("", "none", "false", "no")


def counted(judged: Sequence[Judged]) -> list[tuple[VerdictWord, int]]:
    """Return how many of the message's written claims got each verdict, in the fixed order of the words."""
    found = Counter(one.verdict.word for one in judged if is_written(one))
    return [(word, found[word]) for word in VerdictWord if found[word]]


def is_written(one: Judged) -> bool:
    """Whether a claim stands in the message's text, rather than being one of the times in its tables."""
    return "@" not in one.claim.id


def verdicts(judged: Sequence[Judged], machines: Sequence[Machine]) -> tuple[str, ...]:
    """Return a sentence for every quotient that was measured, in the order of the message.

    There is none for the message's own machines: what it printed cannot confirm what it says.
    """
    printed = {machine.arch for machine in machines if machine.timing == "published"}
    emulated = {machine.arch for machine in machines if machine.timing == "emulated"}
    return tuple(
        _verdict(one, one.measured, one.claim.arch in emulated)
        for one in judged
        if one.measured is not None and one.claim.kind in ("speedup", "equal") and one.claim.arch not in printed
    )


def _verdict(one: Judged, ratio: Estimate, emulated: bool) -> str:
    claim = one.claim
    group = claim.slow.partition("/")[0]
    slow, fast = words.method(claim.slow), words.method(claim.fast)
    net = ", both net of the empty loop" if claim.net else ""
    said = f"the patch said {claim.stated:g}" + (" in time" if emulated else "")
    said += f" of {claim.whole}" if claim.whole else ""
    value = words.ratio(ratio, "")
    if claim.kind == "equal":
        what = "as many instructions as" if emulated else "as long as"
        return f"{group}: {slow} takes {value} times {what} {fast}; the patch said that they cost the same"
    if emulated:
        return f"{group}: {slow} takes {value} times the instructions of {fast}{net}; {said}"
    if ratio.low is None or ratio.high is None:
        looks = f"{words.estimate(ratio).value} times faster than {slow}{net}"
        return f"{group}: {fast} looks {looks}, but {ratio.n} rounds give no interval; {said}"
    if ratio.low <= 1 <= ratio.high:
        return f"{group}: no difference resolved between {fast} and {slow}, {value}{net}; {said}"
    if ratio.high < 1:
        return f"{group}: {fast} is slower than {slow}, {value} times its speed{net}; {said}"
    return f"{group}: {fast} is {value} times faster than {slow}{net}; {said}"


def slower(row: Comparison, a: str, b: str, limit: float) -> str:
    """Return the line that says by how much `row` is slower in `b`, or takes more instructions.

    It is empty where that is at most `limit` percent.
    """
    ratio = row.ratio
    if ratio is None or ratio.value <= 1 + limit / 100:
        return ""
    interval = f" ({words.percent(ratio.low)} .. {words.percent(ratio.high)})" if ratio.low and ratio.high else ""
    case = words.with_threads(row.benchmark, row.threads)
    if row.word == MORE:
        more = f"{case} takes {words.percent(ratio.value)} more instructions"
        return f"{more} in {b} than in {a}, more than {limit:g}%"
    return f"{case} is {words.percent(ratio.value)}{interval} slower in {b} than in {a}, more than {limit:g}%"
