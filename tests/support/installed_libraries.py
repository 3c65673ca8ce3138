"""What the tests of shipped libraries share: whether they are here, and copies of the kernels to break."""

import dataclasses
import os
import shutil

import pytest

from rseqbench import paths
from rseqbench.config import CheckOptions
from rseqbench.selection import LIBRARIES
from rseqbench.workloads.library import missing_packages

HARDNESS = CheckOptions(threads_per_cpu=4, disturbances=50, operations=20_000_000, timeout_s=60.0)


def needs(group):
    """Skip a test where a library is not installed."""
    lacking = missing_packages(LIBRARIES[group])
    return pytest.mark.skipif(bool(lacking), reason=f"apt-get install {' '.join(lacking)}")


def broken(folder, monkeypatch, file, right, wrong):
    """Copy the kernels with `right` replaced by `wrong` in one file, and have them compiled from now on."""
    kernels = shutil.copytree(paths.kernels(), folder / "kernels")
    source = (kernels / file).read_text(encoding="utf-8")
    assert right in source
    (kernels / file).write_text(source.replace(right, wrong), encoding="utf-8")
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(kernels))


def checked(target, name, **hardness):
    """Check one benchmark of an entered target."""
    benchmark = next(one for one in target.benchmarks() if one.name == name)
    assert not benchmark.unavailable, benchmark.unavailable
    return target.check(benchmark, dataclasses.replace(HARDNESS, **hardness))


def shared_memory():
    """Return what LTTng's programs have left in places of the whole machine."""
    places = ("/dev/shm", "/var/run/lttng")
    return {os.path.join(place, name) for place in places if os.path.isdir(place) for name in os.listdir(place)}
