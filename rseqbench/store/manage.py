"""What lies in the results folder: listed, removed, renamed. Of a run that is listed, only its run.json is read."""

from __future__ import annotations

import csv
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rseqbench import paths
from rseqbench.errors import ResultsError, unknown_name
from rseqbench.store import fleets
from rseqbench.store.runs import PATCH, UNFINISHED, Header, Store, built_in_folder, check_label, is_label
from rseqbench.support import atomic_io

_ASIDE = ".removed-"  # a folder on its way out: what is half removed is no run any more
_STAGED = ".renamed-"  # a copy on its way in


@dataclass(frozen=True)
class Entry:
    """A folder in the results folder. `header` is None where it cannot be read, and `problem` then says why.

    `done` are the rounds that are on disk; `when` it was finished or, where it is not, begun, in UTC. A fleet's index
    has `places`, and `done` are those of them that have a finished run.
    """

    label: str
    folder: Path
    finished: bool
    when: str
    done: int
    header: Header | None
    problem: str = ""
    places: int = 0

    @property
    def state(self) -> str:
        """One word."""
        if self.places:
            return "fleet"
        return "unreadable" if self.header is None else "complete" if self.finished else "unfinished"


def entries(store: Store) -> list[Entry]:
    """Return every run in the results folder, finished or not, and the built-in ones, the newest last."""
    listed = [_entry(folder) for folder in _folders(store.root)]
    there = {entry.label for entry in listed if entry.finished}
    patch = _entry(built_in_folder())
    return sorted([*listed, *([] if patch.label in there else [patch])], key=lambda entry: (entry.when, entry.label))


def _folders(root: Path) -> Iterator[Path]:
    if not root.is_dir():
        return
    for path in root.iterdir():
        if path.is_dir() and is_label(path.name.removeprefix(UNFINISHED)):  # nothing else can be loaded or removed
            yield path


def _entry(folder: Path) -> Entry:
    finished = not folder.name.startswith(UNFINISHED)
    label, path = folder.name.removeprefix(UNFINISHED), folder / "run.json"
    try:
        header = Header.from_json(path.read_text(encoding="utf-8"), path)
    except ResultsError as error:
        return _unreadable(label, folder, finished, str(error).removeprefix(f"{path}: "))
    except FileNotFoundError:
        if finished and fleets.is_fleet(folder.parent, label):
            return _fleet(folder)
        return _unreadable(label, folder, finished, "there is no run.json in it")
    except (OSError, UnicodeDecodeError) as error:
        return _unreadable(label, folder, finished, f"run.json: {getattr(error, 'strerror', None) or error}")
    done = header.plan.rounds if finished else len(list((folder / "rounds").glob("*.json")))
    return Entry(label, folder, finished, header.when, done, header)


def _fleet(folder: Path) -> Entry:
    try:
        fleet = fleets.load_fleet(folder.parent, folder.name)
    except ResultsError as error:
        return _unreadable(folder.name, folder, True, str(error).removeprefix(f"{folder / fleets.FILE}: "))
    store = Store(folder.parent)
    done = sum(fleets.find_finished(store, fleet, member) is not None for member in fleet.members)
    return Entry(folder.name, folder, True, fleet.created, done, None, places=len(fleet.members))


def _unreadable(label: str, folder: Path, finished: bool, why: str) -> Entry:
    try:
        when = datetime.fromtimestamp(folder.stat().st_mtime, UTC).isoformat(timespec="seconds")
    except OSError:
        when = ""
    return Entry(label, folder, finished, when, 0, None, why)


def find_entries(store: Store, label: str) -> list[Entry]:
    """Return what the results folder has of a label: a run, an unfinished one, or both.

    Raises ResultsError when there is nothing, or what there is belongs to rseqbench.
    """
    if check_label(label) == PATCH:
        raise ResultsError(f"{PATCH!r} is the patch's own table", "it stays, and under this name")
    folders = [store.root / label, store.root / f"{UNFINISHED}{label}"]
    listed = [_entry(folder) for folder in folders if folder.is_dir() or folder.is_symlink()]
    if not listed:
        there = [entry.label for entry in entries(store) if entry.label != PATCH]
        error = unknown_name("run", label, there, f"in {store.root}")
        raise ResultsError(error.message, error.hint)
    return listed


def remove(entry: Entry) -> None:
    """Remove a run, a link to one, or the index of a fleet, whose runs stay.

    It is moved aside first: interrupted, this leaves no half of a run.
    """
    with atomic_io.as_results_error(entry.folder):
        if entry.folder.is_symlink():
            entry.folder.unlink()
            return
        aside = entry.folder.with_name(f"{_ASIDE}{entry.label}")
        shutil.rmtree(aside, ignore_errors=True)  # of a time before that was interrupted
        os.rename(entry.folder, aside)
        shutil.rmtree(aside)


def rename(store: Store, old: str, new: str) -> None:
    """Give a finished run another label, in its files too. Raises ResultsError when it cannot have that one.

    The renamed run is made beside the old one and takes its place whole: interrupted, this leaves either, or both.
    """
    entry = find_entries(store, old)[0]
    if not entry.finished:
        raise ResultsError(f"run {old!r} is unfinished", f"rseqbench run --resume {old}, or rseqbench runs rm {old}")
    if entry.places:
        raise ResultsError(f"{old!r} is a fleet", "its runs bear its name, so it keeps it")
    if entry.header is None:
        raise ResultsError(f"run {old!r} cannot be read: {entry.problem}", "so it cannot be renamed")
    taken = [root / name for name in (new, f"{UNFINISHED}{new}") for root in (store.root, paths.builtin_results())]
    if any(os.path.lexists(path) for path in taken if check_label(new)):
        raise ResultsError(f"there is a run {new!r} already", "choose another name")
    staged = store.root / f"{_STAGED}{new}"
    with atomic_io.as_results_error(staged):
        shutil.rmtree(staged, ignore_errors=True)
        try:
            shutil.copytree(entry.folder, staged)
            atomic_io.write(staged / "run.json", replace(entry.header, label=new).to_json())
            summary = staged / "table.csv"
            if summary.is_file():
                atomic_io.write(summary, _relabelled(summary.read_text(encoding="utf-8"), new))
            shutil.copystat(entry.folder / "run.json", staged / "run.json")  # when a run was done, it still was
            os.rename(staged, store.root / new)
        finally:
            shutil.rmtree(staged, ignore_errors=True)
    remove(entry)


def _relabelled(text: str, label: str) -> str:
    """Return a table.csv with another label in all its rows."""
    rows = list(csv.reader(io.StringIO(text)))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for number, row in enumerate(rows):
        writer.writerow(
            row if not number else [label if name == "label" else cell for name, cell in zip(rows[0], row, strict=True)]
        )
    return out.getvalue()
