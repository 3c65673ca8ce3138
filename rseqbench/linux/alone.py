"""Keeping others out of a folder of the cache while something lengthy is made in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from rseqbench.errors import BuildError


@contextlib.contextmanager
def alone(path: Path, what: str) -> Iterator[int]:
    """Hold the lock file `path`, which is removed afterwards; its folder must be there. Yields its descriptor.

    A child that inherits the descriptor holds the lock as well, for as long as it lives. Raises BuildError, saying
    `what` another rseqbench does, when somebody else holds it, and OSError when it cannot be made.
    """
    descriptor = _taken(path, what)
    try:
        yield descriptor
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _taken(path: Path, what: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except OSError as error:
            os.close(descriptor)
            raise BuildError(f"another rseqbench is {what}", "wait until it is done") from error
        os.close(descriptor)  # whoever held it has removed it since we opened it
