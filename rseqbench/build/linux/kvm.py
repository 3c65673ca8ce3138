"""Whether KVM really works here. /dev/kvm may open and its ioctls succeed where no kernel boots: we boot one."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

from rseqbench.build.architectures import Arch
from rseqbench.build.linux.image import require_qemu
from rseqbench.support.process import describe_exit, die_with_parent

DEVICE = "/dev/kvm"
_LIMIT_S = 10.0


@cache
def find_kvm_problem(arch: Arch, image: Path) -> str:
    """Return why KVM cannot run an image for `arch` here; empty when it can, as seen by booting that very image.

    Without anything to start, Linux panics within a second or two, and qemu ends with 0 as it is told not to reboot.
    """
    if not arch.is_host:
        return f"{arch.name} is not this machine's architecture"
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return f"{DEVICE} is not there, or not for us"
    try:
        done = subprocess.run(
            trial_command(arch, image),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
            preexec_fn=die_with_parent,
        )
    except subprocess.TimeoutExpired:
        return f"Linux hung under KVM for {_LIMIT_S:g} s"
    except OSError as error:
        return f"{require_qemu(arch).system}: {error.strerror}"
    complaint = done.stderr.strip().partition("\n")[0]
    return f"qemu ended with {describe_exit(done.returncode)}: {complaint}" if done.returncode else ""


def trial_command(arch: Arch, image: Path) -> list[str]:
    """Return the command line that boots an image under KVM, without anything to start in it."""
    qemu = require_qemu(arch)
    return [
        *(qemu.system, "-M", qemu.machine, "-accel", "kvm", "-cpu", "host", "-m", "256"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-kernel", str(image), "-append", "panic=-1"),
    ]
