"""rseqbench/measure/rounds.py over an imagined target: what fails, what is kept, and what is taken up again."""

import dataclasses
import inspect
import json

import pytest

from rseqbench.analysis import dataset
from rseqbench.errors import CheckError, TargetError
from rseqbench.measure import plan as planning
from rseqbench.measure import rounds
from rseqbench.measure.engines.composite import CompositeEngine
from rseqbench.measure.engines.sequential import PyperfEngine
from rseqbench.model import BASELINE, Benchmark, Case, Check, Machine, Plan, Registration, Skip, SkipKind
from rseqbench.store.events import BootDone, CaseMeasured, Checked, RoundDone
from rseqbench.store.runs import Header, Store
from rseqbench.targets import Target
from rseqbench.targets.measurements import LoopTimes
from tests.support.requirements import defaults

RSEQ, PLAIN, LSL = "counter/rseq", "counter/plain", "cpu_id/lsl"
NAMES = (BASELINE, PLAIN, RSEQ)
ROUNDS = 6
CHECK = defaults().check


class Imagined:
    """A target in memory. `fails` says why a case fails in a round; `wrong` which checks fail."""

    arch = "x86_64"

    def __init__(self, fails=lambda case, number: "", wrong=()):
        self._fails = fails
        self._wrong = wrong
        self.checked = []
        self.measured = []  # (round, benchmark, loops)
        self.number = 0  # of the round, which NumberingEngine says
        self.rounds = 0
        self.boots = 0
        self.doubtful = {}  # benchmarks that somebody else saw to be wrong, and why

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        pass

    def calls(self):
        return []

    def machine(self):
        return Machine(self.arch, "imagined", "virtual")

    def cpus(self):
        return (0,)

    def registration(self):
        return Registration.GLIBC

    def benchmarks(self):
        return [*(Benchmark(name, name) for name in NAMES), Benchmark(LSL, LSL, unavailable="x86 only")]

    def check(self, benchmark, options):
        self.checked.append(benchmark.name)
        passed = benchmark.name not in self._wrong
        return Check(benchmark.name, passed, 8, 1000, 1, 100, True, "" if passed else "the sum is 3")

    def new_round(self):
        self.rounds += 1

    def doubts(self, case):
        return self.doubtful.get(case.benchmark, "")

    def boot_id(self):
        return f"boot {self.boots}"

    def measure(self, case, plan, loops):
        self.measured.append((self.number, case.id, loops))
        why = self._fails(case, self.number)
        if why:
            raise TargetError(why)
        return LoopTimes(loops or 64, (1e-9,) * plan.values, 0, "glibc")


class Ours(Imagined):
    """One that is ours to boot."""

    def reboot(self):
        self.boots += 1


class NumberingEngine(PyperfEngine):
    """The engine `pyperf`, which lets an imagined target know the round."""

    def round(self, target, plan, number, cases):
        target.number = number
        return super().round(target, plan, number, cases)


def begun(tmp_path, cases=NAMES, number=ROUNDS):
    plan = Plan(
        tuple(Case(name, 1, Registration.GLIBC) for name in cases), (Skip(LSL, 1, "x86 only"),), number, 2, 0.5, 7,
        "pyperf", "quick", (0,),
    )  # fmt: skip
    header = Header("mine", "", "", plan, (Machine("x86_64", "imagined", "virtual"),))
    return Store(tmp_path / "results").begin(header, force=False)


def run(target, unfinished, engine=None):
    return list(rounds.run(target, unfinished, engine or NumberingEngine(), CHECK))


def values(unfinished):
    """Finish a run; return how many rounds each benchmark has, as everything behind the store sees it."""
    frame = dataset.build([unfinished.finish(lambda _: "")])
    return frame.groupby("benchmark")["round"].count().to_dict()


def test_what_a_witness_doubts_has_no_number(tmp_path):
    target, unfinished = Imagined(), begun(tmp_path)
    target.doubtful = {NAMES[0]: "half of it is missing"}
    run(target, unfinished, CompositeEngine(NumberingEngine()))
    assert rounds.failures(unfinished.header) == [f"{NAMES[0]}: failed in every round: half of it is missing"]
    assert values(unfinished) == dict.fromkeys(NAMES[1:], ROUNDS)


def test_the_imagined_target_is_one():
    wanted = {name for name, _ in inspect.getmembers(Target) if not name.startswith("_")}
    assert wanted <= set(dir(Imagined()))


# ---- all is well ----


def test_checks_come_first_then_every_round_measures_every_case_once(tmp_path):
    target, unfinished = Imagined(), begun(tmp_path)
    events = run(target, unfinished)
    assert target.checked == list(NAMES)
    kinds = [type(event).__name__ for event in events]
    one_round = ["RoundBegun", *["CaseMeasured"] * 3, "RoundDone"]
    assert kinds == ["ChecksBegun", *["Checked"] * 3, "Preparing", *one_round * ROUNDS]
    assert events[0].benchmarks == NAMES
    for number in range(ROUNDS):
        begun_ = events[5 + 5 * number]
        assert (begun_.number, begun_.rounds) == (number, ROUNDS)
        cases = [event.case for event in events[6 + 5 * number : 9 + 5 * number]]
        assert [case for step in begun_.steps for case in step] == cases
    assert target.rounds == ROUNDS
    for number in range(ROUNDS):
        assert sorted(name for r, name, loops in target.measured if r == number and loops) == sorted(NAMES)
    assert values(unfinished) == dict.fromkeys(NAMES, ROUNDS)


def test_cases_come_in_the_random_order_of_the_plan(tmp_path):
    target, unfinished = Imagined(), begun(tmp_path)
    run(target, unfinished)
    plan = unfinished.header.plan
    for number in range(ROUNDS):
        order = [case.id for case in planning.order_cases(plan, number, plan.cases)]
        assert [name for r, name, loops in target.measured if r == number and loops] == order


def test_a_case_is_calibrated_once(tmp_path):
    target = Imagined()
    run(target, begun(tmp_path))
    assert sorted(name for _, name, loops in target.measured if not loops) == sorted(NAMES)
    assert {loops for _, _, loops in target.measured if loops} == {64}


def test_events_count_what_is_done(tmp_path):
    events = run(Imagined(), begun(tmp_path))
    checked = [event for event in events if isinstance(event, Checked)]
    assert [(event.done, event.of) for event in checked] == [(1, 3), (2, 3), (3, 3)]
    measured = [event for event in events if isinstance(event, CaseMeasured)]
    assert [event.done for event in measured] == list(range(1, 3 * ROUNDS + 1))
    assert {event.of for event in measured} == {3 * ROUNDS}
    done = [event for event in events if isinstance(event, RoundDone)]
    assert [(event.done, event.of) for event in done] == [(i + 1, ROUNDS) for i in range(ROUNDS)]


def test_the_header_keeps_the_checks_and_when_it_was_finished(tmp_path):
    unfinished = begun(tmp_path)
    run(Imagined(), unfinished)
    assert [check.benchmark for check in unfinished.header.checks] == list(NAMES)
    assert unfinished.header.finished.startswith("20")
    assert unfinished.header.notes == ()
    assert rounds.failures(unfinished.header) == []
    assert Store(tmp_path / "results").resume("mine").header == unfinished.header


def test_what_is_not_planned_is_not_checked(tmp_path):
    target = Imagined()
    run(target, begun(tmp_path, cases=(BASELINE,)))
    assert target.checked == [BASELINE]


def test_check_alone_passes_over_what_cannot_run():
    target = Imagined(wrong=(RSEQ,))
    events = list(rounds.check(target, target.benchmarks(), CHECK))
    assert [event.check.benchmark for event in events] == list(NAMES)
    assert [event.check.passed for event in events] == [True, True, False]
    assert target.measured == []


# ---- failing cases ----


def fails_in(name, numbers):
    return lambda case, number: f"killed in round {number}" if case.benchmark == name and number in numbers else ""


def test_a_case_that_fails_in_one_round_is_void_there_and_noted(tmp_path):
    unfinished = begun(tmp_path)
    events = run(Imagined(fails_in(RSEQ, {2})), unfinished)
    void = [event for event in events if isinstance(event, CaseMeasured) and event.failure]
    assert [(event.case.benchmark, event.number, event.failure) for event in void] == [(RSEQ, 2, "killed in round 2")]
    assert unfinished.header.notes == (f"{RSEQ}: void in 1 of {ROUNDS} rounds: killed in round 2",)
    assert unfinished.header.plan.skips == (Skip(LSL, 1, "x86 only"),)
    assert rounds.failures(unfinished.header) == []
    assert values(unfinished) == {BASELINE: ROUNDS, PLAIN: ROUNDS, RSEQ: ROUNDS - 1}


def test_a_case_that_fails_in_all_rounds_is_a_skip_with_its_reason(tmp_path):
    unfinished = begun(tmp_path)
    run(Imagined(fails_in(RSEQ, range(ROUNDS))), unfinished)
    assert unfinished.header.plan.skips[1:] == (
        Skip(RSEQ, 1, "failed in every round: killed in round 0", SkipKind.FAILED),
    )
    assert rounds.failures(unfinished.header) == [f"{RSEQ}: failed in every round: killed in round 0"]
    assert values(unfinished) == {BASELINE: ROUNDS, PLAIN: ROUNDS}


def test_a_case_that_fails_in_too_many_rounds_has_no_number(tmp_path):
    """More than three in ten: what is left may be those in which something else went well."""
    assert int(rounds.MOST_VOID * ROUNDS) == 1
    unfinished = begun(tmp_path)
    run(Imagined(fails_in(RSEQ, {1, 3})), unfinished)
    assert unfinished.header.plan.skips[1:] == (
        Skip(RSEQ, 1, f"void in 2 of {ROUNDS} rounds: killed in round 1", SkipKind.VOID),
    )
    assert values(unfinished) == {BASELINE: ROUNDS, PLAIN: ROUNDS}


def test_a_case_that_fails_while_it_is_calibrated_is_calibrated_in_the_next_round(tmp_path):
    target, unfinished = Imagined(fails_in(RSEQ, {0})), begun(tmp_path)
    run(target, unfinished)
    assert [number for number, name, loops in target.measured if name == RSEQ and not loops] == [0, 1]
    assert values(unfinished)[RSEQ] == ROUNDS - 1


def test_a_round_in_which_everything_fails_is_lost_and_the_run_goes_on(tmp_path):
    unfinished = begun(tmp_path)
    events = run(Imagined(lambda case, number: "Linux stumbled" if number == 2 else ""), unfinished)
    assert unfinished.rounds() == [0, 1, 3, 4, 5]
    assert len([event for event in events if isinstance(event, RoundDone)]) == ROUNDS - 1
    assert len(unfinished.header.notes) == len(NAMES)
    assert values(unfinished) == dict.fromkeys(NAMES, ROUNDS - 1)


class Lost(Imagined):
    """A target that is gone from the round on in which its measuring failed."""

    def new_round(self):
        super().new_round()
        if self.rounds == 4:
            raise TargetError("the board is gone")


def test_a_round_in_the_middle_of_which_the_target_was_lost_is_measured_anew(tmp_path):
    unfinished = begun(tmp_path)
    with pytest.raises(TargetError, match="the board is gone"):
        run(Lost(fails_in(RSEQ, {2})), unfinished)
    assert unfinished.rounds() == [0, 1]
    run(Imagined(), unfinished)
    assert values(unfinished) == dict.fromkeys(NAMES, ROUNDS)
    assert unfinished.header.notes == ()


def test_a_target_that_is_lost_between_rounds_takes_none_with_it(tmp_path):
    unfinished = begun(tmp_path)
    with pytest.raises(TargetError, match="the board is gone"):
        run(Lost(fails_in(RSEQ, {1})), unfinished)
    assert unfinished.rounds() == [0, 1, 2]


def test_a_run_in_which_nothing_can_be_measured_is_an_error_with_the_reason(tmp_path):
    unfinished = begun(tmp_path)
    with pytest.raises(TargetError, match="nothing could be measured: no such CPU"):
        run(Imagined(lambda *_: "no such CPU"), unfinished)
    assert unfinished.rounds() == []


# ---- failing checks ----


def test_what_fails_its_check_is_not_timed(tmp_path):
    target, unfinished = Imagined(wrong=(RSEQ,)), begun(tmp_path)
    run(target, unfinished)
    assert RSEQ not in {name for _, name, _ in target.measured}
    assert unfinished.header.plan.skips[1:] == (
        Skip(RSEQ, 1, "check FAILED, so it is not timed: the sum is 3", SkipKind.CHECK_FAILED),
    )
    assert rounds.failures(unfinished.header) == [f"check FAILED: {RSEQ}: the sum is 3"]
    assert values(unfinished) == {BASELINE: ROUNDS, PLAIN: ROUNDS}


def test_what_fails_its_check_is_skipped_for_every_number_of_threads(tmp_path):
    unfinished = begun(tmp_path)
    cases = (*unfinished.header.plan.cases, Case(RSEQ, 4, Registration.GLIBC))
    unfinished.update(
        dataclasses.replace(unfinished.header, plan=dataclasses.replace(unfinished.header.plan, cases=cases))
    )
    run(Imagined(wrong=(RSEQ,)), unfinished)
    assert [(skip.benchmark, skip.threads) for skip in unfinished.header.plan.skips[1:]] == [(RSEQ, 1), (RSEQ, 4)]


def test_without_one_exact_benchmark_nothing_is_timed(tmp_path):
    target = Imagined(wrong=NAMES)
    with pytest.raises(CheckError, match="no benchmark passed its check"):
        run(target, begun(tmp_path))
    assert target.measured == []


# ---- interrupted, and taken up again ----


def interrupted(tmp_path, after, error=KeyboardInterrupt, **how):
    """Begin a run that is interrupted in round `after`; return it as it is taken up again."""
    fails = how.pop("fails", lambda case, number: "")

    def stop(case, number):
        if number == after and len(target.measured) % 2:
            raise error
        return fails(case, number)

    target, unfinished = Imagined(stop, **how), begun(tmp_path)
    with pytest.raises(error):
        run(target, unfinished)
    return Store(tmp_path / "results").resume("mine")


@pytest.mark.parametrize("after", [1, 3, 5])
def test_an_interrupt_keeps_the_finished_rounds_and_no_half_one(tmp_path, after):
    assert interrupted(tmp_path, after).rounds() == list(range(after))


def test_a_listener_that_goes_away_loses_only_the_round_under_way(tmp_path):
    unfinished = begun(tmp_path)
    events = rounds.run(Imagined(), unfinished, NumberingEngine(), CHECK)
    for event in events:
        if isinstance(event, CaseMeasured) and event.number == 2:
            break
    events.close()
    assert Store(tmp_path / "results").resume("mine").rounds() == [0, 1]


def test_taken_up_again_only_missing_rounds_are_measured(tmp_path):
    resumed = interrupted(tmp_path, 3)
    target = Imagined()
    events = run(target, resumed)
    assert {number for number, _, _ in target.measured} == {3, 4, 5}
    assert target.checked == []
    done = [event for event in events if isinstance(event, RoundDone)]
    assert [(event.number, event.done, event.of) for event in done] == [(3, 4, 6), (4, 5, 6), (5, 6, 6)]
    assert values(resumed) == dict.fromkeys(NAMES, ROUNDS)


def test_interrupted_before_its_checks_were_over_they_are_done_again(tmp_path):
    unfinished = begun(tmp_path)
    events = rounds.run(Imagined(), unfinished, NumberingEngine(), CHECK)
    next(events)
    events.close()
    target, resumed = Imagined(), Store(tmp_path / "results").resume("mine")
    run(target, resumed)
    assert target.checked == list(NAMES)
    assert values(resumed) == dict.fromkeys(NAMES, ROUNDS)


def test_a_failed_check_is_remembered_when_a_run_is_taken_up_again(tmp_path):
    resumed = interrupted(tmp_path, 3, wrong=(RSEQ,))
    target = Imagined()
    run(target, resumed)
    assert RSEQ not in {name for _, name, _ in target.measured}
    assert [skip.benchmark for skip in resumed.header.plan.skips] == [LSL, RSEQ]
    assert values(resumed) == {BASELINE: ROUNDS, PLAIN: ROUNDS}


def test_failures_before_the_interrupt_are_not_forgotten(tmp_path):
    resumed = interrupted(tmp_path, 5, fails=fails_in(RSEQ, range(ROUNDS)))
    run(Imagined(fails_in(RSEQ, range(ROUNDS))), resumed)
    assert [(skip.benchmark, skip.reason) for skip in resumed.header.plan.skips[1:]] == [
        (RSEQ, "failed in every round: killed in round 5")
    ]
    assert values(resumed) == {BASELINE: ROUNDS, PLAIN: ROUNDS}


def test_failures_before_the_interrupt_alone_are_not_forgotten_either(tmp_path):
    resumed = interrupted(tmp_path, 5, fails=fails_in(RSEQ, {0}))
    run(Imagined(), resumed)
    assert [note.partition(" rounds")[0] for note in resumed.header.notes] == [f"{RSEQ}: void in 1 of {ROUNDS}"]
    assert values(resumed) == {BASELINE: ROUNDS, PLAIN: ROUNDS, RSEQ: ROUNDS - 1}


def test_a_run_that_only_has_to_be_finished_measures_nothing_and_says_nothing_twice(tmp_path):
    unfinished = begun(tmp_path)
    run(Imagined(fails_in(RSEQ, {2})), unfinished)
    target, resumed = Imagined(), Store(tmp_path / "results").resume("mine")
    assert run(target, resumed) == []
    assert target.measured == target.checked == []
    assert resumed.header.notes == unfinished.header.notes
    assert resumed.header.plan == unfinished.header.plan
    assert values(resumed)[RSEQ] == ROUNDS - 1


# ---- several boots ----


def booted(tmp_path, boots=3):
    unfinished = begun(tmp_path)
    plan = dataclasses.replace(unfinished.header.plan, boots=boots)
    unfinished.update(dataclasses.replace(unfinished.header, plan=plan))
    return unfinished


def test_a_machine_that_is_ours_is_booted_between_the_rounds_of_each_boot(tmp_path):
    target, unfinished = Ours(), booted(tmp_path)
    events = run(target, unfinished)
    assert target.boots == 2
    assert unfinished.header.boots == ("boot 0", "boot 1", "boot 2")
    assert [event for event in events if isinstance(event, BootDone)] == [
        BootDone(1, 3), BootDone(2, 3)
    ]  # fmt: skip
    assert not unfinished.boots_left()
    assert values(unfinished) == dict.fromkeys(NAMES, ROUNDS)


def test_where_somebody_else_boots_a_run_ends_with_each_boot_and_goes_on_in_the_next(tmp_path):
    target, unfinished = Imagined(), booted(tmp_path)
    for boot in range(3):
        assert unfinished.rounds() == list(range(2 * boot))
        run(target, unfinished)
        assert unfinished.boots_left() is (boot < 2)
        target.boots += 1
    assert unfinished.header.boots == ("boot 0", "boot 1", "boot 2")
    assert values(unfinished) == dict.fromkeys(NAMES, ROUNDS)


def test_a_boot_that_is_done_does_not_count_twice(tmp_path):
    target, unfinished = Imagined(), booted(tmp_path)
    run(target, unfinished)
    with pytest.raises(TargetError, match=r"boot 1 of 3 is done, and the machine is still in it; .*--resume mine"):
        run(target, unfinished)
    assert unfinished.rounds() == [0, 1]


def test_what_another_boot_left_of_a_unit_is_dropped_and_what_this_one_left_is_kept(tmp_path):
    target, unfinished = Imagined(), booted(tmp_path)
    for event in rounds.run(target, unfinished, NumberingEngine(), CHECK):
        if isinstance(event, RoundDone):
            break  # in the middle of the first boot
    run_again = [number for number, *_ in target.measured]
    run(target, unfinished)
    assert {number for number, *_ in target.measured[len(run_again) :]} == {1}  # the same boot: round 0 is kept
    target.boots += 1
    for event in rounds.run(target, unfinished, NumberingEngine(), CHECK):
        if isinstance(event, RoundDone):
            break
    target.boots += 1  # it crashed
    before = len(target.measured)
    run(target, unfinished)
    assert {number for number, *_ in target.measured[before:]} == {2, 3}
    assert unfinished.header.boots == ("boot 0", "boot 2")


def test_a_round_in_which_all_is_void_costs_its_boot_nothing_else(tmp_path):
    target = Ours(fails=lambda case, number: "contended" if number == 1 else "")
    unfinished = booted(tmp_path)
    run(target, unfinished)
    assert unfinished.rounds() == [0, 2, 3, 4, 5]
    assert unfinished.header.boots == ("boot 0", "boot 1", "boot 2")
    assert target.boots == 2


def test_counted_rounds_go_back_the_way_they_came_and_each_boot_has_its_own_order():
    cases = tuple(Case(name, 1, Registration.GLIBC) for name in "abcdefgh")
    plan = Plan(cases, (), 8, 1, 1.0, 7, "counted", "boot", (0,), 2)
    orders = [[case.benchmark for case in planning.order_cases(plan, number, cases)] for number in range(8)]
    assert orders[0] == orders[1][::-1] == orders[2] == orders[3][::-1]
    assert orders[4] == orders[5][::-1] == orders[6]
    assert sorted(orders[0]) == sorted(orders[4]) == list("abcdefgh")
    assert orders[0] not in (orders[4], orders[4][::-1])


def test_skips_of_runs_that_were_stored_before_skips_had_a_kind_are_read(tmp_path):
    unfinished = begun(tmp_path)
    run(Imagined(fails_in(RSEQ, range(ROUNDS))), unfinished)
    path = unfinished.folder / "run.json"
    raw = json.loads(path.read_text())
    assert [skip.pop("kind") for skip in raw["plan"]["skips"]] == ["unavailable", "failed in every round"]
    path.write_text(json.dumps(raw))
    again = Store(tmp_path / "results").resume("mine").header
    assert again == unfinished.header
    assert rounds.failures(again) == rounds.failures(unfinished.header) != []


def test_the_pyperf_engine_says_what_its_sample_is_of(tmp_path):
    plan = begun(tmp_path).header.plan
    (result,) = PyperfEngine().round(Imagined(), plan, 2, [Case(RSEQ, 2, Registration.GLIBC)])
    benchmark = result.sample.to_pyperf()
    metadata = benchmark.get_runs()[0].get_metadata()
    assert benchmark.get_name() == f"{RSEQ}/threads=2"
    expected = {"benchmark": RSEQ, "arch": "x86_64", "threads": 2, "engine": "pyperf", "round": 2, "loops": 64}
    assert {name: metadata[name] for name in expected} == expected
    assert (metadata["registration"], metadata["aborts"]) == ("glibc", 0)
    assert benchmark.get_values() == (1e-9,) * plan.values
