"""Another machine, `ssh:[USER@]HOST[:PORT]`, reached by the user's own ssh."""

from __future__ import annotations

from rseqbench.arches import Arch
from rseqbench.config import RunOptions
from rseqbench.targets.far import Far
from rseqbench.targets.remote import client


class Ssh(Far):
    """The target `ssh:DESTINATION`."""

    def __init__(self, arch: Arch, options: RunOptions) -> None:
        """Take the architecture of the machine there and how to run. Raises UsageError for a malformed destination."""
        super().__init__(arch, options, client.own(options.target.partition(":")[2]))
