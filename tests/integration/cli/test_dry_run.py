"""`rseqbench run --dry-run`: the plan and the very command lines, and nothing is done."""

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux.image import require_qemu
from rseqbench.model import CommandLine
from rseqbench.report.tables import listing
from tests.support.commands import rseqbench, tree
from tests.support.requirements import some_rseq

HOST, ARM = architectures.host(), architectures.named("arm32")
NOT_ASKED_FOR = ("apt-get", "apt", "dpkg-deb", "vng", "scp", "make", "objdump", "perf")
RANDOM = re.compile(r"/(rseqbench-ssh-|tmp)[A-Za-z0-9_]{8}(?=/|$)")
DESCRIPTOR = re.compile(r"(?<=/dev/fd/)\d+|(?<=fd=)\d+")


@pytest.fixture
def place(tmp_path):
    """Return a folder, an environment in which each program that is called leaves a line, and a cache of its own."""
    shims = tmp_path / "shims"
    shims.mkdir()
    (tmp_path / "home").mkdir()
    (tmp_path / "here").mkdir()
    compilers = {name for arch in (HOST, ARM) for name in arch.compilers}
    emulators = {require_qemu(ARM).system, require_qemu(ARM).user, require_qemu(HOST).system}
    for name in (*compilers, *emulators, "ssh", *NOT_ASKED_FOR):
        real = shutil.which(name)
        if real is None and name in compilers:
            continue
        after = f'exec {real} "$@"' if name in compilers else "exit 3"
        if name == "ssh":
            after = 'test "$1" = -G || exit 255'
        shim = shims / name
        # Arguments may hold newlines: each call is one line of shell words, as Python writes them.
        shim.write_text(
            f"#!/bin/sh\n{sys.executable} -c 'import shlex, sys; print(shlex.join(sys.argv[1:]))' {name} \"$@\" "
            f">>{tmp_path}/calls\n{after}\n"
        )
        shim.chmod(shim.stat().st_mode | stat.S_IXUSR)
    cache = tmp_path / "cache"
    if os.environ.get("XDG_CACHE_HOME"):
        shutil.copytree(os.environ["XDG_CACHE_HOME"], cache, dirs_exist_ok=True)
    env = {"PATH": f"{shims}:{os.environ['PATH']}", "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(cache)}
    return tmp_path, {**env, "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(tmp_path / "home")}


def called(folder):
    """Return the calls of programs so far, without those that only ask a compiler or ssh who it is."""
    path = folder / "calls"
    lines = [shlex.split(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [words for words in lines if not {"-dumpmachine", "--version", "-G"} & set(words[1:3])]


def rehearsed(place, *arguments):
    """Return what a dry run prints, once nothing was seen to have happened."""
    folder, env = place
    before = tree(folder / "home"), tree(folder / "cache")
    done = rseqbench("run", "--dry-run", *arguments, cwd=folder / "here", env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert called(folder) == []
    assert (tree(folder / "home"), tree(folder / "cache")) == before
    assert list((folder / "here").iterdir()) == []
    return done.stdout


def commands(printed):
    """Return the printed command lines as words, by what they are for."""
    lines = printed.splitlines()
    return {
        line.removeprefix("# ").partition(" (")[0]: shlex.split(lines[number + 1])
        for number, line in enumerate(lines)
        if line.startswith("# ")
    }


def like(words):
    """Return a command line without the program's folder, and what is new each time."""
    name = os.path.basename(words[0])
    return [name, *(DESCRIPTOR.sub("FD", RANDOM.sub(r"/\1XXXXXXXX", word)) for word in words[1:])]


def facts(printed):
    rows = [re.split(r"  +", line.strip(), maxsplit=1) for line in printed.splitlines()]
    return dict(row for row in rows if len(row) == 2)


@pytest.fixture
def image(tmp_path):
    """Return a file that looks like a Linux for 32-bit ARM."""
    qemu = require_qemu(ARM)
    path = tmp_path / "zImage"
    path.write_bytes(bytes(qemu.magic_at) + bytes.fromhex(qemu.magic) + bytes(4096))
    return path


# ---- the lines are those that are executed ----


def test_the_compilers_line_is_the_one_that_is_executed(place, image):
    folder, env = place
    shutil.rmtree(folder / "cache", ignore_errors=True)
    (folder / "cache").mkdir()
    shown = commands(rehearsed(place, "--arch", "arm32", "--linux", str(image), "--target", "qemu-system"))
    done = rseqbench("run", "--arch", "arm32", "--linux", str(image), "--target", "qemu-system",
                     cwd=folder / "here", env=env)  # fmt: skip
    compiler, qemu, *_ = called(folder)
    assert like(compiler) == like(shown["compile the static runner"])
    assert like(qemu) == like(shown["boot the guest that counts"])
    assert done.returncode == 1  # that qemu does nothing


def test_the_lines_of_ssh_are_those_that_are_executed(place):
    folder, env = place
    place_ = ("--target", "ssh:me@board:2222")
    shown = commands(rehearsed(place, *place_))
    assert len(shown) == 4
    done = rseqbench("run", *place_, cwd=folder / "here", env=env)
    assert done.returncode == 1
    first = next(words for words in called(folder) if words[0] == "ssh")
    assert like(first) == like(shown["connect, and make a folder there"])
    copy, start = shown["copy the runner there"], shown["start it"]
    assert "-oControlMaster=no" in copy and "-oControlMaster=no" in start
    assert copy[-1].split("sh FOLDER ")[0].startswith("exec sh -c ")
    assert start[-1].endswith(" serve")


def test_the_line_of_qemu_user_is_the_one_that_is_executed(place):
    folder, env = place
    place_ = ("--arch", "arm32", "--target", "qemu-user")
    shown = commands(rehearsed(place, *place_))
    (folder / "shims" / require_qemu(ARM).user).write_text(
        f"#!/bin/sh\nif test $1 = -h; then echo -plugin; exit 0; fi\n"
        f"{sys.executable} -c 'import shlex, sys; print(shlex.join(sys.argv[1:]))' user "
        f'"$@" >>{folder}/calls\nexit 3\n'
    )
    rseqbench("run", *place_, cwd=folder / "here", env=env)
    (first,) = [words for words in called(folder) if words[0] == "user"]
    assert like(first)[1:] == like(shown["ask the runner who it is"])[1:]


def test_a_line_is_exact_and_does_no_harm():
    words = ("a  b", "it's", "x\x1b[31m\u202e'\\\n", "plain")
    ((what, line),) = listing.format_commands([CommandLine("do", words, "why")])
    assert what == "do (why)"
    assert line.isprintable()
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True, text=True)
    assert tuple(done.stdout.split("\0")[:-1]) == words


# ---- the plan ----


@some_rseq
def test_the_plan_is_that_of_the_run(place):
    folder, env = place
    what = ("counter/plain", "counter/getcpu_lse", "--quick", "--rounds", "2", "--values", "1", "--engine", "pyperf",
            "--seed", "7", "--threads", "1,2")  # fmt: skip
    done = rseqbench("run", *what, "--label", "x", cwd=folder / "here", env=env)
    assert done.returncode == 0, done.stderr
    shutil.rmtree(folder / "here/results")
    (folder / "calls").unlink()
    printed = rehearsed(place, *what)
    told = facts(printed)
    assert told["target"] == "native"
    assert told["engine"] == "pyperf"
    assert told["rounds"] == "2 (preset quick)"
    assert told["order"] == "seed 7"
    assert told["values in a round"].startswith("1, of at least ")
    assert told["threads"] == "1, 2"
    assert told["CPUs"].split(", ")[0].isdecimal()
    assert re.match(r"about \d+ s", told["the rounds take"])
    assert re.search(r"^counter +1 +plain *$", printed, re.MULTILINE)
    if HOST.name != "arm64":
        assert "counter/getcpu_lse  not: LSE atomics: AArch64 only" in printed
    assert "(not executed: the cache has what it makes)" in printed


def test_what_is_not_known_is_said(place, image):
    shutil.rmtree(place[0] / "cache", ignore_errors=True)
    (place[0] / "cache").mkdir()
    printed = rehearsed(place, "counter", "--arch", "arm32", "--target", "qemu-system")
    told = facts(printed)
    assert told["benchmarks"] == "those that counter names"
    assert told["CPUs"] == "as the target has them"
    assert told["the rounds take"] == "not known before they are tried"
    assert "they alone know which benchmarks exist" in printed
    assert "Debian's Linux is not in the cache: its package is fetched with apt-get first" in printed
    assert "Debian's Linux" not in rehearsed(place, "--arch", "arm32", "--linux", str(image), "--target", "qemu-system")


def test_both_engines_are_two_plans(place):
    assert facts(rehearsed(place, "--engine", "both"))["engine"] == "gated, then pyperf"


def test_without_a_compiler_it_says_what_is_missing(place):
    folder, env = place
    for name in {name for arch in (HOST, ARM) for name in arch.compilers}:
        (folder / "shims" / name).unlink(missing_ok=True)
    done = rseqbench("run", "--dry-run", cwd=folder / "here", env={**env, "PATH": str(folder / "shims")})
    assert done.returncode == 0, done.stderr
    assert "no C compiler for" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--target", "bogus"], "unknown target 'bogus'"),
        (["--target", "ssh:-oProxyCommand=x"], "is no destination for ssh"),
        (["--arch", "bogus"], "bogus"),
        (["--engine", "gated", "--arch", "arm32", "--target", "qemu-system"], "engine gated cannot measure"),
        (["--preset", "bogus"], "unknown preset"),
        (["--resume", "x"], "--resume takes no further options"),
        (["--label", "../x"], "bad label"),
        (["--label", "patch-2018"], "patch's own table"),
        (["--linux", "/nosuch", "--target", "qemu-system"], "cannot read the Linux"),
        (["--threads", "0"], "expected counts"),
    ],
)
def test_nonsense_is_refused_as_it_is_without(place, arguments, why):
    folder, env = place
    done = rseqbench("run", "--dry-run", *arguments, cwd=folder / "here", env=env)
    assert done.returncode == 2, done.stdout
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert called(folder) == []
