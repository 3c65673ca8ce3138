"""How large a Linux is: by `size`, as the patch gives it, by section, and by symbol, which no padding hides."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from rseqbench.errors import BuildError
from rseqbench.support.serialization import fits

FILE = "sizes.json"  # their name wherever a Linux or a run has them
_MADE = re.compile(r"\.(?:\d+|isra|constprop|part|cold|llvm)(?=\.|$)|\.\d+")  # what compilers add to a static's name
_GENERATED = ("__mod_", "__se_sys", "__se_compat_sys", "__addressable_", "linux_banner", "vermagic", "__pfx_")
TEXT = "tTwW"  # types of nm(1): code
DATA = "dDbBvV"  # variables, set or not
READ_ONLY = "rR"


@dataclass(frozen=True)
class Sizes:
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
    def load(cls, path: Path) -> Sizes:
        """Read what save() wrote. Raises BuildError when it is damaged."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            if not fits(found, cls):
                raise TypeError("a size is no number")
            return found
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise BuildError(f"{path}: damaged, or not written by rseqbench ({error})") from error


@dataclass(frozen=True)
class Growth:
    """How the symbols of some types differ between two builds: (name, before, after), the largest growth first.

    `added` is what grew or is new, `removed` what shrank or is gone, both in bytes and positive.
    """

    changed: tuple[tuple[str, int, int], ...]
    added: int
    removed: int

    @property
    def net(self) -> int:
        """By how much the symbols grew together."""
        return self.added - self.removed


def growth(before: Sizes, after: Sizes, types: str = TEXT + DATA + READ_ONLY) -> Growth:
    """Compare the symbols of these types by name, as Linux's scripts/bloat-o-meter does."""
    one, other = _by_name(before, types), _by_name(after, types)
    changed = [(name, one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()]
    changed = sorted((c for c in changed if c[1] != c[2]), key=lambda c: (c[1] - c[2], c[0]))
    differences = [b - a for _, a, b in changed]
    return Growth(tuple(changed), sum(d for d in differences if d > 0), -sum(d for d in differences if d < 0))


def _by_name(sizes: Sizes, types: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, size in sizes.symbols.items():
        kind, _, name = key.partition(" ")
        if kind in types:
            found[name] = found.get(name, 0) + size
    return found


def measured(vmlinux: Path, prefix: str) -> Sizes:
    """Measure a vmlinux with the binutils whose commands begin with `prefix`. Raises BuildError."""
    berkeley = _output([f"{prefix}size", str(vmlinux)]).splitlines()[1].split()
    text, data, bss = map(int, berkeley[:3])
    sections = parsed_sections(_output([f"{prefix}size", "-A", str(vmlinux)]))
    return Sizes(text, data, bss, sections, parsed_symbols(_output([f"{prefix}nm", "--size-sort", str(vmlinux)])))


def parsed_sections(text: str) -> dict[str, int]:
    """Return the sections that `size -A` prints, debugging information left out: it is not loaded."""
    rows = (line.split() for line in text.splitlines())
    found = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".") and row[1].isdecimal()}
    return {name: size for name, size in found.items() if not name.startswith((".debug", ".comment"))}


def parsed_symbols(text: str) -> dict[str, int]:
    """Return the symbols that `nm --size-sort` prints, those of one name and type summed, generated ones left out."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 3 and not parts[2].startswith(_GENERATED):
            key = f"{parts[1]} {_MADE.sub('', parts[2])}"
            found[key] = found.get(key, 0) + int(parts[0], 16)
    return found


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
    except FileNotFoundError as error:
        raise BuildError(f"no {command[0]} here to measure Linux with", "apt-get install binutils") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{command[0]} cannot read {command[-1]}: {error.stderr.strip()}") from error
