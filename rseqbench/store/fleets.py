"""results/<label>/fleet.json: which runs belong together, one a machine. Nothing of a run itself stands in it twice."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rseqbench import __version__
from rseqbench.config import Preset, RequestedOptions
from rseqbench.errors import ResultsError, unknown_name
from rseqbench.store.runs import FLEET, Header, Store, check_label, is_label
from rseqbench.support import atomic_io, serialization

SCHEMA = 1
FILE = FLEET


@dataclass(frozen=True)
class Member:
    """A place of a fleet and the label of its run; `failure` is why that is not finished, where it failed."""

    place: str
    label: str
    failure: str = ""


@dataclass(frozen=True)
class Fleet:
    """fleet.json: what was asked of many places. `options`, `preset` and `seed` are the same for each of the runs.

    Only where each runs is its own; `options.target` says how they are all reached. `force`: what another fleet has
    left under a label of this one may be replaced.
    """

    label: str
    created: str
    command: str
    options: RequestedOptions
    preset: Preset
    seed: int
    members: tuple[Member, ...]
    force: bool = False
    version: str = __version__
    schema: int = SCHEMA

    def owns(self, header: Header) -> bool:
        """Whether a run is of this fleet, by what nothing but its own plan has: another may lie under its label."""
        return header.plan.seed == self.seed and header.created >= self.created

    def to_json(self) -> str:
        """Return the text of fleet.json."""
        return serialization.to_json(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str, where: Path) -> Fleet:
        """Parse fleet.json. Raises ResultsError when it is damaged, foreign or from a newer rseqbench."""
        return serialization.parse_json(text, where, SCHEMA, cls._made)

    @classmethod
    def _made(cls, raw: dict[str, Any]) -> Fleet:
        raw["options"], raw["preset"] = RequestedOptions(**raw["options"]), Preset(**raw["preset"])
        raw["members"] = tuple(Member(**member) for member in raw["members"])
        fleet = cls(**raw)
        if not all(is_label(member.label) for member in fleet.members):
            raise ValueError("a field is not of its kind")
        if not fleet.members:
            raise ValueError("a fleet without places")
        places, labels = {member.place for member in fleet.members}, {member.label for member in fleet.members}
        if min(len(places), len(labels)) < len(fleet.members):
            raise ValueError("a place, or a label, is in it twice")
        return fleet


def assign_labels(places: Sequence[str], label: str) -> dict[str, str]:
    """Return LABEL@PLACE for each place; what a label cannot have of a place is a dash, and the second such is -2.

    Raises UsageError, as ResultsError, for what is too long or no label itself.
    """
    check_label(label)
    by_place: dict[str, str] = {}
    for place in places:
        name = f"{label}@{re.sub(r'[^A-Za-z0-9._+@-]', '-', place)}"
        numbered = (name, *(f"{name}-{number}" for number in range(2, len(places) + 2)))
        by_place[place] = check_label(next(free for free in numbered if free not in by_place.values()))
    return by_place


def ensure_free(store: Store, fleet: Fleet) -> None:
    """Raise ResultsError when a new fleet cannot have its labels: a run has one, or a fleet that is not forced away."""
    if not is_fleet(store.root, fleet.label):
        store.ensure_free(fleet.label, False)
    elif not fleet.force:
        raise ResultsError(f"there is a fleet {fleet.label!r} already", "give another --label, or --force")
    for member in fleet.members:
        store.ensure_free(member.label, fleet.force)


def is_fleet(root: Path, label: str) -> bool:
    """Whether the results folder has a fleet of that label."""
    return is_label(label) and (root / label / FILE).is_file()


def list_labels(root: Path) -> list[str]:
    """Return the labels of all fleets in the results folder, sorted."""
    return sorted(path.parent.name for path in root.glob(f"*/{FILE}") if is_label(path.parent.name))


def save_fleet(root: Path, fleet: Fleet) -> None:
    """Write fleet.json, in the place of one that is there, by one rename. Raises ResultsError."""
    folder = root / check_label(fleet.label)
    with atomic_io.as_results_error(folder):
        folder.mkdir(parents=True, exist_ok=True)
        atomic_io.write(folder / FILE, fleet.to_json())


def load_fleet(root: Path, label: str) -> Fleet:
    """Read fleet.json. Raises ResultsError if there is no such fleet, whole and ours."""
    path = root / check_label(label) / FILE
    if not path.is_file():
        error = unknown_name("fleet", label, list_labels(root), f"in {root}")
        raise ResultsError(error.message, error.hint)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResultsError(f"{path}: {error}", "the folder is damaged") from error
    return dataclasses.replace(Fleet.from_json(text, path), label=label)  # the folder's, which may be a copy


def find_run(store: Store, fleet: Fleet, member: Member) -> tuple[Path, Header] | str:
    """Return the folder and the header of a member's finished run, or why there is none."""
    if not store.exists(member.label):
        return member.failure or f"run {member.label!r} is not in {store.root}"
    try:
        folder, header = store.header(member.label)
    except ResultsError as error:
        return str(error)
    return (folder, header) if fleet.owns(header) else describe_foreign(member)


def describe_foreign(member: Member) -> str:
    """Return what to say where a run that is not of the fleet has the label of a member."""
    return f"run {member.label!r} is not of this fleet; rseqbench runs rm {member.label}"


def find_finished(store: Store, fleet: Fleet, member: Member) -> Header | None:
    """Return the header of a member's finished run of this fleet; None where there is none, as far as that tells."""
    try:
        folder, header = store.header(member.label)
    except ResultsError:
        return None
    return header if fleet.owns(header) and (folder / "pyperf.json").is_file() else None
