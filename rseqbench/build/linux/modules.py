"""Kernel modules: those that a driver needs, unpacked, in the order in which they have to be loaded."""

from __future__ import annotations

import lzma
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rseqbench.errors import TargetError

_ELF64 = 2
# Where an ELF header holds e_shoff, e_shentsize, and where a section header holds name, offset and size.
_HEADERS = {1: ("<I", 32, 46), _ELF64: ("<Q", 40, 58)}
_SECTIONS = {1: ("<I12xII", 40), _ELF64: ("<I20xQQ", 64)}
_PACKED = (".ko", ".ko.xz", ".ko.zst")


def resolve_modules(folder: Path, wanted: Sequence[str]) -> dict[str, bytes]:
    """Return the modules `wanted` and all they depend on, as name -> ELF file, each after what it needs.

    `folder` is a lib/modules/RELEASE; what is built into Linux is left out. Raises TargetError when one is missing.
    """
    builtin = {_module_name(Path(line)) for line in _read_lines(folder / "modules.builtin")}
    files = {_module_name(path): path for path in sorted(folder.rglob("*.ko*")) if path.name.endswith(_PACKED)}
    resolved: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in resolved or name in builtin:
            return
        if name not in files:
            raise TargetError(f"{folder.name} has no module {name}", "it needs virtio's console, built in or as module")
        elf = _unpack(files[name])
        for dependency in read_dependencies(elf):
            add(dependency)
        resolved[name] = elf

    for name in wanted:
        add(name.replace("-", "_"))
    return resolved


def read_dependencies(elf: bytes) -> list[str]:
    """Return the names of the modules that a module says it depends on. Raises TargetError for what is no module."""
    try:
        fields = _read_section(elf, b".modinfo").split(b"\0")
        names = next((field[len(b"depends=") :] for field in fields if field.startswith(b"depends=")), b"").decode()
    except (struct.error, IndexError, KeyError, OverflowError, ValueError) as error:
        raise TargetError("a Linux module is damaged: no .modinfo in it") from error
    return [name.replace("-", "_") for name in names.split(",") if name]


def _read_section(elf: bytes, wanted: bytes) -> bytes:
    """Return the content of a section of a little-endian ELF file. Raises ValueError and the like without one."""
    if elf[:4] != b"\x7fELF":
        raise ValueError("no ELF file")
    form, offset, sizes = _HEADERS[elf[4]]
    (start,) = struct.unpack_from(form, elf, offset)
    size, count, names = struct.unpack_from("<HHH", elf, sizes)
    form, length = _SECTIONS[elf[4]]
    if size != length:
        raise ValueError("odd section headers")
    sections = [struct.unpack_from(form, elf, start + size * number) for number in range(count)]
    strings = sections[names][1]
    for name, start, extent in sections:
        if elf.startswith(wanted + b"\0", strings + name):
            return elf[start : start + extent]
    raise ValueError("no such section")


def _unpack(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix != ".zst":
        return path.read_bytes()
    try:
        return subprocess.run(["zstd", "-dcq", str(path)], capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise TargetError(f"cannot unpack {path.name}", "apt-get install zstd") from error


def _module_name(path: Path) -> str:
    return path.name.partition(".ko")[0].replace("-", "_")


def _read_lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
