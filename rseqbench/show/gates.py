"""Pure: why `compare --fail-above` fails, in a line; empty where it does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rseqbench.analysis import compare, regression_gate
from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.fleet.compare import Machines
from rseqbench.analysis.regression_gate import Unseen
from rseqbench.analysis.summary import Compared
from rseqbench.config import VerdictRules
from rseqbench.report import formatting, prose
from rseqbench.show.several import named

TOO_FEW = "could not have seen any slowdown: too few rounds"


def failure_of_runs(found: Sequence[Compared], rules: VerdictRules, limit: float) -> str:
    """Return what is slower than `limit` percent allow in each further run, or that nothing can be said of it."""
    return formatting.line("; ".join(filter(None, (_of_run(one, rules, limit) for one in found))))


def _of_run(found: Compared, rules: VerdictRules, limit: float) -> str:
    able = regression_gate.able({found.b: found.rows}, rules)
    if not able:
        return f"nothing was compared: {found.b} and {found.a} have no value in common that can be"
    if not able[found.b]:
        return f"{found.b} against {found.a} {TOO_FEW}"
    worst, perhaps = regression_gate.worst_slowdown(found.rows), regression_gate.worst_perhaps(found.rows)
    slower = prose.slower(worst, found.a, found.b, limit) if worst else ""
    return slower or (_perhaps(perhaps, found.a, found.b, limit) if perhaps else "")


def _perhaps(row: Comparison, a: str, b: str, limit: float) -> str:
    """Return the line that says how much slower a row is by the worse of its two readings; empty within the limit."""
    if row.perhaps <= 1 + limit / 100:
        return ""
    case = formatting.with_threads(row.benchmark, row.threads)
    is_ = "is, by one reading," if row.word == compare.SLOWER else "may be"
    what = f"{case} {is_} {formatting.percent(row.perhaps)} slower in {b} than in {a}, more than {limit:g}%"
    return f"{what}: {row.reason}; measure both again"


def failure(found: Machines, limit: float) -> str:
    """Return what is slower than `limit` percent allow, and where; then which machines nothing can be said of."""
    slower = _of_one(found, limit) if len(found.labels) == 1 else _of_two(found, limit)
    return formatting.line("; ".join(filter(None, (slower, *_unseen(found, regression_gate.unseen(found))))))


def _of_one(found: Machines, limit: float) -> str:
    worst = regression_gate.worst_cell(found.matrices, found.rules)
    if worst is None or worst[2].ratio is None:
        return ""
    what, machine, cell = worst
    ratio = worst[2].ratio.inverse()
    if ratio.value <= 1 + limit / 100:
        return ""
    how = "more instructions than" if cell.word == compare.MORE else "slower than"
    return f"{machine}: {what.fast} is {formatting.percent(ratio.value)} {how} {what.slow}, more than {limit:g}%"


def _of_two(found: Machines, limit: float) -> str:
    (a, b), worst, perhaps = found.labels, regression_gate.worst_row(found), regression_gate.worst_perhaps_row(found)
    said = prose.slower(worst[1], a, b, limit) if worst else ""
    if worst and said:
        return f"{worst[0]}: {said}"
    said = _perhaps(perhaps[1], a, b, limit) if perhaps else ""
    return f"{perhaps[0]}: {said}" if perhaps and said else ""


def _unseen(found: Machines, lacking: Unseen) -> Iterable[str]:
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
