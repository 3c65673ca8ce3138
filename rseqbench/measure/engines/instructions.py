"""Instructions per operation on an emulated machine, where time is none: the slope between two numbers of operations.

What surrounds the loop is the same for both numbers and cancels. Where a whole machine is emulated, its clock counts
instructions, those of a timer tick too. Counts that were left alone agree to the clock's steps; what does not agree
with most of them was interrupted, and is counted as that, not averaged in. An operation of thousands of instructions,
such as a fork, cannot be repeated often enough between two ticks: its counts are long, and hold the ticks that fall
into them, as its time would. docs/method.md says what such a number is worth.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from rseqbench.errors import TargetError
from rseqbench.measure.engines.sequential import SequentialEngine
from rseqbench.model import Case, Plan
from rseqbench.store.samples import Sample
from rseqbench.targets import CountsInstructions, Target, require
from rseqbench.targets.measurements import Counts

BUDGET = 500_000  # instructions: a fifth of the time between two timer ticks, and long beside a step of the clock
REPEAT = 5
FEWEST = 3  # counts of each number of operations that agree: most of them
_LEAST_LOOPS = 512  # a lap of what a benchmark does now and then, such as switching to the next sub-buffer
_TRIAL = 1000  # operations: they tell what one takes to a thirtieth of an instruction
SHORT = 1_000  # instructions: the longest operation whose counts fit between two ticks
LONG_BUDGET = 32_000_000  # instructions: eight ticks, so that one more or less is a thousandth at most
_LEAST_LONG = 16
_FIRST_TRIAL = (8, 24)  # few: an operation may be a fork


class InstructionEngine(SequentialEngine):
    """The engine `counted`."""

    def __init__(self) -> None:
        """Begin with nothing calibrated."""
        super().__init__()
        self._long: set[Case] = set()

    def _calibrate(self, target: Target, plan: Plan, number: int, case: Case) -> int:
        cost = estimate_cost(require(target, CountsInstructions).count(case, plan, _FIRST_TRIAL, REPEAT))
        if cost > SHORT:
            self._long.add(case)
            return choose_loops(cost, LONG_BUDGET, _LEAST_LONG)
        return choose_loops(
            slope(require(target, CountsInstructions).count(case, plan, trial_operations(cost), REPEAT))
        )

    def _take(self, target: Target, plan: Plan, number: int, case: Case, loops: int) -> Sample:
        if case in self._long:
            counts = require(target, CountsInstructions).count(case, plan, (loops,), REPEAT)
            return _sample(target, case, number, counts, means(counts), 0)
        counts = require(target, CountsInstructions).count(case, plan, (loops, 2 * loops), REPEAT)
        interrupted = sum(len(taken) - len(agreeing_counts(taken, counts.step)) for taken in counts.taken)
        return _sample(target, case, number, counts, slopes(counts), interrupted)


def agreeing_counts(taken: Sequence[int], step: int) -> list[int]:
    """Return the counts that agree to two steps of the clock, as many as do, in their order.

    A timer tick makes a count larger.
    """
    groups = [[count for count in taken if low <= count <= low + 2 * step] for low in taken]
    return max(groups, key=len)


def slopes(counts: Counts) -> list[float]:
    """Return instructions per operation from the undisturbed counts of two numbers of operations, paired as they came.

    They have as many decimals as the clock's steps leave, so that they are the same each time. Raises TargetError where
    too few are undisturbed, or where more operations did not take more instructions.
    """
    few, many = (agreeing_counts(taken, counts.step) for taken in counts.taken)
    if min(len(few), len(many)) < FEWEST:
        raise TargetError(f"interrupted: {len(few)} and {len(many)} of {len(counts.taken[0])} counts agree")
    apart = counts.operations[1] - counts.operations[0]
    decimals = -math.ceil(math.log10(2 * counts.step / apart))  # a step more or less is half a unit of the last one
    per_operation = [round((high - low) / apart, decimals) for low, high in zip(few, many, strict=False)]
    if min(per_operation) <= 0:
        raise TargetError(f"{apart} more operations took no more instructions")
    return per_operation


def slope(counts: Counts) -> float:
    """Return the median of slopes(); same errors."""
    return statistics.median(slopes(counts))


def means(counts: Counts) -> list[float]:
    """Return instructions per operation, to a tenth, of counts so long that what surrounds them does not matter.

    A slope would have thrice the spread of its two counts, which is Linux's own: its caches, what it puts off.
    """
    return [round(taken / counts.operations[0], 1) for taken in counts.taken[0]]


def estimate_cost(counts: Counts) -> float:
    """Return about how many instructions an operation takes, by the least counts of a few; 0 if next to none."""
    few, many = (min(taken) for taken in counts.taken)
    return max(0.0, (many - few) / (counts.operations[1] - counts.operations[0]))


def trial_operations(cost: float) -> tuple[int, int]:
    """Return the two numbers of operations that tell what one of about `cost` instructions takes exactly.

    The larger is no longer than a count of a value: in a longer one a tick is the rule, and most have to be without.
    """
    few = min(_TRIAL, int(2 * BUDGET / (3 * max(cost, 1))))
    return few, 3 * few


def choose_loops(cost: float, budget: int = BUDGET, least: int = _LEAST_LOOPS) -> int:
    """Return how many operations of `cost` instructions to count: a power of two, so that every run takes the same."""
    loops = least
    while loops * 2 * cost <= budget:
        loops *= 2
    return loops


def _sample(target: Target, case: Case, number: int, counts: Counts, values: list[float], interrupted: int) -> Sample:
    return Sample(
        benchmark=case.benchmark,
        threads=case.threads,
        registration=counts.registration,
        arch=target.arch,
        engine="counted",
        round=number,
        unit="integer",
        values=tuple(values),
        loops=counts.operations[0],
        aborts=counts.aborts,
        interrupted=interrupted,
    )
