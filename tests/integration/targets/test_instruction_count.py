"""targets/qemu/instruction_count.py: foreign programs under the real qemu-user, counted by the real plugin."""

import os
import shutil
import stat
import time
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.errors import TargetError
from rseqbench.targets.qemu import user
from tests.support import commands
from tests.support.guests import static

LOOP = Path(__file__).parents[2] / "data" / "loop.c"
A_LOOP = {"arm32": 4, "arm64": 4}  # two times nothing, a decrement, a branch


@pytest.fixture(scope="module", params=A_LOOP)
def run(request, tmp_path_factory):
    """Return a function that runs the looping program of an architecture."""
    arch = architectures.named(request.param)
    if shutil.which(arch.qemu.user) is None:
        pytest.skip(f"no {arch.qemu.user}: apt-get install {arch.qemu.user_package}")
    program = static(arch.name, LOOP, tmp_path_factory.mktemp("loop"))

    def call(*arguments, timeout_s=60, **options):
        return user.count_instructions(arch, program, list(map(str, arguments)), timeout_s=timeout_s, **options)

    call.arch = arch
    return call


def test_the_slope_over_two_loop_counts_is_the_instructions_of_a_loop(run):
    one, other = run(100_000).instructions, run(200_000).instructions  # as many digits to read
    assert other - one == 100_000 * A_LOOP[run.arch.name]


def test_the_count_is_the_same_each_time(run):
    assert len({run(1000) for _ in range(3)}) == 1


def test_it_is_the_count_of_the_program_and_not_of_its_child(run):
    forked, alone = run(50_000, "fork"), run(50_000)
    assert forked.stdout == alone.stdout == b"done\n"
    assert 0 < forked.instructions - alone.instructions < 5000


def test_what_is_read_and_printed_passes_through(run):
    text = b"a line\n\0\xff" * 50_000
    assert run(1, "echo", stdin=text).stdout == text + b"done\n"


@pytest.mark.parametrize(("how", "words"), [("fail", "no luck"), ("crash", "uncaught target signal 11")])
def test_a_program_that_fails_is_one_line(run, how, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TargetError, match=rf"^loop-{run.arch.name} failed under {run.arch.qemu.user}: .*{words}"):
        run(1, how)
    assert not list(tmp_path.iterdir()), "a core was left"


def test_a_program_that_hangs_is_ended(run, monkeypatch, tmp_path):
    monkeypatch.setenv("RSEQBENCH_TEST_MARK", str(tmp_path))
    with pytest.raises(TargetError, match=r"did not end within 0\.5 s under qemu-"):
        run(1, "hang", timeout_s=0.5)
    others = set(commands.processes_with(str(tmp_path))) - {os.getpid()}
    deadline = time.monotonic() + 60
    while others and time.monotonic() < deadline:
        others = set(commands.processes_with(str(tmp_path))) - {os.getpid()}
    assert not others


def test_without_qemu_its_package_is_named(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TargetError, match=r"^no qemu-arm to run arm32 with; apt-get install qemu-user$"):
        user.qemu_with_plugins(architectures.named("arm32"))


def test_a_qemu_without_plugins_is_recognised(monkeypatch, tmp_path):
    script = tmp_path / "qemu-arm"
    script.write_text("#!/bin/sh\necho '-version  QEMU_VERSION  display version information'\n")
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with pytest.raises(TargetError, match=r"^this qemu-arm was built without plugins"):
        user.qemu_with_plugins(architectures.named("arm32"))
