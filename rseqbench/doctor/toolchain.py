"""Checks of the toolchain and the folders: compilers, headers, Python packages, results, cache."""

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
from rseqbench.doctor.finding import Check, Host, report_missing
from rseqbench.errors import RseqbenchError
from rseqbench.host import facts
from rseqbench.model import Finding

_OLDEST = {"gcc": 9, "clang": 11}
_NATIVE = "gcc libc6-dev"
_PACKAGES = ("cffi", "pyperf", "numpy", "pandas", "matplotlib", "click", "jinja2", "rich")


@dataclass(frozen=True)
class _Compiler:
    """A compiler that is installed: its command, its version, and why it does not do, if it does not."""

    command: str
    version: str
    problem: str

    def __str__(self) -> str:
        return f"{self.command} {self.version or 'of unknown version'}" + (f", {self.problem}" if self.problem else "")


def check_compiler(host: Host) -> Finding:
    """Look for this machine's compiler: the first one installed, not too old, with the C library's headers."""
    try:
        arch = next((arch for arch in architectures.known().values() if host.machine in arch.machines), None)
    except RseqbenchError as error:
        return Finding("compiler", error.message, "bad", error.hint)
    if arch is None:
        advice = f"write its ops: {paths.kernels() / 'arch'}; other machines work as they are"
        return Finding("compiler", f"no kernels for {host.machine}", "bad", advice)
    compiler = _find_compiler(arch)
    if compiler is None or compiler.problem:
        return report_missing("compiler", str(compiler or "none"), "bad", [_NATIVE])
    return Finding("compiler", str(compiler))


def check_cross_compilers(host: Host) -> Finding | None:
    """Look for the compilers of other architectures, whose benchmarks are built here and run there."""
    try:
        others = [arch for arch in architectures.known().values() if host.machine not in arch.machines]
    except RseqbenchError:
        return None  # check_compiler reports it
    foreign = [arch for arch in others if arch.package != _NATIVE]  # nobody compiles for x86-64 on a board
    compilers = [(arch, _find_compiler(arch)) for arch in foreign]
    value = ", ".join(f"{arch.name}: {compiler or 'none'}" for arch, compiler in compilers)
    missing = [arch.package for arch, compiler in compilers if compiler is None or compiler.problem]
    if missing:
        return report_missing("cross compilers", value, "warn", missing)
    return Finding("cross compilers", value) if value else None


def _find_compiler(arch: Arch) -> _Compiler | None:
    """Return the compiler that a build for `arch` would take, or None."""
    for command in filter(None, [os.environ.get("CC"), *arch.compilers]):
        if shutil.which(command) and (_run([command, "-dumpmachine"]) or "").startswith(arch.triplets):
            return _inspect(command)
    return None


def _inspect(command: str) -> _Compiler:
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


def check_python_headers(host: Host) -> Finding:
    """Look for Python.h, which compiling the benchmarks for this Python takes."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if header.exists():
        return Finding("Python.h", str(header))
    if sys.base_prefix != "/usr":  # no package of Debian's completes a Python that is not Debian's
        return Finding("Python.h", f"not at {header}", "bad", "install its headers, or use Debian's own python3")
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
    return report_missing("Python.h", f"not at {header}", "bad", [package])


def check_python_packages(host: Host) -> Finding:
    """Look for the Python packages that a run, a comparison and a report import."""
    versions = {name: facts.read_package_version(name) for name in _PACKAGES}
    missing = [name for name, version in versions.items() if version is None]
    value = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    if missing:
        command = f"{shlex.quote(sys.executable)} -m pip install {' '.join(missing)}"
        return Finding("Python packages", value, "bad", command=command)
    return Finding("Python packages", value)


def check_results_folder(host: Host) -> Finding:
    """Check the folder in which runs are stored, or will be made."""
    return _check_folder("results folder", host.results)


def check_cache_folder(host: Host) -> Finding:
    """Check the folder in which compiled benchmarks are kept, or will be made."""
    try:
        return _check_folder("cache folder", paths.cache())
    except RuntimeError as error:  # a user without a home
        return Finding("cache folder", str(error), "bad", command="export XDG_CACHE_HOME=/tmp/rseqbench-cache")


def _check_folder(name: str, folder: Path) -> Finding:
    folder = folder.absolute()
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(name, f"{folder}, writable")
    why = "cannot be written" if existing.is_dir() else "is not a folder"
    command = f"ls -ld {shlex.quote(str(existing))}"
    return Finding(
        name, f"{folder}: {existing} {why}", "bad", "start in a folder of your own, or see whose it is", command
    )


CHECKS: tuple[Check, ...] = (
    check_compiler,
    check_cross_compilers,
    check_python_headers,
    check_python_packages,
    check_results_folder,
    check_cache_folder,
)
