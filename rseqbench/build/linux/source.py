"""The kernel source to build: Debian's newest linux-source package, fetched once, or a tree of the user's."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rseqbench import paths
from rseqbench.build import architectures
from rseqbench.build.linux.apt import Apt
from rseqbench.build.linux.image import require_qemu, unpack_deb
from rseqbench.build.linux.make import hold_lock, make_environment
from rseqbench.errors import BuildError
from rseqbench.support import atomic_io

DEBIAN = "debian"
_PACKAGE = r"^linux-source-[0-9]+\.[0-9]+$"
_NEEDED_MIB = 2200  # its tree and its archive, while that is unpacked: 1640 and 150 were measured
_VERSION = "rseqbench-version"  # the file in a fetched tree that holds the version of its package
_CONFIGURED = (".config", "include/config")  # left by a build in the tree, as generated headers are
_WITHOUT_APT = "mend that, or give a tree of your own: source = PATH in [linux]"


@dataclass(frozen=True)
class KernelSource:
    """A tree of Linux's source: where it is, its version for people, and what changes whenever a file of it does."""

    path: Path
    version: str
    identity: str


def find_source(wanted: str) -> KernelSource:
    """Return the source that bench.toml names: "debian", fetched unless the cache has it, or the path of a tree.

    Raises BuildError when it is no tree of Linux's, or was built in; TargetError without apt, network or space.
    """
    return _debian_source() if wanted == DEBIAN else _user_source(Path(wanted).expanduser())


def is_available(wanted: str) -> bool:
    """Whether a source needs no network: a path, or Debian's in the cache."""
    return wanted != DEBIAN or bool(_cached_versions())


def check_source(source: KernelSource, name: str, linux_name: str) -> None:
    """Raise BuildError when this Linux has no rseq for an architecture, or was built for it in its own tree.

    `name` is ours of the architecture, `linux_name` that of its folder in Linux.
    """
    folder = source.path / "arch" / linux_name
    try:
        selected = (folder / "Kconfig").read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BuildError(f"{source.version} knows no {name}: there is no {folder}/Kconfig") from error
    if not re.search(r"^\s*select\s+HAVE_RSEQ\b", selected, re.MULTILINE):
        why = "rseq came with Linux 4.18 for x86 and arm, and with 4.19 for arm64"
        raise BuildError(f"{source.version} has no rseq for {name}: arch/{linux_name}/Kconfig lacks HAVE_RSEQ", why)
    if (folder / "include/generated").exists():
        raise _built_in_tree(source.path, f"arch/{linux_name}/include/generated")


def _built_in_tree(path: Path, leftover: str) -> BuildError:
    how = f"make -C {path} mrproper (it removes that build)"
    return BuildError(f"{path} was built in, {leftover} is there, so it cannot be built elsewhere", how)


def _user_source(path: Path) -> KernelSource:
    for name in ("Makefile", "Kconfig", "init/Kconfig", "arch"):
        if not (path / name).exists():
            raise BuildError(f"{path} is no source tree of Linux: there is no {name}", "source = ... in [linux]")
    leftover = next((name for name in _CONFIGURED if (path / name).exists()), None)
    if leftover is not None:
        raise _built_in_tree(path, leftover)
    return KernelSource(path.resolve(), _read_version(path), _digest(path))


def _read_version(path: Path) -> str:
    commands = (
        ["git", "-C", str(path), "describe", "--always", "--dirty"],
        ["make", "-sC", str(path), "kernelversion"],
    )
    for command in commands if (path / ".git").exists() else commands[1:]:
        try:
            done = subprocess.run(command, env=make_environment(), capture_output=True, text=True, check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        if done.stdout.strip():
            return f"Linux {done.stdout.strip()}"
    return "Linux of unknown version"


def _digest(path: Path) -> str:
    """Return a digest over the name, size and time of every file; reading them all would take a minute."""
    digest = hashlib.sha256()
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(files):
            status = os.lstat(os.path.join(folder, name))
            line = f"{os.path.relpath(folder, path)}/{name} {status.st_size} {status.st_mtime_ns}\n"
            digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()


def _debian_source() -> KernelSource:
    if not _cached_versions():
        with atomic_io.as_results_error(_cache_folder()):
            _cache_folder().mkdir(parents=True, exist_ok=True)
            with hold_lock(_cache_folder() / "lock", "fetching Linux's source"):
                if not _cached_versions():
                    _fetch(_cache_folder())
    newest = _cached_versions()[-1]
    version = newest.read_text(encoding="utf-8").strip()
    return KernelSource(newest.parent, version, version)


def _cache_folder() -> Path:
    return paths.cache() / "linux" / "source"


def _cached_versions() -> list[Path]:
    """Return the files that name the versions in the cache, the newest one last."""
    return sorted(_cache_folder().glob(f"linux-source-*/{_VERSION}"), key=lambda path: _numbers(path.parent.name))


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", name)))


def _fetch(root: Path) -> None:
    for leftover in root.glob("fetch-*"):  # of a process that was killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    free = shutil.disk_usage(root).free >> 20
    if free < _NEEDED_MIB:
        message = f"Linux's source takes {_NEEDED_MIB} MiB while it is unpacked, and {root} has {free} left"
        raise BuildError(message, "make room, or set XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(dir=root, prefix="fetch-") as scratch:
        folder = Path(scratch)
        apt = Apt(require_qemu(architectures.host()).debian, folder, _WITHOUT_APT)
        apt.update()
        names = apt.search(_PACKAGE)
        if not names:
            raise BuildError("apt knows no package linux-source-N.M", _WITHOUT_APT)
        deb = apt.download(max(names, key=_numbers))
        package, version, _ = deb.stem.split("_")
        unpack_deb(deb, folder / "tree")
        deb.unlink()
        archive = next((folder / "tree" / "usr" / "src").glob("linux-source-*.tar.*"), None)
        if archive is None:
            raise BuildError(f"{package} {version} holds no archive of Linux's source", _WITHOUT_APT)
        _untar(archive, folder / "source")
        (folder / "source" / _VERSION).write_text(f"{package} {version}\n", encoding="utf-8")
        os.rename(folder / "source", root / package)


def _untar(archive: Path, target: Path) -> None:
    target.mkdir()
    command = ["tar", "--extract", "--strip-components=1", f"--file={archive}", f"--directory={target}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    except FileNotFoundError as error:
        raise BuildError("no tar here to unpack Linux's source with", "apt-get install tar xz-utils") from error
    if done.returncode:
        words = done.stderr.strip().partition("\n")[0]
        raise BuildError(f"cannot unpack {archive.name}: {words}", "is the disk full, is xz-utils there?")
