"""What all tests share: an environment that holds nothing of the developer's own."""

import os
import signal
import tempfile
from pathlib import Path

import hypothesis
import pytest

from tests.support import built_kernels, scheduling
from tests.support.arm_board import arm_board  # noqa: F401 - a fixture
from tests.support.built_kernels import built_linuxes  # noqa: F401 - a fixture
from tests.support.commands import kill_processes_with
from tests.support.sshd import sshd  # noqa: F401 - a fixture

_HERE = Path(__file__).parent
_SESSION_MARK = "RSEQBENCH_TEST_SESSION"  # in the environment of all that a session starts,
_TEST_MARK = "RSEQBENCH_TEST_ID"  # and of all that one test starts
_FOREIGN = (
    "CC",
    "COLUMNS",
    "FORCE_COLOR",
    "GLIBC_TUNABLES",
    "LG_COORDINATOR",
    "LG_ENV",
    "LG_HOSTNAME",
    "LG_PROXY",
    "LG_USERNAME",
    "NO_COLOR",
    "RSEQBENCH_KERNELS",
    "RSEQBENCH_SSH",
    "TTY_COMPATIBLE",
)

# A busy machine is no failure of what is tested.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")


def pytest_addoption(parser):
    """Add the option that records golden files."""
    parser.addoption("--update-golden", action="store_true", help="record tests/data/golden/ anew, and review the diff")


def pytest_configure():
    """Let children end at Ctrl-C again where we were started with SIGINT ignored, as `nohup make test &` does."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """Kill what a test that fails leaves behind, so that it fails no other one."""
    os.environ[_TEST_MARK] = f"{os.getpid()} {item.nodeid}"
    try:
        return (yield)
    except BaseException:
        kill_processes_with(f"{_TEST_MARK}={os.environ[_TEST_MARK]}\0")
        raise
    finally:
        del os.environ[_TEST_MARK]


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory):
    """Compile into a cache of this session, and let no setting of the developer's reach what is tested.

    Temporary files lie in a folder of the session, where tests look for what is left and find nobody else's.
    """
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="rq-") as temporary:
        Path(temporary).chmod(0o1777)  # as /tmp is: some tests run as another user
        patch.setenv("TMPDIR", temporary)
        patch.setattr(tempfile, "tempdir", temporary)
        patch.setenv("XDG_CACHE_HOME", str(cache))
        patch.setenv(_SESSION_MARK, temporary)
        for name in _FOREIGN:
            patch.delenv(name, raising=False)
        yield
        kill_processes_with(f"{_SESSION_MARK}={temporary}\0")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Mark each test with its tier, and those that need a Linux to be built; begin with those that take longest."""
    for item in items:
        item.add_marker(item.path.relative_to(_HERE).parts[0])
    built_kernels.mark(items)
    scheduling.longest_first(items)


def pytest_xdist_make_scheduler(config, log):
    """Have several processes take whole groups of tests."""
    return scheduling.Scheduling(config, log)
