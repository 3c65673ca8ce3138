"""Find what is missing on this machine, and the exact command that mends it. Checks change nothing.

A check is a function from a Host to a Finding; a new one is a function and its name in the list of its module.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

from rseqbench.doctor import emulation, noise, programs, rseq, toolchain
from rseqbench.doctor.finding import Check, Host
from rseqbench.model import Finding, Status

__all__ = ["CHECKS", "PYPERF_COMMAND", "Finding", "Host", "Status", "can_run_natively", "examine", "pyperf_system"]

CHECKS: tuple[Check, ...] = (*toolchain.CHECKS, *emulation.CHECKS, *programs.CHECKS, *rseq.CHECKS, *noise.CHECKS)
PYPERF_COMMAND = "python -m pyperf system show"


def run_checks(host: Host) -> list[Finding]:
    """Run every check on `host` and return what they found, in the order of CHECKS."""
    return [finding for check in CHECKS if (finding := check(host)) is not None]


def can_run_natively(findings: Iterable[Finding]) -> bool:
    """Whether a native run works here, by the findings."""
    return all(finding.status != "bad" for finding in findings)


def run_pyperf_check(timeout: float = 60.0) -> str:
    """Return what pyperf's own system check prints, or one line that says why it could not be run."""
    command = [sys.executable, *PYPERF_COMMAND.split()[1:]]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=timeout, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"could not be run: {error}"
    # Its exit code only says whether it has advice, and on stderr are the services it asks in vain.
    return done.stdout.strip() or done.stderr.strip()
