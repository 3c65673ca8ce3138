"""Chunks recorded on a loaded machine, replayed: the gated engine gets the ratios out of them that hold without load.

tests/support/record_chunks.py made the recording, under `stress-ng --cpu 2 --switch 8`. The same script, without load,
measured the ratios that have to come out; they are known from a run of their own, not from the recording.
"""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest

from rseqbench.analysis import stats
from rseqbench.measure.engines import gated
from rseqbench.store import samples
from rseqbench.targets.measurements import Chunk

RECORDING = Path(__file__).parents[2] / "data" / "chunks-loaded.json.gz"

# quiet, busy, disturbed and mixed chunks of all rounds
ACCEPTED = {
    "control/atomic_a": (1334, 6, 61, 12),
    "control/atomic_b": (1335, 6, 67, 8),
    "control/syscall_a": (1334, 6, 61, 16),
    "control/syscall_b": (1333, 4, 59, 15),
    "counter/rseq": (1337, 6, 48, 19),
    "counter/rseq_atomic": (1333, 5, 46, 16),
    "counter/vdso_atomic": (1334, 3, 61, 21),
    "cpu_id/baseline": (1331, 4, 68, 13),
    "cpu_id/getcpu_vdso": (1331, 6, 57, 14),
    "cpu_id/rseq": (1334, 4, 64, 15),
    "cpu_id/sched_getcpu_norseq": (1331, 3, 64, 19),
}

# without load
RATIOS = {
    ("counter/rseq", "counter/vdso_atomic"): 0.080019,
    ("counter/rseq", "counter/rseq_atomic"): 0.10401,
    ("cpu_id/rseq", "cpu_id/getcpu_vdso"): 0.076909,
    ("cpu_id/sched_getcpu_norseq", "cpu_id/rseq"): 14.005,
    ("cpu_id/baseline", "control/atomic_a"): 0.05556,
    ("control/syscall_a", "counter/rseq"): 150.87,
}
SAME = (("control/atomic_a", "control/atomic_b"), ("control/syscall_a", "control/syscall_b"))


def read():
    return json.loads(gzip.decompress(RECORDING.read_bytes()))


VALID = 14  # of 15 rounds: in one of them, the core was hardly ever ours


@pytest.fixture(scope="module")
def rounds(recording):
    """Return the rounds that are not void."""
    enough = [
        all(len(gated.classify_chunks(*of[number]).quiet) >= samples.FEWEST_CHUNKS for of in recording.values())
        for number in range(15)
    ]
    return {name: [one for one, ok in zip(each, enough, strict=True) if ok] for name, each in recording.items()}


@pytest.fixture(scope="module")
def recording():
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
    return samples.round_value(gated.classify_chunks(chunks, fastest).quiet, "gated")


def by_the_mean_of_all(chunks, fastest):
    del fastest
    return float(np.mean([chunk.value for chunk in chunks]))


def narrow(pair):
    """Return how wide an interval may be: a system call takes more turns than a loop in user space."""
    return 0.003 if "syscall" in pair[0] else 0.002


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
def test_the_same_chunks_are_accepted_as_when_they_were_recorded(recording, kernel):
    found = [gated.classify_chunks(chunks, fastest) for chunks, fastest in recording[kernel]]
    counts = [(len(one.quiet), len(one.busy), one.disturbed, one.mixed) for one in found]
    assert tuple(map(sum, zip(*counts, strict=True))) == ACCEPTED[kernel]
    assert sum(len(one.quiet) >= samples.FEWEST_CHUNKS for one in found) == VALID


@pytest.mark.parametrize("pair", RATIOS, ids="/".join)
def test_the_ratios_under_load_are_those_without(rounds, pair):
    found = ratio(rounds, pair, by_the_gate)
    assert found.value == pytest.approx(RATIOS[pair], rel=0.003)
    assert width(found) < narrow(pair)
    assert (found.n, found.coverage) == (VALID, pytest.approx(0.987, abs=0.001))


@pytest.mark.parametrize("pair", SAME, ids="/".join)
def test_the_same_code_under_two_names_does_not_differ(rounds, pair):
    found = ratio(rounds, pair, by_the_gate)
    assert not stats.beyond_floor(found, 0.005)
    assert found.low <= 1 <= found.high
    assert 1 - narrow(pair) < found.low < found.high < 1 + narrow(pair)


@pytest.mark.parametrize("pair", [*RATIOS, *SAME], ids="/".join)
def test_the_mean_of_all_chunks_is_much_worse(rounds, pair):
    assert width(ratio(rounds, pair, by_the_mean_of_all)) > 10 * width(ratio(rounds, pair, by_the_gate))


def test_the_mean_of_all_chunks_is_off_by_the_time_that_linux_took(rounds):
    off = [by_the_mean_of_all(*one) / by_the_gate(*one) for one in rounds["cpu_id/baseline"]]
    assert max(off) > 2


def test_what_is_accepted_has_no_preemption_in_it(rounds):
    for name, of_kernel in rounds.items():
        accepted = [value for chunks, fastest in of_kernel for value in gated.classify_chunks(chunks, fastest).quiet]
        offered = [chunk.value for chunks, _ in of_kernel for chunk in chunks]
        assert max(accepted) < 5 * min(accepted), name  # a preemption takes a millisecond, twenty chunks
        assert np.quantile(accepted, 0.95) < 1.5 * min(accepted), name
        assert max(offered) > 10 * min(accepted), name
