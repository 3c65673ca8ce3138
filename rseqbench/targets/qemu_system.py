"""A whole emulated machine: a real Linux with a real rseq, booted under qemu-system with the runner as its init.

Its clock counts instructions, so what comes out is instructions per operation, Linux's own included. Exactness needs
CPUs to move between, which the counting guest does not have: checks run in a guest of their own, with two.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping
from pathlib import Path

from rseqbench import linux
from rseqbench.linux.image import emulated, qemu_version
from rseqbench.model import Fact
from rseqbench.suites import Program
from rseqbench.targets import guests
from rseqbench.targets.guest import Guest
from rseqbench.targets.runner import Session
from rseqbench.targets.served import Served

_CHECK_CPUS = 2


class QemuSystem(Served):
    """The target `qemu-system`."""

    timing = "emulated"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Boot the guest that counts."""
        self._image = linux.chosen(self._arch, self._options.linux)
        self._boot = uuid.uuid4().hex  # the guest's own number is the same each time, as all that is random there
        self._program = program
        self._checks = stack.enter_context(contextlib.ExitStack())
        self._checking: Session | None = None
        files = guests.files(self._arch, self._options.benchmarks)
        return guests.boot(Guest(self._arch, self._image, program, counted=True, files=files), stack)

    def _checker(self) -> Session:
        """Boot the guest that checks, unless it is there and well."""
        if self._checking is None or self._checking.broken:
            self._checks.close()
            guest = Guest(self._arch, self._image, self._program, cpus=_CHECK_CPUS)
            self._checking = guests.boot(guest, self._checks)
        return self._checking

    def _check_cpus(self) -> int:
        return _CHECK_CPUS

    def new_round(self) -> None:
        """Power the guest that checks off: from now on its time would be the other one's."""
        self._checks.close()
        self._checking = None
        super().new_round()

    def boot(self) -> str:
        """Return what tells this boot from others of ours."""
        return self._boot

    def reboot(self) -> bool:
        """Boot the guest that counts anew."""
        self._resources.close()
        self._reach()
        return True

    def _lacks(self, program: Program) -> str:
        """Return nothing: a program lies in the guest if it is asked for, and is fetched for that."""
        return ""

    def _own_files(self) -> Mapping[str, Path]:
        return guests.configuration(self._image, str(self._hello["linux"]))

    def _own_facts(self) -> Mapping[str, Fact]:
        qemu = emulated(self._arch)
        command = f"{qemu.system} {qemu_version(qemu.system)}"
        return {
            "emulator": f"{command}, {qemu.machine} with {qemu.cpu}, one instruction a nanosecond",
            "check_cpus": _CHECK_CPUS,
            **guests.facts(self._image, self._options.linux),
        }
