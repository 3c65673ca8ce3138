"""The folders of all files that are not Python: in the checkout, or inside the installed package."""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "data"  # filled when a wheel is built, absent in a checkout


def _shipped(name: str) -> Path:
    return _SHIPPED / name if _SHIPPED.is_dir() else _PACKAGE.parent / name


def kernels() -> Path:
    """Return the folder with the C sources of all benchmarks."""
    return Path(os.environ.get("RSEQBENCH_KERNELS") or _shipped("kernels"))


def default_config() -> Path:
    """Return the bench.toml with every key and its default."""
    return _shipped("bench.toml")


def builtin_results() -> Path:
    """Return the folder of the runs that come with rseqbench: the patch's own table."""
    return _shipped("results")


def recorded() -> Path:
    """Return the folder of the one run that is there to be replayed.

    It is not among the built-in results: it is no result.
    """
    return _PACKAGE / "recorded"


def cache() -> Path:
    """Return the folder for compiled benchmarks and kernels: $XDG_CACHE_HOME/rseqbench, else ~/.cache/rseqbench.

    Raises RuntimeError for a user without a home.
    """
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rseqbench"
