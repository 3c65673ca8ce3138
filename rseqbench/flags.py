"""What a kernel says of itself in the flags of kernels/include/kernel.h, by the names of model.Benchmark's fields."""

from __future__ import annotations

from typing import Any

_FLAGS = {
    "needs_rseq": 0x01,
    "needs_no_rseq": 0x04,
    "shared": 0x08,
    "sequence": 0x10,
    "threaded": 0x20,
    "trivial": 0x40,
    "own_cpus": 0x80,
    "library": 0x800,
}


def described(name: str, doc: str, unavailable: str, flags: int) -> dict[str, Any]:
    """Return a kernel as the mapping that a target makes a Benchmark of; `flags` is struct host_kernel's."""
    named = {flag: bool(flags & bit) for flag, bit in _FLAGS.items()}
    return {"name": name, "doc": doc, "unavailable": unavailable, **named}
