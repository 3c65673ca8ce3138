"""Programs that single commands start: hackbench, ssh, virtme-ng."""

from __future__ import annotations

import os
import shutil

from rseqbench import suites
from rseqbench.doctor.finding import Check, Finding, Host, lacking
from rseqbench.errors import TargetError
from rseqbench.targets import vng


def programs(host: Host) -> Finding:
    """The whole programs that are measured on this machine; guests have their own."""
    missing = [one for one in suites.PROGRAMS.values() if not os.access(one.path, os.X_OK)]
    if missing:
        return lacking("programs", f"no {', '.join(one.path for one in missing)}", "warn", [p.package for p in missing])
    return Finding("programs", ", ".join(one.path for one in suites.PROGRAMS.values()))


def ssh(host: Host) -> Finding:
    """The client by which boards are reached."""
    found = shutil.which("ssh")
    if found is None:
        return lacking("ssh", "no ssh: --target ssh:HOST cannot be reached", "warn", ["openssh-client"])
    return Finding("ssh", found)


def virtme(host: Host) -> Finding:
    """virtme-ng, which nothing needs but those who ask for it."""
    try:
        return Finding("virtme-ng", vng.version())
    except TargetError:
        return Finding("virtme-ng", "not here, and needed for --runner vng only")


CHECKS: tuple[Check, ...] = (programs, ssh, virtme)
