"""kernels/arch/*/arch.toml -> Arch rows: the one table of architectures. Adding one adds a folder and edits nothing."""

from __future__ import annotations

import platform
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rseqbench import paths
from rseqbench.errors import BuildError, unknown_name

HOST = "host"  # the architecture of the machine that measures, whichever that is


@dataclass(frozen=True)
class Qemu:
    """How qemu runs an architecture; kernels/README.md says what each column holds."""

    system: str
    system_package: str
    user: str
    user_package: str
    machine: str
    cpu: str
    port: str
    modules: tuple[str, ...]
    console: str
    debian: str
    linux: str
    image: str
    magic: str
    magic_at: int


@dataclass(frozen=True)
class LinuxBuild:
    """How Linux is built for an architecture; kernels/README.md says what each column holds."""

    arch: str
    cross: str
    target: str
    image: str
    package: str
    lines: int


@dataclass(frozen=True)
class Arch:
    """One architecture: its folder of ops and what is needed to compile for it.

    name: the folder's, and what the user types; machines: what uname -m says; triplets: how a compiler's target begins;
    compilers: tried in order; package: Debian's packages with a compiler and headers for it;
    qemu: how it is emulated, linux: how Linux is built for it, None where nobody has said;
    compat: the machines of a wider architecture that may run it.
    """

    name: str
    folder: Path
    machines: tuple[str, ...]
    triplets: tuple[str, ...]
    compilers: tuple[str, ...]
    cflags: tuple[str, ...]
    package: str
    cpu: str
    qemu: Qemu | None = None
    linux: LinuxBuild | None = None
    compat: tuple[str, ...] = ()

    @property
    def is_host(self) -> bool:
        """Whether this machine runs its code natively."""
        return platform.machine() in self.machines


def _columns(raw: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()}


def known() -> dict[str, Arch]:
    """Return all architectures by name. Raises BuildError where an arch.toml is malformed."""
    found = {}
    for path in sorted(paths.kernels().glob("arch/*/arch.toml")):
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8"))
            qemu, linux = raw.pop("qemu", None), raw.pop("linux", None)
            arch = Arch(
                name=path.parent.name,
                folder=path.parent,
                qemu=qemu and Qemu(**_columns(qemu)),
                linux=linux and LinuxBuild(**linux),
                **_columns(raw),
            )
        except (OSError, tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
            raise BuildError(f"{path}: malformed: {error}", "kernels/README.md says what an arch.toml holds") from error
        found[arch.name] = arch
    return found


def host() -> Arch:
    """Return the architecture of this machine. Raises UsageError when there are no ops for it."""
    arches = known()
    for arch in arches.values():
        if arch.is_host:
            return arch
    raise unknown_name("architecture", platform.machine(), arches, "of this machine")


def named(name: str) -> Arch:
    """Return the architecture of that name; HOST is this machine's. Raises UsageError when there is none."""
    if name == HOST:
        return host()
    arches = known()
    if name not in arches:
        raise unknown_name("arch", name, [*arches, HOST])
    return arches[name]


def of_machine(machine: str) -> Arch | None:
    """Return the architecture whose machines `uname -m` calls `machine`; None when there are no ops for it."""
    return next((arch for arch in known().values() if machine in arch.machines), None)
