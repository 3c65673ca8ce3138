"""Linux without and with CONFIG_RSEQ, really built from Debian's source: once for all tests of a session."""

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import build, make
from tests.support.requirements import defaults

LIMIT_S = 1500  # minutes on two cores, charged to whichever test comes first


@pytest.fixture(scope="session")
def built_linuxes(own_environment):
    """Return the small Linux for x86_64 as a BuiltKernel, by its CONFIG_RSEQ, "n" and "y".

    Whoever asks for it is slow, and has the time that it takes.
    """
    arch = architectures.named("x86_64")
    lacking = make.find_missing_tools(arch.linux)
    if lacking:
        pytest.skip(f"Linux cannot be built here: apt-get install {' '.join(lacking.values())}")
    return {rseq: build.build_kernel(arch, defaults().linux, rseq, lambda done, of: None) for rseq in ("n", "y")}


def mark(items):
    """Mark the tests that need `built_linuxes`."""
    for item in items:
        if "built_linuxes" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.timeout(LIMIT_S))
