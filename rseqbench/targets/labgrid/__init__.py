"""A place of a labgrid lab."""
