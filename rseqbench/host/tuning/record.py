"""The record of all settings before tuning: one file, complete on disk before any change, never replaced.

It lies in /var/lib, not in a home: the settings are the machine's, root changes them, and every user's doctor tells.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rseqbench.errors import RseqbenchError, UsageError
from rseqbench.host.tuning import settings

_SCHEMA = 1


@dataclass(frozen=True)
class Record:
    """The settings as they were at the time `since` (UTC), in the boot of that id; values by the settings' names."""

    since: str
    boot: str
    values: Mapping[str, str]


def record_path(root: Path) -> Path:
    """Return where the record of the machine under `root` is."""
    return root / "var/lib/rseqbench/tuned.json"


def save_record(root: Path, record: Record) -> None:
    """Put the record on disk. Raises UsageError when there is one already, RseqbenchError when it cannot be written."""
    file = record_path(root)
    part = file.with_name(f"{file.name}.{os.getpid()}")
    text = json.dumps({"schema": _SCHEMA, **dataclasses.asdict(record)}, indent=1, ensure_ascii=False) + "\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(part, text)
            os.link(part, file)  # unlike a rename, it fails when there is one
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()
        for folder in (file.parent, file.parent.parent):
            _sync(folder)
    except FileExistsError as error:
        raise UsageError(f"there is a record already: {file}", "first: rseqbench doctor --restore") from error
    except OSError as error:
        message = f"cannot write down what the settings are: {file}: {error.strerror or error}"
        raise RseqbenchError(message, "nothing was changed") from error


def load_record(root: Path) -> Record | None:
    """Return the record, or None when there is none. Raises RseqbenchError when it is damaged or from a newer one."""
    file = record_path(root)
    try:
        raw = json.loads(file.read_text(encoding="utf-8"))
        if raw["schema"] > _SCHEMA:
            raise RseqbenchError(f"{file}: written by a newer rseqbench", "restore with that one")
        record = Record(raw["since"], raw["boot"], raw["values"])
        words = [record.since, record.boot, *record.values, *record.values.values()]
        if all(isinstance(word, str) for word in words) and all(map(settings.is_setting, record.values)):
            return record
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise RseqbenchError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RseqbenchError(f"{file}: damaged", f"put back by hand what it names, then: rm {file}") from error
    raise RseqbenchError(f"{file}: damaged", f"put back by hand what it names, then: rm {file}")


def remove_record(root: Path) -> None:
    """Drop the record. Raises RseqbenchError when that fails."""
    file = record_path(root)
    try:
        file.unlink()
        _sync(file.parent)
    except OSError as error:
        raise RseqbenchError(f"cannot remove {file}: {error.strerror or error}") from error


def _write(file: Path, text: str) -> None:
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    with open(handle, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
        os.fsync(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
