"""The steps of tuning: pyperf's own, and the two settings that it does not know."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rseqbench.host import facts
from rseqbench.host.tuning import settings
from rseqbench.support.process import die_with_parent

# -P: a file named pyperf.py in the current folder is not for root to run.
PYPERF = (sys.executable, "-P", "-m", "pyperf", "system")
TITLE = "python -m pyperf system tune"


@dataclass(frozen=True)
class Step:
    """One change to ask the user for: its title, lines about it, and the function that makes it.

    take() returns what went wrong, a line for each, or raises OSError.
    """

    title: str
    about: tuple[str, ...]
    take: Callable[[], Sequence[str]]


def plan_steps(root: Path, pyperf: Sequence[str] = PYPERF) -> list[Step]:
    """Return the steps that have something to change here, in the order in which they can be taken.

    pyperf goes first: with SMT off it would look for CPUs that are not there. Raises OSError when it cannot be started.
    """
    steps = []
    advised = _run_pyperf([*pyperf, "show"])
    if advised.returncode:  # it exits with 0 where there is nothing to tune
        advice = _section(advised.stdout, "Advices") or ["none"]
        steps.append(Step(TITLE, ("follows what it can of its own advice:", *advice), lambda: _tune(pyperf)))
    if facts.read_turbo(root) == "on" and facts.read_text(root, facts.BOOST) == "1":
        steps.append(_write_step(root, facts.BOOST, "0", "turbo where the driver is not intel_pstate: off"))
    if facts.read_smt(root) == "on" and facts.read_text(root, settings.SMT) == "on":
        steps.append(_write_step(root, settings.SMT, "off", "SMT: off, every second CPU goes away"))
    return steps


def _write_step(root: Path, key: str, value: str, about: str) -> Step:
    def take() -> list[str]:
        settings.write_setting(root, key, value)
        return []

    return Step(f"echo {value} > /{key}", (about,), take)


def _tune(pyperf: Sequence[str]) -> list[str]:
    done = _run_pyperf([*pyperf, "tune"])
    problems = _section(done.stdout, "Errors")
    if done.returncode and not problems:
        last = done.stderr.strip().rpartition("\n")[2] or "nothing said"
        problems = [f"{TITLE} exited with {done.returncode}: {last}"]
    return problems


def _run_pyperf(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run pyperf, which ends when we do: were we killed, it would go on tuning while somebody restores."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=die_with_parent,
    )


def _section(text: str, title: str) -> list[str]:
    """Return the lines below a title of what pyperf prints: it underlines titles, and ends sections with nothing."""
    lines = iter(text.splitlines())
    for line in lines:
        if line == title and next(lines, "").startswith("="):
            rest = iter(lines)
            next(rest, None)
            break
    else:
        return []
    return list(itertools.takewhile(bool, rest))
