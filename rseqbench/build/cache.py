"""Products and how they are made: the compiler's command line, its sources and digest, and the cached file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rseqbench import paths
from rseqbench.build import compilers
from rseqbench.build.architectures import Arch
from rseqbench.build.compilers import Compiler
from rseqbench.errors import BuildError
from rseqbench.model import CommandLine

MODULE = "_rseqbench_kernels"
_SCRATCH = "tmpXXXXXXXX"  # stands for tempfile's names
_MAKING = threading.Lock()

# Loops and functions begin on a cache line of their own, so that two benchmarks do not differ by where they landed.
CFLAGS = (
    "-O2",
    "-g",
    "-std=gnu11",
    "-fPIC",
    "-Wall",
    "-Wextra",
    "-falign-functions=64",
    "-falign-loops=64",
    "-pthread",
)


@dataclass(frozen=True)
class Built:
    """A compiled set of benchmarks: where it is, and by what it was made."""

    path: Path
    compiler: str
    cflags: str
    digest: str


@dataclass(frozen=True)
class Product:
    """What to make: the file's name, how to link it, the folders of its sources, and whether cffi's glue is in it.

    files: what else it is made of, single sources of further folders; libraries: what it is linked with, as options of
    the linker; defines: what its sources are told; foreign: a digest of the headers that are neither ours nor the
    compiler's.
    """

    name: str
    link: str
    folders: tuple[str, ...] = ("core", "src")
    files: tuple[str, ...] = ()
    glue: bool = False
    libraries: tuple[str, ...] = ()
    defines: tuple[str, ...] = ()
    foreign: str = ""


@dataclass(frozen=True)
class Recipe:
    """What to make, of what and by what, and what and where it will be."""

    arch: Arch
    compiler: Compiler
    flags: tuple[str, ...]
    product: Product
    built: Built

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.built.path.parent

    def command(self, scratch: Path) -> list[str]:
        """Return the compiler's command line, which makes it in the folder `scratch`; cffi's glue lies there."""
        product, made = self.product, scratch / self.product.name
        glue = [scratch / f"{MODULE}.c"] if product.glue else []
        how = (self.compiler.command, product.link, *product.defines, *self.flags, *includes(self.arch))
        return [*how, "-o", *map(str, (made, *sources(product), *glue)), *product.libraries]


def declarations() -> str:
    """Return what a host may call, as plain C for cffi: host.h without its preprocessor lines."""
    text = (paths.kernels() / "core" / "host.h").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def _write_glue(folder: Path) -> None:
    """Write cffi's C glue into `folder`."""
    import cffi  # noqa: PLC0415 - only a build needs it, and it takes longer to load than a cached extension

    ffi = cffi.FFI()
    ffi.cdef(declarations())
    ffi.set_source(MODULE, '#include "host.h"')
    with contextlib.redirect_stdout(io.StringIO()):  # cffi announces the file; stdout is for the table
        ffi.emit_c_code(str(folder / f"{MODULE}.c"))


def recipe(arch: Arch, extra: Sequence[str], product: Product) -> Recipe:
    """Return how to make a product for `arch`, with the flags `extra` behind our own.

    Raises BuildError when there is no compiler for it.
    """
    compiler = compilers.find(arch)
    flags = (*CFLAGS, *arch.cflags, *extra)
    digest = _digest(arch, compiler, flags, product)
    folder = paths.cache() / digest[:16]
    built = Built(folder / product.name, compiler.version, " ".join((*CFLAGS, *arch.cflags)), digest[:16])
    return Recipe(arch, compiler, flags, product, built)


def call(what: str, make: Callable[[], Recipe]) -> CommandLine:
    """Return the command line of the recipe that `make` gives, which is not executed, or why there is none."""
    try:
        found = make()
    except BuildError as error:
        return CommandLine(what, (), str(error))
    if found.built.path.is_file():
        note = "not executed: the cache has what it makes"
    else:
        note = f"{_SCRATCH} is a new folder each time" + (
            ", where cffi puts its C file first" if found.product.glue else ""
        )
    return CommandLine(what, tuple(found.command(found.folder / _SCRATCH)), note)


def made(recipe: Recipe) -> Built:
    """Make what the recipe tells, unless the cache has it; many threads that want the same wait for the first.

    Raises BuildError with the compiler's own words, or when the cache cannot be written.
    """
    with _MAKING:
        if not recipe.built.path.is_file():
            _make(recipe)
    return recipe.built


def _make(recipe: Recipe) -> None:
    built, folder = recipe.built, recipe.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            if recipe.product.glue:
                _write_glue(Path(scratch))
            _compile(recipe, recipe.command(Path(scratch)))
            os.replace(Path(scratch) / recipe.product.name, built.path)
    except OSError as error:
        raise BuildError(f"cannot write {folder}: {error.strerror or error}", "set XDG_CACHE_HOME") from error


def sources(product: Product) -> list[Path]:
    """Return the C files that a product is made of."""
    root = paths.kernels()
    folders = (path for folder in product.folders for path in (root / folder).glob("*.c"))
    return sorted([*folders, *(root / name for name in product.files)])


def _compile(recipe: Recipe, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("collect2:")]
        words = [line for line in lines if "error: " in line] or [line for line in lines if line[-1:] != ":"] or ["?"]
        raise BuildError(f"{recipe.arch.name}: {command[0]} failed: {words[0]}", f"{len(words)} such lines in all")


def includes(arch: Arch) -> list[str]:
    """Return the options that name the folders of our headers."""
    root = paths.kernels()
    return [f"-I{root / 'include'}", f"-I{root / 'core'}", f"-I{root / 'common'}", f"-I{arch.folder}"]


def _digest(arch: Arch, compiler: Compiler, flags: Sequence[str], product: Product) -> str:
    root = paths.kernels()
    digest = hashlib.sha256()
    folders = {*(root / name for name in (*product.folders, "include")), arch.folder}
    folders |= {(root / name).parent for name in product.files}
    files = [path for folder in folders for path in folder.glob("*")]
    for path in sorted(path for path in files if path.is_file()):
        digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    parts = (
        compiler.command,
        compiler.version,
        *flags,
        product.name,
        product.link,
        *product.defines,
        *product.libraries,
        product.foreign,
        sys.version,
    )
    digest.update("\0".join(parts).encode())
    return digest.hexdigest()
