"""What single commands need: hackbench, the libraries that are measured as shipped, ssh, virtme-ng, labgrid."""

from __future__ import annotations

import os
import shutil
from importlib import metadata

from rseqbench import selection, workloads
from rseqbench.doctor.finding import Check, Host, lacking
from rseqbench.errors import TargetError
from rseqbench.model import Finding
from rseqbench.targets.qemu import virtual_machine
from rseqbench.workloads import library


def programs(host: Host) -> Finding:
    """The whole programs that are measured on this machine; guests have their own."""
    missing = [one for one in workloads.PROGRAMS.values() if not os.access(one.path, os.X_OK)]
    if missing:
        return lacking("programs", f"no {', '.join(one.path for one in missing)}", "warn", [p.package for p in missing])
    return Finding("programs", ", ".join(one.path for one in workloads.PROGRAMS.values()))


def shipped(host: Host) -> Finding:
    """The libraries of --suite, with what it takes to compile and to measure what calls them."""
    lacks = {one.title: library.missing_packages(one) for one in selection.LIBRARIES.values()}
    if any(lacks.values()):
        said = "; ".join(f"{title} needs {', '.join(packages)}" for title, packages in lacks.items() if packages)
        return lacking("libraries", said, "warn", [package for packages in lacks.values() for package in packages])
    return Finding("libraries", ", ".join(lacks))


def ssh(host: Host) -> Finding:
    """The client by which boards are reached."""
    found = shutil.which("ssh")
    if found is None:
        return lacking("ssh", "no ssh: --target ssh:HOST cannot be reached", "warn", ["openssh-client"])
    return Finding("ssh", found)


def virtme(host: Host) -> Finding:
    """virtme-ng, which nothing needs but those who ask for it."""
    try:
        return Finding("virtme-ng", virtual_machine.virtme_ng_version())
    except TargetError:
        return Finding("virtme-ng", "not here, and needed for --runner vng only")


def labgrid(host: Host) -> Finding:
    """labgrid, which nothing needs but those who ask for it; it is not imported, which would take a second."""
    try:
        return Finding("labgrid", metadata.version("labgrid"))
    except metadata.PackageNotFoundError:
        return Finding(
            "labgrid", "not here, and needed for --target labgrid:PLACE only: pip install 'rseqbench[labgrid]'"
        )


CHECKS: tuple[Check, ...] = (programs, shipped, ssh, virtme, labgrid)
