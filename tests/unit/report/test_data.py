"""JSON and CSV: complete, held against docs/formats.schema.json, and docs/formats.md against that."""

import csv
import dataclasses
import io
import json
import re

import jsonschema
import pytest

from rseqbench.analysis import summary
from rseqbench.config import load
from rseqbench.report import data
from rseqbench.report.data import documentation, formats
from rseqbench.report.formats import load_format
from rseqbench.report.run_view import build_run_view
from rseqbench.store.runs import PATCH, Store
from tests.support.emulated_runs import A32
from tests.support.formats_schema import DOCS, SCHEMA, validate
from tests.support.kernel_config_runs import REGISTERED, N, Y
from tests.support.simulated_runs import COSTS, SKIPS, Simulation, shown, store

RULES = load().verdict
RUNS = {
    "times": Simulation(rounds=8),
    "too few": Simulation(rounds=2),
    "threads": Simulation(rounds=8, threads={"counter/rseq": 4}),
    "nothing known": Simulation(rounds=8, facts={}),
    "empty": Simulation(rounds=2, costs={}, skips=()),
    "skips": Simulation(rounds=2, skips=tuple(dataclasses.replace(SKIPS[0], benchmark=name) for name in COSTS)),
    "emulated": A32,
    "boots": N,
}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    for part in ("run", "two", "several", "claims"):
        assert SCHEMA["$defs"][part]["properties"]["schema"]["const"] == data.SCHEMA


@pytest.mark.parametrize("simulation", RUNS.values(), ids=RUNS)
def test_a_run_is_as_the_schema_says(tmp_path, simulation):
    found = shown(tmp_path, simulation)
    validate(load_format("json").render_run(found), "run")
    validate(data.run_json(found), "run")  # as a page carries it


def test_the_message_s_own_run_and_its_claims_are_as_the_schema_says(tmp_path):
    patch = Store(tmp_path).load(PATCH)
    found = build_run_view(patch, patch, RULES)
    validate(load_format("json").render_run(found), "run")
    validate(data.to_json("claims", claims=data.claims(found.judged)), "claims")
    validate(data.to_json("claims", label="x", claims=data.verdicts(found.judged)), "claims")


@pytest.mark.parametrize(
    ("simulations", "kind"),
    [
        ((Simulation(label="a", rounds=8), Simulation(label="b", rounds=8)), "two"),
        ((RUNS["empty"], dataclasses.replace(RUNS["empty"], label="b")), "two"),
        ((N, Y), "two"),
        ((N, Y, REGISTERED), "several"),
        ((N, dataclasses.replace(Simulation(rounds=8), label="b")), "two"),
    ],
)
def test_a_comparison_is_as_the_schema_says(tmp_path, simulations, kind):
    results = Store(tmp_path)
    runs = [store(results, one) for one in simulations]
    found = [summary.compare_runs(runs[0], other, RULES) for other in runs[1:]]
    document = validate(load_format("json").render_comparison(runs, found, RULES), kind)
    assert [one["label"] for one in document["headers"]] == [run.label for run in runs]


def test_a_document_that_lacks_a_field_is_refused(tmp_path):
    document = json.loads(load_format("json").render_run(shown(tmp_path, Simulation(rounds=8))))
    del document["measured"][0]["gross"]
    with pytest.raises(jsonschema.ValidationError, match="'gross' is a required property"):
        jsonschema.validate(document, {"$defs": SCHEMA["$defs"], "$ref": "#/$defs/run"})


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_no_number_is_written_that_json_has_not(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        data.to_json("run", value=number)


def test_the_schema_and_the_tables_of_the_documentation_are_as_they_are_generated():
    assert documentation.build_schema() == SCHEMA
    text = (DOCS / "formats.md").read_text(encoding="utf-8")
    assert documentation.write_tables(text) == text
    assert documentation.write_tables(text.replace("| `gross` | number, null |", "| `gross` | text |")) == text
    drawn = set(re.findall(r"<!-- fields of (\w+) -->", text))
    assert set(formats.load_formats()) - drawn == {"several", "claims", "pair", "claim", "what", "skip"}


def test_every_field_is_in_the_documentation_and_has_its_meaning():
    text = (DOCS / "formats.md").read_text(encoding="utf-8")
    named = {name for part in SCHEMA["$defs"].values() for name in part["properties"]}
    assert {name for name in named if f"`{name}`" not in text} == set()
    fields = [(name, value) for part in SCHEMA["$defs"].values() for name, value in part["properties"].items()]
    lacking = {name for name, value in fields if not {"description", "$ref", "const", "items"} & set(value)}
    assert lacking == set()


def test_the_documentation_names_no_field_that_is_not_there():
    text = (DOCS / "formats.md").read_text(encoding="utf-8")
    json_part = text[text.index("## JSON of a run") : text.index("## CSV")]
    rows = [line.split("|")[1] for line in json_part.splitlines() if line.startswith("| `")]
    documented = {name.strip(" `") for row in rows for name in row.split(",")}
    assert documented - {name for part in SCHEMA["$defs"].values() for name in part["properties"]} == set()


# ---- CSV ----


def table_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("simulation", RUNS.values(), ids=RUNS)
def test_the_csv_of_a_run_is_one_rectangle_of_known_columns(tmp_path, simulation):
    found = shown(tmp_path, simulation)
    text = load_format("csv").render_run(found)
    lines = list(csv.reader(io.StringIO(text)))
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[0] == ["schema", *data.run.csv_columns()]
    rows = table_of(text)
    assert {row["label"] for row in rows} == {found.run.label}
    kinds = {row["kind"] for row in rows}
    assert {"claim", "summary", "fact", "header"} <= kinds
    told = {"summary", "limit", "sentence", "fact", "header", "note"}
    assert kinds <= told | {"benchmark", "claim", "quotient", "check", "round"}


def test_csv_and_json_of_a_run_hold_the_same(tmp_path):
    found = shown(tmp_path, Simulation(rounds=8))
    document, rows = json.loads(load_format("json").render_run(found)), table_of(load_format("csv").render_run(found))
    kinds = {"benchmark": "measured", "claim": "claims", "quotient": "quotients", "round": "rounds"}
    for kind, part in kinds.items():
        own = [row for row in rows if row["kind"] == kind]
        assert len(own) == len(document[part]) > 0
        for row, record in zip(own, document[part], strict=True):
            for name, value in record.items():
                if kind in ("claim", "quotient"):
                    cell = row[{"net": "net_of_loop", "kind": "claim_kind"}.get(name, name)]
                else:
                    cell = row[name]
                if isinstance(value, bool):
                    assert cell == str(value).lower()
                elif isinstance(value, int | float):
                    assert float(cell) == value, (kind, name)
                else:
                    assert cell == (value or ""), (kind, name)


def test_every_round_is_in_both(tmp_path):
    found = shown(tmp_path, Simulation(rounds=8))
    rounds = json.loads(load_format("json").render_run(found))["rounds"]
    assert len(rounds) == 8 * (len(COSTS) - 1)
    assert {one["unit"] for one in rounds} == {"ns/op"}
    true = found.frame.set_index(["benchmark", "round"])["value"]
    assert all(true[one["benchmark"], one["round"]] == one["value"] for one in rounds)


def test_the_columns_of_a_comparison_are_the_same_with_and_without_a_built_linux(tmp_path):
    results = Store(tmp_path)
    pairs = [(N, Y), (RUNS["times"], RUNS["emulated"]), (RUNS["empty"], dataclasses.replace(RUNS["empty"], label="b"))]
    headings = set()
    for simulations in pairs:
        runs = [store(results, one) for one in simulations]
        text = load_format("csv").render_comparison(runs, [summary.compare_runs(*runs, RULES)], RULES)
        lines = list(csv.reader(io.StringIO(text)))
        assert {len(line) for line in lines} == {len(lines[0])}
        headings.add(tuple(lines[0]))
    assert len(headings) == 1


def test_json_escapes_what_directs_and_leaves_what_is_read():
    told = "\x85 \u2028 \u202e \x7f \U000e0001 \u05d0 \u6f22 \U0001f600"
    text = data.to_json("x", text=told)
    assert json.loads(text)["text"] == told
    assert '"\\u0085 \\u2028 \\u202e \\u007f \\udb40\\udc01 \u05d0 \u6f22 \U0001f600"' in text
