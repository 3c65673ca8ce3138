"""Checks of what single commands need: hackbench, shipped libraries, ssh, virtme-ng, labgrid."""

from __future__ import annotations

import os
import shutil
from importlib import metadata
from itertools import chain

from rseqbench import selection
from rseqbench.doctor.finding import Check, Host, report_missing
from rseqbench.errors import TargetError
from rseqbench.model import Finding
from rseqbench.targets.qemu import virtual_machine
from rseqbench.workloads import hackbench, library


def check_programs(host: Host) -> Finding:
    """Look for the whole programs that are measured on this machine; guests have their own."""
    missing = [program for program in hackbench.PROGRAMS.values() if not os.access(program.path, os.X_OK)]
    if missing:
        return report_missing(
            "programs", f"no {', '.join(p.path for p in missing)}", "warn", [p.package for p in missing]
        )
    return Finding("programs", ", ".join(program.path for program in hackbench.PROGRAMS.values()))


def check_libraries(host: Host) -> Finding:
    """Look for the libraries of --suite, and for all that compiling and measuring their callers takes."""
    missing = {shipped.title: library.missing_packages(shipped) for shipped in selection.LIBRARIES.values()}
    if any(missing.values()):
        value = "; ".join(f"{title} needs {', '.join(packages)}" for title, packages in missing.items() if packages)
        return report_missing("libraries", value, "warn", list(chain.from_iterable(missing.values())))
    return Finding("libraries", ", ".join(missing))


def check_ssh(host: Host) -> Finding:
    """Look for the client that reaches boards."""
    client = shutil.which("ssh")
    if client is None:
        return report_missing("ssh", "no ssh: --target ssh:HOST cannot be reached", "warn", ["openssh-client"])
    return Finding("ssh", client)


def check_virtme_ng(host: Host) -> Finding:
    """Look for virtme-ng, which only --runner vng needs."""
    try:
        return Finding("virtme-ng", virtual_machine.virtme_ng_version())
    except TargetError:
        return Finding("virtme-ng", "not here, and needed for --runner vng only")


def check_labgrid(host: Host) -> Finding:
    """Look for labgrid, which only --target labgrid needs; importing it would take a second."""
    try:
        return Finding("labgrid", metadata.version("labgrid"))
    except metadata.PackageNotFoundError:
        return Finding(
            "labgrid", "not here, and needed for --target labgrid:PLACE only: pip install 'rseqbench[labgrid]'"
        )


CHECKS: tuple[Check, ...] = (check_programs, check_libraries, check_ssh, check_virtme_ng, check_labgrid)
