"""rseqbench/build/linux/modules.py: what a module depends on, read from real object files, and the order of loading."""

import lzma
import shutil
import subprocess

import pytest

from rseqbench.build.linux import modules
from rseqbench.errors import TargetError
from tests.support.guests import module


@pytest.fixture
def release(tmp_path):
    """Return a lib/modules/RELEASE in which console needs ring and bus, ring needs bus, and bus nothing."""
    folder = tmp_path / "6.1.0"
    (folder / "kernel/drivers").mkdir(parents=True)
    for name, needed in {"a-console": ["ring", "bus"], "ring": ["bus"], "bus": []}.items():
        (folder / f"kernel/drivers/{name}.ko").write_bytes(module("host", tmp_path, *needed))
    return folder


@pytest.mark.parametrize("arch", ["arm32", "arm64", "x86_64"])
@pytest.mark.parametrize("needed", [[], ["virtio"], ["virtio_ring", "virtio"]])
def test_what_a_module_depends_on_is_in_its_file(tmp_path, arch, needed):
    assert modules.read_dependencies(module(arch, tmp_path, *needed)) == needed


def test_a_module_comes_after_what_it_needs(release):
    assert list(modules.resolve_modules(release, ["a-console"])) == ["bus", "ring", "a_console"]


def test_what_is_built_in_is_not_loaded(release):
    (release / "modules.builtin").write_text("kernel/drivers/bus.ko\n")
    assert list(modules.resolve_modules(release, ["a_console", "bus"])) == ["ring", "a_console"]


@pytest.mark.parametrize("kind", ["xz", "zst"])
def test_packed_modules_are_unpacked(release, kind):
    path = release / "kernel/drivers/bus.ko"
    plain = path.read_bytes()
    if kind == "xz":
        path.with_suffix(".ko.xz").write_bytes(lzma.compress(plain))
    elif shutil.which("zstd"):
        subprocess.run(["zstd", "-q", str(path), "-o", str(path.with_suffix(".ko.zst"))], check=True)
    else:
        pytest.skip("no zstd here")
    path.unlink()
    assert modules.resolve_modules(release, ["ring"])["bus"] == plain


def test_a_missing_module_is_named(release):
    (release / "kernel/drivers/bus.ko").unlink()
    with pytest.raises(TargetError, match=r"^6\.1\.0 has no module bus; "):
        modules.resolve_modules(release, ["a_console"])


@pytest.mark.parametrize("length", [0, 4, 30, 60, 200])
def test_a_damaged_module_is_one_line(tmp_path, length):
    with pytest.raises(TargetError, match="a Linux module is damaged"):
        modules.read_dependencies(module("host", tmp_path, "bus")[:length])
