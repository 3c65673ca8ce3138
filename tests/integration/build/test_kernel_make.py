"""build/linux/make.py: what make is given and what becomes of it, by the real make on a small tree."""

import json
import os
import signal
import subprocess
import sys

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import build, make
from rseqbench.build.linux import make as locks
from rseqbench.config import LinuxOptions
from rseqbench.errors import BuildError
from tests.support.commands import processes_with
from tests.support.kernel_tree import plant
from tests.support.sshd import eventually

X86 = architectures.named("x86_64")
MARK = "RSEQBENCH_TEST_MAKE"
BUILD = """
import signal, sys
from rseqbench.build import architectures
from rseqbench.build.linux import build
from rseqbench.config import LinuxOptions
signal.signal(signal.SIGTERM, signal.default_int_handler)
options = LinuxOptions(*sys.argv[1:])
build.build_kernel(architectures.named("x86_64"), options, "y", lambda done, of: print(done, flush=True))
"""


def silent(done, of):
    """Show nothing."""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Begin with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rseqbench" / "linux"


@pytest.fixture
def tree(tmp_path):
    """Return a source tree of the user's."""
    return plant(tmp_path / "tree")


@pytest.fixture
def options(cache, tree, tmp_path):
    """Return what to build: that tree with a configuration of the user's."""
    (tmp_path / "mine.config").write_text("CONFIG_RSEQ=y\n")
    return LinuxOptions(str(tree), str(tmp_path / "mine.config"))


def recipe(tree, text):
    """Let two.o come last, and be made by these lines of a recipe."""
    lines = "".join(f"\t{line}\n" for line in text.splitlines())
    with (tree / "Makefile").open("a") as file:
        file.write(f"\n$(O)/two.o: two.c $(O)/one.o\n{lines}")


@pytest.fixture
def building(options, tmp_path):
    """Return a function that builds in a process of its own, until so many steps are done; it is gone afterwards."""
    started = []

    def begin(steps):
        command = [sys.executable, "-c", BUILD, options.source, options.config]
        environment = {**os.environ, MARK: str(tmp_path)}
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(process)
        while (line := process.stdout.readline()) != b"%d\n" % steps:
            assert line, "it ended"
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()
    for left in processes_with(f"{MARK}={tmp_path}\0"):
        os.kill(left, signal.SIGKILL)


def at_work(tmp_path):
    return processes_with(f"{MARK}={tmp_path}\0")


# ---- what make is given ----


def test_no_setting_of_the_callers_changes_what_is_built(cache, options, tree, monkeypatch):
    recipe(
        tree, "@echo '  CC      two.o'\nenv > $(O)/seen\n$(CROSS_COMPILE)gcc -c -o $@ $<\n@cp $(O)/seen $(O)/../seen"
    )
    for name in ("MAKEFLAGS", "MAKELEVEL", "KCFLAGS", "KBUILD_OUTPUT", "KCONFIG_CONFIG", "LLVM", "LOCALVERSION"):
        monkeypatch.setenv(name, "7" if name == "MAKELEVEL" else "k")
    build.build_kernel(X86, options, "y", silent)
    seen = dict(line.partition("=")[::2] for line in (cache / "build" / "seen").read_text().splitlines())
    assert seen["KBUILD_BUILD_USER"] == "rseqbench"
    assert seen["KBUILD_BUILD_VERSION"] == "1"
    assert {"KCFLAGS", "KBUILD_OUTPUT", "KCONFIG_CONFIG", "LLVM", "LOCALVERSION"}.isdisjoint(seen)
    assert (seen["MAKELEVEL"], "k" in seen["MAKEFLAGS"].split()[0]) == ("1", False)


def test_what_a_configuration_needs_besides_is_named(cache, tree, tmp_path, monkeypatch):
    (tmp_path / "mine.config").write_text("CONFIG_RSEQ=y\nCONFIG_KERNEL_ZSTD=y\nCONFIG_SYSTEM_TRUSTED_KEYRING=y\n")
    there = make.shutil.which
    monkeypatch.setattr(make.shutil, "which", lambda name: None if name == "zstd" else there(name))
    monkeypatch.setattr(make, "_compiles", lambda header: header == "gelf.h")
    words = r"cannot be built without zstd, openssl/opensslv\.h; apt-get install zstd libssl-dev$"
    with pytest.raises(BuildError, match=words):
        build.build_kernel(X86, LinuxOptions(str(tree), str(tmp_path / "mine.config")), "y", silent)
    assert not list(cache.glob("build/*/one.o"))


def test_nothing_is_fetched_while_a_tool_is_missing(cache, monkeypatch):
    monkeypatch.setattr(make, "_compiles", lambda header: False)
    monkeypatch.setattr(build.source, "_fetch", lambda root: pytest.fail("it fetches"))
    with pytest.raises(BuildError, match=r"cannot be built without gelf\.h; apt-get install libelf-dev$"):
        build.build_kernel(X86, LinuxOptions("debian", "small"), "y", silent)


def test_a_header_is_looked_for_by_the_compiler():
    assert make._compiles("stdio.h")
    assert not make._compiles("no/such/header.h")


# ---- how far it is ----


def test_the_second_build_knows_how_many_steps_there_are(options):
    build.build_kernel(X86, options, "n", silent)
    seen = []
    made = build.build_kernel(X86, options, "y", lambda done, of: seen.append((done, of)))
    facts = json.loads((made.folder / "build.json").read_text())
    assert seen[-1] == (facts["steps"], facts["steps"])
    assert {of for _, of in seen} == {facts["steps"]}
    assert facts["command"].startswith("make -C ")
    assert facts["built_in_s"] > 0
    assert "ld" in facts["binutils"]


def test_a_build_that_is_taken_up_counts_what_was_done(cache, options, tree, tmp_path, building):
    (tmp_path / "wait").touch()
    recipe(tree, f"@while [ -e {tmp_path}/wait ]; do sleep 0.05; done\n@echo '  CC      two.o'\n@gcc -c -o $@ $<")
    building(1).send_signal(signal.SIGINT)
    eventually(lambda: not at_work(tmp_path))
    (tmp_path / "wait").unlink()
    seen = []
    build.build_kernel(X86, options, "y", lambda done, of: seen.append(done))
    assert seen[0] == 1
    assert seen == sorted(set(seen))


# ---- when it is stopped ----


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_half_made_is_removed(cache, tree, tmp_path, building, number):
    recipe(tree, "@echo half > $@; echo '  CC      two.o'; sleep 1000")
    process = building(2)
    (half,) = cache.glob("build/*/two.o")
    process.send_signal(number)
    assert process.wait(60) != 0
    assert at_work(tmp_path) == []
    assert not half.exists()
    assert half.with_name("one.o").exists()
    assert not list(cache.glob("build/*.lock"))


def test_a_make_that_will_not_end_is_killed(tmp_path, tree, building):
    recipe(tree, """@trap '' TERM; echo '  CC      two.o'; while :; do sleep 0.1; done""")
    process = building(2)
    process.send_signal(signal.SIGINT)
    process.wait(60)
    assert at_work(tmp_path) == []


def test_after_a_kill_the_next_build_waits_for_what_is_still_at_work(options, tree, tmp_path, building):
    go = tmp_path / "go"
    recipe(tree, f"@echo '  CC      two.o'; while [ ! -e {go} ]; do sleep 0.05; done; gcc -c -o $@ $<")
    process = building(2)
    process.kill()
    process.wait()
    assert at_work(tmp_path)
    with pytest.raises(BuildError, match=r"^another rseqbench is building this very Linux; wait until it is done$"):
        build.build_kernel(X86, options, "y", silent)
    go.touch()
    eventually(lambda: not at_work(tmp_path))
    assert build.build_kernel(X86, options, "y", silent).release == "6.99.0-test"


def test_a_lock_that_was_removed_since_it_was_opened_is_taken_anew(tmp_path, monkeypatch):
    path, flock, times = tmp_path / "lock", locks.fcntl.flock, []

    def raced(descriptor, how):
        flock(descriptor, how)
        times.append(descriptor)
        if len(times) == 1:
            path.unlink()

    monkeypatch.setattr(locks.fcntl, "flock", raced)
    with locks.hold_lock(path, "doing that") as descriptor:
        assert os.path.samestat(os.fstat(descriptor), path.stat())
        with pytest.raises(BuildError, match="another rseqbench is doing that"), locks.hold_lock(path, "doing that"):
            pass
        assert path.exists()
    assert not path.exists()


# ---- when it fails ----


def test_a_disk_that_fills_up_is_told_as_that(cache, options, tree):
    recipe(tree, '@echo "  CC      two.o"; cat two.c > /dev/full')
    with pytest.raises(
        BuildError, match=r"^make failed: .*No space left on device; make room and build again: it goes"
    ):
        build.build_kernel(X86, options, "y", silent)
    assert list(cache.glob("build/*/one.o"))
    assert not (cache / "built").exists()


def test_a_source_that_changes_meanwhile_is_not_kept(cache, options, tree):
    recipe(tree, "@gcc -c -o $@ $<\n@echo '/* changed */' >> one.c")
    with pytest.raises(BuildError, match=r"/tree was changed while it was built; build again$"):
        build.build_kernel(X86, options, "y", silent)
    assert not (cache / "built").exists()


def test_a_linux_that_leaves_no_choice_says_which_option_gives_one(options, tree):
    text = (tree / "Makefile").read_text()
    (tree / "Makefile").write_text(
        text.replace("\ttrue\n", "").replace("DISTURB := true", "DISTURB := sed -i s/RSEQ=n/RSEQ=y/ $(O)/.config")
    )
    with pytest.raises(BuildError, match=r"CONFIG_RSEQ=n was asked for, and .* makes it y; without CONFIG_EXPERT=y"):
        build.build_kernel(X86, options, "n", silent)


def test_the_proved_difference_is_kept_beside_both(options):
    made = [build.build_kernel(X86, options, rseq, silent) for rseq in "ny"]
    found = build.compare_configurations(*made, options)
    for one in made:
        stored = json.loads((one.folder / "difference.json").read_text())
        assert {name: tuple(values) for name, values in stored.items()} == found
