"""rseqbench/analysis/kernel_config.py: what two runs say of the claims about Linux without and with CONFIG_RSEQ."""

import dataclasses

import pyperf
import pytest

from rseqbench.analysis import dataset, kernel_config, patch_claims, stats, summary
from rseqbench.analysis.outcomes import Outcome
from rseqbench.model import Case, CaseKey, Facts, Machine, Plan, Registration, Skip, VerdictWord
from rseqbench.report.reasons import config_measured, explain
from rseqbench.report.tables import kernel_config as kernel_config_tables
from rseqbench.store.runs import Header, Run
from rseqbench.support.attachments import KernelSizes
from tests.support.requirements import defaults

RULES = defaults().verdict
CASE = Case(kernel_config.HACKBENCH, 1, Registration.NONE)
# As `size` has Linux 6.12 in one small configuration, and by symbol.
N_SIZES = KernelSizes(6595469, 2025968, 0, {}, {"t __schedule": 1367, "d init_task": 6464})
Y_SIZES = KernelSizes(
    6595689, 2026032, 0, {}, {"t __schedule": 1367, "t rseq": 1800, "d init_task": 6528, "r words": 4000}
)


def run(
    tmp_path, label, values, *, rseq="y", timing="hardware", boots=1, arch="x86_64", sizes=None, skips=(), loops=100000
):
    """Store what hackbench took in each round, seconds or instructions, as a run of one configuration."""
    unit = "integer" if timing == "emulated" else "second"
    plan = Plan((CASE,), skips, max(1, len(values)), 1, 1.0, 1, "gated", "boot", (0,), boots, f"-l {loops}")
    facts = {"config_rseq": rseq, "linux_source": "Linux 6.12", "linux_base": "small"}
    header = Header(label, "", "rseqbench run", plan, (Machine(arch, "runner", timing, Facts.from_dict(facts)),))
    common = {"name": CASE.id, "benchmark": CASE.benchmark, "arch": arch, "threads": 1, "engine": "whole", "unit": unit}
    common |= {"registration": "none", "aborts": 0, "loops": 1}
    runs = [
        pyperf.Run([value], metadata={**common, "round": number}, collect_metadata=False)
        for number, value in enumerate(values)
    ]
    folder = tmp_path / label
    folder.mkdir()
    if sizes:
        sizes.save(folder / "sizes.json")
    return Run(folder, header, pyperf.BenchmarkSuite([pyperf.Benchmark(runs)]) if runs else [])


def with_facts(run, **facts):
    machine = run.header.machines[0]
    machine = dataclasses.replace(machine, facts=machine.facts | Facts(**facts))
    return dataclasses.replace(run, header=dataclasses.replace(run.header, machines=(machine,)))


def judged(n, y):
    frame = dataset.collapse_boots(dataset.build([n, y]))
    return {one.claim.id: one for one in kernel_config.judge(n, y, frame, RULES)}


def spread(middle, count=10, width=0.004):
    return [middle * (1 + width * (number - (count - 1) / 2) / count) for number in range(count)]


# ---- hackbench ----


def test_the_patch_s_own_two_rows_are_checked_by_their_deviations():
    own = patch_claims.arithmetic(next(c for c in patch_claims.written_claims() if c.id == "hackbench-faster"), None)
    assert own.value == pytest.approx(41.37 / 40.46)
    # Welch by hand: relative standard errors 0.00275 and 0.00258, 17.9 degrees of freedom, t = 2.10
    assert (own.low, own.high) == pytest.approx((1.0144, 1.0306), abs=2e-4)
    assert own.agrees


@pytest.mark.parametrize(("degrees", "quantile"), [(5, 2.5706), (9, 2.2622), (17.9, 2.1018), (30, 2.0423), (1e6, 1.96)])
def test_student_s_quantile_is_the_one_of_the_tables(degrees, quantile):
    assert stats.student_quantile(0.95, degrees) == pytest.approx(quantile, abs=1e-3)


@pytest.mark.parametrize(
    ("without", "word"),
    [
        (41.37, VerdictWord.REPRODUCED),
        (40.46 * 1.035, VerdictWord.STRONGER),  # the message's own rows allow 1.014 .. 1.031
        (40.46 * 1.010, VerdictWord.WEAKER),
        (40.46 * 1.004, VerdictWord.UNRESOLVED),
        (39.0, VerdictWord.CONTRADICTED),
    ],
)
def test_seconds_of_the_message_s_command_are_judged(tmp_path, without, word):
    n, y = run(tmp_path, "n", spread(without), rseq="n"), run(tmp_path, "y", spread(40.46))
    found = judged(n, y)
    assert found["hackbench-faster"].verdict.word == word
    assert config_measured(found["hackbench-n"]) == f"{without:.3f} s"
    assert found["hackbench-y"].verdict.word == VerdictWord.NOT_COMPARABLE


def test_a_scaled_down_command_is_not_held_against_the_message_s(tmp_path):
    n, y = run(tmp_path, "n", spread(0.4137), rseq="n", loops=1000), run(tmp_path, "y", spread(0.4046), loops=1000)
    verdict = judged(n, y)["hackbench-faster"].verdict
    assert verdict.word == VerdictWord.NOT_COMPARABLE
    assert "-l 1000" in explain(verdict.reasons) and "-l 100000" in explain(verdict.reasons)


def test_instructions_are_no_time(tmp_path):
    n = run(tmp_path, "n", [226_000_000] * 4, rseq="n", timing="emulated")
    y = run(tmp_path, "y", [228_260_000] * 4, timing="emulated")
    said = judged(n, y)["hackbench-faster"]
    assert said.verdict.word == VerdictWord.NOT_COMPARABLE
    assert "takes 1.0% more instructions with CONFIG_RSEQ" in explain(said.verdict.reasons)
    assert config_measured(judged(n, y)["hackbench-n"]) == "226,000,000 instructions"


def test_what_was_not_measured_says_why(tmp_path):
    n = run(tmp_path, "n", [], rseq="n", skips=(Skip(kernel_config.HACKBENCH, 1, "no /usr/bin/hackbench"),))
    y = run(tmp_path, "y", spread(40.46))
    verdict = judged(n, y)["hackbench-n"].verdict
    assert (verdict.word, explain(verdict.reasons)) == (VerdictWord.NOT_MEASURED, "n: no /usr/bin/hackbench")


# ---- sizes ----


def test_sizes_are_judged_by_symbol_and_named_by_size_too(tmp_path):
    n = run(tmp_path, "n", spread(41.0), rseq="n", sizes=N_SIZES)
    y = run(tmp_path, "y", spread(40.0), sizes=Y_SIZES)
    found = judged(n, y)
    assert (config_measured(found["size-text"]), found["size-text"].verdict.word) == (
        "+1,800 bytes",
        VerdictWord.CONTRADICTED,
    )
    assert "+1,800 by symbol, +220 by `size`; Linux 6.12, small configuration" in explain(
        found["size-text"].verdict.reasons
    )
    assert (config_measured(found["size-data"]), found["size-data"].verdict.word) == ("+64 bytes", VerdictWord.STRONGER)


@pytest.mark.parametrize(
    ("grown", "word"),
    [
        (567, VerdictWord.REPRODUCED),
        (511, VerdictWord.REPRODUCED),
        (509, VerdictWord.STRONGER),
        (630, VerdictWord.REPRODUCED),
        (631, VerdictWord.CONTRADICTED),
        (-40, VerdictWord.STRONGER),
    ],
)
def test_the_rules_for_a_size(tmp_path, grown, word):
    claim = next(c for c in patch_claims.written_claims() if c.id == "size-text")
    machine = Machine("x86_64", "runner", "hardware")
    assert kernel_config.size_verdict(claim, grown, 0, machine, RULES).word == word


def test_a_run_that_booted_no_linux_of_ours_has_no_size(tmp_path):
    n, y = run(tmp_path, "n", spread(41.0), rseq="n"), run(tmp_path, "y", spread(40.0), sizes=Y_SIZES)
    assert judged(n, y)["size-text"].verdict.word == VerdictWord.NOT_MEASURED


def test_another_architecture_has_no_such_claim(tmp_path):
    n = run(tmp_path, "n", spread(41.0), rseq="n", arch="arm32", sizes=N_SIZES)
    y = run(tmp_path, "y", spread(40.0), arch="arm32", sizes=Y_SIZES)
    assert explain(judged(n, y)["size-text"].verdict.reasons) == "an x86_64 claim; these runs are arm32"


@pytest.mark.parametrize("pair", [("y", "y"), ("y", "n"), ("n", "n"), ("unknown", "y")])
def test_only_without_against_with_is_such_a_pair(tmp_path, pair):
    n, y = (run(tmp_path, f"{i}", spread(41.0), rseq=rseq) for i, rseq in enumerate(pair))
    assert judged(n, y) == {}


# ---- boots ----


def test_boots_take_the_place_of_rounds_where_there_are_several(tmp_path):
    values = [10.0, 11.0, 12.0, 20.0, 22.0, 21.0]
    several, single = run(tmp_path, "a", values, boots=2), run(tmp_path, "b", values)
    frame = dataset.collapse_boots(dataset.build([several, single]))
    assert dataset.series(frame, "a", CaseKey("x86_64", CASE.benchmark)).to_dict() == {0: 11e9, 1: 21e9}
    assert len(dataset.series(frame, "b", CaseKey("x86_64", CASE.benchmark))) == 6
    row = next(row for row in dataset.summarise(frame, 0.95) if row.label == "a")
    assert (row.gross.value, row.gross.n, row.operations) == (16e9, 2, 6)
    assert frame["interrupted"].isna().all()


def test_a_table_without_boots_stays_as_it_is(tmp_path):
    frame = dataset.build([run(tmp_path, "a", spread(40.0))])
    assert dataset.collapse_boots(frame) is frame


def test_a_plan_spreads_its_rounds_evenly():
    plan = Plan((CASE,), (), 6, 1, 1.0, 1, "counted", "boot", (0,), 3)
    assert [plan.boot(number) for number in range(6)] == [0, 0, 1, 1, 2, 2]
    assert plan.rounds_of(1) == [2, 3]
    assert dataclasses.replace(plan, boots=1).rounds_of(0) == list(range(6))


# ---- pairs that differ in more ----


def test_counts_that_overlap_have_no_direction(tmp_path):
    n = run(tmp_path, "n", [226, 230, 228, 227], rseq="n", timing="emulated")
    y = run(tmp_path, "y", [227, 231, 229, 228], timing="emulated")
    said = judged(n, y)["hackbench-faster"]
    assert config_measured(said) == "0.996x (0.978 .. 1.013)"
    assert "no difference resolved, the counts overlap" in explain(said.verdict.reasons)
    assert "more" not in explain(said.verdict.reasons) and "fewer" not in explain(said.verdict.reasons)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"linux": "6.19.1-y"}, "Linux's version: 6.12.117 against 6.19.1"),
        ({"linux_source": "Linux 6.19"}, "the source of Linux: Linux 6.12 against Linux 6.19"),
        ({"linux_base": "/boot/config"}, "its configuration: small against /boot/config"),
        ({"linux_compiler": "clang"}, "its compiler: not known against clang"),
    ],
)
def test_another_linux_says_nothing_of_config_rseq(tmp_path, changes, words):
    n, y = (
        with_facts(
            run(tmp_path, rseq, spread(seconds), rseq=rseq, sizes=sizes), **{"linux": f"6.12.117-{rseq}", **more}
        )
        for rseq, seconds, sizes, more in (("n", 41.37, N_SIZES, {}), ("y", 40.46, Y_SIZES, changes))
    )
    found = judged(n, y)
    for name in ("hackbench-faster", "size-text", "size-data"):
        assert found[name].verdict.word == VerdictWord.NOT_COMPARABLE
        assert explain(found[name].verdict.reasons).endswith(words)


def test_what_a_build_calls_itself_is_no_difference(tmp_path):
    n, y = (
        with_facts(run(tmp_path, rseq, spread(seconds), rseq=rseq), linux=f"6.12.117-{rseq}")
        for rseq, seconds in (("n", 41.37), ("y", 40.46))
    )
    assert judged(n, y)["hackbench-faster"].verdict.word == VerdictWord.REPRODUCED


def test_another_cpu_or_kind_of_time_says_nothing_of_config_rseq(tmp_path):
    n = run(tmp_path, "n", spread(41.37), rseq="n")
    other = with_facts(run(tmp_path, "other", spread(40.46)), cpu="Imagined Xeon")
    virtual = run(tmp_path, "virtual", spread(40.46), timing="virtual")
    for y, words in ((other, "the CPU: not known against Imagined Xeon"), (virtual, "time: hardware against virtual")):
        verdict = judged(n, y)["hackbench-faster"].verdict
        assert verdict.word == VerdictWord.NOT_COMPARABLE
        assert explain(verdict.reasons).endswith(words)


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        ({"cpu": "AMD EPYC"}, {"cpu": "AMD EPYC"}, None),
        ({"cpu": "AMD EPYC"}, {"cpu": "AMD EPYC", "cpu_model": "family 25"}, None),
        ({"cpu": "AMD EPYC", "cpu_model": "family 25"}, {"cpu": "AMD EPYC", "cpu_model": "family 25"}, None),
        (
            {"cpu": "AMD EPYC", "cpu_model": "family 25"},
            {"cpu": "AMD EPYC", "cpu_model": "family 26"},
            ("AMD EPYC (family 25)", "AMD EPYC (family 26)"),
        ),
        ({"cpu": "AMD EPYC", "cpu_model": "family 25"}, {"cpu": "Xeon"}, ("AMD EPYC", "Xeon")),
        ({"cpu": "AMD EPYC"}, {}, ("AMD EPYC", "not known")),
    ],
)
def test_machines_are_the_same_by_the_name_and_the_model_of_their_cpu(tmp_path, a, b, told):
    machines = [Machine("x86_64", "native", "hardware", Facts(**facts)) for facts in (a, b)]
    assert kernel_config.other_cpu(*machines) == told
    assert kernel_config.other_cpu(*machines[::-1]) == (told[::-1] if told else None)
    header = run(tmp_path, "any", [1.0]).header
    headers = [dataclasses.replace(header, machines=(machine,)) for machine in machines]
    assert kernel_config.same_machine(*headers) == (told is None)
    assert not kernel_config.same_machine(headers[0], dataclasses.replace(headers[1], machines=(machines[1],) * 2))


def test_hackbench_with_other_arguments_is_another_program(tmp_path):
    n = run(tmp_path, "n", spread(41.37), rseq="n")
    y = run(tmp_path, "y", spread(0.4046), loops=1000)
    assert explain(judged(n, y)["hackbench-faster"].verdict.reasons).endswith(
        "hackbench -l 100000 against hackbench -l 1000"
    )
    row = next(row for row in summary.compare_runs(n, y, RULES).rows if row.benchmark == kernel_config.HACKBENCH)
    assert (row.word, explain(row.reasons), row.ratio) == (Outcome.NOT_COMPARABLE, "-l 100000 against -l 1000", None)


def test_two_architectures_are_no_such_pair(tmp_path):
    n = run(tmp_path, "n", spread(41.0), rseq="n", sizes=N_SIZES)
    y = run(tmp_path, "y", spread(40.0), arch="arm32", sizes=Y_SIZES)
    assert judged(n, y) == {}
    found = summary.compare_runs(n, y, RULES)
    assert (found.sizes, found.options) == (None, {})


def test_the_options_that_differ_beside_rseq_stand_with_a_size(tmp_path):
    n, y = run(tmp_path, "n", [], rseq="n", sizes=N_SIZES), run(tmp_path, "y", [], sizes=Y_SIZES)
    (n.folder / "linux.config").write_text("# CONFIG_RSEQ is not set\n")
    (y.folder / "linux.config").write_text("CONFIG_RSEQ=y\nCONFIG_SCHED_MM_CID=y\n")
    assert explain(judged(n, y)["size-text"].verdict.reasons).endswith("; the two differ in CONFIG_SCHED_MM_CID too")


def test_a_linux_whose_options_nobody_knows_differs_in_none(tmp_path):
    n, y = run(tmp_path, "n", spread(41.0), rseq="n"), run(tmp_path, "y", spread(40.0))
    (y.folder / "linux.config").write_text("CONFIG_RSEQ=y\nCONFIG_64BIT=y\n")
    assert summary.compare_runs(n, y, RULES).options == {}


def test_only_a_proved_difference_is_said_to_come_from_rseq():
    options = {f"CONFIG_A{number:02}": ("n", "y") for number in range(30)} | {"CONFIG_RSEQ": ("n", "y")}
    grid = kernel_config_tables.tabulate_options(options, "a", "b", "the source of Linux: 6.12 against 6.19")
    assert grid.notes == ("these differ in more than CONFIG_RSEQ: the source of Linux: 6.12 against 6.19",)
    assert grid.caption.endswith("the first 20 of 31 options")
    assert [row[0] for row in grid.rows[:2]] == ["CONFIG_RSEQ", "CONFIG_A00"]
    assert "all come from CONFIG_RSEQ" in kernel_config_tables.tabulate_options({"CONFIG_RSEQ": ("n", "y")}).notes[0]
