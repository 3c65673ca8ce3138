"""One self-contained page per subject: a run, a comparison, a fleet, a history."""
