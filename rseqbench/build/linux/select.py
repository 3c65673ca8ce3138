"""Which Linux a guest boots: Debian's, a file of the user's, or one that was built."""

from __future__ import annotations

from pathlib import Path

from rseqbench.build.architectures import Arch
from rseqbench.build.linux import build
from rseqbench.build.linux.image import DEBIAN, LinuxImage, debian, expected, given
from rseqbench.errors import UsageError
from rseqbench.support import kconfig


def chosen(arch: Arch, wanted: str, rehearse: bool = False) -> LinuxImage:
    """Return the Linux to boot: "debian", a file of the user's, or the folder of one that kbuild built.

    To `rehearse`, nothing is fetched: Debian's is then where it will be.
    Raises UsageError for one that is not there or not for `arch`, TargetError where Debian's cannot be fetched.
    """
    if wanted == DEBIAN:
        return expected(arch) if rehearse else debian(arch)
    built = build.load(Path(wanted))
    if built is None:
        return given(arch, Path(wanted))
    if built.arch != arch.name:
        raise UsageError(f"{wanted} is a Linux for {built.arch}, not for {arch.name}", f"--arch {built.arch}")
    return LinuxImage(arch.name, built.image, (), built.source, built.release, built.folder / kconfig.CONFIG_FILE)
