"""How numbers and names are printed, decided once for the terminal, Markdown and HTML alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rseqbench.analysis.outcomes import Outcome
from rseqbench.analysis.patch_claims import ArchPair, Claim
from rseqbench.analysis.stats import SAME_COUNT
from rseqbench.model import BenchmarkId, Estimate, VerdictWord
from rseqbench.support import text as foreign

line, is_control = foreign.line, foreign.is_control

ICONS = {
    VerdictWord.REPRODUCED: "✓",
    VerdictWord.STRONGER: "▲",
    VerdictWord.WEAKER: "▼",
    VerdictWord.UNRESOLVED: "≈",
    VerdictWord.CONTRADICTED: "✗",
    VerdictWord.NOT_COMPARABLE: "◇",
    VerdictWord.NOT_MEASURED: "○",
}
SIGNS = {  # of how two runs compare, where there is no room for words
    Outcome.FASTER: "<",
    Outcome.FEWER: "<",
    Outcome.SLOWER: ">",
    Outcome.MORE: ">",
    Outcome.EQUAL: "=",
    Outcome.UNRESOLVED: "~",
    Outcome.NOT_COMPARABLE: "/",
    Outcome.MISSING: "-",
}
NOTHING = "-"  # a cell without a value
_MOST_DIGITS = 4  # significant digits of a value whose interval is narrower than anybody needs
_FEWEST_DIGITS = 2
_NO_INTERVAL_DIGITS = 3
_SHORT = {"instructions": "insn", "user instructions": "user insn"}
_NS_PER_SECOND = 1e9
_FEW = 10  # instructions, of which a part is worth printing
_LARGE_COUNT = 1000
_COUNT_DECIMALS = 2  # a count is whole, unless an operation does something only now and then
_MOST_DECIMALS = 4  # a tenth of a picosecond is below anything a round resolves, and so is a ratio's 0.01%


@dataclass(frozen=True)
class FormattedNumber:
    """A number ready to print: the value, its interval or why it has none (without brackets), and words after it."""

    value: str
    interval: str = ""
    after: str = ""

    def __str__(self) -> str:
        number = f"{self.value} ({self.interval})" if self.interval else self.value
        return f"{number} {self.after}" if self.after else number


def unit(name: str) -> str:
    """Return the unit in full, as data has it: "ns" -> "ns/op"."""
    return f"{name}/op"


def short(name: str) -> str:
    """Return the unit as it stands in a table: "instructions" -> "insn/op"; caveats.py explains the word."""
    return unit(_SHORT.get(name, name))


def quotient_of(name: str) -> str:
    """Return what a quotient of values in this unit is, as data has it: "x" of times, "x of instructions"."""
    return "x" if name in ("ns", "") else f"x of {name}"


def estimate(number: Estimate, suffix: str = "") -> FormattedNumber:
    """Print a value and its interval, as precisely as the interval's half width deserves: "0.62 (0.61 .. 0.63)".

    `suffix` goes behind the value only. Where there are too few rounds for an interval, their number takes its place. A
    quotient of counts has a range, which is printed where it can be seen.
    """
    if number.is_range:
        return _ranged(number, min(_MOST_DECIMALS, max(0, _NO_INTERVAL_DIGITS - 1 - _exponent(number.value))), suffix)
    places = _decimals(number)
    value = _fixed(number.value, places) + suffix
    if number.low is None or number.high is None:
        return FormattedNumber(value, f"{number.n} rounds" if number.n > 1 else "")
    return FormattedNumber(value, f"{_fixed(number.low, places)} .. {_fixed(number.high, places)}")


def _large_count(number: Estimate, suffix: str) -> FormattedNumber:
    """Print a count of which decimals mean nothing, in thousands: "117,233", with its range."""
    value, low, high = (f"{x:,.0f}" for x in (number.value, number.low or number.value, number.high or number.value))
    return FormattedNumber(value + suffix, "" if low == high else f"{low} .. {high}")


def count(number: Estimate, suffix: str = "") -> FormattedNumber:
    """Print instructions per operation: "11", "37.29"; with the range of its rounds where that is not the clock's."""
    if number.value >= _LARGE_COUNT:
        return _large_count(number, suffix)
    value, whole = (_fixed(x, _COUNT_DECIMALS) for x in (number.value, round(number.value)))
    if number.low is None or number.high is None or number.high - number.low <= SAME_COUNT:
        return FormattedNumber((_fixed(number.value, 0) if value == whole else value) + suffix)
    return _ranged(number, _COUNT_DECIMALS, suffix)


def cost(number: Estimate, suffix: str = "") -> FormattedNumber:
    """Print what an operation takes, as time or as instructions: estimate() or count(); a program's time in seconds."""
    if number.is_range:
        return count(number, suffix)
    return estimate(number, suffix) if number.value < _NS_PER_SECOND else estimate(_seconds(number), f" s{suffix}")


def _seconds(number: Estimate) -> Estimate:
    low, high = (None if x is None else x / _NS_PER_SECOND for x in (number.low, number.high))
    return replace(number, value=number.value / _NS_PER_SECOND, low=low, high=high)


def growth(difference: float, quotient: Estimate) -> FormattedNumber:
    """Print by how many instructions one count exceeds another: "+196 (+2.8 .. +3.0%)", with `quotient`'s range."""
    value = f"{difference:+,.0f}" if abs(difference) >= _FEW else f"{difference:+.{_COUNT_DECIMALS}f}"
    if abs(difference) <= SAME_COUNT or quotient.low is None or quotient.high is None:
        return FormattedNumber("0" if abs(difference) <= SAME_COUNT else value)
    low, high = (f"{100 * (x - 1):+.2f}" for x in (quotient.low, quotient.high))
    return FormattedNumber(value, f"{low}%" if low == high else f"{low} .. {high}%")


def ratio(number: Estimate, suffix: str = "x") -> FormattedNumber:
    """Print a quotient: "8.5x (8.3 .. 8.7)"."""
    return estimate(number, suffix)


def as_printed(value: float) -> FormattedNumber:
    """Print a value of the patch's tables, which all have one decimal."""
    return FormattedNumber(f"{value:.1f}")


def stated(number: float, unit_name: str) -> str:
    """Print the number of a claim with its unit: "7.7x", "344.0 ns", "41.37 s"."""
    value = as_printed(number).value if unit_name == "ns" else f"{number:g}"
    return f"{value}x" if unit_name == "x" else f"{value} {unit_name}"


def claimed(claim: Claim) -> str:
    """Print what a claim states: "7.7x", or the range in its words: "1-2 %"."""
    return f"{claim.range} {claim.unit}" if claim.range else stated(claim.stated, claim.unit)


def per_million(count: int, of: int) -> str:
    """Print a share as a count in a million: "0", "0.12", "340"."""
    if not count or not of:
        return "0"
    share = count / of * 1e6
    return _fixed(share, max(0, 1 - _exponent(share)))


def percent(ratio_value: float) -> str:
    """Print how far a quotient lies from 1, in percent: 1.123 -> "12.3%"."""
    return f"{abs(ratio_value - 1) * 100:.1f}%"


def method(benchmark: str) -> str:
    """Return the method of a benchmark in the patch's words: "counter/getcpu_atomic" -> "getcpu+atomic"."""
    name = BenchmarkId(benchmark).method
    return name.removesuffix("_atomic") + "+atomic" if name.endswith("_atomic") else name


def claim(one: Claim) -> str:
    """Name a claim by what it compares: "counter: rseq against getcpu+atomic", "cpu_id: gs equals rseq"."""
    if not one.slow:
        return one.id
    if not one.fast:
        return one.slow
    group, slow, fast = one.slow.group, method(one.slow), method(one.fast)
    return f"{group}: {slow} equals {fast}" if one.kind == "equal" else f"{group}: {fast} against {slow}"


def quotient(pair: ArchPair) -> str:
    """Name a quotient: "counter/vdso_atomic / rseq"; "net" where the empty loop is subtracted from both."""
    return f"{pair.slow} / {pair.fast.method}" + (", net" if pair.net else "")


def with_threads(name: str, threads: int) -> str:
    """Return a benchmark's or method's name with its thread count, where that is not one."""
    return name if threads == 1 else f"{name} ({threads} threads)"


def _decimals(number: Estimate) -> int:
    """Return the decimals at which the interval's half width has one digit.

    A value gets at most four significant digits: what lies below is this machine's, today. One that is told from zero
    keeps two, as far as two digits of the half width go.
    """
    size = _exponent(number.value)
    most = _MOST_DIGITS - 1 - size
    if number.low is None or number.high is None:
        return min(_MOST_DECIMALS, max(0, _NO_INTERVAL_DIGITS - 1 - size))
    half = (number.high - number.low) / 2
    wanted = -_exponent(half) if half > 0 else most
    if abs(number.value) > half:
        wanted = max(wanted, min(_FEWEST_DIGITS - 1 - size, wanted + 1))
    return min(_MOST_DECIMALS, max(0, min(most, wanted)))


def _exponent(value: float) -> int:
    """Return the decimal exponent of the first digit; a hair of tolerance, so that 0.63 - 0.61 counts as 0.02."""
    return math.floor(math.log10(abs(value) * (1 + 1e-9))) if value else 0


def _ranged(number: Estimate, places: int, suffix: str) -> FormattedNumber:
    value, *ends = (_fixed(x, places) for x in (number.value, number.low, number.high) if x is not None)
    return FormattedNumber(value + suffix, "" if set(ends) <= {value} else " .. ".join(ends))


def _fixed(value: float, places: int) -> str:
    text = f"{value:.{places}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def named(labels: Sequence[str], most: int = 3) -> str:
    """Return labels in a line: "a, b, c and 4 more"."""
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return f"{', '.join(labels[:most])}{more}"
