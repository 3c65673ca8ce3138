"""rseqbench/measure/engines/gated.py: which chunks count, what a round's value is, and which rounds are void."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rseqbench.errors import TargetError
from rseqbench.measure.engines import gated
from rseqbench.model import Case, Plan, Registration
from rseqbench.store.samples import FEWEST_CHUNKS, quantile, round_value
from rseqbench.targets.measurements import Chunk, GatedRound

N = gated.WANTED_CHUNKS
FAST = 1000  # the fastest probe, in ticks
QUIET, SLOW = 1150, 1151  # the slowest probe that is still quiet, and the fastest that is not
CASES = (Case("counter/rseq", 1, Registration.GLIBC), Case("cpu_id/getcpu_vdso", 1, Registration.NONE))


def chunk(before=FAST, after=FAST, disturbed=False, value=1.0, counted=None):
    return Chunk(value, before, after, disturbed, 0, counted)


def sorts(*chunks, fastest=FAST):
    """Return how many chunks the gate calls quiet, busy, disturbed and mixed."""
    found = gated.classify_chunks(chunks, fastest)
    return len(found.quiet), len(found.busy), found.disturbed, found.mixed


# ---- the gate ----


def test_the_slowest_quiet_probe_is_the_one_that_was_measured_to_separate():
    assert round(FAST * gated.SLOWEST_PROBE) == QUIET


@pytest.mark.parametrize(
    ("before", "after", "disturbed", "sort"),
    [
        (FAST, FAST, False, (1, 0, 0, 0)),
        (QUIET, QUIET, False, (1, 0, 0, 0)),
        (FAST - 1, FAST, False, (1, 0, 0, 0)),
        (SLOW, SLOW, False, (0, 1, 0, 0)),
        (2600, 90_000, False, (0, 1, 0, 0)),
        (QUIET, SLOW, False, (0, 0, 0, 1)),
        (SLOW, QUIET, False, (0, 0, 0, 1)),
        (FAST, FAST, True, (0, 0, 1, 0)),
        (SLOW, SLOW, True, (0, 0, 1, 0)),
        (FAST, SLOW, True, (0, 0, 1, 0)),
    ],
)
def test_a_chunk_counts_if_both_probes_were_quiet_and_linux_ran_nothing_else(before, after, disturbed, sort):
    assert sorts(chunk(before, after, disturbed)) == sort


def test_no_chunks_are_of_no_sort():
    assert sorts() == (0, 0, 0, 0)
    assert gated.classify_chunks([], FAST).offered == 0


def test_a_faster_probe_of_the_run_makes_former_ones_slow():
    chunks = [chunk(FAST, FAST), chunk(800, 800)]
    assert sorts(*chunks, fastest=FAST) == (2, 0, 0, 0)
    assert sorts(*chunks, fastest=800) == (1, 1, 0, 0)


def test_quiet_and_busy_values_keep_their_order_and_the_others_are_only_counted():
    chunks = [
        chunk(value=3.0),
        chunk(SLOW, SLOW, value=9.0),
        chunk(disturbed=True, value=700.0),
        chunk(value=1.0),
        chunk(FAST, SLOW, value=5.0),
        chunk(SLOW, SLOW, value=8.0),
        chunk(value=2.0),
    ]
    found = gated.classify_chunks(chunks, FAST)
    assert found.quiet == (3.0, 1.0, 2.0)
    assert found.busy == (9.0, 8.0)
    assert (found.disturbed, found.mixed, found.offered) == (1, 1, 7)


def test_only_the_counters_of_quiet_chunks_are_kept():
    chunks = [
        chunk(counted=(8.0, 3.0, 0.0)),
        chunk(SLOW, SLOW, counted=(8.0, 7.0, 0.0)),
        chunk(disturbed=True, counted=(99.0, 99.0, 1.0)),
        chunk(),
    ]
    assert gated.classify_chunks(chunks, FAST).counted == ((8.0, 3.0, 0.0),)


@given(
    st.lists(
        st.builds(
            Chunk,
            st.floats(0.1, 1e6),
            st.integers(900, 5000),
            st.integers(900, 5000),
            st.booleans(),
            st.just(0),
        )
    ),
    st.integers(500, 2000),
)
def test_every_chunk_is_of_exactly_one_sort_and_its_value_has_no_say(chunks, fastest):
    found = gated.classify_chunks(chunks, fastest)
    assert found.offered == len(chunks)
    assert sorts(*chunks, fastest=fastest) == sorts(*(replace(c, value=1.0) for c in chunks), fastest=fastest)


# ---- the value of a round ----


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        (range(1, 13), 0.25, 3),
        (range(1, 12), 0.25, 3),
        (range(1, 14), 0.25, 4),
        (range(1, 9), 0.25, 2),
        (range(1, 10), 0.25, 3),
        (range(1, 5), 0.25, 1),
        ([7], 0.25, 7),
        (range(1, 13), 0.5, 6),
        (range(1, 13), 0.0, 1),
        (range(1, 13), 1.0, 12),
    ],
)
def test_a_quantile_is_one_of_the_values_by_its_rank(values, share, expected):
    assert quantile(list(values)[::-1], share) == expected


@given(st.lists(st.floats(1e-3, 1e6), min_size=1), st.floats(0, 1))
def test_a_quantile_is_the_smallest_value_that_enough_values_do_not_exceed(values, share):
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < max(share * len(values), 1)


@given(st.lists(st.floats(1e-3, 1e6), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_is_no_smaller_a_value(values, one, other):
    low, high = sorted((one, other))
    assert min(values) <= quantile(values, low) <= quantile(values, high) <= max(values)


@given(st.permutations(range(12)))
def test_the_order_of_chunks_has_no_say(values):
    assert quantile(values) == 1


def test_the_value_of_a_gated_round_is_the_quantile():
    fast_and_slow = [1.0, 1.01, 1.02, 1.03, 1.04, 1.05] + [1.2] * 44
    assert round_value(fast_and_slow, "gated") == 1.04


def test_the_value_of_a_plain_round_is_the_median():
    assert round_value([3.0, 1.0, 100.0], "pyperf") == 3.0
    assert round_value([1.0, 2.0, 4.0, 100.0], "pyperf") == 3.0
    assert round_value([1.0], "pyperf") == 1.0


@pytest.mark.parametrize("count", range(FEWEST_CHUNKS))
def test_too_few_chunks_have_no_value(count):
    with pytest.raises(ValueError, match=f"^{count} values are too few for a round of engine gated$"):
        round_value([1.0] * count, "gated")


def test_enough_chunks_have_a_value():
    assert round_value([float(i) for i in range(1, FEWEST_CHUNKS + 1)], "gated") == 4.0


def test_no_plain_values_have_no_value():
    with pytest.raises(ValueError, match=r"^0 values are too few"):
        round_value([], "pyperf")


# ---- the fastest probe ----


@pytest.mark.parametrize(
    ("seen", "settled"),
    [
        ([1000], False),
        ([1000] * 4, False),
        ([1000] * 5, True),
        ([1000, 1020, 1019, 1001, 1000], True),
        ([1000, 1021, 1019, 1001, 1000], False),
        ([1000, 2600, 2600, 2600, 2600, 2600], False),
        ([2600] * 5, True),
        ([2600] * 5 + [1000], False),
        ([2600] * 5 + [1000] * 5, True),
    ],
)
def test_the_fastest_probe_has_settled_when_five_are_within_two_percent_of_it(seen, settled):
    assert gated._settled(seen) == settled


@pytest.mark.parametrize(
    ("threads", "cpus", "step_ns", "found"),
    [
        (1, 1, 1.0, (gated.CHUNK_NS, gated.WANTED_CHUNKS)),
        (1, 8, 25.0, (gated.CHUNK_NS, gated.WANTED_CHUNKS)),
        (1, 8, 100.0, (200_000, gated.WANTED_CHUNKS)),
        (2, 2, 1.0, (gated.TEAM_CHUNK_NS, gated.TEAM_CHUNKS)),
        (3, 2, 1.0, (gated.CROWD_CHUNK_NS, gated.TEAM_CHUNKS)),
        (2, 1, 1.0, (gated.CROWD_CHUNK_NS, gated.TEAM_CHUNKS)),
        (2, 1, 1e4, (20_000_000, gated.TEAM_CHUNKS)),
    ],
)
def test_chunks_are_sized_by_their_threads_and_by_the_clock(threads, cpus, step_ns, found):
    assert gated.chunk_size(threads, cpus, step_ns) == found


def test_every_case_can_have_enough_chunks():
    assert min(gated.WANTED_CHUNKS, gated.TEAM_CHUNKS) >= FEWEST_CHUNKS


# ---- the engine over a target that answers as told ----


class Scripted:
    """A target whose gated rounds are a given list of answers; an exception among them is raised."""

    arch = "x86_64"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def calibrate(self, case, plan, chunk_ns):
        self.chunk_ns = chunk_ns
        return 1000

    def gate(self, slots, plan, options):
        self.asked.append((list(slots), dict(options)))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(chunks=None, **changes):
    """Return a gated round of N quiet chunks of both cases, but for the changes."""
    chunks = ([chunk(value=0.5 + i / 100) for i in range(N)],) * 2 if chunks is None else chunks
    made = GatedRound(tuple(map(tuple, chunks)), FAST, 1, 0.4, 0.95, 0, "glibc")
    return replace(made, **changes)


def plan(**changes):
    return replace(Plan(CASES, (), 6, 3, 0.2, 7, "gated", "quick", (0,)), **changes)


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch):
    monkeypatch.setattr(gated.time, "sleep", lambda _: None)


def begun(*answers):
    """Return an engine that has been prepared by quiet answers, and a target that will give these."""
    target = Scripted(*([answer()] * 5), *answers)
    engine = gated.GatedEngine()
    engine.prepare(target, plan(), CASES)
    return engine, target


def taken(engine, target, number=0):
    return list(engine.round(target, plan(), number, CASES))


def test_a_round_of_quiet_chunks_is_a_pyperf_benchmark_of_their_values():
    for case, one in zip(CASES, taken(*begun(answer())), strict=True):
        assert (one.case, one.failure) == (case, "")
        (run,) = one.sample.to_pyperf().get_runs()
        assert run.values == pytest.approx([(0.5 + i / 100) * 1e-9 for i in range(N)])
        metadata = run.get_metadata()
        assert metadata["registration"] == case.registration
        assert (metadata["engine"], metadata["loops"], metadata["chunks_offered"]) == ("gated", 1000, N)


def test_what_was_not_accepted_is_counted_and_the_busy_chunks_are_shown_beside():
    chunks = [
        *[chunk(value=1.0)] * FEWEST_CHUNKS,
        *[chunk(SLOW, SLOW, value=2.0)] * (FEWEST_CHUNKS // 2),
        *[chunk(disturbed=True, value=900.0)] * 3,
        *[chunk(FAST, SLOW, value=1.5)] * 2,
    ]
    metadata = taken(*begun(answer([chunks, chunks])))[0].sample.to_pyperf().get_runs()[0].get_metadata()
    assert {name: metadata[f"chunks_{name}"] for name in ("offered", "busy", "disturbed", "mixed")} == {
        "offered": FEWEST_CHUNKS + FEWEST_CHUNKS // 2 + 5,
        "busy": FEWEST_CHUNKS // 2,
        "disturbed": 3,
        "mixed": 2,
    }
    assert metadata["busy_ns"] == 2.0


def test_too_few_busy_chunks_are_not_shown_beside():
    chunks = [*[chunk()] * FEWEST_CHUNKS, *[chunk(SLOW, SLOW)] * (FEWEST_CHUNKS // 2 - 1)]
    assert "busy_ns" not in taken(*begun(answer([chunks, chunks])))[0].sample.to_pyperf().get_runs()[0].get_metadata()


def test_a_case_with_too_few_quiet_chunks_is_contended_and_the_other_is_not():
    starved = [*[chunk()] * (FEWEST_CHUNKS - 1), *[chunk(SLOW, SLOW)] * 20]
    first, second = taken(*begun(answer([starved, [chunk()] * N])))
    assert first.sample is None
    why = f"contended: {FEWEST_CHUNKS - 1} of {FEWEST_CHUNKS + 19} chunks had the core to themselves"
    assert first.failure == why
    assert second.failure == ""


@pytest.mark.parametrize(("waits", "void"), [(8 * 2 * N, False), (9 * 2 * N, False), (9 * 2 * N + 1, True)])
def test_a_round_on_a_core_that_was_hardly_ever_ours_is_void(waits, void):
    """What passes then passes in short pauses of a neighbour, who was there while the chunk ran."""
    failures = {one.failure for one in taken(*begun(answer(waits=waits)))}
    assert failures == ({f"contended: the core was ours in {2 * N} of {2 * N + waits} tries"} if void else {""})


def test_a_round_without_any_chunk_is_contended():
    assert [one.failure for one in taken(*begun(answer([[], []], inside=0.0)))] == [
        "contended: 0 of 0 chunks had the core to themselves"
    ] * 2


def test_a_target_that_fails_makes_the_round_void_and_not_the_next():
    engine, target = begun(TargetError("a worker process died (SIGKILL)"), answer())
    assert [one.failure for one in taken(engine, target)] == ["a worker process died (SIGKILL)"] * 2
    assert [one.failure for one in taken(engine, target, 1)] == ["", ""]


def test_chunks_are_as_long_as_the_clock_is_fine():
    assert begun()[1].chunk_ns == gated.CHUNK_NS
    coarse = Scripted(answer(resolution=100, ns_per_tick=1.0))
    gated.GatedEngine().prepare(coarse, plan(), CASES)
    assert coarse.chunk_ns == 100 * gated.LEAST_STEPS


@pytest.mark.parametrize(("step_ns", "threads"), [(1, 1), (1500, 1), (1, 2), (1500, 2)])
def test_a_round_may_last_as_long_as_its_chunks(step_ns, threads):
    """Of a clock that takes a system call to read, a chunk lasts milliseconds: the time limit is not a neighbour's."""
    target = Scripted(answer([[chunk()] * N] * 40, resolution=step_ns, ns_per_tick=1.0))
    cases = tuple(Case(f"counter/{i}", threads, Registration.GLIBC) for i in range(40))
    engine = gated.GatedEngine()
    engine.prepare(target, plan(cases=cases), cases)
    list(engine.round(target, plan(cases=cases), 0, cases))
    slots, options = target.asked[-1]
    length, _ = gated.chunk_size(threads, 1, step_ns)
    assert options["limit_ms"] >= gated.LIMIT_MS
    assert options["limit_ms"] > 2 * sum(slot.wanted for slot in slots) * length * 1e-6


def test_a_case_that_cannot_be_sized_is_void_and_the_others_are_not():
    class Picky(Scripted):
        def calibrate(self, case, plan, chunk_ns):
            if case == CASES[1]:
                raise TargetError("an operation had to be repeated")
            return 1000

    target = Picky(answer([[chunk()] * N]))
    engine = gated.GatedEngine()
    engine.prepare(target, plan(), CASES)
    for number in range(2):
        found = {one.case: one.failure for one in engine.round(target, plan(), number, CASES)}
        assert found == {CASES[0]: "", CASES[1]: "an operation had to be repeated"}
    assert next(engine.round(target, plan(), 2, CASES[1:])).failure == "an operation had to be repeated"


def test_every_round_is_measured_against_the_fastest_probe_of_the_run():
    engine, target = begun(answer(), answer(fastest=900), answer())
    for number in range(3):
        taken(engine, target, number)
    assert [options["fastest"] for _, options in target.asked[-3:]] == [FAST, FAST, 900]


def test_every_round_has_another_seed_and_the_same_run_the_same_ones():
    engine, target = begun(answer())
    for number in range(20):
        taken(engine, target, number)
    seeds = [options["seed"] for _, options in target.asked[-20:]]
    assert len({seed | 1 for seed in seeds}) == 20  # round.c sets the lowest bit
    again, other = begun(answer())
    taken(again, other)
    assert other.asked[-1][1]["seed"] == seeds[0]


NOTHING = [[chunk(value=0.0), *[chunk()] * N], [chunk()] * N]
JUMPS = {
    "chunk_of_no_time": (answer(NOTHING), "a chunk took no time"),
    "chunk_of_less_than_no_time": (answer([[chunk(value=-1.0)] * N] * 2), "a chunk took no time"),
    "chunk_of_nan": (answer([[chunk(value=math.nan)] * N] * 2), "a chunk took no time"),
    "chunk_without_end": (answer([[chunk(value=math.inf)] * N] * 2), "a chunk took no time"),
    "disturbed_chunk_of_no_time": (
        answer([[chunk(value=0.0, disturbed=True), *[chunk()] * N]] * 2),
        "a chunk took no time",
    ),
    "tick_of_no_time": (answer(ns_per_tick=0.0), "a tick was 0 ns and is 0.4 ns in this run"),
    "tick_of_less_than_no_time": (answer(ns_per_tick=-0.4), "a tick was -0.4 ns"),
    "tick_of_nan": (answer(ns_per_tick=math.nan), "a tick was nan ns"),
    "tick_without_end": (answer(ns_per_tick=math.inf), "a tick was inf ns"),
    "tick_that_grew": (answer(ns_per_tick=0.405), "a tick was 0.405 ns and is 0.4 ns in this run"),
    "tick_that_shrank": (answer(ns_per_tick=0.395), "a tick was 0.395 ns"),
    "more_than_the_round": (answer(inside=1.2), "the chunks took 1.2 times as long as the round"),
    "less_than_nothing": (answer(inside=-0.1), "the chunks took -0.1 times"),
    "inside_of_nan": (answer(inside=math.nan), "the chunks took nan times"),
    "probe_of_no_time": (answer(fastest=0), "a probe took 0 ticks, never before fewer than 1000"),
    "probe_of_almost_none": (answer(fastest=99), "a probe took 99 ticks"),
}


@pytest.mark.parametrize("jump", JUMPS)
def test_a_clock_that_jumps_makes_the_round_void_and_the_next_is_as_good_as_ever(jump):
    wrong, why = JUMPS[jump]
    engine, target = begun(wrong, answer())
    for one in taken(engine, target):
        assert one.sample is None
        assert one.failure.startswith(f"the clock jumped: {why}")
        assert "\n" not in one.failure
    assert [one.failure for one in taken(engine, target, 1)] == ["", ""]
    assert target.asked[-1][1]["fastest"] == FAST


def test_a_clock_that_is_only_a_little_off_has_not_jumped():
    engine, target = begun(answer(ns_per_tick=0.4 * 1.0005, inside=1.0))
    assert [one.failure for one in taken(engine, target)] == ["", ""]


def test_a_core_that_became_twice_as_fast_has_no_clock_that_jumped():
    engine, target = begun(answer(fastest=FAST // 2))
    assert {one.failure for one in taken(engine, target)} == {f"contended: the core was ours in 0 of {2 * N} tries"}


@pytest.mark.parametrize("tick", [0.0, -0.4, math.nan])
def test_a_tick_of_no_time_is_a_jump_even_where_the_run_knows_none(tick):
    assert gated._jumped(answer(ns_per_tick=tick), 0.0, 0).startswith("a tick was ")
    assert gated._jumped(answer(), 0.0, 0) == ""


def test_one_odd_tick_while_preparing_is_not_the_run_s():
    target = Scripted(answer(ns_per_tick=9.0), *([answer()] * 4), answer())
    engine = gated.GatedEngine()
    engine.prepare(target, plan(), CASES)
    assert [one.failure for one in taken(engine, target)] == ["", ""]
