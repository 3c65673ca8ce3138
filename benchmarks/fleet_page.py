"""What `rseqbench compare` and `report` take of a fleet whose runs are as large as a user's: the CPU's time, and ours.

One run of all kernels is measured on this machine, as a user measures it; each machine of the fleet gets it with values
of its own: of one of four CPUs and three architectures, faster or slower, with its own noise. Two places failed. The
commands then run as a user runs them, each in a process of its own, in a temporary folder.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import tool_speed
from common import number

from rseqbench import config, paths
from rseqbench.store import fleets, round_table
from rseqbench.store.fleets import Fleet, Member
from rseqbench.store.runs import Store
from rseqbench.support import atomic_io

TARGET_S = 3.0
LABEL = "fleet"
_SEED = 1  # of the plan, by which a run is known to be the fleet's
_CREATED = "2000-01-01T00:00:00+00:00"
_APART = 0.05  # by which a benchmark's value differs from one machine of a kind to the next
_NOISE = 0.002  # of a round
_SLOW, _TIMES, _EVERY = "counter/rseq", 15, 7  # one machine in so many is as many times slower with that
_FAILED = {-1: "power was lost at round 3", -8: "ssh: connection refused"}
_X86_ONLY = ("gs", "lsl", "rdpid", "rdtscp", "node_id", "getcpu_atomic", "getcpu_cas")
_KINDS = (
    ("x86_64", {"cpu": "Imagined Xeon @ 2.40GHz", "linux": "6.1.0-18-amd64", "libc": "glibc 2.36"}),
    ("x86_64", {"cpu": "Imagined Opteron, 16 cores", "linux": "5.10.0-28-amd64", "libc": "glibc 2.31"}),
    ("arm64", {"cpu": "Imagined Neoverse", "linux": "6.12.1-arm64", "libc": "glibc 2.40"}),
    ("arm32", {"cpu": "Imagined Cortex-A7", "linux": "6.6.20-rpi", "libc": "glibc 2.36"}),
)


def machine(measured: Mapping[str, Any], at: int) -> dict[str, Any]:
    """Return the pyperf file of machine `at`, from that of a run that was measured."""
    dice, (arch, _) = random.Random(at), _KINDS[at % len(_KINDS)]
    made = {**measured, "metadata": {**measured["metadata"], "arch": arch}, "benchmarks": []}
    for benchmark in measured["benchmarks"]:
        name = benchmark["metadata"]["benchmark"]
        if arch != "x86_64" and name.partition("/")[2] in _X86_ONLY:
            continue
        apart = 0.0 if name.startswith("control/") else _APART  # the same code twice, on every machine
        factor = dice.gauss(1 + at % 5 / 4, apart) * (_TIMES if name == _SLOW and at % _EVERY == 3 else 1)
        runs = list(_runs(benchmark["runs"], factor, dice))
        made["benchmarks"].append({**benchmark, "runs": runs})
    return made


def _runs(measured: Sequence[Mapping[str, Any]], factor: float, dice: random.Random) -> Iterator[dict[str, Any]]:
    for run in measured:
        own = factor * dice.gauss(1, _NOISE)
        yield {**run, **({"values": [value * own for value in run["values"]]} if "values" in run else {})}


def header(measured: Mapping[str, Any], at: int, label: str) -> dict[str, Any]:
    """Return the run.json of machine `at`."""
    made, (arch, facts) = copy.deepcopy(dict(measured)), _KINDS[at % len(_KINDS)]
    made["machines"][0]["arch"] = arch
    made["machines"][0]["facts"] |= {**facts, "cpus": 2 + at % 7, "kernels": f"{arch}-kernels"}
    made["plan"]["seed"] = _SEED
    if arch != "x86_64":
        gone = [case for case in made["plan"]["cases"] if case["benchmark"].partition("/")[2] in _X86_ONLY]
        made["plan"]["cases"] = [case for case in made["plan"]["cases"] if case not in gone]
        made["plan"]["skips"] += [
            {"benchmark": case["benchmark"], "threads": case["threads"], "reason": "x86-64 only"} for case in gone
        ]
    return {**made, "label": label}


def store(results: Path, source: str, machines: int) -> float:
    """Store a fleet of so many machines, grown from the run `source`; return how large one run is, in MB."""
    suite = json.loads((results / source / "pyperf.json").read_text(encoding="utf-8"))
    run = json.loads((results / source / "run.json").read_text(encoding="utf-8"))
    failed = {machines + at: why for at, why in _FAILED.items()}
    members = []
    for at, (place, label) in enumerate(
        fleets.assign_labels([f"board-{at:02}" for at in range(machines)], LABEL).items()
    ):
        members.append(Member(place, label, failed.get(at, "")))
        if at not in failed:
            (results / label).mkdir()
            atomic_io.write(results / label / "pyperf.json", json.dumps(machine(suite, at), indent=None))
            atomic_io.write(results / label / "run.json", json.dumps(header(run, at, label)))
            stored = Store(results).load(label)
            round_table.write(stored.folder, stored.header.machines, stored.header.plan, stored.samples())
    settings = config.load(paths.default_config())
    command = f"rseqbench fleet run --label {LABEL}"
    fleets.save_fleet(
        results, Fleet(LABEL, _CREATED, command, settings.run, settings.presets["default"], _SEED, tuple(members))
    )
    return (results / source / "pyperf.json").stat().st_size / 2**20


def taken(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Run a command in `folder`; return the seconds that all its processes had a CPU, and those that it took."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = tool_speed.timed(command, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, took


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = common.parser(__doc__)
    parser.add_argument("--machines", type=int, default=50)
    parser.add_argument("--count", type=int, default=5, help="how often each command runs (default: %(default)s)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the results and the page there")
    return parser.parse_args(argv)


def _measure(folder: Path, options: argparse.Namespace) -> list[tuple[str, float | None, float, str, bool]]:
    """Make the fleet, run the commands, print what they took; return the figures."""
    rseqbench = tool_speed.program()
    tool_speed.timed([*rseqbench, "run", "--label", "one", *(["--quick"] if options.quick else [])], folder)
    size = store(folder / "results", "one", options.machines)
    print(f"{options.machines} machines, each with a run of {number(size)} MB\n")
    rows = []
    for command in ("compare", "report"):
        each = [taken([*rseqbench, command, LABEL], folder) for _ in range(options.count)]
        cpu, wall = (statistics.median(column) for column in zip(*each, strict=True))
        print(f"{command}: of the CPUs {' '.join(number(one) for one, _ in each)} s, median {number(cpu)} s; "
              f"from call to end, median {number(wall)} s")  # fmt: skip
        rows.append((f"CPU of {command} of a fleet, median", cpu, TARGET_S, "s", False))
    page = folder / "reports" / f"{LABEL}.html"
    print(f"the page: {number(page.stat().st_size / 2**20)} MB")
    if options.keep:
        shutil.copytree(folder, options.keep)
    return rows


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _arguments(argv)
    if options.quick:
        options.machines, options.count = 10, 1
    print(*common.environment(common.GCC), "", sep="\n")
    try:
        with tempfile.TemporaryDirectory(prefix="rseqbench-page-") as folder:
            rows = _measure(Path(folder), options)
    except (tool_speed.SpeedError, subprocess.TimeoutExpired) as error:
        print(f"fleet_page: {error}", file=sys.stderr)
        return 1
    print(f"\n{common.figures(rows)}")
    return 0


if __name__ == "__main__":
    sys.exit(common.run(main))
