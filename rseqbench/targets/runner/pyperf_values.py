"""A round's values as pyperf's worker takes them, where pyperf itself cannot run: from a runner that times loops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyperf

from rseqbench.errors import TargetError
from rseqbench.model import Case, Plan

# From numbers of loops, and how often to repeat them, to the ns that each took and its aborts.
Timer = Callable[[Sequence[int], int], tuple[list[int], list[int]]]

_MOST_LOOPS = 2**40


def taken(time: Timer, case: Case, plan: Plan, number: int, loops: int, arch: str) -> pyperf.Benchmark:
    """Return a case's values of round `number` on `arch`, in seconds per operation: after one warm-up, of `loops` each.

    Without loops, find how many last `value_ms`: then one value, which stands for so many.
    Raises TargetError when the timer does, or when the clock is too coarse.
    """
    if not loops:
        return _benchmark(case, number, _calibrated(time, plan), [plan.value_ms * 1e6], 0, arch)
    ns, aborts = time([loops], plan.values + 1)
    return _benchmark(case, number, loops, ns[1:], sum(aborts), arch)


def _calibrated(time: Timer, plan: Plan) -> int:
    """Double the loops until a value lasts as long as the plan wants, as pyperf does."""
    loops = 1
    while loops < _MOST_LOOPS:
        (ns,), _ = time([loops], 1)
        if ns >= plan.value_ms * 1e6:
            break
        loops *= 2
    return loops


def _benchmark(case: Case, number: int, loops: int, ns: Sequence[float], aborts: int, arch: str) -> pyperf.Benchmark:
    metadata = {
        "name": case.id,
        "unit": "second",
        "loops": loops,
        "benchmark": case.benchmark,
        "arch": arch,
        "threads": case.threads,
        "engine": "pyperf",
        "round": number,
        "registration": case.registration.value,
        "aborts": aborts,
    }
    if any(value <= 0 for value in ns):
        raise TargetError(f"{case.id}: {loops} operations took no time", "the clock there is too coarse")
    values = [value * 1e-9 / loops for value in ns]
    return pyperf.Benchmark([pyperf.Run(values, metadata=metadata, collect_metadata=False)])
