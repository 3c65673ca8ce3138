"""Guests and emulated programs."""

from rseqbench.targets import TargetKind

TARGETS = {
    "qemu-system": TargetKind(f"{__name__}.target", "QemuSystemTarget", emulated=True, boots=True),
    "qemu-kvm": TargetKind(f"{__name__}.target", "QemuKvmTarget", boots=True),
    "qemu-user": TargetKind(f"{__name__}.user", "QemuUserTarget", emulated=True),
}
