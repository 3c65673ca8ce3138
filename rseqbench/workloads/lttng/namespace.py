"""A mount namespace in which our session daemon meets no other, and the removal of what it leaves behind.

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
    """Yield the words that put a command into the namespace; its processes belong to the group `group`.

    `needed` are paths that have to be visible in it. Raises TargetError where there can be none.
    """
    if os.geteuid():
        with _remove_leftovers((_SHM,)):
            yield ()
        return
    with _open_namespace(group) as holder:
        if holder is not None:
            _refuse_hidden([*needed, Path(sys.prefix), Path.cwd()])
            yield ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "--")
            return
    if _daemon_is_running():
        raise TargetError(
            "root's own lttng-sessiond is running, and a place for another takes a mount namespace",
            "end it, be another user, or have CAP_SYS_ADMIN",
        )
    with _remove_leftovers((_LTTNG, _SHM)):
        yield ()


@contextlib.contextmanager
def _open_namespace(group: int) -> Iterator[subprocess.Popen[bytes] | None]:
    """Yield a process that holds a namespace in which root's folders are empty; None where the kernel refuses one."""
    folders = [os.path.realpath(_RUN), str(_SHM)]
    command = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", _HOLD, "sh", *folders]
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
        for hidden in (_RUN.resolve(), _SHM):
            if path.resolve().is_relative_to(hidden):
                why = f"{path} lies in {hidden}, which is empty where root's LTTng is measured"
                raise TargetError(why, "set TMPDIR or XDG_CACHE_HOME, or change to another folder")


def _daemon_is_running() -> bool:
    """Whether root's session daemon answers on its socket."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(str(_LTTNG / "client-lttng-sessiond"))
        return True
    return False


@contextlib.contextmanager
def _remove_leftovers(folders: Sequence[Path]) -> Iterator[None]:
    """Remove afterwards the files that LTTng leaves in folders of the whole machine."""
    existed = {folder: folder.is_dir() for folder in folders}
    before = {path for folder in folders for path in _entries(folder)}
    try:
        yield
    finally:
        mapped = _mapped_files()
        for folder in folders:
            for path in _entries(folder) - before:
                if _identify(path) not in mapped:
                    _remove(path)
            if not existed[folder]:
                with contextlib.suppress(OSError):
                    folder.rmdir()


def _entries(folder: Path) -> set[Path]:
    """Return the files of LTTng in a folder."""
    return set(folder.glob(_WAIT if folder == _SHM else "*"))


def _mapped_files() -> set[tuple[str, str]]:
    """Return which files of shared memory processes that we may look at have mapped: those are in use.

    By their device and number (proc_pid_maps(5)): in another namespace, or container, a file of the same name is
    another.
    """
    files = set()
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            lines = maps.read_text(errors="replace").splitlines()
            fields = [line.split(maxsplit=5) for line in lines if str(_SHM) in line]
            files |= {(device, number) for _, _, _, device, number, *_ in fields}
    return files


def _identify(path: Path) -> tuple[str, str]:
    """Return the device and the number of a file, as _mapped_files() does."""
    with contextlib.suppress(OSError):
        status = path.stat()
        return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}", str(status.st_ino)
    return "", ""


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
