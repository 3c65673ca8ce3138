"""Markdown for a pull request: read by a real parser, it says what the run says."""

import pytest

from rseqbench.analysis import summary
from rseqbench.config import load
from rseqbench.model import Skip
from rseqbench.report.text import markdown
from rseqbench.store.runs import Store
from tests.support import readback
from tests.support.kernel_config_runs import N, Y
from tests.support.simulated_runs import COSTS, Simulation, shown, store

RULES = load().verdict


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    return markdown.render_run(shown(tmp_path_factory.mktemp("results"), Simulation(rounds=12)))


def test_three_lines_come_first(laptop):
    tokens = readback.markdown_tokens(laptop)
    end = next(number for number, token in enumerate(tokens) if token.type == "bullet_list_close")
    lines = [readback.markdown_text(token) for token in tokens[:end] if token.type == "inline"]
    assert [line.partition(":")[0] for line in lines] == ["Run", "Claims", "Limits"]
    assert lines[0] == "Run: 32 benchmarks on x86_64, Imagined Xeon @ 2.40GHz, Linux 6.1.0"


def test_verdicts_and_the_patch_s_tables_are_seen_and_all_else_is_folded(laptop):
    first = laptop.partition("<details>")[0]
    captions = [table.caption for table in readback.markdown_tables(first)]
    assert captions[0] == "What the patch claimed, what was measured, and whether it holds"
    assert "Per-CPU statistic counter increment" in captions
    folded = [part.partition("</summary>")[0].rpartition("<summary>")[2] for part in laptop.split("<details>")[1:]]
    assert folded == [
        "In words",
        "What limits this",
        "The message's own arithmetic",
        "The other claims",
        "Everything measured, skipped and checked",
        "Machine and build",
        "To reproduce",
    ]
    assert laptop.count("</details>") == len(folded)


def test_commands_can_be_copied(laptop):
    fence = next(token for token in readback.markdown_tokens(laptop) if token.type == "fence")
    assert fence.info == "sh"
    assert "rseqbench run --label simulated\n" in fence.content


def test_a_fence_is_longer_than_what_is_in_it():
    block = markdown._commands(["````", "b"])
    (fence,) = [token for token in readback.markdown_tokens(block) if token.type == "fence"]
    assert fence.content == "````\nb\n"


def test_linux_without_and_with_rseq_has_its_sizes(tmp_path):
    results = Store(tmp_path)
    runs = [store(results, one) for one in (N, Y)]
    text = markdown.render_comparison(runs, [summary.compare_runs(*runs, RULES)], RULES)
    found = {table.heads[0]: table for table in readback.markdown_tables(text)}
    assert ["__rseq_handle_notify_resume", "0", "837", "+837"] in found["symbol"].rows
    assert "<summary>The Linuxes</summary>" in text


def test_an_empty_run_and_one_of_skips_say_so(tmp_path):
    skips = tuple(Skip(name, 1, "no rseq here") for name in COSTS)
    for simulation in (Simulation(rounds=2, costs={}, skips=()), Simulation(rounds=2, skips=skips)):
        assert markdown.render_run(shown(tmp_path, simulation)).startswith("- **Run:** nothing was measured on ")


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("@user", "@&#8203;user"),
        ("a @org/team", "a @&#8203;org/team"),
        ("#12", "\\#&#8203;12"),
        ("counter/rseq@arm32", "counter/rseq@arm32"),
        ("a|b", "a&#124;b"),
        ("- a", "\\- a"),
        ("12. a", "12\\. a"),
        ("-a", "-a"),
        ("8.5x", "8.5x"),
        ("counter/getcpu_atomic", "counter/getcpu_atomic"),
        ("__schedule", "\\_\\_schedule"),
        ("https://x.example", "https:&#8203;//x.example"),
    ],
)
def test_escapes(text, escaped):
    assert markdown.escape(text) == escaped
