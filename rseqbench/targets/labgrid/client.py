"""Our side of the daemon: which places there are, and holding some; for any number of threads at once."""

from __future__ import annotations

import contextlib
import json
import math
import secrets
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from rseqbench.errors import TargetError, UsageError
from rseqbench.model import LabPlace
from rseqbench.targets.labgrid.daemon import messages
from rseqbench.targets.labgrid.daemon.messages import LabgridError

_END_S = 90.0  # for the daemon to release what is held, the coordinator perhaps gone
_Key = tuple[str, str]


@dataclass(frozen=True)
class Connection:
    """An open connection to a board: `words` are ssh with its options, and `host` what it is given to connect to."""

    words: tuple[str, ...]
    host: str


class HeldPlace:
    """A place that is ours. It may be taken away: connect() raises then, and connections that are open are cut."""

    def __init__(self, client: LabClient, place: LabPlace) -> None:
        """Take the client that holds it."""
        self._client = client
        self.place = place

    def connect(self) -> Connection:
        """Open a connection to its board with labgrid's SSHDriver, in place of the one there was.

        Raises LabgridError when that fails, with ssh's words, or when the place is not ours any more.
        """
        found = self._client.ask("connect", place=self.place.name)
        return Connection(tuple(found["ssh"]), found["host"])


class LabClient:
    """A running daemon, as a context: it has one session with the coordinator for all places."""

    def __init__(self, coordinator: str, environment: str) -> None:
        """Take the coordinator, HOST:PORT, and the path of labgrid's environment; where empty, the daemon chooses."""
        self._command = [sys.executable, "-m", "rseqbench.targets.labgrid.daemon", coordinator, environment]
        self._lock = threading.Lock()
        self._writing = threading.Lock()  # not the same: the reader must go on while the daemon does not read
        self._waiting: dict[int, Future[Any]] = {}
        self._holding: set[tuple[str, str]] = set()  # by their keys, until the daemon has said that it is released
        self._number = 0
        self._ended = False
        self.coordinator = coordinator

    def __enter__(self) -> Self:
        """Start the daemon. Raises TargetError when there is no labgrid, or no coordinator."""
        hello = self._expect(0)
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; the daemon has to outlive us to release what we hold
        )
        self._reader = threading.Thread(target=self._read, name="labgrid-daemon", daemon=True)
        self._reader.start()
        try:
            self.coordinator = _result(hello)["coordinator"]
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have everything released that is still held, and wait for that."""
        self._close()

    def places(self) -> list[LabPlace]:
        """Return all places of the lab, by their names. Raises TargetError when the coordinator is gone."""
        return [_place(one) for one in self.ask("places")]

    @contextlib.contextmanager
    def hold(self, place: str, wait_s: float | None) -> Iterator[HeldPlace]:
        """Hold a place: acquire it, and release it at the end.

        With `wait_s`, queue that long for one that is held, which may be infinite; with None, do not. Raises UsageError
        when there is no such place, TargetError when anybody holds it, this user included, and at the end when the
        daemon is gone. Where only the coordinator is, the daemon releases it when that is back, or says at its end
        that it could not.
        """
        key = secrets.token_hex(8)  # so that nobody releases what another hold() of this process has
        try:
            held = HeldPlace(self, _place(self.ask("acquire", place=place, key=key, wait_s=wait_s)))
            self._holding.add((place, key))
            yield held
        except BaseException:
            with contextlib.suppress(TargetError):  # what went wrong before is what is to be told
                self._release(place, key)
            raise
        else:
            self._release(place, key)

    def ask(self, do: str, **arguments: Any) -> Any:
        """Return the daemon's answer to a request. Raises TargetError, UsageError when it was asked for nonsense."""
        with self._lock:
            self._number += 1
            number = self._number
        answer = self._expect(number)
        line = json.dumps({"id": number, "do": do, **arguments}) + "\n"
        try:
            with self._writing:
                assert self._process.stdin is not None
                self._process.stdin.write(line.encode())
                self._process.stdin.flush()
        except (OSError, ValueError) as error:  # it ended, or its input is closed
            raise _gone() from error
        return _result(answer)

    def cut(self) -> None:
        """Have all connections closed and everything released, so that whoever waits for a board comes back."""
        with self._writing, contextlib.suppress(OSError):
            assert self._process.stdin is not None
            self._process.stdin.close()

    def _expect(self, number: int) -> Future[Any]:
        answer: Future[Any] = Future()
        with self._lock:
            if self._ended:
                raise _gone()
            self._waiting[number] = answer
        return answer

    def _release(self, place: str, key: str) -> None:
        if self.ask("release", place=place, key=key):
            self._holding.discard((place, key))

    def _read(self) -> None:
        """Hand out the answers until the daemon ends."""
        assert self._process.stdout is not None
        with contextlib.suppress(ValueError):  # half a line, of one who was killed
            for line in self._process.stdout:
                answer = json.loads(line)
                with self._lock:
                    waiting = self._waiting.pop(answer["id"])
                waiting.set_result(answer)
        with self._lock:
            self._ended = True
            left, self._waiting = self._waiting, {}
        for waiting in left.values():
            waiting.set_exception(_gone())

    def _close(self) -> None:
        """Have everything released, wait for that, and say what may not be. The daemon goes on if we do not wait."""
        self.cut()
        try:
            done = self._process.wait(_END_S) == 0
        except subprocess.TimeoutExpired:
            done = False
        else:
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()
        for name, _ in () if done else sorted(self._holding):
            free = shlex.join(messages.place_command(self.coordinator, name, ("release",)))
            what = f"place {name} may still be held: the process that held it was killed, or hangs; to free it"
            print(f"rseqbench: {what}: {free}", file=sys.stderr)


def _gone() -> TargetError:
    return TargetError("the process that talks to labgrid is gone", "it was killed, or told to end")


def _result(answer: Future[Any]) -> Any:
    fields = answer.result()
    if "error" not in fields:
        return fields["ok"]
    if fields.get("usage"):
        raise UsageError(fields["error"], fields["hint"])
    raise LabgridError(fields["error"], fields["hint"], words=fields.get("words", ""))


def _place(raw: Mapping[str, Any]) -> LabPlace:
    return LabPlace(raw["name"], raw["tags"], raw["holder"], tuple(raw["resources"]))


_SHARED: dict[_Key, tuple[LabClient, int]] = {}
_SHARING = threading.Lock()
FOREVER = math.inf


@contextlib.contextmanager
def share_client(coordinator: str, environment: str) -> Iterator[LabClient]:
    """Yield the desk of this process for a coordinator, opened for the first who comes and closed after the last."""
    key = coordinator, environment
    with _SHARING:
        desk, users = _SHARED.get(key, (None, 0))
        if desk is None:
            desk = LabClient(coordinator, environment).__enter__()
        _SHARED[key] = desk, users + 1
    try:
        yield desk
    finally:
        with _SHARING:
            desk, users = _SHARED.pop(key)
            if users > 1:
                _SHARED[key] = desk, users - 1
            else:
                desk.__exit__(None, None, None)
