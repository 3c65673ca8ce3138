"""What all scripts here share: what the machine is, a load that is really there, tables, words, and a way to end."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from rseqbench import __version__
from rseqbench.errors import RseqbenchError
from rseqbench.host import facts

ROOT = Path(__file__).resolve().parents[1]

# The loads, by the short names that the tables use: what stress-ng is told.
LOADS: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "L2": ("--cpu", "2"),
    "L4": ("--cpu", "4", "--switch", "2", "--vm", "1"),
}
_SETTLE_S = 2.0
_ENDS_WITHIN_S = 10.0


class LoadError(Exception):
    """A load that was asked for is not there, so nothing can be said about it."""


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser that shows the script's own words, with --quick."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--quick", action="store_true", help="tiny counts: proves that the script works, nothing else")
    return made


def loads(text: str) -> list[str]:
    """Parse names of loads, by commas, for an option. Raises ArgumentTypeError for one that is not there."""
    unknown = [name for name in text.split(",") if name not in LOADS]
    if unknown:
        raise argparse.ArgumentTypeError(f"unknown load {unknown[0]!r}; there is {', '.join(LOADS)}")
    return text.split(",")


def run(main: Callable[[], int]) -> int:
    """Run a script and return its exit code. SIGTERM ends it like Ctrl-C, so that no load and no worker outlives it."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return main()
    except (LoadError, RseqbenchError) as error:
        print(f"{Path(sys.argv[0]).stem}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{Path(sys.argv[0]).stem}: interrupted", file=sys.stderr)
        return 130


class Clock:
    """A deadline: how long we have been at it, and whether there is time for more."""

    def __init__(self, limit_s: float) -> None:
        """Begin now."""
        self._began = time.monotonic()
        self._limit_s = limit_s

    @property
    def spent(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float:
        """Seconds until the deadline, never below zero."""
        return max(0.0, self._limit_s - self.spent)


# ---- the machine ----


GCC: dict[str, Sequence[str]] = {"gcc": ("gcc", "--version")}
STRESS_NG: dict[str, Sequence[str]] = {"stress-ng": ("stress-ng", "--version")}


def environment(tools: Mapping[str, Sequence[str]] = MappingProxyType({})) -> list[str]:
    """Return what a reader must know of the machine, a line each; `tools` are commands that print their version."""
    wanted = ("cpu", "cpus", "linux", "libc", "virtual", "governor", "smt", "turbo", "isolated_cpus", "load_1min")
    found = facts.collect_facts().to_dict()
    lines = {name.replace("_", " "): str(found[name]) for name in wanted if name in found}
    lines["CPUs busy"] = f"{busy_cpus():.2f}"
    for name in ("python", "pyperf"):
        lines[name] = str(found.get(name, "not installed"))
    lines["rseqbench"] = " ".join(filter(None, (__version__, _revision())))
    lines |= {name: version(command) for name, command in tools.items()}
    lines["date"] = time.strftime("%Y-%m-%d %H:%M %Z")
    width = max(map(len, lines))
    return [f"{name:<{width}}  {text}" for name, text in lines.items()]


def version(command: Sequence[str]) -> str:
    """Return the first line that a command prints, or that it is not installed."""
    if shutil.which(command[0]) is None:
        return "not installed"
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return (done.stdout.strip() or done.stderr.strip() or "?").splitlines()[0]
    return "?"


def _revision() -> str:
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        return f"({done.stdout.strip()})" if not done.returncode else ""
    return ""


def busy_cpus(seconds: float = 0.5) -> float:
    """Return how many CPUs' worth of work Linux does right now, by /proc/stat, over that many seconds."""
    first = _jiffies()
    time.sleep(seconds)
    second = _jiffies()
    total, idle = (after - before for after, before in zip(second, first, strict=True))
    return (os.cpu_count() or 1) * (total - idle) / total if total else 0.0


def _jiffies() -> tuple[int, int]:
    """Return all ticks of all CPUs since boot, and those in which they had nothing to do."""
    fields = list(map(int, Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]))
    return sum(fields), fields[3] + fields[4]


# ---- the load ----


@contextlib.contextmanager
def load(name: str, limit_s: float = 900) -> Iterator[str]:
    """Keep the machine busy as LOADS says for as long as the block lasts, `limit_s` at most; yields a line about it.

    Raises LoadError when stress-ng is not there or does no work.
    """
    arguments = LOADS[name]
    if not arguments:
        yield f"none: {busy_cpus():.2f} CPUs busy before it"
        return
    if shutil.which("stress-ng") is None:
        raise LoadError("stress-ng is not installed (apt-get install stress-ng)")
    with tempfile.TemporaryDirectory(prefix="rseqbench-load-") as folder:
        process = subprocess.Popen(
            ["stress-ng", *arguments, "--timeout", f"{limit_s:.0f}s", "--temp-path", folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            time.sleep(_SETTLE_S)
            yield f"{name} (stress-ng {' '.join(arguments)}): {_working(process):.2f} CPUs busy before it"
            if process.poll() is not None:
                raise LoadError(f"stress-ng ended with {process.returncode} before the measurement did")
        finally:
            _end(process)


def _working(process: subprocess.Popen[bytes]) -> float:
    """Return how many CPUs are busy; raises LoadError if stress-ng is gone or leaves half of a CPU idle."""
    busy = busy_cpus()
    if process.poll() is not None:
        raise LoadError(f"stress-ng ended at once with {process.returncode}")
    if busy < min(2, os.cpu_count() or 1) - 0.5:
        raise LoadError(f"stress-ng runs but only {busy:.2f} CPUs are busy")
    return busy


def _end(process: subprocess.Popen[bytes]) -> None:
    """End stress-ng, which ends what it started; what is left then of its process group is killed."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_ENDS_WITHIN_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(_ENDS_WITHIN_S)


# ---- words and tables ----


def deviation(value: float, reference: float) -> float:
    """Return by how many percent `value` is off `reference`, with its sign."""
    return (value / reference - 1) * 100


def half_width(value: float, low: float | None, high: float | None) -> float | None:
    """Return half of an interval in percent of the value; None without an interval."""
    return None if low is None or high is None else (high - low) / 2 / value * 100


def word(figure: float | None, target: float, at_least: bool = False) -> str:
    """Return pass or FAIL for a figure that must be at most (or at least) the target; "no figure" without one."""
    if figure is None:
        return "no figure"
    return "pass" if (figure >= target if at_least else figure <= target) else "FAIL"


def worst(figures: Sequence[float | None]) -> float | None:
    """Return the largest magnitude; None if one is missing, or there are none: a hole is not a pass."""
    known = [abs(figure) for figure in figures if figure is not None]
    return max(known) if known and len(known) == len(figures) else None


def number(value: float | None, digits: str = ".2f", nothing: str = "-") -> str:
    """Return a number for a table, or what stands where there is none."""
    return nothing if value is None else format(value, digits)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a plain table: the first column to the left, the others to the right, widths as needed."""
    lines = [list(map(str, row)) for row in (head, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    lines.insert(1, ["-" * width for width in widths])
    shown = []
    for first, *others in lines:
        cells = [first.ljust(widths[0]), *(cell.rjust(widths[i]) for i, cell in enumerate(others, start=1))]
        shown.append("  ".join(cells).rstrip())
    return "\n".join(shown)


def figures(rows: Sequence[tuple[str, float | None, float, str, bool]]) -> str:
    """Return the summary of a script: name, what was found, the target with its unit, and the word.

    A row is (name, figure, target, unit, at least).
    """
    cells = [
        (name, number(figure, ".3g"), f"{'>=' if at_least else '<='} {target:g} {unit}", word(figure, target, at_least))
        for name, figure, target, unit, at_least in rows
    ]
    return table(("figure", "found", "target", "word"), cells)
