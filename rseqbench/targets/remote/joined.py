"""Calls of ssh over a connection that somebody else has opened and keeps open."""

from __future__ import annotations

from dataclasses import dataclass

from rseqbench.errors import TargetError
from rseqbench.targets.ssh import command as client

# Over the open connection there is no proxy; without it, ssh would make one of its own, by other settings.
_NO_OTHER = ("-oControlMaster=no", "-oProxyCommand=false")


@dataclass(frozen=True)
class Joined:
    """How ssh is called for a machine to which a connection is open.

    destination: what it is called in errors; words: ssh with its options, the control socket among them; host: what
    it is given to connect to; login: what a person types to log in there.
    """

    destination: str
    words: tuple[str, ...]
    host: str
    login: str

    def command(self, remote: str, first: bool) -> list[str]:
        """Return the call of ssh that runs the command line `remote`."""
        return [*self.words, *client.ALWAYS, *_NO_OTHER, "--", self.host, remote]

    def by_hand(self) -> str:
        """Return what a person types to log in there."""
        return self.login

    def missing(self) -> TargetError:
        """Return the error for an ssh that is not there."""
        return client.missing(self.words[0])
