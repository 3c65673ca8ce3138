"""Open files for many connections at once: most systems let a process have 1024 until it asks for more."""

from __future__ import annotations

import resource

from rseqbench.errors import UsageError

_OWN, _EACH = 100, 10  # files of ours, and for each machine: seven were counted, of three calls of ssh and the store


def make_room(at_once: int) -> None:
    """Ask for as many open files as so many machines need, as far as we may have them; what we start inherits that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OWN + _EACH * at_once
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def check(at_once: int) -> None:
    """Raise UsageError when we may not have as many open files as so many machines need."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _OWN + _EACH * at_once:
        raise UsageError(
            f"{at_once} machines at once need {_OWN + _EACH * at_once} open files, and we may have {soft}",
            f"--at-once {max(1, (soft - _OWN) // _EACH)}, or a higher limit (ulimit -Hn)",
        )
