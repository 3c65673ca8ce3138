"""A place of a labgrid lab."""

from rseqbench.targets import TargetKind

TARGETS = {"labgrid": TargetKind(f"{__name__}.target", "LabgridTarget", has_address=True)}
