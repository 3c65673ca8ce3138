"""Runs and fleets on disk."""
