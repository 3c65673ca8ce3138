"""The pools library, compiled, and the programs that run under it."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rseqbench.build import architectures, products
from rseqbench.errors import BuildError


@dataclasses.dataclass(frozen=True)
class Pools:
    """A compiled pools library; what runs under it."""

    path: Path

    def environment(self, method, before=(), more=(), **settings):
        """Return the environment of a process under the pools; other libraries are loaded `before` them, or `more`."""
        preloaded = " ".join(map(str, (*before, self.path, *more)))
        return {**os.environ, "LD_PRELOAD": preloaded, "RSEQBENCH_POOLS": method, **settings}

    def run(self, command, method, **settings):
        """Run a command to its end and return it, whatever came of it; settings as for environment()."""
        environment = self.environment(method, **settings)
        return subprocess.run(
            list(map(str, command)), env=environment, capture_output=True, text=True, check=False, timeout=120
        )


def read_counts(path):
    """Return the pools' counts that the processes of a program left in a file, a mapping each."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return [{name: value for name, _, value in (word.partition("=") for word in line[1:])} for line in lines]


def require_program(program, package):
    """Return where a program is; skip the test, naming Debian's package, if it is nowhere."""
    return shutil.which(program) or pytest.skip(f"no {program}: apt-get install {package}")


def compile_pools(extra=()):
    """Compile the pools for this machine; skip the test where there is no jemalloc."""
    try:
        return Pools(products.pools(architectures.host(), extra).path)
    except BuildError as error:
        if products.JEMALLOC in error.message:
            pytest.skip(str(error))
        raise


ROUNDS = 20000
THREADS = 4 * (os.cpu_count() or 1)


def run_crowd(pools, program, method, *disturbed, **settings):
    return pools.run([program("crowd"), THREADS, ROUNDS, *disturbed], method, **settings)


def run_steal(pools, program, method):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    return pools.run([program("steal"), 1000], method)
