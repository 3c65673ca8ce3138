"""What all guests share: the conversation with the runner in one, what lies in it, and what its Linux is."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from rseqbench import plan, suites, wire
from rseqbench.arches import Arch
from rseqbench.errors import TargetError
from rseqbench.linux import LinuxImage, kbuild
from rseqbench.model import Fact
from rseqbench.suites import packages
from rseqbench.targets.guest import Guest
from rseqbench.targets.lines import Lines
from rseqbench.targets.runner import Session


def boot(guest: Guest, stack: contextlib.ExitStack) -> Session:
    """Boot a guest and return the conversation with the runner in it. Raises TargetError when it is not that."""
    stack.enter_context(guest)
    if wire.decode(guest.first_line, 0) != "ready":
        raise guest.failure(f"greets with {guest.first_line[:80]!r}")
    port = guest.socket.fileno()

    def ended(reason: str) -> TargetError:
        return guest.ended(f" ({reason})" if reason else "")

    return Session(Lines(port, port, "the guest", ended))


def files(arch: Arch, patterns: Sequence[str]) -> dict[str, bytes]:
    """Return the files of the programs that the patterns name, for a guest's file system. Raises TargetError."""
    found: dict[str, bytes] = {}
    for program in suites.PROGRAMS.values():
        if any(plan.matches(suites.benchmark(program), pattern) for pattern in patterns):
            found |= packages.files(arch, program)
    return found


def configuration(image: LinuxImage, release: str) -> dict[str, Path]:
    """Return the configuration of a guest's Linux, where an installed one has it: there is none in the guest."""
    return {f"/boot/config-{release}": image.config} if image.config else {}


def facts(image: LinuxImage, wanted: str) -> dict[str, Fact]:
    """Return what is known of a guest's Linux beyond what it says itself; `wanted` is the option that named it."""
    known: dict[str, Fact] = {"linux_image": wanted, "linux_package": image.package or "none: a file of the user's"}
    built = kbuild.load(Path(wanted))
    if built:
        known |= {
            "linux_build": built.folder.name,
            "linux_source": built.source,
            "linux_base": built.base,
            "linux_compiler": built.compiler,
        }
    return known
