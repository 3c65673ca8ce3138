"""rseqbench/lookup.py: where in a table what is."""

from rseqbench.analysis import dataset
from rseqbench.model import CaseKey
from tests.support.frames import frame, run

KEY = CaseKey("x86_64", "cpu_id/rseq")


def test_values_are_in_the_order_of_rounds():
    shuffled = frame(run("mine", {"cpu_id/rseq": [1.0, 2.0, 3.0]})).iloc[::-1].reset_index(drop=True)
    rounds, values = dataset.of(shuffled).values("mine", KEY, "value")
    assert (rounds.tolist(), values.tolist()) == ([0, 1, 2], [1.0, 2.0, 3.0])


def test_of_what_is_not_there_there_is_nothing():
    found = dataset.of(frame(run("mine", {"cpu_id/rseq": [1.0]})))
    assert [len(part) for part in found.values("other", KEY, "value")] == [0, 0]
    assert [len(part) for part in found.values("mine", KEY, "resolution")] == [0, 0]  # nothing but NaN
    assert ("other", "x86_64") not in found.units


def test_a_table_is_gone_through_once_and_another_one_by_itself():
    one, other = (frame(run("mine", {"cpu_id/rseq": [value]})) for value in (1.0, 2.0))
    assert dataset.of(one) is dataset.of(one)
    for table, value in ((one, 1.0), (other, 2.0), (one, 1.0)):
        assert dataset.of(table).values("mine", KEY, "value")[1].tolist() == [value]
