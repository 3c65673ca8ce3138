"""ARM over ssh from end to end: an emulated board with a real Linux and a real sshd.

It is a proof of the way: its time is qemu's, so nothing is said of how long anything takes.
"""

import json

import pytest

from rseqbench.model import Virtualization
from tests.support.arm_board import there
from tests.support.commands import rseqbench
from tests.support.runs import header_of, rows_of
from tests.support.sshd import eventually

pytestmark = pytest.mark.slow
WHAT = (
    "counter/rseq",
    "counter/plain",
    "counter/getcpu_atomic",
    "cpu_id/rseq",
    "cpu_id/lsl",
    "cpu_id/sched_getcpu_norseq",
)


@pytest.fixture(scope="module")
def board(arm_board):
    """Yield a running board to which this process's ssh goes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RSEQBENCH_SSH", arm_board.ssh)
        yield arm_board


@pytest.fixture(scope="module")
def done(board, tmp_path_factory):
    """Return the folder of a run on the board."""
    folder = tmp_path_factory.mktemp("run")
    target = ("--arch", "arm32", "--target", f"ssh:{board.destination}")
    how = ("--quick", "--engine", "pyperf", "--rounds", "2", "--values", "2", "--label", "x")
    ran = rseqbench("run", *target, *how, *WHAT, cwd=folder, timeout=400)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder


def test_every_row_is_there_in_nanoseconds_or_says_why_not(done):
    rows = {row["benchmark"]: row for row in rows_of(done)}
    assert set(WHAT) <= set(rows)
    assert rows["cpu_id/lsl"]["reason"] == "x86 only"
    for name in set(WHAT) - {"cpu_id/lsl"}:
        assert rows[name]["gross"]
        assert (rows[name]["arch"], rows[name]["unit"], rows[name]["engine"]) == ("arm32", "ns/op", "pyperf")


def test_rseq_is_registered_by_its_c_library_and_off_where_it_has_to_be(done):
    rows = {row["benchmark"]: row for row in rows_of(done)}
    assert rows["counter/rseq"]["registration"] == "glibc"
    assert rows["cpu_id/sched_getcpu_norseq"]["registration"] == "none"


def test_it_was_exact_and_aborts_were_taken(done):
    checks = {check["benchmark"]: check for check in header_of(done)["checks"]}
    for name in ("counter/rseq", "counter/plain", "counter/getcpu_atomic"):
        assert checks[name]["passed"]
        assert checks[name]["disturbances"] > 0
    assert checks["counter/rseq"]["aborts"] > 0
    assert checks["counter/rseq"]["exercised"]


def test_the_header_says_that_it_is_no_hardware(done, board):
    (machine,) = header_of(done)["machines"]
    assert machine["target"] == f"ssh:{board.destination}"
    assert machine["timing"] == "virtual"
    facts = machine["facts"]
    assert facts["virtual"] == Virtualization.EMULATED
    assert facts["linux"] == there(board, "uname -r").strip()
    assert facts["cpus"] == 2


def test_nothing_is_left_there(done, board):
    assert done
    assert eventually(lambda: there(board, "ls -A /tmp").split() == ["key"])
    assert "runner" not in there(board, "ps")


def test_its_list_is_that_of_the_architecture(board, tmp_path):
    target = ("--arch", "arm32", "--target", f"ssh:{board.destination}")
    listed = rseqbench("list", *target, "--format", "json", cwd=tmp_path)
    assert listed.returncode == 0, listed.stderr
    found = {one["name"]: one["unavailable"] for one in json.loads(listed.stdout)}
    assert found["ring_buffer/rseq"] == ""


def test_another_architecture_is_refused(board, tmp_path):
    refused = rseqbench("list", "--arch", "arm64", "--target", f"ssh:{board.destination}", cwd=tmp_path)
    assert refused.returncode == 1
    assert f"ssh:{board.destination} is armv7l, not arm64; --arch arm32" in refused.stderr
