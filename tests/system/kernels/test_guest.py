"""targets/qemu/virtual_machine.py: Debian's own Linux under the real qemu-system, when all is well and when not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import image
from rseqbench.build.linux.image import KernelImage
from rseqbench.errors import TargetError
from rseqbench.targets.qemu.virtual_machine import VirtualMachine
from tests.support.commands import processes_with
from tests.support.guests import ECHO_INIT, static

pytestmark = pytest.mark.slow
ARCHES = ("arm32", "arm64", "x86_64")
FASTEST = "arm64"  # it boots in two seconds
TICK_NS = 16  # of ARM's clock, at 62.5 MHz


@pytest.fixture(scope="module")
def inits(tmp_path_factory):
    """Return a function that gives the echoing init of an architecture."""
    folder, made = tmp_path_factory.mktemp("inits"), {}

    def get(name):
        if name not in made:
            made[name] = static(name, ECHO_INIT, folder)
        return made[name]

    return get


@pytest.fixture
def guest(inits, monkeypatch, tmp_path):
    """Return a function that makes a guest; afterwards nothing of it may be left."""
    monkeypatch.setenv("RSEQBENCH_TEST_MARK", str(tmp_path))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    files = len(os.listdir("/proc/self/fd"))

    def make(name=FASTEST, **options):
        arch = architectures.named(name)
        given = {"image": image.fetch_debian_image(arch), "init": inits(name), **options}
        return VirtualMachine(arch, given.pop("image"), given.pop("init"), **given)

    yield make
    assert set(processes_with(str(tmp_path))) <= {os.getpid()}
    assert not list(temporary.iterdir())
    assert len(os.listdir("/proc/self/fd")) == files


class Talk:
    """A conversation with the echoing init, line by line."""

    def __init__(self, guest):
        self._stream = guest.socket.makefile("rwb", buffering=0)
        assert self.line() == "for more"

    def line(self):
        return self._stream.readline().decode().rstrip("\n")

    def ask(self, line):
        self._stream.write(line.encode() + b"\n")
        return self.line()

    def close(self):
        self._stream.close()


def refused(guest):
    with pytest.raises(TargetError) as caught, guest:
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ARCHES)
def test_a_guest_boots_and_answers(guest, name):
    with guest(name, cpus=2, parameters=["ECHO_INIT=talk"]) as running:
        assert running.first_line == b"ready"
        assert running.boot_s > 0
        talk = Talk(running)
        assert talk.ask("hello") == "hello"
        assert talk.ask("cpus") == "2"
        assert talk.ask("release") == image.fetch_debian_image(architectures.named(name)).release
        assert talk.ask("env ECHO_INIT") == "talk"
        talk.close()


@pytest.mark.parametrize("name", ARCHES)
def test_a_counted_guests_clock_is_its_instructions(guest, name):
    """A loop of two instructions takes two nanoseconds, within the tick of ARM's clock and, at most, a timer's."""
    with guest(name, counted=True) as running:
        talk = Talk(running)
        times = {loops: min(int(talk.ask(f"spin {loops}")) for _ in range(5)) for loops in (1000, 101_000)}
        talk.close()
    slope = (times[101_000] - times[1000]) / 100_000
    assert round(slope, 2) == 2


def test_instructions_of_a_system_call_are_the_same_in_each_boot(guest):
    spans = []
    for _ in range(3):
        with guest(counted=True) as running:
            talk = Talk(running)
            times = {loops: min(int(talk.ask(f"getcpu {loops}")) for _ in range(9)) for loops in (100, 300)}
            spans.append(times[300] - times[100])
            talk.close()
    assert max(spans) - min(spans) <= 2 * TICK_NS, "more than the ticks of the clock at both ends"


def test_only_one_cpu_can_be_counted(guest):
    with pytest.raises(ValueError, match="on one CPU only"):
        guest(counted=True, cpus=2)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("off", "the arm64 guest stopped before it spoke: echo init: switching off"),
        ("exit", "the arm64 guest stopped before it spoke: Kernel panic - not syncing: Attempted to kill init!"),
        ("hang", "the arm64 guest said nothing within 20 s: echo init: hanging"),
    ],
)
def test_a_guest_that_does_not_come_up_says_why(guest, how, words):
    limit = {"boot_timeout_s": 20} if how == "hang" else {}
    assert refused(guest(parameters=[f"ECHO_INIT={how}"], **limit)).startswith(words)


def test_an_init_of_another_architecture_is_told_by_linux(guest, inits):
    assert "Failed to execute /init (error -8)" in refused(guest(init=inits("x86_64")))


def test_too_little_memory_is_told(guest):
    assert "too large to fit in RAM" in refused(guest(memory_mib=24))


def test_a_linux_that_says_nothing_is_given_up(guest, tmp_path):
    (tmp_path / "junk").write_bytes(bytes(100_000))
    message = refused(guest(image=KernelImage(FASTEST, tmp_path / "junk"), boot_timeout_s=2))
    assert message == ("the arm64 guest said nothing within 2 s: its console is empty, and it had 512 MiB of memory")


def test_a_missing_image_is_one_line(guest, tmp_path):
    assert "could not load kernel" in refused(guest(image=KernelImage(FASTEST, tmp_path / "absent")))
    assert refused(guest(init=tmp_path / "absent")) == f"cannot read {tmp_path}/absent: No such file or directory"


def test_without_qemu_its_package_is_named(guest, monkeypatch):
    absent = guest()
    monkeypatch.setenv("PATH", "/nowhere")
    assert refused(absent) == "no qemu-system-aarch64 to run arm64 with; apt-get install qemu-system-arm"


def test_a_guest_that_ends_in_the_middle_closes_the_stream_and_tells_why(guest):
    with guest() as running:
        talk = Talk(running)
        assert talk.ask("panic") == ""
        assert "Attempted to kill init! exitcode=0x00000300" in str(running.failure("is gone"))
        talk.close()


def test_an_interruption_during_the_boot_leaves_nothing(guest):
    def interrupt(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.7)
        with pytest.raises(KeyboardInterrupt), guest(parameters=["ECHO_INIT=hang"]):
            pass
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_qemu_dies_with_us(inits, tmp_path, number):
    """The init hangs: one that talks would end by itself when its stream does."""
    program = f"""
from pathlib import Path
from rseqbench.build import architectures
from rseqbench.build.linux import image
from rseqbench.targets.qemu.virtual_machine import VirtualMachine
arch = architectures.named({FASTEST!r})
with VirtualMachine(arch, image.fetch_debian_image(arch), Path({str(inits(FASTEST))!r}), parameters=["ECHO_INIT=hang"]):
    pass
"""
    image.fetch_debian_image(architectures.named(FASTEST))

    def qemu_runs():
        names = [Path(f"/proc/{process}/comm").read_text() for process in processes_with(str(tmp_path))]
        return any(name.startswith("qemu-system") for name in names)

    child = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[3],
        env={**os.environ, "RSEQBENCH_TEST_MARK": str(tmp_path)},
    )
    with child:
        assert wait_for(qemu_runs, 60), "qemu did not start"
        child.send_signal(number)
        child.wait()
    assert wait_for(lambda: not processes_with(str(tmp_path)), 5)


def wait_for(condition, seconds):
    """Return whether `condition` came true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
