"""Pure: what two runs, on Linux without and with CONFIG_RSEQ, say of the message's claims about the two.

The rules. hackbench: a claim of a speed-up, as in claims.py; only seconds of the message's own command on hardware are
held against it. Sizes, which the message gives as a cost: reproduced within claim*reach .. claim/reach, stronger where
Linux grows by less, contradicted where by more. What is judged is the growth of the symbols, code for text, variables
for data: a section is padded, and `size` shows the padding with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from rseqbench import claims, stats, table
from rseqbench.claims import Claim
from rseqbench.config import VerdictRules
from rseqbench.linux import sizes
from rseqbench.linux.sizes import Sizes
from rseqbench.model import Machine, Verdict, VerdictWord
from rseqbench.results import Run
from rseqbench.table import Key, Row

HACKBENCH = "hackbench/processes"
_OWN_COMMAND = "hackbench -l 100000"  # as the message has it
_TYPES = {"size-text": sizes.TEXT, "size-data": sizes.DATA}


@dataclass(frozen=True)
class Said:
    """What two runs say of one claim: the message's number, ours in words, and the verdict."""

    claim: Claim
    measured: str
    verdict: Verdict


def rseq_of(run: Run) -> str:
    """Return the CONFIG_RSEQ of the Linux of a run, "unknown" where nobody knows."""
    return str(run.header.machines[0].facts.get("config_rseq", "unknown"))


def judge(n: Run, y: Run, frame: pd.DataFrame, rules: VerdictRules) -> list[Said]:
    """Judge every claim about two configurations by run `n` without and `y` with CONFIG_RSEQ.

    `frame` is the table of both, with boots as the unit. Empty where the two runs are not such a pair.
    """
    if (rseq_of(n), rseq_of(y)) != ("n", "y"):
        return []
    return [_judge(claim, n, y, frame, rules) for claim in claims.written() if "two runs" in claim.needs]


def _judge(claim: Claim, n: Run, y: Run, frame: pd.DataFrame, rules: VerdictRules) -> Said:
    if claim.kind == "size":
        return _size(claim, n, y, rules)
    machine = n.header.machines[0]
    rows = [_row(frame, run, machine) for run in (n, y)]
    if rows[0] is None or rows[1] is None:
        absent = n if rows[0] is None else y
        return _not_measured(claim, f"{absent.label}: {_reason(absent)}")
    if claim.kind == "between":
        return _faster(claim, rows[0], rows[1], _command(n), frame, rules)
    row, run = (rows[0], n) if claim.id == "hackbench-n" else (rows[1], y)
    reason = f"another machine's time; here {_command(run)}"
    return Said(claim, _amount(row), Verdict(VerdictWord.NOT_COMPARABLE, reason))


def _row(frame: pd.DataFrame, run: Run, machine: Machine) -> Row | None:
    key: Key = (machine.arch, HACKBENCH, 1)
    found = table.summarise(frame[(frame["label"] == run.label) & (frame["benchmark"] == HACKBENCH)], 0.95)
    return next((row for row in found if row.key == key), None)


def _reason(run: Run) -> str:
    return next((s.reason for s in run.header.plan.skips if s.benchmark == HACKBENCH), "hackbench was not selected")


def _not_measured(claim: Claim, why: str) -> Said:
    return Said(claim, "-", Verdict(VerdictWord.NOT_MEASURED, why))


def _command(run: Run) -> str:
    return f"hackbench {run.header.plan.hackbench}".strip()


def _amount(row: Row) -> str:
    if row.unit == "ns":
        return f"{row.gross.value * 1e-9:.3f} s"
    return f"{row.gross.value:,.0f} instructions"


def _faster(claim: Claim, n: Row, y: Row, command: str, frame: pd.DataFrame, rules: VerdictRules) -> Said:
    """Judge that hackbench takes longer without: the quotient n/y of the two runs."""
    quotient = n.gross.value / y.gross.value
    if n.unit != "ns" or y.unit != "ns":
        direction = "fewer" if quotient > 1 else "more"
        reason = f"{command} takes {abs(quotient - 1):.1%} {direction} instructions with CONFIG_RSEQ, no time"
        return Said(claim, f"{quotient:.3f}x", Verdict(VerdictWord.NOT_COMPARABLE, reason))
    values = [table.series(frame, row.label, row.key).to_list() for row in (n, y)]
    ratio, _ = stats.independent_ratio(values[0], values[1], rules.confidence)
    verdict = claims.speedup(claim.stated, ratio, rules)
    if command != _OWN_COMMAND:
        reason = f"{verdict.word} by {command}, and the message ran {_OWN_COMMAND}"
        verdict = Verdict(VerdictWord.NOT_COMPARABLE, reason)
    shown = f"{ratio.value:.3f}x" + ("" if ratio.low is None else f" ({ratio.low:.3f} .. {ratio.high:.3f})")
    return Said(claim, shown, verdict)


def _size(claim: Claim, n: Run, y: Run, rules: VerdictRules) -> Said:
    machine = y.header.machines[0]
    if claim.arch != machine.arch:
        return _not_measured(claim, f"an {claim.arch} claim; these runs are {machine.arch}")
    found = [run.sizes() for run in (n, y)]
    if found[0] is None or found[1] is None:
        return _not_measured(claim, "neither run booted a Linux that rseqbench built, so nothing knows its size")
    grown = sizes.growth(found[0], found[1], _TYPES[claim.id]).net
    return Said(
        claim, f"{grown:+,} bytes", size_verdict(claim, grown, _by_size(claim, found[0], found[1]), machine, rules)
    )


def _by_size(claim: Claim, n: Sizes, y: Sizes) -> int:
    return y.text - n.text if claim.id == "size-text" else y.data - n.data


def size_verdict(claim: Claim, grown: int, by_size: int, machine: Machine, rules: VerdictRules) -> Verdict:
    """Judge a growth in bytes by the rules at the top of this file; `by_size` is what `size` says of it."""
    what = f"{machine.facts.get('linux_source', 'Linux')}, {machine.facts.get('linux_base', '?')} configuration"
    reason = f"{grown:+,} by symbol, {by_size:+,} by `size`; {what}, and the message's was v4.6 with a defconfig"
    if grown > claim.stated / rules.reach:
        return Verdict(VerdictWord.CONTRADICTED, f"costs more: {reason}")
    if grown < claim.stated * rules.reach:
        return Verdict(VerdictWord.STRONGER, f"costs less: {reason}")
    return Verdict(VerdictWord.REPRODUCED, reason)
