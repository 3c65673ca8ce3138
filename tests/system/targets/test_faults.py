"""What keeps a run on another machine or another architecture from working: one clear line, and the exit code."""

import functools
import json
import os
import shutil
import sys

import pytest

from rseqbench.build import architectures, products
from rseqbench.build.cache import Built
from rseqbench.targets.qemu import target as qemu_target
from tests.support.commands import ROOT, in_process, processes_with, rseqbench, temporary, tree
from tests.support.guests import static
from tests.support.sshd import eventually, free_port

MARK = "RSEQBENCH_TEST_FAULTS"
HOST = architectures.host().name
OTHER = next(name for name in ("arm32", "x86_64") if name != HOST)
SHORT = ("--quick", "--engine", "pyperf", "--rounds", "6", "--values", "1")


@pytest.fixture
def failed(tmp_path, monkeypatch, capsys):
    """Return a function that gives rseqbench a command line and returns the one line with which it fails.

    Afterwards nothing of it may be left: no process, no file but an unfinished run when it had begun.
    """
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv(MARK, str(tmp_path))
    sockets = temporary()

    run = in_process(monkeypatch, capsys)

    def call(*arguments, code):
        found, out, err = run(*arguments)
        assert found == code, (out, err)
        assert out == ""
        assert err.count("\n") == 1, err
        assert tree(folder) == {}
        assert eventually(lambda: set(processes_with(f"{MARK}={tmp_path}\0")) <= {os.getpid()})
        assert temporary() == sockets
        return err.rstrip("\n")

    return call


@pytest.fixture
def only(tmp_path, monkeypatch):
    """Return a function that leaves nothing on the PATH but some programs."""

    def leave(*names):
        folder = tmp_path / "bin"
        folder.mkdir()
        for name in names:
            (folder / name).symlink_to(shutil.which(name))
        monkeypatch.setenv("PATH", str(folder))

    return leave


def image(folder, name):
    """Write what is recognised as the Linux of an architecture, and boots nowhere."""
    qemu = architectures.named(name).qemu
    made = folder / f"linux-{name}"
    made.write_bytes(bytes(qemu.magic_at) + bytes.fromhex(qemu.magic) + bytes(100_000))
    return str(made)


# ---- what is missing here ----


def test_no_cross_compiler(failed, only):
    only("gcc")
    words = f"rseqbench: no C compiler for {OTHER}; apt-get install {architectures.named(OTHER).package}"
    assert failed("run", "--arch", OTHER, code=2) == words
    assert failed("check", "--arch", OTHER, "--target", "qemu-user", code=2) == words


@pytest.mark.parametrize("target", ["qemu-system", "qemu-user"])
def test_no_qemu(failed, only, tmp_path, target):
    arch = architectures.named("arm32")
    only(next(name for name in arch.compilers if shutil.which(name)), "gcc")
    linux = ("--linux", image(tmp_path, "arm32")) if target == "qemu-system" else ()
    program, package = {
        "qemu-system": (arch.qemu.system, arch.qemu.system_package),
        "qemu-user": (arch.qemu.user, arch.qemu.user_package),
    }[target]
    line = failed("run", "--arch", "arm32", "--target", target, *linux, code=1)
    assert line == f"rseqbench: no {program} to run arm32 with; apt-get install {package}"


def test_no_linux_and_no_network_to_fetch_one(failed, tmp_path, monkeypatch):
    (tmp_path / "sources.list").write_text("deb [trusted=yes] file:/nowhere ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list";\nDir::Etc::sourceparts "/dev/null";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    line = failed("run", "--arch", "arm32", code=1)
    assert "apt knows no package linux-image-armmp-lpae" in line
    assert line.endswith("; mend that, or give a Linux of your own: --linux PATH")
    assert not list((tmp_path / "cache").rglob("arm32-*")), "what was fetched is still there"


def test_no_room_to_fetch_one(failed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    full = shutil.disk_usage(tmp_path)._replace(free=5 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: full)
    line = failed("list", "--arch", "arm32", code=1)
    assert "fetching Debian's Linux takes 600 MiB, and " in line
    assert " has 5 left; make room, or set XDG_CACHE_HOME" in line


def test_a_cache_that_cannot_be_written(failed, tmp_path, monkeypatch):
    (tmp_path / "cache").write_text("a file in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    line = failed("run", "--arch", "arm32", code=2)
    assert line.startswith(f"rseqbench: cannot write {tmp_path}/cache")
    assert line.endswith("; set XDG_CACHE_HOME")


# ---- what makes no sense ----


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("arm64", "is a Linux for arm64, not for arm32; give the zImage of a Linux built for arm32"),
        (None, "is no Linux that can be booted on arm32; give the zImage of a Linux built for arm32"),
    ],
)
def test_a_linux_of_another_architecture(failed, tmp_path, given, words):
    path = image(tmp_path, given) if given else str(ROOT / "README.md")
    for command in ("run", "check", "list"):
        assert failed(command, "--arch", "arm32", "--linux", path, code=2) == f"rseqbench: {path} {words}"


def test_a_linux_that_is_not_there(failed):
    line = failed("run", "--arch", "arm32", "--linux", "/nowhere/zImage", code=2)
    assert line == "rseqbench: cannot read the Linux /nowhere/zImage: No such file or directory; --linux wants a file"


@pytest.mark.parametrize("target", ["native", "runner", "qemu-user", "ssh:board"])
def test_a_linux_that_nothing_would_boot(failed, target):
    arch = "arm32" if target == "qemu-user" else "host"
    for command in ("run", "check", "list"):
        line = failed(command, "--arch", arch, "--target", target, "--linux", "/boot/vmlinuz", code=2)
        assert line == (
            f"rseqbench: target {target} boots no Linux, and /boot/vmlinuz was given to boot; "
            "--linux is for --target qemu-system"
        )


@pytest.mark.parametrize("engine", ["gated", "pyperf"])
@pytest.mark.parametrize("target", ["qemu-system", "qemu-user"])
def test_an_engine_that_times_what_is_emulated(failed, engine, target):
    line = failed("run", "--arch", "arm32", "--target", target, "--engine", engine, code=2)
    assert line == (
        f"rseqbench: engine {engine} cannot measure on this target: time is emulated there, which is no time; "
        "--engine counted"
    )


def test_an_engine_that_counts_where_time_is_real(failed):
    line = failed("run", "--engine", "counted", code=2)
    assert line.endswith("time is real there, so nothing counts; --engine gated")


# ---- guests that do not come up ----


def guest_of(monkeypatch, tmp_path, text, **options):
    """Let every guest of arm64 run a program in place of the runner."""
    source = tmp_path / "init.c"
    source.write_text(text)
    program = static("arm64", source, tmp_path)
    monkeypatch.setattr(products, "runner", lambda arch: Built(program, "", "", ""))
    monkeypatch.setattr(qemu_target, "VirtualMachine", functools.partial(qemu_target.VirtualMachine, **options))


@pytest.mark.slow
def test_a_guest_that_panics(failed, monkeypatch, tmp_path):
    guest_of(monkeypatch, tmp_path, "int main(void) { return 3; }\n")
    line = failed("run", "--arch", "arm64", code=1)
    assert line == (
        "rseqbench: the arm64 guest stopped before it spoke: "
        "Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000300"
    )


@pytest.mark.slow
def test_a_guest_that_hangs(failed, monkeypatch, tmp_path):
    text = '#include <unistd.h>\nint main(void) { write(1, "waiting\\n", 8); for (;;) pause(); }\n'
    guest_of(monkeypatch, tmp_path, text, boot_timeout_s=8)
    line = failed("run", "--arch", "arm64", code=1)
    assert line.startswith("rseqbench: the arm64 guest said nothing within 8 s: ")


# ---- ssh ----


def test_nobody_listens(failed):
    port = free_port()
    line = failed("run", "--target", f"ssh:127.0.0.1:{port}", code=1)
    assert line.startswith(f"rseqbench: 127.0.0.1:{port} refuses connections (")
    assert line.endswith("; is an sshd running there, on that port?")


def test_an_sshd_that_wants_a_password(failed, sshd):
    server = sshd()
    (server.folder / "authorized_keys").write_text("")
    line = failed("run", "--target", f"ssh:{server.destination}", code=1)
    assert line.startswith(f"rseqbench: {server.destination} wants a password or another key (")
    assert "set up a key with ssh-copy-id" in line


def test_a_machine_of_another_architecture(failed, sshd):
    server = sshd()
    line = failed("run", "--arch", OTHER, "--target", f"ssh:{server.destination}", code=1)
    machine = os.uname().machine
    assert line == f"rseqbench: ssh:{server.destination} is {machine}, not {OTHER}; --arch {HOST}"
    assert eventually(lambda: server.left() == [])


def test_a_malformed_destination(failed):
    assert "'-oProxyCommand=x' is no destination for ssh" in failed("run", "--target", "ssh:-oProxyCommand=x", code=2)


def test_a_machine_without_rseq_says_so_in_every_row(sshd, tmp_path):
    server = sshd(prefix=[sys.executable, str(ROOT / "tests" / "support" / "seccomp.py"), "ENOSYS"])
    what = ("counter/rseq", "counter/plain")
    done = rseqbench("run", *SHORT, "--target", f"ssh:{server.destination}", *what, "--label", "x", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    header = json.loads((tmp_path / "results/x/run.json").read_text())
    (skip,) = header["plan"]["skips"]
    assert skip["benchmark"] == "counter/rseq"
    assert "ENOSYS" in skip["reason"] or "not implemented" in skip["reason"]
    assert header["machines"][0]["facts"]["registration"] == "none"
    assert "counter/plain" in {case["benchmark"] for case in header["plan"]["cases"]}
    assert eventually(lambda: server.left() == [])
