"""Pure: fleets as CSV and JSON: every machine with its facts, every cell, how far machines lie apart, every verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rseqbench.analysis.fleet.cell import BenchmarkPair, Cell
from rseqbench.analysis.fleet.compare import FleetComparison, FleetMachine
from rseqbench.analysis.fleet.matrix import Matrix, MatrixColumn
from rseqbench.report import formatting
from rseqbench.report.data.writers import Record, estimate, facts, to_csv, to_json
from rseqbench.report.reasons import explain

COLUMNS = (  # of a fleet's CSV, whatever that fleet has
    *("kind", "place", "label", "arch", "reason", "unit", "benchmark", "threads", "slow", "fast", "net_of_loop"),
    *("ratio", "ratio_low", "ratio_high", "rounds", "p", "verdict", "lowest", "highest", "median", "machines"),
    *("differs", "upper", "lower", "disagrees", "claim", "stated", "name", "text"),
)
_RENAMED = {"measured": "ratio", "measured_low": "ratio_low", "measured_high": "ratio_high"}
_NET = {"net": "net_of_loop"}


def fleets_json(fleets: FleetComparison, said: Sequence[str], limits: Sequence[str]) -> str:
    """Return one fleet, or two place by place, as JSON; `said` is what came out and `limits` what limits it."""
    return to_json(
        "fleet",
        labels=fleets.labels,
        sentences=said,
        places=[_place(place) for place in fleets.places],
        matrices=[_matrix(one) for one in fleets.matrices],
        verdicts=_verdicts(fleets),
        nowhere=[_what(what) for what in fleets.nowhere],
        limits=limits,
    )


def _place(place: FleetMachine) -> Record:
    return {
        "place": place.name,
        "reason": explain(place.reasons),
        "runs": [
            {"label": label, "machine": header.machines[0].to_dict() if header else None}
            for label, header in zip(place.labels, place.headers, strict=True)
            if label
        ],
    }


def _what(pair: BenchmarkPair) -> Record:
    single = not pair.fast
    return {
        "benchmark": pair.slow if single else None,
        "threads": pair.threads,
        "slow": None if single else pair.slow,
        "fast": None if single else pair.fast,
        "net": pair.net,
        "why": pair.why,
    }


def _matrix(matrix: Matrix) -> Record:
    return {
        "unit": formatting.quotient_of(matrix.unit),
        "columns": [
            {**_what(column.what), **_column(column), "cells": [_cell(*cell) for cell in column.cells.items()]}
            for column in matrix.columns
        ],
    }


def _column(column: MatrixColumn) -> Record:
    lowest, highest = column.extremes
    apart = column.apart
    return {
        "lowest": lowest,
        "highest": highest,
        "median": column.middle,
        "machines": len(column.valued),
        "disagrees": column.disagrees,
        "differs": apart.differs if apart else None,
        **estimate("apart", apart.ratio if apart else None),
        "upper": apart.highest if apart else None,
        "lower": apart.lowest if apart else None,
        "p": apart.p if apart else None,
        "reason": explain(apart.reasons) if apart else "",
    }


def _cell(place: str, cell: Cell) -> Record:
    return {
        "place": place,
        **estimate("ratio", cell.ratio),
        "rounds": cell.ratio.n if cell.ratio else 0,
        "p": cell.p,
        "verdict": cell.word,
        "reason": explain(cell.reasons),
    }


def _verdicts(fleets: FleetComparison) -> list[Record]:
    return [
        {
            "place": place,
            "claim": one.claim.id,
            "stated": one.claim.stated,
            **estimate("measured", one.measured),
            "verdict": one.verdict.word.value,
            "reason": explain(one.verdict.reasons),
        }
        for place, judged in fleets.judged.items()
        for one in judged
    ]


def fleets_csv(fleets: FleetComparison, said: Sequence[str] = (), limits: Sequence[str] = ()) -> str:
    """Return the same as one table: the column `kind` tells rows apart."""
    cells = [row for one in fleets.matrices for column in one.columns for row in _rows(one, column)]
    verdicts = [
        {"kind": "claim", **{_RENAMED.get(name, name): value for name, value in one.items()}}
        for one in _verdicts(fleets)
    ]
    texts = [{"kind": kind, "text": text} for kind, own in (("sentence", said), ("limit", limits)) for text in own]
    nowhere = [{"kind": "nowhere", **_named(what)} for what in fleets.nowhere]
    return to_csv([*_places(fleets), *cells, *verdicts, *nowhere, *texts], COLUMNS)


def _places(fleets: FleetComparison) -> Iterable[Record]:
    for place in fleets.places:
        yield {
            "kind": "place",
            "place": place.name,
            "label": next(filter(None, place.labels)),
            "reason": explain(place.reasons),
        }
        for label, header in zip(place.labels, place.headers, strict=True):
            if header:
                yield from ({**fact, "place": place.name, "label": label} for fact in facts(header.machines[0]))


def _named(pair: BenchmarkPair) -> Record:
    return {_NET.get(name, name): value for name, value in _what(pair).items() if name != "why"}


def _rows(matrix: Matrix, column: MatrixColumn) -> Iterable[Record]:
    """Yield a row for a column, then one for each of its cells."""
    of = {"unit": formatting.quotient_of(matrix.unit), **_named(column.what)}
    whole = {"ratio" + name.removeprefix("apart") if name.startswith("apart") else name: value
             for name, value in _column(column).items()}  # fmt: skip
    yield {"kind": "column", **of, **whole}
    for place, cell in column.cells.items():
        yield {"kind": "cell", **of, **_cell(place, cell)}
