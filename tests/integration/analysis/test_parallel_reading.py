"""Fleets read by several processes."""

from dataclasses import replace

import pytest

from rseqbench.analysis.fleet import compare as machines
from rseqbench.config import load
from rseqbench.support import parallel
from tests.support.fleets import fleet, many

RULES = load().verdict


def test_many_machines_are_read_by_many_processes_and_come_out_the_same(tmp_path, monkeypatch):
    some = {place: one if isinstance(one, str) else replace(one, rounds=6) for place, one in many(10).items()}
    results = fleet(tmp_path, "ten", some)
    apart = machines.compare_machines(results, "ten", RULES)
    monkeypatch.setattr(parallel, "_FEW", 100)
    assert machines.compare_machines(results, "ten", RULES) == apart


def test_what_other_processes_raise_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        parallel.each(reciprocal, range(20))
    assert parallel.each(reciprocal, range(1, 11)) == [1 / x for x in range(1, 11)]


def reciprocal(number):
    return 1 / number
