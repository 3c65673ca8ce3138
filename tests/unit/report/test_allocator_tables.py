"""Libraries as they are shipped in JSON, CSV, Markdown and mail: allocators in a server, prices and their notes."""

import csv
import html
import io
import json
import re

import pytest

from rseqbench.config import load
from rseqbench.report import formatting
from rseqbench.report.formats import list_formats, load_format
from rseqbench.report.run_view import build_run_view
from rseqbench.report.tables import allocators as of_allocators
from rseqbench.store.runs import PATCH, Store
from tests.support import hostile_text, readback
from tests.support.formats_schema import validate
from tests.support.library_runs import LTTNG, URCU
from tests.support.readback import section
from tests.support.served_runs import COSTS, stored
from tests.support.simulated_runs import Simulation, shown

ARENAS = {"percpu_arena": {0: (1000.0 / 3, 0.5)}, "percpu_arena_norseq": {0: (1000.0, 0.7)}}
KINDS = {"phase": "phases", "peak": "peaks", "gain": "gains"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Return a run of a server as it is shown, and its documents by format."""
    folder = tmp_path_factory.mktemp("served")
    run = stored(folder, {**COSTS, **ARENAS}, percpu_arena_norseq={"getcpu_ns": 6.1})
    found = build_run_view(run, Store(folder).load(PATCH), load().verdict)
    return found, {style: load_format(style).render_run(found) for style in list_formats()}


@pytest.fixture(scope="module", params=["lttng", "urcu"])
def library(request, tmp_path_factory):
    """Return a run of a library beside its kernels as it is shown, and its documents by format."""
    costs = {"lttng": LTTNG, "urcu": URCU}[request.param]
    found = shown(tmp_path_factory.mktemp("results"), Simulation(costs=costs, rounds=8, skips=()))
    return found, {style: load_format(style).render_run(found) for style in list_formats()}


def rows_of(documents, kind):
    return [row for row in csv.DictReader(io.StringIO(documents["csv"])) if row["kind"] == kind]


def same(row, record):
    """Hold a row of the CSV against a record of the JSON, field by field and unrounded."""
    for name, value in record.items():
        if isinstance(value, int | float):
            assert float(row[name]) == value, name
        else:
            assert row[name] == (value or ""), name


def unwrapped(text):
    return " ".join(text.split())


def read(style, documents):
    """Return all of a document as it is read, in one line."""
    text = documents[style]
    if style == "html":
        text = html.unescape(re.sub("<[^>]*>", " ", text))
    if style == "markdown":
        tokens = readback.markdown_tokens(text)
        text = "\n".join(readback.markdown_text(token) for token in tokens if token.type == "inline")
    return unwrapped(text)


# ---- allocators in a server ----


def test_the_json_has_every_phase_unrounded_with_its_intervals(served):
    found, documents = served
    phases = validate(documents["json"], "run")["served"]["phases"]
    assert len(phases) == len(found.served.phases) == 8
    for record, phase in zip(phases, found.served.phases, strict=True):
        assert (record["benchmark"], record["threads"], record["work"]) == (
            f"jemalloc/{phase.method}", phase.threads, phase.work,
        )  # fmt: skip
        for name in ("mean", "p50", "p99", "p999", "throughput", "share"):
            number = getattr(phase, name)
            assert (record[name], record[f"{name}_low"], record[f"{name}_high"]) == (
                number.value, number.low, number.high,
            )  # fmt: skip
        assert set(vars(phase)) - {"method"} <= set(record)
        assert record["maximum"] == phase.maximum
        assert record["rounds"] == 10
    arena = next(record for record in phases if record["benchmark"] == "jemalloc/percpu_arena")
    assert arena["p99"] == 2000.0 / 3
    assert next(record["work_ns"] for record in phases if record["work"] == 1000) == 2000.0


def test_the_json_has_the_gains_by_share_the_peaks_and_the_bound(served):
    found, documents = served
    document = json.loads(documents["json"])["served"]
    curves = [(curve, point) for curve in found.served.curves for point in curve.gains]
    assert len(document["gains"]) == len(curves) > 0
    for record, (curve, point) in zip(document["gains"], curves, strict=True):
        assert (record["slow"], record["statistic"], record["share"], record["gain"]) == (
            f"jemalloc/{curve.over}", curve.column, point.share, point.gain.value,
        )  # fmt: skip
    assert {one["benchmark"]: one["peak_bytes"] for one in document["peaks"]} == {
        f"jemalloc/{method}": peak.value for method, peak in found.served.peaks.items()
    }
    assert document["bound"]["part"] == found.served.bound.part == pytest.approx(0.5 * 4.1 / (1000 / 3))


def test_the_csv_has_the_same_with_kinds_of_its_own(served):
    documents = served[1]
    document = json.loads(documents["json"])["served"]
    for kind, part in KINDS.items():
        rows = rows_of(documents, kind)
        assert len(rows) == len(document[part]) > 0
        for row, record in zip(rows, document[part], strict=True):
            same(row, record)
    (bound,) = rows_of(documents, "bound")
    same(bound, document["bound"])
    assert [row["text"] for row in rows_of(documents, "note") if row["name"] == "jemalloc"] == document["notes"]


def test_markdown_has_every_grid_of_the_page(served):
    found, documents = served
    tables = {table.caption: table for table in readback.markdown_tables(documents["markdown"])}
    grids = of_allocators.tabulate_server(found.served)
    assert len(grids) == 3
    for grid in grids:
        assert [row[: len(grid.columns)] for row in tables[grid.caption].rows] == [
            [str(cell) for cell in row] for row in grid.rows
        ]


def test_the_mail_has_every_row_in_76_columns(served):
    found, documents = served
    hostile_text.sound(documents["mail"])
    served_ = section(documents["mail"], "A server over each allocator")
    lines = served_.splitlines()
    *phases, gains = of_allocators.tabulate_server(found.served)
    told = unwrapped(served_)
    for columns, row in ((one.columns, row) for one in phases for row in one.rows):
        for column, cell in zip(columns[1:], row[1:], strict=True):
            own = any(line.startswith(str(row[0])) and str(cell) in line.split() for line in lines)
            assert own or f"{column.head} {cell}" in told, (row, column)  # what all have in common is told once
    for row in gains.rows:
        pattern = " +".join(re.escape(cell) for cell in (str(row[0]), str(row[1]), *row[2].value.split()))
        assert any(re.match(pattern, line) for line in lines), row


def test_no_format_loses_how_a_server_is_read(served):
    documents = served[1]
    notes = json.loads(documents["json"])["served"]["notes"]
    assert len(notes) >= 4
    assert any("percpu_arena calls sched_getcpu()" in note for note in notes)
    for style in ("html", "markdown", "mail"):
        text = read(style, documents)
        for note in notes:
            assert unwrapped(note) in text, (style, note)


def test_a_run_that_served_nothing_says_so(library):
    documents = library[1]
    assert json.loads(documents["json"])["served"] is None
    for kind in (*KINDS, "bound"):
        assert rows_of(documents, kind) == []
    assert "A server over each allocator" not in documents["mail"] + documents["markdown"]


# ---- libraries beside their kernels ----


def test_prices_and_notes_are_in_the_json(library):
    found, documents = library
    (record,) = validate(documents["json"], "run")["shipped"]
    (one,) = found.shipped
    assert (record["library"], record["arch"]) == (one.library.group, "x86_64")
    assert record["benchmarks"] == [row.benchmark for row in one.rows]
    assert record["notes"] == list(one.notes)
    assert len(record["prices"]) == len(one.differences) > 0
    for price, difference in zip(record["prices"], one.differences, strict=True):
        assert (price["slow"], price["fast"], price["unit"]) == (difference.slow, difference.fast, "ns/op")
        assert (price["price"], price["price_low"], price["price_high"]) == (
            difference.price.value, difference.price.low, difference.price.high,
        )  # fmt: skip
        assert price["why"] == difference.words


def test_prices_and_notes_are_in_the_csv(library):
    documents = library[1]
    (record,) = json.loads(documents["json"])["shipped"]
    rows = rows_of(documents, "price")
    assert len(rows) == len(record["prices"])
    for row, price in zip(rows, record["prices"], strict=True):
        same(row, price)
    notes = [row["text"] for row in rows_of(documents, "note") if row["name"] == record["library"]]
    assert notes == record["notes"]


@pytest.mark.parametrize("style", ["html", "markdown", "mail"])
def test_prices_and_notes_are_in_every_text(library, style):
    found, documents = library
    text = read(style, documents)
    (one,) = found.shipped
    for told in (*one.notes, *(difference.words for difference in one.differences)):
        assert unwrapped(told) in text, told
    for difference in one.differences:
        assert formatting.cost(difference.price).value in text


def test_the_mail_of_a_library_is_a_mail(library):
    assert "The libraries themselves" in hostile_text.sound(library[1]["mail"])
