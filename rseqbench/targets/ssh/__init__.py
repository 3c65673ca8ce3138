"""A machine that is reached by the user's own ssh."""
