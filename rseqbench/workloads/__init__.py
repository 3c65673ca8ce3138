"""Whole programs and shipped libraries that are measured as their users run them."""
