"""How large a kernel is: by `size`, as the patch gives it, by section, and by symbol, which no padding hides."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from rseqbench.errors import BuildError
from rseqbench.support.attachments import KernelSizes

_SUFFIX = re.compile(r"\.(?:\d+|isra|constprop|part|cold|llvm)(?=\.|$)|\.\d+")  # what compilers add to a static's name
_GENERATED = ("__mod_", "__se_sys", "__se_compat_sys", "__addressable_", "linux_banner", "vermagic", "__pfx_")


def measure_sizes(vmlinux: Path, prefix: str) -> KernelSizes:
    """Measure a vmlinux with the binutils whose commands begin with `prefix`. Raises BuildError."""
    berkeley = _run([f"{prefix}size", str(vmlinux)]).splitlines()[1].split()
    text, data, bss = map(int, berkeley[:3])
    sections = parse_sections(_run([f"{prefix}size", "-A", str(vmlinux)]))
    return KernelSizes(text, data, bss, sections, parse_symbols(_run([f"{prefix}nm", "--size-sort", str(vmlinux)])))


def parse_sections(text: str) -> dict[str, int]:
    """Return the sections that `size -A` prints, debugging information left out: it is not loaded."""
    rows = (line.split() for line in text.splitlines())
    sizes = {row[0]: int(row[1]) for row in rows if len(row) == 3 and row[0].startswith(".") and row[1].isdecimal()}
    return {name: size for name, size in sizes.items() if not name.startswith((".debug", ".comment"))}


def parse_symbols(text: str) -> dict[str, int]:
    """Return the symbols that `nm --size-sort` prints, those of one name and type summed, generated ones left out."""
    symbols: dict[str, int] = {}
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 3 and not parts[2].startswith(_GENERATED):
            key = f"{parts[1]} {_SUFFIX.sub('', parts[2])}"
            symbols[key] = symbols.get(key, 0) + int(parts[0], 16)
    return symbols


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
    except FileNotFoundError as error:
        raise BuildError(f"no {command[0]} here to measure Linux with", "apt-get install binutils") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{command[0]} cannot read {command[-1]}: {error.stderr.strip()}") from error
