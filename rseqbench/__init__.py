"""rseqbench: what the Linux commit that introduced restartable sequences claimed, measured here."""

__version__ = "0.1.0"
