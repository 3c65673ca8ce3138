"""kernels/ + Arch -> a compiled object, cached by content: a cffi extension for the host, a static runner elsewhere."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rseqbench import arches, compilers, paths
from rseqbench.arches import Arch
from rseqbench.compilers import Compiler
from rseqbench.errors import BuildError
from rseqbench.model import Call

MODULE = "_rseqbench_kernels"
_SCRATCH = "tmpXXXXXXXX"  # stands for tempfile's names
_MAKING = threading.Lock()

# Loops and functions begin on a cache line of their own, so that two kernels do not differ by where they landed.
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
    """A compiled set of kernels: where it is, and by what it was made."""

    path: Path
    compiler: str
    cflags: str
    digest: str


@dataclass(frozen=True)
class _Product:
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


_EXTENSION = _Product(f"{MODULE}.abi3.so", "-shared", ("core", "src", "libraries"), glue=True)
_LIBRARY = _Product("libkernels.so", "-shared", ("core", "src", "libraries"))
# Not -static-pie: Debian's armhf C library has no start code for it. And with the -fPIC of the others, although a
# program need not have it, so that the loops that are timed are the same instructions as in the extension.
_RUNNER = _Product("runner", "-static", ("core", "src", "libraries", "runner"), defines=("-DSTATIC",))
_PLUGIN = _Product("libcount.so", "-shared", ("plugin",))
_POOLS = _Product("libpools.so", "-shared", ("preload",), ("core/registration.c", "core/support.c"))
_SERVER = _Product("server", "-pie", ("server",), libraries=("-rdynamic", "-lm", "-ldl"))

JEMALLOC = "libjemalloc.so.2"


@dataclass(frozen=True)
class _Recipe:
    """What to make, of what and by what, and what and where it will be."""

    arch: Arch
    compiler: Compiler
    flags: tuple[str, ...]
    product: _Product
    built: Built

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.built.path.parent

    def command(self, scratch: Path) -> list[str]:
        """Return the compiler's command line, which makes it in the folder `scratch`; cffi's glue lies there."""
        product, made = self.product, scratch / self.product.name
        glue = [scratch / f"{MODULE}.c"] if product.glue else []
        how = (self.compiler.command, product.link, *product.defines, *self.flags, *_includes(self.arch))
        return [*how, "-o", *map(str, (made, *_sources(product), *glue)), *product.libraries]


def extension(arch: Arch, extra: Sequence[str] = ()) -> Built:
    """Compile all kernels into a cffi extension for this Python, unless the cache has it; `extra` are more flags.

    Raises BuildError when there is no compiler or no Python.h, or with the compiler's own words.
    """
    return _made(_extension(arch, extra))


def extension_call(arch: Arch) -> Call:
    """Return the command line of extension(), which is not executed."""
    return _call("compile the kernels for Python", lambda: _extension(arch, ()))


def extension_made(arch: Arch) -> bool:
    """Whether extension() has nothing to compile."""
    try:
        return _extension(arch, ()).built.path.is_file()
    except BuildError:
        return False


def _extension(arch: Arch, extra: Sequence[str]) -> _Recipe:
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").is_file():
        raise BuildError(f"no Python.h in {include}", "apt-get install python3-dev")
    return _recipe(arch, (f"-I{include}", *extra), _EXTENSION)


def library(arch: Arch, extra: Sequence[str] = ()) -> Built:
    """Compile all kernels for `arch`, foreign or not, into a shared library without Python; same errors."""
    return _made(_recipe(arch, tuple(extra), _LIBRARY))


def runner(arch: Arch, extra: Sequence[str] = ()) -> Built:
    """Compile all kernels for `arch`, foreign or not, into the static program of docs/protocol.md; same errors."""
    return _made(_recipe(arch, tuple(extra), _RUNNER))


def runner_call(arch: Arch) -> Call:
    """Return the command line of runner(), which is not executed."""
    return _call("compile the static runner", lambda: _recipe(arch, (), _RUNNER))


def runner_path(arch: Arch) -> Path:
    """Return where runner() has the program, made or not yet. Raises BuildError when there is no compiler."""
    return _recipe(arch, (), _RUNNER).built.path


def plugin() -> Built:
    """Compile the plugin that counts instructions under qemu-user, for this machine; same errors."""
    return _made(_recipe(arches.host(), (), _PLUGIN))


def plugin_call() -> Call:
    """Return the command line of plugin(), which is not executed."""
    return _call("compile the plugin that counts", lambda: _recipe(arches.host(), (), _PLUGIN))


def plugin_path() -> Path:
    """Return where plugin() has the library, made or not yet. Raises BuildError when there is no compiler."""
    return _recipe(arches.host(), (), _PLUGIN).built.path


def server() -> Built:
    """Compile the program that serves requests over whatever malloc() it has, for this machine; same errors."""
    return _made(_recipe(arches.host(), (), _SERVER))


def server_call() -> Call:
    """Return the command line of server(), which is not executed."""
    return _call("compile the server of requests", lambda: _recipe(arches.host(), (), _SERVER))


def pools(arch: Arch, extra: Sequence[str] = (), jemalloc: Path | None = None) -> Built:
    """Compile the per-CPU pools for LD_PRELOAD in front of `jemalloc`, by default the one that the compiler finds.

    Raises BuildError when there is no jemalloc for `arch`, or as the others do.
    """
    return _made(_pools(arch, extra, jemalloc))


def pools_call(arch: Arch) -> Call:
    """Return the command line of pools(), which is not executed."""
    return _call("compile the per-CPU pools", lambda: _pools(arch, (), None))


def _pools(arch: Arch, extra: Sequence[str], jemalloc: Path | None) -> _Recipe:
    if jemalloc is None:
        compiler = compilers.find(arch).command
        jemalloc = Path(compilers.answer(compiler, f"-print-file-name={JEMALLOC}").strip())
        if not jemalloc.is_absolute():  # a compiler repeats what it does not find
            raise BuildError(f"no {JEMALLOC} for {arch.name}", "apt-get install libjemalloc2")
    # Needed, not opened by us: it wants more thread-local storage than a program has left once it runs.
    needed = ("-Wl,--no-as-needed", str(jemalloc))
    return _recipe(arch, ("-fvisibility=hidden", *needed, *extra), _POOLS)


def _call(what: str, recipe: Callable[[], _Recipe]) -> Call:
    try:
        found = recipe()
    except BuildError as error:
        return Call(what, (), str(error))
    if found.built.path.is_file():
        note = "not executed: the cache has what it makes"
    else:
        note = f"{_SCRATCH} is a new folder each time" + (
            ", where cffi puts its C file first" if found.product.glue else ""
        )
    return Call(what, tuple(found.command(found.folder / _SCRATCH)), note)


def cached(digest: str) -> Path | None:
    """Return the compiled kernels of that digest (see Built), as a run has it, where they are in the cache."""
    names = (_EXTENSION.name, _RUNNER.name) if digest.isalnum() else ()
    return next((path for name in names if (path := paths.cache() / digest / name).is_file()), None)


def provider(group: str, libraries: Sequence[str], told: Sequence[str] = ()) -> Built:
    """Compile what calls the shipped library that `group` measures, linked with `libraries`, for this machine.

    `told` are more flags. Raises BuildError as the others do: also where the library's headers are not there, or are of
    another version.
    """
    return _made(_provider(group, libraries, told))


def provider_call(group: str, libraries: Sequence[str], told: Sequence[str] = ()) -> Call:
    """Return the command line of provider(), which is not executed."""
    return _call(f"compile what calls {' '.join(libraries)}", lambda: _provider(group, libraries, told))


def _provider(group: str, libraries: Sequence[str], told: Sequence[str]) -> _Recipe:
    arch, product = arches.host(), _Product(f"{group}.so", "-shared", (f"providers/{group}",), libraries=(*libraries,))
    recipe = _recipe(arch, tuple(told), product)
    seen = compilers.seen(recipe.compiler, [*recipe.flags, *_includes(arch)], _sources(product))
    return _recipe(arch, tuple(told), replace(product, foreign=seen))


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


def _recipe(arch: Arch, extra: tuple[str, ...], product: _Product) -> _Recipe:
    compiler = compilers.find(arch)
    flags = (*CFLAGS, *arch.cflags, *extra)
    digest = _digest(arch, compiler, flags, product)
    folder = paths.cache() / digest[:16]
    built = Built(folder / product.name, compiler.version, " ".join((*CFLAGS, *arch.cflags)), digest[:16])
    return _Recipe(arch, compiler, flags, product, built)


def _made(recipe: _Recipe) -> Built:
    """Make what the recipe tells, unless the cache has it; many threads that want the same wait for the first."""
    with _MAKING:
        if not recipe.built.path.is_file():
            _make(recipe)
    return recipe.built


def _make(recipe: _Recipe) -> None:
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


def _sources(product: _Product) -> list[Path]:
    root = paths.kernels()
    folders = (path for folder in product.folders for path in (root / folder).glob("*.c"))
    return sorted([*folders, *(root / name for name in product.files)])


def _compile(recipe: _Recipe, command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if not line.startswith("collect2:")]
        words = [line for line in lines if "error: " in line] or [line for line in lines if line[-1:] != ":"] or ["?"]
        raise BuildError(f"{recipe.arch.name}: {command[0]} failed: {words[0]}", f"{len(words)} such lines in all")


def _includes(arch: Arch) -> list[str]:
    root = paths.kernels()
    return [f"-I{root / 'include'}", f"-I{root / 'core'}", f"-I{arch.folder}"]


def _digest(arch: Arch, compiler: Compiler, flags: Sequence[str], product: _Product) -> str:
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
