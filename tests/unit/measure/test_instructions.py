"""measure/engines/instructions.py: instructions per operation, from an imagined machine whose costs are known."""

import pytest

from rseqbench.errors import TargetError
from rseqbench.measure.engines.instructions import (
    BUDGET,
    FEWEST,
    LONG_BUDGET,
    REPEAT,
    SHORT,
    InstructionEngine,
    agreeing_counts,
    choose_loops,
    slope,
    slopes,
)
from rseqbench.model import Case, Plan, Registration
from rseqbench.targets.measurements import Counts

PAIR = (1000, 3000)
ONE, OTHER = Case("counter/rseq", 1, Registration.GLIBC), Case("cpu_id/sched_getcpu_norseq", 1, Registration.NONE)
PLAN = Plan((ONE, OTHER), (), 2, 7, 0.5, 1, "counted", "quick", (0,))
TICK = 11_000  # instructions that Linux takes for one


def counts(few, many, step=16, operations=PAIR):
    return Counts(operations, (tuple(few), tuple(many)), step, 0, "glibc")


# ---- the pure parts ----


@pytest.mark.parametrize(
    ("taken", "step", "left"),
    [
        ([100, 100, 100], 0, [100, 100, 100]),
        ([100, 101, 100], 0, [100, 100]),
        ([116, 100, 132, 133, 100], 16, [116, 100, 132, 100]),
        ([100, 1100, 116, 5100], 16, [100, 116]),
        ([100, 7000, 7016, 12_000, 7000], 16, [7000, 7016, 7000]),
        ([7000, 100, 116, 7016, 7000], 16, [7000, 7016, 7000]),
    ],
)
def test_what_most_counts_agree_on_is_undisturbed_be_others_larger_or_smaller(taken, step, left):
    assert agreeing_counts(taken, step) == left


def test_a_slope_is_free_of_what_surrounds_the_loop():
    for around in (0, 77, 1_000_000):
        assert slopes(counts([around + 12_000] * 3, [around + 36_000] * 3)) == [12.0] * 3


def test_counts_are_paired_as_they_came_and_ticks_leave_no_trace():
    wider = counts([12_000, 12_200, 12_000], [36_000, 36_000, 36_200], step=100)
    assert slopes(wider) == [12.0, 11.9, 12.1]
    ticked = counts([12_000, 12_000 + TICK, 12_200, 12_000], [36_000 + TICK, 36_000, 36_000, 36_200], step=100)
    assert slopes(ticked) == slopes(wider)


@pytest.mark.parametrize("loops", [(512, 1024), (1024, 2048), (16_384, 32_768), (131_072, 262_144)])
@pytest.mark.parametrize("cost", [2, 10.5, 143, 318])
def test_a_step_of_the_clock_more_or_less_does_not_show(loops, cost):
    true = [round(cost * number) for number in loops]
    for off in (-16, 0, 16):
        found = slopes(counts([true[0]] * FEWEST, [true[1] + off] * FEWEST, operations=loops))
        assert found == [cost] * FEWEST


def test_decimals_are_as_many_as_the_steps_leave():
    loops = (16_384, 32_768)
    true = [round(12.3456 * number) for number in loops]
    assert slopes(counts([true[0]] * 3, [true[1]] * 3, operations=loops)) == [12.35] * 3
    assert slopes(counts([true[0]] * 3, [true[1]] * 3, 1, loops)) == [12.346] * 3


def test_a_slope_is_the_median():
    assert slope(counts([12_000] * 3, [36_000, 36_150, 36_200], step=100)) == 12.1


@pytest.mark.parametrize(
    ("few", "many", "agree"),
    [
        ([0, TICK, 2 * TICK, 0], [24_000] * 4, "2 and 4"),
        ([0] * 4, [24_000, TICK * 9, 24_000, TICK * 8], "4 and 2"),
    ],
)
def test_too_few_that_agree_are_no_number(few, many, agree):
    with pytest.raises(TargetError, match=f"^interrupted: {agree} of 4 counts agree$"):
        slopes(counts(few, many))


def test_as_many_as_are_asked_for_are_enough():
    few, many = [0] * FEWEST + [TICK, 9 * TICK], [24_000] * FEWEST + [99_999, 77_777]
    assert slopes(counts(few, many)) == [12.0] * FEWEST
    with pytest.raises(TargetError):
        slopes(counts(few[1:], many))


@pytest.mark.parametrize("many", [12_000, 11_999])
def test_more_operations_that_take_no_more_are_an_error(many):
    with pytest.raises(TargetError, match=r"^2000 more operations took no more instructions$"):
        slopes(counts([12_000] * FEWEST, [many] * FEWEST))


@pytest.mark.parametrize("cost", [0.5, 1, 2, 2.01, 12, 98, 244.1, 245, 450, 976, 977, 5000])
def test_loops_are_a_power_of_two_that_fills_the_budget(cost):
    loops = choose_loops(cost)
    assert loops & (loops - 1) == 0
    assert loops >= 512
    assert loops == 512 or loops * cost <= BUDGET
    assert loops * 2 * cost > BUDGET


# ---- the engine ----


class Scripted:
    """A machine on which an operation takes `cost` instructions. `spoil` changes the n-th list of counts."""

    arch = "arm32"

    def __init__(self, cost, spoil=lambda number, taken: taken):
        self._cost, self._spoil = cost, spoil
        self.asked = []

    def count(self, case, plan, loops, repeat):
        if case.benchmark not in self._cost:
            raise TargetError("the guest stopped")
        self.asked.append((case, tuple(loops), repeat))
        cost = self._cost[case.benchmark]
        taken = [[round(1234 + cost * number)] * repeat for number in loops]
        taken = self._spoil(len(self.asked), taken)
        return Counts(tuple(loops), tuple(map(tuple, taken)), 16, 3, case.registration.value)


COSTS = {ONE.benchmark: 12, OTHER.benchmark: 116}


def measured(target, engine=None, number=0, cases=(ONE, OTHER)):
    engine = engine or InstructionEngine()
    engine.prepare(target, PLAN, cases)
    return list(engine.round(target, PLAN, number, cases))


def test_every_case_has_its_instructions():
    taken = measured(Scripted(COSTS))
    assert [one.case for one in taken] == [ONE, OTHER]
    for one, cost in zip(taken, COSTS.values(), strict=True):
        (run,) = one.sample.to_pyperf().get_runs()
        assert run.values == (cost,) * REPEAT
        assert one.failure == ""


def test_a_case_is_calibrated_once_and_then_counted_with_the_same_loops():
    target, engine = Scripted(COSTS), InstructionEngine()
    for number in range(3):
        measured(target, engine, number)
    for case, cost in ((ONE, 12), (OTHER, 116)):
        loops = choose_loops(cost)
        asked = [(pair, repeat) for one, pair, repeat in target.asked if one == case]
        assert asked == [((8, 24), REPEAT), ((1000, 3000), REPEAT), *[((loops, 2 * loops), REPEAT)] * 3]


def test_what_is_stored_says_how_it_was_counted():
    loops = choose_loops(116)
    bench = measured(Scripted(COSTS), number=4)[1].sample.to_pyperf()
    assert bench.get_name() == OTHER.id
    metadata = {k: v for k, v in bench.get_runs()[0].get_metadata().items() if k != "date"}
    assert metadata == {
        "name": OTHER.id,
        "unit": "integer",
        "loops": loops,
        "benchmark": OTHER.benchmark,
        "arch": "arm32",
        "threads": 1,
        "engine": "counted",
        "round": 4,
        "registration": "none",
        "aborts": 3,
        "interrupted": 0,
    }


def ticked(*at):
    """Put ticks into counts of the third request: (which number of loops, which repetition, how many)."""

    def spoil(number, taken):
        for loops, repetition, ticks in at if number == 3 else ():
            taken[loops][repetition] += ticks * TICK
        return taken

    return spoil


def test_a_tick_is_counted_as_interrupted_and_not_averaged_in():
    (one,) = measured(Scripted(COSTS, ticked((0, 1, 1), (1, 2, 1), (1, 4, 2))), cases=[ONE])
    (run,) = one.sample.to_pyperf().get_runs()
    assert set(run.values) == {12}
    assert len(run.values) == REPEAT - 2
    assert run.get_metadata()["interrupted"] == 3


def test_with_too_many_ticks_a_round_is_void_and_the_next_one_goes_on():
    few = REPEAT - FEWEST + 1
    target, engine = Scripted(COSTS, ticked(*((0, i, i + 1) for i in range(few)))), InstructionEngine()
    (void,) = measured(target, engine, cases=[ONE])
    assert void.sample is None
    assert void.failure == f"interrupted: {FEWEST - 1} and {REPEAT} of {REPEAT} counts agree"
    (good,) = measured(target, engine, 1, [ONE])
    assert good.sample.to_pyperf().get_runs()[0].values == (12,) * REPEAT


def test_a_calibration_that_fails_is_made_again_in_the_next_round():
    def spoil(number, taken):
        return [[5] * REPEAT] * 2 if number == 2 else taken

    target, engine = Scripted(COSTS, spoil), InstructionEngine()
    (void,) = measured(target, engine, cases=[ONE])
    assert void.failure == "2000 more operations took no more instructions"
    assert measured(target, engine, 1, [ONE])[0].sample is not None


def test_a_long_operation_is_counted_as_a_whole_ticks_and_all():
    def spoil(number, taken):
        return [[count + number * TICK for count in counts] for counts in taken]

    target, engine = Scripted({ONE.benchmark: 100_000}, spoil), InstructionEngine()
    for number in range(2):
        (one,) = measured(target, engine, number, [ONE])
    loops = choose_loops(100_000, LONG_BUDGET, 16)
    assert [pair for _, pair, _ in target.asked] == [(8, 24), (loops,), (loops,)]
    (run,) = one.sample.to_pyperf().get_runs()
    assert set(run.values) == {round((1234 + 100_000 * loops + 3 * TICK) / loops, 1)}
    assert run.get_metadata()["interrupted"] == 0


@pytest.mark.parametrize(("cost", "long"), [(SHORT, False), (SHORT + 1, True)])
def test_what_fits_between_two_ticks_is_not_long(cost, long):
    target = Scripted({ONE.benchmark: cost})
    measured(target, cases=[ONE])
    assert (len(target.asked[-1][1]) == 1) is long
    assert SHORT * 512 * 2 < 1_100_000  # well below the 4,000,000 between two ticks of 250 Hz


PERIOD = 4_000_000  # instructions between two ticks of 250 Hz


class Ticking(Scripted):
    """A machine whose Linux ticks, no two ticks alike: a request begins `phase` instructions after one."""

    def __init__(self, cost, phase):
        super().__init__({ONE.benchmark: cost})
        self._phase = phase

    def count(self, case, plan, loops, repeat):
        plain = super().count(case, plan, loops, repeat)
        clock, ticks, taken = self._phase, 0, [[] for _ in loops]
        for repetition in range(repeat):
            for into, counted in zip(taken, plain.taken, strict=True):
                begin, clock = clock, clock + counted[repetition]
                while clock >= (ticks + 1) * PERIOD:
                    ticks += 1
                    clock += TICK + 1000 * ticks
                into.append(clock - begin)
        return Counts(tuple(loops), tuple(map(tuple, taken)), 16, 0, case.registration.value)


@pytest.mark.parametrize("cost", [2, 12, 116, 333, 334, 500, 727, SHORT])
def test_wherever_ticks_fall_an_operation_that_fits_between_two_is_calibrated_and_counted(cost):
    for phase in range(0, PERIOD, 100_000):
        (one,) = measured(Ticking(cost, phase), cases=[ONE])
        assert (phase, one.failure) == (phase, "")
        assert set(one.sample.to_pyperf().get_runs()[0].values) == {cost}


def test_what_a_target_cannot_count_does_not_keep_the_others_from_it():
    taken = measured(Scripted({OTHER.benchmark: 116}))
    assert (taken[0].sample, taken[0].failure) == (None, "the guest stopped")
    assert taken[1].sample is not None


def test_there_is_nothing_to_wait_for():
    assert InstructionEngine().pause_s() == 0.0
