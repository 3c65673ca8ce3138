"""This machine, measured by worker processes."""

from rseqbench.targets import TargetKind

TARGETS = {"native": TargetKind(f"{__name__}.target", "NativeTarget")}
