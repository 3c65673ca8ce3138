"""build/linux/source.py: Debian's source through the real apt, from a repository made here; trees of the user's."""

import io
import os
import shutil
import tarfile
import time
from types import SimpleNamespace

import pytest

from rseqbench import paths
from rseqbench.build import architectures
from rseqbench.build.linux import source
from rseqbench.build.linux.image import require_qemu
from rseqbench.errors import BuildError, ResultsError, TargetError
from tests.support.apt_repository import package, serve
from tests.support.kernel_tree import plant

needs_apt = pytest.mark.skipif(not all(map(shutil.which, ("apt-get", "dpkg-deb", "xz"))), reason="no apt here")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Begin with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def archive(version):
    """Return a linux-source-N.M.tar.xz whose one file tells the version."""
    packed, text = io.BytesIO(), f"VERSION = {version}\n".encode()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        entry = tarfile.TarInfo(f"linux-source-{version}/Makefile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Return a function that lets apt know one repository only, with these packages: contents by name."""
    folder = tmp_path / "repository"
    folder.mkdir()

    def make(depends="", **contents):
        listed = ""
        for name, files in contents.items():
            listed += package(folder, name, depends, files, require_qemu(architectures.host()).debian)
        monkeypatch.setenv("APT_CONFIG", str(serve(folder, listed)))

    return make


def of(version):
    """Return the content of one of Debian's packages."""
    name = f"linux-source-{version}"
    return {name: {f"usr/src/{name}.tar.xz": archive(version)}}


def left():
    """Return what lies in the cache."""
    return sorted(path.name for path in (paths.cache() / "linux" / "source").iterdir())


@needs_apt
def test_the_newest_package_is_fetched_and_unpacked_once(repository, monkeypatch):
    repository(depends="linux-source-9.0", **of("6.1"), **of("6.12"), **of("6.9"))  # 9.0 is but a name
    assert not source.is_available("debian")
    found = source.find_source("debian")
    assert found.version == "linux-source-6.12 6.1.9-1"
    assert (found.path / "Makefile").read_text() == "VERSION = 6.12\n"
    assert left() == ["linux-source-6.12"]
    monkeypatch.setenv("PATH", "/nowhere")
    assert source.find_source("debian") == found
    assert source.is_available("debian")


@needs_apt
def test_without_such_a_package_it_says_what_else_there_is(repository):
    repository(**{"linux-source": {"usr/share/doc/x": b""}})
    with pytest.raises(BuildError, match=r"^apt knows no package linux-source-N\.M; .*source = PATH in \[linux\]$"):
        source.find_source("debian")
    assert left() == []


@needs_apt
@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"usr/src/linux-source-6.1.tar.xz": b"no archive"}, r"^cannot unpack linux-source-6\.1\.tar\.xz: "),
        ({"usr/share/doc/x": b""}, r"^linux-source-6\.1 6\.1\.9-1 holds no archive of Linux's source"),
    ],
)
def test_a_package_that_holds_something_else_leaves_nothing(repository, files, words):
    repository(**{"linux-source-6.1": files})
    with pytest.raises(BuildError, match=words):
        source.find_source("debian")
    assert left() == []


@needs_apt
def test_an_interruption_leaves_nothing_and_what_a_killed_one_left_is_cleared(repository, monkeypatch):
    repository(**of("6.1"))

    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(source, "_untar", interrupted)
        with pytest.raises(KeyboardInterrupt):
            source.find_source("debian")
    assert left() == []
    (paths.cache() / "linux/source/fetch-killed/tree").mkdir(parents=True)
    source.find_source("debian")
    assert left() == ["linux-source-6.1"]


def test_without_apt_a_tree_of_the_users_is_offered(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TargetError, match=r"^no apt-get here .*; mend that, or .*: source = PATH in \[linux\]$"):
        source.find_source("debian")


def test_a_disk_without_room_is_told_before_it_is_filled(monkeypatch):
    monkeypatch.setattr(source.shutil, "disk_usage", lambda path: SimpleNamespace(free=5 << 20))
    with pytest.raises(BuildError, match=r"^Linux's source takes \d+ MiB while .* has 5 left; make room"):
        source.find_source("debian")
    assert left() == []


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ResultsError, match=r"^cannot write .*/file/"):
        source.find_source("debian")


# ---- a tree of the user's ----


def test_whatever_changes_in_a_tree_changes_its_identity(tmp_path):
    tree = plant(tmp_path / "tree")
    seen = {source.find_source(str(tree)).identity}

    def changed():
        seen.add(source.find_source(str(tree)).identity)
        return len(seen)

    (tree / "one.c").write_text("longer than before\n")
    assert changed() == 2
    os.utime(tree / "one.c", ns=(time.time_ns(), time.time_ns() + 1))
    assert changed() == 3
    os.rename(tree / "one.c", tree / "other.c")
    assert changed() == 4
    (tree / ".git").mkdir()
    (tree / ".git/index").touch()
    assert changed() == 4


def test_the_caller_s_make_does_not_reach_the_tree_s(tmp_path, monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "n")
    assert source.find_source(str(plant(tmp_path / "tree"))).version == "Linux 6.99.0-test"


def test_a_tree_that_was_built_in_for_the_architecture_is_refused(tmp_path):
    tree = plant(tmp_path / "tree")
    (tree / "arch/arm/include/generated").mkdir(parents=True)
    source.check_source(source.find_source(str(tree)), "x86_64", "x86")
    (tree / "arch/x86/include/generated").mkdir(parents=True)
    with pytest.raises(BuildError, match=r"was built in, arch/x86/include/generated is there.*; make -C .* mrproper"):
        source.check_source(source.find_source(str(tree)), "x86_64", "x86")


def test_a_linux_that_does_not_know_the_architecture_is_refused(tmp_path):
    found = source.find_source(str(plant(tmp_path / "tree")))
    with pytest.raises(BuildError, match=r"^Linux 6\.99\.0-test knows no arm64: there is no .*/arch/arm64/Kconfig$"):
        source.check_source(found, "arm64", "arm64")
