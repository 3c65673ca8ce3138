"""Unit tests start no process and no compiler: one that does fails, and belongs in tests/integration."""

import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_STARTS = {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"}
_running = False


def _refuse_process(event, arguments):
    if _running and event in _STARTS:
        pytest.fail(f"a unit test starts a process: {event} {arguments[:2]}")


sys.addaudithook(_refuse_process)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    """Refuse processes while a test of this folder runs, and while its fixtures are made."""
    global _running  # noqa: PLW0603
    _running = item.path.is_relative_to(_HERE)
    try:
        return (yield)
    finally:
        _running = False
