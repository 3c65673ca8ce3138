"""Targets that speak to the static C runner."""
