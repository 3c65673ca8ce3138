"""Pure: what stands around the numbers of a run, or of several: limits, facts, commands, and three lines before all.

The lines say what was measured where, what holds of what was claimed, and what limits it, each as short as it can be;
the sentences that they shorten stand behind, in full.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rseqbench.analysis import dataset
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.patch_tables import REPLAYED, PatchTable
from rseqbench.analysis.summary import RunComparison
from rseqbench.config import VerdictRules
from rseqbench.model import REPLAY, Machine, VerdictWord
from rseqbench.report import caveats, formatting, prose
from rseqbench.report.run_view import RunView
from rseqbench.report.tables import Grid, run
from rseqbench.store.runs import PATCH, Run, is_replay

_CLAUSE = re.compile(r"[:;] |, so ")  # where a limit has said what it is, and goes on to what follows from it
_RELEASE = re.compile(r"\d+(\.\d+)*")


@dataclass(frozen=True)
class KeyLines:
    """The three lines: `measured` and `holds` are one each, `limits` are the clauses of the third."""

    measured: str
    holds: str
    limits: tuple[str, ...]


def of_run(shown: RunView) -> KeyLines:
    """Return the three lines of one run."""
    machines = shown.run.header.machines
    number = sum(one.row is not None for one in shown.measured)
    what = f"{number} benchmarks" if number else "nothing was measured"
    if is_replay(shown.run.header):
        what = f"REPLAY of a recorded run, nothing was measured here: {what}"
    if published(shown.run):
        what = f"{number} printed values"
    where = " and ".join(_machine(machine) for machine in machines)
    measured = f"{what} on {where}{prose.why_nothing(shown.run.header.plan)}"
    measured += ", in instructions" if shown.counts else ""
    return KeyLines(measured, _claims(shown), tuple(map(short, shown.limits)))


def published(one: Run) -> bool:
    """Whether a run is the message's own tables, and no measurement of ours."""
    return all(machine.timing == "published" for machine in one.header.machines)


def _machine(machine: Machine) -> str:
    facts = machine.facts
    name = f"{machine.arch}, {facts.cpu or 'an unknown CPU'}"
    if machine.timing == "emulated":  # the CPU that such a machine names is none
        name = f"{machine.arch} emulated by {machine.target}"
    release = _RELEASE.match(facts.linux or "")
    return name + (f", Linux {release[0]}" if release else "")


def _claims(shown: RunView) -> str:
    """Return how many of the claims in the message's text got each verdict; what nothing could judge comes last.

    Its own run judges none of them: what the message printed cannot confirm what it says, but it can be recomputed.
    """
    if published(shown.run):
        agree = [one.arithmetic.agrees for one in shown.judged if one.arithmetic]
        return f"{sum(agree)} of {len(agree)} agree with the message's own tables"
    counted = dict(prose.counted(shown.judged))
    absent = counted.pop(VerdictWord.NOT_MEASURED, 0)
    said = _listed(counted) or "none could be judged"
    return f"{said}; {absent} {VerdictWord.NOT_MEASURED}" if absent else said


def _listed(counted: Mapping[VerdictWord, int] | Mapping[Outcome, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counted.items())


def short(text: str) -> str:
    """Return the clause of a limit that says what it is."""
    return _CLAUSE.split(text, maxsplit=1)[0].removesuffix(".")


def of_runs(runs: Sequence[Run], found: Sequence[RunComparison], rules: VerdictRules) -> KeyLines:
    """Return the three lines of the comparisons of further `runs` with the first one."""
    same = len({_machine(one.header.machines[0]) for one in runs}) == 1
    where = f", all on {_machine(runs[0].header.machines[0])}" if same else ""
    number = len({row.benchmark for one in found for row in one.rows})
    measured = f"{number} benchmarks of {', '.join(one.b for one in found)} against {found[0].a}{where}"
    said = Counter(row.verdict.word for one in found for row in one.said)
    compared = Counter(row.word for one in found for row in one.rows)
    holds = (
        _listed({word: compared[word] for word in formatting.SIGNS if compared[word]})
        or "nothing to compare: no run has a value"
    )
    claims = f"; of the patch's claims {_listed(said)}" if said else ""
    limits = tuple(_named(label, short(text)) for label, text in _limits(runs, found, rules))
    return KeyLines(measured, holds + claims, limits)


def limits_of(runs: Sequence[Run], found: Sequence[RunComparison], rules: VerdictRules) -> list[str]:
    """Return what limits comparisons and runs: what is true of all runs once, the rest with the run's name."""
    return [_named(label, text) for label, text in _limits(runs, found, rules)]


def _named(label: str, text: str) -> str:
    return f"{label}: {text}" if label else text


def _limits(runs: Sequence[Run], found: Sequence[RunComparison], rules: VerdictRules) -> list[tuple[str, str]]:
    """Return the label of each limit, empty for what is true of all, and its words."""
    each = {
        one.label: [
            *caveats.emulation_limits(one.header, dataset.build([one])),
            *caveats.limits(one.header, rules.confidence),
        ]
        for one in runs
    }
    shared = [text for text in each[runs[0].label] if all(text in texts for texts in each.values())]
    own = [(label, text) for label, texts in each.items() for text in texts if text not in shared]
    notes = dict.fromkeys(text for one in found for text in caveats.comparison_notes(one))
    return [*(("", text) for text in (*notes, *shared)), *own]


def patch_table(table: PatchTable) -> Grid:
    """Return a table of the message with the run beside it, and under it all machines and the empty loop's share."""
    grid = run.tabulate_patch_table(table)
    several = len(table.measured_on) > 1
    machines = []
    for machine in table.measured_on:
        who = REPLAYED if machine.target == REPLAY else "this run"
        name = f"{who}, {machine.arch}" if several else who
        machines.append(formatting.line(f"{name}: {machine.facts.cpu or 'an unknown CPU'}"))
    return replace(grid, notes=(*grid.notes, *machines, *filter(None, [caveats.share(table)])))


def facts_of(runs: Sequence[Run]) -> Grid:
    """Return what is known of the machines of all runs, beside each other."""
    machines = [(one.label, machine, len(one.header.machines)) for one in runs for machine in one.header.machines]
    names = [f"{label} ({machine.arch})" if of > 1 else label for label, machine, of in machines]
    return run.tabulate_facts([machine for _, machine, _ in machines], names)


def commands_of_run(one: Run) -> list[str]:
    """Return the commands that measure again and that look at the same values; a replay's are not stored.

    They are as they were typed: who prints them spells out what a terminal would obey.
    """
    if is_replay(one.header):
        return [one.header.command, "rseqbench demo"]
    label = shlex.quote(one.label)
    again = [] if one.header.plan.engine == "published" else [one.header.command]
    values = [] if one.label == PATCH else [f"python -m pyperf stats {shlex.quote(f'results/{one.label}/pyperf.json')}"]
    return [*again, f"rseqbench claims {label}", f"rseqbench report {label}", *values]


def commands_of(runs: Sequence[Run]) -> list[str]:
    """Return the commands that build, measure and compare again."""
    built = any(one.header.machines[0].facts.linux_build for one in runs)
    again = [one.header.command for one in runs if one.header.plan.engine != "published"]
    labels = " ".join(shlex.quote(one.label) for one in runs)
    first = ["rseqbench linux build"] if built else []
    return [*first, *again, f"rseqbench compare {labels}", f"rseqbench report {labels}"]
