"""From stored runs to numbers and verdicts. Pure: reads runs, writes and formats nothing."""
