"""Pure: what a run would do, as grids."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence

from rseqbench.measure.dry_run import Rehearsal
from rseqbench.model import Call, Plan
from rseqbench.report import formatting
from rseqbench.report.tables import Cell, Grid, Reason, make

_MINUTE = 60


def plan(found: Rehearsal) -> Grid:
    """Return what a run would do, a row a decision."""
    options, first = found.options, found.plans[0]
    asked = ", ".join(options.benchmarks)
    each = f"{len(first.cases)} cases, for {asked}" if first.cases else f"those that {asked} names"
    rounds = f"{first.rounds}" + (f", over {first.boots} boots" if first.boots > 1 else "")
    rows = [
        ("target", found.target),
        ("architecture", found.arch),
        ("engine", ", then ".join(one.engine for one in found.plans)),
        ("benchmarks", each),
        ("threads", ", ".join(map(str, options.threads))),
        ("rounds", f"{rounds} (preset {first.preset})"),
        *(("values in a round", _values(one)) for one in found.plans if one.engine == "pyperf"),
        ("order", f"seed {found.seed}" if found.seed is not None else "a new seed, drawn when it begins; --seed N"),
        ("CPUs", ", ".join(map(str, found.cpus)) or "as the target has them"),
        ("registration", options.registration),
        ("the rounds take", _expected(found)),
    ]
    return make("What would be done", ("what", "how"), "--", rows)


def _values(one: Plan) -> str:
    return f"{one.values}, of at least {one.value_ms:g} ms each"


def _expected(found: Rehearsal) -> str:
    if found.expected_s is None:
        return "not known before they are tried"
    seconds = found.expected_s
    about = f"{seconds:.0f} s" if seconds < 10 * _MINUTE else f"{seconds / _MINUTE:.0f} min"
    return f"about {about} on cores that are ours, more beside others; checks come before"


def cases(plans: Sequence[Plan]) -> list[Grid]:
    """Return what would be measured by each engine, and what would not, as far as that is known."""
    return [_cases(one, several=len(plans) > 1) for one in plans if one.cases or one.skips]


def _cases(one: Plan, several: bool) -> Grid:
    groups: dict[tuple[str, str], list[str]] = {}
    for name in dict.fromkeys(case.benchmark for case in one.cases):
        threads = ", ".join(str(case.threads) for case in one.cases if case.benchmark == name)
        group, _, method = name.partition("/")
        groups.setdefault((group, threads), []).append(method)
    rows: list[tuple[Cell, ...]] = [
        (group, threads, ", ".join(methods)) for (group, threads), methods in groups.items()
    ]
    rows += [
        (formatting.with_threads(skip.benchmark, skip.threads), Reason(f"not: {skip.reason}")) for skip in one.skips
    ]
    caption = "Benchmarks" + (f" of engine {one.engine}" if several else "")
    return make(caption, ("group", "threads", "methods"), "---", rows)


def commands(found: Sequence[Call]) -> list[tuple[str, str]]:
    """Return what each command line is for, with what cannot be known of it, and the line as bash takes it."""
    return [
        (f"{one.what}" + (f" ({one.note})" if one.note else ""), " ".join(map(_quoted, one.words))) for one in found
    ]


def _quoted(word: str) -> str:
    """Quote a word for bash, exactly; what a terminal would obey is spelled out."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + "".join(map(_escaped, word)) + "'"


def _escaped(char: str) -> str:
    if char in "'\\":
        return f"\\{char}"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in os.fsencode(char))
