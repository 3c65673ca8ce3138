"""Threads of a check, a timed run and a gated round that cannot be started: an error, after which all goes on."""

import os
import re
import subprocess
import sys

from rseqbench.build import architectures, products

# Each of these is refused for want of memory for the stacks; afterwards the same process does it all the same.
STARVED = """
import pathlib, resource, sys
from rseqbench.targets.native.worker import CompiledBenchmarks

kernels = CompiledBenchmarks(pathlib.Path(sys.argv[1]), "auto")
cpu = int(sys.argv[2])
rounds = dict(kernels=["counter/shared_atomic"], wanted=[1], loops=[1000], cpus=[cpu], fastest=0, limit_ms=2000, seed=1)

def check(threads):
    answer = kernels.check("counter/shared_atomic", threads, 100000, 0, False)
    if not answer["passed"]:
        raise RuntimeError(answer["message"])

def measure(threads):
    kernels.time("counter/shared_atomic", threads, [cpu])(1000)

def gate(threads):
    kernels.gate(dict(rounds, threads=[threads], capacity=100))

limits = resource.getrlimit(resource.RLIMIT_AS)
for work in check, measure, gate:
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20), limits[1]))
    try:
        work(64)
    except RuntimeError as error:
        print(error)
    resource.setrlimit(resource.RLIMIT_AS, limits)
    work(4)
"""


def test_threads_that_cannot_be_started_are_an_error_and_the_process_goes_on():
    extension = products.extension(architectures.host()).path
    command = [sys.executable, "-c", STARVED, str(extension), str(min(os.sched_getaffinity(0)))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"(cannot start thread \d+ of 64\n){3}", done.stdout), done.stdout
