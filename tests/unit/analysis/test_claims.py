"""analysis/patch_claims.py and claims.py: what the message says, its arithmetic, and every verdict with its edges."""

import dataclasses
from pathlib import Path

import pytest

from rseqbench.analysis import patch_claims, verdicts
from rseqbench.analysis import verdicts as claims
from rseqbench.analysis.dataset import build
from rseqbench.model import BASELINE, Estimate, Facts, Machine, Skip, VerdictWord, Virtualization
from rseqbench.paths import builtin_results
from rseqbench.report.reasons import explain
from rseqbench.store.runs import PATCH, Store
from tests.support.frames import frame, run
from tests.support.requirements import defaults

MESSAGE = " ".join((Path(__file__).parents[2] / "data" / "patch-message.txt").read_text(encoding="utf-8").split())
RULES = dataclasses.replace(defaults().verdict, reach=0.9, equal_band=0.1, floor=0.005)
WRITTEN = {claim.id: claim for claim in patch_claims.written_claims()}
MACHINE = Machine("x86_64", "native", "hardware", Facts(vdso_getcpu="lsl"))


@pytest.fixture(scope="module")
def patch():
    return build([Store(builtin_results()).load(PATCH)])


# ---- the claims are the message's ----


@pytest.mark.parametrize("claim", WRITTEN)
def test_every_claim_stands_in_the_message_in_these_words(claim):
    assert " ".join(WRITTEN[claim].text.split()) in MESSAGE


def test_claims_stand_in_the_order_of_the_text_and_have_names_of_their_own():
    assert len(WRITTEN) == len(patch_claims.written_claims())
    places = [MESSAGE.index(" ".join(claim.text.split())) for claim in patch_claims.written_claims()]
    claimed = [claim.id for claim in patch_claims.written_claims()]
    assert [claimed[i] for i in sorted(range(len(places)), key=lambda i: places[i])] == claimed


@pytest.mark.parametrize("claim", WRITTEN)
def test_the_stated_number_is_in_the_words_of_the_claim(claim):
    found = WRITTEN[claim]
    if found.kind in ("percent", "equal", "between"):
        return  # a range, of which the middle is stated; "similarly"; and "slightly", which the times say
    assert f"{found.stated:g}" in found.text


def test_every_number_of_the_stored_table_stands_in_the_message(patch):
    assert len(patch) == 24
    for arch, benchmark, value in zip(patch["arch"], patch["benchmark"], patch["value"], strict=True):
        assert f"{value:.1f} " in MESSAGE, (arch, benchmark, value)


LINES = [
    ("x86_64", "cpu_id/baseline", "Baseline (empty loop): {} ns"),
    ("x86_64", "cpu_id/rseq", "Read CPU from rseq cpu_id: {} ns"),
    ("x86_64", "cpu_id/rseq_lazy", "Read CPU from rseq cpu_id (lazy register): {} ns"),
    ("x86_64", "cpu_id/gs", "Read using gs segment selector: {} ns"),
    ("x86_64", "cpu_id/lsl", '"lsl" inline assembly: {} ns'),
    ("x86_64", "cpu_id/sched_getcpu_norseq", "glibc 2.19-0ubuntu6 getcpu: {} ns"),
    ("x86_64", "cpu_id/getcpu_syscall", "getcpu system call: {} ns"),
    ("arm32", "cpu_id/baseline", "Baseline (empty loop): {} ns"),
    ("arm32", "cpu_id/rseq", "Read CPU from rseq cpu_id: {} ns"),
    ("arm32", "cpu_id/rseq_lazy", "Read CPU from rseq cpu_id (lazy register): {} ns"),
    ("arm32", "cpu_id/sched_getcpu_norseq", "glibc 2.19-0ubuntu6.6 getcpu: {} ns"),
    ("arm32", "cpu_id/getcpu_syscall", "getcpu system call: {} ns"),
]


@pytest.mark.parametrize(("arch", "benchmark", "line"), LINES)
def test_every_number_of_the_list_is_stored_under_its_own_name(patch, arch, benchmark, line):
    halves = MESSAGE.partition("x86-64 Intel(R) Xeon(R)")
    (value,) = patch[(patch["arch"] == arch) & (patch["benchmark"] == benchmark)]["value"]
    assert line.format(f"{value:.1f}") in (halves[2] if arch == "x86_64" else halves[0])


@pytest.mark.parametrize("claim", [one for one in WRITTEN if one.startswith(("counter", "lttng", "liburcu"))])
def test_every_number_of_the_tables_is_stored_under_its_own_name(patch, claim):
    """A row of a table is the claim's words: the slow value, the fast one, the speed-up."""
    found = WRITTEN[claim]
    _, slow, fast, stated = found.text.split()
    value_of = {row.benchmark: row.value for row in patch[patch["arch"] == found.arch].itertuples()}
    assert (f"{value_of[found.slow]:.1f}", f"{value_of[found.fast]:.1f}") == (slow, fast)
    assert f"{found.stated:.1f}" == stated


def test_all_claims_are_the_written_ones_and_every_printed_time(patch):
    found = patch_claims.all_claims(patch)
    assert found[: len(WRITTEN)] == list(patch_claims.written_claims())
    times = found[len(WRITTEN) :]
    assert len(times) == len(patch)
    assert {one.kind for one in times} == {"time"}
    assert {one.id for one in times} >= {"cpu_id/lsl@x86_64", "counter/rseq@arm32"}
    assert next(one for one in times if one.id == "cpu_id/lsl@x86_64").text == "13.0 ns"


# ---- the arithmetic ----


def test_exactly_one_number_does_not_follow_from_the_message_s_own_table(patch):
    computed = {name: patch_claims.arithmetic(claim, patch) for name, claim in WRITTEN.items()}
    assert [name for name, one in computed.items() if one and not one.agrees] == ["lsl-x86_64"]
    assert {WRITTEN[name].kind for name, one in computed.items() if one is None} == {"percent", "time", "size"}


@pytest.mark.parametrize(
    ("claim", "formula", "value"),
    [
        ("counter-arm32", "344 / 31.4", 344.0 / 31.4),
        ("counter-x86_64", "15.3 / 2", 7.65),
        ("getcpu-arm32", "(301.8 - 8.4) / (16.7 - 8.4)", 35.35),
        ("getcpu-x86_64", "16.6 / 0.8", 20.75),
        ("lsl-x86_64", "13 / 0.8", 16.25),
        ("gs-x86_64", "0.8 / 0.8", 1.0),
    ],
)
def test_the_arithmetic_is_shown(patch, claim, formula, value):
    found = patch_claims.arithmetic(WRITTEN[claim], patch)
    assert found.formula == formula
    assert found.value == pytest.approx(value, rel=1e-3)


def test_printed_digits_allow_an_interval(patch):
    """13.0 stands for 12.95 .. 13.05 and 0.8 for 0.75 .. 0.85, so their quotient for 15.2 .. 17.4: not 14."""
    found = patch_claims.arithmetic(WRITTEN["lsl-x86_64"], patch)
    assert (found.low, found.high) == pytest.approx((12.95 / 0.85, 13.05 / 0.75))
    net = patch_claims.arithmetic(WRITTEN["getcpu-arm32"], patch)
    assert (net.low, net.high) == pytest.approx((293.4 / 8.4, 293.4 / 8.2))  # the baseline's digit is one, in both


def test_the_35_needs_the_baseline_subtracted_and_the_20_does_not(patch):
    assert WRITTEN["getcpu-arm32"].net
    assert not patch_claims.arithmetic(dataclasses.replace(WRITTEN["getcpu-arm32"], net=False), patch).agrees
    assert not WRITTEN["getcpu-x86_64"].net


@pytest.mark.parametrize(
    ("number", "agrees"),
    [(15.1, False), (15.2, True), (16.25, True), (17.4, True), (17.5, False), (15, True), (18, False)],
)
def test_a_stated_number_agrees_as_far_as_its_own_digits_go(patch, number, agrees):
    claim = dataclasses.replace(WRITTEN["lsl-x86_64"], stated=number)
    assert patch_claims.arithmetic(claim, patch).agrees is agrees


# ---- the verdict on a speed-up: a claim of 10, so 9 .. 11.1 is what reaches it ----


def ratio(low, high, value=None):
    return Estimate(value if value is not None else (low * high) ** 0.5, low, high, 20, 0.9586)


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (9.5, 10.5, VerdictWord.REPRODUCED),
        (2.0, 50.0, VerdictWord.UNRESOLVED),  # so wide that it reaches everything
        (8.0, 10.0, VerdictWord.REPRODUCED),  # as wide as may be
        (8.0, 10.01, VerdictWord.UNRESOLVED),
        (10.0, 12.6, VerdictWord.UNRESOLVED),
        (12.0, 60.0, VerdictWord.STRONGER),
        (8.0, 9.0, VerdictWord.REPRODUCED),  # touches from below
        (8.0, 8.999, VerdictWord.WEAKER),
        (10 / 0.9, 12.0, VerdictWord.REPRODUCED),  # touches from above
        (11.112, 12.0, VerdictWord.STRONGER),
        (100.0, 200.0, VerdictWord.STRONGER),
        (1.001, 8.0, VerdictWord.WEAKER),
        (1.0, 8.0, VerdictWord.UNRESOLVED),
        (0.5, 20.0, VerdictWord.UNRESOLVED),
        (0.9, 1.0, VerdictWord.UNRESOLVED),
        (0.9, 0.999, VerdictWord.CONTRADICTED),
        (0.997, 0.999, VerdictWord.UNRESOLVED),  # a loss below the floor
        (0.1, 0.2, VerdictWord.CONTRADICTED),
        (1.001, 1.003, VerdictWord.UNRESOLVED),  # a gain below the floor
        (1.005, 1.0061, VerdictWord.WEAKER),
    ],
)
def test_a_speedup_is_judged_by_its_interval(low, high, word):
    verdict = verdicts.speedup(10.0, ratio(low, high), RULES)
    assert verdict.word == word
    assert explain(verdict.reasons)


def test_a_tolerance_of_none_reproduces_only_what_holds_the_number():
    strict = dataclasses.replace(RULES, reach=1.0)
    assert verdicts.speedup(10.0, ratio(9.9, 10.1), strict).word == VerdictWord.REPRODUCED
    assert verdicts.speedup(10.0, ratio(9.8, 9.99), strict).word == VerdictWord.WEAKER
    assert verdicts.speedup(10.0, ratio(10.01, 10.1), strict).word == VerdictWord.STRONGER


def test_a_small_claim_is_reproduced_only_by_a_gain():
    """1.1 * 0.9 is below 1: an interval that holds 1 is no gain, though it reaches that far."""
    assert verdicts.speedup(1.1, ratio(0.99, 1.3), RULES).word == VerdictWord.UNRESOLVED
    assert verdicts.speedup(1.1, ratio(1.01, 1.25), RULES).word == VerdictWord.REPRODUCED


def test_too_few_rounds_resolve_nothing():
    few = Estimate(10.0, None, None, 4, 0.0)
    for verdict in (verdicts.speedup(10.0, few, RULES), verdicts.equality(few, RULES)):
        assert (verdict.word, explain(verdict.reasons)) == (
            VerdictWord.UNRESOLVED,
            "too few rounds for an interval (4)",
        )


# ---- the verdict on equality: a band of 1/1.1 .. 1.1 ----


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.99, 1.01, VerdictWord.REPRODUCED),
        (1.02, 1.08, VerdictWord.REPRODUCED),  # surely different, and within the band
        (1 / 1.1, 1.1, VerdictWord.REPRODUCED),  # the edges belong to it
        (0.909, 1.0, VerdictWord.UNRESOLVED),
        (1.0, 1.101, VerdictWord.UNRESOLVED),
        (0.5, 2.0, VerdictWord.UNRESOLVED),
        (1.1, 1.2, VerdictWord.UNRESOLVED),
        (1.101, 1.2, VerdictWord.CONTRADICTED),
        (5.0, 6.0, VerdictWord.CONTRADICTED),
        (0.8, 0.909, VerdictWord.CONTRADICTED),
        (0.8, 0.9091, VerdictWord.UNRESOLVED),
    ],
)
def test_equality_is_judged_by_a_band(low, high, word):
    verdict = verdicts.equality(ratio(low, high), RULES)
    assert verdict.word == word
    assert explain(verdict.reasons)


def test_the_band_is_the_same_both_ways():
    for low, high in ((0.99, 1.01), (1.05, 1.2), (1.2, 1.3), (0.95, 1.09)):
        there, back = ratio(low, high), ratio(low, high).inverse()
        assert verdicts.equality(there, RULES).word == verdicts.equality(back, RULES).word


# ---- a whole run ----

ALL = {
    BASELINE: 0.8, "cpu_id/rseq": 0.8, "cpu_id/rseq_lazy": 0.8, "cpu_id/gs": 0.8, "cpu_id/lsl": 13.0,
    "cpu_id/sched_getcpu_norseq": 16.6, "cpu_id/sched_getcpu": 1.6, "cpu_id/rdpid": 4.0, "counter/getcpu_atomic": 15.3,
    "counter/vdso_atomic": 20.0, "counter/rseq": 2.0, "ring_buffer/getcpu_atomic": 117.4, "ring_buffer/rseq": 98.0,
    "ring_buffer/vdso_atomic": 120.0, "rcu/getcpu_atomic": 53.4, "rcu/vdso_atomic": 60.0, "rcu/rseq": 28.6,
}  # fmt: skip


def judged(patch, costs=ALL, machine=MACHINE, skips=(), rounds=12, **how):
    noise = [1 + (i % 5 - 2) / 1000 for i in range(rounds)]
    values = {name: [cost * noise[(i + len(name)) % rounds] for i in range(rounds)] for name, cost in costs.items()}
    table = frame(run("mine", values, arch=machine.arch, timing=machine.timing, **how))
    return {one.claim.id: one for one in claims.judge(table, "mine", machine, patch, RULES, skips)}


def test_the_patch_s_own_numbers_reproduce_its_claims(patch):
    found = judged(patch)
    words = {name: one.verdict.word for name, one in found.items() if name in WRITTEN}
    speedups = {"counter-x86_64", "liburcu-x86_64", "getcpu-x86_64", "gs-x86_64", "free-x86_64", "lazy-x86_64"}
    assert {name for name, word in words.items() if word == VerdictWord.REPRODUCED} == speedups
    assert words["lsl-x86_64"] == VerdictWord.STRONGER  # 16, where the text says 14
    assert words["lttng-x86_64"] == VerdictWord.NOT_COMPARABLE
    assert set(found) == {claim.id for claim in patch_claims.all_claims(patch)}


def test_every_verdict_word_can_be_reached(patch):
    costs = {**ALL, "counter/rseq": 30.0, "cpu_id/lsl": 2.0, "rcu/rseq": 53.4, "cpu_id/gs": 0.9 * 1.1 * 0.8}
    words = {one.verdict.word for one in [*judged(patch).values(), *judged(patch, costs).values()]}
    assert words == set(VerdictWord)


def test_what_a_user_would_replace_today_stands_beside(patch):
    found = judged(patch)
    assert found["lsl-x86_64"].measured.value == pytest.approx(13 / 0.8, rel=0.01)
    assert found["lsl-x86_64"].current.value == pytest.approx(4 / 0.8, rel=0.01)
    assert found["gs-x86_64"].current is None


def test_a_net_claim_is_measured_net(patch):
    costs = {BASELINE: 8.4, "cpu_id/rseq": 16.7, "cpu_id/sched_getcpu_norseq": 301.8, "cpu_id/sched_getcpu": 20.0}
    found = judged(patch, costs, Machine("arm32", "native", "hardware"))["getcpu-arm32"]
    assert found.measured.value == pytest.approx(35.3, rel=0.01)
    assert found.verdict.word == VerdictWord.REPRODUCED


def test_a_net_claim_with_nothing_left_is_not_resolved(patch):
    costs = {BASELINE: 8.4, "cpu_id/rseq": 8.4, "cpu_id/sched_getcpu_norseq": 301.8}
    found = judged(patch, costs, Machine("arm32", "native", "hardware"))["getcpu-arm32"]
    assert found.measured is None
    assert found.verdict.word == VerdictWord.UNRESOLVED
    assert "anything to divide" in explain(found.verdict.reasons)


def test_emulated_time_is_never_a_verdict(patch):
    found = judged(patch, machine=Machine("x86_64", "qemu", "emulated"), unit="instructions")
    for name in ("counter-x86_64", "lsl-x86_64", "gs-x86_64", "liburcu-x86_64"):
        assert found[name].verdict.word == VerdictWord.NOT_COMPARABLE
        assert "x in instructions; time not comparable" in explain(found[name].verdict.reasons)
    assert (
        explain(found["counter-x86_64"].verdict.reasons) == "same direction, 7.65x in instructions; time not comparable"
    )
    assert "direction" not in explain(found["gs-x86_64"].verdict.reasons)
    assert explain(found["lttng-x86_64"].verdict.reasons) == (
        "same direction, 1.2x in instructions; time not comparable, and the kernel is the bare operation; "
        "the patch timed LTTng-UST's whole event, clock included"
    )
    assert explain(found["cpu_id/lsl@x86_64"].verdict.reasons).endswith("here 13 instructions/op, which is no time")
    words = {one.verdict.word for one in found.values()}
    assert words == {VerdictWord.NOT_COMPARABLE, VerdictWord.NOT_MEASURED}


def test_a_clock_that_qemu_emulates_gives_no_verdict(patch):
    """Behind ssh nothing says so but the machine itself."""
    found = judged(patch, machine=Machine("x86_64", "ssh:board", "virtual", Facts(virtual=Virtualization.EMULATED)))
    assert found["counter-x86_64"].verdict.word == VerdictWord.NOT_COMPARABLE
    assert explain(found["counter-x86_64"].verdict.reasons).startswith(
        "same direction, but this machine is emulated by qemu"
    )
    words = {one.verdict.word for one in found.values()}
    assert words == {VerdictWord.NOT_COMPARABLE, VerdictWord.NOT_MEASURED}


@pytest.mark.parametrize(
    ("rseq", "direction"), [(98.0, "same direction"), (117.4, "direction not resolved"), (150.0, "opposite direction")]
)
def test_a_kernel_that_stands_for_a_whole_library_is_no_verdict_but_a_direction(patch, rseq, direction):
    verdict = judged(patch, {**ALL, "ring_buffer/rseq": rseq})["lttng-x86_64"].verdict
    assert verdict.word == VerdictWord.NOT_COMPARABLE
    assert explain(verdict.reasons).startswith(f"{direction}, but the kernel is the bare operation")
    assert "LTTng-UST" in explain(verdict.reasons)


GONE = "lttng-sessiond ended with SIGKILL"


@pytest.mark.parametrize("skipped", ["lttng/lsl", "lttng/rseq"])
def test_a_library_that_was_asked_for_and_has_no_row_says_why_beside_the_kernel_s_verdict(patch, skipped):
    costs = {**ALL, "lttng/lsl": 94.0, "lttng/rseq": 80.0}
    del costs[skipped]
    found = judged(patch, costs, skips=[Skip(skipped, 1, GONE)])
    reason = explain(found["lttng-x86_64"].verdict.reasons)
    assert reason.startswith("same direction, but the kernel is the bare operation")
    assert reason.endswith(f"; LTTng-UST: {GONE}")
    assert explain(found["lttng-arm32"].verdict.reasons) == "an arm32 claim; this machine is x86_64"
    assert not [one for name, one in found.items() if name != "lttng-x86_64" and GONE in explain(one.verdict.reasons)]


def test_a_library_without_a_row_says_why_where_its_kernels_have_none_either(patch):
    costs = {name: cost for name, cost in ALL.items() if not name.startswith("ring_buffer/")}
    found = judged(patch, costs, skips=[Skip("lttng/rseq", 1, GONE)])["lttng-x86_64"].verdict
    assert explain(found.reasons) == f"ring_buffer/getcpu_atomic: not selected in this run; LTTng-UST: {GONE}"


def test_a_library_that_nobody_asked_for_or_that_was_measured_needs_no_reason(patch):
    assert "LTTng-UST:" not in explain(judged(patch)["lttng-x86_64"].verdict.reasons)
    both = {**ALL, "lttng/lsl": 94.0, "lttng/rseq": 80.0}
    assert judged(patch, both)["lttng-x86_64"].claim.fast == "lttng/rseq"
    assert "LTTng-UST:" not in explain(judged(patch, both)["lttng-x86_64"].verdict.reasons)


def test_a_time_of_another_machine_is_no_verdict(patch):
    found = judged(patch)
    assert found["cpu_id/lsl@x86_64"].verdict.word == VerdictWord.NOT_COMPARABLE
    assert explain(found["cpu_id/lsl@x86_64"].verdict.reasons) == "another machine's time; here 13 ns/op"
    assert found["cpu_id/lsl@x86_64"].measured.value == pytest.approx(13.0, rel=0.01)


def test_claims_for_another_machine_were_not_measured(patch):
    found = judged(patch)["counter-arm32"]
    assert found.verdict.word == VerdictWord.NOT_MEASURED
    assert explain(found.verdict.reasons) == "an arm32 claim; this machine is x86_64"


@pytest.mark.parametrize("name", [name for name, claim in WRITTEN.items() if claim.needs])
def test_claims_that_need_more_than_a_kernel_say_what(patch, name):
    verdict = judged(patch)[name].verdict
    assert (verdict.word, explain(verdict.reasons)) == (VerdictWord.NOT_MEASURED, f"needs {WRITTEN[name].needs}")


def test_what_could_not_run_was_not_measured_and_says_why(patch):
    costs = {name: cost for name, cost in ALL.items() if name != "cpu_id/rseq"}
    found = judged(patch, costs, skips=[Skip("cpu_id/rseq", 1, "rseq: ENOSYS")])
    assert found["lsl-x86_64"].verdict.word == VerdictWord.NOT_MEASURED
    assert explain(found["lsl-x86_64"].verdict.reasons) == "cpu_id/rseq: rseq: ENOSYS"
    assert found["counter-x86_64"].verdict.word == VerdictWord.REPRODUCED


def test_what_was_not_asked_for_was_not_measured_and_says_so(patch):
    found = judged(patch, {BASELINE: 0.8, "counter/rseq": 2.0})
    assert explain(found["counter-x86_64"].verdict.reasons) == "counter/getcpu_atomic: not selected in this run"


def test_a_vdso_that_changed_since_is_mentioned(patch):
    machine = Machine("x86_64", "native", "hardware", Facts(vdso_getcpu="rdpid"))
    verdict = judged(patch, machine=machine)["getcpu-x86_64"].verdict
    assert verdict.word == VerdictWord.NOT_COMPARABLE
    assert explain(verdict.reasons) == "same direction, but the vDSO here runs RDPID, the patch's ran LSL"
    assert "RDPID" not in explain(judged(patch)["getcpu-x86_64"].verdict.reasons)
    assert "RDPID" not in explain(judged(patch, machine=machine)["lsl-x86_64"].verdict.reasons)


def test_a_pair_that_the_patch_timed_with_more_around_it_says_so(patch):
    found = judged(patch)
    assert found["liburcu-x86_64"].verdict.word == VerdictWord.REPRODUCED
    own, counter = (found[f"{name}@x86_64"].claim.stated for name in ("rcu/rseq", "counter/rseq"))
    assert explain(found["liburcu-x86_64"].verdict.reasons).endswith(
        f"; the patch timed a pair as long as {own / counter:.0f} of its counter's increments"
    )
    assert "the patch timed" not in explain(found["counter-x86_64"].verdict.reasons)


@pytest.mark.parametrize("arch", ["x86_64", "arm32"])
def test_what_the_patch_s_pair_took_is_that_of_its_own_tables(patch, arch):
    taken = {row.slow: row.stated for row in patch_claims.all_claims(patch) if row.kind == "time" and row.arch == arch}
    claim = next(one for one in patch_claims.written_claims() if one.id == f"liburcu-{arch}")
    assert (
        claim.timed == f"a pair as long as {taken['rcu/rseq'] / taken['counter/rseq']:.0f} of its counter's increments"
    )


def test_an_interval_that_holds_1_says_when_it_excludes_the_claim():
    assert (
        explain(verdicts.speedup(35.0, ratio(0.999, 1.002), RULES).reasons)
        == "the interval holds 1, and it ends below 31.5 = 35*0.9"
    )
    assert explain(verdicts.speedup(1.1, ratio(0.999, 1.002), RULES).reasons) == "the interval holds 1"


def test_other_thread_counts_are_not_the_message_s(patch):
    found = judged(patch, threads=2)
    assert found["counter-x86_64"].verdict.word == VerdictWord.NOT_MEASURED


# ---- the quotients worth showing ----


def test_quotients_are_named_once_and_can_be_measured(patch):
    found = patch_claims.pairs_on(["x86_64", "arm32"])
    keys = [(pair.arch, pair.slow, pair.fast) for pair in found]
    assert len(set(keys)) == len(keys)
    claimed = {
        (claim.arch, claim.slow, claim.fast)
        for claim in patch_claims.written_claims()
        if claim.kind in ("speedup", "equal")
    }
    assert claimed <= set(keys)
    assert all(pair.why for pair in found)
    assert {pair.arch for pair in patch_claims.pairs_on(["arm32"])} == {"arm32"}
    assert patch_claims.pairs_on([]) == []
