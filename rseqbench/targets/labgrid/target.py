"""A board of a lab, `labgrid:PLACE`: its place is held as long as we measure, and reached by labgrid's SSHDriver."""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path
from types import TracebackType
from typing import Self

from rseqbench.build.architectures import Arch
from rseqbench.config import ResolvedOptions
from rseqbench.errors import TargetError, UsageError
from rseqbench.model import CommandLine, Facts
from rseqbench.targets.labgrid import client
from rseqbench.targets.labgrid.daemon import messages
from rseqbench.targets.labgrid.daemon.messages import LabgridError
from rseqbench.targets.ssh.command import SharedConnection, connection_error
from rseqbench.targets.ssh.target import SshTarget


class LabgridTarget(SshTarget):
    """The target `labgrid:PLACE`."""

    def __init__(self, arch: Arch, options: ResolvedOptions) -> None:
        """Take the architecture and how to run. Raises UsageError when no place is named."""
        super().__init__(arch, options, self._calling)
        self._name = options.target.partition(":")[2]
        if not self._name:
            raise UsageError("labgrid: names no place", "write labgrid:PLACE; labgrid-client places lists them")
        self._held: client.HeldPlace | None = None
        self._coordinator = options.coordinator  # where it is empty, labgrid's own choice, known when we are there
        self._ours = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Acquire the place, and start a runner at its board."""
        wait_s = client.FOREVER if self._options.wait else None
        with contextlib.ExitStack() as ours:
            lab = ours.enter_context(client.share_client(self._options.coordinator, self._options.environment))
            self._held = ours.enter_context(lab.hold(self._name, wait_s))
            self._coordinator = lab.coordinator
            super().__enter__()
            self._ours = ours.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the runner, and release the place."""
        try:
            super().__exit__(kind, error, trace)
        finally:
            self._ours.__exit__(kind, error, trace)

    def calls(self) -> list[CommandLine]:
        """Return the compiler's call, those of ssh, and what acquires and releases the place by hand."""
        acquire = [CommandLine("acquire the place", self._by_hand("acquire"), "by way of labgrid's library")]
        if self._options.wait:
            reserve = messages.client_command(self._coordinator, ("reserve", "--wait", f"name={self._name}"))
            acquire.insert(0, CommandLine("queue for the place, if it is held", reserve, "by way of labgrid's library"))
        release = CommandLine(
            "release the place", self._by_hand("release"), "by way of labgrid's library, whatever happens"
        )
        return [*acquire, *super().calls(), release]

    def _calling(self, controls: Path) -> SharedConnection:
        """Connect to the board, and return how ssh is called over the connection."""
        name, login = f"place {self._name}", shlex.join(self._by_hand("ssh", self._options.environment))
        if self._held is None:  # to be shown only
            words = ("ssh", "-F", "none", "-oControlPath=CONTROL", "-p", "PORT", "-l", "USER")
            return SharedConnection(name, words, "ADDRESS", login)
        try:
            found = self._held.connect()
        except LabgridError as refusal:
            if not refusal.words:
                raise
            error = connection_error(name, login, refusal.words, began=False)
            hint = f"{error.hint}; keys and times are in labgrid's environment, --environment"
            raise TargetError(error.message, hint) from refusal
        return SharedConnection(name, found.words, found.host, login)

    def _by_hand(self, what: str, environment: str = "") -> tuple[str, ...]:
        return messages.place_command(self._coordinator, self._name, (what,), environment)

    def _own_facts(self) -> Facts:
        assert self._held is not None
        tags = ", ".join(f"{key}={value}" for key, value in sorted(self._held.place.tags.items()))
        return Facts(
            place=self._name,
            place_tags=tags,
            coordinator=self._coordinator,
            labgrid_environment=self._options.environment,
        )
