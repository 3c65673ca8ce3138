"""Fleets in every format: complete, sound, within their columns, and the same numbers in all."""

import csv
import dataclasses
import io
import re

import pytest

from rseqbench.analysis.fleet import compare
from rseqbench.config import load
from rseqbench.report import data, fleet_prose
from rseqbench.report.formats import list_formats, load_format
from rseqbench.report.html import fleet as pages
from rseqbench.report.tables import build_grid
from rseqbench.report.tables import fleet as grids
from rseqbench.report.text import terminal
from rseqbench.store import fleets as index
from rseqbench.store.runs import Store
from tests.support import hostile_text
from tests.support.fleets import costs, emulated, fleet, machine, many, three
from tests.support.formats_schema import validate
from tests.support.html_page import Page

RULES = load().verdict
KINDS = ("three", "fifty", "against", "one", "nothing")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return what there is to show of a kind of fleet; all are made once."""
    root = tmp_path_factory.mktemp("results")
    few = {
        place: one if isinstance(one, str) else dataclasses.replace(one, rounds=6) for place, one in many(50).items()
    }
    slower = {name: cost * (1.2 if name == "rcu/rseq" else 1) for name, cost in machine(1).costs.items()}
    after = {**three(), "opteron": dataclasses.replace(machine(1, seed=99), costs=slower), "extra": machine(5)}
    fleet(root, "three", {**three(), "board": emulated()})
    fleet(root, "fifty", few)
    fleet(root, "after", after)
    fleet(root, "one", {"xeon": machine(0, rounds=6)})
    results = fleet(root, "nothing", {"pi4": "no answer", "pi5": "no answer either"})
    found = {kind: compare.compare_machines(results, kind, RULES) for kind in KINDS if kind != "against"}
    return {**found, "against": compare.compare_fleets(results, "three", "after", RULES)}


def printed(found, capsys, width=100):
    out = terminal.console()
    assert out.width == width
    terminal.print_fleet(found, out)
    return capsys.readouterr().out


@pytest.mark.parametrize("kind", KINDS)
def test_tables_fit_a_terminal(made, capsys, kind):
    lines = printed(made[kind], capsys).splitlines()
    prose = ("Note: ", "Machines disagree", "counter: ", "Measured on no", "after is", "On no ", "Whether ")
    assert [
        line for line in lines if len(line) > 100 and not line.startswith((*prose, "3 of", "48 of", "✓", "○"))
    ] == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_is_folded(made, capsys, kind):
    lines = printed(made[kind], capsys).splitlines()
    assert [line for line in lines if line.count("(") != line.count(")") and ".." in line] == []


def test_a_name_that_has_to_fold_ends_its_lines_between_its_parts(capsys):
    rows = [("13: cpu_id/sched_getcpu_norseq / rseq, net", "9" * 60, "41 <, 7 >")]
    rows.append(("16: ring_buffer/rseq", "1", "2"))
    terminal.print_grid(build_grid("What", ("slow / fast", "lowest", "machines"), "-n-", rows), terminal.console())
    lines = [line[:27].split("  ")[0].rstrip() for line in capsys.readouterr().out.splitlines()[3:] if line.strip()]
    assert lines == ["13: cpu_id/", "sched_getcpu_norseq / rseq,", "net", "16: ring_buffer/rseq"]


def test_every_machine_has_one_line_however_many_digits_its_values_have(tmp_path, capsys):
    slow = costs(counter__rseq=40, rcu__rseq=30, freelist__rseq=30)
    own = {f"board-{at:02}": machine(at, costs=slow) for at in range(9)}
    found = compare.compare_machines(fleet(tmp_path, "x", own), "x", RULES)
    (one,) = found.matrices
    parts = [text.splitlines() for text in printed(found, capsys).split("\n\n") if text.startswith("By machine: ")]
    assert len(parts) == len(grids.tabulate_cells(found, one))
    rows = [line.split()[0] for lines in parts for line in lines[3:] if not line.startswith("On no machine ")]
    assert rows == list(one.machines) * len(parts)


@pytest.mark.parametrize("kind", ["three", "fifty"])
def test_every_machine_has_a_row_in_every_part_of_the_matrix(made, kind):
    found = made[kind]
    for one in found.matrices:
        for grid in grids.tabulate_cells(found, one):
            assert [row[0] for row in grid.rows] == list(one.machines)
        assert len(grids.tabulate_summary(found, one).rows) == len(one.columns)
    assert [row[0] for row in grids.tabulate_places(found).rows] == [place.name for place in found.places]


def test_fifty_machines_have_values_and_signs_and_three_have_intervals(made):
    few, many_ = (grids.tabulate_cells(made[kind], made[kind].matrices[0])[0].rows[0][1] for kind in ("three", "fifty"))
    assert re.fullmatch(r"[\d.]+x \([\d.]+ \.\. [\d.]+\) <", str(few))
    assert re.fullmatch(r"[\d.]+x <", str(many_))


def test_what_differs_on_no_machine_is_left_to_the_summary_and_that_is_said(made):
    found = made["against"]
    (one,) = found.matrices
    parts = grids.tabulate_cells(found, one)
    shown = sum(len(grid.columns) - 1 for grid in parts)
    assert shown < len(one.columns)
    assert parts[-1].notes == (f"On no machine does anything differ in the other {len(one.columns) - shown} of "
                               f"{len(one.columns)}.",)  # fmt: skip


def test_a_machine_of_two_runs_that_differ_in_facts_says_both(tmp_path):
    now = machine(0, rounds=6)
    later = dataclasses.replace(now, facts={**now.facts, "linux": "6.12.1"})
    fleet(tmp_path, "a", {"x": now})
    found = compare.compare_fleets(fleet(tmp_path, "b", {"x": later}), "a", "b", RULES)
    assert grids.tabulate_places(found).rows[0][3] == "6.1.0-18-amd64 → 6.12.1"


def test_kernels_that_are_not_the_same_are_told(tmp_path):
    own = {name: machine(0, rounds=6) for name in ("a", "b")}
    own["b"] = dataclasses.replace(own["b"], facts={**own["b"].facts, "kernels": "another"})
    found = compare.compare_machines(fleet(tmp_path, "x", own), "x", RULES)
    assert any(
        text == "Made of different kernels, or by different compilers, on x86_64: x86_64-kernels (x@a); another (x@b)."
        for text in fleet_prose.limits(found)
    )


def test_too_few_rounds_for_so_many_machines_are_a_limit(made):
    limit = "6 rounds are too few to tell 45 machines apart in 23 pairs"
    assert fleet_prose.limits(made["fifty"])[0].startswith(limit)
    assert (
        fleet_prose.answers(made["fifty"])[1] == "Whether machines disagree on any pair nobody can say: too few rounds."
    )
    assert not any("too few to tell" in text for text in fleet_prose.limits(made["three"]))


def test_who_differs_is_named_where_they_are_not_the_extremes(tmp_path):
    own = {name: machine(0, seed=at, rounds=22) for at, name in enumerate("abc")}
    slow = {name: machine(0, seed=at + 9, rounds=22, costs=costs(counter__rseq=0.25)) for at, name in enumerate("def")}
    short = {"g": machine(0, rounds=2, costs=costs(counter__rseq=0.2))}
    found = compare.compare_machines(fleet(tmp_path, "x", {**own, **slow, **short}), "x", RULES)
    (one,) = found.matrices
    number, column = next(
        (number, one) for number, one in enumerate(one.columns, start=1) if one.what.fast == "counter/rseq"
    )
    assert column.apart.differs and column.extremes[1] == "g"
    (note,) = [text for text in grids.tabulate_summary(found, one).notes if text.startswith(f"{number}: ")]
    assert note.startswith(
        f"{number}: {column.apart.highest} over {column.apart.lowest}; beyond them, but less surely: "
    )
    assert "g (2 rounds)" in note
    record = validate(load_format("json").render_fleet(found), "fleet")["matrices"][0]["columns"][number - 1]
    assert (record["upper"], record["lower"]) == (column.apart.highest, column.apart.lowest)
    assert record["highest"] == "g"


def test_a_group_that_nobody_measured_is_one_word(tmp_path):
    few = {name: cost for name, cost in machine(0).costs.items() if name.startswith("cpu_id/")}
    del few["cpu_id/gs"]
    own = {name: dataclasses.replace(machine(at, rounds=6), costs=few) for at, name in enumerate("ab")}
    results = fleet(tmp_path, "x", own)
    found = compare.compare_machines(results, "x", RULES)
    (said,) = [text for text in fleet_prose.limits(found) if "no machine has a value of" in text]
    counters = sum(what.slow.startswith("counter/") for what in found.nowhere)
    assert said.startswith(f"{len(found.nowhere)} pairs no machine has a value of: all {counters} of counter, ")
    assert "cpu_id/gs / rseq" in said and said.count("/") == 2
    assert len(validate(load_format("json").render_fleet(found), "fleet")["nowhere"]) == len(found.nowhere)


# ---- data ----


@pytest.mark.parametrize("kind", KINDS)
def test_json_is_as_the_schema_says(made, kind):
    found = made[kind]
    document = validate(load_format("json").render_fleet(found), "fleet")
    assert document["labels"] == list(found.labels)
    assert len(document["places"]) == len(found.places)


def test_json_has_every_cell_unrounded(made):
    found = made["three"]
    document = validate(load_format("json").render_fleet(found), "fleet")
    for one, matrix in zip(document["matrices"], found.matrices, strict=True):
        for record, column in zip(one["columns"], matrix.columns, strict=True):
            assert {cell["place"]: cell["ratio"] for cell in record["cells"]} == {
                place: cell.ratio and cell.ratio.value for place, cell in column.cells.items()
            }
    assert [one["unit"] for one in document["matrices"]] == ["x", "x of instructions"]


@pytest.mark.parametrize("kind", KINDS)
def test_csv_is_one_rectangle_of_known_columns_and_holds_the_same(made, kind):
    found = made[kind]
    document, text = validate(load_format("json").render_fleet(found), "fleet"), load_format("csv").render_fleet(found)
    assert next(csv.reader(io.StringIO(text))) == ["schema", *data.fleet.COLUMNS]
    rows = list(csv.DictReader(io.StringIO(text)))
    cells = [cell for one in document["matrices"] for column in one["columns"] for cell in column["cells"]]
    for kind_, records in (
        ("place", document["places"]),
        ("column", [column for one in document["matrices"] for column in one["columns"]]),
        ("cell", cells),
        ("claim", document["verdicts"]),
        ("nowhere", document["nowhere"]),
        ("limit", document["limits"]),
        ("sentence", document["sentences"]),
    ):
        assert sum(row["kind"] == kind_ for row in rows) == len(records), kind_
    own = [row for row in rows if row["kind"] == "cell"]
    assert [row["ratio"] for row in own] == ["" if cell["ratio"] is None else str(cell["ratio"]) for cell in cells]


# ---- texts ----


@pytest.mark.parametrize("kind", KINDS)
def test_the_mail_is_one(made, kind):
    lines = hostile_text.sound(load_format("mail").render_fleet(made[kind]))
    assert lines[0].startswith("Fleet:  ")
    assert max(map(len, lines)) <= 76


# ---- the page ----


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_sound(made, kind):
    page = Page(pages.render_page(made[kind]))
    assert page.scripts == 0
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert all(table["caption"] == 1 and table["heads"] == table["scopes"] > 0 for table in page.tables)
    assert all(after - before <= 1 for before, after in zip(page.headings, page.headings[1:], strict=False))
    assert all(link.startswith(("#", "data:")) for link in page.links)


def test_a_page_of_fifty_machines_can_be_sent(made):
    assert len(pages.render_page(made["fifty"])) < 3_000_000


@pytest.mark.parametrize("style", list_formats())
def test_foreign_text_is_text(tmp_path, style):
    evil = hostile_text.TEXTS["html"] + hostile_text.TEXTS["closing"] + hostile_text.TEXTS["bidi"]
    own = machine(0, rounds=6)
    results = fleet(tmp_path, "x", {"a": dataclasses.replace(own, facts={**own.facts, "cpu": evil}), "b": evil})
    known = index.load_fleet(tmp_path, "x")
    members = (*known.members[:1], index.Member(evil, "x@b", evil))
    index.save_fleet(tmp_path, dataclasses.replace(known, command=f"rseqbench fleet run '{evil}'", members=members))
    text = load_format(style).render_fleet(compare.compare_machines(results, "x", RULES))
    assert "\u202e" not in text
    if style == "html":
        assert "<script>" not in text and "<img" not in text
        Page(text)


def test_the_results_folder_may_have_no_fleet(tmp_path):
    assert index.list_labels(Store(tmp_path).root) == []
