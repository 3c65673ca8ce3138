"""rseqbench/build/linux/initramfs.py: what is in the archive, and that it is the same each time."""

import gzip
import time

from rseqbench.build.linux import initramfs

MODULES = {"z_first": b"1", "a_second": b"22222"}


def unpacked(archive):
    """Return a newc archive as name -> (mode, content), in its order; check its padding on the way."""
    data, at, found = gzip.decompress(archive), 0, {}
    while True:
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * i : at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110 : at + 110 + fields[11] - 1].decode()
        start = (at + 110 + fields[11] + 3) // 4 * 4
        at = (start + fields[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert at == len(data)
            return found
        found[name] = (fields[1], data[start : start + fields[6]])


def test_init_modules_and_their_order_are_in_it():
    found = unpacked(initramfs.pack_initramfs(b"the program", MODULES, {"etc/a/b": b"more"}))
    assert found["init"] == (0o100755, b"the program")
    assert found["modules/order"][1] == b"z_first.ko\na_second.ko\n"
    assert found["modules/a_second.ko"][1] == b"22222"
    assert found["etc/a/b"][1] == b"more"
    assert found["dev/console"][0] == 0o020600


def test_a_folder_comes_before_what_is_in_it():
    names = list(unpacked(initramfs.pack_initramfs(b"x", MODULES, {"etc/a/b": b"", "dev/null.txt": b""})))
    assert {"dev", "proc", "sys", "tmp", "etc", "etc/a", "modules"} <= set(names)
    for name in names:
        parent = name.rpartition("/")[0]
        assert not parent or names.index(parent) < names.index(name)
    assert len(names) == len(set(names))


def test_the_same_files_make_the_same_bytes(monkeypatch):
    first = initramfs.pack_initramfs(b"x", MODULES)
    monkeypatch.setattr(time, "time", lambda: 1e9)
    assert initramfs.pack_initramfs(b"x", MODULES) == first
