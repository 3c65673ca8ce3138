"""What a run is built with and where it is kept: compilers, headers, Python packages, folders."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from rseqbench import paths
from rseqbench.build import architectures
from rseqbench.build.architectures import Arch
from rseqbench.doctor.finding import Check, Host, lacking
from rseqbench.errors import RseqbenchError
from rseqbench.host import facts
from rseqbench.model import Finding

_OLDEST = {"gcc": 9, "clang": 11}
_NATIVE = "gcc libc6-dev"
_PACKAGES = ("cffi", "pyperf", "numpy", "pandas", "matplotlib", "click", "jinja2", "rich")


@dataclass(frozen=True)
class _Compiler:
    """A compiler that is there: its name as a command, and what is wrong with it, if anything."""

    command: str
    version: str
    wrong: str

    def __str__(self) -> str:
        return f"{self.command} {self.version or 'of unknown version'}" + (f", {self.wrong}" if self.wrong else "")


def compiler(host: Host) -> Finding:
    """The compiler of this machine's kernels: the first one there, not too old, with the C library's headers."""
    try:
        arch = next((arch for arch in architectures.known().values() if host.machine in arch.machines), None)
    except RseqbenchError as error:
        return Finding("compiler", error.message, "bad", error.hint)
    if arch is None:
        known = f"write its ops: {paths.kernels() / 'arch'}; other machines work as they are"
        return Finding("compiler", f"no kernels for {host.machine}", "bad", known)
    found = _find(arch)
    if found is None:
        return lacking("compiler", "none", "bad", [_NATIVE])
    if found.wrong:
        return lacking("compiler", str(found), "bad", [_NATIVE])
    return Finding("compiler", str(found))


def cross_compilers(host: Host) -> Finding | None:
    """The compilers of the kernels for other machines, which are built here and run there."""
    try:
        others = [arch for arch in architectures.known().values() if host.machine not in arch.machines]
    except RseqbenchError:
        return None  # told above
    foreign = [arch for arch in others if arch.package != _NATIVE]  # nobody compiles for x86-64 on a board
    found = {arch.name: _find(arch) for arch in foreign}
    value = ", ".join(f"{name}: {one or 'none'}" for name, one in found.items())
    missing = [arch.package for arch in foreign if (one := found[arch.name]) is None or one.wrong]
    if missing:
        return lacking("cross compilers", value, "warn", missing)
    return Finding("cross compilers", value) if value else None


def _find(arch: Arch) -> _Compiler | None:
    """Return the compiler that a build for `arch` would take, or None."""
    for command in filter(None, [os.environ.get("CC"), *arch.compilers]):
        if shutil.which(command) and (_run([command, "-dumpmachine"]) or "").startswith(arch.triplets):
            return _judged(command)
    return None


def _judged(command: str) -> _Compiler:
    family = "clang" if "clang" in (_run([command, "--version"]) or "") else "gcc"
    version = _run([command, *(["-dumpversion"] if family == "clang" else ["-dumpfullversion", "-dumpversion"])]) or ""
    if not re.fullmatch(r"\d+(\.\d+)*", version) or int(version.partition(".")[0]) < _OLDEST[family]:
        return _Compiler(command, version, f"{family} {_OLDEST[family]} or newer is needed")
    if _run([command, "-fsyntax-only", "-xc", "-"], "#include <stdio.h>\n") is None:
        return _Compiler(command, version, "without the C library's headers")
    return _Compiler(command, version, "")


def _run(command: list[str], text: str = "") -> str | None:
    """Return what a command prints, given `text` to read; None if it fails or does not end."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def python_headers(host: Host) -> Finding:
    """Python.h, through which the compiled kernels are loaded."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if header.exists():
        return Finding("Python.h", str(header))
    if sys.base_prefix != "/usr":  # no package of Debian's completes a Python that is not Debian's
        return Finding("Python.h", f"not at {header}", "bad", "install its headers, or use Debian's own python3")
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
    return lacking("Python.h", f"not at {header}", "bad", [package])


def python_packages(host: Host) -> Finding:
    """The Python packages that a run, a comparison and a report import."""
    versions = {name: facts.package(name) for name in _PACKAGES}
    absent = [name for name, version in versions.items() if version is None]
    value = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    if absent:
        command = f"{shlex.quote(sys.executable)} -m pip install {' '.join(absent)}"
        return Finding("Python packages", value, "bad", command=command)
    return Finding("Python packages", value)


def results_folder(host: Host) -> Finding:
    """The folder in which runs are stored, or will be made."""
    return _folder("results folder", host.results)


def cache_folder(host: Host) -> Finding:
    """The folder in which compiled kernels are kept, or will be made."""
    try:
        return _folder("cache folder", paths.cache())
    except RuntimeError as error:  # a user without a home
        return Finding("cache folder", str(error), "bad", command="export XDG_CACHE_HOME=/tmp/rseqbench-cache")


def _folder(name: str, folder: Path) -> Finding:
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding(name, f"{folder}, writable")
    why = "cannot be written" if there.is_dir() else "is not a folder"
    command = f"ls -ld {shlex.quote(str(there))}"
    return Finding(
        name, f"{folder}: {there} {why}", "bad", "start in a folder of your own, or see whose it is", command
    )


CHECKS: tuple[Check, ...] = (
    compiler,
    cross_compilers,
    python_headers,
    python_packages,
    results_folder,
    cache_folder,
)
