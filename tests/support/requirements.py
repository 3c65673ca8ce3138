"""What the tests need to know of the machine they run on, and targets on it."""

import os
import platform

import pytest

from rseqbench import config, paths
from rseqbench.build import architectures
from rseqbench.host import rseq_support
from rseqbench.targets import resolve
from rseqbench.targets.native.target import NativeTarget

x86_only = pytest.mark.skipif(platform.machine() not in ("x86_64", "amd64"), reason="code for x86-64")
two_cpus = pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="needs two CPUs to move between")
some_rseq = pytest.mark.skipif(bool(rseq_support.probe_rseq()), reason="this Linux refuses the rseq system call")
libc_rseq = pytest.mark.skipif(
    rseq_support.read_libc_rseq_size() is None, reason="this C library knows no rseq (glibc < 2.35)"
)


def defaults():
    """Return the built-in configuration."""
    return config.load(paths.default_config())


def native(**options):
    """Return the target `native` with these options of [run], not yet entered."""
    return NativeTarget(architectures.host(), resolved(**options))


def resolved(**options):
    """Return the built-in options with these in their place, resolved for this machine."""
    config = defaults()
    return resolve.resolve_options(config.options(None, options), config.linux, options.get("engine", ""))
