"""Pure: the name of a hypervisor, from how it shows: the machine's maker, its clocks, or its device tree."""

from __future__ import annotations

from collections.abc import Iterable

_BY_MARK = {
    "kvm": "kvm",
    "amazon ec2": "kvm",
    "google compute engine": "kvm",
    "qemu": "qemu",
    "linux,dummy-virt": "qemu",
    "vmware": "vmware",
    "virtualbox": "virtualbox",
    "innotek": "virtualbox",
    "xen": "xen",
    "hyperv": "hyperv",
    "parallels": "parallels",
    "apple virtualization": "apple",
    "bhyve": "bhyve",
    "virtual machine": "hyperv",
}


def named(hints: Iterable[str | None]) -> str | None:
    """Return the hypervisor that the first telling one of `hints` names, None where none does."""
    for hint in filter(None, hints):
        for mark, name in _BY_MARK.items():
            if mark in hint.lower():
                return name
    return None
