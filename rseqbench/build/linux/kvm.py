"""Whether KVM really works here. /dev/kvm may open and its ioctls succeed where no Linux boots: only booting tells."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from rseqbench.build.architectures import Arch
from rseqbench.build.linux.image import emulated
from rseqbench.support.process import die_with_parent, ending

DEVICE = "/dev/kvm"
_LIMIT_S = 10.0


@cache
def unusable(arch: Arch, image: Path) -> str:
    """Return why KVM cannot run an image for `arch` here; empty when it can, as seen by booting that very image.

    Without anything to start, Linux panics within a second or two, and qemu ends with 0 as it is told not to reboot.
    """
    if not arch.is_host:
        return f"{arch.name} is not this machine's architecture"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"{DEVICE} is not there, or not for us"
    try:
        done = subprocess.run(
            command(arch, image),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            preexec_fn=die_with_parent,
        )
    except subprocess.TimeoutExpired:
        return f"Linux hung under KVM for {_LIMIT_S:g} s"
    except OSError as error:
        return f"{emulated(arch).system}: {error.strerror}"
    said = done.stderr.strip().partition("\n")[0]
    return f"qemu ended with {ending(done.returncode)}: {said}" if done.returncode else ""


def command(arch: Arch, image: Path) -> list[str]:
    """Return the command line that tries it."""
    qemu = emulated(arch)
    return [
        *(qemu.system, "-M", qemu.machine, "-accel", "kvm", "-cpu", "host", "-m", "256"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-kernel", str(image), "-append", "panic=-1"),
    ]
