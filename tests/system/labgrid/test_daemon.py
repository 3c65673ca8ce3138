"""targets/labgrid/daemon: what it holds is released whatever happens to it, its board, the lab, and who started it."""

import asyncio
import contextlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from labgrid.remote.common import Place

from rseqbench.errors import TargetError
from rseqbench.targets.labgrid import client as desks
from rseqbench.targets.labgrid.client import FOREVER, LabClient
from rseqbench.targets.labgrid.daemon.connections import BoardConnection, LabEnvironment
from rseqbench.targets.labgrid.daemon.held_places import HeldPlaces
from rseqbench.targets.labgrid.daemon.messages import LabgridError
from tests.support.labgrid_lab import MARK, Lab, daemons
from tests.support.sshd import Sshd, eventually

ODD = "it's ä place"


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    server = Sshd(tmp_path_factory.mktemp("board") / "sshd")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def lab(board, tmp_path_factory):
    """Yield a lab of a place, of one whose board says nothing, and of one with an odd name and no board."""
    made = Lab(tmp_path_factory.mktemp("lab") / "lab")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.MonkeyPatch.context() as patch:
        made.silent, port = silent, silent.getsockname()[1]
        made.add("p0", port=board.port, keyfile=board.folder / "user_key")
        made.add("mute", port=port, keyfile=board.folder / "user_key", patience_s=3000.0)
        made.client("-p", ODD, "create")
        patch.setenv(MARK, str(made.folder))
        patch.setenv("LG_ENV", "")
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(autouse=True)
def nothing_left(lab):
    yield
    try:
        assert lab.all_free()
        assert eventually(lambda: daemons(lab.mark) == [])
    finally:
        lab.free()


@pytest.fixture
def desk(lab):
    with LabClient(lab.address, str(lab.environment)) as opened:
        yield opened


@pytest.fixture
def raw(lab):
    """Yield a daemon without a desk, which has said that it is ready."""
    command = [sys.executable, "-m", "rseqbench.targets.labgrid.daemon", lab.address, str(lab.environment)]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command, start_new_session=True, **pipes)
    try:
        assert json.loads(process.stdout.readline())["ok"]
        process.stdin.write(b'{"id": 7, "do": "places"}\n')
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 7
        yield process
    finally:
        process.kill()
        process.communicate()


def daemon_of(lab):
    (daemon,) = daemons(lab.mark)
    return daemon


def kill(daemon):
    os.kill(daemon, signal.SIGKILL)
    (folder,) = Path("/tmp").glob(f"rseqlab-{daemon}-*")
    shutil.rmtree(folder)  # nobody is there to do it


def freed_by(lab, line):
    """Do what a line says that frees p0."""
    assert line.startswith("rseqbench: place p0 may still be held: "), line
    lab.client(*shlex.split(line.rpartition("to free it: ")[2])[3:])


# ---- the daemon ends ----


def test_a_daemon_that_was_killed_is_said_with_what_frees_the_place(lab, capfd):
    with pytest.raises(TargetError, match="is gone"), LabClient(lab.address, "") as desk, desk.hold("p0", None):
        kill(daemon_of(lab))
    assert lab.holder("p0")
    (line,) = capfd.readouterr().err.splitlines()
    assert f"labgrid-client -x {lab.address} -p p0 release" in line
    freed_by(lab, line)


def test_a_daemon_that_was_killed_is_said_of_a_place_that_was_asked_for_twice(lab, capfd):
    with pytest.raises(TargetError, match="is gone"), LabClient(lab.address, "") as desk, desk.hold("p0", None):
        with pytest.raises(LabgridError, match="held by this very process"), desk.hold("p0", None):
            pass
        kill(daemon_of(lab))
    freed_by(lab, capfd.readouterr().err.strip())


def test_a_daemon_that_was_killed_before_an_interrupt_is_said_all_the_same(lab, capfd):
    with pytest.raises(KeyboardInterrupt), LabClient(lab.address, "") as desk, desk.hold("p0", None):
        kill(daemon_of(lab))
        raise KeyboardInterrupt
    freed_by(lab, capfd.readouterr().err.strip())


def test_a_daemon_that_hangs_is_said_and_releases_when_it_goes_on(lab, monkeypatch, capfd):
    monkeypatch.setattr(desks, "_END_S", 0.5)
    with LabClient(lab.address, "") as desk, contextlib.suppress(TargetError), desk.hold("p0", None):
        daemon = daemon_of(lab)
        os.kill(daemon, signal.SIGSTOP)
        desk.cut()
    assert "place p0 may still be held: " in capfd.readouterr().err
    os.kill(daemon, signal.SIGCONT)
    monkeypatch.undo()
    desk._close()
    assert not lab.holder("p0")


@pytest.mark.parametrize("answer", ['{"id": 1, "ok": [', "no answer\\n"])
def test_half_an_answer_is_the_end(answer):
    desk = LabClient("", "")
    ready = json.dumps({"id": 0, "ok": {"coordinator": "x"}})
    program = f"print({ready!r}, flush=True); input(); print({answer!r}, end='')"
    desk._command = [sys.executable, "-c", program]
    with desk, pytest.raises(TargetError, match="the process that talks to labgrid is gone"):
        desk.places()


# ---- who started it ends ----


def test_a_place_that_is_asked_for_at_the_very_end_is_not_acquired():
    asked = []

    async def call(*arguments):
        asked.append(arguments)

    async def too_late():
        places = HeldPlaces(SimpleNamespace(places={"p0": Place("p0")}, call=call), None)
        assert await places.close() == []
        with pytest.raises(LabgridError, match="place p0 is not wanted any more"):
            await places.acquire("p0", "key", None)

    with ThreadPoolExecutor(1) as threads:  # a browser's tests may have a loop of their own in this one
        threads.submit(asyncio.run, too_late()).result()
    assert asked == []


def test_half_a_request_is_none(raw):
    _, err = raw.communicate(b'{"id": 1, "do": "acq', timeout=60)
    assert (raw.returncode, err) == (0, b"")


def test_what_an_environment_prints_is_no_answer(lab, tmp_path):
    (tmp_path / "noisy.py").write_text("import os\nprint('hello')\nos.system('echo hello; cat')\n")
    environment = tmp_path / "env.yaml"
    environment.write_text("imports: [noisy.py]\ntargets: {}\n")
    with LabClient(lab.address, str(environment)) as desk:
        assert "p0" in {place.name for place in desk.places()}


# ---- its board ----


def test_a_board_that_was_given_up_is_not_connected_to(lab, tmp_path):
    settings = LabEnvironment(str(lab.environment))
    entry = SimpleNamespace(
        args={"address": "127.0.0.1", "port": lab.silent.getsockname()[1], "username": "x"}, extra={}
    )
    board = BoardConnection("mute", [("it", entry)], settings)
    board.give_up()
    with ThreadPoolExecutor(1) as threads:
        opening = threads.submit(board.open)
        try:
            with pytest.raises(LabgridError):
                opening.result(60)
        finally:
            board.give_up()


def test_a_place_that_is_taken_away_while_its_board_is_connected_to_is_left(lab, desk):
    with ThreadPoolExecutor(1) as threads, desk.hold("mute", None) as held:
        connecting = threads.submit(held.connect)
        with lab.silent.accept()[0]:
            lab.client("-p", "mute", "release", "--kick", user="bob")
            try:
                with pytest.raises(LabgridError, match="place mute is not ours any more"):
                    connecting.result(60)
            except BaseException:
                desk.cut()
                raise


@pytest.mark.parametrize("what", ["hangs", "gone"])
def test_a_place_is_released_though_its_connection_cannot_be_closed(lab, board, tmp_path, what):
    ssh, environment = tmp_path / "ssh", tmp_path / "env.yaml"
    exits = "exec sleep 1000" if what == "hangs" else "exit 1"
    ssh.write_text(f'#!/bin/sh\ncase "$*" in *"-O exit"*) {exits} ;; esac\nexec /usr/bin/env ssh "$@"\n')
    ssh.chmod(0o700)
    environment.write_text(f"tools: {{ssh: {ssh}}}\n{lab.environment.read_text()}")
    with LabClient(lab.address, str(environment)) as desk, desk.hold("p0", None) as held:
        held.connect()
        if what == "gone":
            ssh.unlink()
    assert not lab.holder("p0")


def test_a_password_is_in_no_error(lab, tmp_path):
    environment = tmp_path / "env.yaml"
    environment.write_text("targets: {any: {drivers: {SSHDriver: {password: 47114711}}}}\n")
    with LabClient(lab.address, str(environment)) as desk, desk.hold("p0", None) as held:
        with pytest.raises(LabgridError, match="'password' must be") as refused:
            held.connect()
        assert "4711" not in str(refused.value)
        assert len(str(refused.value)) < 300


# ---- its lab ----


def test_a_place_of_an_odd_name_is_held_and_named_so_that_a_shell_takes_it(lab, desk):
    with desk.hold(ODD, None) as held, pytest.raises(LabgridError) as refused:
        held.connect()
    assert refused.value.hint.endswith(shlex.join(["labgrid-client", "-x", lab.address, "-p", ODD, "show"]))
    lab.client("-p", ODD, "acquire", user="bob")
    with pytest.raises(TargetError, match="was not free within"), desk.hold(ODD, 1.5):
        pass
    lab.client("-p", ODD, "release", user="bob")


def test_who_queues_for_a_place_that_is_deleted_is_told(lab, desk):
    lab.client("-p", "brief", "create")
    lab.client("-p", "brief", "acquire", user="bob")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(contextlib.ExitStack().enter_context, desk.hold("brief", FOREVER))
        try:
            assert eventually(lambda: "state: waiting" in lab.client("reservations"))
            lab.delete("brief")
            with pytest.raises(TargetError, match="place brief was deleted"):
                waiting.result(60)
        finally:
            desk.cut()


@pytest.mark.slow
def test_what_could_not_be_released_is_when_the_coordinator_is_back(lab, desk):
    with desk.hold("p0", None):
        lab.coordinator.send_signal(signal.SIGSTOP)
    with pytest.raises(LabgridError, match="place p0 is still to be released"), desk.hold("p0", None):
        pass
    assert [place for place, _ in desk._holding] == ["p0"]
    lab.coordinator.send_signal(signal.SIGCONT)
    try:
        assert eventually(lambda: not lab.holder("p0"))
    finally:
        lab.kill()  # its exporters may have ended meanwhile
        lab.start()


def test_a_coordinator_that_is_lost_while_it_acquires_leaves_a_doubt_that_is_said(lab, desk):
    lab.freeze("p0")  # it is asked first, and waited for
    before = lab.asked("p0")
    with ThreadPoolExecutor(1) as threads:
        acquiring = threads.submit(contextlib.ExitStack().enter_context, desk.hold("p0", None))
        assert eventually(lambda: lab.asked("p0") > before)
        lab.kill()
        try:
            with pytest.raises(LabgridError, match="while place p0 was acquired, which may be held now") as refused:
                acquiring.result(100)
        finally:
            desk.cut()
            lab.start()
    assert refused.value.hint.endswith(f"labgrid-client -x {lab.address} -p p0 release")
