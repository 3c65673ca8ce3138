"""How fast rseqbench itself is: its help, a second compilation, a quick run of all, a comparison of two full runs.

Everything runs as a user runs it, in a process of its own, in a temporary folder and with a cache of its own:
- `rseqbench --help` beside `python -c "import click"`, in turn;
- two runs in a row with a compiler that counts how often it is called to compile;
- `rseqbench run --quick` of everything, kernels compiled before;
- `rseqbench compare` of two runs of 60 rounds each, grown from that quick one.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import common
from common import number

from rseqbench.build import architectures

TARGET_HELP, TARGET_COMPARE_S, TARGET_QUICK_S = 1.5, 2.0, 30.0
ROUNDS = 60  # of a full run, what --rigorous takes
_TIMEOUT_S = 300

# Writes a line for every call that names a file to make; questions about version and target are not compilations.
_WRAPPER = """#!/bin/sh
for word do
    if [ "$word" = -o ]; then echo "$*" >> {log}; fi
done
exec {compiler} "$@"
"""


class SpeedError(Exception):
    """A command failed, so its speed means nothing."""


def program() -> list[str]:
    """Return the installed command, or what does the same where it is not on the side of this Python."""
    beside = Path(sys.executable).with_name("rseqbench")
    return [str(beside)] if beside.is_file() else [sys.executable, "-m", "rseqbench"]


def timed(command: Sequence[str], folder: Path, extra: Mapping[str, str] | None = None) -> float:
    """Run a command in `folder` and return its seconds; raises SpeedError with its last words when it fails."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **(extra or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    took = time.monotonic() - began
    if done.returncode:
        raise SpeedError(f"{' '.join(command[-3:])}: {(done.stderr.strip() or '?').splitlines()[-1]}")
    return took


def side_by_side(
    one: Callable[[], float], other: Callable[[], float], count: int
) -> tuple[list[float], list[float], float]:
    """Take both in turn, `count` times after a first that fills caches; return both and the ratio of medians."""
    one(), other()
    ones, others = [], []
    for _ in range(count):
        ones.append(one())
        others.append(other())
    return ones, others, statistics.median(ones) / statistics.median(others)


def counting_compiler(folder: Path) -> tuple[Path, Path]:
    """Write a compiler that counts into `folder`; return it, and the file that has a line for each compilation."""
    arch = architectures.host()
    real = next((path for path in map(shutil.which, arch.compilers) if path), None)
    if real is None:
        raise SpeedError(f"no compiler (apt-get install {arch.package})")
    log, wrapper = folder / "compiled", folder / "counting-cc"
    wrapper.write_text(_WRAPPER.format(log=log, compiler=real), encoding="utf-8")
    wrapper.chmod(0o755)
    return wrapper, log


def compilations(folder: Path) -> list[int]:
    """Run one benchmark twice in a row with an empty cache; return how many compilations each run made."""
    wrapper, log = counting_compiler(folder)
    extra = {"CC": str(wrapper), "XDG_CACHE_HOME": str(folder / "counted")}
    counts = []
    for label in ("first", "second"):
        log.write_text("", encoding="utf-8")
        timed([*program(), "run", "cpu_id/rseq", "--quick", "--rounds", "6", "--label", label], folder, extra)
        counts.append(len(log.read_text(encoding="utf-8").splitlines()))
    return counts


def grown(suite: Mapping[str, Any], rounds: int, seed: int) -> tuple[dict[str, Any], int]:
    """Return a pyperf file with its runs repeated until there are `rounds` rounds, each value moved a little.

    Also returns how many benchmarks there are. The copies carry the metadata that the runs had.
    """
    dice = random.Random(seed)
    made = copy.deepcopy(dict(suite))
    for benchmark in made["benchmarks"]:
        runs = benchmark["runs"]
        benchmark["runs"] = []
        for i in range(rounds):
            run = copy.deepcopy(runs[i % len(runs)])
            run["metadata"]["round"] = i
            run["values"] = [value * dice.gauss(1, 0.002) for value in run["values"]]
            benchmark["runs"].append(run)
    return made, len(made["benchmarks"])


def full_runs(results: Path, source: str, rounds: int) -> int:
    """Store runs `before` and `after`, as long as full ones, grown from a real short one; return its benchmarks."""
    suite = json.loads((results / source / "pyperf.json").read_text(encoding="utf-8"))
    header = json.loads((results / source / "run.json").read_text(encoding="utf-8"))
    header["plan"]["rounds"] = rounds
    count = 0
    for label, seed in (("before", 1), ("after", 2)):
        made, count = grown(suite, rounds, seed)
        (results / label).mkdir()
        (results / label / "pyperf.json").write_text(json.dumps(made), encoding="utf-8")
        (results / label / "run.json").write_text(json.dumps(header | {"label": label}), encoding="utf-8")
    return count


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--count", type=int, help="how often each of the short commands runs (default: 20)")
    return parser.parse_args(argv)


def _measure(folder: Path, count: int, rounds: int) -> list[tuple[str, float | None, float, str, bool]]:
    """Measure all four; print what lies behind a figure, return the figures."""
    rseqbench = program()
    helps, imports, ratio = side_by_side(
        lambda: timed([*rseqbench, "--help"], folder),
        lambda: timed([sys.executable, "-c", "import click"], folder),
        count,
    )
    help_ms, import_ms = (statistics.median(times) * 1e3 for times in (helps, imports))
    print(f'--help: median of {count}: {help_ms:.1f} ms; python -c "import click": {import_ms:.1f} ms')
    first, second = compilations(folder)
    print(f"compilations: {first} in the first run, {second} in the second")
    extra = {"XDG_CACHE_HOME": str(folder / "cache")}
    timed([*rseqbench, "list"], folder, extra)  # compiles
    quick = timed([*rseqbench, "run", "--quick", "--label", "quick"], folder, extra)
    print(f"run --quick: {quick:.1f} s, checks and table included")
    benchmarks = full_runs(folder / "results", "quick", rounds)
    compares = [timed([*rseqbench, "compare", "before", "after"], folder) for _ in range(max(3, count // 4))]
    print(f"compare: {benchmarks} benchmarks, {rounds} rounds: {' '.join(number(taken) for taken in compares)} s")
    return [
        ("rseqbench --help over import click", ratio, TARGET_HELP, "x", False),
        ("compilations of a second run", float(second) if first else None, 0.0, "", False),
        ("compare of two full runs, median", statistics.median(compares), TARGET_COMPARE_S, "s", False),
        ("run --quick of all kernels", quick, TARGET_QUICK_S, "s", False),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _arguments(argv)
    print(*common.environment(common.GCC), "", sep="\n")
    count = options.count or (3 if options.quick else 20)
    try:
        with tempfile.TemporaryDirectory(prefix="rseqbench-speed-") as folder:
            rows = _measure(Path(folder), count, 6 if options.quick else ROUNDS)
    except (SpeedError, subprocess.TimeoutExpired) as error:
        print(f"tool_speed: {error}", file=sys.stderr)
        return 1
    print(f"\n{common.figures(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(common.run(main))
