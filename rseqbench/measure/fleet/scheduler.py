"""Many jobs at once, each in a thread, and their reports in one stream. Knows nothing of the jobs themselves.

A job waits for its machine nearly all of its time, so threads will do; what it computes itself is serial, as Python's
threads are (docs/fleet.md has the figures).
"""

from __future__ import annotations

import contextlib
import queue
import resource
import threading
from collections import deque
from collections.abc import Callable, Generator, Sequence

from rseqbench.errors import TargetError, UsageError
from rseqbench.store.events import Job, JobBegun, JobEnded, JobEvent, JobReported, Reported, Stopped

_OWN, _EACH = 100, 10  # files of ours, and for each machine: seven were counted, of three calls of ssh and the store


def run_jobs(
    jobs: Sequence[Job],
    work: Callable[[Job], Generator[Reported, None, None]],
    at_once: int,
    cut: Callable[[], None],
) -> Generator[JobEvent[Job, Reported], None, None]:
    """Do `work` for each of the jobs in their order, `at_once` of them at the same time; yield what becomes of each.

    Every job that begins ends, and no error of one reaches another. When the generator is closed, or left by an
    exception such as Ctrl-C's, no further job begins; `cut` is called, which has to let all that wait come back; each
    job ends at its next report, and all threads are gone. At most `at_once` reports are kept unread.
    """
    events: queue.Queue[JobEvent[Job, Reported]] = queue.Queue(maxsize=max(1, at_once))
    stop = threading.Event()
    waiting, running = deque(jobs), dict[Job, threading.Thread]()

    def start() -> None:
        while waiting and len(running) < at_once:
            job = waiting.popleft()
            thread = threading.Thread(target=_do, args=(job, work, events, stop), daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # Linux has no more of them for us: the others do it, one after the other
                waiting.appendleft(job)
                if running:
                    return
                raise TargetError("no thread can be started", "see: ulimit -u") from error
            running[job] = thread

    try:
        start()
        while running:
            event = events.get()
            if isinstance(event, JobEnded):
                running.pop(event.job).join()
                start()
            yield event
    finally:
        if running:
            stop.set()
            cut()
            while running:
                event = events.get()
                if isinstance(event, JobEnded):
                    running.pop(event.job).join()


def _do(
    job: Job,
    work: Callable[[Job], Generator[Reported, None, None]],
    events: queue.Queue[JobEvent[Job, Reported]],
    stop: threading.Event,
) -> None:
    """Do one job to its end, whatever that is."""
    error: BaseException | None = None
    try:
        events.put(JobBegun(job))
        with contextlib.closing(work(job)) as reports:
            for report in reports:
                if stop.is_set():
                    raise Stopped
                events.put(JobReported(job, report))
    except BaseException as caught:  # who reads the events gets it, and a thread has nobody else
        error = caught
    events.put(JobEnded(job, error))


def raise_file_limit(at_once: int) -> None:
    """Raise the limit of open files to the need of `at_once` machines, or to the hard limit; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OWN + _EACH * at_once
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def check_file_limit(at_once: int) -> None:
    """Raise UsageError when the limit of open files is below the need of `at_once` machines."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OWN + _EACH * at_once:
        raise UsageError(
            f"{at_once} machines at once need {_OWN + _EACH * at_once} open files, and we may have {soft}",
            f"--at-once {max(1, (soft - _OWN) // _EACH)}, or a higher limit (ulimit -Hn)",
        )
