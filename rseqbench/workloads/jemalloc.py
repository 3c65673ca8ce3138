"""jemalloc itself: a server of requests (kernels/server) over it as shipped, with per-CPU pools before it, and more.

Each method is a fresh process of the same program with another allocator preloaded.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rseqbench import paths
from rseqbench.build import architectures, products
from rseqbench.errors import BuildError, TargetError
from rseqbench.host.rseq_support import make_environment
from rseqbench.model import Benchmark, BenchmarkId, CommandLine, Facts, ProgramResult, Registration
from rseqbench.selection import LIBRARIES
from rseqbench.support import process
from rseqbench.workloads.library import Stage

GROUP = "jemalloc"
TIMES_CPUS = (4, 1)  # threads: four for each CPU, and one
WORK = (0, 300, 1500, 10_000, 120_000)  # steps of computing in a request: from nearly all to 1% in the allocator
ELSEWHERE = "shipped libraries are measured on this machine only"
_MS, _WARM_MS = 50, 8  # of a phase; a process has one for each of the above
_LENGTHS = ("--ms", str(_MS), "--warm-ms", str(_WARM_MS))
_AROUND_S = 0.3  # its start, what it calibrates, and reading what it prints
PROCESS_S = len(TIMES_CPUS) * len(WORK) * (_MS + _WARM_MS) * 1e-3 + _AROUND_S  # what a process takes
_TRIAL = ("--ms", "1", "--warm-ms", "0")
_TRIAL_LIMIT_S = 20.0
_JEMALLOC = "libjemalloc.so"
_POOLS = "libpools.so"


@dataclass(frozen=True)
class Method:
    """An allocator: what is preloaded, its settings, and what the process must then say of itself.

    library: how the name of the file begins that malloc() is from; arena: jemalloc's own word for opt.percpu_arena.
    """

    name: str
    doc: str
    library: str
    settings: str = ""
    arena: str = "disabled"
    pools: str = ""
    no_rseq: bool = False

    @property
    def benchmark(self) -> BenchmarkId:
        """The benchmark's name."""
        return BenchmarkId.of_parts(GROUP, self.name)

    def find_mismatch(self, document: Mapping[str, Any], registration: Registration) -> str:
        """Return how a process differs from what was asked for, by its own document; empty when it does not."""
        rseq = registration == Registration.GLIBC
        checks = [
            (not str(document["library"]).startswith(self.library), f"malloc() is from {document['library']}"),
            (document["percpu_arena"] != self.arena, f"opt.percpu_arena is {document['percpu_arena'] or 'not known'}"),
            (document["pools"] != self.pools, f"the pools are protected by {document['pools'] or 'nothing'}"),
            (document["rseq"] != rseq, f"rseq is {'registered' if document['rseq'] else 'not registered'}"),
        ]
        return next((f"{self.name} did not take: {why}" for failed, why in checks if failed), "")


_POOLED = "per-CPU pools before jemalloc"
METHODS = (
    Method("shipped", "jemalloc as it is shipped, with its caches for each thread", _JEMALLOC),
    Method("percpu_arena", "jemalloc, its arenas by CPU", _JEMALLOC, "percpu_arena:percpu", "percpu"),
    Method("percpu_arena_norseq", "the same without rseq", _JEMALLOC, "percpu_arena:percpu", "percpu", no_rseq=True),
    Method("pools_rseq", f"{_POOLED}, by rseq", _POOLS, pools="rseq"),
    Method("pools_lsl", f"{_POOLED}, by LSL and a lock, as in 2018", _POOLS, pools="lsl_lock"),
    Method("pools_vdso", f"{_POOLED}, by the vDSO's CPU number and a lock", _POOLS, pools="vdso_lock"),
    Method("pools_off", "the library of the pools, with none: what it costs to be there", _POOLS, pools="off"),
    Method("glibc", "the C library's own malloc()", "libc.so", arena=""),
)  # fmt: skip
BY_NAME: dict[str, Method] = {method.benchmark: method for method in METHODS}


def list_benchmarks(unavailable: str = "") -> list[Benchmark]:
    """Return the methods as what can be measured, or with the reason why none can."""
    docs = [f"a request of 64 blocks, four threads a CPU, no other work: over {method.doc}" for method in METHODS]
    return [
        Benchmark(method.benchmark, doc, unavailable, needs_no_rseq=method.no_rseq, whole=True)
        for method, doc in zip(METHODS, docs, strict=True)
    ]


def server_command(method: Method) -> list[str]:
    """Return the words that start the server over a method's allocator. Raises BuildError."""
    preload = str(_pools(paths.cache())) if method.pools else products.JEMALLOC if method.library == _JEMALLOC else ""
    variables = [f"LD_PRELOAD={preload}", f"MALLOC_CONF={method.settings}"]
    return ["/usr/bin/env", *variables, *([f"RSEQBENCH_POOLS={method.pools}"] if method.pools else []), str(_server())]


def server_arguments(cpus: Sequence[int], order: int) -> list[str]:
    """Return the server's arguments for a round; `order` is a number that chooses the order of its phases."""
    threads = ",".join(str(times * len(cpus)) for times in TIMES_CPUS)
    where = ["--cpus", ",".join(map(str, cpus)), "--threads", threads, "--work", ",".join(map(str, WORK))]
    return [*where, *_LENGTHS, "--order", str(order)]


def parse_document(method: Method, result: ProgramResult, registration: Registration) -> dict[str, Any]:
    """Return what a server printed. Raises TargetError when it failed, or had another allocator than was asked for."""
    if result.code:
        message = result.errors.strip().rpartition("\n")[2]
        raise TargetError(f"the server ended with exit code {result.code}: {message or 'it says no more'}")
    try:
        document: dict[str, Any] = json.loads(result.output)
        mismatch = method.find_mismatch(document, registration)
    except (ValueError, KeyError, TypeError) as error:
        raise TargetError(f"the server printed garbage: {result.output[:60]!r}") from error
    if mismatch:
        raise TargetError(mismatch)
    return document


@contextlib.contextmanager
def open_environment() -> Iterator[JemallocEnvironment]:
    """Compile the server, and try it. Raises TargetError or BuildError where there is no jemalloc, or no server."""
    if find_library(GROUP) is None:
        raise TargetError(f"no {products.JEMALLOC} here", f"apt-get install {' '.join(LIBRARIES[GROUP].packages)}")
    _server()
    try:
        _pools(paths.cache())
        why = ""
    except BuildError as error:
        why = str(error)
    yield JemallocEnvironment(_read_version(), why)


def calls() -> list[CommandLine]:
    """Return the command lines of open_environment(), which are not executed."""
    return [products.server_call(), products.pools_call(architectures.host())]


class JemallocEnvironment:
    """The allocators that can be measured, and the reason where the pools cannot."""

    def __init__(self, version: str, no_pools: str) -> None:
        """Take jemalloc's version, and why the pools could not be compiled."""
        self._version, self._no_pools = version, no_pools

    def environment(self) -> Mapping[str, str]:
        """Return nothing: benchmarks are measured over what they always are."""
        return {}

    def prefix(self) -> Sequence[str]:
        """Return nothing."""
        return ()

    def facts(self) -> Facts:
        """Return the version, as the library says it."""
        return Facts(jemalloc=self._version)

    def unavailable_reason(self, benchmark: str) -> str:
        """Return why a method cannot be measured here; empty when it can."""
        pools = BY_NAME[benchmark].pools
        if pools == "lsl_lock" and architectures.host().name != "x86_64":
            return "lsl: x86 only"
        return self._no_pools if pools else ""

    def begin(self, stage: Stage) -> str:
        """Do nothing, with which nothing goes wrong."""
        return ""

    def doubts(self, benchmark: str) -> str:
        """Return nothing: the server proves its blocks itself."""
        return ""


def _read_version() -> str:
    shipped = METHODS[0]
    result = process.run_program([*server_command(shipped), *_TRIAL], make_environment("auto"), _TRIAL_LIMIT_S)
    try:
        return str(json.loads(result.output)["jemalloc"]) or "not known"
    except (ValueError, KeyError) as error:
        raise TargetError(f"the server does not run over {products.JEMALLOC}: {result.errors.strip()[:80]}") from error


def _server() -> Path:
    return _compiled(paths.cache())


@cache
def _compiled(_cache: Path) -> Path:
    return products.server().path


@cache
def _pools(_cache: Path) -> Path:
    return products.pools(architectures.host()).path
