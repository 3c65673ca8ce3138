"""Pure: which places of a lab are meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol, TypeVar

from rseqbench.config import unknown
from rseqbench.errors import UsageError


class Tagged(Protocol):
    """What has a name and tags."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def tags(self) -> Mapping[str, str]:
        """Its tags, by their names."""


Place = TypeVar("Place", bound=Tagged)


def choose(places: Sequence[Place], patterns: Sequence[str], tags: Mapping[str, str]) -> list[Place]:
    """Return the places that any of the `patterns` names, or all without one, and that have all the `tags`, by name.

    Raises UsageError for a pattern that names none, and when nothing is left.
    """
    names = [place.name for place in places]
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise unknown("place", pattern, names, "in this lab")
    named = [place for place in places if not patterns or any(fnmatchcase(place.name, one) for one in patterns)]
    chosen = [place for place in named if tags.items() <= place.tags.items()]
    if not chosen:
        asked = ", ".join(f"{name}={value}" for name, value in tags.items())
        found = sorted({f"{name}={value}" for place in named for name, value in place.tags.items()})
        there = f"there are {', '.join(found)}" if found else "no place has any tag"
        raise UsageError(
            f"no place has the tags {asked}" if named else "this lab has no places", there if named else ""
        )
    return sorted(chosen, key=lambda place: place.name)


def parse_names(text: str) -> list[str]:
    """Read NAME[,NAME...]. Raises UsageError for an empty one: a variable that is not set means no whole lab."""
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise UsageError(f"bad places {text!r}", "write them like pi4 or 'pi*,cubie'")
    return names


def parse_tags(text: str) -> dict[str, str]:
    """Read NAME=VALUE[,NAME=VALUE...]. Raises UsageError for anything else."""
    parts = [part.partition("=") for part in text.split(",")]
    if not all(name.strip() and equals and value.strip() for name, equals, value in parts):
        raise UsageError(f"bad tags {text!r}", "write them like arch=arm32,board=pi4")
    return {name.strip(): value.strip() for name, _, value in parts}
