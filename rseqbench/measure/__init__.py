"""From a plan to a stored run."""
