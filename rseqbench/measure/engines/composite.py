"""One round of a run: loops by the engine that was chosen, then whole programs and the allocator server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from rseqbench.errors import unknown_name
from rseqbench.measure.engines import ENGINES, CaseResult, Engine, program
from rseqbench.measure.engines.gated import GatedEngine
from rseqbench.measure.engines.instructions import InstructionEngine
from rseqbench.measure.engines.sequential import PyperfEngine
from rseqbench.model import Case, Plan
from rseqbench.selection import LIBRARIES
from rseqbench.targets import Target
from rseqbench.workloads import jemalloc
from rseqbench.workloads.hackbench import PROGRAMS

_ENGINES: Mapping[str, Callable[[], Engine]] = {
    "gated": GatedEngine,
    "pyperf": PyperfEngine,
    "counted": InstructionEngine,
}


def create_engine(name: str) -> Engine:
    """Return a new engine that measures benchmarks as its name says, and programs too. Raises UsageError."""
    if name not in _ENGINES:
        raise unknown_name("engine", name, ENGINES)
    return CompositeEngine(_ENGINES[name]())


class CompositeEngine:
    """An engine for everything that a plan may hold."""

    def __init__(self, loops: Engine) -> None:
        """Take the engine that measures loops."""
        self._loops = loops

    def prepare(self, target: Target, plan: Plan, cases: Sequence[Case]) -> None:
        """Prepare the engine of the loops for those of the cases that are loops."""
        self._loops.prepare(target, plan, _loops(cases))

    def round(self, target: Target, plan: Plan, number: int, cases: Sequence[Case]) -> Iterator[CaseResult]:
        """Measure the loops, then the programs and the server: those disturb more than they are disturbed.

        Loops that call a shipped library have a process of their own, as it may change what others take.
        """
        for part in _apart(_loops(cases)):
            for result in self._loops.round(target, plan, number, part):
                why = target.doubts(result.case) if result.sample else ""
                yield CaseResult(result.case, None, why) if why else result
        programs = [case for case in cases if case.benchmark in PROGRAMS]
        yield from program.run(target, plan, number, programs)
        servers = _servers(cases)
        if servers:
            from rseqbench.measure.engines import allocator_server  # noqa: PLC0415 - loads HdrHistogram

            yield from allocator_server.run(target, plan, number, servers)

    def steps(self, cases: Sequence[Case]) -> tuple[tuple[Case, ...], ...]:
        """Return the steps of the loops' engine, then each program alone, then the server over each allocator."""
        loops = [step for part in _apart(_loops(cases)) for step in self._loops.steps(part)]
        alone = [*(case for case in cases if case.benchmark in PROGRAMS), *_servers(cases)]
        return (*loops, *((case,) for case in alone))

    def expected_s(self, plan: Plan) -> float | None:
        """Return what the loops' engine expects, and the server takes; None with a program, of seconds to minutes."""
        if any(case.benchmark in PROGRAMS for case in plan.cases):
            return None
        loops = _loops(plan.cases)
        expected = self._loops.expected_s(replace(plan, cases=tuple(loops))) if loops else 0.0
        served = plan.rounds * jemalloc.PROCESS_S * len(_servers(plan.cases))
        return None if expected is None else expected + served

    def pause_s(self) -> float:
        """Return what the loops' engine wants."""
        return self._loops.pause_s()


def _apart(loops: Sequence[Case]) -> list[list[Case]]:
    """Return the loops that call no library, and those that do."""
    shipped = [case for case in loops if case.benchmark.partition("/")[0] in LIBRARIES]
    return [part for part in ([case for case in loops if case not in shipped], shipped) if part]


def _loops(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.benchmark not in PROGRAMS and case.benchmark not in jemalloc.BY_NAME]


def _servers(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.benchmark in jemalloc.BY_NAME]
