"""Pure: one run as CSV and JSON: every value, round, claim, quotient, check and fact of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

import pandas as pd

from rseqbench.analysis import dataset, patch_claims, summary
from rseqbench.analysis.summary import BenchmarkRow, PairSpeedup
from rseqbench.analysis.verdicts import JudgedClaim
from rseqbench.model import COUNTED
from rseqbench.report import formatting
from rseqbench.report.data import formats, libraries
from rseqbench.report.data.writers import Record, estimate, facts, rounded, texts, to_csv, to_json
from rseqbench.report.reasons import explain
from rseqbench.report.run_view import RunView
from rseqbench.store.runs import Header, Run

_RENAMED = {"kind": "claim_kind", "net": "net_of_loop"}  # what a claim and a benchmark call alike, in CSV


def csv_columns() -> list[str]:
    """Return the columns of a run's CSV, whatever that run has."""
    claimed = [_RENAMED.get(name, name) for record in ("judged", "quotient") for name in formats.field_names(record)]
    others = ("check", "round", *libraries.RECORDS)
    names = [
        name for record in others for name in (*(["name"] if record == "round" else []), *formats.field_names(record))
    ]
    return list(dict.fromkeys(["kind", *formats.field_names("benchmark"), "doc", *claimed, *names]))


def table_csv(run: Run, confidence: float = 0.95) -> str:
    """Return results/<label>/table.csv: a row per benchmark, values rounded so that git diff shows differences only."""
    found = summary.benchmark_rows(run, dataset.collapse_boots(dataset.build([run])), confidence)
    return to_csv([rounded(record) for record in measured(run.label, found)])


def measured(label: str, rows: Iterable[BenchmarkRow]) -> list[Record]:
    """Return a record per benchmark of a run; values per operation in `unit`, None where there are none."""
    return [_measured(label, one) for one in rows]


def _measured(label: str, one: BenchmarkRow) -> Record:
    row = one.row
    return {
        "label": label,
        "arch": one.arch,
        "benchmark": one.benchmark,
        "threads": one.threads,
        "unit": formatting.unit(row.unit) if row else None,
        "timing": row.timing if row else None,
        "engine": row.engine if row else None,
        "registration": row.registration if row else None,
        **estimate("gross", row.gross if row else None),
        **estimate("net", row.net if row else None),
        "rounds": row.gross.n if row else 0,
        "aborts": row.aborts if row else None,
        "operations": row.operations if row else None,
        **dict(zip(COUNTED, row.counted if row and row.counted else (None, None, None), strict=True)),
        "check": one.check,
        "reason": explain(one.reasons),
    }


def verdicts(judged: Iterable[JudgedClaim]) -> list[Record]:
    """Return a record per claim: where it stands, the arithmetic on it, what was measured, the verdict."""
    return [{**_claim(one), **_verdict(one)} for one in judged]


def _verdict(judged: JudgedClaim) -> Record:
    return {
        **estimate("measured", judged.measured),
        **estimate("today", judged.current),
        "measured_unit": _claim_unit(judged),
        "rounds": judged.measured.n if judged.measured else 0,
        "verdict": judged.verdict.word.value,
        "reason": explain(judged.verdict.reasons),
    }


def _claim_unit(judged: JudgedClaim) -> str | None:
    if judged.measured is None:
        return None
    return formatting.unit(judged.unit) if judged.claim.kind == "time" else formatting.quotient_of(judged.unit)


def claims(judged: Iterable[JudgedClaim]) -> list[Record]:
    """Return a record per claim without any measurement: the message's words and the arithmetic on its own table."""
    return [_claim(one) for one in judged]


def _claim(judged: JudgedClaim) -> Record:
    claim, own = judged.claim, judged.arithmetic
    return {
        "claim": claim.id,
        "section": patch_claims.section_of(claim).title,
        "text": claim.text,
        "kind": claim.kind,
        "arch": claim.arch,
        "slow": claim.slow,
        "fast": claim.fast,
        "today_slow": claim.current[0] if claim.current else None,
        "today_fast": claim.current[1] if claim.current else None,
        "net": claim.net,
        "stated": claim.stated,
        "unit": claim.unit,
        "formula": own.formula if own else None,
        "formula_value": own.value if own else None,
        "formula_low": own.low if own else None,
        "formula_high": own.high if own else None,
        "formula_agrees": own.agrees if own else None,
    }


def quotients(speedups: Iterable[PairSpeedup]) -> list[Record]:
    """Return a record per quotient inside the rounds of a run: alone on the core, and beside a neighbour."""
    return [
        {
            "arch": one.pair.arch,
            "slow": one.pair.slow,
            "fast": one.pair.fast,
            "net": one.pair.net,
            "unit": formatting.quotient_of(one.unit),
            **estimate("alone", one.alone),
            **estimate("beside", one.beside),
            "why": one.pair.why,
        }
        for one in speedups
    ]


def rounds(frame: pd.DataFrame) -> list[Record]:
    """Return a record per benchmark and round: the value per operation, and over how many of what it was taken."""
    return [{**record, "unit": formatting.unit(record["unit"])} for record in _plain_rounds(frame)]


def _plain_rounds(frame: pd.DataFrame) -> list[Record]:
    names = formats.field_names("round")
    return [dict(zip(names, row, strict=True)) for row in frame[names].itertuples(index=False)]


def rounds_csv(view: RunView) -> str:
    """Return every round of a run: one row a benchmark and round, values per operation."""
    return to_csv(list(map(rounded, _plain_rounds(view.frame))))


def run_json(view: RunView, each_round: bool = False) -> str:
    """Return everything that is shown of a run, its header included; with `each_round` the rounds, one by one, too."""
    return to_json(
        "run",
        summary=view.summary,
        header=view.run.header.to_dict(),
        measured=measured(view.run.label, view.measured),
        claims=verdicts(view.judged),
        quotients=quotients(view.quotients),
        shipped=libraries.shipped(view.shipped),
        served=libraries.served(view.served),
        limits=view.limits,
        sentences=view.sentences,
        **({"rounds": rounds(view.frame)} if each_round else {}),
    )


def run_csv(view: RunView) -> str:
    """Return everything that is shown of a run, its rounds included, as one table: `kind` tells rows apart."""
    header, label = view.run.header, view.run.label
    values = zip(measured(label, view.measured), view.measured, strict=True)
    records: list[Record] = [
        *({"kind": "benchmark", **record, "doc": one.doc} for record, one in values),
        *({"kind": "claim", **_renamed(one)} for one in verdicts(view.judged)),
        *({"kind": "quotient", **_renamed(one)} for one in quotients(view.quotients)),
        *libraries.records(view.shipped, view.served),
        *({"kind": "check", **dataclasses.asdict(one), "verdict": one.verdict} for one in header.checks),
        *texts("summary", [view.summary]),
        *texts("limit", view.limits),
        *texts("sentence", view.sentences),
        *(fact for machine in header.machines for fact in facts(machine)),
        *_header(header),
        *({"kind": "round", **one} for one in rounds(view.frame)),
    ]
    return to_csv([{**one, "label": label} for one in records], csv_columns())


def _renamed(record: Record) -> Record:
    """Return a record of a claim or a ratio under the names of its columns, which benchmarks do not share."""
    return {_RENAMED.get(name, name): value for name, value in record.items()}


def _header(header: Header) -> list[Record]:
    """Return a record (kind "header") for what the run was told to do, when it did it, and what it noted."""
    plan = {name: value for name, value in vars(header.plan).items() if name not in ("cases", "skips", "cpus")}
    told = {"cpus": " ".join(map(str, header.plan.cpus)), **plan}
    whole = {name: getattr(header, name) for name in ("created", "finished", "command", "version", "schema")}
    rows = {**whole, **told}
    notes = [{"kind": "note", "text": text} for text in header.notes]
    return [*({"kind": "header", "name": name, "text": str(value)} for name, value in rows.items()), *notes]
