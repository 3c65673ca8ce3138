"""Building Linux from source, out of its tree, once for each CONFIG_RSEQ; what was built is kept in the cache.

A build goes on in a work folder, where make takes it up again after an interruption. What is complete is moved to its
place by one rename, so that nothing half-built is ever found there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rseqbench import disk, paths
from rseqbench.arches import Arch, LinuxBuild
from rseqbench.config import LinuxOptions
from rseqbench.errors import BuildError, UsageError
from rseqbench.linux import kconfig, sizes, source
from rseqbench.linux.make import Make, Tools
from rseqbench.linux.sizes import Sizes
from rseqbench.linux.source import Source

SMALL = "small"  # as a configuration to build: ours
_FACTS = "build.json"
_NEEDED_MIB = 600  # of a small build; a distribution's own takes 20 times that, and says so itself
Progress = Callable[[int, int | None], None]  # lines done, of how many, None where nobody knows


@dataclass(frozen=True)
class BuiltLinux:
    """A Linux that was built, in a folder of the cache: image, vmlinux, linux.config, sizes.json and build.json.

    rseq: its CONFIG_RSEQ, "n" or "y"; source, base, compiler, release: what it was made of and by, and what it calls
    itself; seconds: how long it took, of this call 0 where the cache had it.
    """

    folder: Path
    arch: str
    rseq: str
    source: str
    base: str
    compiler: str
    release: str
    seconds: float

    @property
    def image(self) -> Path:
        """What a guest boots."""
        return self.folder / "image"

    @property
    def config(self) -> str:
        """The text of its final .config."""
        return (self.folder / "linux.config").read_text(encoding="utf-8")

    @property
    def sizes(self) -> Sizes:
        """How large it is."""
        return Sizes.load(self.folder / "sizes.json")


@dataclass(frozen=True)
class _Recipe:
    """All that decides what is built: `base` is the text of the configuration, CONFIG_RSEQ included."""

    arch: Arch
    linux: LinuxBuild
    tools: Tools
    source: Source
    options: LinuxOptions
    base: str
    rseq: str

    @property
    def key(self) -> str:
        """What names it in the cache."""
        parts = (self.arch.name, self.source.identity, self.options.config, self.base, self.tools.version)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where it is when it is complete."""
        return paths.cache() / "linux" / "built" / self.key

    @property
    def work(self) -> Path:
        """Where it is built."""
        return paths.cache() / "linux" / "build" / self.key


def load(folder: Path) -> BuiltLinux | None:
    """Return the Linux that was built into a folder, None where there is none."""
    try:
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        return BuiltLinux(folder=folder, seconds=0.0, **facts)
    except (OSError, ValueError, TypeError):
        return None


def build(arch: Arch, options: LinuxOptions, rseq: str, progress: Progress) -> BuiltLinux:
    """Return Linux for `arch` with CONFIG_RSEQ `rseq`, "n" or "y", built unless the cache has it.

    Raises BuildError with what is missing or what make said, and TargetError where the source cannot be fetched.
    """
    recipe = _recipe(arch, options, rseq)
    found = load(recipe.folder)
    if found:
        return found
    recipe.tools.check(recipe.linux, arch)
    with disk.guarded(recipe.work), _alone(recipe.work):
        _check_space(recipe.work)
        began = time.monotonic()
        make = Make(recipe.tools, recipe.source.path, recipe.work, recipe.linux)
        _configure(recipe, make)
        make.build(recipe.linux.lines if options.config == SMALL else None, progress)
        _keep(recipe, make)
        found = load(recipe.folder)
        shutil.rmtree(recipe.work, ignore_errors=True)
    if found is None:
        raise BuildError(f"{recipe.folder} is damaged", f"rm -r {recipe.folder}")
    return replace(found, seconds=time.monotonic() - began)


def built(arch: Arch, options: LinuxOptions, rseq: str) -> BuiltLinux | None:
    """Return what build() would, if the cache has it; never builds, fetches nothing that is not there."""
    if options.source == source.DEBIAN and not source.is_fetched():
        return None
    return load(_recipe(arch, options, rseq).folder)


def attachments(wanted: str) -> list[Path]:
    """Return what a run keeps of the Linux it booted, where that was built: its sizes and its configuration."""
    found = load(Path(wanted))
    return [found.folder / "sizes.json", found.folder / "linux.config"] if found else []


def difference(one: BuiltLinux, other: BuiltLinux, options: LinuxOptions) -> Mapping[str, tuple[str, str]]:
    """Return how the final configurations of two builds differ: in CONFIG_RSEQ and what comes from it.

    Raises BuildError when they differ in anything else.
    """
    tree = source.tree(options.source).path
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in tree.rglob("Kconfig*") if path.is_file())
    return kconfig.proved(one.config, other.config, kconfig.depending(texts, "RSEQ"))


def _recipe(arch: Arch, options: LinuxOptions, rseq: str) -> _Recipe:
    if arch.linux is None:
        raise UsageError(f"nobody has said how Linux is built for {arch.name}", f"add [linux] to {arch.folder}")
    tree = source.tree(options.source)
    source.check_rseq(tree, arch)
    base = kconfig.with_rseq(_base(arch, options.config), rseq)
    return _Recipe(arch, arch.linux, Tools.find(arch.linux, arch), tree, options, base, rseq)


def _base(arch: Arch, wanted: str) -> str:
    files = [paths.kernels() / "linux.config", arch.folder / "linux.config"] if wanted == SMALL else [Path(wanted)]
    try:
        text = "\n".join(path.expanduser().read_text(encoding="utf-8") for path in files)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the configuration {files[0]}: {error}", "config = ... in [linux]") from error
    if not kconfig.parsed(text):
        raise UsageError(f"{files[0]} is no configuration of Linux: it sets nothing", "give a .config")
    return text


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Keep others out of a work folder: two makes in one would spoil it."""
    work.mkdir(parents=True, exist_ok=True)
    with (work.parent / f"{work.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BuildError("another rseqbench is building this very Linux", "wait until it is done") from error
        yield
        os.unlink(lock.name)


def _check_space(work: Path) -> None:
    free = shutil.disk_usage(work).free >> 20
    if free < _NEEDED_MIB:
        message = f"building Linux takes {_NEEDED_MIB} MiB, and {work} has {free} left"
        raise BuildError(message, "make room, or set XDG_CACHE_HOME")


def _configure(recipe: _Recipe, make: Make) -> None:
    """Make the final .config and prove that Linux took what was asked for."""
    wanted = kconfig.parsed(recipe.base)
    if recipe.options.config == SMALL:
        base = recipe.work / "wanted.config"
        disk.write(base, recipe.base)
        make.run(["allnoconfig"], {"KCONFIG_ALLCONFIG": str(base)})
    else:
        disk.write(recipe.work / ".config", recipe.base)
        make.run(["olddefconfig"])
        wanted = {kconfig.RSEQ: wanted[kconfig.RSEQ]}  # of the user's, others may be of another version's
    refused = kconfig.refused(wanted, (recipe.work / ".config").read_text(encoding="utf-8"))
    if refused:
        raise BuildError(f"the configuration does not take: {refused}", f"see {recipe.work}/.config")


def _keep(recipe: _Recipe, make: Make) -> None:
    """Gather what is kept of a finished build and put it in its place."""
    staged = recipe.work / "finished"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    shutil.copyfile(recipe.work / recipe.linux.image, staged / "image")
    shutil.copyfile(recipe.work / "vmlinux", staged / "vmlinux")
    shutil.copyfile(recipe.work / ".config", staged / "linux.config")
    sizes.measured(staged / "vmlinux", recipe.tools.prefix).save(staged / "sizes.json")
    facts = {
        "arch": recipe.arch.name,
        "rseq": recipe.rseq,
        "source": recipe.source.version,
        "base": recipe.options.config,
        "compiler": recipe.tools.version,
        "release": (recipe.work / "include/config/kernel.release").read_text(encoding="utf-8").strip(),
    }
    disk.write(staged / _FACTS, json.dumps(facts, indent=1) + "\n")
    recipe.folder.parent.mkdir(parents=True, exist_ok=True)
    os.rename(staged, recipe.folder)
