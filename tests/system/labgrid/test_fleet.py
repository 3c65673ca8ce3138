"""`rseqbench fleet run` as a user calls it: over a real lab of labgrid, whose boards are real sshds on loopback."""

import json
import os
import signal
import subprocess

import pytest

from rseqbench.model import Virtualization
from rseqbench.store.events import INTERRUPTED
from tests.support.commands import PROGRAM, processes_with, rseqbench
from tests.support.labgrid_lab import Lab, daemons
from tests.support.sshd import Sshd, eventually

WHAT = ("counter/rseq", "counter/plain", "cpu_id/rseq")
SHORT = ("--engine", "pyperf", "--rounds", "2", "--values", "2", *WHAT)  # several at once on one machine disturb chunks
LONG = ("--engine", "pyperf", "--rounds", "5000", "--values", "2", *WHAT)


class Boards:
    """A lab and the sshds behind its places, by name."""

    def __init__(self, folder, names):
        self.lab = Lab(folder / "lab")
        self.sshds = {name: Sshd(folder / name) for name in names}
        for name, sshd in self.sshds.items():
            self.lab.add(name, port=sshd.port, keyfile=sshd.folder / "user_key", arch="x86_64", site=name[:-1])
        self.env = {"LG_COORDINATOR": self.lab.address, "LG_ENV": str(self.lab.environment)}

    def quiet(self):
        """Whether nothing is held, runs, or lies on any board."""
        held = [name for name in self.sshds if self.lab.holder(name)]
        left = [one for sshd in self.sshds.values() for one in (*sshd.left(), *sshd.connections())]
        return not held and not left

    def stop(self):
        for sshd in self.sshds.values():
            sshd.stop()
        self.lab.stop()


@pytest.fixture(scope="module")
def boards(tmp_path_factory):
    """Return a lab of three boards; afterwards all of it is stopped."""
    made = Boards(tmp_path_factory.mktemp("boards"), ("pi1", "pi2", "cubie1"))
    yield made
    made.stop()


@pytest.fixture
def mark(tmp_path, monkeypatch):
    """Return what the environment of all processes of a test has."""
    monkeypatch.setenv("RSEQBENCH_TEST_FLEET", str(tmp_path))
    return f"RSEQBENCH_TEST_FLEET={tmp_path}\0"


@pytest.fixture
def fleet(boards, tmp_path, mark):
    """Return what calls `rseqbench fleet run` over the lab; afterwards nothing of it may be left anywhere."""

    def call(*arguments, **options):
        return rseqbench("fleet", "run", *arguments, cwd=tmp_path, env=boards.env, timeout=200, **options)

    yield call
    assert eventually(boards.quiet, 60)
    assert eventually(lambda: set(processes_with(mark)) <= {os.getpid()})


def members_of(folder, label):
    raw = json.loads((folder / "results" / label / "fleet.json").read_text())
    return {member["place"]: member for member in raw["members"]}


def test_all_matching_places_are_measured_and_belong_together(fleet, tmp_path, boards):
    done = fleet("--label", "f", "--places", "pi*", *SHORT)
    assert done.returncode == 0, done.stderr
    assert {name: one["label"] for name, one in members_of(tmp_path, "f").items()} == {"pi1": "f@pi1", "pi2": "f@pi2"}
    for name in ("pi1", "pi2"):
        header = json.loads((tmp_path / "results" / f"f@{name}" / "run.json").read_text())
        assert header["label"] == f"f@{name}"
        assert header["machines"][0]["target"] == f"labgrid:{name}"
        assert header["machines"][0]["facts"]["place"] == name
        assert {check["benchmark"] for check in header["checks"] if check["passed"]} >= {"counter/rseq"}
    seeds = {json.loads(path.read_text())["plan"]["seed"] for path in tmp_path.glob("results/f@*/run.json")}
    assert len(seeds) == 1
    assert "stored as f; its page is reports/f.html" in done.stderr
    page = (tmp_path / "reports/f.html").read_text()
    assert "labgrid:pi1" in page or "f@pi1" in page
    assert done.stdout.startswith("2 of the 2 machines of fleet f have a run.")


def test_dry_run_names_the_places_and_holds_none(fleet, tmp_path, boards):
    boards.lab.client("-p", "pi2", "acquire", user="alice")
    try:
        done = fleet("--label", "f", "--tags", "site=pi,arch=x86_64", "--dry-run")
    finally:
        boards.lab.client("-p", "pi2", "release", user="alice")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines() if "f@" in line] == ["pi1", "pi2"]
    assert "alice" in next(line for line in done.stdout.splitlines() if line.startswith("pi2"))
    assert list(tmp_path.iterdir()) == []


def test_a_held_place_is_a_row_and_is_finished_later(fleet, tmp_path, boards):
    boards.lab.client("-p", "pi2", "acquire", user="alice")
    try:
        done = fleet("--label", "f", *SHORT)
        assert boards.lab.holder("pi2").endswith("/alice")
    finally:
        boards.lab.client("-p", "pi2", "release", user="alice")
    assert done.returncode == 1
    assert "pi2 FAILED" in done.stderr
    found = members_of(tmp_path, "f")
    assert "alice" in found["pi2"]["failure"]
    assert (found["pi1"]["failure"], found["cubie1"]["failure"]) == ("", "")
    before = (tmp_path / "results/f@pi1/run.json").stat().st_mtime_ns
    again = fleet("--resume", "f")
    assert again.returncode == 0, again.stderr
    assert "3 of 3 places done" in again.stderr
    assert {member["failure"] for member in members_of(tmp_path, "f").values()} == {""}
    assert (tmp_path / "results/f@pi1/run.json").stat().st_mtime_ns == before
    seeds = {json.loads(path.read_text())["plan"]["seed"] for path in tmp_path.glob("results/f@*/run.json")}
    assert len(seeds) == 1


def begun(boards, folder, arguments):
    """Start a fleet run, and return it once every place has stored a round."""
    words = [*PROGRAM, "fleet", "run", *arguments]
    environment = {**os.environ, **boards.env}
    running = subprocess.Popen(
        words, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    names = len(boards.sshds)
    assert eventually(lambda: len({p.parent for p in folder.glob("results/.unfinished-*/rounds/*.json")}) == names, 120)
    return running


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_whoever_ends_it_all_places_are_released_and_rounds_kept(fleet, tmp_path, boards, how):
    running = begun(boards, tmp_path, ["--label", "f", *LONG])
    running.send_signal(how)
    _, said = running.communicate(timeout=60)
    assert eventually(boards.quiet, 60)
    assert running.returncode == (-9 if how == signal.SIGKILL else 130)
    assert len(list(tmp_path.glob("results/.unfinished-f@*/rounds/00000.json"))) == 3
    if how != signal.SIGKILL:
        assert "rseqbench: interrupted with 0 of 3 places done and kept; rseqbench fleet run --resume f" in said
        assert {member["failure"] for member in members_of(tmp_path, "f").values()} == {INTERRUPTED}


def test_a_board_that_drops_out_stops_no_other(fleet, tmp_path, boards):
    running = begun(boards, tmp_path, ["--label", "f", *LONG[:3], "60", *LONG[4:]])
    boards.sshds["pi2"].cut()
    try:
        _, said = running.communicate(timeout=150)
    finally:
        boards.sshds["pi2"].again()
    assert running.returncode == 1
    found = members_of(tmp_path, "f")
    assert "place pi2" in found["pi2"]["failure"]
    assert "Traceback" not in said
    assert (tmp_path / "results/f@pi1/run.json").is_file()
    assert (tmp_path / "results/f@cubie1/run.json").is_file()
    kept = len(list(tmp_path.glob("results/.unfinished-f@pi2/rounds/*.json")))
    assert 0 < kept < 60
    again = fleet("--resume", "f")
    assert again.returncode == 0, again.stderr
    runs = json.loads((tmp_path / "results/f@pi2/pyperf.json").read_text())["benchmarks"][0]["runs"]
    rounds = {run["metadata"]["round"] for run in runs}
    assert max(rounds) == 59
    assert len(rounds) >= 59  # what was measured as the board dropped out is void in that round


def test_force_replaces_and_resume_goes_on_with_the_new_plan_only(fleet, tmp_path, boards):
    assert fleet("--label", "f", "--seed", "11", "--places", "pi*", *SHORT).returncode == 0
    running = begun(boards, tmp_path, ["--label", "g", "--seed", "12", *LONG])
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert eventually(boards.quiet, 60)
    for label in ("f", "g"):
        boards.lab.client("-p", "pi2", "acquire", user="alice")
        forced = fleet("--label", label, "--seed", "22", "--places", "pi*", "--force", *SHORT)
        boards.lab.client("-p", "pi2", "release", user="alice")
        assert forced.returncode == 1
        assert f"1 of the 2 machines of fleet {label} have a run; not pi2" in forced.stdout
        assert fleet("--resume", label).returncode == 0
        for name in ("pi1", "pi2"):
            header = json.loads((tmp_path / f"results/{label}@{name}/run.json").read_text())
            assert (header["plan"]["seed"], header["plan"]["rounds"]) == (22, 2)
            assert header["command"].startswith("rseqbench fleet run --label")


def test_ctrl_c_ends_one_that_queues_for_what_it_had_begun(fleet, tmp_path, boards, mark):
    running = begun(boards, tmp_path, ["--label", "f", *LONG])
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=60)
    assert eventually(boards.quiet, 60)
    for name in boards.sshds:
        boards.lab.client("-p", name, "acquire", user="alice")
    try:
        words = [*PROGRAM, "fleet", "run", "--resume", "f", "--wait"]
        queued = subprocess.Popen(
            words, cwd=tmp_path, env={**os.environ, **boards.env}, stderr=subprocess.PIPE, text=True
        )
        assert eventually(lambda: boards.lab.client("reservations").count("filters") == 3, 60)
        assert len(daemons(mark)) == 1
        queued.send_signal(signal.SIGINT)
        queued.communicate(timeout=300)
        assert queued.returncode == 130
    finally:
        for name in boards.sshds:
            boards.lab.client("-p", name, "release", user="alice")
    assert eventually(lambda: "filters" not in boards.lab.client("reservations"), 30)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--places", "pi1,rpi*"), "unknown place 'rpi*'"),
        (("--tags", "arch=riscv"), "no place has the tags arch=riscv; there are arch=x86_64, site=cubie, site=pi"),
        (("--tags", "arch"), "bad tags 'arch'"),
        (("--engine", "both"), "a fleet has one engine"),
        (("--engine", "counted"), "engine counted cannot measure"),
        (("--label", "a b"), "bad label 'a b'"),
        (("--places", ""), "bad places ''"),
        (("--resume", "nothing"), "unknown fleet 'nothing'"),
        (("--resume", "x", "--quick"), "--resume takes no further options, and preset was given"),
        (("--coordinator", "127.0.0.1:1"), "127.0.0.1:1"),
    ],
)
def test_misuse_is_one_line_and_leaves_nothing(fleet, tmp_path, arguments, words):
    done = fleet(*arguments)
    assert done.returncode in (1, 2)
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_label_that_is_taken_is_refused_before_any_place_is_held(fleet, tmp_path, boards):
    (tmp_path / "results" / "f@pi1").mkdir(parents=True)
    done = fleet("--label", "f", *SHORT)
    assert done.returncode == 2
    assert "there is a run 'f@pi1' already" in done.stderr


@pytest.mark.slow
def test_three_places_of_two_architectures_give_one_page(boards, fleet, tmp_path, arm_board):
    """Each board says itself what it is; one of these is an ARM that qemu emulates."""
    boards.lab.add("arm1", port=arm_board.port, keyfile=arm_board.key, user="root", arch="arm32")
    done = fleet("--label", "f", "--places", "pi*,arm1", *SHORT)
    assert boards.lab.holder("arm1") == ""
    assert done.returncode == 0, done.stderr
    boards.lab.withdraw("arm1")
    boards.lab.delete("arm1")
    headers = {one: json.loads((tmp_path / f"results/f@{one}/run.json").read_text()) for one in ("pi1", "pi2", "arm1")}
    machines = {one: header["machines"][0] for one, header in headers.items()}
    assert {one: machine["arch"] for one, machine in machines.items()} == {
        "pi1": "x86_64",
        "pi2": "x86_64",
        "arm1": "arm32",
    }
    assert machines["arm1"]["facts"]["virtual"] == Virtualization.EMULATED
    page = (tmp_path / "reports/f.html").read_text()
    assert all(f"f@{one}" in page for one in machines)
    assert "armmp" in page


@pytest.mark.slow
def test_eight_places_at_once(tmp_path):
    made = Boards(tmp_path, [f"b{number}" for number in range(8)])
    folder = tmp_path / "work"
    folder.mkdir()
    try:
        done = rseqbench("fleet", "run", "--label", "f", *SHORT, cwd=folder, env=made.env, timeout=300)
        assert done.returncode == 0, done.stderr
        assert {member["failure"] for member in members_of(folder, "f").values()} == {""}
        assert len(members_of(folder, "f")) == 8
        assert eventually(made.quiet, 60)
    finally:
        made.stop()
