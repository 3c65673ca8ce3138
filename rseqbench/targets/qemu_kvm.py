"""A virtual machine of this machine's own architecture, where KVM works: its time is real, and it is ours to boot."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

from rseqbench.errors import TargetError
from rseqbench.linux import kvm
from rseqbench.linux.image import emulated, qemu_version
from rseqbench.model import Fact
from rseqbench.targets import guests
from rseqbench.targets.runner import Session


class QemuKvm(guests.Booted):
    """The target `qemu-kvm`."""

    timing = "virtual"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Boot the guest, with as many CPUs as we may use, once KVM was seen to boot this Linux."""
        image = self._choose()
        why = kvm.unusable(self._arch, image.path)
        if why:
            raise TargetError(f"KVM cannot be used: {why}", "--target qemu-system emulates")
        cpus = len(os.sched_getaffinity(0))
        return guests.boot(self._guest(program, cpus=cpus, accelerated=True, files=self._files()), stack)

    def _own_facts(self) -> Mapping[str, Fact]:
        qemu = emulated(self._arch)
        return {
            "emulator": f"{qemu.system} {qemu_version(qemu.system)}, {qemu.machine}, accelerated by KVM",
            **self._linux_facts(),
        }
