"""A whole emulated machine: a real Linux with a real rseq, booted under qemu-system with the runner as its init.

Its clock counts instructions, so what comes out is instructions per operation, Linux's own included. Exactness needs
CPUs to move between, which the counting guest does not have: checks run in a guest of their own, with two.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from rseqbench import linux, wire
from rseqbench.errors import TargetError
from rseqbench.linux import LinuxImage
from rseqbench.linux.image import emulated, qemu_version
from rseqbench.model import Fact
from rseqbench.targets.guest import Guest
from rseqbench.targets.lines import Lines
from rseqbench.targets.runner import Session
from rseqbench.targets.served import Served

_CHECK_CPUS = 2


class QemuSystem(Served):
    """The target `qemu-system`."""

    timing = "emulated"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Boot the guest that counts."""
        chosen = self._options.linux
        self._image = linux.debian(self._arch) if chosen == linux.DEBIAN else linux.given(self._arch, Path(chosen))
        self._program = program
        self._checks = stack.enter_context(contextlib.ExitStack())
        self._checking: Session | None = None
        return _boot(Guest(self._arch, self._image, program, counted=True), stack)

    def _checker(self) -> Session:
        """Boot the guest that checks, unless it is there and well."""
        if self._checking is None or self._checking.broken:
            self._checks.close()
            guest = Guest(self._arch, self._image, self._program, cpus=_CHECK_CPUS)
            self._checking = _boot(guest, self._checks)
        return self._checking

    def _check_cpus(self) -> int:
        return _CHECK_CPUS

    def new_round(self) -> None:
        """Power the guest that checks off: from now on its time would be the other one's."""
        self._checks.close()
        self._checking = None
        super().new_round()

    def _own_files(self) -> Mapping[str, Path]:
        """Return the configuration of Debian's Linux, where an installed one has it: there is none in the guest."""
        return {f"/boot/config-{self._hello['linux']}": self._image.config} if self._image.config else {}

    def _own_facts(self) -> Mapping[str, Fact]:
        qemu = emulated(self._arch)
        command = f"{qemu.system} {qemu_version(qemu.system)}"
        return {
            "emulator": f"{command}, {qemu.machine} with {qemu.cpu}, one instruction a nanosecond",
            "linux_image": self._options.linux,
            "linux_package": _package(self._image),
            "check_cpus": _CHECK_CPUS,
        }


def _package(image: LinuxImage) -> str:
    return image.package or "none: a file of the user's"


def _boot(guest: Guest, stack: contextlib.ExitStack) -> Session:
    """Boot a guest and return the conversation with the runner in it. Raises TargetError when it is not that."""
    stack.enter_context(guest)
    if wire.decode(guest.first_line, 0) != "ready":
        raise guest.failure(f"greets with {guest.first_line[:80]!r}")
    port = guest.socket.fileno()

    def ended(reason: str) -> TargetError:
        return guest.ended(f" ({reason})" if reason else "")

    return Session(Lines(port, port, "the guest", ended))
