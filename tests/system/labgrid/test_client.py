"""targets/labgrid: one daemon for all who hold places, however many at once, with a real coordinator and sshd."""

import contextlib
import subprocess
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from rseqbench.errors import TargetError, UsageError
from rseqbench.targets.labgrid.client import FOREVER, LabClient, share_client
from rseqbench.targets.labgrid.daemon.messages import LabgridError
from tests.support.labgrid_lab import MARK, Lab, daemons
from tests.support.sshd import Sshd, eventually

EIGHT = tuple(f"p{number}" for number in range(8))


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    server = Sshd(tmp_path_factory.mktemp("board") / "sshd")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def lab(board, tmp_path_factory):
    """Yield a lab of eight places, which are all one board, and of one whose exporter has nothing for it."""
    made = Lab(tmp_path_factory.mktemp("lab") / "lab")
    made.add(*EIGHT, port=board.port, keyfile=board.folder / "user_key", arch="x86_64")
    made.client("-p", "empty", "create")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, str(made.folder))
        try:
            yield made
            assert made.all_free()
            assert eventually(lambda: daemons(made.mark) == [])
        finally:
            made.stop()


@pytest.fixture
def desk(lab):
    with LabClient(lab.address, str(lab.environment)) as opened:
        yield opened


def test_all_places_are_listed_with_what_is_known_of_them(desk, lab):
    lab.client("-p", "p3", "acquire", user="bob")
    places = {place.name: place for place in desk.places()}
    lab.client("-p", "p3", "release", user="bob")
    assert list(places) == sorted([*EIGHT, "empty"])
    assert {name for name, place in places.items() if place.holder} == {"p3"}
    assert places["p3"].holder.endswith("/bob")
    assert places["p0"].tags == {"arch": "x86_64"}
    assert (places["p0"].resources, places["empty"].resources) == (("NetworkService",), ())


def test_eight_places_are_held_and_reached_at_once_over_one_daemon(lab):
    together = Barrier(len(EIGHT), timeout=100)

    def visit(name):
        with share_client(lab.address, str(lab.environment)) as desk, desk.hold(name, None) as held:
            found = held.connect()
            together.wait()
            said = subprocess.run([*found.words, found.host, "echo", name], capture_output=True, text=True, check=True)
            keeping = len(daemons(lab.mark))
            together.wait()
            return said.stdout.strip(), bool(lab.holder(name)), keeping

    with ThreadPoolExecutor(len(EIGHT)) as threads:
        assert list(threads.map(visit, EIGHT)) == [(name, True, 1) for name in EIGHT]
    assert lab.all_free()
    assert daemons(lab.mark) == []


def test_one_that_fails_does_not_stop_the_others(desk):
    with desk.hold("p0", None) as held:
        with desk.hold("empty", None) as hopeless, pytest.raises(LabgridError, match="has no NetworkService"):
            hopeless.connect()
        assert held.connect().host == "127.0.0.1"


def test_a_place_is_held_once_in_a_process_and_by_one_process(desk, lab):
    with desk.hold("p0", None):
        with pytest.raises(TargetError, match="held by this very process"), desk.hold("p0", None):
            pass
        with (
            LabClient(lab.address, "") as other,
            pytest.raises(TargetError, match="is held by"),
            other.hold("p0", None),
        ):
            pass
        assert lab.holder("p0")
    assert not lab.holder("p0")


def test_who_queues_gets_the_place_from_who_leaves_it(desk, lab):
    with LabClient(lab.address, "") as other, ThreadPoolExecutor(1) as threads, contextlib.ExitStack() as later:
        with desk.hold("p0", None):
            waiting = threads.submit(later.enter_context, other.hold("p0", FOREVER))
            assert eventually(lambda: "state: waiting" in lab.client("reservations"))
            assert not waiting.done()
        assert waiting.result(60).place.name == "p0"


def test_who_queues_gives_up_in_time(desk, lab):
    lab.client("-p", "p0", "acquire", user="bob")
    with pytest.raises(TargetError, match=r"place p0 was not free within 1.5 s"), desk.hold("p0", 1.5):
        pass
    assert "Reservation" not in lab.client("reservations")
    lab.client("-p", "p0", "release", user="bob")


def test_an_unknown_place_is_misuse(desk):
    with pytest.raises(UsageError, match=r"unknown place 'p9' .*did you mean"), desk.hold("p9", None):
        pass


def test_settings_that_name_no_place_are_for_all_places_where_they_agree(lab, board, tmp_path):
    both = tmp_path / "both.yaml"
    key = board.folder / "user_key"
    driver = "  {role}: {{drivers: {{SSHDriver: {{keyfile: {key}, connection_timeout: 2.0}}}}}}\n"
    both.write_text("targets:\n" + driver.format(role="one", key=key))
    with LabClient(lab.address, str(both)) as desk, desk.hold("p0", None) as held:
        assert str(key) in held.connect().words, "the settings of a lab with one key are for all its places"
    both.write_text(both.read_text() + driver.format(role="two", key="another"))
    differ = pytest.raises(UsageError, match="no target is for place p0, and their SSHDrivers differ")
    with LabClient(lab.address, str(both)) as desk, desk.hold("p0", None) as held, differ:
        held.connect()
