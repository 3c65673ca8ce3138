"""labgrid's environment file: which coordinator, and the settings of a place's SSHDriver."""

from __future__ import annotations

import os
from typing import Any

from labgrid import Environment, target_factory

from rseqbench.targets.labgrid.daemon.errors import Refused

_DRIVER = "SSHDriver"
_DEFAULT = "127.0.0.1:20408"


class Settings:
    """What an environment file says; one with no path is that in $LG_ENV, and without that there is nothing said."""

    def __init__(self, path: str) -> None:
        """Read it. Raises Refused when it cannot be read or is malformed."""
        self.path = path or os.environ.get("LG_ENV", "")
        self.environment: Environment | None = None
        if not self.path:
            return
        if not os.access(self.path, os.R_OK):
            raise Refused(f"cannot read the labgrid environment {self.path}", "is the path right?", usage=True)
        try:
            self.environment = Environment(self.path)
            self._targets = {
                role: target_factory.normalize_config(config)
                for role, config in (self.environment.config.get_targets() or {}).items()
            }
        except Exception as error:  # its parser, its checks and its imports each throw their own
            why = " ".join(str(error).split())
            raise Refused(f"{self.path}: no labgrid environment: {why}", "see labgrid's manual", usage=True) from error

    def coordinator(self, given: str) -> str:
        """Return the coordinator: the one that was `given`, else the file's, else $LG_COORDINATOR, else this machine's.

        It is the order of labgrid-client.
        """
        of_file = self.environment.config.get_option("coordinator_address", "") if self.environment else ""
        return given or of_file or os.environ.get("LG_COORDINATOR", "") or _DEFAULT

    def ssh(self) -> str:
        """Return the command that is ssh."""
        return str(self.environment.config.get_tool("ssh")) if self.environment else "ssh"

    def driver(self, place: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the settings of a place's SSHDriver and its bindings.

        They are those of the target whose RemotePlace names it. Where none does, those that all targets agree on, so
        that a lab with one key needs one target only. Raises Refused where they do not agree.
        """
        if self.environment is None:
            return {}, {}
        for resources, drivers in self._targets.values():
            if place in resources.get("RemotePlace", {}):
                return next(iter(drivers.get(_DRIVER, {}).values()), ({}, {}))
        found: list[tuple[dict[str, Any], dict[str, str]]] = []
        for _, drivers in self._targets.values():
            found += [one for one in drivers.get(_DRIVER, {}).values() if one not in found]
        if len(found) > 1:
            hint = "give it a target whose RemotePlace has that name"
            raise Refused(f"{self.path}: no target is for place {place}, and their SSHDrivers differ", hint, usage=True)
        return found[0] if found else ({}, {})
