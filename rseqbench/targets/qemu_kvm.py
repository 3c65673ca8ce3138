"""A virtual machine of this machine's own architecture, where KVM works: its time is real, and it is ours to boot."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping
from pathlib import Path

from rseqbench import linux
from rseqbench.arches import Qemu
from rseqbench.errors import TargetError
from rseqbench.linux import kvm
from rseqbench.linux.image import emulated, qemu_version
from rseqbench.model import Fact
from rseqbench.suites import Program
from rseqbench.targets import guests
from rseqbench.targets.guest import Guest
from rseqbench.targets.runner import Session
from rseqbench.targets.served import Served


class Accelerated(Guest):
    """A guest whose CPUs are this machine's own, under KVM."""

    def _processor(self, qemu: Qemu) -> tuple[str, ...]:
        return ("-accel", "kvm", "-cpu", "host")


class QemuKvm(Served):
    """The target `qemu-kvm`."""

    timing = "virtual"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> Session:
        """Boot the guest, with as many CPUs as we may use, once KVM was seen to boot this Linux."""
        self._image = linux.chosen(self._arch, self._options.linux)
        self._boot = uuid.uuid4().hex
        why = kvm.unusable(self._arch, self._image.path)
        if why:
            raise TargetError(f"KVM cannot be used: {why}", "--target qemu-system emulates")
        cpus = len(os.sched_getaffinity(0))
        files = guests.files(self._arch, self._options.benchmarks)
        return guests.boot(Accelerated(self._arch, self._image, program, cpus=cpus, files=files), stack)

    def boot(self) -> str:
        """Return what tells this boot from others of ours."""
        return self._boot

    def reboot(self) -> bool:
        """Boot the guest anew."""
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
        return {
            "emulator": f"{qemu.system} {qemu_version(qemu.system)}, {qemu.machine}, accelerated by KVM",
            **guests.facts(self._image, self._options.linux),
        }
