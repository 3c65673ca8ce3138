"""How numbers and names are printed."""

import pytest

from rseqbench.model import Estimate
from rseqbench.report import formatting


def estimate(value, low=None, high=None, n=20):
    return Estimate(value, low, high, n, 0.95 if low is not None else 0.0)


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (estimate(0.62, 0.61, 0.63), "0.62 (0.61 .. 0.63)"),
        (estimate(8.5, 8.3, 8.7), "8.5 (8.3 .. 8.7)"),
        (estimate(0.61702, 0.6166, 0.6175), "0.6170 (0.6166 .. 0.6175)"),
        (estimate(12345.6, 9000.0, 15000.0), "12346 (9000 .. 15000)"),
        (estimate(1.0, 1.0, 1.0), "1.000 (1.000 .. 1.000)"),
        (estimate(0.25, 0.2499999, 0.2500001), "0.2500 (0.2500 .. 0.2500)"),
        (estimate(-0.0000281, n=3), "0.0000 (3 rounds)"),
        (estimate(-0.0004, -0.02, 0.02), "0.00 (-0.02 .. 0.02)"),
        (estimate(0.0, -1.0, 1.0), "0 (-1 .. 1)"),
        (estimate(5.254, n=1), "5.25"),
        (estimate(5.254, n=4), "5.25 (4 rounds)"),
        (estimate(2502.0, n=1), "2502"),
    ],
)
def test_an_estimate_is_printed_as_precisely_as_its_interval_deserves(number, printed):
    assert str(formatting.estimate(number)) == printed


def test_a_ratio_carries_its_sign_once():
    assert str(formatting.ratio(estimate(8.5, 8.3, 8.7))) == "8.5x (8.3 .. 8.7)"


@pytest.mark.parametrize("value", [0.031, 0.62, 7.7, 141.3, 2502.0])
@pytest.mark.parametrize("share", [0.3, 0.02, 0.0007])
def test_what_is_printed_is_the_number_within_its_own_last_digit(value, share):
    number = estimate(value, value * (1 - share), value * (1 + share))
    printed = formatting.estimate(number)
    low, high = map(float, printed.interval.split(" .. "))
    half = value * share
    for read, true in ((float(printed.value), value), (low, number.low), (high, number.high)):
        assert abs(read - true) <= max(half / 2, 1e-4 * value, 5e-5)


@pytest.mark.parametrize(
    ("number", "unit", "printed"),
    [
        (7.7, "x", "7.7x"),
        (35, "x", "35x"),
        (344.0, "ns", "344.0 ns"),
        (41.37, "s", "41.37 s"),
        (567, "bytes", "567 bytes"),
    ],
)
def test_a_stated_number_is_printed_as_in_the_message(number, unit, printed):
    assert formatting.stated(number, unit) == printed


@pytest.mark.parametrize(
    ("count", "of", "printed"), [(0, 10, "0"), (0, 0, "0"), (3, 3_000_000, "1.0"), (340, 10**6, "340")]
)
def test_aborts_are_printed_per_million(count, of, printed):
    assert formatting.per_million(count, of) == printed


def test_the_patch_says_getcpu_plus_atomic():
    assert formatting.method("counter/getcpu_atomic") == "getcpu+atomic"
    assert formatting.method("cpu_id/rseq") == "rseq"


def test_foreign_text_becomes_one_harmless_line():
    assert formatting.line("a\nb\t c") == "a b c"
    assert formatting.line("\x1b[31mred\x1b[0m") == "\\u001b[31mred\\u001b[0m"
    assert formatting.line("\u202eevil\x00") == "\\u202eevil\\u0000"
    assert formatting.line("Zürich µs — 日本") == "Zürich µs — 日本"


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (Estimate(41.37e9, 41.1e9, 41.6e9, 10, 0.95), "41.4 s (41.1 .. 41.6)"),
        (Estimate(999e6, 998e6, 1000e6, 10, 0.95), "999000000 (998000000 .. 1000000000)"),
        (Estimate(229e6, 226e6, 231e6, 5, 0.0), "229,000,000 (226,000,000 .. 231,000,000)"),
        (Estimate(6_796.2, 6_796.2, 6_796.2, 5, 0.0), "6,796"),
    ],
)
def test_what_a_whole_program_takes_is_readable(number, printed):
    assert str(formatting.cost(number)) == printed


@pytest.mark.parametrize(
    ("difference", "quotient", "printed"),
    [
        (196.0, Estimate(1.029, 1.0285, 1.0295, 5, 0.0), "+196 (+2.85 .. +2.95%)"),
        (-4120.4, Estimate(0.99, 0.985, 1.031, 5, 0.0), "-4,120 (-1.50 .. +3.10%)"),
        (5.05, Estimate(1.002, 1.002, 1.002, 5, 0.0), "+5.05 (+0.20%)"),
        (0.0, Estimate(1.0, 1.0, 1.0, 5, 0.0), "0"),
    ],
)
def test_a_difference_of_instructions_says_how_many_and_what_share(difference, quotient, printed):
    assert str(formatting.growth(difference, quotient)) == printed
