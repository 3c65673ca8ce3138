"""rseqbench/model.py: the facts of a machine, as they are stored."""

import json
from dataclasses import fields

import pytest

from rseqbench import paths
from rseqbench.model import SAME_IN_A_RUN, Facts, Registration, Virtualization

STORED = {
    "cpu": "Xeon",
    "cpus": 2,
    "virtual": "kvm",
    "load_1min": 0.5,
    "registration": "glibc",
    "glibc_registers": True,
}


def test_facts_are_typed_when_read_and_plain_when_written():
    facts = Facts.from_dict(STORED)
    assert (facts.virtual, facts.registration) == (Virtualization.KVM, Registration.GLIBC)
    assert facts.other == {}
    assert facts.to_dict() == STORED
    assert {type(value) for value in facts.to_dict().values()} == {str, int, float, bool}


@pytest.mark.parametrize(
    "stored",
    [
        {"invented_later": 1},
        {"other": "a fact of that name"},
        {"cpus": "two"},
        {"glibc_registers": 1},
        {"cpus": True},
        {"load_1min": "?"},
        {"registration": "somebody"},
        {"virtual": ""},
        {"virtual": "a hypervisor of the future"},
    ],
    ids=str,
)
def test_what_this_version_does_not_know_is_kept_as_it_was(stored):
    assert Facts.from_dict(stored).other == stored
    assert Facts.from_dict(STORED | stored).to_dict() == STORED | stored


def test_a_hypervisor_that_is_not_known_is_one():
    assert Facts.from_dict({"virtual": "a hypervisor of the future"}).is_virtual
    assert Facts.from_dict({"virtual": "unknown"}).is_virtual
    assert not Facts.from_dict({"virtual": "none"}).is_virtual
    assert not Facts.from_dict({"virtual": ""}).is_virtual
    assert not Facts().is_virtual


def test_of_two_the_later_facts_hold():
    earlier, later = Facts(cpu="Xeon", cpus=2, other={"a": 1}), Facts(cpus=4, other={"b": 2})
    assert earlier | later == Facts(cpu="Xeon", cpus=4, other={"a": 1, "b": 2})


def test_a_load_in_whole_numbers_is_a_load():
    assert Facts.from_dict({"load_1min": 4}).load_1min == 4


def test_what_must_not_change_in_a_run_is_a_fact():
    assert set(SAME_IN_A_RUN) < {fact.name for fact in fields(Facts)}
    assert len(SAME_IN_A_RUN) == 18
    assert {"cpu", "linux", "compiler", "kernels", "virtual", "emulator"} < set(SAME_IN_A_RUN)


def test_the_stored_runs_have_facts_of_ours_only():
    for folder in (paths.builtin_results() / "patch-2018", paths.recorded()):
        for machine in json.loads((folder / "run.json").read_text())["machines"]:
            facts = Facts.from_dict(machine["facts"])
            assert facts.other == {}
            assert facts.to_dict() == machine["facts"]
