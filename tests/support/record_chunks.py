"""Record the chunks of gated rounds under load, for tests/unit/measure/test_recorded_chunks.py to replay.

    python tests/support/record_chunks.py tests/data/chunks-loaded.json.gz
    python tests/support/record_chunks.py --load "" /tmp/chunks-quiet.json.gz

What is stored is what the target answered, before anything was accepted or rejected: for each round the fastest probe,
the tick in ns, the share of the time inside chunks, and for each kernel its chunks as [ns/op, probe before, probe
after, disturbed]. A new recording needs new numbers in the test; it prints them. Nothing of the machine is stored.
"""

import argparse
import contextlib
import gzip
import json
import shlex
import subprocess
import time
from pathlib import Path

import numpy as np

from rseqbench import config, paths
from rseqbench.build import architectures
from rseqbench.measure.engines import gated
from rseqbench.model import Case, Plan
from rseqbench.store import samples
from rseqbench.targets import resolve
from rseqbench.targets.native.target import NativeTarget

KERNELS = (
    "control/atomic_a",
    "control/atomic_b",
    "control/syscall_a",
    "control/syscall_b",
    "counter/rseq",
    "counter/rseq_atomic",
    "counter/vdso_atomic",
    "cpu_id/baseline",
    "cpu_id/getcpu_vdso",
    "cpu_id/rseq",
    "cpu_id/sched_getcpu_norseq",
)


class Recorder:
    """A target that keeps what another one answers to gated rounds."""

    def __init__(self, target):
        self._target = target
        self.answers = []

    def __getattr__(self, name):
        return getattr(self._target, name)

    def calibrate(self, *arguments):
        return self._target.calibrate(*arguments)

    def gate(self, *arguments):
        self.answers.append(self._target.gate(*arguments))
        return self.answers[-1]


@contextlib.contextmanager
def loaded(command):
    """Run a command that loads the machine meanwhile, if it is not empty."""
    if not command:
        yield
        return
    load = subprocess.Popen(shlex.split(command), stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield
    finally:
        load.terminate()
        load.wait()


def record(rounds):
    """Return the answers to the rounds of a run of all kernels."""
    settings = config.load(paths.default_config())
    options = resolve.resolve_options(settings.run, settings.linux, "gated")
    with NativeTarget(architectures.host(), options) as native:
        target, engine = Recorder(native), gated.GatedEngine()
        cases = [Case(name, 1, native.registration()) for name in KERNELS]
        plan = Plan(tuple(cases), (), rounds, 1, 1.0, 1, "gated", "default", native.cpus())
        engine.prepare(target, plan, cases)
        for number in range(rounds):
            begin = time.monotonic()
            target.new_round()
            list(engine.round(target, plan, number, cases))
            time.sleep(max(0.0, begin + engine.pause_s() - time.monotonic()))
        return target.answers[-rounds:]


def as_stored(answer):
    """Return a round as it is stored."""
    chunks = [[[float(f"{c.value:.6g}"), c.before, c.after, int(c.disturbed)] for c in cs] for cs in answer.chunks]
    tick, inside = (round(value, 6) for value in (answer.ns_per_tick, answer.inside))
    return {"fastest": answer.fastest, "ns_per_tick": tick, "inside": inside, "chunks": chunks}


def describe(answers):
    """Print what the test has to know of a recording."""
    fastest = min(answer.fastest for answer in answers)
    print(f"fastest probe {fastest}; ns/op, rounds with a value, chunks that are quiet, busy, disturbed, mixed:")
    for name, rounds in zip(KERNELS, zip(*(answer.chunks for answer in answers), strict=True), strict=True):
        found = [gated.classify_chunks(chunks, fastest) for chunks in rounds]
        valid = [samples.round_value(one.quiet, "gated") for one in found if len(one.quiet) >= samples.FEWEST_CHUNKS]
        counts = [
            sum(counts)
            for counts in zip(*((len(s.quiet), len(s.busy), s.disturbed, s.mixed) for s in found), strict=True)
        ]
        print(f"{name:28} {np.median(valid) if valid else 0:9.5f} {len(valid):3} {counts}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--load", default="stress-ng --quiet --cpu 2 --switch 8", help="what loads the machine; empty for nothing"
    )
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    with loaded(options.load):
        answers = record(options.rounds)
    stored = {"kernels": KERNELS, "rounds": [as_stored(answer) for answer in answers]}
    options.file.write_bytes(gzip.compress(json.dumps(stored, separators=(",", ":")).encode(), mtime=0))
    describe(answers)


if __name__ == "__main__":
    main()
