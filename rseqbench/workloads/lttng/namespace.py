"""Where a session daemon of ours meets no other, and what it leaves there.

Root's daemon has its sockets at one place of the whole machine, and so has what programs wait for one with. Ours gets a
mount namespace in which both places are empty; so do the processes that are measured, and with the namespace all is
gone. Where root may not make one, in many a container, the machine's own place is used if nobody else is there. A user
who is not root has a place for each daemon, LTTNG_HOME.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from rseqbench.errors import TargetError

_RUN = Path("/var/run")  # on most systems a link to /run
_SHM = Path("/dev/shm")
_LTTNG = _RUN / "lttng"
_WAIT = "lttng-ust-wait-*"  # what programs that are traced wait for a daemon with
_HOLD = 'for place in "$@"; do mount -t tmpfs tmpfs "$place" || exit; done; echo; exec cat'


@contextlib.contextmanager
def enter_namespace(group: int, needed: Sequence[Path]) -> Iterator[Sequence[str]]:
    """Yield the words that put a command into a place of our own; processes of it belong to `group`.

    `needed` is what has to be seen there. Raises TargetError where there is no such place.
    """
    if os.geteuid():
        with _left_as_found((_SHM,)):
            yield ()
        return
    with _held(group) as holder:
        if holder is not None:
            _refuse_hidden([*needed, Path(sys.prefix), Path.cwd()])
            yield ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--")
            return
    if _taken():
        raise TargetError(
            "root's own lttng-sessiond is running, and a place for another takes a mount namespace",
            "end it, be another user, or have CAP_SYS_ADMIN",
        )
    with _left_as_found((_LTTNG, _SHM)):
        yield ()


@contextlib.contextmanager
def _held(group: int) -> Iterator[subprocess.Popen[bytes] | None]:
    """Yield a process that holds a namespace in which root's places are empty; None where Linux refuses one."""
    places = [os.path.realpath(_RUN), str(_SHM)]
    command = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _HOLD, "sh", *places]
    try:
        holder = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=group,
        )
    except OSError:
        yield None
        return
    with holder:  # closes its input, which ends it
        assert holder.stdout is not None
        yield holder if holder.stdout.readline() else None


def _refuse_hidden(needed: Sequence[Path]) -> None:
    for path in needed:
        for place in (_RUN.resolve(), _SHM):
            if path.resolve().is_relative_to(place):
                why = f"{path} lies in {place}, which is empty where root's LTTng is measured"
                raise TargetError(why, "set TMPDIR or XDG_CACHE_HOME, or change to another folder")


def _taken() -> bool:
    """Whether a session daemon of root's answers at its place."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(str(_LTTNG / "client-lttng-sessiond"))
        return True
    return False


@contextlib.contextmanager
def _left_as_found(places: Sequence[Path]) -> Iterator[None]:
    """Remove afterwards what LTTng puts into places of the whole machine and leaves there."""
    there = {place: place.is_dir() for place in places}
    before = {path for place in places for path in _entries(place)}
    try:
        yield
    finally:
        mapped = _mapped()
        for place in places:
            for path in _entries(place) - before:
                if _file(path) not in mapped:
                    _remove(path)
            if not there[place]:
                with contextlib.suppress(OSError):
                    place.rmdir()


def _entries(place: Path) -> set[Path]:
    """Return what of LTTng's is in a place."""
    return set(place.glob(_WAIT if place == _SHM else "*"))


def _mapped() -> set[tuple[str, str]]:
    """Return which files of shared memory processes that we may look at have mapped: those are in use.

    By their device and number (proc_pid_maps(5)): in another namespace, or container, a file of the same name is
    another.
    """
    found = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            lines = maps.read_text(errors="replace").splitlines()
            fields = [line.split(maxsplit=5) for line in lines if str(_SHM) in line]
            found |= {(device, number) for _, _, _, device, number, *_ in fields}
    return found


def _file(path: Path) -> tuple[str, str]:
    """Return the device and the number of a file, as _mapped() does."""
    with contextlib.suppress(OSError):
        found = path.stat()
        return f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}", str(found.st_ino)
    return "", ""


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
