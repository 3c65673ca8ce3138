"""Programs of Debian for guests, each with its loader and libraries, fetched once; versions of what is installed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rseqbench import paths
from rseqbench.build.architectures import Arch
from rseqbench.build.cache import Built
from rseqbench.build.linux.apt import Apt
from rseqbench.build.linux.image import require_qemu, unpack_deb
from rseqbench.errors import TargetError
from rseqbench.workloads.hackbench import Program

_CONTENTS = "facts.json"
_LIBRARIES = ("libc6",)  # further packages of Debian that a program may need
_NEEDED = re.compile(r"\(NEEDED\)\s+Shared library: \[(.+)\]")
_LOADER = re.compile(r"Requesting program interpreter: /(.+)\]")
_UNKNOWN = "not known"
_VERSION = re.compile(r"\d+\.\d+(\.\d+)*\S*")
_MODULES = ("/usr/lib/*/pkgconfig", "/usr/lib*/pkgconfig", "/usr/local/lib/pkgconfig", "/usr/share/pkgconfig")


def fetch_program(arch: Arch, program: Program) -> dict[str, bytes]:
    """Return what a guest needs to run a program, by path without the leading slash; fetched unless the cache has it.

    Raises TargetError without apt, network or space.
    """
    folder = paths.cache() / "programs" / arch.name / program.package
    if not (folder / _CONTENTS).is_file():
        _fetch(arch, program, folder)
    try:
        contents = json.loads((folder / _CONTENTS).read_text(encoding="utf-8"))
        return {path: (folder / path).read_bytes() for path in contents["files"]}
    except (OSError, ValueError, KeyError) as error:
        raise TargetError(f"{folder} is damaged: {error}", f"rm -r {folder}") from error


def _fetch(arch: Arch, program: Program, folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{program.package}-") as name:
            scratch = Path(name)
            apt = Apt(require_qemu(arch).debian, scratch)
            apt.update()
            debs = [apt.download(package) for package in (program.package, *_LIBRARIES)]
            for deb in debs:
                unpack_deb(deb, scratch / "tree")
            kept = _copy_program(scratch / "tree", program.path.removeprefix("/"), scratch / "keep")
            package, version, _ = debs[0].stem.split("_")
            contents = {"package": f"{package} {version}", "files": sorted(kept)}
            (scratch / "keep" / _CONTENTS).write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")
            os.rename(scratch / "keep", folder)
    except OSError as error:
        if not (folder / _CONTENTS).is_file():  # nobody else was faster
            raise TargetError(f"cannot write {folder}: {error.strerror or error}", "set XDG_CACHE_HOME") from error


def _copy_program(tree: Path, path: str, keep: Path) -> list[str]:
    """Copy a program of an unpacked tree with all it needs into `keep`; return the paths, as the program asks for them.

    A library lies where the loader finds it without ld.so.cache, which a guest does not have.
    """
    wanted = {path: tree / path}
    for name, file in _find_needed(tree, tree / path):
        wanted[name] = file
    for name, file in wanted.items():
        (keep / name).parent.mkdir(parents=True, exist_ok=True)
        (keep / name).write_bytes(file.read_bytes())
    return list(wanted)


def _find_needed(tree: Path, program: Path) -> Iterator[tuple[str, Path]]:
    """Yield the loader and the libraries of a program, theirs included: where each has to be, and where it is."""
    loader = _LOADER.search(_read_headers(program))
    if loader is None:
        return
    yield loader[1], _find_library(tree, Path(loader[1]).name)
    seen: set[str] = set()
    pending = [program]
    while pending:
        for name in _NEEDED.findall(_read_headers(pending.pop())):
            if name not in seen and name != Path(loader[1]).name:
                seen.add(name)
                pending.append(_find_library(tree, name))
                yield f"lib/{name}", pending[-1]


def _find_library(tree: Path, name: str) -> Path:
    files = [path for path in sorted(tree.rglob(name)) if path.is_file() and not path.is_symlink()]
    if not files:
        raise TargetError(f"none of {', '.join(_LIBRARIES)} holds {name}", "report it: Debian's packages have changed")
    return files[0]


def _read_headers(elf: Path) -> str:
    command: Sequence[str] = ("readelf", "--wide", "--dynamic", "--program-headers", str(elf))
    try:
        return subprocess.run(
            command, capture_output=True, text=True, check=True, env={**os.environ, "LC_ALL": "C"}
        ).stdout
    except FileNotFoundError as error:
        raise TargetError("no readelf here to see what a program needs", "apt-get install binutils") from error
    except subprocess.CalledProcessError as error:
        raise TargetError(f"readelf cannot read {elf.name}: {error.stderr.strip()}") from error


def read_library_version(module: str) -> str:
    """Return the version of a library by its pkg-config module, which is read as it is: pkg-config may be missing."""
    for pattern in _MODULES:
        for path in sorted(Path("/").glob(f"{pattern[1:]}/{module}.pc")):
            match = re.search(r"^Version:\s*(\S+)", path.read_text(errors="replace"), re.MULTILINE)
            if match:
                return match[1]
    return _UNKNOWN


def read_program_version(name: str) -> str:
    """Return the version that a program says it has."""
    try:
        done = subprocess.run([name, "--version"], capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return _UNKNOWN
    match = _VERSION.search(done.stdout)
    return match[0] if match else _UNKNOWN


def describe_linking(provider: Built, libraries: Sequence[str]) -> str:
    """Return how the code that calls a library was compiled and linked."""
    return f"{provider.compiler} {provider.cflags} -shared {' '.join(libraries)}"
