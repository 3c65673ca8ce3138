"""Pure: what two runs, on Linux without and with CONFIG_RSEQ, say of the message's claims about the two.

The rules. hackbench: a claim of a speed-up, as in verdicts.py, but the interval of the message's own two rows takes the
place of the leeway there, with no bound on the measured one's width: a tenth of 1.022 would let everything pass.
Only seconds of the message's own command are held against it. Sizes, which the message gives as a cost: reproduced
within claim*reach .. claim/reach, stronger where Linux grows by less, contradicted where by more. What is judged is the
growth of the symbols, code for text, variables for data: a section is padded, and `size` shows the padding with it. Two
that differ in more than CONFIG_RSEQ, in Linux's source or in the machine, say nothing of it: not comparable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pandas as pd

from rseqbench.analysis import compare, dataset, patch_claims, stats, verdicts
from rseqbench.analysis.dataset import Row
from rseqbench.analysis.outcomes import (
    ClaimOfArchitecture,
    Failure,
    KernelGrowth,
    Lacks,
    Leeway,
    MoreThanConfig,
    NotSelected,
    OtherCommand,
    OtherMachinesProgram,
    OtherOptions,
    ProgramInstructions,
    Reason,
    UnknownSizes,
    Unlike,
    Verdict,
)
from rseqbench.analysis.patch_claims import Claim
from rseqbench.config import VerdictRules
from rseqbench.model import BenchmarkId, CaseKey, Estimate, Facts, Machine, VerdictWord
from rseqbench.store.runs import Header, Run
from rseqbench.support import kconfig
from rseqbench.support.attachments import KernelSizes

TEXT = "tTwW"  # types of nm(1): code
DATA = "dDbBvV"  # variables, set or not
READ_ONLY = "rR"
HACKBENCH = BenchmarkId("hackbench/processes")
_UNKNOWN = "not known"
_OWN_COMMAND = "hackbench -l 100000"  # as the message has it
_TYPES = {"size-text": TEXT, "size-data": DATA}
_RELEASE = re.compile(r"\d+(\.\d+)*")  # what comes behind that is a name that each build has of its own


@dataclass(frozen=True)
class ConfigVerdict:
    """What two runs say of one claim: the message's number, ours, and the verdict.

    `measured` is a program's row, a ratio without over with CONFIG_RSEQ, a growth in bytes, or None.
    """

    claim: Claim
    measured: Row | Estimate | int | None
    verdict: Verdict


def rseq_of(run: Run) -> str:
    """Return the CONFIG_RSEQ of the Linux of a run, "unknown" where nobody knows."""
    return run.header.machines[0].facts.config_rseq or "unknown"


def same_machine(a: Header, b: Header) -> bool:
    """Whether two runs are of the same CPUs."""
    return len(a.machines) == len(b.machines) and not any(map(other_cpu, a.machines, b.machines))


def other_cpu(a: Machine, b: Machine) -> tuple[str, str] | None:
    """Return the CPUs of two machines in words where they are not the same; None where they are.

    The name alone decides where one of the two does not know its model: an older rseqbench did not ask.
    """
    names, models = [one.facts.cpu for one in (a, b)], [one.facts.cpu_model for one in (a, b)]
    if names[0] != names[1]:
        return names[0] or _UNKNOWN, names[1] or _UNKNOWN
    if all(models) and models[0] != models[1]:
        return f"{names[0]} ({models[0]})", f"{names[1]} ({models[1]})"
    return None


def unlike(a: Header, b: Header) -> dict[str, Unlike]:
    """Return the benchmarks that are not the same in two runs, each with the reason: a program's other arguments."""
    commands = [header.plan.hackbench for header in (a, b)]
    return {HACKBENCH: Unlike(*commands)} if commands[0] != commands[1] else {}


def beyond(a: Run, b: Run) -> Unlike | None:
    """Return in what the kernels of two runs differ apart from their options; None where nothing is known to differ."""
    one, other = (run.header.machines[0].facts for run in (a, b))
    releases = [_RELEASE.match(facts.linux or "") for facts in (one, other)]
    numbers = [found[0] if found else "" for found in releases]
    if all(numbers) and numbers[0] != numbers[1]:
        return Unlike(numbers[0], numbers[1], "Linux's version")
    return _first_difference(one, other)


def _first_difference(one: Facts, other: Facts) -> Unlike | None:
    sources = (
        ("the source of Linux", one.linux_source, other.linux_source),
        ("its configuration", one.linux_base, other.linux_base),
        ("its compiler", one.linux_compiler, other.linux_compiler),
    )
    for words, first, second in sources:
        if first != second:
            return Unlike(first or _UNKNOWN, second or _UNKNOWN, words)
    return None


def _elsewhere(n: Run, y: Run) -> Unlike | None:
    """Return in what two runs differ that decides how long a program takes, beside CONFIG_RSEQ."""
    a, b = n.header.machines[0], y.header.machines[0]
    if a.timing != b.timing:
        return Unlike(a.timing, b.timing, "time")
    if _command(n) != _command(y):
        return Unlike(_command(n), _command(y))
    cpus = other_cpu(a, b)
    return Unlike(*cpus, "the CPU") if cpus else beyond(n, y)


def judge(n: Run, y: Run, frame: pd.DataFrame, rules: VerdictRules) -> list[ConfigVerdict]:
    """Judge every claim about two configurations by run `n` without and `y` with CONFIG_RSEQ.

    `frame` is the table of both, with boots as the unit. Empty where the two runs are not such a pair.
    """
    machines = n.header.machines[0], y.header.machines[0]
    if (rseq_of(n), rseq_of(y)) != ("n", "y") or machines[0].arch != machines[1].arch:
        return []
    return [_judge(claim, n, y, frame, rules) for claim in patch_claims.written_claims() if "two runs" in claim.needs]


def _judge(claim: Claim, n: Run, y: Run, frame: pd.DataFrame, rules: VerdictRules) -> ConfigVerdict:
    if claim.kind == "size":
        return _size(claim, n, y, rules)
    machine = n.header.machines[0]
    rows = [_row(frame, run, machine) for run in (n, y)]
    if rows[0] is None or rows[1] is None:
        absent = n if rows[0] is None else y
        return _not_measured(claim, Lacks(absent.label, _reason(absent)))
    if claim.kind == "between":
        elsewhere = _elsewhere(n, y)
        if elsewhere:
            return _not_comparable(claim, MoreThanConfig(elsewhere))
        return _faster(claim, rows[0], rows[1], _command(n), frame, rules)
    row, run = (rows[0], n) if claim.id == "hackbench-n" else (rows[1], y)
    reason = OtherMachinesProgram(_command(run))
    return ConfigVerdict(claim, row, Verdict(VerdictWord.NOT_COMPARABLE, (reason,)))


def _row(frame: pd.DataFrame, run: Run, machine: Machine) -> Row | None:
    key = CaseKey(machine.arch, HACKBENCH)
    found = dataset.summarise(frame[(frame["label"] == run.label) & (frame["benchmark"] == HACKBENCH)], 0.95)
    return next((row for row in found if row.key == key), None)


def _reason(run: Run) -> Reason:
    reasons = (Failure(skip.reason) for skip in run.header.plan.skips if skip.benchmark == HACKBENCH)
    return next(reasons, NotSelected("hackbench"))


def _not_measured(claim: Claim, why: Reason) -> ConfigVerdict:
    return ConfigVerdict(claim, None, Verdict(VerdictWord.NOT_MEASURED, (why,)))


def _not_comparable(claim: Claim, why: Reason) -> ConfigVerdict:
    return ConfigVerdict(claim, None, Verdict(VerdictWord.NOT_COMPARABLE, (why,)))


def _command(run: Run) -> str:
    return f"hackbench {run.header.plan.hackbench}".strip()


def _faster(claim: Claim, n: Row, y: Row, command: str, frame: pd.DataFrame, rules: VerdictRules) -> ConfigVerdict:
    """Judge that hackbench takes longer without: the quotient n/y of the two runs."""
    if n.unit != "ns":
        return _fewer(claim, n, y, command, rules)
    values = [dataset.series(frame, row.label, row.key).to_list() for row in (n, y)]
    ratio, _ = stats.independent_ratio(values[0], values[1], rules.confidence)
    own = patch_claims.hackbench_arithmetic()
    verdict = verdicts.gain(Leeway(own.low, own.high), ratio, rules)
    if command != _OWN_COMMAND:
        reason = OtherCommand(verdict.word, command, _OWN_COMMAND)
        verdict = Verdict(VerdictWord.NOT_COMPARABLE, (reason,))
    return ConfigVerdict(claim, ratio, verdict)


def _fewer(claim: Claim, n: Row, y: Row, command: str, rules: VerdictRules) -> ConfigVerdict:
    """Say which of the two takes fewer instructions, where their counts tell: that is no time in any case."""
    ratio, outcome, why = compare.compare_counts(y.gross, n.gross, rules.confidence)
    reason = ProgramInstructions(command, ratio, outcome, why)
    return ConfigVerdict(claim, ratio, Verdict(VerdictWord.NOT_COMPARABLE, (reason,)))


def _size(claim: Claim, n: Run, y: Run, rules: VerdictRules) -> ConfigVerdict:
    machine = y.header.machines[0]
    if claim.arch != machine.arch:
        return _not_measured(claim, ClaimOfArchitecture(claim.arch, machine.arch, runs=True))
    found = [run.sizes() for run in (n, y)]
    if found[0] is None or found[1] is None:
        return _not_measured(claim, UnknownSizes())
    differ = beyond(n, y)
    if differ:
        return _not_comparable(claim, MoreThanConfig(differ))
    grown = growth(found[0], found[1], _TYPES[claim.id]).net
    verdict = size_verdict(claim, grown, _by_size(claim, found[0], found[1]), machine, rules)
    along = [
        name for name in kconfig.compare_configs(n.linux_config() or "", y.linux_config() or "") if name != kconfig.RSEQ
    ]
    if along:
        verdict = Verdict(verdict.word, (*verdict.reasons, OtherOptions(along[0], len(along) - 1)))
    return ConfigVerdict(claim, grown, verdict)


def _by_size(claim: Claim, n: KernelSizes, y: KernelSizes) -> int:
    return y.text - n.text if claim.id == "size-text" else y.data - n.data


def size_verdict(claim: Claim, grown: int, by_size: int, machine: Machine, rules: VerdictRules) -> Verdict:
    """Judge a growth in bytes by the rules at the top of this file; `by_size` is what `size` says of it."""
    word, costs_more = VerdictWord.REPRODUCED, None
    if grown > claim.stated / rules.reach:
        word, costs_more = VerdictWord.CONTRADICTED, True
    elif grown < claim.stated * rules.reach:
        word, costs_more = VerdictWord.STRONGER, False
    facts = machine.facts
    return Verdict(word, (KernelGrowth(grown, by_size, facts.linux_source, facts.linux_base, costs_more),))


@dataclass(frozen=True)
class Growth:
    """How the symbols of some types differ between two builds: (name, before, after), the largest growth first.

    `added` is what grew or is new, `removed` what shrank or is gone, both in bytes and positive.
    """

    changed: tuple[tuple[str, int, int], ...]
    added: int
    removed: int

    @property
    def net(self) -> int:
        """By how much the symbols grew together."""
        return self.added - self.removed


def growth(before: KernelSizes, after: KernelSizes, types: str = TEXT + DATA + READ_ONLY) -> Growth:
    """Compare the symbols of these types by name, as Linux's scripts/bloat-o-meter does."""
    one, other = _by_name(before, types), _by_name(after, types)
    changed = [(name, one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()]
    changed = sorted((c for c in changed if c[1] != c[2]), key=lambda c: (c[1] - c[2], c[0]))
    differences = [b - a for _, a, b in changed]
    return Growth(tuple(changed), sum(d for d in differences if d > 0), -sum(d for d in differences if d < 0))


def _by_name(sizes: KernelSizes, types: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, size in sizes.symbols.items():
        kind, _, name = key.partition(" ")
        if kind in types:
            found[name] = found.get(name, 0) + size
    return found
