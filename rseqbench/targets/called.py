"""What reaching a runner takes, as command lines that can be looked at without being executed."""

from __future__ import annotations

import abc
from pathlib import Path

from rseqbench.build import products
from rseqbench.build.architectures import Arch
from rseqbench.model import Call


class Called(abc.ABC):
    """A target that is reached by command lines, of which each is made in one place, to be executed or to be shown."""

    def __init__(self, arch: Arch) -> None:
        """Take the architecture."""
        self._arch = arch

    @abc.abstractmethod
    def _connecting(self, program: Path) -> list[Call]:
        """Return the command lines that start the runner `program` at its place."""

    def calls(self) -> list[Call]:
        """Return the compiler's call, and those that start the runner."""
        compiled = products.runner_call(self._arch)
        return [compiled, *self._connecting(products.runner_path(self._arch) if compiled.words else Path("RUNNER"))]
