"""What all targets share that boot a guest: its Linux, what lies in it, and the conversation with the runner there."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rseqbench import selection
from rseqbench.build.linux import kvm
from rseqbench.build.linux.image import KernelImage, choose_image, read_qemu_version, require_qemu
from rseqbench.errors import TargetError
from rseqbench.model import Case, CommandLine, Facts, Plan
from rseqbench.support.attachments import BuiltKernel
from rseqbench.targets.measurements import Counts
from rseqbench.targets.qemu import virtual_machine
from rseqbench.targets.qemu.virtual_machine import VirtualMachine
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.line_channel import LineChannel
from rseqbench.targets.runner.target import RunnerSession, RunnerTarget
from rseqbench.workloads import hackbench, packages
from rseqbench.workloads.hackbench import Program

_CHECK_CPUS = 2


def boot(guest: VirtualMachine, stack: contextlib.ExitStack) -> RunnerSession:
    """Boot a guest and return the conversation with the runner in it. Raises TargetError when it is not that."""
    stack.enter_context(guest)
    if protocol.decode(guest.first_line, 0) != "ready":
        raise guest.failure(f"greets with {guest.first_line[:80]!r}")
    port = guest.socket.fileno()

    def ended(reason: str) -> TargetError:
        return guest.ended(f" ({reason})" if reason else "")

    return RunnerSession(LineChannel(port, port, "the guest", ended))


class VirtualMachineTarget(RunnerTarget):
    """A target that boots the Linux which the options name, and may boot it anew."""

    def _choose(self, rehearse: bool = False) -> KernelImage:
        """Return the Linux to boot now. Its own number of the boot tells nothing: it may be the same each time."""
        self._image = choose_image(self._arch, self._options.linux, rehearse)
        self._boot = uuid.uuid4().hex
        return self._image

    @property
    def _vng(self) -> bool:
        return self._options.runner == "vng"

    def _guest(self, program: Path, **options: Any) -> VirtualMachine:
        """Return a guest of the chosen Linux with the runner `program` in it, started by whom the options name."""
        kind = virtual_machine.VirtmeNgMachine if self._vng else VirtualMachine
        return kind(self._arch, self._image, program, **options)

    def _files(self) -> dict[str, bytes]:
        """Return the files of the programs that are asked for, for the guest's file system. Raises TargetError."""
        found: dict[str, bytes] = {}
        if self._vng:  # its file system is this machine's
            return found
        for program in hackbench.PROGRAMS.values():
            if any(
                selection.matches(hackbench.describe_program(program), pattern) for pattern in self._options.benchmarks
            ):
                found |= packages.fetch_program(self._arch, program)
        return found

    def boot_id(self) -> str:
        """Return what tells this boot from others of ours."""
        return self._boot

    def reboot(self) -> None:
        """Boot the guest anew."""
        self._resources.close()
        self._reach()

    def _lacks(self, program: Program) -> str:
        """Return nothing: a program lies in the guest if it is asked for, and is fetched for that."""
        return super()._lacks(program) if self._vng else ""

    def _own_files(self) -> Mapping[str, Path]:
        """Return the configuration of the guest's Linux, where an installed one has it: there is none in the guest."""
        return {f"/boot/config-{self._hello.linux}": self._image.config} if self._image.config else {}

    def _linux_facts(self) -> Facts:
        """Return what is known of the guest's Linux beyond what it says itself."""
        wanted, package = self._options.linux, self._image.package
        known = Facts(linux_image=wanted, linux_package=package or "none: a file of the user's")
        if self._vng:
            known |= Facts(runner="vng", virtme_ng=virtual_machine.virtme_ng_version())
        built = BuiltKernel.load(Path(wanted))
        if built:
            known |= Facts(
                linux_build=built.folder.name,
                linux_source=built.source,
                linux_base=built.base,
                linux_compiler=built.compiler,
            )
        return known


class QemuKvmTarget(VirtualMachineTarget):
    """The target `qemu-kvm`."""

    timing = "virtual"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> RunnerSession:
        """Boot the guest, with as many CPUs as we may use, once KVM was seen to boot this Linux."""
        image = self._choose()
        why = kvm.find_kvm_problem(self._arch, image.path)
        if why:
            raise TargetError(f"KVM cannot be used: {why}", "--target qemu-system emulates")
        return boot(self._accelerated(program, self._files()), stack)

    def _start_commands(self, program: Path) -> list[CommandLine]:
        """Return the trial of KVM, and the boot."""
        image = self._choose(rehearse=True)
        trial = CommandLine("see whether KVM boots this Linux", tuple(kvm.trial_command(self._arch, image.path)))
        return [trial, self._accelerated(program, {}).command_line("boot the guest")]

    def _accelerated(self, program: Path, files: Mapping[str, bytes]) -> VirtualMachine:
        return self._guest(program, cpus=len(os.sched_getaffinity(0)), accelerated=True, files=files)

    def _own_facts(self) -> Facts:
        qemu = require_qemu(self._arch)
        emulator = f"{qemu.system} {read_qemu_version(qemu.system)}, {qemu.machine}, accelerated by KVM"
        return self._linux_facts() | Facts(emulator=emulator)


class QemuSystemTarget(VirtualMachineTarget):
    """The target `qemu-system`."""

    timing = "emulated"

    def _connect(self, program: Path, stack: contextlib.ExitStack) -> RunnerSession:
        """Boot the guest that counts."""
        self._choose()
        self._program = program
        self._checks = stack.enter_context(contextlib.ExitStack())
        self._checking: RunnerSession | None = None
        return boot(self._counting(program, self._files()), stack)

    def _start_commands(self, program: Path) -> list[CommandLine]:
        """Return the boots of both guests."""
        self._program = program
        self._choose(rehearse=True)
        return [
            self._counting(program, {}).command_line("boot the guest that counts"),
            self._two_cpus().command_line("boot another one beside it for the checks"),
        ]

    def _counting(self, program: Path, files: Mapping[str, bytes]) -> VirtualMachine:
        return self._guest(program, counted=True, files=files)

    def _two_cpus(self) -> VirtualMachine:
        return self._guest(self._program, cpus=_CHECK_CPUS)

    def _checker(self) -> RunnerSession:
        """Boot the guest that checks, unless it is there and well."""
        if self._checking is None or self._checking.broken:
            self._checks.close()
            self._checking = boot(self._two_cpus(), self._checks)
        return self._checking

    def _check_cpus(self) -> int:
        return _CHECK_CPUS

    def new_round(self) -> None:
        """Power the guest that checks off: from now on its time would be the other one's."""
        self._checks.close()
        self._checking = None
        super().new_round()

    def count(self, case: Case, plan: Plan, loops: Sequence[int], repeat: int) -> Counts:
        """Count what each number of `loops` takes by the guest's clock, of which a nanosecond is an instruction."""
        ns, aborts = self._time(case, plan, loops, repeat)
        taken = tuple(tuple(ns[i :: len(loops)]) for i in range(len(loops)))
        return Counts(tuple(loops), taken, self._hello.clock_step_ns, sum(aborts), case.registration.value)

    def _own_facts(self) -> Facts:
        qemu = require_qemu(self._arch)
        command = f"{qemu.system} {read_qemu_version(qemu.system)}"
        emulator = f"{command}, {qemu.machine} with {qemu.cpu}, one instruction a nanosecond"
        return self._linux_facts() | Facts(emulator=emulator, check_cpus=_CHECK_CPUS)
