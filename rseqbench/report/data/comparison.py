"""Pure: runs compared with the first of them, as CSV and JSON, and what the Linuxes behind them differ by."""

from __future__ import annotations

from collections.abc import Sequence

from rseqbench.analysis import compare, kernel_config
from rseqbench.analysis.compare import SpeedupComparison
from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.summary import RunComparison
from rseqbench.report import caveats, formatting
from rseqbench.report.data import formats
from rseqbench.report.data.writers import Record, estimate, facts, texts, to_csv, to_json
from rseqbench.report.reasons import clause, config_measured, explain
from rseqbench.store.runs import Run

_MORE = ("name", "claim", "stated", "stated_unit", "measured", "a_text", "b_text", "label", "text")


def comparison(comparison: RunComparison) -> list[Record]:
    """Return a record per benchmark of two runs, then (kind "skip") what neither measured."""
    rows = [_compared(comparison, row) for row in comparison.rows]
    skips = [
        {**_empty(comparison), "kind": "skip", "benchmark": skip.benchmark, "threads": skip.threads,
         "verdict": Outcome.MISSING, "reason": f"{label}: {skip.reason}"}
        for label, skip in comparison.skips
    ]  # fmt: skip
    return [*rows, *skips]


def _empty(comparison: RunComparison) -> Record:
    """Return a record that has every column of a comparison and says nothing."""
    return {**dict.fromkeys(formats.field_names("row")), "a": comparison.a, "b": comparison.b}


def _compared(comparison: RunComparison, row: compare.Comparison) -> Record:
    values = {"a": row.a, "b": row.b}
    a, b = (one.gross if one else None for one in values.values())
    return {
        "kind": "benchmark",
        "a": comparison.a,
        "b": comparison.b,
        "arch": row.arch,
        "benchmark": row.benchmark,
        "threads": row.threads,
        "slow": None,
        "fast": None,
        **{f"{side}_unit": formatting.unit(one.unit) if one else None for side, one in values.items()},
        **estimate("a_value", a),
        **estimate("b_value", b),
        **estimate("ratio", row.ratio),
        "p": row.p,
        "verdict": row.word,
        "reason": explain(row.reasons),
    }


def speedups(comparison: RunComparison) -> list[Record]:
    """Return a record (kind "speedup") per quotient inside each of two runs; the values are quotients."""
    return [{**_empty(comparison), "kind": "speedup", **_speedup(one)} for one in comparison.speedups]


def _speedup(one: SpeedupComparison) -> Record:
    pair = {"arch": one.pair.arch, "slow": one.pair.slow, "fast": one.pair.fast}
    units = {f"{side}_unit": formatting.quotient_of(unit) for side, unit in zip("ab", one.units, strict=True)}
    return {**pair, **units, **estimate("a_value", one.a), **estimate("b_value", one.b)}


def linuxes(comparison: RunComparison) -> dict[str, object]:
    """Return what a comparison says of the two Linuxes behind it; empty where they were not built for it."""
    parts: dict[str, object] = {}
    if comparison.said:
        parts["claims"] = [
            {"claim": one.claim.id, "stated": one.claim.stated, "unit": one.claim.unit,
             "measured": config_measured(one), "verdict": one.verdict.word, "reason": explain(one.verdict.reasons)}
            for one in comparison.said
        ]  # fmt: skip
    if comparison.sizes:
        parts["sizes"] = {
            **dict(_whole(comparison)),
            "sections": dict(_sections(comparison)),
            "symbols": dict(_symbols(comparison)),
            "symbols_growth": kernel_config.growth(*comparison.sizes).net,
        }
    if comparison.options:
        parts["options"] = {name: list(values) for name, values in comparison.options.items()}
    if comparison.beyond:
        parts["beyond"] = clause(comparison.beyond)
    return parts


_Sized = list[tuple[str, tuple[int, int]]]


def _whole(comparison: RunComparison) -> _Sized:
    """Return the sizes of two Linuxes as `size` prints them, in bytes."""
    if not comparison.sizes:
        return []
    a, b = comparison.sizes
    return [("text", (a.text, b.text)), ("data", (a.data, b.data)), ("bss", (a.bss, b.bss))]


def _sections(comparison: RunComparison) -> _Sized:
    if not comparison.sizes:
        return []
    a, b = comparison.sizes
    return [(name, (a.sections.get(name, 0), b.sections.get(name, 0))) for name in {**a.sections, **b.sections}]


def _symbols(comparison: RunComparison) -> _Sized:
    return (
        [(name, (a, b)) for name, a, b in kernel_config.growth(*comparison.sizes).changed] if comparison.sizes else []
    )


def _linux_records(comparison: RunComparison) -> list[Record]:
    """Return a record for each size in bytes, option and claim of two Linuxes, told apart by `kind`."""
    sized = {"size": _whole(comparison), "section": _sections(comparison), "symbol": _symbols(comparison)}
    claims = [
        {"kind": "claim", "claim": one.claim.id, "stated": one.claim.stated, "stated_unit": one.claim.unit,
         "measured": config_measured(one), "verdict": one.verdict.word.value, "reason": explain(one.verdict.reasons)}
        for one in comparison.said
    ]  # fmt: skip
    return [
        *claims,
        *({"kind": kind, "name": name, "a_unit": "bytes", "b_unit": "bytes", "a_value": a, "b_value": b}
          for kind, rows in sized.items() for name, (a, b) in rows),
        *({"kind": "option", "name": name, "a_text": a, "b_text": b} for name, (a, b) in comparison.options.items()),
        *texts("beyond", [clause(comparison.beyond)] if comparison.beyond else []),
        *texts("note", caveats.comparison_notes(comparison)),
    ]  # fmt: skip


def comparisons_json(comparisons: Sequence[RunComparison], runs: Sequence[Run] = (), limits: Sequence[str] = ()) -> str:
    """Return the comparisons of runs with the first one: of two runs the parts themselves, of more a list of them.

    With `runs`, the header of each and the `limits` of all are there too.
    """
    each = [
        {"a": one.a, "b": one.b, "benchmarks": comparison(one), "speedups": speedups(one), **linuxes(one),
         "notes": caveats.comparison_notes(one)}
        for one in comparisons
    ]  # fmt: skip
    parts: dict[str, object] = each[0] if len(each) == 1 else {"comparisons": each}
    headers = [run.header.to_dict() for run in runs]
    return to_json("compare", **parts, **({"headers": headers, "limits": limits} if runs else {}))


def comparisons_csv(comparisons: Sequence[RunComparison], runs: Sequence[Run] = (), limits: Sequence[str] = ()) -> str:
    """Return the comparisons of runs with the first one as one table: the column `kind` tells rows apart.

    With `runs`, the facts of each and the `limits` of all are there too.
    """
    rows = [
        {**record, "a": one.a, "b": one.b}
        for one in comparisons
        for record in (*comparison(one), *speedups(one), *_linux_records(one))
    ]
    known = [{**fact, "label": run.label} for run in runs for machine in run.header.machines for fact in facts(machine)]
    return to_csv([*rows, *known, *texts("limit", limits)], [*_empty(comparisons[0]), *_MORE])
