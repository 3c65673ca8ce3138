"""The Linux that a guest runs: where it comes from, its modules, and the initramfs it starts with."""

from rseqbench.build.linux.image import DEBIAN, LinuxImage, debian, fetched, given

__all__ = ["DEBIAN", "LinuxImage", "debian", "fetched", "given"]
