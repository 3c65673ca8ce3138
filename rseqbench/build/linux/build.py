"""Builds of the kernel from source, out of its tree, one for each CONFIG_RSEQ, kept in the cache.

A build goes on in a work folder, where make takes it up again after an interruption. A complete one is moved into the
cache by one rename, so that the cache never holds half a build.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rseqbench import paths
from rseqbench.build.architectures import Arch, LinuxBuild
from rseqbench.build.linux import sizes, source
from rseqbench.build.linux.make import Make, Progress, Tools, hold_lock
from rseqbench.build.linux.source import KernelSource
from rseqbench.config import LinuxOptions
from rseqbench.errors import BuildError, UsageError
from rseqbench.support import atomic_io, kconfig
from rseqbench.support.attachments import BUILD_FILE, SIZES_FILE, BuiltKernel

OWN_CONFIGURATIONS = {
    "small": (),
    "vng": ("vng.config",),
}  # the configurations of ours, and what each adds to kernels/linux.config
_DIFFERENCE = "difference.json"
_NEEDED_MIB = 250  # of a small build, where 140 to 180 were measured; a distribution's own takes 20 times that


@dataclass(frozen=True)
class _Recipe:
    """All that decides the outcome of a build; `base` is the text of the configuration, CONFIG_RSEQ included."""

    arch: Arch
    linux: LinuxBuild
    tools: Tools
    source: KernelSource
    options: LinuxOptions
    base: str
    rseq: str

    @property
    def key(self) -> str:
        """The name of the kernel in the cache."""
        tools = (self.tools.version, self.tools.binutils)
        parts = (self.arch.name, self.source.identity, self.options.config, self.base, *tools)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """The folder of the complete build."""
        return paths.cache() / "linux" / "built" / self.key

    @property
    def work(self) -> Path:
        """The folder that the build works in."""
        return paths.cache() / "linux" / "build" / self.key


def build_kernel(arch: Arch, options: LinuxOptions, rseq: str, progress: Progress) -> BuiltKernel:
    """Return Linux for `arch` with CONFIG_RSEQ `rseq`, "n" or "y", built unless the cache has it.

    Raises BuildError with what is missing or what make said, and TargetError where the source cannot be fetched.
    """
    cached = find_built_kernel(arch, options, rseq)
    if cached:
        return cached
    linux = _kernel_build(arch)
    Tools.find(linux, arch).check(linux, arch)  # before anything is fetched
    recipe = _make_recipe(arch, options, rseq)
    with atomic_io.as_results_error(recipe.work):
        recipe.work.mkdir(parents=True, exist_ok=True)
        with hold_lock(recipe.work.with_suffix(".lock"), "building this very Linux") as lock:
            return BuiltKernel.load(recipe.folder) or _build(recipe, lock, progress)


def find_built_kernel(arch: Arch, options: LinuxOptions, rseq: str) -> BuiltKernel | None:
    """Return the kernel that build_kernel() would, if the cache has it; build and fetch nothing."""
    if not source.is_available(options.source):
        return None
    return BuiltKernel.load(_make_recipe(arch, options, rseq).folder)


def list_attachments(wanted: str) -> list[Path]:
    """Return the files that a run keeps of a built kernel: its sizes and its configuration; none of another kernel."""
    kernel = BuiltKernel.load(Path(wanted))
    return [kernel.folder / SIZES_FILE, kernel.folder / kconfig.CONFIG_FILE] if kernel else []


def compare_configurations(
    one: BuiltKernel, other: BuiltKernel, options: LinuxOptions
) -> Mapping[str, tuple[str, str]]:
    """Return how the final configurations of two builds differ: in CONFIG_RSEQ and what comes from it.

    Both folders get it as difference.json. Raises BuildError when they differ in anything else.
    """
    tree = source.find_source(options.source).path
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in tree.rglob("Kconfig*") if path.is_file())
    difference = kconfig.verify_difference(one.config, other.config, kconfig.find_dependents(texts, "RSEQ"))
    for kernel in (one, other):
        with atomic_io.as_results_error(kernel.folder):
            atomic_io.write(kernel.folder / _DIFFERENCE, json.dumps(difference, indent=1) + "\n")
    return difference


def _kernel_build(arch: Arch) -> LinuxBuild:
    if arch.linux is None:
        raise UsageError(f"nobody has said how Linux is built for {arch.name}", f"add [linux] to {arch.folder}")
    return arch.linux


def _make_recipe(arch: Arch, options: LinuxOptions, rseq: str) -> _Recipe:
    linux = _kernel_build(arch)
    base = kconfig.set_rseq(_read_base(arch, options.config), rseq)
    tools = Tools.find(linux, arch)
    tree = source.find_source(options.source)
    source.check_source(tree, arch.name, linux.arch)
    return _Recipe(arch, linux, tools, tree, options, base, rseq)


def _read_base(arch: Arch, wanted: str) -> str:
    files = [Path(wanted)]
    if wanted in OWN_CONFIGURATIONS:
        shipped = (paths.kernels() / name for name in ("linux.config", *OWN_CONFIGURATIONS[wanted]))
        files = [*shipped, arch.folder / "linux.config"]
    try:
        text = "\n".join(path.expanduser().read_text(encoding="utf-8") for path in files)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the configuration {files[0]}: {error}", "config = ... in [linux]") from error
    if not kconfig.parse_config(text):
        raise UsageError(f"{files[0]} is no configuration of Linux: it sets nothing", "give a .config")
    return text


def _build(recipe: _Recipe, lock: int, progress: Progress) -> BuiltKernel:
    """Build the kernel, or continue its build, and move it into the cache."""
    _check_space(recipe.work)
    began = time.monotonic()
    make = Make(recipe.tools, recipe.source.path, recipe.work, recipe.linux, (lock,))
    recipe.tools.check(recipe.linux, recipe.arch, _configure(recipe, make))
    steps = make.build(_expected_steps(recipe), progress)
    if source.find_source(recipe.options.source) != recipe.source:
        raise BuildError(f"{recipe.source.path} was changed while it was built", "build again")
    seconds = time.monotonic() - began
    _store(recipe, {"command": shlex.join(make.build_command), "built_in_s": round(seconds, 1), "steps": steps})
    shutil.rmtree(recipe.work, ignore_errors=True)
    kernel = BuiltKernel.load(recipe.folder)
    if kernel is None:
        raise BuildError(f"{recipe.folder} is damaged", f"rm -r {recipe.folder}")
    return replace(kernel, seconds=seconds)


def _check_space(work: Path) -> None:
    used = sum(path.lstat().st_size for path in work.rglob("*")) >> 20  # by a build that is taken up again
    free, needed = shutil.disk_usage(work).free >> 20, max(0, _NEEDED_MIB - used)
    if free < needed:
        message = f"building Linux takes {needed} MiB, and {work} has {free} left"
        raise BuildError(message, "make room, or set XDG_CACHE_HOME")


def _expected_steps(recipe: _Recipe) -> int | None:
    """Return how many steps the build will take, by the latest one like it, else by what the architecture says."""
    usual = recipe.linux.lines if recipe.options.config in OWN_CONFIGURATIONS else None
    latest: tuple[float, int | None] = (0.0, usual)
    for path in recipe.folder.parent.glob(f"*/{BUILD_FILE}"):
        try:
            build, when = json.loads(path.read_text(encoding="utf-8")), path.stat().st_mtime
        except (OSError, ValueError):
            continue
        if (build.get("arch"), build.get("base")) == (recipe.arch.name, recipe.options.config) and "steps" in build:
            latest = max(latest, (when, build["steps"]), key=lambda build: build[0])
    return latest[1]


def _configure(recipe: _Recipe, make: Make) -> dict[str, str]:
    """Make the final .config, check that Kconfig accepted the wanted options, and return all of them."""
    wanted, final = kconfig.parse_config(recipe.base), recipe.work / ".config"
    if recipe.options.config in OWN_CONFIGURATIONS:
        base = recipe.work / "wanted.config"
        atomic_io.write(base, recipe.base)
        make.run(["allnoconfig"], {"KCONFIG_ALLCONFIG": str(base)})
    else:
        atomic_io.write(final, recipe.base)
        make.run(["olddefconfig"])
        wanted = {kconfig.RSEQ: wanted[kconfig.RSEQ]}  # of the user's, others may be of another version's
    text = final.read_text(encoding="utf-8")
    refused = kconfig.find_refused_option(wanted, text)
    options = kconfig.parse_config(text)
    if refused:
        fixed = options.get("CONFIG_EXPERT") != "y" and recipe.options.config not in OWN_CONFIGURATIONS
        hint = "without CONFIG_EXPERT=y it leaves no choice: set that" if fixed else f"see {final}"
        raise BuildError(f"the configuration does not take: {refused}", hint)
    return options


def _store(recipe: _Recipe, measurements: Mapping[str, str | float]) -> None:
    """Copy the files of a finished build, and what was measured of it, into the cache."""
    staged = recipe.work / "finished"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    shutil.copyfile(recipe.work / recipe.linux.image, staged / "image")
    shutil.copyfile(recipe.work / "vmlinux", staged / "vmlinux")
    shutil.copyfile(recipe.work / ".config", staged / kconfig.CONFIG_FILE)
    sizes.measure_sizes(staged / "vmlinux", recipe.tools.prefix).save(staged / SIZES_FILE)
    build = {
        "arch": recipe.arch.name,
        "rseq": recipe.rseq,
        "source": recipe.source.version,
        "base": recipe.options.config,
        "compiler": recipe.tools.version,
        "binutils": recipe.tools.binutils,
        "release": (recipe.work / "include/config/kernel.release").read_text(encoding="utf-8").strip(),
        **measurements,
    }
    atomic_io.write(staged / BUILD_FILE, json.dumps(build, indent=1) + "\n")
    recipe.folder.parent.mkdir(parents=True, exist_ok=True)
    os.rename(staged, recipe.folder)
