"""The same plan on many machines: who belongs together, and all of them at the same time."""
