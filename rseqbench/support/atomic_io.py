"""Writing so that a crash leaves either the old or the new, never half: files by rename, folders by exchange."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from rseqbench.errors import ResultsError


@contextlib.contextmanager
def as_results_error(path: Path) -> Iterator[None]:
    """Turn an OSError below it into a ResultsError that names `path`: a full or read-only disk is not a defect."""
    try:
        yield
    except OSError as error:
        raise ResultsError(f"cannot write {path}: {error.strerror or error}", "is it full, or not ours?") from error


def save(path: Path, text: str, ours: bool = False) -> None:
    """Write a file that a user asked for, whole or not at all; only where its folder is `ours` is that made too.

    Raises ResultsError when it cannot be written.
    """
    with as_results_error(path):
        if ours:
            path.parent.mkdir(parents=True, exist_ok=True)
        elif not path.parent.is_dir():
            raise ResultsError(f"cannot write {path}: there is no folder {path.parent}", "make it first")
        write(path, text)


def exchange(new: Path, old: Path) -> None:
    """Put folder `new` at `old`; where `old` exists the two change places in one step (renameat2(2))."""
    if not old.exists():
        os.rename(new, old)
        return
    at_fdcwd, rename_exchange = -100, 2
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(at_fdcwd, os.fsencode(new), at_fdcwd, os.fsencode(old), rename_exchange) == 0:
        return
    code = ctypes.get_errno()
    if code not in (errno.EINVAL, errno.ENOSYS):
        raise OSError(code, os.strerror(code))
    aside = new.with_name("replaced")  # a filesystem without exchange: two renames, nothing deleted in between
    os.rename(old, aside)
    os.rename(new, old)


def write(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.part")  # another may write the same
    try:
        part.write_text(text, encoding="utf-8", errors="replace")
        os.replace(part, path)
    except OSError:
        if part.is_file():
            part.unlink()
        raise
