"""A guest as virtme-ng makes them, for those who use it: over this machine's own file system, with our stream added.

virtme-ng is asked for the qemu command that it would start, and we start that: so the stream, the clock that counts
and the end of it all are as in any other guest. Its own ways out lose what is said where udev is not installed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rseqbench.build.architectures import Qemu
from rseqbench.errors import TargetError
from rseqbench.model import CommandLine
from rseqbench.support import kconfig
from rseqbench.targets.qemu.virtual_machine import VirtualMachine

_NO_CONSOLE = "file,id=console,path=/dev/null"  # where virtme-ng sends it
# Without OVERLAY_FS, /tmp and the like are empty there, and with them the runner may be.
_NEEDS = ("CONFIG_NET_9P_VIRTIO", "CONFIG_9P_FS", "CONFIG_OVERLAY_FS", "CONFIG_VIRTIO_PCI", "CONFIG_BINFMT_SCRIPT")
_HINT = 'build it with config = "vng" in [linux] of bench.toml, or with `vng --build`'


def version() -> str:
    """Return what virtme-ng calls itself. Raises TargetError when it is not there."""
    return _asked(["--version"]).strip()


class VirtmeNgMachine(VirtualMachine):
    """A guest whose qemu command virtme-ng makes."""

    def _start(self, stack: contextlib.ExitStack) -> socket.socket:
        if not self._arch.is_host:
            why = f"virtme-ng boots over this machine's file system, where {self._arch.name} is foreign"
            raise TargetError(why, "--runner qemu")
        self._ensure_bootable()
        self._scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="rseqbench-vng-"))
        return super()._start(stack)

    def _ensure_bootable(self) -> None:
        """Raise TargetError when the configuration of this Linux is known and lacks what virtme-ng needs."""
        if self._image.config is None:
            return
        config = kconfig.parsed(self._image.config.read_text(encoding="utf-8"))
        good = "ym" if Path(f"/lib/modules/{self._image.release}").is_dir() else "y"
        for name in _NEEDS:
            if config.get(name, "n") not in good:
                raise TargetError(f"virtme-ng cannot boot this Linux, which has no {name}=y", _HINT)

    def call(self, what: str) -> CommandLine:
        """Return what virtme-ng is asked; only its answer, the qemu command, is executed."""
        note = "prints the qemu command that is then started, with our stream and processor options behind it"
        return CommandLine(what, ("vng", *self._question()), note)

    def _initramfs(self) -> bytes:
        return b""

    def _machine(self, qemu: Qemu, archive: int, console: int) -> list[str]:
        command = shlex.split(_asked(self._question(), self._scratch))
        return [f"file,id=console,path=/dev/fd/{console}" if word == _NO_CONSOLE else word for word in command]

    def _question(self) -> list[str]:
        settings = ["root=/dev/root", "loglevel=4", *self._settings()]  # a root that no block device is needed for
        return [
            *("--run", str(self._image.path), "--dry-run", "--disable-kvm", "--force-9p"),
            *("--memory", f"{self._memory_mib}M", "--cpus", str(self._cpus)),
            *(word for setting in settings for word in ("--append", setting)),
            *("--", f"{self._init} port"),
        ]


def _asked(arguments: Sequence[str], scratch: str | None = None) -> str:
    """Return what `vng` prints, its files put below `scratch`. Raises TargetError when it fails or is not there."""
    environment = {**os.environ, **({"TMPDIR": scratch} if scratch else {})}
    try:
        done = subprocess.run(
            ["vng", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment
        )
    except FileNotFoundError as error:
        raise TargetError("no vng here to start the guest with", "pip install virtme-ng, or --runner qemu") from error
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] or "nothing said"
        raise TargetError(f"vng failed ({done.returncode}): {said}", "--runner qemu")
    return done.stdout
