"""Targets that speak to the static C runner."""

from rseqbench.targets import TargetKind

TARGETS = {"runner": TargetKind(f"{__name__}.target", "LocalRunnerTarget")}
