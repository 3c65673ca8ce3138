"""rseqbench/targets/ssh: copy, run and talk through a real sshd, and nothing left over there whatever happens."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rseqbench.errors import TargetError
from rseqbench.targets.ssh.command import SharedConnection, openssh
from rseqbench.targets.ssh.remote_host import RemoteHost
from tests.support.commands import ROOT, processes_with
from tests.support.sshd import eventually

PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char line[4096];
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("%s|%s\n", argc > 1 ? argv[1] : "", getenv("MARK") ? getenv("MARK") : "");
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "sleep\n")) {
			puts("asleep");
			for (;;)
				pause();
		}
		if (!strcmp(line, "fail\n")) {
			fputs("no luck\n", stderr);
			return 3;
		}
		if (!strcmp(line, "abort\n"))
			abort();
		fputs(line, stdout);
	}
	return 0;
}
"""
TOOLS = ("sh", "env", "mktemp", "chmod", "rm", "uname", "cat", "mkfifo", "sleep", "mv", "wc")


@pytest.fixture(scope="session")
def programs(tmp_path_factory):
    """Return what compiles the program with a compiler, statically."""
    folder = tmp_path_factory.mktemp("programs")
    (folder / "program.c").write_text(PROGRAM)

    def build(compiler="gcc"):
        made = folder / compiler
        if not made.exists():
            subprocess.run([compiler, "-static", "-o", made, folder / "program.c"], check=True)
        return made

    return build


@pytest.fixture
def program(programs):
    return programs()


@pytest.fixture(autouse=True)
def nothing_left_here(monkeypatch):
    """Fail a test after which an ssh of ours runs, or a socket folder is still there."""
    mark = f"REMOTE_TEST={time.monotonic_ns()}"
    monkeypatch.setenv(*mark.split("="))
    before = set(Path("/tmp").glob("rseqbench-ssh-*"))
    yield
    assert eventually(lambda: not set(processes_with(mark)) - {os.getpid()})
    assert not set(Path("/tmp").glob("rseqbench-ssh-*")) - before


def path_of(folder, tools, busybox=False):
    """Return a PATH that holds nothing but `tools`."""
    folder.mkdir()
    for tool in tools:
        (folder / tool).symlink_to(shutil.which("busybox" if busybox else tool))
    return {"PATH": str(folder)}


def fall_asleep(session):
    """Let the program be busy for ever, so that it will not see the end of its input."""
    assert session.lines.read_line(60) == b"|"
    session.lines.send(b"sleep")
    assert session.lines.read_line(60) == b"asleep"


def running(path):
    """Return the ids of the processes that execute a file."""
    found = []
    for exe in Path("/proc").glob("[0-9]*/exe"):
        try:
            if os.readlink(exe).removesuffix(" (deleted)") == path:
                found.append(int(exe.parent.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def test_a_program_is_copied_run_and_talked_to(sshd, program):
    server = sshd()
    with RemoteHost(openssh(server.destination)) as host:
        assert host.machine() == os.uname().machine
        remote = host.copy(program)
        assert Path(remote).read_bytes() == program.read_bytes()
        assert Path(remote).parent.stat().st_mode & 0o777 == 0o700
        session = host.run([remote, 'it\'s "$HOME" `x` \\'], {"MARK": "a 'b' $c"})
        assert session.lines.read_line(60) == b"it's \"$HOME\" `x` \\|a 'b' $c"
        for number in range(20):
            session.lines.send(b"ping %d" % number)
            assert session.lines.read_line(60) == b"ping %d" % number
        session.close()
        assert not running(remote)
    assert server.left() == []


def test_the_same_content_is_copied_once(sshd, program, tmp_path):
    server = sshd()
    again = tmp_path / "again"
    shutil.copy(program, again)
    with RemoteHost(openssh(server.destination)) as host:
        first = host.copy(program)
        inode = os.stat(first).st_ino
        assert host.copy(again) == first
        assert os.stat(first).st_ino == inode


def test_one_connection_serves_all(sshd, program):
    server = sshd()
    with RemoteHost(openssh(server.destination)) as host:
        sessions = [host.run([host.copy(program)]) for _ in range(3)]
        assert [session.lines.read_line(60) for session in sessions] == [b"|"] * 3
        assert len(server.connections()) == 1


def test_multiplexing_of_the_users_own_is_used_and_left_alone(sshd, program):
    server = sshd()
    socket = server.folder / "own"
    with server.config.open("a") as config:
        config.write(f"    ControlMaster auto\n    ControlPath {socket}\n    ControlPersist 60\n")
    with RemoteHost(openssh(server.destination)) as host:
        session = host.run([host.copy(program)])
        assert session.lines.read_line(60) == b"|"
        assert len(server.connections()) == 1
    assert eventually(lambda: server.left() == [])
    assert socket.exists()
    where = ["-p", str(server.port), server.destination.rpartition(":")[0]]
    subprocess.run([*shlex.split(server.ssh), "-O", "exit", *where], check=True, capture_output=True)


def test_two_hosts_at_once_do_not_mix(sshd, program):
    one, two = sshd(), sshd()
    shutil.copy(one.folder / "user_key.pub", two.folder / "authorized_keys")
    two.known_hosts.write_text(one.known_hosts.read_text() + two.known_hosts.read_text())
    shutil.copy(one.folder / "user_key", two.folder / "user_key")
    shutil.copy(one.folder / "user_key.pub", two.folder / "user_key.pub")
    with (
        RemoteHost(openssh(one.destination)) as first,
        RemoteHost(openssh(two.destination)) as second,
        RemoteHost(openssh(two.destination)) as third,
    ):
        paths = [host.copy(program) for host in (first, second, third)]
        assert len({Path(path).parent for path in paths}) == 3
        sessions = [host.run([path, path]) for host, path in zip((first, second, third), paths, strict=True)]
        assert [session.lines.read_line(60).decode() for session in sessions] == [f"{path}|" for path in paths]
        third.close()
        assert not Path(paths[2]).exists()
        sessions[1].lines.send(b"still there")
        assert sessions[1].lines.read_line(60) == b"still there"
    assert one.left() == two.left() == []


@pytest.mark.parametrize("sums", [["sha256sum"], ["cksum"], []], ids=["sha256sum", "cksum", "size"])
def test_few_tools_are_enough_over_there(sshd, program, tmp_path, sums):
    server = sshd(env=path_of(tmp_path / "path", [*TOOLS, *sums]))
    with RemoteHost(openssh(server.destination)) as host:
        assert host.run([host.copy(program), "here"]).lines.read_line(60) == b"here|"
    assert server.left() == []


@pytest.mark.skipif(not shutil.which("busybox"), reason="no busybox")
def test_busybox_is_enough_over_there(sshd, program, programs, tmp_path):
    server = sshd(env=path_of(tmp_path / "path", [*TOOLS, "sha256sum"], busybox=True))
    with RemoteHost(openssh(server.destination)) as host:
        session = host.run([host.copy(program), "here"])
        assert session.lines.read_line(60) == b"here|"
        with pytest.raises(TargetError, match="exec format error"):
            host.copy(programs("arm-linux-gnueabihf-gcc"))
    assert server.left() == []


@pytest.mark.parametrize("sum_", ["sha256sum", "cksum"])
def test_a_damaged_copy_is_an_error(sshd, program, tmp_path, sum_):
    server = sshd(env=path_of(tmp_path / "path", TOOLS))
    (tmp_path / "path" / sum_).write_text("#!/bin/sh\necho 1234 5\n")
    (tmp_path / "path" / sum_).chmod(0o755)
    with (
        RemoteHost(openssh(server.destination)) as host,
        pytest.raises(TargetError, match=rf"arrived damaged \({sum_}: 1234 5\)"),
    ):
        host.copy(program)


def test_a_login_shell_that_greets_is_no_disturbance(sshd, program):
    server = sshd()
    for name in (".bashrc", ".zshenv"):  # bash reads it when an sshd starts it
        (server.home / name).write_text("echo welcome; echo 'what a day' >&2\n")
    there = ["-p", str(server.port), server.destination.rpartition(":")[0], "true"]
    if not subprocess.check_output([*shlex.split(server.ssh), *there], stderr=subprocess.DEVNULL):
        pytest.skip("this login shell greets nobody")
    with RemoteHost(openssh(server.destination)) as host:
        assert host.machine() == os.uname().machine
        assert host.run([host.copy(program)]).lines.read_line(60) == b"|"


def test_a_program_for_another_architecture_is_an_error(sshd, programs):
    foreign = programs("arm-linux-gnueabihf-gcc")
    if subprocess.run(["sh", "-c", f"exec {foreign} </dev/null"], capture_output=True, check=False).returncode == 0:
        pytest.skip("this Linux executes ARM programs")
    with RemoteHost(openssh(sshd().destination)) as host, pytest.raises(TargetError) as error:
        host.copy(foreign)
    assert re.fullmatch(
        r"\w+@127\.0\.0\.1:\d+: exec format error: the program is for another architecture; "
        r"choose that machine's with --arch",
        str(error.value),
    )


@pytest.mark.parametrize(
    ("request_", "end"),
    [(b"fail", r"ended with exit code 3 \(no luck\)"), (b"abort", r"ended with SIGABRT \(Aborted.*\)")],
)
def test_a_program_that_ends_says_how(sshd, program, request_, end):
    with RemoteHost(openssh(sshd().destination)) as host:
        session = host.run([host.copy(program)])
        session.lines.read_line(60)
        session.lines.send(request_)
        with pytest.raises(TargetError, match=rf"^the program on \S+ {end}"):
            session.lines.read_line(60)


def test_closing_ends_a_program_that_does_not_read(sshd, program):
    with RemoteHost(openssh(sshd().destination)) as host:
        remote = host.copy(program)
        session = host.run([remote])
        fall_asleep(session)
        with pytest.raises(TargetError, match=r"^the program on \S+ did not answer within 0\.2 s$"):
            session.lines.read_line(0.2)
        assert running(remote)
        session.close()
        assert not running(remote)
        assert not session.alive


@pytest.mark.parametrize("busy", [False, True], ids=["waiting", "busy"])
def test_a_connection_lost_in_the_middle_is_an_error_and_leaves_nothing(sshd, program, busy):
    server = sshd()
    with RemoteHost(openssh(server.destination)) as host:
        remote = host.copy(program)
        session = host.run([remote])
        if busy:
            fall_asleep(session)
        for connection in server.connections():
            os.kill(connection, signal.SIGKILL)
        with pytest.raises(TargetError, match=r"^connection to \S+ lost \(.+\); is it still on"):
            session.lines.read_line(60)
        assert not session.alive
        with pytest.raises(TargetError, match=r"lost|gone"):
            host.run([remote]).lines.read_line(60)
    assert eventually(lambda: not running(remote))
    assert eventually(lambda: server.left() == [])


def test_a_connection_that_falls_silent_is_lost(sshd, program):
    server = sshd()
    with server.config.open("a") as config:
        config.write("    ServerAliveInterval 1\n    ServerAliveCountMax 1\n")
    with RemoteHost(openssh(server.destination)) as host:
        remote = host.copy(program)
        session = host.run([remote])
        fall_asleep(session)
        silent = server.connections()
        for connection in silent:
            os.kill(connection, signal.SIGSTOP)
        with pytest.raises(TargetError, match=r"^connection to \S+ lost \(Timeout, server \S+ not responding\.\)"):
            session.lines.read_line(30)
    for connection in silent:
        os.kill(connection, signal.SIGCONT)
    assert eventually(lambda: not running(remote))
    assert eventually(lambda: server.left() == [])


def test_the_ssh_killed_on_this_side_leaves_nothing_there(sshd, program):
    server = sshd()
    with RemoteHost(openssh(server.destination)) as host:
        remote = host.copy(program)
        session = host.run([remote])
        fall_asleep(session)
        host._holder._process.kill()
        with pytest.raises(TargetError, match=r"^connection to \S+ lost"):
            session.lines.read_line(60)
    assert eventually(lambda: not running(remote))
    assert eventually(lambda: server.left() == [])


USES = """
import signal, sys
from pathlib import Path
from rseqbench.targets.ssh.command import openssh
from rseqbench.targets.ssh.remote_host import RemoteHost
signal.signal(signal.SIGTERM, signal.default_int_handler)
with RemoteHost(openssh(sys.argv[1])) as host:
    remote = host.copy(Path(sys.argv[2]))
    session = host.run([remote])
    session.lines.read_line(60)
    session.lines.send(b"sleep")
    session.lines.read_line(60)
    print(remote, flush=True)
    session.lines.read_line(60)
"""


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whatever_ends_us_leaves_nothing_there(sshd, program, kind):
    server = sshd()
    before = set(Path("/tmp").glob("rseqbench-ssh-*"))
    with subprocess.Popen(
        [sys.executable, "-c", USES, server.destination, program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    ) as process:
        remote = process.stdout.readline().strip()
        assert running(remote)
        os.killpg(process.pid, kind)  # as the terminal does
        process.wait(60)
    assert eventually(lambda: not running(remote))
    assert eventually(lambda: server.left() == [])
    assert eventually(lambda: server.sessions() == [])
    if kind == signal.SIGKILL:  # nobody could remove it
        for folder in set(Path("/tmp").glob("rseqbench-ssh-*")) - before:
            shutil.rmtree(folder)


def test_who_joins_a_connection_opens_none_of_its_own(sshd, tmp_path):
    server = sshd()
    key = ("-i", str(server.folder / "user_key"), "-oStrictHostKeyChecking=no", "-oUserKnownHostsFile=/dev/null")
    words = ("ssh", "-F", "none", *key, "-p", str(server.port))
    assert subprocess.run([*words, "127.0.0.1", "true"], check=False).returncode == 0
    gone = SharedConnection("place p1", (*words, f"-oControlPath={tmp_path}/gone"), "127.0.0.1", "ssh by hand")
    with (
        pytest.raises(TargetError, match=r"cannot connect to place p1 .*; try: ssh by hand"),
        RemoteHost(lambda _: gone),
    ):
        pass
