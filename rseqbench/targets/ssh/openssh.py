"""Another machine, `ssh:[USER@]HOST[:PORT]`, reached by the user's own ssh."""

from __future__ import annotations

from rseqbench.build.architectures import Arch
from rseqbench.config import RunOptions
from rseqbench.targets.ssh import command
from rseqbench.targets.ssh.target import Far


class Ssh(Far):
    """The target `ssh:DESTINATION`."""

    def __init__(self, arch: Arch, options: RunOptions) -> None:
        """Take the architecture of the machine there and how to run. Raises UsageError for a malformed destination."""
        super().__init__(arch, options, command.own(options.target.partition(":")[2]))
