"""This machine, measured by worker processes."""
