"""Fleets read from their folder: who has a run, what each has, and what two of them differ by."""

from dataclasses import replace

import pytest

from rseqbench.analysis.fleet import compare as machines
from rseqbench.analysis.fleet.cell import EMULATED_TIME, BenchmarkPair
from rseqbench.analysis.outcomes import Outcome
from rseqbench.config import load
from rseqbench.errors import ResultsError
from rseqbench.model import Virtualization
from rseqbench.report import fleet_prose, prose
from rseqbench.report.reasons import explain
from rseqbench.store import fleets as index
from tests.support.fleets import costs, emulated, fleet, machine, many, three

RULES = load().verdict
COUNTER = BenchmarkPair("counter/getcpu_atomic", "counter/rseq")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A results folder with three machines, the same after a change, and with one of them emulated."""
    root = tmp_path_factory.mktemp("results")
    before = three()
    after = {
        name: one
        if isinstance(one, str)
        else replace(one, seed=one.seed + 50, costs=changed(one.costs, 1.1 if name == "opteron" else 1.0))
        for name, one in before.items()
    }
    fleet(root, "before", before)
    fleet(root, "after", {**after, "extra": machine(5)})
    return fleet(
        root,
        "mixed",
        {"xeon": machine(0, rounds=8), "board": emulated(), "virtual": machine(1, rounds=8, timing="virtual")},
    )


def changed(taken, factor):
    return {
        name: cost * (factor if name == "counter/rseq" else 0.9 if name == "rcu/rseq" else 1)
        for name, cost in taken.items()
    }


@pytest.fixture(scope="module")
def alone(place):
    return machines.compare_machines(place, "before", RULES)


def test_every_place_is_a_row_and_the_one_that_failed_says_why(alone):
    assert [one.name for one in alone.places] == ["xeon", "opteron", "neoverse", "pi4"]
    assert [explain(one.reasons) for one in alone.places] == ["", "", "", "the board did not answer within 60 s"]
    assert fleet_prose.summary(alone) == (
        "3 of the 4 machines of fleet before have a run; not pi4 (the board did not answer within 60 s)."
    )


def test_a_run_that_is_unfinished_or_cannot_be_read_is_a_reason_too(tmp_path):
    results = fleet(tmp_path, "x", {"a": machine(0, rounds=6), "b": machine(1, rounds=6), "c": machine(2, rounds=6)})
    (tmp_path / "x@b").rename(tmp_path / ".unfinished-x@b")
    (tmp_path / "x@c" / "pyperf.json").write_text("{}")
    found = machines.compare_machines(results, "x", RULES)
    assert "unfinished" in explain(found.places[1].reasons) and "not a readable pyperf file" in explain(
        found.places[2].reasons
    )
    assert found.matrices[0].machines == ("a",)


def test_the_machine_that_differs_stands_out(alone):
    (matrix,) = alone.matrices
    assert {column.what.slow.group for column in matrix.columns[:6]} == {"counter"}
    column = next(one for one in matrix.columns if one.what == COUNTER)
    assert column.disagrees and column.apart.differs
    assert column.apart.lowest == "neoverse"
    assert column.apart.ratio.low < 20 < column.apart.ratio.high
    quiet = next(one for one in matrix.columns if one.what.fast == "freelist/rseq")
    assert not quiet.apart.differs and not quiet.disagrees


def test_what_is_claimed_of_one_architecture_is_asked_of_all(alone):
    (matrix,) = alone.matrices
    column = next(one for one in matrix.columns if one.what == COUNTER)
    assert set(column.cells) == {"xeon", "opteron", "neoverse"}


def test_verdicts_are_those_of_the_message_s_claims_about_the_machine_s_architecture(alone):
    judged = {place: {one.claim.id: one.verdict.word for one in own} for place, own in alone.judged.items()}
    assert judged["xeon"]["counter-x86_64"] == "reproduced"
    assert judged["neoverse"]["counter-x86_64"] == "not measured"
    assert "pi4" not in judged


def test_what_came_out_is_said_in_sentences(alone):
    said = fleet_prose.answers(alone)
    assert said[0].startswith("counter: rseq is faster than getcpu+atomic on 2 of 3 machines, from 0.42")
    assert said[1].startswith("Machines disagree on 5 pairs: ")
    assert "slower on neoverse, faster on 2" in said[1]


def test_instructions_have_a_matrix_of_their_own_and_kinds_of_time_are_named(place):
    found = machines.compare_machines(place, "mixed", RULES)
    assert [(one.unit, one.machines) for one in found.matrices] == [
        ("ns", ("xeon", "virtual")),
        ("instructions", ("board",)),
    ]
    limits = " ".join(fleet_prose.limits(found))
    assert "Times of different kinds stand together: hardware (mixed@xeon); virtual (mixed@virtual)." in limits
    assert "Made with different configurations" in limits


def test_two_fleets_are_compared_place_by_place(place):
    found = machines.compare_fleets(place, "before", "after", RULES)
    assert {one.name: explain(one.reasons) for one in found.places} == {
        "xeon": "",
        "opteron": "",
        "neoverse": "",
        "pi4": "the board did not answer within 60 s",
        "extra": "not in before",
    }
    words = {column.what.slow: column.words() for column in found.matrices[0].columns}
    assert words["counter/rseq"][Outcome.SLOWER] == ["opteron"]
    assert words["rcu/rseq"] == {Outcome.FASTER: ["xeon", "opteron", "neoverse"]}
    assert found.matrices[0].columns[0].what.slow == "counter/rseq"
    assert fleet_prose.answers(found)[0] == (
        "after is faster than before in some benchmark on 3 machines of 3, and slower in some on 1 machine: opteron."
    )


def test_machines_of_two_architectures_are_not_compared(tmp_path):
    fleet(tmp_path, "a", {"x": machine(0, rounds=6), "y": machine(1, rounds=6)})
    results = fleet(tmp_path, "b", {"x": machine(2, rounds=6), "y": machine(1, rounds=6)})
    assert explain(machines.compare_fleets(results, "a", "b", RULES).places[0].reasons) == "x86_64 in a, arm64 in b"


def test_a_run_is_not_held_against_itself(tmp_path):
    results = fleet(tmp_path, "a", {"x": machine(0, rounds=6)})
    index.save_fleet(tmp_path, replace(index.load_fleet(tmp_path, "a"), label="b"))
    assert (
        explain(machines.compare_fleets(results, "a", "b", RULES).places[0].reasons)
        == "both fleets have the same run, a@x"
    )


def test_there_has_to_be_such_a_fleet(place):
    with pytest.raises(ResultsError, match=r"unknown fleet 'befor'.*did you mean before"):
        machines.compare_machines(place, "befor", RULES)


def test_machines_read_from_their_raw_values_come_out_the_same(tmp_path):
    some = {place: one if isinstance(one, str) else replace(one, rounds=6) for place, one in many(10).items()}
    results = fleet(tmp_path, "ten", some)
    apart = machines.compare_machines(results, "ten", RULES)
    for table in tmp_path.rglob("rounds.csv"):
        table.unlink()
    assert machines.compare_machines(results, "ten", RULES) == apart


def test_costs_names_benchmarks():
    assert costs(counter__rseq=2)["counter/rseq"] == pytest.approx(2 * costs()["counter/rseq"])


def test_a_board_that_qemu_emulates_is_never_beside_one_that_has_a_clock(tmp_path):
    emulating = {**machine(0).facts, "virtual": Virtualization.EMULATED}
    results = fleet(
        tmp_path,
        "x",
        {
            "xeon": machine(0, rounds=8),
            "opteron": machine(1, rounds=8),
            "tcg": machine(0, rounds=8, facts=emulating, timing="virtual"),
        },
    )
    found = machines.compare_machines(results, "x", RULES)
    assert [(one.unit, one.machines) for one in found.matrices] == [
        ("ns", ("xeon", "opteron")),
        (EMULATED_TIME, ("tcg",)),
    ]
    assert "on 2 of 2 machines" in fleet_prose.answers(found)[0]
    assert {one.verdict.word.value for one in found.judged["tcg"]} <= {"not comparable", "not measured"}
    fleet(tmp_path, "y", {"xeon": machine(0, rounds=8), "tcg": machine(0, rounds=8, facts=emulating, timing="virtual")})
    both = machines.compare_fleets(results, "x", "y", RULES)
    assert [(one.unit, one.machines) for one in both.matrices] == [("ns", ("xeon",)), (EMULATED_TIME, ("tcg",))]


EMULATING_FACTS = {**machine(0).facts, "virtual": Virtualization.EMULATED}


def test_an_emulated_clock_decides_nothing_and_fails_no_gate(tmp_path):
    """Twenty times as slow by such a clock is no slowdown, and its p-values take nothing from the others' by Holm."""
    slow = {"tcg": machine(0, facts=EMULATING_FACTS, timing="virtual", costs=costs(counter__rseq=20))}
    quick = {"tcg": machine(0, facts=EMULATING_FACTS, timing="virtual")}
    fleet(tmp_path, "a", {"xeon": machine(0), **quick})
    fleet(tmp_path, "alone", {"xeon": machine(0, seed=77)})
    results = fleet(tmp_path, "b", {"xeon": machine(0, seed=77), **slow})
    both = machines.compare_fleets(results, "a", "b", RULES)
    own = next(one for one in both.matrices if one.unit == EMULATED_TIME)
    ratios = {column.what.slow: column.cells["tcg"] for column in own.columns}
    assert ratios["counter/rseq"].ratio.value == pytest.approx(20, rel=0.05)
    assert {(cell.word, cell.p, explain(cell.reasons)) for cell in ratios.values()} == {
        (Outcome.NOT_COMPARABLE, None, "by a clock that qemu emulates, which tells no time")
    }
    others = machines.compare_fleets(results, "a", "alone", RULES).rows["xeon"]
    assert [row.p for row in both.rows["xeon"]] == [row.p for row in others]
    assert fleet_prose.answers(both)[0].endswith("on 0 machines of 1, and slower in none.")
    assert prose.failure(both, 0) == ""
    alone = machines.compare_machines(results, "b", RULES)
    (shown,) = (one for one in alone.matrices if one.unit == EMULATED_TIME)
    words = {cell.word for column in shown.columns for cell in column.valued.values()}
    assert words == {Outcome.NOT_COMPARABLE} and shown.columns[0].is_telling
    assert prose.failure(alone, 100) == ""
    assert "on 1 of 1 machines" in fleet_prose.answers(alone)[0]
    assert not any(column.disagrees for one in alone.matrices for column in one.columns)


def test_two_emulated_clocks_are_not_held_against_each_other(tmp_path):
    tcg = {
        name: machine(0, facts=EMULATING_FACTS, timing="virtual", costs=costs(counter__rseq=factor))
        for name, factor in (("a", 1), ("b", 20))
    }
    found = machines.compare_machines(fleet(tmp_path, "x", tcg), "x", RULES)
    assert {column.apart for one in found.matrices for column in one.columns} == {None}
    assert fleet_prose.answers(found) == [
        "No machine has a value but by a clock that qemu emulates, which tells no time, so nothing can be said."
    ]
    assert prose.failure(found, 0) == "nothing was compared: no machine of x has a value"


# ---- what two fleets cannot see ----


def slower(number, rounds):
    """Return so many machines, and the same with a counter/rseq that takes three times as long."""
    before = {f"m{at}": machine(at, rounds=rounds) for at in range(number)}
    costly = costs(counter__rseq=3)
    return before, {name: machine(at, rounds=rounds, seed=at + 99, costs=costly) for at, name in enumerate(before)}


@pytest.mark.parametrize(("rounds", "seen"), [(6, False), (12, True)])
def test_too_few_rounds_of_two_fleets_are_told_in_place_of_slower_in_none(tmp_path, rounds, seen):
    before, after = slower(5, rounds)
    fleet(tmp_path, "a", before)
    found = machines.compare_fleets(fleet(tmp_path, "b", after), "a", "b", RULES)
    tested = sum(row.p is not None for rows in found.rows.values() for row in rows)
    said, failed = fleet_prose.answers(found)[0], prose.failure(found, 0)
    if seen:
        assert "slower in some on 5 machines" in said and "counter/rseq is 20" in failed
        return
    assert said == (
        f"Whether b is slower than a in anything nobody can say: 6 rounds are too few to compare {tested} values at "
        "once: no difference, however large, could be more than chance. More rounds are what it takes."
    )
    assert failed == "could not have seen any slowdown: too few rounds"


def test_a_machine_with_too_few_rounds_is_named(tmp_path):
    own = {"long": machine(0), "short": machine(1, rounds=3)}
    fleet(tmp_path, "a", own)
    results = fleet(tmp_path, "b", {name: replace(one, seed=one.seed + 70) for name, one in own.items()})
    found = machines.compare_fleets(results, "a", "b", RULES)
    assert fleet_prose.answers(found)[0].endswith("and slower in none; too few rounds to see either on short.")
    assert prose.failure(found, 0) == "1 of 2 machines has too few rounds for any slowdown to be seen: short"


def test_a_machine_that_became_virtual_has_nothing_to_compare(tmp_path):
    fleet(tmp_path, "a", {"x": machine(0), "y": machine(1)})
    results = fleet(tmp_path, "b", {"x": machine(0, seed=70), "y": machine(1, seed=71, timing="virtual")})
    found = machines.compare_fleets(results, "a", "b", RULES)
    assert prose.failure(found, 0) == "1 of 2 machines has nothing to compare: y"
    assert fleet_prose.answers(found)[0].endswith("on 0 machines of 1, and slower in none.")
    fleet(tmp_path, "c", {"y": machine(1)})
    nothing = machines.compare_fleets(fleet(tmp_path, "d", {"y": machine(1, timing="virtual")}), "c", "d", RULES)
    assert fleet_prose.answers(nothing)[0] == "Nothing in d can be compared with c."
    assert "too few rounds" not in " ".join(fleet_prose.answers(nothing))
    assert prose.failure(nothing, 0).startswith("nothing was compared: ")


def test_a_run_that_measured_nothing_is_no_success(tmp_path):
    found = machines.compare_machines(fleet(tmp_path, "x", {"a": machine(0), "b": machine(1, costs={})}), "x", RULES)
    assert prose.failure(found, 100) == "1 of 2 machines has nothing to compare: b"


def test_what_limits_two_runs_limits_two_fleets(tmp_path):
    """One boot each is said of the places that booted, and another CPU of those that were exchanged."""
    own = {"booted": machine(0, rounds=6), "changed": machine(1, rounds=6), "same": machine(0, rounds=6, seed=3)}
    own["model"] = machine(0, rounds=6, seed=4)
    own["model"] = replace(own["model"], facts={**own["model"].facts, "cpu_model": "family 25, model 1"})
    fleet(tmp_path, "a", own)
    later = {
        "booted": {**own["booted"].facts, "linux": "6.12.1"},
        "changed": {**own["changed"].facts, "cpu": "Imagined Ryzen"},
        "same": {**own["same"].facts, "cpu_model": "family 25, model 1"},
        "model": {**own["model"].facts, "cpu_model": "family 25, model 17"},
    }
    results = fleet(tmp_path, "b", {name: replace(one, facts=later[name]) for name, one in own.items()})
    limits = fleet_prose.limits(machines.compare_fleets(results, "a", "b", RULES))
    boots = "One boot each: no interval here covers what differs from boot to boot; run --boots 10 measures that."
    cpu = "Another CPU, Imagined Ryzen in place of Imagined Opteron, 16 cores: what differs may be the machine's."
    name = own["model"].facts["cpu"]
    model = f"Another CPU, {name} (family 25, model 17) in place of {name} (family 25, model 1): what differs may be"
    assert f"booted: {boots}" in limits and f"changed: {cpu}" in limits
    assert f"model: {model} the machine's." in limits
    assert not any(
        "boot" in text or "Another" in text
        for text in fleet_prose.limits(machines.compare_machines(results, "b", RULES))
    )
