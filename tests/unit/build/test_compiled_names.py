"""rseqbench/build/products.py: names out of the newest of the cache's files, and only names."""

import os

from rseqbench import paths
from rseqbench.build import cache, products


def test_only_whole_strings_are_names(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert products.names() == []
    strings = [b"counter/rseq", b"/usr/include/linux/rseq", b"linux/rseq.h", b"counter/%s", b"other/one", b"rcu/b"]
    older, newer = paths.cache() / "a" / "runner", paths.cache() / "b" / f"{cache.MODULE}.abi3.so"
    for age, file, text in ((9, older, b"counter/old\0"), (5, newer, b"\x7fELF\0" + b"\0".join(strings) + b"\0")):
        file.parent.mkdir(parents=True)
        file.write_bytes(text)
        os.utime(file, (0, 1000 - age))
    assert products.names() == ["counter/rseq", "rcu/b"]


def test_groups_are_the_files_of_sources():
    assert {"counter", "cpu_id", "freelist", "linux", "rcu", "ring_buffer"} <= set(products.groups())
