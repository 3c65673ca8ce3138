"""A real sshd on 127.0.0.1 with keys of its own, and an ssh that knows nothing but them: for tests of ssh targets."""

import contextlib
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
USER = pwd.getpwuid(os.geteuid()).pw_name

_SERVER = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
SetEnv {env}
"""
_CLIENT = """\
Host *
    IdentityFile {folder}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""


@pytest.fixture
def sshd(tmp_path, monkeypatch):
    """Return what starts an Sshd with its arguments, to which this process's ssh goes, and has them killed."""
    started = []

    def start(**arguments):
        started.append(Sshd(tmp_path / f"sshd{len(started)}", **arguments))
        monkeypatch.setenv("RSEQBENCH_SSH", started[-1].ssh)
        return started[-1]

    yield start
    for server in started:
        server.stop()


class Sshd:
    """A running sshd: `destination` is what a user types after `ssh:`, `ssh` the value of RSEQBENCH_SSH."""

    def __init__(self, folder, env=None, prefix=()):
        """Start it, its files in the new folder `folder`; `env` is what its sessions find in their environment.

        `prefix` is a command that starts it, `unshare` for example.
        """
        self.folder = folder
        folder.mkdir()
        self.home, self.tmp = folder / "home", folder / "tmp"
        self.home.mkdir()
        self.tmp.mkdir()
        for name in ("host_key", "user_key"):
            keygen(folder / name)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        self._env = {"HOME": str(self.home), "TMPDIR": str(self.tmp), **(env or {})}
        self.port = self._started(prefix)
        self.destination = f"{USER}@127.0.0.1:{self.port}"
        self.known_hosts = folder / "known_hosts"
        self.accept(folder / "host_key.pub")
        self.config = folder / "ssh_config"
        self.config.write_text(_CLIENT.format(folder=folder))
        self.ssh = shlex.join(["ssh", "-F", str(self.config)])

    def accept(self, public_key):
        """Make `public_key` the only one that the client takes for this host."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {public_key.read_text()}")

    def sessions(self):
        """Return the processes of all connections: every child of sshd, and theirs."""
        return descendants(self._process.pid) if self._process.poll() is None else []

    def connections(self):
        """Return the processes that serve a connection, one each."""
        return children(self._process.pid)

    def left(self):
        """Return the files and folders that clients have left behind on this host."""
        return sorted([*self.tmp.iterdir(), *self.home.iterdir()])

    def cut(self):
        """Kill it and what serves its connections; the programs over there are left to themselves."""
        for process in [self._process.pid, *self.sessions()]:
            with contextlib.suppress(OSError):
                if Path(f"/proc/{process}/comm").read_text() == "sshd\n":
                    os.kill(process, signal.SIGKILL)
        self._process.wait()

    def disconnect(self):
        """Kill what serves its connections, and go on listening."""
        for process in self.connections():
            os.kill(process, signal.SIGKILL)

    def again(self):
        """Start it again, on the same port and with the same keys."""
        self._launch(())
        assert self._listens(self.port), self.log.read_text()

    def stop(self):
        """Kill it and every session."""
        for process in [*self.sessions(), self._process.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait()

    def _started(self, prefix):
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # a root's sshd refuses to start without; Debian's service makes it
        for _ in range(5):  # somebody may take the port before sshd does
            port = free_port()
            env = shlex.join(f"{name}={value}" for name, value in self._env.items())
            (self.folder / "sshd_config").write_text(_SERVER.format(folder=self.folder, port=port, env=env))
            self._launch(prefix)
            if self._listens(port):
                return port
        raise AssertionError(f"sshd did not start: {self.log.read_text()}")

    def _launch(self, prefix):
        self.log = self.folder / "log"
        with self.log.open("w") as log:
            command = [*prefix, SSHD, "-D", "-e", "-f", str(self.folder / "sshd_config")]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=log)

    def _listens(self, port):
        deadline = time.monotonic() + 60
        while self._process.poll() is None and time.monotonic() < deadline:
            if f"port {port}" in self.log.read_text():
                return True
            time.sleep(0.02)
        self.stop()
        return False


def keygen(path):
    """Make a key pair without a passphrase: `path` and `path`.pub."""
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def free_port():
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children(process):
    """Return the ids of the children of a process."""
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:  # it ended meanwhile
        return []


def descendants(process):
    """Return the ids of the children of a process, theirs, and so on."""
    return [found for child in children(process) for found in (child, *descendants(child))]


def eventually(condition, seconds=60):
    """Wait until `condition()` holds; False when it does not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(held)
