"""kernels/ + Arch -> a compiled object, cached by content: a cffi extension for the host, a static runner elsewhere."""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rseqbench import paths
from rseqbench.build import architectures, cache, compilers
from rseqbench.build.architectures import Arch
from rseqbench.build.cache import Built, Product, Recipe
from rseqbench.errors import BuildError
from rseqbench.model import CommandLine

_FOLDERS = ("core", "src", "libraries")
_TEAM = ("common/team.c",)
_ALL_COMMON = (*_TEAM, "common/json.c", "common/log.c")
_EXTENSION = Product(f"{cache.MODULE}.abi3.so", "-shared", _FOLDERS, _TEAM, glue=True)
_LIBRARY = Product("libkernels.so", "-shared", _FOLDERS, _TEAM)
# Not -static-pie: Debian's armhf C library has no start code for it. And with the -fPIC of the others, although a
# program need not have it, so that the loops that are timed are the same instructions as in the extension.
_RUNNER = Product("runner", "-static", (*_FOLDERS, "runner"), _ALL_COMMON, defines=("-DSTATIC",))
_PLUGIN = Product("libcount.so", "-shared", ("plugin",))
_POOLS_FILES = ("core/registration.c", "core/support.c", "common/log.c")
_POOLS = Product("libpools.so", "-shared", ("preload",), _POOLS_FILES)
_SERVER = Product("server", "-pie", ("server",), _ALL_COMMON, libraries=("-rdynamic", "-lm", "-ldl"))

JEMALLOC = "libjemalloc.so.2"


def extension(arch: Arch, extra: Sequence[str] = ()) -> Built:
    """Compile all benchmarks into a cffi extension for this Python, unless the cache has it; `extra` are more flags.

    Raises BuildError when there is no compiler or no Python.h, or with the compiler's own words.
    """
    return cache.made(_extension(arch, extra))


def extension_call(arch: Arch) -> CommandLine:
    """Return the command line of extension(), which is not executed."""
    return cache.call("compile the kernels for Python", lambda: _extension(arch, ()))


def extension_made(arch: Arch) -> bool:
    """Whether extension() has nothing to compile."""
    try:
        return _extension(arch, ()).built.path.is_file()
    except BuildError:
        return False


def _extension(arch: Arch, extra: Sequence[str]) -> Recipe:
    include = Path(sysconfig.get_path("include"))
    if not (include / "Python.h").is_file():
        raise BuildError(f"no Python.h in {include}", "apt-get install python3-dev")
    return cache.recipe(arch, (f"-I{include}", *extra), _EXTENSION)


def library(arch: Arch, extra: Sequence[str] = ()) -> Built:
    """Compile all benchmarks for `arch`, foreign or not, into a shared library without Python; same errors."""
    return cache.made(cache.recipe(arch, extra, _LIBRARY))


def runner(arch: Arch, extra: Sequence[str] = ()) -> Built:
    """Compile all benchmarks for `arch`, foreign or not, into the static program of docs/protocol.md; same errors."""
    return cache.made(cache.recipe(arch, extra, _RUNNER))


def runner_call(arch: Arch) -> CommandLine:
    """Return the command line of runner(), which is not executed."""
    return cache.call("compile the static runner", lambda: cache.recipe(arch, (), _RUNNER))


def runner_path(arch: Arch) -> Path:
    """Return where runner() has the program, made or not yet. Raises BuildError when there is no compiler."""
    return cache.recipe(arch, (), _RUNNER).built.path


def plugin() -> Built:
    """Compile the plugin that counts instructions under qemu-user, for this machine; same errors."""
    return cache.made(cache.recipe(architectures.host(), (), _PLUGIN))


def plugin_call() -> CommandLine:
    """Return the command line of plugin(), which is not executed."""
    return cache.call("compile the plugin that counts", lambda: cache.recipe(architectures.host(), (), _PLUGIN))


def plugin_path() -> Path:
    """Return where plugin() has the library, made or not yet. Raises BuildError when there is no compiler."""
    return cache.recipe(architectures.host(), (), _PLUGIN).built.path


def server() -> Built:
    """Compile the program that serves requests over whatever malloc() it has, for this machine; same errors."""
    return cache.made(cache.recipe(architectures.host(), (), _SERVER))


def server_call() -> CommandLine:
    """Return the command line of server(), which is not executed."""
    return cache.call("compile the server of requests", lambda: cache.recipe(architectures.host(), (), _SERVER))


def pools(arch: Arch, extra: Sequence[str] = (), jemalloc: Path | None = None) -> Built:
    """Compile the per-CPU pools for LD_PRELOAD in front of `jemalloc`, by default the one that the compiler finds.

    Raises BuildError when there is no jemalloc for `arch`, or as the others do.
    """
    return cache.made(_pools(arch, extra, jemalloc))


def pools_call(arch: Arch) -> CommandLine:
    """Return the command line of pools(), which is not executed."""
    return cache.call("compile the per-CPU pools", lambda: _pools(arch, (), None))


def _pools(arch: Arch, extra: Sequence[str], jemalloc: Path | None) -> Recipe:
    if jemalloc is None:
        compiler = compilers.find(arch).command
        jemalloc = Path(compilers.answer(compiler, f"-print-file-name={JEMALLOC}").strip())
        if not jemalloc.is_absolute():  # a compiler repeats what it does not find
            raise BuildError(f"no {JEMALLOC} for {arch.name}", "apt-get install libjemalloc2")
    # Needed, not opened by us: it wants more thread-local storage than a program has left once it runs.
    needed = ("-Wl,--no-as-needed", str(jemalloc))
    return cache.recipe(arch, ("-fvisibility=hidden", *needed, *extra), _POOLS)


def cached(digest: str) -> Path | None:
    """Return the compiled benchmarks of that digest (see Built), as a run has it, where they are in the cache."""
    names = (_EXTENSION.name, _RUNNER.name) if digest.isalnum() else ()
    return next((path for name in names if (path := paths.cache() / digest / name).is_file()), None)


def provider(group: str, libraries: Sequence[str], told: Sequence[str] = ()) -> Built:
    """Compile what calls the shipped library that `group` measures, linked with `libraries`, for this machine.

    `told` are more flags. Raises BuildError as the others do: also where the library's headers are not there, or are of
    another version.
    """
    return cache.made(_provider(group, libraries, told))


def provider_call(group: str, libraries: Sequence[str], told: Sequence[str] = ()) -> CommandLine:
    """Return the command line of provider(), which is not executed."""
    return cache.call(f"compile what calls {' '.join(libraries)}", lambda: _provider(group, libraries, told))


def _provider(group: str, libraries: Sequence[str], told: Sequence[str]) -> Recipe:
    arch = architectures.host()
    product = Product(f"{group}.so", "-shared", (f"providers/{group}",), libraries=(*libraries,))
    recipe = cache.recipe(arch, told, product)
    seen = compilers.seen(recipe.compiler, [*recipe.flags, *cache.includes(arch)], cache.sources(product))
    return cache.recipe(arch, told, replace(product, foreign=seen))


def groups() -> list[str]:
    """Return the groups there are: each is a file of sources."""
    return sorted(source.stem for folder in ("src", "libraries") for source in (paths.kernels() / folder).glob("*.c"))


def names() -> list[str]:
    """Return the names of all benchmarks in the cache's newest extension or runner, sorted; none if it has neither.

    A name is a string of its own among those of the program: group/method, and the end of the string.
    """
    files = [file for kind in (f"{cache.MODULE}.*", "runner") for file in paths.cache().glob(f"*/{kind}")]
    if not files:
        return []
    newest = max(files, key=lambda file: file.stat().st_mtime)
    name = re.compile(rb"(?<![\w/.-])((?:%s)/\w+)\0" % b"|".join(group.encode() for group in groups()))
    return sorted({found.decode() for found in name.findall(newest.read_bytes())})
