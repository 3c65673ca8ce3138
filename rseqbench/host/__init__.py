"""This machine: what it is, what its kernel offers, and its settings."""
