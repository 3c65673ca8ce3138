"""Chunks recorded on a loaded machine, replayed: the gated engine gets the ratios out of them that hold without load.

tests/record_chunks.py made the recording, under `stress-ng --cpu 2 --switch 8`. What the ratios have to be was measured
by the same script without load; they are known from a run of their own, not from the recording.
"""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest

from rseqbench import stats
from rseqbench.engines import gated
from rseqbench.model import Chunk

RECORDING = Path(__file__).parents[1] / "data" / "chunks-loaded.json.gz"

# quiet, busy, disturbed and mixed chunks of all rounds
ACCEPTED = {
    "control/atomic_a": (179, 1, 17, 2),
    "control/atomic_b": (178, 0, 21, 2),
    "control/syscall_a": (179, 0, 22, 1),
    "control/syscall_b": (178, 1, 20, 1),
    "counter/rseq": (179, 0, 21, 1),
    "counter/rseq_atomic": (179, 0, 25, 1),
    "counter/vdso_atomic": (180, 0, 16, 1),
    "cpu_id/baseline": (179, 1, 16, 0),
    "cpu_id/getcpu_vdso": (177, 0, 19, 4),
    "cpu_id/rseq": (177, 0, 16, 3),
    "cpu_id/sched_getcpu_norseq": (177, 0, 24, 3),
}

# without load
RATIOS = {
    ("counter/rseq", "counter/vdso_atomic"): 0.083368,
    ("counter/rseq", "counter/rseq_atomic"): 0.10397,
    ("cpu_id/rseq", "cpu_id/getcpu_vdso"): 0.071434,
    ("cpu_id/sched_getcpu_norseq", "cpu_id/rseq"): 15.002,
    ("cpu_id/baseline", "control/atomic_a"): 0.055550,
    ("control/syscall_a", "counter/rseq"): 153.58,
}
SAME = (("control/atomic_a", "control/atomic_b"), ("control/syscall_a", "control/syscall_b"))


def read():
    return json.loads(gzip.decompress(RECORDING.read_bytes()))


@pytest.fixture(scope="module")
def rounds():
    """Return for each kernel its chunks in each round, with the fastest probe of the run so far."""
    recorded = read()
    return {
        name: [
            (
                [Chunk(value, before, after, bool(lost), 0) for value, before, after, lost in one["chunks"][i]],
                one["fastest"],
            )
            for one in recorded["rounds"]
        ]
        for i, name in enumerate(recorded["kernels"])
    }


def ratio(rounds, pair, engine):
    return stats.paired_ratio(*([engine(chunks, fastest) for chunks, fastest in rounds[name]] for name in pair))


def by_the_gate(chunks, fastest):
    return stats.round_value(gated.gate(chunks, fastest).quiet, "gated")


def by_the_mean_of_all(chunks, fastest):
    del fastest
    return float(np.mean([chunk.value for chunk in chunks]))


def width(estimate):
    return (estimate.high - estimate.low) / 2 / estimate.value


def test_what_is_recorded():
    recorded = read()
    assert tuple(recorded["kernels"]) == tuple(ACCEPTED)
    assert len(recorded["rounds"]) == 15
    for one in recorded["rounds"]:
        assert one["fastest"] > 0
        assert one["ns_per_tick"] > 0
        assert 0 < one["inside"] < 1
        assert len(one["chunks"]) == len(ACCEPTED)


def test_nothing_of_the_machine_is_recorded():
    assert RECORDING.stat().st_size < 300_000
    assert RECORDING.read_bytes()[3:8] == bytes(5)  # no file name, no time
    words = re.findall(r'"([^"]*)"', gzip.decompress(RECORDING.read_bytes()).decode())
    assert set(words) - set(ACCEPTED) == {"kernels", "rounds", "fastest", "ns_per_tick", "inside", "chunks"}


@pytest.mark.parametrize("kernel", ACCEPTED)
def test_the_same_chunks_are_accepted_as_when_they_were_recorded(rounds, kernel):
    found = [gated.gate(chunks, fastest) for chunks, fastest in rounds[kernel]]
    counts = [(len(one.quiet), len(one.busy), one.disturbed, one.mixed) for one in found]
    assert tuple(map(sum, zip(*counts, strict=True))) == ACCEPTED[kernel]
    assert all(len(one.quiet) >= stats.FEWEST_CHUNKS for one in found)


@pytest.mark.parametrize("pair", RATIOS, ids="/".join)
def test_the_ratios_under_load_are_those_without(rounds, pair):
    found = ratio(rounds, pair, by_the_gate)
    assert found.value == pytest.approx(RATIOS[pair], rel=0.003)
    assert width(found) < 0.002
    assert (found.n, found.coverage) == (15, pytest.approx(0.965, abs=0.001))


@pytest.mark.parametrize("pair", SAME, ids="/".join)
def test_the_same_code_under_two_names_does_not_differ(rounds, pair):
    found = ratio(rounds, pair, by_the_gate)
    assert not stats.beyond_floor(found, 0.005)
    assert found.low <= 1 <= found.high
    assert 1 - 0.002 < found.low < found.high < 1 + 0.002


def test_the_frequency_moved_meanwhile_and_no_ratio_did(rounds):
    """Some rounds were 3% faster than others: what is taken inside a round does not feel that."""
    values = np.array([by_the_gate(*one) for one in rounds["control/atomic_a"]])
    assert values.max() / values.min() > 1.02
    ratios = values / [by_the_gate(*one) for one in rounds["control/atomic_b"]]
    assert ratios.max() / ratios.min() < 1.01


@pytest.mark.parametrize("pair", [*RATIOS, *SAME], ids="/".join)
def test_the_mean_of_all_chunks_is_much_worse(rounds, pair):
    assert width(ratio(rounds, pair, by_the_mean_of_all)) > 10 * width(ratio(rounds, pair, by_the_gate))


def test_the_mean_of_all_chunks_is_off_by_the_time_that_linux_took(rounds):
    off = [by_the_mean_of_all(*one) / by_the_gate(*one) for one in rounds["cpu_id/baseline"]]
    assert max(off) > 2


def test_what_is_accepted_has_no_preemption_in_it(rounds):
    for name, of_kernel in rounds.items():
        accepted = [value for chunks, fastest in of_kernel for value in gated.gate(chunks, fastest).quiet]
        offered = [chunk.value for chunks, _ in of_kernel for chunk in chunks]
        assert max(accepted) < 3 * min(accepted), name
        assert max(offered) > 10 * min(accepted), name
