"""Which tests share a process where several processes test at once (pytest-xdist), and which of them begin first.

A file stays in one process, as its fixtures are worth keeping. Together stay those that build Linux, which is kept for
the session, and those that look at a place of the whole machine for what they may have left there: at /tmp for what ssh
and labgrid need, and the folder `libraries` at LTTng's, which no other has anything at.
"""

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_TOGETHER = {
    "linux": ("test_configurations", "test_linux_build", "test_vng"),
    "places": (
        "test_run_elsewhere",
        "test_board",
        "test_fleet",
        "test_labgrid",
        "test_labgrid_board",
        "test_target",
        "test_remote",
        "test_remote_failures",
        "test_faults",
    ),
}
_LIBRARIES = "libraries"  # a folder


def group(nodeid):
    """Return the group of a test by its id."""
    path = Path(nodeid.partition("::")[0])
    if path.parent.name == _LIBRARIES:
        return _LIBRARIES
    return next((name for name, files in _TOGETHER.items() if path.stem in files), str(path))


def longest_first(items):
    """Put the tests of the groups that take minutes before the others."""
    names = [*_TOGETHER, _LIBRARIES]
    items.sort(key=lambda item: names.index(name) if (name := group(item.nodeid)) in names else len(names))


class Scheduling(LoadScopeScheduling):
    """Hands out whole groups."""

    def _split_scope(self, nodeid):
        return group(nodeid)
