"""The same kernels, compiled with the same flags, under other tools; and what each tool makes of a ratio of two."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyperf
from common import Clock
from measuring import ratio, session, take

from rseqbench import paths
from rseqbench.analysis.patch_claims import ArchPair
from rseqbench.build import architectures, cache, products
from rseqbench.build.architectures import Arch
from rseqbench.model import Case

PEERS = Path(__file__).parent / "peers"
_COMMAND_MS = 100  # hyperfine times whole commands: long beside the millisecond that a process takes to start
_CHUNK_NS = 50_000


class ToolError(Exception):
    """A tool is not installed, or did not do its work; the words become its row."""


@dataclass(frozen=True)
class Sample:
    """What a tool says of one kernel: mean and standard deviation of its values, in a unit of its own."""

    mean: float
    deviation: float
    count: int


@dataclass(frozen=True)
class Ratio:
    """Slow over fast, with the interval that the tool's user would go by."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Job:
    """What every tool is asked to do: the kernels, and the ratios of them. `quick`: tiny counts."""

    kernels: tuple[str, ...]
    pairs: tuple[tuple[str, str], ...]
    quick: bool


def of_means(slow: Sample, fast: Sample, z: float = 1.96) -> Ratio:
    """Return the ratio of two means with its 95% interval, by the standard errors of both (delta method)."""
    errors = [s.deviation / s.mean / math.sqrt(s.count) for s in (slow, fast)]
    value, half = slow.mean / fast.mean, z * math.hypot(*errors)
    return Ratio(value, value * math.exp(-half), value * math.exp(half))


def of_commands(slow: Sample, fast: Sample) -> Ratio:
    """Return the ratio as hyperfine prints it: plus and minus one standard deviation of the quotient."""
    value = slow.mean / fast.mean
    half = value * math.hypot(slow.deviation / slow.mean, fast.deviation / fast.mean)
    return Ratio(value, value - half, value + half)


# ---- rseqbench's own engines ----


def engine(name: str, job: Job, clock: Clock) -> dict[tuple[str, str], Ratio]:
    """Measure by an engine of rseqbench, 20 rounds as its default preset."""
    found = {}
    with session(job.kernels, name, "quick" if job.quick else "default") as of:
        rounds = take(of, 6 if job.quick else 20, "none", clock)
        for slow, fast in job.pairs:
            estimate = ratio(of, rounds, ArchPair(of.arch, slow, fast, False, ""))
            if estimate is not None and estimate.low is not None and estimate.high is not None:
                found[slow, fast] = Ratio(estimate.value, estimate.low, estimate.high)
    if not found:
        raise ToolError(f"contended: no number ({rounds.done} rounds)")
    return found


# ---- the others ----


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rseqbench-peers-") as name:
        yield Path(name)


def _run(command: Sequence[str], clock: Clock, what: str) -> str:
    """Run a command until the deadline; raises ToolError with its own last words when it fails."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=max(1.0, clock.left))
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise ToolError(f"{what}: not done after {clock.spent:.0f} s") from error
        raise
    if process.returncode:
        words = [line for line in err.splitlines() if "error" in line] or err.splitlines() or ["no words"]
        raise ToolError(f"{what}: {words[0]}")
    return out


def compile_peer(arch: Arch, source: str, target: Path, libraries: Sequence[str] = ()) -> None:
    """Compile a program of peers/ around the kernels, which are one shared library with rseqbench's own flags.

    Raises ToolError when there is no compiler, or with its words.
    """
    plus = source.endswith(".cpp")
    names = [os.environ.get("CXX" if plus else "CC"), *(("g++", "clang++") if plus else arch.compilers)]
    cc = next((path for path in (shutil.which(name) for name in arch.compilers) if path), None)
    compiler = next((path for path in (shutil.which(name) for name in names if name) if path), None)
    if cc is None or compiler is None:
        raise ToolError(f"no compiler for {source}")
    library = products.library(arch).path
    root = paths.kernels()
    includes = [f"-I{folder}" for folder in (PEERS, root / "include", root / "core", root / "common", arch.folder)]
    shim = target.with_suffix(".shim.o")
    clock = Clock(120)
    _run([cc, *cache.CFLAGS, *arch.cflags, *includes, "-c", "-o", str(shim), str(PEERS / "shim.c")], clock, "shim.c")
    inputs = [str(PEERS / source), str(shim), str(library), *libraries]
    _run([compiler, "-O2", "-pthread", *includes, "-o", str(target), *inputs], clock, source)


def google(job: Job, clock: Clock, interleaved: bool = False) -> dict[tuple[str, str], Ratio]:
    """Measure with google/benchmark: ten repetitions of its default length, by CPU time as it counts by default."""
    if not any(Path(folder, "benchmark/benchmark.h").is_file() for folder in ("/usr/include", "/usr/local/include")):
        raise ToolError("not installed (apt-get install libbenchmark-dev g++)")
    with _folder() as folder:
        program, out = folder / "google", folder / "google.json"
        compile_peer(architectures.host(), "google.cpp", program, ["-lbenchmark"])
        command = [str(program), *job.kernels, f"--benchmark_repetitions={3 if job.quick else 10}"]
        command += [f"--benchmark_out={out}", "--benchmark_out_format=json"]
        command += ["--benchmark_enable_random_interleaving=true"] if interleaved else []
        command += ["--benchmark_min_time=0.01"] if job.quick else []
        _run(command, clock, "google/benchmark")
        raw = json.loads(out.read_text(encoding="utf-8"))
    return _ratios(job, google_samples(raw), of_means)


def google_samples(raw: Mapping[str, Any]) -> dict[str, Sample]:
    """Read google/benchmark's JSON: the repetitions of each benchmark, not its aggregates."""
    values: dict[str, list[float]] = {}
    for entry in raw["benchmarks"]:
        if entry.get("error_occurred"):
            raise ToolError(f"google/benchmark: {entry['name']}: {entry.get('error_message')}")
        if entry.get("run_type") == "iteration":
            values.setdefault(entry["run_name"], []).append(entry["cpu_time"])
    return {name: _sample(times) for name, times in values.items()}


def hyperfine(job: Job, clock: Clock) -> dict[tuple[str, str], Ratio]:
    """Measure with hyperfine: a command that does enough operations for a tenth of a second, its default run count."""
    if shutil.which("hyperfine") is None:
        raise ToolError("not installed (apt-get install hyperfine)")
    with _folder() as folder:
        program, out = folder / "command", folder / "hyperfine.json"
        compile_peer(architectures.host(), "command.c", program)
        with session(job.kernels) as of:
            loops = {name: of.target.calibrate(Case(name), of.plan, _CHUNK_NS) for name in job.kernels}
        times = (10 if job.quick else _COMMAND_MS) * 1_000_000 // _CHUNK_NS
        operations = {name: loops[name] * times for name in job.kernels}
        options = ["-N", "--style", "none", "--export-json", str(out), *(["--runs", "3"] if job.quick else [])]
        commands = [f"{program} {name} {operations[name]}" for name in job.kernels]
        _run(["hyperfine", *options, *commands], clock, "hyperfine")
        raw = json.loads(out.read_text(encoding="utf-8"))
    samples = {}
    for name, entry in zip(job.kernels, raw["results"], strict=True):
        per = [time / operations[name] for time in entry["times"]]
        samples[name] = _sample(per)
    return _ratios(job, samples, of_commands)


def pyperf_command(job: Job, clock: Clock) -> dict[tuple[str, str], Ratio]:
    """Measure by a script as pyperf's manual shows one, with all of pyperf's defaults."""
    with _folder() as folder:
        out = folder / "pyperf.json"
        module = products.extension(architectures.host()).path
        command = [sys.executable, str(PEERS / "runner.py"), "--module", str(module), "--quiet", "-o", str(out)]
        command += ["--kernels", ",".join(job.kernels)]
        command += ["-p", "2", "-n", "2", "-w", "1", "--min-time", "0.01"] if job.quick else []
        _run(command, clock, "pyperf")
        suite = pyperf.BenchmarkSuite.load(str(out))
        samples = {bench.get_name(): _sample(bench.get_values()) for bench in suite}
    return _ratios(job, samples, of_means)


def _sample(values: Sequence[float]) -> Sample:
    return Sample(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else math.nan, len(values))


def _ratios(job: Job, samples: Mapping[str, Sample], of: Any) -> dict[tuple[str, str], Ratio]:
    return {(slow, fast): of(samples[slow], samples[fast]) for slow, fast in job.pairs}
