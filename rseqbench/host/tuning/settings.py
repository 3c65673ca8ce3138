"""The settings that tuning may change, each as one word of text: read, written, compared.

A setting is named by its file, relative to the root; interrupts are also moved by a service, irqbalance.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import struct
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from rseqbench.host import facts

SMT = "sys/devices/system/cpu/smt/control"
IRQBALANCE = "irqbalance"
_CPUFREQ = "sys/devices/system/cpu/cpu[0-9]*/cpufreq"
_MSR = "dev/cpu/[0-9]*/msr"
_INTERRUPT = "proc/irq/[0-9]*/smp_affinity"

# All that pyperf's `system tune` writes, what follows from that, and what it does not know; in the order in which they
# are put back: first the CPUs that the others belong to, then the governor, which sets turbo and frequencies anew, and
# last the service that would move interrupts.
_ORDER = (
    SMT,
    f"{_CPUFREQ}/scaling_governor",
    f"{_CPUFREQ}/energy_performance_preference",
    facts.NO_TURBO,
    facts.BOOST,
    _MSR,
    f"{_CPUFREQ}/scaling_max_freq",
    f"{_CPUFREQ}/scaling_min_freq",
    "proc/sys/kernel/perf_event_max_sample_rate",
    "proc/sys/kernel/randomize_va_space",
    "proc/irq/default_smp_affinity",
    _INTERRUPT,
    IRQBALANCE,
)
_MISC_ENABLE, _NO_TURBO_BIT = 0x1A0, 1 << 38  # of Intel's CPUs: Volume 4 of its manual
_TURBO = {False: "turbo on", True: "turbo off"}


def read_snapshot(root: Path) -> dict[str, str]:
    """Read every setting there is; those that cannot be read are left out, as they cannot be changed either."""
    names = [str(path.relative_to(root)) for pattern in _ORDER[:-1] for path in root.glob(pattern)]
    values = read_settings(root, [*names, IRQBALANCE])
    if values.get(IRQBALANCE) == "active":  # it moves interrupts as it likes, and will when it is started again
        values = {key: value for key, value in values.items() if not is_interrupt(key)}
    return values


def read_settings(root: Path, keys: Iterable[str]) -> dict[str, str]:
    """Read these settings; those that cannot be read are left out."""
    return {key: value for key in keys if (value := read_setting(root, key)) is not None}


def read_setting(root: Path, key: str) -> str | None:
    """Read one setting; None if it cannot be read."""
    if key == IRQBALANCE:
        return _service(root, "status")
    if not fnmatch.fnmatch(key, _MSR):
        return facts.read_text(root, key) or None
    try:
        return _TURBO[bool(_read_msr(root / key) & _NO_TURBO_BIT)]
    except OSError:
        return None


def write_setting(root: Path, key: str, value: str) -> None:
    """Write one setting. Raises OSError when it is refused."""
    if key == IRQBALANCE:
        _service(root, "start" if value == "active" else "stop")
        return
    if fnmatch.fnmatch(key, _MSR):
        others = _read_msr(root / key) & ~_NO_TURBO_BIT
        bit = _NO_TURBO_BIT if value == _TURBO[True] else 0
        _write_file(root / key, struct.pack("=Q", others | bit), _MISC_ENABLE)
        return
    _write_file(root / key, value.encode() + b"\n", 0, os.O_TRUNC)


def is_setting(key: str) -> bool:
    """Whether a key names a setting: with a damaged record we must not write to any other file."""
    return ".." not in key and any(fnmatch.fnmatch(key, pattern) for pattern in _ORDER)


def is_interrupt(key: str) -> bool:
    """Whether a key is the CPUs of one interrupt, which only has a number that the kernel gives it."""
    return fnmatch.fnmatch(key, _INTERRUPT)


def sort_for_restoring(keys: Iterable[str]) -> list[str]:
    """Sort settings into the order in which they have to be put back."""

    def position(key: str) -> tuple[int, list[int]]:
        first = next(index for index, pattern in enumerate(_ORDER) if fnmatch.fnmatch(key, pattern))
        return first, [int(number) for number in re.findall(r"\d+", key)]

    return sorted(keys, key=position)


def display_name(key: str, numbers: str = "") -> str:
    """Return a setting's name for people; `numbers` stand for its CPU or interrupt."""
    if key == IRQBALANCE:
        return "the service irqbalance"
    return "/" + (re.sub(r"(?<=/cpu)\d+|(?<=/)\d+(?=/)", numbers, key) if numbers else key)


def describe_changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return a line for each change, those of several CPUs in one: /sys/.../cpu0-3/...: powersave -> performance."""
    numbers: dict[tuple[str, str, str], list[int]] = {}
    for key in sort_for_restoring(before):
        if key in after and after[key] != before[key]:
            number = re.search(r"(?<=/cpu)\d+|(?<=/)\d+(?=/)", key)
            name = display_name(key, "*") if number else display_name(key)
            numbers.setdefault((name, before[key], after[key]), []).extend([int(number[0])] if number else [])
    return [f"{name.replace('*', _list_format(of))}: {old} -> {new}" for (name, old, new), of in numbers.items()]


def _list_format(numbers: list[int]) -> str:
    """Write numbers, sorted, in Linux's list format: 0-3,8."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(f"{first}-{last}" if last > first else str(first) for first, last in spans)


def _read_msr(device: Path) -> int:
    file = os.open(device, os.O_RDONLY)
    try:
        data = os.pread(file, 8, _MISC_ENABLE)
    finally:
        os.close(file)
    if len(data) != 8:
        raise OSError(f"{device} is no MSR device")
    return int(struct.unpack("=Q", data)[0])


def _write_file(file: Path, data: bytes, offset: int, flags: int = 0) -> None:
    """Write to a file that is there, in one call, as Linux's settings want it."""
    handle = os.open(file, os.O_WRONLY | flags)
    try:
        os.pwrite(handle, data, offset)
    finally:
        os.close(handle)


def _service(root: Path, verb: str) -> str | None:
    """Ask irqbalance for its status (None: there is no such service), or start or stop it. Raises OSError."""
    systemd = (root / "run/systemd/system").is_dir()
    program = shutil.which("systemctl" if systemd else "service")
    if program is None:
        return None
    if verb == "status":
        return _status(program, systemd)
    command = [program, verb, IRQBALANCE] if systemd else [program, IRQBALANCE, verb]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"{' '.join(command)} failed: {done.stderr.strip().partition(chr(10))[0]}")
    return None


def _status(program: str, systemd: bool) -> str | None:
    if systemd:
        command = [program, "show", "--property=LoadState,ActiveState", IRQBALANCE]
    else:
        command = [program, IRQBALANCE, "status"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if not systemd:  # what an init script's status exits with is the Linux Standard Base's: 3 is stopped
        return {0: "active", 3: "inactive"}.get(done.returncode)
    state = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    if done.returncode or state.get("LoadState") != "loaded":
        return None
    return "active" if state.get("ActiveState") in {"active", "activating"} else "inactive"
