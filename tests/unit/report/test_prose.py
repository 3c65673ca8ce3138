"""What a run says in sentences, and what limits it."""

import dataclasses
import math

import pytest

from rseqbench.analysis.compare import Comparison
from rseqbench.analysis.outcomes import Outcome
from rseqbench.config import load
from rseqbench.model import Case, Estimate, Facts, Skip
from rseqbench.report import caveats, prose
from tests.support.simulated_runs import COSTS, FACTS, Simulation, shown

CONFIDENCE = load().verdict.confidence


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=8))


def test_the_summary_says_where_single_threads_ran_and_where_several(laptop):
    def said(*cpus, threads=1):
        cases = (Case("counter/rseq", 1), Case("counter/rseq", threads))
        plan = dataclasses.replace(laptop.run.header.plan, cpus=cpus, cases=cases)
        return prose.measured_where(dataclasses.replace(laptop.run.header, plan=plan), 1)

    assert "by engine pyperf; " in said()
    assert "by engine pyperf, on CPU 1; " in said(1)
    assert "by engine pyperf, single threads on CPU 1; " in said(1, 0)
    assert "by engine pyperf, single threads on CPU 1, several on CPUs 1, 0; " in said(1, 0, threads=2)


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (0.62 * 0.5, "rseq is slower than getcpu+atomic, 0.5"),
        (0.62, "no difference resolved between rseq and getcpu+atomic"),
    ],
)
def test_no_gain_is_never_said_to_be_one(tmp_path, cost, words):
    costs = {**COSTS, "counter/getcpu_atomic": cost}
    said = shown(tmp_path, Simulation(rounds=12, costs=costs)).sentences[0]
    assert said.startswith(f"counter: {words}")
    assert "faster" not in said


def test_without_an_interval_nothing_is_claimed(tmp_path):
    said = shown(tmp_path, Simulation(rounds=3)).sentences[0]
    assert said.startswith("counter: rseq looks 8.")
    assert said.endswith("but 3 rounds give no interval; the patch said 7.7")


def test_the_interval_is_said_in_words(laptop):
    assert " to " in laptop.headline
    assert ".." not in "".join(laptop.sentences)


def test_the_headline_is_of_the_first_claim_that_can_be_judged(laptop, tmp_path):
    assert laptop.headline == laptop.sentences[0]
    names = ("cpu_id/baseline", "cpu_id/rseq", "cpu_id/gs", "ring_buffer/rseq", "ring_buffer/getcpu_atomic")
    other = shown(tmp_path, Simulation(rounds=8, costs={name: COSTS[name] for name in names}, skips=()))
    assert other.sentences[0].startswith("ring_buffer: ")  # which stands for a whole library, so it is not judged
    assert other.headline.startswith("cpu_id: gs takes ")


@pytest.mark.parametrize(("cost", "words"), [(0.62, "counter: no difference"), (0.3, "counter: rseq is slower")])
def test_the_headline_is_no_choice_of_the_flattering(tmp_path, cost, words):
    costs = {**COSTS, "counter/getcpu_atomic": cost}
    found = shown(tmp_path, Simulation(rounds=12, costs=costs))
    assert found.headline.startswith(words)
    assert found.headline.endswith("which this contradicts") is (cost == 0.3)


def test_a_gain_below_the_floor_is_not_said_to_be_one(tmp_path):
    costs = {**COSTS, "counter/getcpu_atomic": 0.62 * 1.003}
    found = shown(tmp_path, Simulation(rounds=20, costs=costs, spread=1e-6))
    assert found.headline.startswith("counter: nothing resolved between rseq and getcpu+atomic, 1.003 (")


def test_without_a_claim_the_headline_says_so(tmp_path):
    found = shown(tmp_path, Simulation(rounds=8, costs={"counter/plain": 0.31}, skips=()))
    assert found.headline.startswith("None of what the patch claims was measured")


def test_emulation_speaks_of_instructions(tmp_path):
    costs = {name: cost * 1000 for name, cost in COSTS.items()}
    emulated = shown(tmp_path, Simulation(rounds=8, costs=costs, timing="emulated", skips=()))
    assert "times the instructions of rseq" in emulated.sentences[0]
    assert all("faster" not in sentence for sentence in emulated.sentences)
    assert emulated.unit == "instructions/op"
    assert emulated.limits[0].startswith("Emulated by native: insn/op means instructions per operation")


def test_verdicts_are_counted_once_each(laptop):
    counted = dict(prose.counted(laptop.judged))
    assert sum(counted.values()) == 19
    assert counted["not measured"] == 11


def header(laptop, **parts):
    machine = dataclasses.replace(laptop.run.header.machines[0], facts=Facts.from_dict({**FACTS, **parts}))
    return dataclasses.replace(laptop.run.header, machines=(machine,), checks=())


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"virtual": "kvm"}, "virtual machine (kvm)"),
        ({"virtual": "kvm"}, "Engine pyperf"),
        ({"load_1min": 3.2}, "the load was 3.2 on 2 CPUs"),
        ({"load_1min": 3.2}, "Engine pyperf"),
        ({"governor": "powersave"}, "governor was powersave"),
        ({"turbo": "on"}, "Turbo was on"),
    ],
)
def test_a_fact_that_limits_the_result_is_said(laptop, facts, words):
    assert any(words in text for text in caveats.limits(header(laptop, **facts), CONFIDENCE))


@pytest.mark.parametrize(
    "facts", [{}, {"load_1min": 0.4}, {"load_1min": 5.0, "cpus": 64}, {"load_1min": "?"}, {"virtual": ""}]
)
def test_a_quiet_machine_has_no_limits(laptop, facts):
    assert caveats.limits(header(laptop, **facts), CONFIDENCE) == ()


def test_missing_facts_are_one_limit(laptop):
    machine = dataclasses.replace(laptop.run.header.machines[0], facts=Facts())
    found = caveats.limits(dataclasses.replace(laptop.run.header, machines=(machine,), checks=()), CONFIDENCE)
    assert found == ("Whether this machine was virtual, or busy with something else, is not known.",)


def test_few_rounds_are_said_with_the_number_it_takes(laptop):
    plan = dataclasses.replace(laptop.run.header.plan, rounds=5)
    few = dataclasses.replace(header(laptop), plan=plan)
    assert any("5 give no 95% interval, which takes 6" in text for text in caveats.limits(few, CONFIDENCE))


def test_a_quick_run_is_called_one(laptop):
    quick = dataclasses.replace(header(laptop), plan=dataclasses.replace(laptop.run.header.plan, preset="quick"))
    assert any(text.startswith("A quick run: 8 rounds") for text in caveats.limits(quick, CONFIDENCE))


def test_an_unexercised_check_is_said(laptop):
    assert any("counter/rseq_cmp" in text for text in caveats.limits(laptop.run.header, CONFIDENCE))


def test_a_run_without_rseq_says_so(laptop):
    plan = laptop.run.header.plan
    none = dataclasses.replace(plan, cases=tuple(c for c in plan.cases if c.registration == "none"))
    texts = caveats.limits(dataclasses.replace(header(laptop), plan=none), CONFIDENCE)
    assert any("No process had a registered rseq area" in text for text in texts)


def test_a_run_of_nothing_says_so(laptop):
    plan = dataclasses.replace(laptop.run.header.plan, cases=(), skips=(Skip("counter/rseq", 1, "why"),))
    texts = caveats.limits(dataclasses.replace(header(laptop), plan=plan), CONFIDENCE)
    assert any(text.startswith("Nothing was measured") for text in texts)


@pytest.mark.parametrize(("limit", "fails"), [(0, True), (11.9, True), (12.1, False), (math.inf, False)])
def test_slower_than_allowed_names_row_runs_and_limit(limit, fails):
    row = Comparison(
        "x86_64", "counter/rseq", 4, None, None, Estimate(1.12, 1.10, 1.15, 20, 0.95), 0.001, Outcome.SLOWER
    )
    said = prose.slower(row, "before", "after", limit)
    assert bool(said) is fails
    if fails:
        assert said.startswith("counter/rseq (4 threads) is 12.0% (10.0% .. 15.0%) slower in after than in before")
