"""The kernel image to boot: Debian's, fetched once into the cache, a file of the user's, or a built one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from rseqbench import paths
from rseqbench.build import architectures
from rseqbench.build.architectures import Arch, Qemu
from rseqbench.build.linux import modules
from rseqbench.build.linux.apt import WITHOUT_APT, Apt
from rseqbench.errors import TargetError, UsageError
from rseqbench.support.attachments import BuiltKernel
from rseqbench.support.kconfig import CONFIG_FILE

DEBIAN = "debian"  # in place of the path of an image: Debian's kernel
_FACTS = "facts.json"
_NEEDED_MIB = 600  # while a package is fetched and unpacked
_HEAD = 4096  # bytes; every architecture's magic number lies within


@dataclass(frozen=True)
class KernelImage:
    """A kernel for an architecture: its image, and the modules that its virtio port needs, in the order to load them.

    package: Debian's package with its version, release: what uname -r says, config: the file with its configuration;
    all empty or None for an image of the user's.
    """

    arch: str
    path: Path
    modules: tuple[Path, ...] = ()
    package: str = ""
    release: str = ""
    config: Path | None = None


def load_user_image(arch: Arch, path: Path) -> KernelImage:
    """Return the user's own image at `path`, which must have virtio built in.

    Raises UsageError if it cannot be read or is not for `arch`.
    """
    qemu = require_qemu(arch)
    try:
        head = _read_head(path)
    except OSError as error:
        raise UsageError(f"cannot read the Linux {path}: {error.strerror or error}", "--linux wants a file") from error
    if _is_image(head, qemu):
        return KernelImage(arch.name, path.absolute())
    hint = f"give the {qemu.image} of a Linux built for {arch.name}"
    for other in architectures.known().values():
        if other.qemu and _is_image(head, other.qemu):
            raise UsageError(f"{path} is a Linux for {other.name}, not for {arch.name}", hint)
    raise UsageError(f"{path} is no Linux that can be booted on {arch.name}", hint)


def find_debian_image(arch: Arch) -> KernelImage | None:
    """Return Debian's Linux for `arch` if the cache has it; never touches the network."""
    folder = _folder(arch)
    try:
        stored = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        return KernelImage(
            arch.name,
            folder / "vmlinuz",
            tuple(folder / name for name in stored["modules"]),
            stored["package"],
            stored["release"],
            folder / "config",
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def locate_debian_image(arch: Arch) -> KernelImage:
    """Return Debian's Linux for `arch` as it will be in the cache, fetched or not yet."""
    return find_debian_image(arch) or KernelImage(arch.name, _folder(arch) / "vmlinuz")


def fetch_debian_image(arch: Arch) -> KernelImage:
    """Return Debian's Linux for `arch`, fetched through apt unless the cache has it.

    Takes some ten seconds and 500 MB the first time, of which 6 to 35 MB stay; works offline from then on. Raises
    TargetError without apt, network or space.
    """
    cached = find_debian_image(arch)
    if cached:
        return cached
    qemu, folder = require_qemu(arch), _folder(arch)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _check_space(folder.parent)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{arch.name}-") as scratch:
            _fetch(qemu, Path(scratch))
            _move_into_cache(Path(scratch) / "keep", folder)
    except OSError as error:
        raise TargetError(f"cannot write {folder}: {error.strerror or error}", "set XDG_CACHE_HOME") from error
    fetched = find_debian_image(arch)
    if fetched is None:
        raise TargetError(f"{folder} is damaged", f"rm -r {folder}")
    return fetched


def require_qemu(arch: Arch) -> Qemu:
    """Return how qemu runs `arch`. Raises UsageError where nobody has said."""
    if arch.qemu is None:
        raise UsageError(f"{arch.name} cannot be emulated", f"add [qemu] to {arch.folder / 'arch.toml'}")
    return arch.qemu


def read_qemu_version(command: str) -> str:
    """Return the version of a qemu, "7.2.22"; empty when it is not installed or does not start."""
    try:
        done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""
    return (done.stdout.partition(" version ")[2].split() or ["of unknown version"])[0]


def _folder(arch: Arch) -> Path:
    return paths.cache() / "linux" / arch.name


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free >> 20
    if free < _NEEDED_MIB:
        message = f"fetching Debian's Linux takes {_NEEDED_MIB} MiB, and {folder} has {free} left"
        raise TargetError(message, "make room, or set XDG_CACHE_HOME")


def _fetch(qemu: Qemu, scratch: Path) -> None:
    """Fetch Debian's package, and put its image, modules and configuration into scratch/keep."""
    apt = Apt(qemu.debian, scratch)
    apt.update()
    deb = apt.download(apt.find_dependency(qemu.linux, "linux-image-"))
    tree, keep = scratch / "tree", scratch / "keep"
    unpack_deb(deb, tree)
    image = next(tree.glob("boot/vmlinuz-*"), None)
    if image is None:
        raise TargetError(f"{deb.name} holds no boot/vmlinuz", WITHOUT_APT)
    release = image.name.removeprefix("vmlinuz-")
    (keep / "modules").mkdir(parents=True)
    names = []
    for name, elf in modules.resolve_modules(_find_modules(tree, release), qemu.modules).items():
        names.append(f"modules/{name}.ko")
        (keep / names[-1]).write_bytes(elf)
    os.replace(image, keep / "vmlinuz")
    os.replace(tree / f"boot/config-{release}", keep / "config")
    package, version, _ = deb.stem.split("_")
    contents = {"package": f"{package} {version}", "release": release, "modules": names}
    (keep / _FACTS).write_text(json.dumps(contents, indent=1) + "\n", encoding="utf-8")


def _find_modules(tree: Path, release: str) -> Path:
    usual = tree / "lib/modules" / release
    return usual if usual.is_dir() else tree / "usr/lib/modules" / release


def unpack_deb(deb: Path, tree: Path) -> None:
    """Unpack a package into `tree`, which may hold others. Raises TargetError."""
    try:
        done = subprocess.run(["dpkg-deb", "-x", str(deb), str(tree)], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise TargetError(f"no dpkg-deb here to unpack {deb.name} with", WITHOUT_APT) from error
    if done.returncode:
        words = done.stderr.strip().partition("\n")[0]
        raise TargetError(f"cannot unpack {deb.name} below {paths.cache()}: {words}", "is the disk full?")


def _move_into_cache(keep: Path, folder: Path) -> None:
    """Move the finished folder into the cache, unless another process was faster."""
    try:
        os.rename(keep, folder)
    except OSError:
        if not (folder / _FACTS).is_file():
            raise


def _read_head(path: Path) -> bytes:
    """Return the first bytes of an image, of what is inside when it is gzipped."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(b"\x1f\x8b"):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD)
    except zlib.error:
        return head


def _is_image(head: bytes, qemu: Qemu) -> bool:
    magic = bytes.fromhex(qemu.magic)
    return head[qemu.magic_at : qemu.magic_at + len(magic)] == magic


def choose_image(arch: Arch, wanted: str, rehearse: bool = False) -> KernelImage:
    """Return the kernel to boot: "debian", a file of the user's, or the folder of one that build_kernel() left.

    To `rehearse`, nothing is fetched: Debian's is then where it will be.
    Raises UsageError for one that is not there or not for `arch`, TargetError where Debian's cannot be fetched.
    """
    if wanted == DEBIAN:
        return locate_debian_image(arch) if rehearse else fetch_debian_image(arch)
    built = BuiltKernel.load(Path(wanted))
    if built is None:
        return load_user_image(arch, Path(wanted))
    if built.arch != arch.name:
        raise UsageError(f"{wanted} is a Linux for {built.arch}, not for {arch.name}", f"--arch {built.arch}")
    return KernelImage(arch.name, built.image, (), built.source, built.release, built.folder / CONFIG_FILE)
