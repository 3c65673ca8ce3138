"""Rounds in a mode of their own are named, and rounds that merely spread are not."""

import dataclasses
import random

import pytest

from rseqbench import config
from rseqbench.analysis import controls
from rseqbench.report import caveats
from tests.support import frames
from tests.support.simulated_runs import Simulation, shown

RULES = config.load(None).verdict


def gated(values, **of_run):
    return frames.run("simulated", values, engine="gated", **of_run)


def spread(about, spread_by, rounds, seed=1):
    dice = random.Random(seed)
    return [about * dice.gauss(1, spread_by) for _ in range(rounds)]


def test_two_modes_are_told_with_share_and_factor():
    slow = gated({"counter/getcpu_atomic": [18.95] * 19 + [30.04] * 3})
    assert controls.modes(slow, RULES) == [
        controls.Mode("counter/getcpu_atomic", 1, 3, 22, pytest.approx(1.585, abs=2e-3))
    ]
    assert caveats.modes_sentence(slow, RULES).startswith(
        "3 of 22 rounds of counter/getcpu_atomic took 1.59 times its median: apart from all others, as of"
    )


def test_a_faster_mode_is_one_too():
    assert [(one.rounds, one.factor) for one in controls.modes(gated({"a/b": [10.0] * 9 + [7.0]}), RULES)] == [(1, 0.7)]


def test_modes_on_both_sides_are_two():
    found = controls.modes(gated({"a/b": [10.0] * 9 + [7.0, 15.0]}), RULES)
    assert [one.factor for one in found] == [1.5, 0.7] or [one.factor for one in found] == [0.7, 1.5]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("by", [0.0, 0.001, 0.01, 0.03, 0.06])
def test_noise_is_no_mode(by, seed):
    assert caveats.modes_sentence(gated({"a/b": spread(10, by, 22, seed)}), RULES) == ""


def test_a_tail_without_a_gap_is_no_mode():
    tail = [126.0, 126.1, 125.9] * 6 + [126.7, 131.1, 136.7, 141.9]
    assert controls.modes(gated({"cpu_id/getcpu_syscall": tail}), RULES) == []


def test_two_are_joined():
    two = gated({"a/b": [1.0] * 9 + [1.5], "a/c": [1.0] * 9 + [1.25]})
    said = "1 of 10 rounds of a/b took 1.50 times its median, and 1 of 10 rounds of a/c took 1.25 times its median: "
    assert caveats.modes_sentence(two, RULES).startswith(said)


def test_the_farthest_are_named_first_and_the_rest_is_counted():
    many = {f"a/m{number}": [1.0] * 9 + [1.2 + number / 10] for number in range(5)}
    said = caveats.modes_sentence(gated(many), RULES)
    assert "a/m4 took 1.60 times" in said
    assert said.index("a/m4") < said.index("a/m3") < said.index("a/m2")
    assert "a/m1" not in said
    assert ", and 2 more have such rounds: " in said


def test_only_gated_times_have_modes():
    far = {"a/b": [1.0] * 9 + [1.5]}
    assert caveats.modes_sentence(gated(far), RULES)
    assert caveats.modes_sentence(frames.run("simulated", far, engine="pyperf"), RULES) == ""
    assert caveats.modes_sentence(gated(far, unit="instructions"), RULES) == ""


def test_of_too_few_rounds_for_an_interval_nothing_is_said():
    assert caveats.modes_sentence(gated({"a/b": [1.0] * 4 + [1.5]}), RULES) == ""


def test_the_distance_is_bench_toml_s():
    far = gated({"a/b": [1.0] * 9 + [1.2]})
    assert controls.modes(far, RULES)
    assert not controls.modes(far, dataclasses.replace(RULES, mode=0.25))


def test_of_a_tie_of_two_modes_nothing_is_said():
    assert controls.modes(gated({"a/b": [1.0] * 5 + [2.0] * 5}), RULES) == []


def test_a_case_of_several_threads_is_named_with_them():
    assert "4 threads" in caveats.modes_sentence(gated({"a/b": [1.0] * 9 + [1.5]}, threads=4), RULES)


def test_a_run_says_it_among_its_limits(tmp_path, monkeypatch):
    monkeypatch.setattr(caveats, "modes_sentence", lambda _frame, _rules: "Some rounds are of their own kind.")
    assert "Some rounds are of their own kind." in shown(tmp_path, Simulation()).limits


def test_a_run_without_such_rounds_says_nothing(tmp_path):
    assert not [text for text in shown(tmp_path, Simulation()).limits if "times its median" in text or not text]
