"""Pure: what fleets say, in sentences that a person can repeat, and what limits it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from rseqbench.analysis import kernel_config, patch_claims, regression_gate
from rseqbench.analysis.fleet.cell import EMULATED_TIME, BenchmarkPair, Cell, timed
from rseqbench.analysis.fleet.compare import FleetComparison
from rseqbench.analysis.fleet.matrix import Matrix, MatrixColumn
from rseqbench.analysis.outcomes import Outcome
from rseqbench.model import Machine
from rseqbench.report import caveats, context, formatting
from rseqbench.report.context import KeyLines
from rseqbench.report.formatting import named
from rseqbench.report.reasons import explain
from rseqbench.report.tables.fleet import name_column
from rseqbench.store.runs import Header

_TOLD = 3  # columns that are told in sentences
_CHANCE = "no difference, however large, could be more than chance. More rounds are what it takes."


def summary(found: FleetComparison) -> str:
    """Return of how many machines there is a run, and what keeps the others away, in a sentence."""
    lacking = [f"{place.name} ({explain(place.reasons)})" for place in found.places if place.reasons]
    why = f"; not {named(lacking)}" if lacking else ""
    return formatting.line(f"{number(found)}{why}.")


def number(found: FleetComparison) -> str:
    """Return of how many machines there is a run, or one in both fleets."""
    there = sum(not place.reasons for place in found.places)
    what = f"fleet {found.labels[0]}" if len(found.labels) == 1 else f"fleets {' and '.join(found.labels)}"
    has = "a run" if len(found.labels) == 1 else "a run in both"
    return formatting.line(f"{there} of the {len(found.places)} machines of {what} have {has}")


def answers(found: FleetComparison) -> list[str]:
    """Return what came out: on how many machines what is faster, and on what they disagree; a few sentences."""
    real = [one for one in found.matrices if one.unit != EMULATED_TIME]
    columns = [(one, column) for one in real for column in one.columns if not column.what.is_control]
    if not columns:
        emulated = " but by a clock that qemu emulates, which tells no time" if found.matrices and not real else ""
        return [f"No machine has a value{emulated}, so nothing can be said."]
    said = [_across(found, columns) if len(found.labels) > 1 else _inside(columns)]
    disagreed = [(one, column) for one, column in columns if column.disagrees]
    if disagreed:
        said.append(f"Machines disagree on {_number(len(disagreed), _noun(found))}: {_signs(found, disagreed)}.")
    elif _sees_nothing(found, real):
        said.append(f"Whether machines disagree on any {_noun(found)} nobody can say: too few rounds.")
    else:
        said.append(f"On no {_noun(found)} is one machine surely faster and another surely slower.")
    return [formatting.line(text) for text in said]


def _sees_nothing(found: FleetComparison, matrices: Sequence[Matrix]) -> bool:
    """Whether nothing can be said of times that stand together, for too few rounds."""
    if len(found.labels) > 1:
        lacking = regression_gate.find_coverage(found)
        return bool(lacking.blind) and not lacking.judged
    return any(one.is_blind(found.rules) for one in matrices)


def _inside(columns: Sequence[tuple[Matrix, MatrixColumn]]) -> str:
    claimed = [(claim.slow, claim.fast) for claim in patch_claims.written_claims()]
    one, column = min(columns, key=lambda c: _place((c[1].what.slow, c[1].what.fast), claimed))
    fast, slow = (formatting.method(x) for x in (column.what.fast, column.what.slow))
    group, lowest, highest = column.what.slow.group, *column.extremes
    better = Outcome.FASTER if timed(one.unit) else Outcome.FEWER
    good = column.words().get(better, [])
    what = "is faster than" if timed(one.unit) else "takes fewer instructions than"
    said = f"{group}: {fast} {what} {slow} on {len(good)} of {len(column.valued)} machines"
    if lowest == highest:
        return f"{said}, {_ratio(column.cells[lowest])}."
    ends = [f"{_ratio(column.cells[end])} on {end}" for end in (lowest, highest)]
    return f"{said}, from {ends[0]} to {ends[1]}, median {column.middle:.3g}x."


def _place(pair: tuple[str, str], claimed: Sequence[tuple[str, str]]) -> int:
    return claimed.index(pair) if pair in claimed else len(claimed)


def _ratio(cell: Cell) -> str:
    return formatting.ratio(cell.ratio).value if cell.ratio else formatting.NOTHING


def _across(found: FleetComparison, columns: Sequence[tuple[Matrix, MatrixColumn]]) -> str:
    """Say on how many machines anything is faster or slower in the second fleet."""
    a, b = found.labels
    lacking = regression_gate.find_coverage(found)
    there = {*lacking.judged, *lacking.blind}
    rows = {place: {row.word for row in own} for place, own in found.rows.items() if place in there}
    slower = [place for place, said in rows.items() if said & {Outcome.SLOWER, Outcome.MORE}]
    faster = [place for place, said in rows.items() if said & {Outcome.FASTER, Outcome.FEWER}]
    if not there:
        return f"Nothing in {b} can be compared with {a}."
    if not lacking.judged:
        return f"Whether {b} is slower than {a} in anything nobody can say: {_too_few(found)}"
    helps = f"{b} is faster than {a} in some benchmark on {_number(len(faster), 'machine')} of {len(rows)}"
    bad = f"some on {_number(len(slower), 'machine')}: {named(slower)}" if slower else "none"
    blind = f"; too few rounds to see either on {named(lacking.blind)}" if lacking.blind else ""
    return f"{helps}, and slower in {bad}{blind}."


def _too_few(found: FleetComparison) -> str:
    """Say that the rounds of two fleets are too few for so many comparisons, whatever came out."""
    tested = [row for rows in found.rows.values() for row in rows if row.p is not None]
    rounds = max(row.ratio.n for row in tested if row.ratio)
    return f"{rounds} rounds are too few to compare {len(tested)} values at once: {_CHANCE}"


def _noun(found: FleetComparison) -> str:
    return "pair" if len(found.labels) == 1 else "benchmark"


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _signs(found: FleetComparison, columns: Sequence[tuple[Matrix, MatrixColumn]]) -> str:
    texts = [f"{name_column(column.what)} ({_slower(column)})" for _, column in columns[:_TOLD]]
    more = len(columns) - _TOLD
    return ", ".join(texts) + (f" and {more} more" if more > 0 else "")


def _slower(column: MatrixColumn) -> str:
    said = column.words()
    slower = [*said.get(Outcome.SLOWER, []), *said.get(Outcome.MORE, [])]
    faster = [*said.get(Outcome.FASTER, []), *said.get(Outcome.FEWER, [])]
    return f"slower on {named(slower, 2)}, faster on {len(faster)}"


def brief(found: FleetComparison) -> KeyLines:
    """Return the three lines that stand before everything else in a text: of whom, what came out, what limits it."""
    return KeyLines(
        summary(found).removesuffix("."), " ".join(answers(found)), tuple(map(context.short, limits(found)))
    )


def commands(found: FleetComparison) -> list[str]:
    """Return the commands that measure again and compare again."""
    labels = " ".join(shlex.quote(label) for label in found.labels)
    return [*found.commands, f"rseqbench compare {labels}", f"rseqbench report {labels}"]


def limits(found: FleetComparison) -> list[str]:
    """Return what limits it: in what the runs differ, then what limits each. Why a place has none, its row says."""
    headers = [header for place in found.places if not place.reasons for header in place.headers if header]
    return [
        *_blind(found),
        *_differ(headers),
        *_pairwise(found),
        *caveats.limits_of(headers, found.rules.confidence, alike=True),
        *_nowhere(found),
    ]


def _blind(found: FleetComparison) -> Iterable[str]:
    for one in found.matrices:
        if one.is_blind(found.rules):
            rounds = max(len(cell.each) for column in one.columns for cell in column.cells.values())
            what = f"{len(one.machines)} machines apart in {len(one.columns)} pairs"
            yield f"{rounds} rounds are too few to tell {what}: {_CHANCE}"


def _pairwise(found: FleetComparison) -> Iterable[str]:
    """Yield what limits holding two runs of a place against each other: boots, and a machine that is another one."""
    if len(found.labels) == 1:
        return
    pairs = {place.name: place.headers for place in found.places if not place.reasons}
    about: dict[str, list[str]] = {}
    for place, (a, b) in pairs.items():
        if a and b:
            for text in (*caveats.boot_comparison_limits(a, b), *_exchanged(a, b)):
                about.setdefault(text, []).append(place)
    for text, places in about.items():
        yield text if len(places) == len(pairs) else f"{named(places)}: {text}"


def _exchanged(a: Header, b: Header) -> Iterable[str]:
    cpus = kernel_config.other_cpu(a.machines[0], b.machines[0])
    if cpus:
        yield f"Another CPU, {cpus[1]} in place of {cpus[0]}: what differs may be the machine's."


def _nowhere(found: FleetComparison) -> Iterable[str]:
    """Yield what no machine has a value of: a group alone where that is all of it, as most are if few were selected."""
    if not found.nowhere:
        return
    there = {_group(column.what) for one in found.matrices for column in one.columns}
    whole = Counter(group for group in map(_group, found.nowhere) if group not in there)
    names = [f"all {number} of {group}" if number > 1 else f"the one of {group}" for group, number in whole.items()]
    names += [name_column(what) for what in found.nowhere if _group(what) in there]
    yield f"{_number(len(found.nowhere), _noun(found))} no machine has a value of: {', '.join(names)}."


def _group(what: BenchmarkPair) -> str:
    return what.slow.group


def _differ(headers: Sequence[Header]) -> Iterable[str]:
    """Yield in what runs differ that belong together: by whom, how, and of what they were made; what kinds of time."""
    watched: dict[str, Callable[[Header], str]] = {
        "by different versions of rseqbench": lambda one: one.version,
        "with different configurations": _configuration,
    }
    for what, of in watched.items():
        yield from _parts(what, headers, of)
    for arch in dict.fromkeys(one.machines[0].arch for one in headers):
        own = [one for one in headers if one.machines[0].arch == arch and one.machines[0].facts.kernels is not None]
        yield from _parts(f"of different kernels, or by different compilers, on {arch}", own, _kernels)
    yield from _times([(header.label, header.machines[0]) for header in headers])


def _configuration(header: Header) -> str:
    plan = header.plan
    return f"engine {plan.engine}, preset {plan.preset}, {plan.rounds} rounds of {plan.values} values"


def _kernels(header: Header) -> str:
    return str(header.machines[0].facts.kernels)


def _parts(what: str, headers: Sequence[Header], of: Callable[[Header], str]) -> Iterable[str]:
    found: dict[str, list[str]] = {}
    for header in headers:
        found.setdefault(of(header), []).append(header.label)
    if len(found) > 1:
        yield f"Made {what}: " + "; ".join(f"{value} ({named(labels)})" for value, labels in found.items()) + "."


def _times(machines: Sequence[tuple[str, Machine]]) -> Iterable[str]:
    found: dict[str, list[str]] = {}
    for label, machine in machines:
        if machine.timing != "emulated":
            found.setdefault(machine.timing, []).append(label)
    if len(found) > 1:
        kinds = "; ".join(f"{kind} ({named(labels)})" for kind, labels in found.items())
        yield f"Times of different kinds stand together: {kinds}."
