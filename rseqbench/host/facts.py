"""Read the facts of a machine from /proc and /sys: a run stores them, and doctor judges them.

Every function takes the root of the file system, so that a test can lay out another machine, and returns None for
what cannot be read here. A fact that is missing is left out of a run, never guessed.
"""

from __future__ import annotations

import gzip
import os
import platform
import re
import zlib
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

from rseqbench.model import Facts, Virtualization
from rseqbench.selection import parse_cpu_list

ROOT = Path("/")
X86 = frozenset({"x86_64", "i386", "i486", "i586", "i686"})

_CPUS = "sys/devices/system/cpu"
NO_TURBO = f"{_CPUS}/intel_pstate/no_turbo"
BOOST = f"{_CPUS}/cpufreq/boost"
BOOT_ID = "proc/sys/kernel/random/boot_id"
_CLOCKS = "sys/devices/system/clocksource/clocksource0"
_DEVICE_TREE = "proc/device-tree"
_SMBIOS = "sys/class/dmi/id"
_MODEL = (("cpu family", "model", "stepping"), ("CPU implementer", "CPU part", "CPU variant", "CPU revision"))
_EMULATED_BOGOMIPS = "125.00"  # twice the 62.5 MHz of the ARM timer that qemu emulates; under KVM it is the host's own
# All files that the facts of a machine are read from, relative to its root: patterns, with {release} for uname -r.
# Another machine's are copied here by these, and then read as our own are.
SOURCES = (
    "proc/cpuinfo",
    "proc/loadavg",
    "proc/sys/kernel/osrelease",
    "proc/config.gz",
    "boot/config-{release}",
    f"{_DEVICE_TREE}/model",
    f"{_DEVICE_TREE}/compatible",
    f"{_DEVICE_TREE}/hypervisor/compatible",
    f"{_SMBIOS}/sys_vendor",
    f"{_SMBIOS}/product_name",
    "sys/hypervisor/type",
    f"{_CPUS}/online",
    f"{_CPUS}/isolated",
    f"{_CPUS}/nohz_full",
    f"{_CPUS}/smt/active",
    f"{_CPUS}/cpu*/cpufreq/scaling_governor",
    NO_TURBO,
    BOOST,
    f"{_CLOCKS}/available_clocksource",
    f"{_CLOCKS}/current_clocksource",
)
_BY_MARK = {
    "kvm": Virtualization.KVM,
    "amazon ec2": Virtualization.KVM,
    "google compute engine": Virtualization.KVM,
    "qemu": Virtualization.QEMU,
    "linux,dummy-virt": Virtualization.QEMU,
    "vmware": Virtualization.VMWARE,
    "virtualbox": Virtualization.VIRTUALBOX,
    "innotek": Virtualization.VIRTUALBOX,
    "xen": Virtualization.XEN,
    "hyperv": Virtualization.HYPERV,
    "parallels": Virtualization.PARALLELS,
    "apple virtualization": Virtualization.APPLE,
    "bhyve": Virtualization.BHYVE,
    "virtual machine": Virtualization.HYPERV,
}


def read_text(root: Path, name: str) -> str | None:
    """Return the text of a file under `root` without surrounding white space and NULs; None if it cannot be read."""
    try:
        return (root / name).read_bytes().decode("utf-8", errors="replace").strip(" \t\r\n\0")
    except OSError:
        return None


def read_cpuinfo(root: Path = ROOT) -> Mapping[str, str]:
    """Return /proc/cpuinfo as a mapping, the first value of every key; empty if it cannot be read."""
    entries: dict[str, str] = {}
    for line in (read_text(root, "proc/cpuinfo") or "").splitlines():
        key, colon, value = line.partition(":")
        if colon and value.strip():
            entries.setdefault(key.strip(), value.strip())
    return entries


def read_cpu_name(root: Path = ROOT) -> str | None:
    """Return the name of the processor, or of the board that a device tree names."""
    info = read_cpuinfo(root)
    name = read_text(root, f"{_DEVICE_TREE}/model") or info.get("model name") or info.get("Processor")
    if name:
        return name
    if "CPU implementer" in info and "CPU part" in info:
        return f"ARM implementer {info['CPU implementer']}, part {info['CPU part']}"
    return None


def read_cpu_model(root: Path = ROOT) -> str | None:
    """Return the model of the processor in its maker's numbers: in a guest, many that differ have one name.

    Examples: "family 25, model 17, stepping 1", or "implementer 0x41, part 0xd0c, variant 0x3, revision 1".
    """
    info = read_cpuinfo(root)
    for keys in _MODEL:
        known = [f"{key.split()[-1]} {info[key]}" for key in keys if key in info]
        if known:
            return ", ".join(known)
    return None


def read_cpu_flags(root: Path = ROOT) -> frozenset[str]:
    """Return the processor's feature flags in Linux's spelling; empty if they cannot be read."""
    info = read_cpuinfo(root)
    return frozenset((info.get("flags") or info.get("Features") or "").split())


def count_cpus(root: Path = ROOT) -> int | None:
    """Return the number of CPUs that are online."""
    online = parse_cpu_list(read_text(root, f"{_CPUS}/online") or "")
    if online:
        return len(online)
    return len(re.findall(r"^processor\s*:", read_text(root, "proc/cpuinfo") or "", re.MULTILINE)) or None


def read_kernel_release(root: Path = ROOT) -> str | None:
    """Return the release of the running kernel, which `uname -r` prints."""
    return read_text(root, "proc/sys/kernel/osrelease") or None


def read_boot_id(root: Path = ROOT) -> str | None:
    """Return the random number that the kernel drew for this boot."""
    return read_text(root, BOOT_ID)


def read_config_rseq(root: Path = ROOT) -> str:
    """Return the CONFIG_RSEQ of the running kernel: y, n, or unknown."""
    text = _read_kernel_config(root)
    if text is None:
        return "unknown"
    if re.search(r"^CONFIG_RSEQ=y$", text, re.MULTILINE):
        return "y"
    return "n" if re.search(r"^CONFIG_\w+=", text, re.MULTILINE) else "unknown"


def _read_kernel_config(root: Path) -> str | None:
    try:
        return gzip.decompress((root / "proc/config.gz").read_bytes()).decode("utf-8", errors="replace")
    except (OSError, EOFError, zlib.error):
        release = read_kernel_release(root)
        return read_text(root, f"boot/config-{release}") if release else None


def read_libc_version() -> str | None:
    """Return the C library and its version, as in "glibc 2.36"; None for another C library, which has no such name."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        return None


def detect_virtualization(root: Path = ROOT, machine: str | None = None) -> Virtualization | None:
    """Return the hypervisor that the machine runs under; None where that cannot be read."""
    machine = machine or platform.machine()
    if machine in X86:
        flags = read_cpu_flags(root)
        if not flags:
            return None
        return (_find_hypervisor(root) or Virtualization.UNKNOWN) if "hypervisor" in flags else Virtualization.NONE
    hints = (root / _SMBIOS).exists() or (root / _DEVICE_TREE).exists()
    hypervisor = (_find_hypervisor(root) or Virtualization.NONE) if hints else None
    emulated = hypervisor == Virtualization.QEMU and read_cpuinfo(root).get("BogoMIPS") == _EMULATED_BOGOMIPS
    return Virtualization.EMULATED if emulated else hypervisor


def _find_hypervisor(root: Path) -> Virtualization | None:
    clocks = (read_text(root, f"{_CLOCKS}/available_clocksource") or "").split()
    hints = [
        read_text(root, f"{_DEVICE_TREE}/hypervisor/compatible"),
        read_text(root, "sys/hypervisor/type"),
        *(clock for clock in clocks if clock.startswith(("kvm", "xen", "hyperv"))),
        _read_product(root),
        read_text(root, f"{_DEVICE_TREE}/compatible"),
    ]
    return identify_hypervisor(hints)


def _read_product(root: Path) -> str:
    """Return the machine's maker and model as its firmware names them; nothing for a cloud's bare metal."""
    product = f"{read_text(root, f'{_SMBIOS}/sys_vendor') or ''} {read_text(root, f'{_SMBIOS}/product_name') or ''}"
    return "" if product.endswith(".metal") else product


def read_governor(root: Path = ROOT) -> str | None:
    """Return the CPU frequency governor; several, sorted and joined by commas, if CPUs differ."""
    names = {
        read_text(root, str(path.relative_to(root))) for path in (root / _CPUS).glob("cpu*/cpufreq/scaling_governor")
    }
    return ",".join(sorted(name for name in names if name)) or None


def read_smt(root: Path = ROOT) -> str | None:
    """Return whether CPUs share a core with a sibling: on or off."""
    return {"0": "off", "1": "on"}.get(read_text(root, f"{_CPUS}/smt/active") or "")


def read_turbo(root: Path = ROOT) -> str | None:
    """Return whether the CPU may exceed its nominal frequency: on or off."""
    no_turbo = read_text(root, NO_TURBO)
    if no_turbo in {"0", "1"}:
        return "on" if no_turbo == "0" else "off"
    return {"0": "off", "1": "on"}.get(read_text(root, BOOST) or "")


def read_load(root: Path = ROOT) -> float | None:
    """Return the load average of the last minute."""
    words = (read_text(root, "proc/loadavg") or "").split()
    try:
        return float(words[0])
    except (IndexError, ValueError):
        return None


def read_isolated_cpus(root: Path = ROOT) -> str | None:
    """Return the CPUs that the kernel's scheduler does not use, in list format, or "none"."""
    text = read_text(root, f"{_CPUS}/isolated")
    return None if text is None or parse_cpu_list(text) is None else text or "none"


def read_nohz_full(root: Path = ROOT) -> str | None:
    """Return the CPUs without a scheduler tick, in list format, or "none"."""
    text = read_text(root, f"{_CPUS}/nohz_full")
    if text == "(null)":  # what older Linux prints for an empty list
        return "none"
    return None if text is None or parse_cpu_list(text) is None else text or "none"


def find_vdso_getcpu(root: Path = ROOT, machine: str | None = None) -> str | None:
    """Return how the vDSO reads the CPU number: rdpid, lsl, or "none" where there is no getcpu in the vDSO."""
    if (machine or platform.machine()) not in X86:
        return "none"
    flags = read_cpu_flags(root)
    return ("rdpid" if "rdpid" in flags else "lsl") if flags else None


def read_clocksource(root: Path = ROOT) -> str | None:
    """Return the clock that the kernel keeps time by."""
    return read_text(root, f"{_CLOCKS}/current_clocksource") or None


def read_package_version(name: str) -> str | None:
    """Return the version of an installed Python package."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def collect_machine_facts(root: Path = ROOT, machine: str | None = None) -> Facts:
    """Return the facts of the machine under `root`, of architecture `machine` (as in `uname -m`; None: this one).

    No fact names the machine or its owner.
    """
    return Facts(
        cpu=read_cpu_name(root),
        cpu_model=read_cpu_model(root),
        cpus=count_cpus(root),
        linux=read_kernel_release(root),
        config_rseq=read_config_rseq(root),
        virtual=detect_virtualization(root, machine),
        governor=read_governor(root),
        smt=read_smt(root),
        turbo=read_turbo(root),
        load_1min=read_load(root),
        isolated_cpus=read_isolated_cpus(root),
        vdso_getcpu=find_vdso_getcpu(root, machine),
        clocksource=read_clocksource(root),
    )


def collect_python_facts() -> Facts:
    """Return the facts of the Python that measures and stores."""
    return Facts(python=platform.python_version(), pyperf=read_package_version("pyperf"))


def collect_facts(root: Path = ROOT, machine: str | None = None) -> Facts:
    """Return all facts of this machine, or of one laid out under `root`, of its C library and of our Python."""
    return (
        collect_machine_facts(root, machine)
        | Facts(libc=read_libc_version(), page_size=os.sysconf("SC_PAGE_SIZE"))
        | collect_python_facts()
    )


def identify_hypervisor(hints: Iterable[str | None]) -> Virtualization | None:
    """Return the hypervisor that the first telling one of `hints` names, None where none does."""
    for hint in filter(None, hints):
        for mark, name in _BY_MARK.items():
            if mark in hint.lower():
                return name
    return None
