"""targets/runner/messages.py: what is asked of a process that holds the kernels, and what its answers mean."""

from dataclasses import replace

import pytest

from rseqbench.errors import TargetError
from rseqbench.model import Benchmark, Case, Registration
from rseqbench.targets.measurements import ChunkRequest
from rseqbench.targets.runner.messages import MOST_OPERATIONS, CheckAnswer, conclude_check, read_gated_round, run_check
from tests.support.requirements import defaults

SHARED = Benchmark("counter/x", "doc", shared=True)
SEQUENCE = Benchmark("counter/x", "doc", shared=True, sequence=True)
EXACT = CheckAnswer(True, "", operations=10, aborts=2, disturbances=5)
WRONG = CheckAnswer(False, "the sum is 3", operations=10, aborts=0, disturbances=5)


@pytest.mark.parametrize(
    ("benchmark", "answers", "cpus", "verdict", "message"),
    [
        (SEQUENCE, [EXACT, EXACT], 2, "exact", ""),
        (SEQUENCE, [EXACT, WRONG], 2, "FAILED", "the sum is 3"),
        (SEQUENCE, [replace(EXACT, aborts=0)] * 2, 2, "exact, not exercised", "no abort was taken"),
        (SEQUENCE, [replace(EXACT, aborts=0), EXACT], 2, "exact", ""),
        (SHARED, [replace(EXACT, aborts=0)] * 2, 2, "exact", ""),
        (SHARED, [EXACT], 1, "exact, not exercised", "only one CPU, so no migration"),
        (
            SHARED,
            [replace(EXACT, disturbances=0)],
            2,
            "exact, not exercised",
            "over before anything disturbed it",
        ),
        (Benchmark("cpu_id/x", "doc"), [replace(EXACT, aborts=0, disturbances=0)], 1, "exact", ""),
        (Benchmark("cpu_id/x", "doc", trivial=True), [EXACT], 2, "trivial", ""),
    ],
)
def test_what_is_concluded_from_the_answers(benchmark, answers, cpus, verdict, message):
    check = conclude_check(benchmark, 8, cpus, answers)
    assert (check.verdict, check.message) == (verdict, message)
    assert check.operations == 10 * len(answers)
    assert check.threads == 8


def test_a_check_that_ends_before_its_disturbances_says_so():
    few, enough = replace(EXACT, disturbances=4), replace(EXACT, disturbances=100)
    said = "its operations were done after 4 of the 100 disturbances asked for"
    for answers, verdict, message in (
        ([few, enough], "exact, short", said),
        ([enough, few], "exact, short", said),
        ([enough, enough], "exact", ""),
    ):
        check = conclude_check(SHARED, 8, 2, answers, 100)
        assert (check.verdict, check.message, check.exercised) == (verdict, message, True)


def test_what_is_unproved_or_needs_no_disturbance_is_not_called_short():
    few = replace(EXACT, disturbances=4)
    assert conclude_check(SEQUENCE, 8, 2, [replace(few, aborts=0)], 100).verdict == "exact, not exercised"
    assert conclude_check(SHARED, 8, 2, [WRONG], 100).verdict == "FAILED"
    assert conclude_check(Benchmark("cpu_id/x", "doc"), 1, 2, [few], 100).verdict == "exact"


def test_a_check_holds_what_came_against_what_was_asked_for():
    asked = defaults().check.disturbances
    assert run_check(SHARED, defaults().check, 2, lambda _: replace(EXACT, disturbances=asked - 1)).short
    assert not run_check(SHARED, defaults().check, 2, lambda _: replace(EXACT, disturbances=asked)).short


def test_a_shared_benchmark_is_checked_as_it_is_timed_and_with_its_sequences_held_open():
    asked = []
    run_check(SHARED, defaults().check, 2, lambda request: asked.append(request) or EXACT)
    assert [request.stress for request in asked] == [False, True]


def test_what_is_wrong_once_is_not_tried_again():
    asked = []
    check = run_check(SHARED, defaults().check, 2, lambda request: asked.append(request) or WRONG)
    assert (len(asked), check.passed, check.message) == (1, False, "the sum is 3")


def test_a_check_that_dies_is_not_exact():
    def die(_):
        raise TargetError("killed by SIGSEGV")

    check = run_check(SEQUENCE, defaults().check, 2, die)
    assert (check.verdict, check.message) == ("FAILED", "killed by SIGSEGV")


def test_all_threads_together_do_no_more_operations_than_payloads_have_numbers():
    asked = []
    threaded = Benchmark("ring_buffer/x", "doc", shared=True, threaded=True)
    run_check(threaded, defaults().check, 300, lambda request: asked.append(request) or EXACT)
    assert asked[0].threads == defaults().check.threads_per_cpu * 300
    assert asked[0].threads * asked[0].loops <= MOST_OPERATIONS


@pytest.mark.parametrize("cpus", [1, 2, 3, 64])
def test_a_32_bit_runner_takes_the_longest_check(cpus):
    """Its loops end at half of a C unsigned long, divided by the threads."""
    asked = []
    longest = replace(defaults().check, operations=1_000_000_000)
    threaded = Benchmark("ring_buffer/x", "doc", shared=True, threaded=True)
    run_check(threaded, longest, cpus, lambda request: asked.append(request) or EXACT)
    assert asked[0].loops <= (2**31 - 1) // asked[0].threads


@pytest.mark.parametrize(("counts", "expected"), [(True, [(5.0, 2.0, 0.0), None]), (False, [None, None])])
def test_a_chunk_without_instructions_was_not_counted(counts, expected):
    chunks = [[0, 0, 9, 9, 100, 0, 50, 20, 0], [0, 0, 9, 9, 100, 0, 0, 0, 0]]
    answer = {"chunks": chunks, "ns_per_tick": 1.0, "fastest": 9, "resolution": 1, "inside": 200, "waits": 0, "ns": 300}
    found = read_gated_round(answer, [ChunkRequest(Case("counter/x"), 10, 2)], counts, Registration.GLIBC)
    assert [chunk.counted for chunk in found.chunks[0]] == expected
