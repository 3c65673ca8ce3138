"""A machine that is reached by the user's own ssh."""

from rseqbench.targets import TargetKind

TARGETS = {"ssh": TargetKind(f"{__name__}.target", "SshTarget", has_address=True)}
