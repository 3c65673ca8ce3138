"""The files that a run or a built kernel carries: kernel sizes, its configuration, the listing of the timed loops."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from rseqbench.errors import BuildError, ResultsError
from rseqbench.support import kconfig
from rseqbench.support.serialization import matches_type

BUILD_FILE = "build.json"
SIZES_FILE = "sizes.json"  # in the folders of kernels and of runs
ASSEMBLY_FILE = "assembly.txt"
_HEAD = re.compile(r"(\S+) <(\S+)>")


@dataclass(frozen=True)
class KernelSizes:
    """Sizes in bytes: as `size` has them, sections as `size -A`, symbols as "TYPE NAME" of nm(1), summed by name."""

    text: int
    data: int
    bss: int
    sections: Mapping[str, int]
    symbols: Mapping[str, int]

    def save(self, path: Path) -> None:
        """Write them as JSON."""
        path.write_text(json.dumps(asdict(self), separators=(",", ":")) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> KernelSizes:
        """Read what save() wrote. Raises BuildError when it is damaged."""
        try:
            sizes = cls(**json.loads(path.read_text(encoding="utf-8")))
            if not matches_type(sizes, cls):
                raise TypeError("a size is no number")
            return sizes
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise BuildError(f"{path}: damaged, or not written by rseqbench ({error})") from error


@dataclass(frozen=True)
class Listing:
    """The timed loop of a benchmark: the function's symbol, and its instructions, a line each."""

    benchmark: str
    symbol: str
    lines: tuple[str, ...]


def load_listings(folder: Path) -> list[Listing] | None:
    """Return what is kept with the run in `folder`; None where nothing is. Raises ResultsError when it is damaged."""
    path = folder / ASSEMBLY_FILE
    try:
        return parse_listings(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise ResultsError(f"{path}: {error}", "the run folder is damaged") from error


def parse_listings(text: str) -> list[Listing]:
    """Return what assembly.txt holds. Raises ValueError where it is not one."""
    listings = []
    for block in text.split("\n\n")[1:]:
        head, *lines = block.strip("\n").split("\n")
        match = _HEAD.fullmatch(head)
        if match is None:
            raise ValueError(f"no name of a benchmark: {head[:60]!r}")
        listings.append(Listing(match[1], match[2], tuple(lines)))
    return listings


@dataclass(frozen=True)
class BuiltKernel:
    """A kernel that was built, in a folder of the cache: image, vmlinux, linux.config, sizes.json and build.json.

    build.json also names the binutils, the command, the seconds and the steps that the build took.

    rseq: its CONFIG_RSEQ, "n" or "y"; source, base, compiler, release: what it was made of and by, and what it calls
    itself; seconds: how long it took, of this call 0 where the cache had it.
    """

    folder: Path
    arch: str
    rseq: str
    source: str
    base: str
    compiler: str
    release: str
    seconds: float

    @classmethod
    def load(cls, folder: Path) -> BuiltKernel | None:
        """Return the kernel that was built into a folder; None where there is none."""
        try:
            stored = json.loads((folder / BUILD_FILE).read_text(encoding="utf-8"))
            known = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
            return cls(**{**known, "folder": folder, "seconds": 0.0})
        except (OSError, ValueError, TypeError):
            return None

    @property
    def image(self) -> Path:
        """The image that a guest boots."""
        return self.folder / "image"

    @property
    def config(self) -> str:
        """The text of its final .config."""
        return (self.folder / kconfig.CONFIG_FILE).read_text(encoding="utf-8")

    @property
    def sizes(self) -> KernelSizes:
        """Its sizes, read anew."""
        return KernelSizes.load(self.folder / SIZES_FILE)
