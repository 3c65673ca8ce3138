"""Which tests share a process where several processes test at once (pytest-xdist), and which of them begin first.

A file stays in one process, as its fixtures are worth keeping. Together stay those that build Linux, which is kept for
the session, and those that look at a place of the whole machine for what they may have left there: at /tmp for what ssh
and labgrid need, and tests/system/libraries at LTTng's, which no other has anything at.
"""

from pathlib import Path

from xdist.scheduler import LoadScopeScheduling

_TOGETHER = {
    "kernels": ("system/kernels",),
    "places": ("system/labgrid", "system/targets", "integration/targets"),
    "libraries": ("system/libraries",),
}


def group(nodeid):
    """Return the group of a test by its id."""
    path = Path(nodeid.partition("::")[0])
    folder = "/".join(path.parts[1:3])
    return next((name for name, folders in _TOGETHER.items() if folder in folders), str(path))


def longest_first(items):
    """Put the tests of the groups that take minutes before the others."""
    names = list(_TOGETHER)
    items.sort(key=lambda item: names.index(name) if (name := group(item.nodeid)) in names else len(names))


class Scheduling(LoadScopeScheduling):
    """Hands out whole groups."""

    def _split_scope(self, nodeid):
        return group(nodeid)
