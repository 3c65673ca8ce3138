"""The gated engine's numbers keep their word on imagined machines where the truth is known, and mutants of it do not.

Chunks go the way of every run: gate() sorts them, round_value() makes them a round's value, paired_ratio() a ratio with
its interval. The seeds are fixed, so nothing hangs on luck; the bounds leave room for what other seeds would give.
"""

import math

import numpy as np
import pytest

from rseqbench.analysis import stats
from rseqbench.measure.engines import gated
from rseqbench.measure.rounds import MOST_VOID
from rseqbench.model import Estimate
from rseqbench.store import samples
from tests.support.simulated_chunks import Kernel, Machine, Stream

KERNELS = {
    "plain": Kernel(0.31, 2.2),
    "sequence": Kernel(0.617, 1.3),
    "vdso": Kernel(4.19, 1.0),
    "atomic": Kernel(1.86, 1.45),
    "again": Kernel(1.86, 1.45),
    "slowed": Kernel(1.86 * 1.01, 1.45),
}
PAIRS = (("plain", "vdso"), ("vdso", "atomic"), ("sequence", "atomic"))
FLOOR = 0.005
ROUNDS = (15, 20)


def record(machine, runs, seed=5):
    stream = Stream(machine, list(KERNELS.values()), seed)
    return [stream.run(max(ROUNDS)) for _ in range(runs)]


@pytest.fixture(scope="module")
def shared_machine():
    """Return runs on a machine whose core has a neighbour for more than half of the time."""
    return record(Machine(quiet=0.4), 250)


@pytest.fixture(scope="module")
def starved_machine():
    """Return runs on a machine whose core is ours for less than a thousandth of the time."""
    return record(Machine(quiet=0.0007), 80)


@pytest.fixture(scope="module")
def blind_machine():
    """Return runs on the shared machine by probes that always say quiet."""
    return record(Machine(quiet=0.4, blind=True), 100)


# ---- what a run makes of its chunks ----


def round_value(chunks, fastest):
    try:
        return samples.round_value(gated.classify_chunks(chunks, fastest).quiet, "gated")
    except ValueError:
        return math.nan


def values(run, rounds):
    """Return the value of each kernel in each round, NaN where it is void."""
    table = [[round_value(chunks, one.fastest) for chunks in one.chunks] for one in run[:rounds]]
    return dict(zip(KERNELS, np.array(table).T, strict=True))


def ratio(found, top, bottom):
    """Return the ratio of two kernels, or None where too many rounds are void for a number."""
    valid = ~np.isnan(found[top]) & ~np.isnan(found[bottom])
    if np.sum(~valid) > MOST_VOID * len(valid):
        return None
    return stats.paired_ratio(found[top][valid], found[bottom][valid])


def ratios(runs, rounds, *pairs):
    """Return for each pair the ratios of all runs that have one."""
    table = [values(run, rounds) for run in runs]
    found = [[ratio(one, *pair) for one in table] for pair in pairs]
    return [[estimate for estimate in estimates if estimate is not None] for estimates in found]


def share(found):
    return sum(found) / len(found)


def excludes(estimate, truth):
    return estimate.low is not None and not estimate.low <= truth <= estimate.high


# ---- what is promised ----


def covers_the_true_ratio(runs, rounds):
    for (top, bottom), found in zip(PAIRS, ratios(runs, rounds, *PAIRS), strict=True):
        truth = KERNELS[top].cost / KERNELS[bottom].cost
        covered = share([estimate.has_interval and not excludes(estimate, truth) for estimate in found])
        assert covered >= 0.93, (top, bottom, covered)


def is_narrow(runs, rounds):
    for found in ratios(runs, rounds, *PAIRS):
        assert np.median([(one.high - one.low) / 2 / one.value for one in found]) <= 0.005


def raises_no_false_alarm(runs, rounds):
    """By interval no oftener than its coverage leaves, within three standard deviations; beyond the floor never."""
    (found,) = ratios(runs, rounds, ("atomic", "again"))
    left = 1 - stats.paired_ratio(range(1, rounds + 1), range(1, rounds + 1)).coverage
    by_interval = share([excludes(estimate, 1) for estimate in found])
    assert by_interval <= left + 3 * math.sqrt(left * (1 - left) / len(found)), by_interval
    assert not [estimate for estimate in found if stats.beyond_floor(estimate, FLOOR)]


def finds_one_percent(runs, rounds):
    (found,) = ratios(runs, rounds, ("slowed", "atomic"))
    seen = [stats.beyond_floor(estimate, FLOOR) and estimate.value > 1 for estimate in found]
    assert not found or share(seen) >= 0.95, share(seen)


PROMISES = (covers_the_true_ratio, is_narrow, raises_no_false_alarm, finds_one_percent)


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("promise", PROMISES)
def test_on_a_shared_machine(shared_machine, promise, rounds):
    promise(shared_machine, rounds)


def test_a_shared_machine_loses_few_rounds(shared_machine):
    lost = [np.isnan(column) for run in shared_machine for column in values(run, 20).values()]
    assert np.mean(lost) < 0.1


def test_the_streams_have_in_them_what_they_are_to_be_robust_against(shared_machine):
    rounds = [one for run in shared_machine[:50] for one in run]
    sorts = [gated.classify_chunks(chunks, one.fastest) for one in rounds for chunks in one.chunks]
    offered = sum(one.offered for one in sorts)
    assert sum(len(one.busy) for one in sorts) > offered / 20
    assert sum(one.mixed for one in sorts) > offered / 2000
    assert offered / 200 < sum(one.disturbed for one in sorts) < offered / 20
    plain = [c.value for one in rounds for c in one.chunks[0] if not c.disturbed]
    assert max(plain) > 10 * KERNELS["plain"].cost  # a preemption that nobody noticed
    assert min(plain) < 0.85 * KERNELS["plain"].cost


def test_a_frequency_that_drifts_further_than_a_probe_may_costs_rounds_but_no_truth():
    """At 0.9 to 1.1 of the usual speed, the probes of the slowest rounds look like those beside a neighbour."""
    runs = record(Machine(quiet=0.6, drift=0.10), 60)
    lost = np.mean([np.isnan(values(run, 20)["plain"]) for run in runs])
    assert 0.05 < lost < MOST_VOID
    found = ratios(runs, 20, *PAIRS)
    truths = [KERNELS[top].cost / KERNELS[bottom].cost for top, bottom in PAIRS]
    assert share([excludes(e, truth) for es, truth in zip(found, truths, strict=True) for e in es]) <= 0.07


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_starved_machine_has_no_number(starved_machine, rounds):
    assert ratios(starved_machine, rounds, *PAIRS) == [[], [], []]
    finds_one_percent(starved_machine, rounds)


def test_a_kernel_with_modes_is_read_in_its_fast_one(shared_machine):
    for run in shared_machine[:20]:
        for name, column in values(run, 20).items():
            assert np.nanmedian(column) == pytest.approx(KERNELS[name].cost, rel=Machine.drift)


# ---- mutants: each breaks a promise that is kept without it, above ----


def one_rank_further(n, confidence):
    rank = SIGN_RANK(n, confidence)
    return rank and (rank[0] + 1, rank[1])


def bootstrapped_mean(sample, confidence=0.95):
    """The percentile interval of the mean of resampled rounds."""
    sample = np.asarray(sample)
    means = np.random.default_rng(1).choice(sample, (200, len(sample))).mean(axis=1)
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Estimate(float(sample.mean()), float(low), float(high), len(sample), confidence)


def normal_interval(sample, confidence=0.95):
    """What would be right for the mean of normal rounds, with a robust spread: too narrow for the median of any."""
    del confidence
    middle = float(np.median(sample))
    half = 1.96 * 1.4826 * float(np.median(np.abs(np.asarray(sample) - middle))) / math.sqrt(len(sample))
    return Estimate(middle, middle - half, middle + half, len(sample), 0.95)


SIGN_RANK, PAIRED_RATIO = stats.sign_rank, stats.paired_ratio
MUTANTS = {
    "every_probe_is_quiet": (gated, "SLOWEST_PROBE", math.inf, covers_the_true_ratio),
    "rank_off_by_one": (stats, "sign_rank", one_rank_further, covers_the_true_ratio),
    "rank_off_by_one_alarms": (stats, "sign_rank", one_rank_further, raises_no_false_alarm),
    "minimum_power": (samples, "quantile", min, finds_one_percent),
    "minimum_alarms": (samples, "quantile", min, raises_no_false_alarm),
    "mean_power": (samples, "quantile", np.mean, finds_one_percent),
    "mean_alarms": (samples, "quantile", np.mean, raises_no_false_alarm),
    "median_power": (samples, "quantile", np.median, finds_one_percent),
    "median_width": (samples, "quantile", np.median, is_narrow),
    "bootstrap_coverage": (stats, "median", bootstrapped_mean, covers_the_true_ratio),
    "bootstrap_alarms": (stats, "median", bootstrapped_mean, raises_no_false_alarm),
    "normal_coverage": (stats, "median", normal_interval, covers_the_true_ratio),
}


@pytest.mark.parametrize(("where", "name", "mutant", "promise"), MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_breaks_a_promise(monkeypatch, shared_machine, where, name, mutant, promise):
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises(AssertionError):
        promise(shared_machine, 20)


def test_probes_that_always_say_quiet_break_a_promise(blind_machine):
    with pytest.raises(AssertionError):
        covers_the_true_ratio(blind_machine, 20)


def test_a_quantile_of_too_few_chunks_breaks_a_promise(monkeypatch, starved_machine):
    monkeypatch.setattr(samples, "FEWEST_CHUNKS", 1)
    assert ratios(starved_machine, 20, *PAIRS) != [[], [], []]
    with pytest.raises(AssertionError):
        finds_one_percent(starved_machine, 20)


def test_a_value_taken_over_rounds_instead_of_inside_them_breaks_a_promise(monkeypatch, shared_machine):
    """The frequency of a round is in both kernels, so a ratio of different rounds has it twice instead of never."""

    def shifted(top, bottom, confidence=0.95):
        return PAIRED_RATIO(top, np.roll(bottom, 1), confidence)

    monkeypatch.setattr(stats, "paired_ratio", shifted)
    with pytest.raises(AssertionError):
        finds_one_percent(shared_machine, 20)
