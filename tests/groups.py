"""Which tests share a process where several processes test at once (pytest-xdist), and which of them begin first.

A file stays in one process, as its fixtures are worth keeping. Together stay those that build Linux, which is kept for
the session, and those that look at places of the whole machine for what they may have left there.
"""

from pathlib import Path

import pytest

_LINUX = ("test_configurations", "test_linux_build", "test_vng")
_PLACES = ("test_run_elsewhere", "test_board", "test_target", "test_remote", "test_remote_failures")
_FOLDER_OF_PLACES = "libraries"


def arrange(items):
    """Put each test into its group, and the groups that take longest first."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    items.sort(key=lambda item: ["linux", "places"].index(name) if (name := _group(item)) in ("linux", "places") else 2)


def _group(item):
    path = Path(item.path)
    if path.stem in _LINUX or "built_linuxes" in getattr(item, "fixturenames", ()):
        return "linux"
    if path.stem in _PLACES or path.parent.name == _FOLDER_OF_PLACES:
        return "places"
    return str(path)
