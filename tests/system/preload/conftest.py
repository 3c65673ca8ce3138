"""The pools, compiled, and programs that run under them."""

import subprocess
from pathlib import Path

import pytest

from rseqbench import paths
from rseqbench.build import architectures
from tests.support.pools import compile_pools

METHODS = ("rseq", "lsl_lock", "vdso_lock")
_HERE = Path(__file__).parent
# Every call of malloc() must be made, and some arguments are wrong on purpose.
_CFLAGS = ("-std=gnu11", "-O2", "-g", "-w", "-fno-builtin", "-pthread")


@pytest.fixture(scope="session")
def pools(own_environment):
    """Return the pools as they are used."""
    return compile_pools()


@pytest.fixture(scope="session")
def slow_pools(own_environment):
    """Return the pools with each sequence and each lock held for some hundred nanoseconds."""
    return compile_pools(["-DPOOLS_STRESS=1"])


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
