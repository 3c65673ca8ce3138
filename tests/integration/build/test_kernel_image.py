"""build/linux/image.py: Debian's Linux through the real apt, from a repository made here; a user's own image."""

import dataclasses
import gzip
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from rseqbench import paths
from rseqbench.build import architectures
from rseqbench.build.linux import image
from rseqbench.errors import TargetError, UsageError
from tests.support.apt_repository import package, serve
from tests.support.guests import module

RELEASE = "6.1.0-9-toy"
needs_apt = pytest.mark.skipif(not all(map(shutil.which, ("apt-get", "dpkg-deb"))), reason="no apt here")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Begin with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Let apt know one repository only, which has a Linux for armhf; its hooks leave a file. Return its folder."""
    folder = tmp_path / "repository"
    folder.mkdir()
    files = {f"boot/vmlinuz-{RELEASE}": b"image", f"boot/config-{RELEASE}": b"CONFIG_RSEQ=y\n"}
    modules = f"lib/modules/{RELEASE}/kernel"
    files[f"{modules}/drivers/virtio_mmio.ko"] = module("host", tmp_path)
    files[f"{modules}/drivers/virtio_console.ko"] = module("host", tmp_path, "early")
    files[f"{modules}/drivers/early.ko"] = module("host", tmp_path)
    listed = package(folder, f"linux-image-{RELEASE}", "", files)
    listed += package(folder, "linux-image-armmp-lpae", f"kmod, linux-image-{RELEASE} (= 6.1.9-1)", {})
    hook = f'APT::Update::Post-Invoke {{ "touch {tmp_path}/hook"; }};\n'
    hook += f'APT::Update::Post-Invoke-Success {{ "touch {tmp_path}/hook"; }};\n'
    monkeypatch.setenv("APT_CONFIG", str(serve(folder, listed, hook)))
    return folder


def left():
    """Return what lies in the cache."""
    return sorted(path.name for path in (paths.cache() / "linux").iterdir())


@needs_apt
def test_debians_linux_is_fetched_and_unpacked_once(repository, tmp_path, monkeypatch):
    arch = architectures.named("arm32")
    assert image.find_debian_image(arch) is None
    found = image.fetch_debian_image(arch)
    assert (found.arch, found.release) == ("arm32", RELEASE)
    assert found.package == f"linux-image-{RELEASE} 6.1.9-1"
    assert [path.name for path in found.modules] == ["virtio_mmio.ko", "early.ko", "virtio_console.ko"]
    assert found.path.read_bytes() == b"image"
    assert found.config.read_text() == "CONFIG_RSEQ=y\n"
    assert left() == ["arm32"]
    assert not (tmp_path / "hook").exists(), "a hook of the system's apt has run"
    monkeypatch.setenv("PATH", "/nowhere")
    assert image.fetch_debian_image(arch) == image.find_debian_image(arch) == found


@needs_apt
def test_apt_keeps_its_state_to_itself(repository):
    before = {path: path.stat().st_mtime_ns for path in map(Path, ("/var/lib/apt/lists", "/var/cache/apt"))}
    foreign = subprocess.run(["dpkg", "--print-foreign-architectures"], capture_output=True, check=True).stdout
    image.fetch_debian_image(architectures.named("arm32"))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert subprocess.run(["dpkg", "--print-foreign-architectures"], capture_output=True, check=True).stdout == foreign


@needs_apt
def test_without_the_package_apt_is_quoted_and_nothing_is_left(repository):
    (repository / "Packages").unlink()
    with pytest.raises(TargetError, match=r"^apt knows no package linux-image-armmp-lpae: .*Packages.*--linux PATH$"):
        image.fetch_debian_image(architectures.named("arm32"))
    assert left() == []


@needs_apt
def test_a_package_that_is_not_what_the_list_says_is_refused(repository):
    (deb,) = repository.glob(f"linux-image-{RELEASE}_*.deb")
    deb.write_bytes(deb.read_bytes()[:-1] + b"x")
    with pytest.raises(TargetError, match=rf"^apt cannot download linux-image-{RELEASE}: "):
        image.fetch_debian_image(architectures.named("arm32"))
    assert left() == []


@needs_apt
def test_an_interruption_leaves_nothing(repository, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(image.modules, "resolve_modules", interrupted)
    with pytest.raises(KeyboardInterrupt):
        image.fetch_debian_image(architectures.named("arm32"))
    assert left() == []


@needs_apt
def test_a_linux_without_the_port_is_refused(repository):
    arch = architectures.named("arm32")
    other = dataclasses.replace(arch, qemu=dataclasses.replace(arch.qemu, modules=("virtio_absent",)))
    with pytest.raises(TargetError, match=f"^{RELEASE} has no module virtio_absent"):
        image.fetch_debian_image(other)


def test_without_apt_it_says_what_else_there_is(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(TargetError, match=r"^no apt-get here to fetch Debian's Linux with; .*--linux PATH$"):
        image.fetch_debian_image(architectures.named("arm64"))


def test_a_disk_without_room_is_told_before_it_is_filled(monkeypatch):
    monkeypatch.setattr(image.shutil, "disk_usage", lambda path: SimpleNamespace(free=5 << 20))
    with pytest.raises(TargetError, match=r"^fetching Debian's Linux takes \d+ MiB, and .* has 5 left; make room"):
        image.fetch_debian_image(architectures.named("arm64"))


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(TargetError, match=r"^cannot write .*/file/rseqbench/linux/arm64: Not a directory; set XDG"):
        image.fetch_debian_image(architectures.named("arm64"))


def made(arch, folder):
    """Return a file that begins like an image of this architecture."""
    path = folder / f"image-{arch.name}"
    path.write_bytes(bytes(arch.qemu.magic_at) + bytes.fromhex(arch.qemu.magic) + bytes(9000))
    return path


@pytest.mark.parametrize("name", ["arm32", "arm64", "x86_64"])
def test_an_image_of_the_users_is_taken_as_it_is(tmp_path, name):
    arch = architectures.named(name)
    path = made(arch, tmp_path)
    assert image.load_user_image(arch, path) == image.KernelImage(name, path)
    packed = tmp_path / "Image.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert image.load_user_image(arch, packed).path == packed


def test_an_image_of_another_architecture_is_recognised(tmp_path):
    arm32, arm64 = architectures.named("arm32"), architectures.named("arm64")
    path = made(arm64, tmp_path)
    with pytest.raises(UsageError) as caught:
        image.load_user_image(arm32, path)
    assert (
        str(caught.value) == f"{path} is a Linux for arm64, not for arm32; give the zImage of a Linux built for arm32"
    )


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(5000), b"\x1f\x8b broken", bytes(range(60, 160))])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError, match="/file is no Linux that can be booted on arm64; give the Image of"):
        image.load_user_image(architectures.named("arm64"), tmp_path / "file")


@pytest.mark.parametrize(("name", "words"), [("absent", "No such file"), ("", "Is a directory")])
def test_an_image_that_cannot_be_read_is_refused(tmp_path, name, words):
    with pytest.raises(UsageError, match=f"^cannot read the Linux .*: {words}"):
        image.load_user_image(architectures.named("arm64"), tmp_path / name)


def test_an_architecture_that_nobody_can_emulate_says_where_to_mend_that():
    arch = dataclasses.replace(architectures.named("arm32"), qemu=None)
    with pytest.raises(UsageError, match=r"^arm32 cannot be emulated; add \[qemu\] to .*/arm32/arch\.toml$"):
        image.fetch_debian_image(arch)
