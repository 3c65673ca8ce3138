"""A virtual machine of this machine's own architecture, where KVM works: its time is real, and it is ours to boot."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from rseqbench.build.linux import kvm
from rseqbench.build.linux.image import emulated, qemu_version
from rseqbench.errors import TargetError
from rseqbench.model import Call, Fact
from rseqbench.targets.qemu import target
from rseqbench.targets.qemu.virtual_machine import Guest
from rseqbench.targets.runner.local import Session


class QemuKvm(target.Booted):
    """The target `qemu-kvm`."""

    timing = "virtual"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Boot the guest, with as many CPUs as we may use, once KVM was seen to boot this Linux."""
        image = self._choose()
        why = kvm.unusable(self._arch, image.path)
        if why:
            raise TargetError(f"KVM cannot be used: {why}", "--target qemu-system emulates")
        return target.boot(self._accelerated(program, self._files()), stack)

    def _connecting(self, program: Path) -> list[Call]:
        """Return the trial of KVM, and the boot."""
        image = self._choose(rehearse=True)
        trial = Call("see whether KVM boots this Linux", tuple(kvm.command(self._arch, image.path)))
        return [trial, self._accelerated(program, {}).call("boot the guest")]

    def _accelerated(self, program: Path, files: Mapping[str, bytes]) -> Guest:
        return self._guest(program, cpus=len(os.sched_getaffinity(0)), accelerated=True, files=files)

    def _own_facts(self) -> Mapping[str, Fact]:
        qemu = emulated(self._arch)
        return {
            "emulator": f"{qemu.system} {qemu_version(qemu.system)}, {qemu.machine}, accelerated by KVM",
            **self._linux_facts(),
        }
