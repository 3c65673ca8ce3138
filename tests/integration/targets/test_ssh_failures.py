"""rseqbench/targets/ssh: what a user types wrong, and every way in which a real ssh does not get there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rseqbench.errors import TargetError, UsageError
from rseqbench.targets.ssh import command, scripts
from rseqbench.targets.ssh.command import OpenSsh, openssh, parse_destination
from rseqbench.targets.ssh.remote_host import RemoteHost
from tests.support.sshd import USER, free_port, keygen

can_mount = pytest.mark.skipif(
    bool(subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode),
    reason="may not mount a file system",
)


@pytest.mark.parametrize(
    ("text", "user_host", "port"),
    [
        ("board", "board", None),
        ("pi@board", "pi@board", None),
        ("pi@board.local:2222", "pi@board.local", 2222),
        ("192.168.1.7:22", "192.168.1.7", 22),
        ("[::1]", "::1", None),
        ("pi@[fe80::1%eth0]:2222", "pi@fe80::1%eth0", 2222),
        ("me@corp@board", "me@corp@board", None),
    ],
)
def test_a_destination_is_read(text, user_host, port):
    destination = parse_destination(text)
    assert (destination.user_host, destination.port) == (user_host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-oProxyCommand=reboot",
        "pi@-oProxyCommand=reboot",
        "-pi@board",
        "pi@bo ard",
        "pi @board",
        "board\n",
        "@board",
        "pi@",
        "board:",
        "board:0",
        "board:65536",
        "board:ssh",
        "board:22:22",
        "::1",
        "[::1",
        "[]",
        "$(reboot)@board",
        "pi@bo;ard",
        "pi@bo`ard",
        "bo'ard",
        "board:٢٢",
    ],
)
def test_what_is_no_destination_is_refused(text):
    with pytest.raises(UsageError, match="is no destination for ssh; write ssh:USER@HOST"):
        RemoteHost(openssh(text))


@pytest.mark.parametrize("script", [scripts.KEEP, scripts.COPY, scripts.RUN])
def test_a_script_passes_through_any_login_shell(script):
    assert not re.search(r"'|!(?! )", script)
    line = scripts.script_command(script)
    assert "\n" not in line
    assert not re.search(r"\\[\\']", line)  # the two that fish unescapes within apostrophes


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox sh", "tcsh", "fish", "zsh"])
def test_each_login_shell_runs_a_script(shell):
    words = shell.split()
    if not shutil.which(words[0]):
        pytest.skip(f"no {words[0]}")
    script = 'sleep 0 & wait $! ; for word; do printf "<%s>" "$word"; done; echo'
    arguments = ["a b", "it's", '"$HOME"', "a\\b"]
    done = subprocess.run([*words, "-c", scripts.script_command(script, arguments)], capture_output=True, check=True)
    assert done.stdout == scripts.READY + b'\n<a b><it\'s><"$HOME"><a\\b>\n'


def fails(destination):
    """Return the error of entering a Host."""
    with pytest.raises(TargetError) as error, RemoteHost(openssh(destination)):
        pass
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_ssh_is_an_error(monkeypatch):
    monkeypatch.setenv("RSEQBENCH_SSH", "/nowhere/ssh")
    assert fails("board") == "there is no /nowhere/ssh here; apt-get install openssh-client"


def test_a_malformed_command_for_ssh_is_misuse(monkeypatch):
    monkeypatch.setenv("RSEQBENCH_SSH", "ssh -F 'file")
    with (
        pytest.raises(UsageError, match=r"^RSEQBENCH_SSH is no command: No closing quotation; write"),
        RemoteHost(openssh("a")),
    ):
        pass


def test_broken_settings_of_ssh_are_told(sshd):
    server = sshd()
    server.config.write_text("Nonsense yes\n")
    said = fails(server.destination)
    assert re.match(r"^ssh cannot be used: .*terminating, 1 bad configuration options; see: ssh -F \S+ .*-G ", said)


def test_a_refused_connection(sshd):
    sshd()
    port = free_port()
    assert fails(f"127.0.0.1:{port}") == (
        f"127.0.0.1:{port} refuses connections (ssh: connect to host 127.0.0.1 port {port}: Connection refused); "
        "is an sshd running there, on that port?"
    )


def test_a_host_that_cannot_be_resolved(sshd):
    sshd()
    said = fails("pi@nobody.invalid")
    assert re.match(
        r"^there is no host pi@nobody\.invalid \(ssh: Could not resolve hostname .*\); is the name right", said
    )


def test_an_unknown_host_key_is_not_accepted_and_nobody_is_asked(sshd, tmp_path, monkeypatch):
    server = sshd()
    server.known_hosts.unlink()
    asks = tmp_path / "askpass"
    asks.write_text(f"#!/bin/sh\n: >{tmp_path}/asked\necho yes\n")
    asks.chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(asks))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    assert fails(server.destination) == (
        f"the host key of {server.destination} is not known here (Host key verification failed.); log in once by hand "
        f"to compare and accept it: {server.ssh} -p {server.port} {USER}@127.0.0.1"
    )
    assert not server.known_hosts.exists()
    assert not (tmp_path / "asked").exists()


def test_a_changed_host_key_is_not_accepted(sshd):
    server = sshd()
    keygen(server.folder / "other")
    server.accept(server.folder / "other.pub")
    before = server.known_hosts.read_text()
    said = fails(server.destination)
    assert re.match(r"^\S+ shows another host key than before \(Host key verification failed\.\); find out why", said)
    assert said.endswith(f"{server.ssh} -p {server.port} {USER}@127.0.0.1")
    assert server.known_hosts.read_text() == before


def test_a_password_is_never_asked_for(sshd):
    server = sshd()
    keygen(server.folder / "other")
    shutil.copy(server.folder / "other.pub", server.folder / "authorized_keys")
    said = fails(server.destination)
    assert re.match(
        r"^\S+ wants a password or another key \(.*Permission denied \(.*publickey.*\)\.\); no password", said
    )


def test_a_host_that_does_not_answer(sshd):
    server = sshd()
    with server.config.open("a") as config:
        config.write("    ConnectTimeout 1\n    ProxyCommand sleep 5\n")  # the user's patience goes before ours
    assert re.match(r"^\S+ does not answer \(Connection .*timed out.*\); is it on", fails(server.destination))


def test_a_user_who_set_no_time_limit_gets_ours(sshd, tmp_path):
    server = sshd()
    limits = {"-oConnectTimeout=15", "-oServerAliveInterval=15"}
    assert limits <= set(OpenSsh(parse_destination(server.destination), tmp_path).command("true", first=True))
    with server.config.open("a") as config:
        config.write("    ConnectTimeout 40\n    ServerAliveInterval 50\n")
    assert not limits & set(OpenSsh(parse_destination(server.destination), tmp_path).command("true", first=True))


def test_no_folder_that_can_be_written_to(sshd):
    said = fails(sshd(env={"TMPDIR": "/proc", "HOME": "/proc", "XDG_CACHE_HOME": "/nowhere"}).destination)
    assert re.match(
        r"^\S+: none of \$TMPDIR \(or /tmp\), ~/\.cache and ~ can be written to and executed from "
        r"\(mktemp: .*/proc/.*\); free some space there, or let TMPDIR there",
        said,
    )


def on_its_own_tmp(sshd, folder, options):
    """Start an sshd that sees a file system of its own at its TMPDIR, mounted with these options."""
    script = f'mount -t tmpfs -o {options} none {folder}/sshd0/tmp && exec "$@"'
    return sshd(prefix=["unshare", "-m", "sh", "-c", script, "sh"])


@can_mount
def test_a_folder_that_cannot_be_executed_from_is_passed_over(sshd, tmp_path):
    server = on_its_own_tmp(sshd, tmp_path, "noexec")
    with RemoteHost(openssh(server.destination)) as host:
        assert Path(host._folder).parent == server.home
        assert os.listdir(server.home) == [Path(host._folder).name]
    assert server.left() == []


@can_mount
def test_a_full_disk_over_there(sshd, tmp_path):
    server = on_its_own_tmp(sshd, tmp_path, "size=64k")
    large = tmp_path / "large"
    large.write_bytes(os.urandom(1 << 20))
    with RemoteHost(openssh(server.destination)) as host, pytest.raises(TargetError) as error:
        host.copy(large)
    assert re.match(
        r"^\S+: the file cannot be written there \(cat: write error: No space left on device\); free some space there",
        str(error.value),
    )


def test_words_that_nobody_knows_are_shown():
    error = command.connection_error("board", "ssh board", "kex: strange\nthe end\n\n", began=False)
    assert str(error) == "cannot connect to board (the end); try: ssh board"
