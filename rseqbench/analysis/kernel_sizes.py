"""How the symbols of two kernels differ in size."""

from __future__ import annotations

from dataclasses import dataclass

from rseqbench.support.attachments import KernelSizes

TEXT = "tTwW"  # types of nm(1): code


DATA = "dDbBvV"  # variables, set or not


READ_ONLY = "rR"


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


def growth(before: KernelSizes, after: KernelSizes, types: str = TEXT + DATA + READ_ONLY) -> Growth:
    """Compare the symbols of these types by name, as Linux's scripts/bloat-o-meter does."""
    one, other = _by_name(before, types), _by_name(after, types)
    changed = [(name, one.get(name, 0), other.get(name, 0)) for name in one.keys() | other.keys()]
    changed = sorted((c for c in changed if c[1] != c[2]), key=lambda c: (c[1] - c[2], c[0]))
    differences = [b - a for _, a, b in changed]
    return Growth(tuple(changed), sum(d for d in differences if d > 0), -sum(d for d in differences if d < 0))


def _by_name(sizes: KernelSizes, types: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, size in sizes.symbols.items():
        kind, _, name = key.partition(" ")
        if kind in types:
            found[name] = found.get(name, 0) + size
    return found
