"""Checks of emulation: qemu for whole guests and for single programs, their kernels, and KVM."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from rseqbench.build import architectures
from rseqbench.build.architectures import Arch, Qemu
from rseqbench.build.linux import kvm, make
from rseqbench.build.linux.apt import TOOLS
from rseqbench.build.linux.image import find_debian_image, read_qemu_version
from rseqbench.doctor.finding import Check, Host, as_root, report_missing
from rseqbench.errors import BuildError, RseqbenchError, TargetError
from rseqbench.host import facts
from rseqbench.model import Finding
from rseqbench.targets.qemu.user import qemu_with_plugins


def check_qemu_system(host: Host) -> Finding | None:
    """Look for the qemu-system of every architecture, this one included: it boots a guest with its own kernel."""
    words, missing = {}, set()
    for arch, qemu in _guests(host):
        words[arch.name] = read_qemu_version(qemu.system) or "none"
        if words[arch.name] == "none":
            missing.add(qemu.system_package)
    return _summarize("qemu-system", words, missing) if words else None


def check_qemu_user(host: Host) -> Finding | None:
    """Look for the qemu-user of every other architecture, and see whether it can count instructions."""
    words, missing, unable = {}, set(), ""
    for arch, qemu in _guests(host):
        if host.machine in arch.machines:
            continue
        words[arch.name] = read_qemu_version(qemu.user) or "none"
        if words[arch.name] == "none":
            missing.add(qemu.user_package)
            continue
        try:
            qemu_with_plugins(arch)
        except TargetError as error:
            words[arch.name] += ", without plugins"
            unable = f"it cannot count instructions: {error.hint}"
    return _summarize("qemu-user", words, missing, unable) if words else None


def check_guest_kernels(host: Host) -> Finding | None:
    """Report Debian's kernel of every architecture, which is fetched when a guest first needs it."""
    words = {}
    for arch, _ in _guests(host):
        try:
            image = find_debian_image(arch)
        except RuntimeError:
            return None  # a user without a home, which check_cache_folder reports
        words[arch.name] = image.package.removeprefix("linux-image-") if image else "not fetched yet"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if "not fetched yet" in words.values() and missing:
        return Finding("guests' Linux", _join(words), "warn", f"no {missing[0]} to fetch it with: give --linux PATH")
    return Finding("guests' Linux", _join(words)) if words else None


def _guests(host: Host) -> list[tuple[Arch, Qemu]]:
    """Return the architectures of which guests can be run here; nobody emulates x86-64 on a board."""
    try:
        known = architectures.known().values()
    except RseqbenchError:
        return []  # check_compiler reports it
    on_x86 = host.machine in facts.X86
    return [(arch, arch.qemu) for arch in known if arch.qemu and (on_x86 or not facts.X86.intersection(arch.machines))]


def _summarize(name: str, words: dict[str, str], missing: set[str], advice: str = "") -> Finding:
    if missing:
        return report_missing(name, _join(words), "warn", sorted(missing))
    return Finding(name, _join(words), "warn", advice) if advice else Finding(name, _join(words))


def _join(words: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in words.items())


def check_kernel_build(host: Host) -> Finding | None:
    """Look for the tools of `rseqbench linux build`, for every architecture whose guests can run here."""
    words: dict[str, str] = {}
    packages: set[str] = set()
    for arch, _ in _guests(host):
        if arch.linux is None:
            continue
        missing = make.find_missing_tools(arch.linux)
        try:
            make.Tools.find(arch.linux, arch)
        except BuildError:
            missing[f"{arch.linux.cross}gcc"] = arch.linux.package
        words[arch.name] = f"without {', '.join(missing)}" if missing else "all tools are there"
        packages.update(missing.values())
    return _summarize("Linux build", words, packages) if words else None


def check_kvm(host: Host) -> Finding | None:
    """See whether KVM boots a kernel: its device may open, and a guest still hang."""
    arch = next((arch for arch, _ in _guests(host) if arch.is_host), None)
    if arch is None:
        return None
    if not os.path.exists(kvm.DEVICE):
        return Finding("KVM", f"no {kvm.DEVICE}: guests are emulated, and count instructions")
    if not os.access(kvm.DEVICE, os.R_OK | os.W_OK):
        command = as_root("usermod -aG kvm $USER")
        return Finding("KVM", f"{kvm.DEVICE} is not ours to open", "warn", "join its group, and log in anew", command)
    image = _find_image(host, arch)
    if image is None:
        return Finding("KVM", f"{kvm.DEVICE} opens; no Linux is here yet to try it with, and `run --config` will")
    why = kvm.find_kvm_problem(arch, image)
    if why:
        return Finding("KVM", f"{kvm.DEVICE} opens, and boots no Linux: {why}", "warn", "guests are emulated instead")
    return Finding("KVM", f"boots {image}")


def _find_image(host: Host, arch: Arch) -> Path | None:
    """Return an image to boot: the one that was fetched, else the running kernel's where we may read it."""
    with contextlib.suppress(RuntimeError):  # a user without a home
        fetched = find_debian_image(arch)
        if fetched:
            return fetched.path
    own = host.root / f"boot/vmlinuz-{facts.read_kernel_release(host.root)}"
    return own if os.access(own, os.R_OK) else None


CHECKS: tuple[Check, ...] = (check_qemu_system, check_qemu_user, check_guest_kernels, check_kernel_build, check_kvm)
