"""`--target labgrid:PLACE` as a user meets it, with a real coordinator, real exporters and real sshds."""

import os
import re
import shlex
import shutil
import signal
import time
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.store.runs import Store
from tests.support.commands import rseqbench
from tests.support.labgrid_lab import Lab, daemons
from tests.support.runs import MARK, Started, header_of, unfinished_rounds
from tests.support.sshd import Sshd, eventually, free_port

ROUNDS = 60
SHORT = ("--quick", "--engine", "pyperf", "--values", "3", "counter/plain", "--target")
RUN = ("run", "--rounds", str(ROUNDS), "--label", "x", *SHORT)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Yield a lab of two boards, pc1 and pc2, each an sshd with its own port and keys, which our settings name."""
    folder = tmp_path_factory.mktemp("lab")
    made = Lab(folder / "lab")
    made.boards = {name: Sshd(folder / name) for name in ("pc1", "pc2")}
    for name, board in made.boards.items():
        made.add(name, port=board.port, keyfile=board.folder / "user_key", arch="x86_64", board=name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LG_COORDINATOR", made.address)
        patch.setenv("LG_ENV", str(made.environment))
        try:
            yield made
        finally:
            made.stop()
            for board in made.boards.values():
                board.stop()


@pytest.fixture(autouse=True)
def nothing_left(lab):
    """See that a test leaves no place held, nobody in a queue, nothing at the boards, and no process."""
    yield
    try:
        assert lab.all_free()
        assert eventually(lambda: all(board.left() == [] and board.sessions() == [] for board in lab.boards.values()))
        assert eventually(lambda: daemons(f"LG_COORDINATOR={lab.address}\0") == [])
    finally:
        lab.free()


def daemon_of(folder):
    """Return the daemon of the run in a folder, and what makes sure that nothing is left of it."""
    (daemon,) = daemons(f"{MARK}={folder}\0")
    assert list(Path("/tmp").glob(f"rseqlab-{daemon}-*"))
    return daemon, lambda: not list(Path("/tmp").glob(f"rseqlab-{daemon}-*"))


def refused(*arguments, cwd, code=1, **more):
    """Run a command that is refused, and return the one line that says why."""
    done = rseqbench(*arguments, cwd=cwd, **more)
    assert done.returncode == code, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    return line.removeprefix("rseqbench: ")


def completed(folder):
    """Take the run up again; every round of it must then be there, and none twice.

    In the round that was under way, some cases were measured, and the others are void.
    """
    done = rseqbench("run", "--resume", "x", cwd=folder)
    assert done.returncode == 0, done.stderr
    found = [
        [run.get_metadata()["round"] for run in one.get_runs()]
        for one in Store(folder / "results").load("x").suite.get_benchmarks()
    ]
    assert all(len(rounds) == len(set(rounds)) for rounds in found)
    assert set().union(*found) == set(range(ROUNDS))


def failed(started, folder):
    """Return why a run failed that kept its rounds, after it has said so and left nothing here."""
    code, err = started.end()
    assert code == 1, err
    assert "Traceback" not in err
    assert started.left() == []
    *_, why, how = err.splitlines()
    kept = len(unfinished_rounds(folder))
    assert kept >= 2
    assert how == f"rseqbench: failed with {kept} of {ROUNDS} rounds done and kept; rseqbench run --resume x"
    return why.removeprefix("rseqbench: ")


# ---- a run, and who may have the place ----


def test_a_run_says_where_it_was_and_leaves_the_place_free(lab, tmp_path, monkeypatch):
    monkeypatch.delenv("LG_COORDINATOR")
    monkeypatch.delenv("LG_ENV")
    where = ("--coordinator", lab.address, "--environment", str(lab.environment))
    done = rseqbench("run", "--rounds", "2", *SHORT, "labgrid:pc1", *where, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (label,) = (path.name for path in (tmp_path / "results").iterdir())
    (machine,) = header_of(tmp_path, label)["machines"]
    assert label.startswith(f"{architectures.host().name}-")
    assert machine["target"] == "labgrid:pc1"
    assert machine["timing"] in ("hardware", "virtual")
    facts = {"place": "pc1", "place_tags": "arch=x86_64, board=pc1", "coordinator": lab.address}
    assert facts.items() <= machine["facts"].items()


def test_a_place_that_another_user_holds_is_refused_and_stays_theirs(lab, tmp_path):
    lab.client("-p", "pc1", "acquire", user="bob")
    line = refused("list", "--target", "labgrid:pc1", cwd=tmp_path)
    who = re.escape(f"labgrid-client -x {lab.address} who shows who holds what")
    assert re.fullmatch(rf"place pc1 is held by \S+/bob; --wait queues for it; {who}", line)
    assert lab.holder("pc1").endswith("/bob")
    lab.client("-p", "pc1", "release", user="bob")


def test_a_place_that_this_user_holds_by_hand_is_refused_and_stays_theirs(lab, tmp_path):
    lab.client("-p", "pc1", "acquire")
    mine = lab.holder("pc1")
    assert refused("list", "--target", "labgrid:pc1", cwd=tmp_path).startswith(f"place pc1 is held by {mine}; ")
    assert lab.holder("pc1") == mine
    lab.client("-p", "pc1", "release")


def test_two_runs_of_one_user_are_kept_apart_at_one_place_and_not_at_two(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    started.process.send_signal(signal.SIGSTOP)  # so that it has the place until we have seen that
    assert refused("list", "--target", "labgrid:pc1", cwd=tmp_path).startswith("place pc1 is held by ")
    assert rseqbench("list", "--target", "labgrid:pc2", cwd=tmp_path).returncode == 0
    started.process.send_signal(signal.SIGCONT)
    code, err = started.end()
    assert code == 0, err


def test_wait_queues_until_the_place_is_free(lab, tmp_path):
    lab.client("-p", "pc1", "acquire", user="bob")
    started = Started(tmp_path, "list", "--target", "labgrid:pc1", "--wait")
    assert eventually(lambda: "state: waiting" in lab.client("reservations"))
    assert started.process.poll() is None
    lab.client("-p", "pc1", "release", user="bob")
    code, err = started.end()
    assert code == 0, err


def test_an_interrupt_in_the_queue_leaves_it(lab, tmp_path):
    lab.client("-p", "pc1", "acquire", user="bob")
    started = Started(tmp_path, "list", "--target", "labgrid:pc1", "--wait")
    assert eventually(lambda: "state: waiting" in lab.client("reservations"))
    os.killpg(started.process.pid, signal.SIGINT)
    code, err = started.end()
    assert (code, err.strip()) == (130, "rseqbench: interrupted")
    assert "Reservation" not in lab.client("reservations")
    lab.client("-p", "pc1", "release", user="bob")


# ---- we end, however ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_releases_the_place_and_resume_completes_the_run(lab, tmp_path, number):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    assert lab.holder("pc1")
    _, gone = daemon_of(tmp_path)
    os.killpg(started.process.pid, number)
    code, err = started.end()
    assert code == 130, err
    assert gone()
    assert not lab.holder("pc1"), "it is released before we end"
    if number == signal.SIGINT:
        completed(tmp_path)


def test_a_run_that_is_killed_releases_the_place_all_the_same(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    _, gone = daemon_of(tmp_path)
    os.kill(started.process.pid, signal.SIGKILL)
    assert started.end()[0] == -signal.SIGKILL
    assert started.left() == []
    assert gone()
    assert not lab.holder("pc1")


def test_an_interrupt_in_the_wait_for_the_daemon_leaves_it_to_release_the_place(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    daemon, gone = daemon_of(tmp_path)
    os.kill(daemon, signal.SIGSTOP)
    while started.process.poll() is None:
        os.killpg(started.process.pid, signal.SIGINT)
        time.sleep(0.2)
    assert lab.holder("pc1")
    os.kill(daemon, signal.SIGCONT)
    code, err = started.end()
    assert code == 130, err
    assert "Traceback" not in err
    assert gone()
    assert not lab.holder("pc1")


def test_a_daemon_that_was_killed_is_said_after_the_run_with_what_frees_the_place(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    daemon, _ = daemon_of(tmp_path)
    os.kill(daemon, signal.SIGKILL)
    started.process.wait()
    lab.boards["pc1"].disconnect()  # nobody is there to end labgrid's connection
    for folder in Path("/tmp").glob(f"rseqlab-{daemon}-*"):
        shutil.rmtree(folder)
    code, err = started.end()
    assert code == 1, err
    *_, stored, held, why = err.splitlines()
    assert stored == "stored in results/x"
    assert why == "rseqbench: the process that talks to labgrid is gone; it was killed, or told to end"
    what, free = held.split("; to free it: ")
    assert what.startswith("rseqbench: place pc1 may still be held: ")
    assert free == f"env LG_ENV= labgrid-client -x {lab.address} -p pc1 release"
    assert lab.holder("pc1")
    lab.client("-p", "pc1", "release")


def test_a_daemon_that_is_told_to_end_releases_the_place(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    daemon, gone = daemon_of(tmp_path)
    os.kill(daemon, signal.SIGTERM)
    why = failed(started, tmp_path)
    assert why == "the process that talks to labgrid is gone; it was killed, or told to end"
    assert gone()
    assert not lab.holder("pc1")


# ---- the place, its board and the lab end ----


def test_a_place_that_is_taken_away_ends_the_run_and_stays_with_whom_took_it(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    lab.client("-p", "pc1", "release", "--kick", user="bob")
    lab.client("-p", "pc1", "acquire", user="bob")
    why = failed(started, tmp_path)
    who = re.escape(f"labgrid-client -x {lab.address} who")
    assert re.fullmatch(f"place pc1 is not ours any more: .*; see: {who}", why)
    assert lab.holder("pc1").endswith("/bob")
    assert "held by" in refused("run", "--resume", "x", cwd=tmp_path)
    again = Started(tmp_path, "run", "--resume", "x", "--wait")
    assert eventually(lambda: "state: waiting" in lab.client("reservations"))
    lab.client("-p", "pc1", "release", user="bob")
    assert again.end()[0] == 0


def test_a_place_that_this_user_takes_away_by_hand_stays_taken(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    started.process.send_signal(signal.SIGSTOP)  # so that it ends, and releases what is its own, after both
    lab.client("-p", "pc1", "release")
    lab.client("-p", "pc1", "acquire")
    started.process.send_signal(signal.SIGCONT)
    assert "not ours any more" in failed(started, tmp_path)
    assert lab.holder("pc1")
    lab.client("-p", "pc1", "release")


def test_a_place_that_is_deleted_ends_the_run(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    lab.delete("pc1")
    assert "place pc1 is not ours any more: it was deleted" in failed(started, tmp_path)
    lab.create("pc1")
    lab.usable("pc1")


def test_a_run_goes_on_without_the_exporter_until_it_has_to_connect_anew(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    lab.withdraw("pc1")
    assert started.process.stderr.readline().startswith("round 3 of"), "its connection and its place are still ours"
    lab.boards["pc1"].disconnect()
    why = failed(started, tmp_path)
    assert why == "pc1/pc1/NetworkService/NetworkService of place pc1 is gone; is exporter pc1 running?"
    line = refused("list", "--target", "labgrid:pc1", cwd=tmp_path)
    assert line.startswith("place pc1 has no NetworkService, by which its board is reached, but nothing; ")
    lab.export("pc1")
    completed(tmp_path)


def test_a_connection_that_is_lost_is_made_again_and_its_round_is_void(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    lab.boards["pc1"].disconnect()
    code, err = started.end()
    assert code == 0, err
    assert any(re.search(rf"void in \d of {ROUNDS} rounds: .*", note) for note in header_of(tmp_path)["notes"])


@pytest.mark.slow  # it is waited for
def test_a_board_that_is_lost_keeps_the_rounds_and_resume_completes_them(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    lab.boards["pc1"].cut()
    assert failed(started, tmp_path).startswith("place pc1 refuses connections (")
    assert not lab.holder("pc1")
    lab.boards["pc1"].again()
    completed(tmp_path)


def test_a_wrong_key_is_one_line(lab, tmp_path):
    wrong = tmp_path / "wrong.yaml"
    text = lab.environment.read_text().replace("/pc1/user_key", "/pc2/user_key")
    wrong.write_text(text.replace("connection_timeout: 10.0", "connection_timeout: 3000.0"))  # it is not tried for long
    line = refused("list", "--target", "labgrid:pc1", "--environment", str(wrong), cwd=tmp_path)
    assert line.startswith("place pc1 wants a password or another key (")
    assert "Permission denied" in line


# ---- the coordinator ----


def test_no_coordinator_is_one_line(lab, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    line = refused("list", "--target", "labgrid:pc1", "--coordinator", address, cwd=tmp_path)
    assert line.startswith(f"no labgrid coordinator answers at {address}; ")
    line = refused("list", "--target", "labgrid:pc1", "--coordinator", ":1", cwd=tmp_path)
    assert line.startswith("no labgrid coordinator answers at :1 (Invalid url")


@pytest.mark.slow
@pytest.mark.parametrize("knows", [True, False])
def test_a_coordinator_that_was_started_anew_has_given_the_place_away(lab, tmp_path, knows):
    if knows:  # its places, but not who has them
        lab.saved()
    else:
        (lab.folder / "places.yaml").unlink(missing_ok=True)
    started = Started(tmp_path, *RUN[:2], "2000", *RUN[3:], "labgrid:pc1", until="round 2 of")
    lab.kill()
    lab.start()
    code, err = started.end()
    assert code == 1, err
    assert "place pc1 is not ours any more: " in err.splitlines()[-2]
    assert not knows or "has forgotten it" in err.splitlines()[-2]


@pytest.mark.slow
def test_a_coordinator_that_is_gone_stops_no_run_and_what_is_still_held_is_said(lab, tmp_path):
    started = Started(tmp_path, *RUN, "labgrid:pc1", until="round 2 of")
    lab.kill()
    code, err = started.end()
    assert code == 0, err
    *_, stored, held = err.splitlines()
    assert stored == "stored in results/x"
    free = shlex.join(["env", "LG_ENV=", "labgrid-client", "-x", lab.address, "-p", "pc1", "release"])
    assert held == f"rseqbench: place pc1 is still held: the coordinator is gone; when it is back: {free}"
    lab.start()


@pytest.mark.slow
def test_a_session_that_is_lost_is_made_again_and_the_place_is_still_ours(lab, tmp_path):
    started = Started(tmp_path, *RUN[:2], "1500", *RUN[3:], "labgrid:pc1", until="round 2 of")
    lab.coordinator.send_signal(signal.SIGSTOP)
    time.sleep(25)  # longer than gRPC waits for an answer
    lab.coordinator.send_signal(signal.SIGCONT)
    code, err = started.end()
    assert code == 0, err
    assert "still held" not in err
    assert not lab.holder("pc1"), "only a session that was made again can release it"
    lab.kill()  # its exporters may have ended meanwhile
    lab.start()


# ---- what is asked for makes no sense ----


def test_misuse_is_one_line(lab, tmp_path):
    line = refused("list", "--target", "labgrid:pc3", cwd=tmp_path, code=2)
    assert re.fullmatch(rf"unknown place 'pc3' at {lab.address}; did you mean pc\d, pc\d\?", line)
    assert refused("list", "--target", "labgrid", cwd=tmp_path, code=2).startswith("labgrid: names no place; ")
    line = refused("list", "--target", "labgrid:pc1", "--environment", "none.yaml", cwd=tmp_path, code=2)
    assert line.startswith("cannot read the labgrid environment none.yaml; ")
    (tmp_path / "bad.yaml").write_text("targets: [")
    line = refused("list", "--target", "labgrid:pc1", "--environment", "bad.yaml", cwd=tmp_path, code=2)
    assert line.startswith("bad.yaml: no labgrid environment: ")


def test_another_architecture_is_refused(lab, tmp_path):
    line = refused("list", "--arch", "arm32", "--target", "labgrid:pc1", cwd=tmp_path)
    assert line == f"labgrid:pc1 is {os.uname().machine}, not arm32; --arch {architectures.host().name}"


@pytest.mark.parametrize("error", ["ImportError", "RuntimeError"])  # gRPC's, where its parts are of other versions
def test_without_labgrid_it_says_how_to_install_it(lab, tmp_path, error):
    (tmp_path / "labgrid.py").write_text(f"raise {error}('not\\nhere')")
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    line = refused("list", "--target", "labgrid:pc1", cwd=tmp_path, env={"PYTHONPATH": path})
    assert line == "labgrid cannot be imported (not here); pip install 'rseqbench[labgrid]'"


def test_a_dry_run_asks_nobody(lab, tmp_path):
    nobody = ("--coordinator", f"127.0.0.1:{free_port()}")
    done = rseqbench("run", "--dry-run", *SHORT, "labgrid:pc1", "--wait", *nobody, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    for what in (
        f"labgrid-client -x {nobody[1]} reserve --wait name=pc1",
        "-p pc1 acquire",
        "-p pc1 release",
        "ControlPath=CONTROL",
    ):
        assert what in said
