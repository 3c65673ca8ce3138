"""A whole emulated machine: a real Linux with a real rseq, booted under qemu-system with the runner as its init.

Its clock counts instructions, so what comes out is instructions per operation, Linux's own included. Exactness needs
CPUs to move between, which the counting guest does not have: checks run in a guest of their own, with two.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path

from rseqbench.build.linux.image import emulated, qemu_version
from rseqbench.model import Call, Fact
from rseqbench.targets.qemu import target
from rseqbench.targets.qemu.virtual_machine import Guest
from rseqbench.targets.runner.local import Session

_CHECK_CPUS = 2


class QemuSystem(target.Booted):
    """The target `qemu-system`."""

    timing = "emulated"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Boot the guest that counts."""
        self._choose()
        self._program = program
        self._checks = stack.enter_context(contextlib.ExitStack())
        self._checking: Session | None = None
        return target.boot(self._counting(program, self._files()), stack)

    def _connecting(self, program: Path) -> list[Call]:
        """Return the boots of both guests."""
        self._program = program
        self._choose(rehearse=True)
        return [
            self._counting(program, {}).call("boot the guest that counts"),
            self._two_cpus().call("boot another one beside it for the checks"),
        ]

    def _counting(self, program: Path, files: Mapping[str, bytes]) -> Guest:
        return self._guest(program, counted=True, files=files)

    def _two_cpus(self) -> Guest:
        return self._guest(self._program, cpus=_CHECK_CPUS)

    def _checker(self) -> Session:
        """Boot the guest that checks, unless it is there and well."""
        if self._checking is None or self._checking.broken:
            self._checks.close()
            self._checking = target.boot(self._two_cpus(), self._checks)
        return self._checking

    def _check_cpus(self) -> int:
        return _CHECK_CPUS

    def new_round(self) -> None:
        """Power the guest that checks off: from now on its time would be the other one's."""
        self._checks.close()
        self._checking = None
        super().new_round()

    def _own_facts(self) -> Mapping[str, Fact]:
        qemu = emulated(self._arch)
        command = f"{qemu.system} {qemu_version(qemu.system)}"
        return {
            "emulator": f"{command}, {qemu.machine} with {qemu.cpu}, one instruction a nanosecond",
            "check_cpus": _CHECK_CPUS,
            **self._linux_facts(),
        }
