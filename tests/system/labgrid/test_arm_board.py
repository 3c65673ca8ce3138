"""A lab of two architectures: this machine behind an sshd, and an emulated ARM board, both places of labgrid."""

import pytest

from rseqbench.build import architectures
from tests.support.arm_board import there
from tests.support.commands import rseqbench
from tests.support.labgrid_lab import Lab, daemons
from tests.support.runs import Started, header_of, rows_of
from tests.support.sshd import Sshd, eventually

pytestmark = pytest.mark.slow
SHORT = ("run", "--quick", "--engine", "pyperf", "--values", "2", "counter/plain", "counter/rseq")
LONG_AGO = "1971-02-03 04:05:06"


@pytest.fixture(scope="module")
def board(arm_board):
    """Return a running board whose clock is wrong."""
    there(arm_board, f"date -s '{LONG_AGO}'")
    return arm_board


@pytest.fixture(scope="module")
def lab(board, tmp_path_factory):
    """Yield a lab of the places arm and pc, which our settings name."""
    folder = tmp_path_factory.mktemp("lab")
    pc, made = Sshd(folder / "pc"), Lab(folder / "lab")
    made.add("arm", port=board.port, keyfile=board.key, user="root", patience_s=120.0, arch="arm32")
    made.add("pc", port=pc.port, keyfile=pc.folder / "user_key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LG_COORDINATOR", made.address)
        patch.setenv("LG_ENV", str(made.environment))
        try:
            yield made
            assert eventually(made.all_free)
            assert eventually(lambda: daemons(f"LG_COORDINATOR={made.address}\0") == [])
        finally:
            made.stop()
            pc.stop()


def test_one_command_measures_both_as_what_they_are(lab, board, tmp_path):
    for place, arch in (("arm", "arm32"), ("pc", architectures.host().name)):
        done = rseqbench(*SHORT, "--rounds", "2", "--target", f"labgrid:{place}", cwd=tmp_path, timeout=500)
        assert done.returncode == 0, done.stdout + done.stderr
        (label,) = (path.name for path in (tmp_path / "results").iterdir() if path.name.startswith(f"{arch}-"))
        (machine,) = header_of(tmp_path, label)["machines"]
        assert (machine["arch"], machine["facts"]["place"]) == (arch, place)
        assert all(row["gross"] for row in rows_of(tmp_path, label) if row["benchmark"] == "counter/plain")
    assert there(board, "date +%Y").strip() == "1971", "nothing of it depends on the clock there"
    assert eventually(lambda: there(board, "ls -A /tmp").split() == ["key"])


def test_a_board_that_reboots_is_waited_for(lab, board, tmp_path):
    target = ("--target", "labgrid:arm", "--rounds", "12", "--label", "x")
    started = Started(tmp_path, *SHORT, *target, until="round 2 of")
    board.__exit__(None, None, None)
    board.__enter__()
    code, err = started.end()
    assert code == 0, err
    assert any("void in " in note for note in header_of(tmp_path)["notes"])
