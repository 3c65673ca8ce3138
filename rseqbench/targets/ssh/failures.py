"""What OpenSSH said when a connection failed -> one line for a person, with what to do."""

from __future__ import annotations

import re
import signal
from collections.abc import Mapping

from rseqbench.errors import TargetError
from rseqbench.support.process import ending

CONNECTION = 255  # the exit code of ssh itself; all others are the remote command's

# In this order: a pattern in ssh's words, what it means, what to do. {host} is the destination, {login} a call by hand.
_CAUSES = (
    (
        "HOST IDENTIFICATION HAS CHANGED",
        "{host} shows another host key than before",
        "find out why; then remove the old one with the ssh-keygen -R that this shows, and accept the new: {login}",
    ),
    (
        "Host key verification failed|host key is known",
        "the host key of {host} is not known here",
        "log in once by hand to compare and accept it: {login}",
    ),
    ("Could not resolve hostname", "there is no host {host}", "is the name right? try: {login}"),
    ("Connection refused", "{host} refuses connections", "is an sshd running there, on that port?"),
    (
        "Permission denied",
        "{host} wants a password or another key",
        "no password can be typed here: set up a key with ssh-copy-id, or ssh-add yours; it works when this asks "
        "nothing: {login}",
    ),
    ("[Tt]imed out|No route to host|unreachable", "{host} does not answer", "is it on, and in this network?"),
)


def connection(host: object, login: str, words: str, began: bool) -> TargetError:
    """Return the error for ssh's exit code 255 from all it said: the connection was lost, or never `began`."""
    if began:
        return TargetError(f"connection to {host} lost{_said(words)}", "is it still on, and in this network?")
    for pattern, what, advice in _CAUSES:
        if re.search(pattern, words):
            return TargetError(f"{what.format(host=host)}{_said(words)}", advice.format(login=login))
    return TargetError(f"cannot connect to {host}{_said(words)}", f"try: {login}")


def command(host: object, what: str, code: int, words: str, meanings: Mapping[int, tuple[str, str]]) -> TargetError:
    """Return the error for a remote command `what` that ended; `meanings` of its exit codes are message and hint."""
    if code in meanings:
        message, hint = meanings[code]
        return TargetError(f"{host}: {message}{_said(words)}", hint)
    return TargetError(f"{what} on {host} ended with {_code(code)}{_said(words)}")


def last(words: str) -> str:
    """Return the last line that says something."""
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _said(words: str) -> str:
    said = last(words)
    return f" ({said})" if said else ""


def _code(code: int) -> str:
    if code < 0:
        return f"{ending(code)} of ssh here"
    try:
        return signal.Signals(code - 128).name  # how a shell tells that a signal ended it
    except ValueError:
        return f"exit code {code}"
