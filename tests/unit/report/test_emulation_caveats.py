"""A run on an emulated machine, as it is shown: instructions, never time, in every format."""

import csv
import dataclasses
import io
import re
from collections import Counter

import pytest
from rich.console import Console

from rseqbench.analysis import regression_gate, summary
from rseqbench.analysis.outcomes import Outcome
from rseqbench.config import load
from rseqbench.model import USER_ONLY, Facts, VerdictWord
from rseqbench.report import caveats, data, prose
from rseqbench.report.reasons import explain
from rseqbench.report.tables import build_grid
from rseqbench.report.tables import comparison as of_comparison
from rseqbench.report.tables import run as of_run
from rseqbench.report.text import terminal
from rseqbench.store.runs import Store
from tests.support.emulated_runs import A32, COSTS, FACTS
from tests.support.simulated_runs import Simulation, shown, store


@pytest.fixture(scope="module")
def a32(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("results"), A32)


def pair(folder, a, b):
    results = Store(folder)
    return summary.compare_runs(store(results, a), store(results, b), load().verdict)


def printed(call, *arguments):
    out = Console(file=io.StringIO(), width=100)
    call(*arguments, out)
    return out.file.getvalue()


# ---- what is said of the machine ----


def test_user_mode_emulation_says_that_linux_is_not_counted(tmp_path):
    found = shown(tmp_path, dataclasses.replace(A32, target=USER_ONLY, interrupted=0))
    text = " ".join(found.limits)
    assert "user insn/op means instructions per operation, those of the program alone" in text
    assert "no rseq under user-mode emulation" in text
    assert "counts were left out" not in text
    assert {row["unit"] for row in data.measured("a32", found.measured)} == {"user instructions/op"}


def test_two_rounds_of_counts_are_not_too_few(tmp_path):
    found = shown(tmp_path, dataclasses.replace(A32, rounds=2, preset="default"))
    assert not any("Too few rounds" in text for text in found.limits)


def test_a_linux_of_the_user_s_is_no_package(a32):
    machine = dataclasses.replace(
        a32.run.header.machines[0], facts=Facts.from_dict({**FACTS, "linux_package": "none: a file of the user's"})
    )
    header = dataclasses.replace(a32.run.header, machines=(machine,))
    assert any("was booted (a file of the user's)" in text for text in caveats.emulation_limits(header, a32.frame))


def test_hardware_is_not_spoken_of_as_emulated(tmp_path):
    found = shown(tmp_path, Simulation(rounds=8))
    assert caveats.emulation_limits(found.run.header, found.frame) == ()
    assert not any("insn" in text for text in found.limits)


# ---- tables ----


def grids(found):
    patch = [of_run.tabulate_patch_table(one) for one in found.patch_tables]
    return [*of_run.tabulate_measured(found.measured), *patch, of_run.tabulate_ratios(found.quotients)]


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("spread", [0, 0.1])
def test_nothing_is_cut_off(tmp_path, width, spread):
    costs = {name: cost * 997 for name, cost in COSTS.items()}
    found = shown(tmp_path, dataclasses.replace(A32, costs=costs, spread=spread))
    for grid in grids(found):
        out = Console(file=io.StringIO(), width=width)
        terminal.print_grid(dataclasses.replace(grid, caption="", notes=()), out)
        text = out.file.getvalue()
        assert all(len(line) <= width for line in text.splitlines())
        cells = "".join(str(cell) for row in grid.rows for cell in row) + "".join(c.head for c in grid.columns)
        lost = Counter(cells.replace(" ", "")) - Counter(text)
        assert not lost, (grid.caption, lost)


def test_names_and_numbers_stay_whole_beside_a_long_text():
    name, number, text = "counter/" + "a" * 30, "1.273x (1.273 .. 1.273)", "what comparing costs over not comparing"
    grid = build_grid("", ("slow / fast", "alone on the core", "what it is"), "-n-", [(name, number, text)])
    shown_ = printed(terminal.print_grid, grid)
    assert f"{name}  {number}  what comparing costs" in shown_
    assert all(shown_.count(word) for word in text.split())


def test_a_run_on_hardware_keeps_its_headings(tmp_path):
    found = shown(tmp_path, Simulation(rounds=8))
    heads = [column.head for column in of_run.tabulate_patch_table(found.patch_tables[0]).columns]
    assert heads == ["machine", "instead of", "ns/op", "rseq, ns/op", "speedup"]


def test_a_count_that_changes_shows_its_range(tmp_path):
    found = shown(tmp_path, dataclasses.replace(A32, spread=0.05))
    row = next(one.row for one in found.measured if one.benchmark == "rcu/getcpu_atomic")
    assert row.gross.is_range
    assert row.gross.low < row.gross.value < row.gross.high
    assert re.search(r"^getcpu_atomic +\S+ \(\S+ \.\. \S+\)", printed(terminal.print_run, found), re.MULTILINE)


# ---- claims ----


def test_a_claim_in_time_is_never_judged_by_instructions(a32):
    found = {one.claim.id: one for one in a32.judged if one.measured and one.claim.kind == "speedup"}
    assert set(found) == {"counter-arm32", "lttng-arm32", "liburcu-arm32", "getcpu-arm32"}
    assert {one.verdict.word for one in found.values()} == {VerdictWord.NOT_COMPARABLE}
    reasons = {name: explain(one.verdict.reasons) for name, one in found.items()}
    assert reasons["counter-arm32"] == (
        "same direction, 13x in instructions; time not comparable; "
        "rseq_atomic takes fewer instructions than rseq, but instructions do not price an atomic"
    )
    assert reasons["getcpu-arm32"] == "same direction, 158x in instructions without the loop; time not comparable"
    assert "time not comparable, and the kernel is the bare operation" in reasons["lttng-arm32"]


def test_the_unit_of_what_was_measured_is_in_the_data(a32):
    rows = {row["claim"]: row for row in csv.DictReader(io.StringIO(data.to_csv(data.verdicts(a32.judged))))}
    assert rows["counter-arm32"]["measured_unit"] == "x of instructions"
    assert rows["counter/rseq@arm32"]["measured_unit"] == "instructions/op"
    assert rows["counter-x86_64"]["measured_unit"] == ""
    assert float(rows["counter/rseq@arm32"]["measured"]) == 11


# ---- two runs ----


def test_counts_that_repeat_are_equal(tmp_path):
    found = pair(tmp_path, A32, dataclasses.replace(A32, label="b32", seed=2))
    assert {(row.word, row.p) for row in found.rows} == {(Outcome.EQUAL, None)}
    assert "insn/op" in of_comparison.tabulate_comparison(found)[0].caption
    assert of_comparison.tabulate_speedups(found).caption == "Quotients inside each run, insn/op"


@pytest.mark.parametrize(("more", "word"), [(1, Outcome.MORE), (-1, Outcome.FEWER)])
def test_one_instruction_in_a_million_is_a_difference(tmp_path, more, word):
    costs = {**COSTS, "freelist/getcpu_cas": COSTS["freelist/getcpu_cas"] + more}
    found = pair(tmp_path, dataclasses.replace(A32, rounds=1), dataclasses.replace(A32, label="b32", costs=costs))
    assert [(row.benchmark, row.word) for row in found.rows if row.word != Outcome.EQUAL] == [
        ("freelist/getcpu_cas", word)
    ]


def test_counts_whose_rounds_overlap_are_not_resolved(tmp_path):
    noisy = dataclasses.replace(A32, spread=0.05)
    found = pair(tmp_path, noisy, dataclasses.replace(noisy, label="b32", seed=2))
    row = next(row for row in found.rows if row.benchmark == "rcu/getcpu_atomic")
    assert (row.word, explain(row.reasons)) == (Outcome.UNRESOLVED, "the counts overlap")


@pytest.mark.parametrize(
    ("rounds", "word"), [(3, Outcome.UNRESOLVED), (4, Outcome.MORE), (5, Outcome.MORE)]
)  # 2 in 20 orders by chance, 2 in 70, 2 in 252
def test_counts_that_do_not_repeat_differ_only_where_there_are_enough(tmp_path, rounds, word):
    noisy = dataclasses.replace(A32, spread=0.001, rounds=rounds)
    costs = {**COSTS, "freelist/getcpu_cas": COSTS["freelist/getcpu_cas"] * 1.1}
    found = pair(tmp_path, noisy, dataclasses.replace(noisy, label="b32", costs=costs, seed=2))
    row = next(row for row in found.rows if row.benchmark == "freelist/getcpu_cas")
    assert row.word == word
    if word == Outcome.UNRESOLVED:
        assert explain(row.reasons) == "3 and 3 counts that do not repeat lie apart by chance in 10% of cases"


def test_a_limit_on_slowdowns_is_one_on_instructions(tmp_path):
    found = pair(tmp_path, A32, dataclasses.replace(A32, label="b32", costs={**COSTS, "counter/rseq": 12}))
    worst = regression_gate.worst_slowdown(found.rows)
    assert prose.slower(worst, "a32", "b32", 5) == (
        "counter/rseq takes 9.1% more instructions in b32 than in a32, more than 5%"
    )
    assert prose.slower(worst, "a32", "b32", 10) == ""


def test_time_and_instructions_are_held_against_each_other_nowhere(tmp_path):
    found = pair(tmp_path, Simulation("x", arch="arm32", rounds=8, skips=()), A32)
    both = [row for row in found.rows if row.a and row.b]
    assert both
    assert {(row.word, row.ratio, row.p) for row in both} == {(Outcome.NOT_COMPARABLE, None, None)}
    heads = [column.head for column in of_comparison.tabulate_comparison(found)[0].columns]
    assert heads[1:3] == ["x (ns/op)", "a32 (insn/op)"]
    assert [column.head for column in of_comparison.tabulate_speedups(found).columns][2:] == heads[1:3]
    assert {(row["a_unit"], row["b_unit"]) for row in data.speedups(found)} == {("x", "x of instructions")}


def test_instructions_with_linux_are_not_those_without(tmp_path):
    found = pair(tmp_path, A32, dataclasses.replace(A32, label="u32", target=USER_ONLY))
    assert {(row.word, explain(row.reasons)) for row in found.rows} == {
        (Outcome.NOT_COMPARABLE, "instructions against user instructions")
    }


def test_two_emulated_architectures_have_rows_of_their_own(tmp_path):
    found = pair(tmp_path, A32, dataclasses.replace(A32, label="a64", arch="arm64"))
    assert {(row.arch, row.word) for row in found.rows} == {("arm32", Outcome.MISSING), ("arm64", Outcome.MISSING)}
