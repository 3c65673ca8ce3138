"""The mail: plain ASCII, 76 columns, nothing that a mail program or git takes for its own, whatever is in it."""

import dataclasses
import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rseqbench.analysis import summary as tables
from rseqbench.config import load
from rseqbench.model import REPLAY, Skip
from rseqbench.report.formatting import FormattedNumber
from rseqbench.report.run_view import build_run_view
from rseqbench.report.tables import Reason, build_grid
from rseqbench.report.text import ascii_table, mail
from rseqbench.store.runs import PATCH, Store
from tests.support import hostile_text
from tests.support.emulated_runs import A32
from tests.support.kernel_config_runs import REGISTERED, N, Y
from tests.support.readback import section
from tests.support.simulated_runs import COSTS, FACTS, SKIPS, Simulation, shown, store

RULES = load().verdict


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=12))


# ---- one run ----


def test_three_lines_come_first(laptop):
    lines = hostile_text.sound(mail.render_run(laptop))
    assert lines[0] == "Run:    32 benchmarks on x86_64, Imagined Xeon @ 2.40GHz, Linux 6.1.0"
    brief = "\n".join(lines).partition("\n\n")[0].replace("\n        ", " ").splitlines()
    assert len(brief) == 3
    assert re.fullmatch(r"Claims: 5 reproduced, .*; 11 not measured", brief[1])
    assert brief[2] == "Limits: Exact, but its check did not meet all that it should have met (see the checks)"


def test_sections_stand_in_the_order_in_which_they_are_asked_for(laptop):
    lines = mail.render_run(laptop).splitlines()
    titles = [line for line, under in itertools.pairwise(lines) if re.fullmatch("=+", under)]
    assert titles == [
        "The patch's tables, this run beside them",
        "Verdicts",
        "Claims that were not measured here, and why",
        "What limits this",
        "The message's own arithmetic",
        "Everything measured",
        "Benchmarks without a value, and why",
        "The times in the message's tables",
        "Times in the message's tables that were not measured here, and why",
        "Machine and build",
        "To reproduce",
    ]


def test_the_patch_s_table_stands_as_in_the_message_with_the_run_beside(laptop):
    table = section(mail.render_run(laptop), "The patch's tables, this run beside them")
    rows = {tuple(line.split()[:3]): line.split()[3:] for line in table.splitlines() if "getcpu+atomic" in line}
    assert rows["patch,", "arm32", "getcpu+atomic"] != []
    first = table.partition("- LTTng")[0]
    assert re.search(r"^patch, x86_64 +getcpu\+atomic +15\.3 +2\.0 +7\.7x$", first, re.MULTILINE)
    assert re.search(
        r"^this run +getcpu\+atomic +5\.\d+ +0\.\d+ +8\.\d+x +\(8\.\d+ \.\. 8\.\d+\)$", first, re.MULTILINE
    )


def test_numbers_stand_right_under_each_other(laptop):
    table = section(mail.render_run(laptop), "Everything measured").partition("- ring_buffer")[0]
    rows = [line for line in table.splitlines() if " .. " in line]
    ends = {match.start() for line in rows for match in [re.search(r" +\(", line)]}
    first = {line.index(")") for line in rows}
    assert len(rows) > 5
    assert len(first) == 1
    assert ends


def test_a_skip_says_its_reason_once_for_all_that_it_keeps_away(tmp_path):
    skips = tuple(Skip(name, 1, "rseq: ENOSYS under qemu-user") for name in ("counter/rseq", "rcu/rseq"))
    text = mail.render_run(shown(tmp_path, Simulation(rounds=8, skips=(*SKIPS, *skips))))
    lacking = section(text, "Benchmarks without a value, and why")
    assert lacking.count("rseq: ENOSYS under qemu-user") == 1
    assert "    counter/rseq, rcu/rseq\n" in f"{lacking}\n"


def test_emulated_runs_say_instructions_and_never_time(tmp_path):
    found = shown(tmp_path, A32)
    text = mail.render_run(found)
    hostile_text.sound(text)
    assert text.splitlines()[0].endswith("in instructions") or "in instructions" in " ".join(text.split())[:200]
    assert not re.search(r"\d ns/op", text)
    measured = section(text, "Everything measured")
    assert "insn/op" in measured
    assert "ns/op" not in measured
    assert "faster" not in section(text, "Verdicts")


def test_the_message_s_own_run_is_shown_without_anything_beside_it(tmp_path):
    patch = Store(tmp_path).load(PATCH)
    text = mail.render_run(build_run_view(patch, patch, RULES))
    lines = hostile_text.sound(text)
    assert lines[0].startswith("Run:    ") and "printed values" in lines[0]
    assert "this run" not in text
    assert "Claims: 12 of 13 agree with the message's own tables" in lines
    assert re.search(r"^lsl-x86_64 .* NO$", text, re.MULTILINE)
    assert not re.search("reproduced|no difference resolved|weaker", text)


def test_several_threads_are_named(tmp_path):
    text = mail.render_run(shown(tmp_path, Simulation(rounds=8, threads={"counter/rseq": 4})))
    assert re.search(r"^rseq \(4t\) +0\.\d+ +\(", text, re.MULTILINE)


def test_a_machine_of_which_nothing_is_known_gets_its_mail(tmp_path):
    lines = hostile_text.sound(mail.render_run(shown(tmp_path, Simulation(rounds=8, facts={}))))
    assert lines[0] == "Run:    32 benchmarks on x86_64, an unknown CPU"


def test_a_replay_says_so_in_its_first_line_and_beside_its_values(tmp_path):
    text = mail.render_run(shown(tmp_path, Simulation(rounds=8, target=REPLAY)))
    assert text.startswith("Run:    REPLAY of a recorded run, nothing was measured here: 32 benchmarks")
    assert "this run " not in section(text, "The patch's tables, this run beside them").replace("this run's", "")
    assert "REPLAYED run" in text


def test_an_empty_run_says_so_in_its_first_line(tmp_path):
    lines = hostile_text.sound(mail.render_run(shown(tmp_path, Simulation(rounds=2, costs={}, skips=()))))
    assert lines[0] == "Run:    nothing was measured on x86_64, Imagined Xeon @ 2.40GHz, Linux 6.1.0"
    assert "- Nothing was measured: no benchmark was selected." in lines


def test_a_run_in_which_everything_was_skipped_says_so_and_why(tmp_path):
    skips = tuple(Skip(name, 1, "no rseq in this Linux") for name in COSTS)
    lines = hostile_text.sound(mail.render_run(shown(tmp_path, Simulation(rounds=2, skips=skips))))
    assert "".join(lines[:3]).startswith("Run:    nothing was measured on ")
    why = f": all {len(COSTS)} skipped: no rseq in this Linux"
    assert why in " ".join(line.strip() for line in lines[:3])
    assert f"Nothing was measured{why}." in " ".join(line.strip() for line in lines)
    summary = shown(tmp_path, Simulation(rounds=2, skips=skips)).summary
    assert summary.startswith("Nothing was measured on ") and summary.endswith(f"{why}.")
    assert "- no rseq in this Linux:" in lines


# ---- comparisons ----


def test_a_comparison_is_a_row_a_benchmark(tmp_path):
    results = Store(tmp_path)
    slower = {**COSTS, "counter/rseq": 0.93}
    runs = [
        store(results, Simulation(label="before", rounds=12)),
        store(results, Simulation(label="after", rounds=12, seed=3, costs=slower)),
    ]
    text = mail.render_comparison(runs, [tables.compare_runs(*runs, RULES)], RULES)
    lines = hostile_text.sound(text)
    assert lines[0].startswith("Runs:   32 benchmarks of after against before, all on x86_64, Imagined Xeon")
    assert any(re.fullmatch(r"Result: 1 slower, .*equal.*", line) for line in lines[:3])
    assert re.search(r"^counter/rseq +0\.62\d* +0\.93\d* +1\.[45]\d*x +\(1\.\d+ \.\. 1\.\d+\)  >$", text, re.MULTILINE)
    assert "  > slower" in lines
    assert "  rseqbench compare before after" in lines


def test_linux_without_and_with_rseq_has_its_sizes_and_claims(tmp_path):
    results = Store(tmp_path)
    runs = [store(results, one) for one in (N, Y, REGISTERED)]
    text = mail.render_comparison(runs, [tables.compare_runs(runs[0], one, RULES) for one in runs[1:]], RULES)
    hostile_text.sound(text)
    assert re.search(r"^text +6,595,469 +6,595,689 +\+220 +\+567$", text, re.MULTILINE)
    assert re.search(r"^size-text +567 bytes +\+1,495 bytes +contradicted ", text, re.MULTILINE)
    assert re.search(r"^CONFIG_RSEQ +n +y", text, re.MULTILINE)
    assert re.search(r"^linux/pipe_one_cpu +6,695 +\+100 \(\+1\.49%\)  >", text, re.MULTILINE)


def test_facts_that_all_runs_share_are_told_once(tmp_path):
    results = Store(tmp_path)
    facts = {**FACTS, "linux": "6.12.0"}
    runs = [
        store(results, Simulation(label="a", rounds=8)),
        store(results, Simulation(label="b", rounds=8, facts=facts)),
    ]
    text = section(mail.render_comparison(runs, [tables.compare_runs(*runs, RULES)], RULES), "Machine and build")
    assert text.count("Imagined Xeon @ 2.40GHz") == 1
    assert re.search(r"^Linux +6\.1\.0-18-amd64 +6\.12\.0$", text, re.MULTILINE)


def test_two_runs_without_a_value_say_that_there_is_nothing_to_compare(tmp_path):
    results = Store(tmp_path)
    runs = [store(results, Simulation(label=label, rounds=2, costs={}, skips=())) for label in ("a", "b")]
    lines = hostile_text.sound(mail.render_comparison(runs, [tables.compare_runs(*runs, RULES)], RULES))
    assert "Result: nothing to compare: no run has a value" in lines[:3]


# ---- bad input ----


def test_what_ascii_has_not_is_spelled_out():
    assert ascii_table.ascii_of("\u201cIntel\u00ae Core\u2122\u201d 3 \u00b5s \u2026 10\u00b2 \u05d0") == (
        '"Intel(R) Core(TM)" 3 us ... 10\\xb2 \\u05d0'
    )


@pytest.mark.parametrize("line", ["From me", "---", "--", "diff a", "Index: x", "> x", "# x"])
def test_a_line_that_means_something_to_tools_is_moved_by_a_space(line):
    assert ascii_table.document([line]) == f" {line}\n"


TEXT = st.text(max_size=60) | st.sampled_from(list(hostile_text.TEXTS.values()))
CELL = TEXT | st.builds(FormattedNumber, st.just("123.45x"), st.sampled_from(["", "120.01 .. 130.99"]), st.just(""))


@st.composite
def grids(draw):
    columns = draw(st.integers(2, 7))
    kinds = "-" + draw(st.text("-n", min_size=columns - 1, max_size=columns - 1))
    rows = draw(st.lists(st.tuples(TEXT, *[CELL] * (columns - 1)), max_size=5))
    cut = draw(st.integers(1, columns - 1))
    ending = [(*row[:cut], Reason(draw(TEXT))) for row in draw(st.lists(st.tuples(*[TEXT] * columns), max_size=2))]
    return build_grid(draw(TEXT), draw(st.tuples(*[TEXT] * columns)), kinds, [*rows, *ending], [draw(TEXT)])


@settings(max_examples=100)
@given(grids())
def test_no_table_is_wider_than_a_mail(grid):
    text = ascii_table.document(ascii_table.table(grid))
    assert text.isascii()
    assert all(len(line) <= 76 for line in text.splitlines())


@settings(max_examples=100)
@given(grids())
def test_no_word_of_a_table_is_lost(grid):
    seen = re.sub(r"\s", "", ascii_table.document(ascii_table.table(grid)))
    for row in grid.rows:
        for cell in row:
            for word in ascii_table.ascii_of(str(cell)).split():
                assert set(word) <= set(seen)
                assert len(word) > 15 or word in seen


def test_limits_that_do_not_fit_a_line_are_counted():
    assert ascii_table.joined("Limits: ", ["a virtual machine", "b" * 70, "c"], "below") == [
        "Limits: a virtual machine; and 2 more, below"
    ]


def test_a_mail_of_the_same_run_is_the_same(laptop):
    assert mail.render_run(laptop) == mail.render_run(dataclasses.replace(laptop))
