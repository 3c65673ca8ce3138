"""build/linux/build.py, make.py and source.py over a tree that is built in a second, by the real make and gcc."""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import build, make, source
from rseqbench.config import LinuxOptions
from rseqbench.errors import BuildError, ResultsError, UsageError
from tests.support.commands import processes_with
from tests.support.kernel_tree import plant

X86 = architectures.named("x86_64")


def silent(done, of):
    """Show nothing."""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Begin with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "rseqbench" / "linux"


@pytest.fixture
def base(tmp_path):
    """Return a configuration of the user's."""
    path = tmp_path / "mine.config"
    path.write_text("CONFIG_RSEQ=y\nCONFIG_SMP=y\n")
    return path


@pytest.fixture
def tree(tmp_path):
    """Return a source tree of the user's."""
    return plant(tmp_path / "tree")


@pytest.fixture
def options(tree, base):
    """Return what to build: that tree with that configuration."""
    return LinuxOptions(str(tree), str(base))


def folders(cache, name):
    return sorted(p for p in (cache / name).glob("*")) if (cache / name).is_dir() else []


# ---- what is built ----


def test_two_builds_differ_in_rseq_and_what_comes_from_it(cache, options):
    n, y = (build.build_kernel(X86, options, rseq, silent) for rseq in "ny")
    assert [one.rseq for one in (n, y)] == ["n", "y"]
    assert n.folder != y.folder
    assert {p.name for p in y.folder.iterdir()} == {"image", "vmlinux", "linux.config", "sizes.json", "build.json"}
    assert "CONFIG_RSEQ=n" in n.config and "CONFIG_SMP=y" in n.config
    assert "T sys_rseq" in y.sizes.symbols and "T sys_rseq" not in n.sizes.symbols
    assert (y.source, y.release, y.arch) == ("Linux 6.99.0-test", "6.99.0-test", "x86_64")
    assert build.compare_configurations(n, y, options) == {
        "CONFIG_RSEQ": ("n", "y"),
        "CONFIG_SCHED_MM_CID": ("n", "y"),
    }
    assert folders(cache, "build") == []  # nothing is left of the work


def test_what_was_built_is_not_built_again(cache, options, monkeypatch):
    first = build.build_kernel(X86, options, "y", silent)
    monkeypatch.setattr(make.Make, "build", lambda *_: pytest.fail("built again"))
    again = build.build_kernel(X86, options, "y", silent)
    assert (again.folder, again.seconds) == (first.folder, 0.0)
    assert build.find_built_kernel(X86, options, "y") == again
    assert build.find_built_kernel(X86, options, "n") is None


def test_a_change_of_the_source_or_the_configuration_is_another_linux(cache, options, tree, base):
    first = build.build_kernel(X86, options, "y", silent)
    (tree / "two.c").write_text("int two(void) { return 22; }\n")
    assert build.find_built_kernel(X86, options, "y") is None
    second = build.build_kernel(X86, options, "y", silent)
    base.write_text("CONFIG_RSEQ=y\n")
    third = build.build_kernel(X86, options, "y", silent)
    assert len({one.folder for one in (first, second, third)}) == 3


def test_the_same_source_gives_the_same_linux(cache, options, tmp_path, monkeypatch):
    first = build.build_kernel(X86, options, "y", silent)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    second = build.build_kernel(X86, options, "y", silent)
    assert (first.folder / "sizes.json").read_bytes() == (second.folder / "sizes.json").read_bytes()
    assert first.config == second.config


def test_progress_counts_what_make_does(cache, options):
    seen = []
    build.build_kernel(X86, options, "y", lambda done, of: seen.append((done, of)))
    assert max(seen) == (4, None)  # two objects, vmlinux and the image; nobody knows how many a user's has
    assert seen == sorted(seen)


# ---- interruptions ----


def test_an_interrupted_build_leaves_nothing_in_place_and_goes_on_where_it_was(cache, options, tree, tmp_path):
    wait = tmp_path / "wait"
    os.mkfifo(wait)
    with (tree / "Makefile").open("a") as file:
        file.write(f'\n$(O)/two.o: two.c $(O)/one.o\n\t@echo "  GEN     two"; if [ -p {wait} ]; then cat {wait}; fi\n')
        file.write('\t@echo "  CC      two.o"; $(CROSS_COMPILE)gcc -c -o $@ $<\n')
    code = (
        "from rseqbench.build import architectures; from rseqbench.build.linux import build;"
        "from rseqbench.config import LinuxOptions;"
        f"options = LinuxOptions({options.source!r}, {options.config!r});"
        "build.build_kernel(architectures.named('x86_64'), options, 'y', print)"
    )
    mark = f"RSEQBENCH_TEST_BUILD={tmp_path}"
    environment = {**os.environ, "RSEQBENCH_TEST_BUILD": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-uc", code], stdout=subprocess.PIPE, env=environment, text=True) as process:
        while process.stdout.readline().strip() != "2 None":
            assert process.poll() is None
        process.send_signal(2)
        process.wait(60)
    deadline = time.monotonic() + 60
    while processes_with(f"{mark}\0") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with(f"{mark}\0") == []
    assert folders(cache, "built") == []
    wait.unlink()
    seen = []
    build.build_kernel(X86, options, "y", lambda done, of: seen.append(done))
    assert seen[-1] - seen[0] == 4  # of five steps: one.o is there
    assert len(folders(cache, "built")) == 1


def test_two_builds_of_one_linux_keep_out_of_each_other_s_way(cache, options):
    recipe = build._make_recipe(X86, options, "y")
    recipe.work.mkdir(parents=True)
    with (recipe.work.parent / f"{recipe.work.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BuildError, match="another rseqbench is building this very Linux"):
            build.build_kernel(X86, options, "y", silent)


# ---- what cannot be built ----


def test_the_compiler_s_own_words_are_said_and_the_log_is_kept(cache, options, tree):
    (tree / "two.c").write_text("int two(void) { return undeclared; }\n")
    with pytest.raises(BuildError) as caught:
        build.build_kernel(X86, options, "y", silent)
    assert "make failed: " in caught.value.message
    assert "error: " in caught.value.message and "undeclared" in caught.value.message
    log = Path(caught.value.hint.removeprefix("all of it is in "))
    assert "undeclared" in log.read_text()
    assert folders(cache, "built") == []


def test_a_configuration_that_does_not_take_names_the_option(cache, tmp_path, base):
    tree = plant(tmp_path / "old", disturb="sed -i s/RSEQ=y/RSEQ=n/ $(O)/.config")
    with pytest.raises(BuildError, match="does not take: CONFIG_RSEQ=y was asked for, and Linux's Kconfig makes it n"):
        build.build_kernel(X86, LinuxOptions(str(tree), str(base)), "y", silent)


def test_a_difference_that_rseq_does_not_explain_is_refused(cache, tmp_path, base):
    tree = plant(
        tmp_path / "odd", disturb="if grep -q RSEQ=y $(O)/.config; then echo CONFIG_PREEMPT=y; fi >> $(O)/.config"
    )
    options = LinuxOptions(str(tree), str(base))
    n, y = (build.build_kernel(X86, options, rseq, silent) for rseq in "ny")
    with pytest.raises(BuildError, match="differ in CONFIG_PREEMPT, which does not come from CONFIG_RSEQ"):
        build.compare_configurations(n, y, options)


@pytest.mark.parametrize("lacking", ["Makefile", "Kconfig", "init/Kconfig", "arch"])
def test_a_tree_that_is_not_linux_is_refused(cache, options, tree, lacking):
    shutil.rmtree(tree / lacking) if (tree / lacking).is_dir() else (tree / lacking).unlink()
    with pytest.raises(BuildError, match=f"no source tree of Linux: there is no {lacking}"):
        build.build_kernel(X86, options, "y", silent)


def test_a_tree_that_was_built_in_is_refused_with_the_way_out(cache, options, tree):
    (tree / ".config").touch()
    with pytest.raises(BuildError, match=r"was built in, \.config is there.*mrproper"):
        build.build_kernel(X86, options, "y", silent)


def test_a_linux_without_rseq_for_the_architecture_is_refused(cache, options, tree):
    (tree / "arch/x86/Kconfig").write_text("config X86\n\tdef_bool y\n")
    with pytest.raises(BuildError, match=r"has no rseq for x86_64: arch/x86/Kconfig lacks HAVE_RSEQ; .*4\.18"):
        build.build_kernel(X86, options, "y", silent)


@pytest.mark.parametrize(
    ("text", "why"), [(None, "cannot read the configuration"), ("hello\n", "is no configuration of Linux")]
)
def test_a_configuration_that_is_none_is_refused(cache, options, base, text, why):
    base.unlink() if text is None else base.write_text(text)
    with pytest.raises(UsageError, match=why):
        build.build_kernel(X86, options, "y", silent)


def test_every_tool_that_is_missing_is_named_with_its_package(cache, options, monkeypatch):
    there = shutil.which
    monkeypatch.setattr(make.shutil, "which", lambda name: None if name in ("flex", "bc") else there(name))
    with pytest.raises(BuildError, match="cannot be built without flex, bc; apt-get install flex bc"):
        build.build_kernel(X86, options, "y", silent)


def test_a_missing_cross_compiler_is_named_with_its_package(cache, options, monkeypatch):
    monkeypatch.setattr(make.shutil, "which", lambda name: None)
    with pytest.raises(
        BuildError, match=r"no arm-linux-gnueabihf-gcc to build .*; apt-get install gcc-arm-linux-gnueabihf"
    ):
        make.Tools.find(architectures.named("arm32").linux, architectures.named("arm32"))


def test_a_disk_too_small_is_said_before_anything_is_built(cache, options, monkeypatch):
    monkeypatch.setattr(build.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, 5 << 20))
    with pytest.raises(BuildError, match=r"building Linux takes \d+ MiB, and .* has 5 left"):
        build.build_kernel(X86, options, "y", silent)


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, options, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ResultsError, match="cannot write"):
        build.build_kernel(X86, options, "y", silent)


def test_a_git_tree_is_named_as_git_describes_it(tree):
    for command in (["init", "-q"], ["add", "."], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", str(tree), *command], check=True)
    clean = source.find_source(str(tree))
    assert clean.version.removeprefix("Linux ").isalnum()
    (tree / "one.c").write_text("void start(void) {}\n")
    dirty = source.find_source(str(tree))
    assert dirty.version == f"{clean.version}-dirty"
    assert dirty.identity != clean.identity
