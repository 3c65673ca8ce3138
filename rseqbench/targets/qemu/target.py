"""What all targets share that boot a guest: its Linux, what lies in it, and the conversation with the runner there."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rseqbench import selection, workloads
from rseqbench.build.linux import LinuxImage, build, select
from rseqbench.errors import TargetError
from rseqbench.model import Fact
from rseqbench.targets.qemu import virtme_ng
from rseqbench.targets.qemu.virtual_machine import Guest
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.line_channel import Lines
from rseqbench.targets.runner.local import Session
from rseqbench.targets.runner.target import Served
from rseqbench.workloads import Program, packages


def boot(guest: Guest, stack: contextlib.ExitStack) -> Session:
    """Boot a guest and return the conversation with the runner in it. Raises TargetError when it is not that."""
    stack.enter_context(guest)
    if protocol.decode(guest.first_line, 0) != "ready":
        raise guest.failure(f"greets with {guest.first_line[:80]!r}")
    port = guest.socket.fileno()

    def ended(reason: str) -> TargetError:
        return guest.ended(f" ({reason})" if reason else "")

    return Session(Lines(port, port, "the guest", ended))


class Booted(Served):
    """A target that boots the Linux which the options name, and may boot it anew."""

    def _choose(self, rehearse: bool = False) -> LinuxImage:
        """Return the Linux to boot now. Its own number of the boot tells nothing: it may be the same each time."""
        self._image = select.chosen(self._arch, self._options.linux, rehearse)
        self._boot = uuid.uuid4().hex
        return self._image

    @property
    def _vng(self) -> bool:
        return self._options.runner == "vng"

    def _guest(self, program: Path, **options: Any) -> Guest:
        """Return a guest of the chosen Linux with the runner `program` in it, started by whom the options name."""
        return (virtme_ng.Vng if self._vng else Guest)(self._arch, self._image, program, **options)

    def _files(self) -> dict[str, bytes]:
        """Return the files of the programs that are asked for, for the guest's file system. Raises TargetError."""
        found: dict[str, bytes] = {}
        if self._vng:  # its file system is this machine's
            return found
        for program in workloads.PROGRAMS.values():
            if any(selection.matches(workloads.benchmark(program), pattern) for pattern in self._options.benchmarks):
                found |= packages.files(self._arch, program)
        return found

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
        return super()._lacks(program) if self._vng else ""

    def _own_files(self) -> Mapping[str, Path]:
        """Return the configuration of the guest's Linux, where an installed one has it: there is none in the guest."""
        return {f"/boot/config-{self._hello['linux']}": self._image.config} if self._image.config else {}

    def _linux_facts(self) -> dict[str, Fact]:
        """Return what is known of the guest's Linux beyond what it says itself."""
        wanted, package = self._options.linux, self._image.package
        known: dict[str, Fact] = {"linux_image": wanted, "linux_package": package or "none: a file of the user's"}
        if self._vng:
            known |= {"runner": "vng", "virtme_ng": virtme_ng.version()}
        built = build.load(Path(wanted))
        if built:
            known |= {
                "linux_build": built.folder.name,
                "linux_source": built.source,
                "linux_base": built.base,
                "linux_compiler": built.compiler,
            }
        return known
