"""What a run is built with and where it is kept: compilers, headers, Python packages, folders."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from rseqbench import facts, paths
from rseqbench.doctor.finding import Check, Finding, Host, install

_OLDEST = {"gcc": 9, "clang": 11}
_PACKAGES = ("cffi", "pyperf", "numpy", "pandas", "matplotlib", "click", "jinja2", "rich")


def compiler(host: Host) -> Finding:
    """The compiler of the kernels: gcc, else clang, not too old, with the C library's headers."""
    advice = install("gcc libc6-dev")
    name = next((name for name in _OLDEST if shutil.which(name)), None)
    if name is None:
        return Finding("compiler", "none", "bad", advice)
    version = _version(name)
    value = f"{name} {version or 'of unknown version'}"
    if not version or int(version.partition(".")[0]) < _OLDEST[name]:
        return Finding("compiler", value, "bad", f"gcc 9 or clang 11, or newer, is needed: {advice}")
    if not _finds_headers(name):
        return Finding("compiler", f"{value}, without the C library's headers", "bad", advice)
    return Finding("compiler", value)


def _version(name: str) -> str:
    options = ["-dumpversion"] if name == "clang" else ["-dumpfullversion", "-dumpversion"]
    version = _run([name, *options])
    return version if version and re.fullmatch(r"\d+(\.\d+)*", version) else ""


def _finds_headers(name: str) -> bool:
    return _run([name, "-fsyntax-only", "-xc", "-"], "#include <stdio.h>\n") is not None


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
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-dev"
    return Finding("Python.h", f"not at {header}", "bad", install(package))


def python_packages(host: Host) -> Finding:
    """The Python packages that a run, a comparison and a report import."""
    versions = {name: facts.package(name) for name in _PACKAGES}
    absent = [name for name, version in versions.items() if version is None]
    value = ", ".join(f"{name} {version or 'missing'}" for name, version in versions.items())
    if absent:
        return Finding("Python packages", value, "bad", f"{sys.executable} -m pip install {' '.join(absent)}")
    return Finding("Python packages", value)


def arm32_compiler(host: Host) -> Finding | None:
    """The cross compiler of the kernels for 32-bit ARM, unless this machine is one."""
    if host.machine.startswith("arm"):
        return None
    return _cross("arm32", "arm-linux-gnueabihf-gcc", "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross")


def arm64_compiler(host: Host) -> Finding | None:
    """The cross compiler of the kernels for 64-bit ARM, unless this machine is one."""
    if host.machine == "aarch64":
        return None
    return _cross("arm64", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu libc6-dev-arm64-cross")


def _cross(arch: str, name: str, packages: str) -> Finding:
    if shutil.which(name) is None:
        return Finding(f"{arch} compiler", f"no {name}: {arch} kernels cannot be built", "warn", install(packages))
    if not _finds_headers(name):
        return Finding(f"{arch} compiler", f"{name}, without the C library's headers", "warn", install(packages))
    return Finding(f"{arch} compiler", f"{name} {_version(name)}".strip())


def results_folder(host: Host) -> Finding:
    """The folder in which runs are stored, or will be made."""
    return _folder("results folder", host.results)


def cache_folder(host: Host) -> Finding:
    """The folder in which compiled kernels are kept, or will be made."""
    try:
        return _folder("cache folder", paths.cache())
    except RuntimeError as error:  # a user without a home
        return Finding("cache folder", str(error), "bad", "export XDG_CACHE_HOME=/tmp/rseqbench-cache")


def _folder(name: str, folder: Path) -> Finding:
    folder = folder.absolute()
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
        return Finding(name, f"{folder}, writable")
    why = "cannot be written" if there.is_dir() else "is not a folder"
    return Finding(name, f"{folder}: {there} {why}", "bad", f"start in a folder of your own, or see: ls -ld {there}")


CHECKS: tuple[Check, ...] = (
    compiler,
    python_headers,
    python_packages,
    arm32_compiler,
    arm64_compiler,
    results_folder,
    cache_folder,
)
