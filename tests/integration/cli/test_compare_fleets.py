"""compare, report and runs over fleets, as a user calls them."""

import json
from dataclasses import replace

import click
import pytest

from rseqbench.cli import completion, group
from tests.support.commands import in_process, rseqbench
from tests.support.fleets import fleet, machine, three
from tests.support.simulated_runs import Simulation, store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a fleet, the same after a change that hurts one machine, one that hurts none, and a run."""
    place = tmp_path_factory.mktemp("project")
    root = place / "results"
    before = {**three(), "neoverse": machine(2)}
    hurt = {name: cost * (1.1 if name == "counter/rseq" else 1) for name, cost in before["opteron"].costs.items()}
    fleet(root, "before", before)
    fleet(root, "after", {**before, "xeon": machine(0, seed=40), "opteron": replace(machine(1, seed=41), costs=hurt)})
    fleet(root, "odd", {"xeon": machine(0, rounds=8), "slow": three()["neoverse"]})
    fleet(root, "whole", {name: one for name, one in before.items() if name != "pi4"})
    fleet(root, "again", {name: replace(one, seed=one.seed + 90) for name, one in before.items() if name != "pi4"})
    fleet(root, "elsewhere", {"far": machine(0, rounds=8)})
    fleet(root, "short", {"xeon": machine(0), "opteron": machine(1, rounds=3)})
    fleet(root, "shorter", {"xeon": machine(0, rounds=3), "opteron": machine(1, rounds=3)})
    store(fleet(root, "none", {"pi4": "no answer"}), Simulation(label="run", rounds=6))
    return place


@pytest.fixture
def call(folder, monkeypatch, capsys):
    """Call the command line in that folder: exit code, standard output, standard error."""
    monkeypatch.chdir(folder)
    return in_process(monkeypatch, capsys)


def test_one_label_of_a_fleet_is_enough(call):
    code, out, err = call("compare", "before")
    assert (code, err) == (0, "")
    assert out.startswith("3 of the 4 machines of fleet before have a run; not pi4 (the board did not answer")
    for head in ("What machines differ by", "By machine", "What the patch claimed, by machine", "The machines"):
        assert head in out
    assert out.index("What machines differ by") < out.index("By machine") < out.index("The machines")


def test_two_fleets_are_held_against_each_other(call):
    code, out, err = call("compare", "before", "after")
    assert (code, err) == (0, "")
    assert "slower in some on 1 machine: opteron" in out


@pytest.mark.parametrize("style", ["table", "json", "csv", "mail", "markdown"])
@pytest.mark.parametrize("limit", ["5", "20"])
def test_a_machine_that_a_change_hurts_fails_and_is_named(call, style, limit):
    code, out, err = call("compare", "before", "after", "--fail-above", limit, "--format", style)
    assert (code, bool(out), err.count("\n")) == (1, True, 1)
    assert err.endswith("1 of 4 machines has no run in both fleets: pi4\n")
    hurts = "slower in after than in before, more than 5%; 1 of 4" in err
    assert (err.startswith("rseqbench: opteron: counter/rseq is "), hurts) == (limit == "5",) * 2


def test_where_all_machines_could_be_judged_and_nothing_is_slower_all_is_well(call):
    assert call("compare", "whole", "again", "--fail-above", "0")[::2] == (0, "")
    assert call("compare", "whole", "--fail-above", "100")[::2] == (0, "")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("none",), "nothing was compared: no machine of none has a value"),
        (
            ("before", "elsewhere"),
            "nothing was compared: no machine of before and elsewhere has a value in both fleets",
        ),
        (("before",), "1 of 4 machines has no run: pi4"),
        (
            ("before", "short"),
            "2 of 4 machines have no run in both fleets: neoverse, pi4; "
            "1 of 4 machines has too few rounds for any slowdown to be seen: opteron",
        ),
        (("short",), "1 of 2 machines has too few rounds for any slowdown to be seen: opteron"),
        (("shorter",), "could not have seen any slowdown: too few rounds"),
        (("short", "shorter"), "could not have seen any slowdown: too few rounds"),
    ],
)
def test_what_could_not_be_judged_is_no_success(call, labels, said):
    code, out, err = call("compare", *labels, "--fail-above", "1000")
    assert (code, bool(out), err) == (1, True, f"rseqbench: {said}\n")
    assert call("compare", *labels)[::2] == (0, "")


@pytest.mark.parametrize(("label", "code"), [("whole", 0), ("odd", 1)])
def test_a_fast_way_that_is_the_slow_one_on_a_machine_fails(call, label, code):
    """On every machine rcu/rseq is 17% slower than today's way; on one of them counter/rseq is twenty times as slow."""
    exit_code, _, err = call("compare", label, "--fail-above", "100")
    assert exit_code == code
    if code:
        assert err.startswith("rseqbench: slow: counter/rseq is ") and "slower than counter/rseq_cmp" in err


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("before", "run"), "'before' is a fleet and 'run' is none; give one fleet, two fleets, or runs only"),
        (("run", "before"), "'before' is a fleet and 'run' is none; give one fleet, two fleets, or runs only"),
        (("before", "before"), "'before' is given twice; give one fleet, or two different ones"),
        (("before", "after", "odd"), "3 fleets; give one, or two to be held against each other"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "report"])
def test_what_cannot_be_compared_is_misuse_in_one_line(call, command, labels, said):
    code, out, err = call(command, *labels)
    assert (code, out, err) == (2, "", f"rseqbench: {said}\n")


def test_one_run_is_no_fleet(call):
    assert call("compare", "run") == (2, "", "rseqbench: 'run' is given alone; give the labels of two runs, or more\n")


def test_a_fleet_in_which_all_failed_says_so(call):
    code, out, _ = call("compare", "none")
    assert code == 0
    assert out.startswith("0 of the 1 machines of fleet none have a run; not pi4 (no answer).")
    assert "No machine has a value" in out


@pytest.mark.parametrize(("labels", "name"), [(("before",), "before"), (("before", "after"), "after-against-before")])
def test_a_report_is_a_page(call, folder, labels, name):
    code, out, _ = call("report", *labels)
    assert (code, out) == (0, f"reports/{name}.html\n")
    assert "</html>" in (folder / "reports" / f"{name}.html").read_text(encoding="utf-8")


def test_a_report_has_the_formats_of_compare(call):
    for style in ("json", "csv", "mail", "markdown"):
        assert call("report", "before", "--format", style)[1] == call("compare", "before", "--format", style)[1]


def test_runs_lists_a_fleet_as_one(call):
    code, out, _ = call("runs")
    assert code == 0
    rows = {line.split()[0]: " ".join(line.split()) for line in out.splitlines() if line.strip()}
    assert rows["before"] == "before fleet, 3 of 4 places done"
    found = {row["label"]: row for row in json.loads(call("runs", "--format", "json")[1])["runs"]}
    assert (found["before"]["state"], found["before"]["places"], found["before"]["places_done"]) == ("fleet", 4, 3)
    assert found["run"]["places"] is None


@pytest.mark.parametrize("command", ["show", "claims"])
def test_a_fleet_is_no_run(call, command):
    code, _, err = call(command, "before")
    assert (code, err) == (2, "rseqbench: 'before' is a fleet, not a run; rseqbench compare before\n")


def test_a_fleet_keeps_its_name(call):
    code, _, err = call("runs", "rename", "before", "other")
    assert (code, err) == (2, "rseqbench: 'before' is a fleet; its runs bear its name, so it keeps it\n")


def test_removing_a_fleet_leaves_its_runs(tmp_path):
    fleet(tmp_path / "results", "x", {"a": machine(0, rounds=2), "b": "no answer"})
    done = rseqbench("runs", "rm", "x", "--yes", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "removed results/x: the list of a fleet, of which 1 runs stay\n")
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["x@a"]


def test_a_damaged_list_is_a_row_and_one_line(tmp_path):
    fleet(tmp_path / "results", "x", {"a": machine(0, rounds=2)})
    (tmp_path / "results/x/fleet.json").write_text("{}")
    assert "x unreadable: damaged" in " ".join(rseqbench("runs", cwd=tmp_path).stdout.split())
    done = rseqbench("compare", "x", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "fleet.json: damaged" in done.stderr


def test_fleets_are_completed_where_they_can_stand(monkeypatch, folder):
    monkeypatch.chdir(folder)
    context = click.Context(group)
    argument = click.Argument(["labels"], nargs=-1)
    words = {item.value for item in completion.labels_and_fleets(context, argument, "be")}
    assert words == {"before", "before@xeon", "before@opteron", "before@neoverse"}
    assert "before" not in {item.value for item in completion.labels(context, argument, "be")}
