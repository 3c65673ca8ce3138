"""A lab of labgrid on loopback: a real coordinator, real exporters, and places whose boards are real sshds."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
from labgrid.remote.generated.labgrid_coordinator_pb2 import DeletePlaceRequest
from labgrid.remote.generated.labgrid_coordinator_pb2_grpc import CoordinatorStub

from tests.support.commands import processes_with
from tests.support.sshd import USER, descendants, eventually, free_port

MARK = "RSEQBENCH_TEST_LAB"
_BIN = Path(sys.executable).parent
_SERVICE = """\
{place}:
  NetworkService: {{address: 127.0.0.1, port: {port}, username: {user}}}
"""
_TARGET = """\
  {place}:
    resources:
      RemotePlace: {{name: {place}}}
    drivers:
      SSHDriver: {{keyfile: {keyfile}, connection_timeout: {patience_s}}}
"""


class Lab:
    """A running coordinator. `environment` is the path of labgrid's file for all places, `address` is HOST:PORT."""

    def __init__(self, folder):
        """Start it, its files in the new folder `folder`; there are no places yet."""
        self.folder = folder
        folder.mkdir()
        self.environment = folder / "env.yaml"
        self.environment.write_text("targets:\n")
        self._exporters, self._places = {}, {}
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        """Start the coordinator, and what an exporter and a place need that are not there then."""
        command = [_BIN / "labgrid-coordinator", "-l", self.address]
        self.coordinator = self._spawn("coordinator", command)
        assert eventually(lambda: "Coordinator ready" in self._said("coordinator")), self._said("coordinator")
        for name in {exporter for exporter, _ in self._places.values()}:
            self.export(name)
        for place in self._places:
            self.create(place)

    def kill(self):
        """Kill the coordinator, and the exporters, which end without it."""
        for process in [self.coordinator, *self._exporters.values()]:
            _kill(process)
        self._exporters.clear()

    def saved(self):
        """Wait until the coordinator has saved its places, so that it has them when it is started again."""
        file = self.folder / "places.yaml"
        assert eventually(lambda: file.exists() and all(f"{place}:" in file.read_text() for place in self._places), 30)

    def add(self, *places, port, keyfile, user=USER, patience_s=10.0, **tags):
        """Add places for the sshd on a port, with an exporter of their own, which is named by the first of them.

        For `patience_s`, it is tried to connect to their board.
        """
        settings = {"keyfile": keyfile, "patience_s": patience_s}
        services = [_SERVICE.format(place=place, port=port, user=user) for place in places]
        (self.folder / f"{places[0]}.yaml").write_text("".join(services))
        with self.environment.open("a") as environment:
            environment.writelines(_TARGET.format(place=place, **settings) for place in places)
        self._places |= dict.fromkeys(places, (places[0], [f"{key}={value}" for key, value in tags.items()]))
        self.export(places[0])
        for place in places:
            self.create(place)

    def create(self, place):
        """Create a place in the coordinator, unless it is there."""
        exporter, tags = self._places[place]
        if place not in self.client("places").split():
            self.client("-p", place, "create")
            self.client("-p", place, "add-match", f"{exporter}/{place}/NetworkService")
            if tags:
                self.client("-p", place, "set-tags", *tags)

    def usable(self, place):
        """Wait until a place can be acquired: what a deleted one held is released by and by."""
        assert eventually(lambda: self._client("-p", place, "acquire").returncode == 0, 60)
        self.client("-p", place, "release")

    def delete(self, place):
        """Delete a place, held or not; labgrid-client would not delete one that is held."""
        with grpc.insecure_channel(self.address) as channel:
            CoordinatorStub(channel).DeletePlace(DeletePlaceRequest(name=place))

    def export(self, name):
        """Start an exporter."""
        command = [_BIN / "labgrid-exporter", "-c", self.address, "-n", name, "--hostname", "localhost"]
        self._exporters[name] = self._spawn(name, [*command, self.folder / f"{name}.yaml"])
        assert eventually(lambda: f"{name}/{name}/NetworkService" in self.client("resources")), self._said(name)

    def withdraw(self, name):
        """Kill an exporter."""
        _kill(self._exporters.pop(name))
        assert eventually(lambda: f"{name}/{name}/NetworkService" not in self.client("resources"))

    def freeze(self, name):
        """Have an exporter answer nothing more; it can only be withdrawn then."""
        self._exporters[name].send_signal(signal.SIGSTOP)

    def asked(self, place):
        """Return how often the coordinator was asked to acquire or release a place since it began."""
        return self._said("coordinator").count(f'placename: "{place}"')

    def client(self, *arguments, user=None, code=0):
        """Run labgrid-client, as another user if one is named, and return what it printed."""
        done = self._client(*arguments, user=user)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def _client(self, *arguments, user=None):
        return subprocess.run(
            [_BIN / "labgrid-client", "-x", self.address, *arguments],
            env={**os.environ, "LG_ENV": "", **({"LG_USERNAME": user} if user else {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def holder(self, place):
        """Return who holds a place, HOST/USER, empty when it is free."""
        shown = self.client("-p", place, "show")
        line = next(line for line in shown.splitlines() if line.strip().startswith("acquired:"))
        found = line.partition(":")[2].strip()
        return "" if found == "None" else found

    def stop(self):
        """End all of it, and what was started with its mark and is still there."""
        self.kill()
        for process in processes_with(self.mark):
            if process != os.getpid():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        assert eventually(lambda: set(processes_with(self.mark)) <= {os.getpid()})

    def all_free(self):
        """Whether nobody holds a place, and nobody queues for one."""
        return not any(map(self.holder, self._places)) and "Reservation" not in self.client("reservations")

    def free(self):
        """Release all places, whoever holds them."""
        for place in self._places:
            if self.holder(place):
                self.client("-p", place, "release", "--kick")

    @property
    def mark(self):
        """What the processes of the lab have in their environment."""
        return f"{MARK}={self.folder}\0"

    def _said(self, name):
        return (self.folder / f"{name}.log").read_text()

    def _spawn(self, name, command):
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, MARK: str(self.folder), "PYTHONWARNINGS": "ignore", "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def daemons(mark):
    """Return the ids of the daemon processes that carry `mark` in their environment."""
    return [p for p in processes_with(mark) if b"rseqbench.targets.labgrid.daemon" in _command(p)]


def _command(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:  # it ended meanwhile
        return b""


def _kill(process):
    for one in [*descendants(process.pid), process.pid]:
        try:
            os.kill(one, 9)
        except ProcessLookupError:
            continue
    process.wait()
