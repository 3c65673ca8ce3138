"""Guests and emulated programs."""
