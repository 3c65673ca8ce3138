"""results/<label>/fleet.json: which runs belong together, one a machine. Nothing of a run itself stands in it twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rseqbench import __version__, disk, stored
from rseqbench.config import Preset, RunOptions, unknown
from rseqbench.errors import ResultsError, UsageError
from rseqbench.labels import check_label, is_label
from rseqbench.results import Run, Store

SCHEMA = 1
FILE = "fleet.json"


@dataclass(frozen=True)
class Member:
    """A place of a fleet and the label of its run; `failure` is why that is not finished, where it failed."""

    place: str
    label: str
    failure: str = ""


@dataclass(frozen=True)
class Fleet:
    """fleet.json: what was asked of many places. `options`, `preset` and `seed` are the same for each of the runs.

    Only where each runs is its own; `options.target` says how they are all reached.
    """

    label: str
    created: str
    command: str
    options: RunOptions
    preset: Preset
    seed: int
    members: tuple[Member, ...]
    version: str = __version__
    schema: int = SCHEMA

    def to_json(self) -> str:
        """Return the text of fleet.json."""
        return stored.text(self)

    @classmethod
    def from_json(cls, text: str, where: Path) -> Fleet:
        """Parse fleet.json. Raises ResultsError when it is damaged, foreign or from a newer rseqbench."""
        return stored.read(text, where, SCHEMA, cls._made)

    @classmethod
    def _made(cls, raw: dict[str, Any]) -> Fleet:
        raw["options"], raw["preset"] = RunOptions(**raw["options"]), Preset(**raw["preset"])
        raw["members"] = tuple(Member(**member) for member in raw["members"])
        if not all(is_label(member.label) for member in raw["members"]):
            raise ValueError("a field is not of its kind")
        return cls(**raw)


@dataclass(frozen=True)
class Loaded:
    """A fleet with the runs that are finished, in the order of its members, and why each of the others has none."""

    fleet: Fleet
    runs: Mapping[str, Run]  # by place
    absent: Mapping[str, str]  # by place


def labels(places: Sequence[str], label: str) -> dict[str, str]:
    """Return LABEL@PLACE for each place. Raises UsageError for a place whose name can be in no label."""
    found = {place: f"{label}@{place}" for place in places}
    wrong = next((place for place, name in found.items() if not is_label(name)), None)
    if wrong is not None:
        raise UsageError(f"{label}@{wrong} can be no label", "use a shorter --label, and places without blanks")
    return found


def is_fleet(root: Path, label: str) -> bool:
    """Whether the results folder has a fleet of that label."""
    return is_label(label) and (root / label / FILE).is_file()


def known(root: Path) -> list[str]:
    """Return the labels of all fleets in the results folder, sorted."""
    return sorted(path.parent.name for path in root.glob(f"*/{FILE}") if is_label(path.parent.name))


def save(root: Path, fleet: Fleet) -> None:
    """Write fleet.json, in the place of one that is there, by one rename. Raises ResultsError."""
    folder = root / check_label(fleet.label)
    with disk.guarded(folder):
        folder.mkdir(parents=True, exist_ok=True)
        disk.write(folder / FILE, fleet.to_json())


def read(root: Path, label: str) -> Fleet:
    """Read fleet.json. Raises ResultsError if there is no such fleet, whole and ours."""
    path = root / check_label(label) / FILE
    if not path.is_file():
        error = unknown("fleet", label, known(root), f"in {root}")
        raise ResultsError(error.message, error.hint)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: {error}", "the folder is damaged") from error
    return Fleet.from_json(text, path)


def load(store: Store, label: str) -> Loaded:
    """Read a fleet and its finished runs, of which a damaged one is absent. Raises ResultsError when there is none."""
    fleet = read(store.root, label)
    found = {member.place: run_of(store, member) for member in fleet.members}
    runs = {place: run for place, run in found.items() if isinstance(run, Run)}
    return Loaded(fleet, runs, {place: why for place, why in found.items() if not isinstance(why, Run)})


def run_of(store: Store, member: Member) -> Run | str:
    """Return a member's finished run, or why there is none: of a thousand runs, not all need be in memory at once."""
    try:
        return store.load(member.label)
    except ResultsError as error:
        return member.failure or str(error)
