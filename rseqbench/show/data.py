"""CSV and JSON: complete, unrounded, with stable keys and a schema version."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rseqbench import compare, table
from rseqbench.claims import Judged
from rseqbench.linux import sizes
from rseqbench.model import COUNTED, Estimate
from rseqbench.results import Run
from rseqbench.show import message, tables, words
from rseqbench.show.contents import Contents
from rseqbench.show.tables import Compared, Measured

SCHEMA = 1
Record = Mapping[str, Any]
_FORMULA = ("=", "+", "-", "@")  # a cell of text that starts so is run by spreadsheets


def table_csv(run: Run, confidence: float = 0.95) -> str:
    """Return results/<label>/table.csv: a row per benchmark, values rounded so that git diff shows differences only."""
    found = tables.measured(run, table.units(table.build([run])), confidence)
    return _csv([_rounded(record) for record in measured(run.label, found)])


def measured(label: str, found: Iterable[Measured]) -> list[Record]:
    """Return a record per benchmark of a run; values per operation in `unit`, None where there are none."""
    return [_measured(label, one) for one in found]


def _measured(label: str, one: Measured) -> Record:
    row = one.row
    return {
        "label": label,
        "arch": one.arch,
        "benchmark": one.benchmark,
        "threads": one.threads,
        "unit": words.unit(row.unit) if row else None,
        "timing": row.timing if row else None,
        "engine": row.engine if row else None,
        "registration": row.registration if row else None,
        **_estimate("gross", row.gross if row else None),
        **_estimate("net", row.net if row else None),
        "rounds": row.gross.n if row else 0,
        "aborts": row.aborts if row else None,
        "operations": row.operations if row else None,
        **dict(zip(COUNTED, row.counted if row and row.counted else (None, None, None), strict=True)),
        "check": one.check,
        "reason": one.reason,
    }


def verdicts(judged: Iterable[Judged]) -> list[Record]:
    """Return a record per claim: where it stands, the arithmetic on it, what was measured, the verdict."""
    return [{**_claim(one), **_verdict(one)} for one in judged]


def _verdict(one: Judged) -> Record:
    return {
        **_estimate("measured", one.measured),
        **_estimate("today", one.today),
        "measured_unit": _claim_unit(one),
        "rounds": one.measured.n if one.measured else 0,
        "verdict": one.verdict.word.value,
        "reason": one.verdict.reason,
    }


def _claim_unit(one: Judged) -> str | None:
    if one.measured is None:
        return None
    return words.unit(one.unit) if one.claim.kind == "time" else words.quotient_of(one.unit)


def claims(judged: Iterable[Judged]) -> list[Record]:
    """Return a record per claim without any measurement: the message's words and the arithmetic on its own table."""
    return [_claim(one) for one in judged]


def _claim(one: Judged) -> Record:
    claim, own = one.claim, one.arithmetic
    return {
        "claim": claim.id,
        "section": message.section_of(claim).title,
        "text": claim.text,
        "kind": claim.kind,
        "arch": claim.arch,
        "slow": claim.slow,
        "fast": claim.fast,
        "today_slow": claim.today[0] if claim.today else None,
        "today_fast": claim.today[1] if claim.today else None,
        "net": claim.net,
        "stated": claim.stated,
        "unit": claim.unit,
        "formula": own.formula if own else None,
        "formula_value": own.value if own else None,
        "formula_low": own.low if own else None,
        "formula_high": own.high if own else None,
        "formula_agrees": own.agrees if own else None,
    }


def comparison(found: Compared) -> list[Record]:
    """Return a record per benchmark of two runs, then (kind "skip") what neither measured."""
    rows = [_compared(found, row) for row in found.rows]
    empty = dict.fromkeys(rows[0] if rows else ("kind",))
    skips = [
        {**empty, "kind": "skip", "a": found.a, "b": found.b, "benchmark": skip.benchmark, "threads": skip.threads,
         "verdict": compare.MISSING, "reason": f"{label}: {skip.reason}"}
        for label, skip in found.skips
    ]  # fmt: skip
    return [*rows, *skips]


def _compared(found: Compared, row: compare.Comparison) -> Record:
    values = {"a": row.a, "b": row.b}
    a, b = (one.gross if one else None for one in values.values())
    return {
        "kind": "benchmark",
        "a": found.a,
        "b": found.b,
        "arch": row.arch,
        "benchmark": row.benchmark,
        "threads": row.threads,
        "slow": None,
        "fast": None,
        **{f"{side}_unit": words.unit(one.unit) if one else None for side, one in values.items()},
        **_estimate("a_value", a),
        **_estimate("b_value", b),
        **_estimate("ratio", row.ratio),
        "p": row.p,
        "verdict": row.word,
        "reason": row.reason,
    }


def linuxes(found: Compared) -> dict[str, object]:
    """Return what a comparison says of the two Linuxes behind it; empty where they were not built for it."""
    parts: dict[str, object] = {}
    if found.said:
        parts["claims"] = [
            {"claim": one.claim.id, "stated": one.claim.stated, "unit": one.claim.unit, "measured": one.measured,
             "verdict": one.verdict.word, "reason": one.verdict.reason}
            for one in found.said
        ]  # fmt: skip
    if found.sizes:
        a, b = found.sizes
        grown = sizes.growth(a, b)
        parts["sizes"] = {
            **{name: [getattr(a, name), getattr(b, name)] for name in ("text", "data", "bss")},
            "sections": {
                name: [a.sections.get(name, 0), b.sections.get(name, 0)] for name in {**a.sections, **b.sections}
            },
            "symbols": {name: [before, after] for name, before, after in grown.changed},
            "symbols_growth": grown.net,
        }
    if found.options:
        parts["options"] = {name: list(values) for name, values in found.options.items()}
    return parts


def comparisons_json(found: Sequence[Compared]) -> str:
    """Return the comparisons of runs with the first one: of two runs the parts themselves, of more a list of them."""
    each = [
        {"a": one.a, "b": one.b, "benchmarks": comparison(one), "speedups": speedups(one), **linuxes(one)}
        for one in found
    ]
    return to_json("compare", **each[0]) if len(each) == 1 else to_json("compare", comparisons=each)


def speedups(found: Compared) -> list[Record]:
    """Return a record (kind "speedup") per quotient inside each of two runs; the values are quotients."""
    empty = dict.fromkeys(_compared(found, compare.Comparison("", "", 1, None, None, None, None, "", "")))
    return [{**empty, "kind": "speedup", "a": found.a, "b": found.b, **_speedup(one)} for one in found.speedups]


def _speedup(one: compare.Speedup) -> Record:
    pair = {"arch": one.pair.arch, "slow": one.pair.slow, "fast": one.pair.fast}
    units = {f"{side}_unit": words.quotient_of(unit) for side, unit in zip("ab", one.units, strict=True)}
    return {**pair, **units, **_estimate("a_value", one.a), **_estimate("b_value", one.b)}


def _estimate(name: str, number: Estimate | None) -> dict[str, float | None]:
    value = (number.value, number.low, number.high) if number else (None, None, None)
    return dict(zip((name, f"{name}_low", f"{name}_high"), value, strict=True))


def rounds_csv(shown: Contents) -> str:
    """Return every round of a run: one row a benchmark and round, values per operation."""
    columns = ["arch", "benchmark", "threads", "unit", "round", "value", "values", "loops", "aborts"]
    rows = shown.frame[columns].itertuples(index=False)
    return _csv([_rounded(dict(zip(columns, row, strict=True))) for row in rows])


def run_json(shown: Contents) -> str:
    """Return everything that is shown of a run, its header included."""
    header = dataclasses.asdict(shown.run.header)
    measured_ = measured(shown.run.label, shown.measured)
    return to_json("run", header=header, measured=measured_, claims=verdicts(shown.judged), limits=shown.limits)


def to_json(kind: str, **parts: object) -> str:
    """Return the JSON text of one document: schema, kind, then its parts."""
    return json.dumps({"schema": SCHEMA, "kind": kind, **parts}, indent=1, ensure_ascii=False, default=str) + "\n"


def to_csv(records: Sequence[Record]) -> str:
    """Return CSV (RFC 4180, but with newlines alone) with a heading; the first column is the schema version."""
    return _csv(records)


def _csv(records: Sequence[Record]) -> str:
    out = io.StringIO()
    if records:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["schema", *records[0]])
        writer.writerows([SCHEMA, *map(_cell, record.values())] for record in records)
    return out.getvalue()


def _cell(value: object) -> object:
    """Return a CSV cell: text is one line, and with an apostrophe where a spreadsheet would run it as a formula."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        text = words.line(value)
        return f"'{text}" if text.startswith(_FORMULA) else text
    return value


def _rounded(record: Record) -> Record:
    return {key: float(f"{value:.6g}") if isinstance(value, float) else value for key, value in record.items()}
