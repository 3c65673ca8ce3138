"""compare --fail-above where something cannot be judged, as a user calls it: that is no success."""

import pytest

from tests.support.commands import in_process
from tests.support.fleets import costs, fleet, machine
from tests.support.simulated_runs import COSTS, Simulation, store

SYSCALL = "cpu_id/getcpu_syscall"


def at(clock, **factors):
    """Return the usual costs by a clock that makes everything take `clock` times as long, some of it more."""
    return {name: cost * clock for name, cost in costs(**factors).items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with runs of one machine at several clocks, and the same as fleets."""
    place = tmp_path_factory.mktemp("project")
    made = {
        "before": {},
        "fast": {"costs": at(0.95)},
        "hidden": {"costs": at(0.95, counter__rseq=1 / 0.95)},
        "slow": {"costs": at(1.05)},
        "hurt": {"costs": at(1.05, counter__rseq=1.5)},
        "syscall": {"costs": {name: cost * (1 if name == SYSCALL else 0.95) for name, cost in COSTS.items()}},
        "short": {"rounds": 3},
        "other": {"costs": {"cpu_id/none": 1.0}},
    }
    for number, (label, changes) in enumerate(made.items()):
        given = {"rounds": 12, "spread": 0.001, **changes}
        results = fleet(place / "results", f"fleet-{label}", {"xeon": machine(0, **{**given, "seed": number + 50})})
        store(results, Simulation(label=label, seed=number, **given))
    return place


@pytest.fixture
def call(folder, monkeypatch, capsys):
    """Call the command line in that folder: exit code, standard output, standard error."""
    monkeypatch.chdir(folder)
    return in_process(monkeypatch, capsys)


@pytest.mark.parametrize("kind", ["", "fleet-"])
@pytest.mark.parametrize(
    ("label", "limit", "said"),
    [
        ("fast", "0", ""),
        ("hidden", "4", "counter/rseq may be 5."),  # of nothing in time, and 5% more cycles
        ("hidden", "8", ""),
        ("syscall", "4", f"{SYSCALL} may be 5."),  # the same in time, which is all that it was
        ("syscall", "8", ""),
        ("slow", "4", " may be 5."),  # nothing but the clock, as far as one can see
        ("slow", "8", ""),
        ("hurt", "8", "counter/rseq is 5"),  # by both
        ("hurt", "80", ""),
    ],
)
def test_what_may_be_slower_as_the_clock_moved_is_no_success(call, kind, label, limit, said):
    code, out, err = call("compare", f"{kind}before", f"{kind}{label}", "--fail-above", limit)
    assert (code, bool(out)) == (1 if said else 0, True)
    assert said in err
    assert err.count("\n") == bool(said)
    if "may be" in said:
        assert f"slower in {kind}{label} than in {kind}before, more than {limit}%: the empty loop" in err
        assert err.endswith("; measure both again\n")
    assert err.startswith("rseqbench: xeon: ") == bool(said and kind)


def test_the_row_says_what_was_measured_and_why_nothing_is_said(call):
    _, out, _ = call("compare", "before", "hidden", "--format", "csv")
    row = next(line for line in out.splitlines() if "counter/rseq," in line)
    assert "no difference resolved" in row
    assert "as measured equal, relative to it slower, 1.0" in row


def test_runs_that_could_not_be_judged_are_no_success_either(call):
    limit = ("--fail-above", "1000")
    assert call("compare", "before", "fast", *limit)[::2] == (0, "")
    few = "could not have seen any slowdown: too few rounds"
    assert call("compare", "before", "short", *limit)[::2] == (1, f"rseqbench: short against before {few}\n")
    nothing = "nothing was compared: other and before have no value in common that can be"
    assert call("compare", "before", "other", *limit)[::2] == (1, f"rseqbench: {nothing}\n")
    assert call("compare", "before", "short")[::2] == (0, "")
    code, _, err = call("compare", "before", "short", "other", *limit)
    assert (code, err) == (1, f"rseqbench: short against before {few}; {nothing}\n")


def test_a_printed_value_can_fail_nothing_and_so_be_no_success(call):
    code, _, err = call("compare", "patch-2018", "before", "--fail-above", "5")
    assert (code, err.startswith("rseqbench: nothing was compared: before and patch-2018 ")) == (1, True)
