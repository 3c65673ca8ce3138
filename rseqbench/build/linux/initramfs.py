"""Pure: files -> the initramfs that the kernel unpacks and starts `/init` of, the same bytes for the same files."""

from __future__ import annotations

import gzip
from collections.abc import Mapping

_FOLDER, _FILE, _DEVICE = 0o040755, 0o100755, 0o020600
_NONE, _CONSOLE = (0, 0), (5, 1)  # without /dev/console, init would start with no stdout
_MOUNT_POINTS = ("dev", "proc", "sys", "tmp")


def pack_initramfs(init: bytes, modules: Mapping[str, bytes], files: Mapping[str, bytes] | None = None) -> bytes:
    """Return a gzipped newc archive: /init, /modules/NAME.ko, and /modules/order, their names in order, one a line.

    It has the empty folders /dev, /proc, /sys and /tmp for init to mount on, and /dev/console. `files` are more files
    by their path without a leading slash, "etc/passwd"; their folders are made.
    """
    order = "".join(f"{name}.ko\n" for name in modules)
    content = {
        "init": init,
        "modules/order": order.encode(),
        **{f"modules/{name}.ko": elf for name, elf in modules.items()},
        **(files or {}),
    }
    entries = [(name, _FOLDER, b"", _NONE) for name in _folders(content)]
    entries.append(("dev/console", _DEVICE, b"", _CONSOLE))
    entries += [(name, _FILE, data, _NONE) for name, data in sorted(content.items())]
    archive = [_entry(inode, *entry) for inode, entry in enumerate(entries, 1)]
    return gzip.compress(b"".join([*archive, _entry(0, "TRAILER!!!", 0, b"", _NONE)]), compresslevel=1, mtime=0)


def _folders(content: Mapping[str, bytes]) -> list[str]:
    """Return every folder of the files, a parent before its children."""
    parts = [name.split("/")[:-1] for name in content]
    folders = {"/".join(part[: depth + 1]) for part in parts for depth in range(len(part))}
    return sorted(folders | set(_MOUNT_POINTS))


def _entry(inode: int, name: str, mode: int, data: bytes, device: tuple[int, int]) -> bytes:
    """Return one entry: 13 fields of 8 hexadecimal digits, the name, the data, each padded to 4 bytes."""
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + "".join(f"{field:08x}" for field in fields).encode() + name.encode() + b"\0"
    return _pad(head) + _pad(data)


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
