"""rseqbench/support/atomic_io.py: what a user asked for is written whole or not at all."""

import threading

import pytest

from rseqbench.errors import ResultsError
from rseqbench.support import atomic_io


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "reports" / "x.html"
    atomic_io.save(path, "one", ours=True)
    assert path.read_text(encoding="utf-8") == "one"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(ResultsError, match=r"cannot write .*No space left on device"):
        atomic_io.save(path, "two")
    assert path.read_text(encoding="utf-8") == "one"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ResultsError, match="cannot write"):
        atomic_io.save(tmp_path / "file" / "x.html", "x")


def test_only_a_folder_of_ours_is_made(tmp_path):
    with pytest.raises(ResultsError, match=r"cannot write .*new/x.html: there is no folder .*new; make it first"):
        atomic_io.save(tmp_path / "new" / "x.html", "x")
    assert list(tmp_path.iterdir()) == []


def test_many_threads_may_write_the_same_file(tmp_path):
    path, wrong = tmp_path / "file", []

    def write(text):
        try:
            for _ in range(200):
                atomic_io.write(path, text)
        except OSError as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(letter * 5000,)) for letter in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert path.read_text() in {letter * 5000 for letter in "abcd"}
    assert list(tmp_path.iterdir()) == [path]
