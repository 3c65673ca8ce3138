"""A lab of labgrid on loopback: a real coordinator, real exporters, and places whose boards are real sshds."""

import os
import subprocess
import sys
from pathlib import Path

from tests.commands import processes_with
from tests.sshd import USER, descendants, eventually, free_port

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
      SSHDriver: {{keyfile: {keyfile}, connection_timeout: 3.0}}
"""


class Lab:
    """A running coordinator. `environment` is the path of labgrid's file for all places, `address` is HOST:PORT."""

    def __init__(self, folder):
        """Start it, its files in the new folder `folder`; there are no places yet."""
        self.folder = folder
        folder.mkdir()
        self.environment = folder / "env.yaml"
        self.environment.write_text("targets:\n")
        self._exporters, self._tags = {}, {}
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.start()

    def start(self):
        """Start the coordinator, and what an exporter and a place need that are not there then."""
        command = [_BIN / "labgrid-coordinator", "-l", self.address]
        self.coordinator = self._spawn("coordinator", command)
        assert eventually(lambda: "Coordinator ready" in self._said("coordinator")), self._said("coordinator")
        for place in self._tags:
            self.export(place)
            self.create(place)

    def kill(self):
        """Kill the coordinator, and the exporters, which end without it."""
        for process in [self.coordinator, *self._exporters.values()]:
            _kill(process)
        self._exporters.clear()

    def saved(self):
        """Wait until the coordinator has saved its places, so that it has them when it is started again."""
        file = self.folder / "places.yaml"
        assert eventually(lambda: file.exists() and all(f"{place}:" in file.read_text() for place in self._tags), 30)

    def add(self, place, port, keyfile, user=USER, **tags):
        """Add a place, with an exporter of its own, for the sshd on a port."""
        file = self.folder / f"{place}.yaml"
        file.write_text(_SERVICE.format(place=place, port=port, user=user))
        with self.environment.open("a") as environment:
            environment.write(_TARGET.format(place=place, keyfile=keyfile))
        self._tags[place] = [f"{key}={value}" for key, value in tags.items()]
        self.export(place)
        self.create(place)

    def create(self, place):
        """Create a place in the coordinator, unless it is there."""
        if place not in self.client("places").split():
            self.client("-p", place, "create")
            self.client("-p", place, "add-match", f"{place}-exporter/{place}/NetworkService")
            if self._tags[place]:
                self.client("-p", place, "set-tags", *self._tags[place])

    def export(self, place):
        """Start the exporter of a place."""
        name = f"{place}-exporter"
        command = [_BIN / "labgrid-exporter", "-c", self.address, "-n", name, "--hostname", "localhost"]
        self._exporters[place] = self._spawn(name, [*command, self.folder / f"{place}.yaml"])
        assert eventually(lambda: f"{place}/NetworkService" in self.client("resources")), self._said(name)

    def withdraw(self, place):
        """Kill the exporter of a place."""
        _kill(self._exporters.pop(place))
        assert eventually(lambda: f"{place}/NetworkService" not in self.client("resources"))

    def client(self, *arguments, user=None, code=0):
        """Run labgrid-client, as another user if one is named, and return what it printed."""
        done = subprocess.run(
            [_BIN / "labgrid-client", "-x", self.address, *arguments],
            env={**os.environ, "LG_ENV": "", **({"LG_USERNAME": user} if user else {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def holder(self, place):
        """Return who holds a place, HOST/USER, empty when it is free."""
        shown = self.client("-p", place, "show")
        line = next(line for line in shown.splitlines() if line.strip().startswith("acquired:"))
        found = line.partition(":")[2].strip()
        return "" if found == "None" else found

    def stop(self):
        """End all of it."""
        self.kill()
        assert eventually(lambda: processes_with(self._mark) == [])

    @property
    def _mark(self):
        return f"{MARK}={self.folder}\0"

    def _said(self, name):
        return (self.folder / f"{name}.log").read_text()

    def _spawn(self, name, command):
        with (self.folder / f"{name}.log").open("w") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**os.environ, MARK: str(self.folder), "PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )


def keepers(mark):
    """Return the ids of the keeper processes that carry `mark` in their environment."""
    return [p for p in processes_with(mark) if b"rseqbench.lab.keeper" in _command(p)]


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
