"""The pools, compiled, and programs that run under them."""

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rseqbench import paths
from rseqbench.build import architectures, products
from rseqbench.errors import BuildError

METHODS = ("rseq", "lsl_lock", "vdso_lock")
_HERE = Path(__file__).parent
# Every call of malloc() must be made, and some arguments are wrong on purpose.
_CFLAGS = ("-std=gnu11", "-O2", "-g", "-w", "-fno-builtin", "-pthread")


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


def counts(path):
    """Return the pools' counts that the processes of a program left in a file, a mapping each."""
    lines = [line.split() for line in path.read_text().splitlines()]
    return [{name: value for name, _, value in (word.partition("=") for word in line[1:])} for line in lines]


def need(program, package):
    """Return where a program is; skip the test, naming Debian's package, if it is nowhere."""
    return shutil.which(program) or pytest.skip(f"no {program}: apt-get install {package}")


def compiled(extra=()):
    """Compile the pools for this machine; skip the test where there is no jemalloc."""
    try:
        return Pools(products.pools(architectures.host(), extra).path)
    except BuildError as error:
        if products.JEMALLOC in error.message:
            pytest.skip(str(error))
        raise


@pytest.fixture(scope="session")
def pools(own_environment):
    """Return the pools as they are used."""
    return compiled()


@pytest.fixture(scope="session")
def slow_pools(own_environment):
    """Return the pools with each sequence and each lock held for some hundred nanoseconds."""
    return compiled(["-DPOOLS_STRESS=1"])


@pytest.fixture(params=METHODS)
def method(request):
    """Return each method that this machine has."""
    if request.param == "lsl_lock" and architectures.host().name != "x86_64":
        pytest.skip("lsl: x86 only")
    return request.param


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    """Return a function that compiles one of this folder's programs, or a library, and says where it is."""
    folder = tmp_path_factory.mktemp("programs")

    def make(name, *flags):
        target = folder / name
        if not target.exists():
            source = (_HERE / name).with_suffix(".c")
            include = f"-I{paths.kernels() / 'preload'}"
            subprocess.run(["gcc", *_CFLAGS, *flags, include, "-o", target, source], check=True)
        return target

    return make
