"""The same work on each of many things, on all CPUs at once: reading fifty runs takes seconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

from rseqbench.support.process import die_with_parent

T = TypeVar("T")
R = TypeVar("R")
_FEW = 8  # things that take less time than to start processes for them


def each(work: Callable[[T], R], things: Sequence[T]) -> list[R]:
    """Return what `work` makes of each thing, in their order; it must have no effects, as it may run elsewhere.

    What it raises is raised here. The processes end with us, however that is.
    """
    cpus = len(os.sched_getaffinity(0))
    if len(things) < _FEW or cpus < 2:
        return list(map(work, things))
    context = multiprocessing.get_context("fork")  # a fresh Python would take a second to import what we have
    pool = ProcessPoolExecutor(min(cpus, len(things) // 2), context, _alone)
    try:
        return list(pool.map(work, things))
    finally:
        pool.shutdown(cancel_futures=True)


def _alone() -> None:
    """Die with the parent, and leave it to that to obey Ctrl-C."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
