"""CSV and JSON: complete, unrounded, with stable keys and a schema version; docs/formats.md says what each means."""

from rseqbench.report.data.comparison import comparison, comparisons_csv, comparisons_json, linuxes, speedups
from rseqbench.report.data.fleet import fleets_csv, fleets_json
from rseqbench.report.data.run import claims, measured, rounds_csv, run_csv, run_json, table_csv, verdicts
from rseqbench.report.data.writers import SCHEMA, Record, to_csv, to_json

__all__ = [
    "SCHEMA",
    "Record",
    "claims",
    "comparison",
    "comparisons_csv",
    "comparisons_json",
    "fleets_csv",
    "fleets_json",
    "linuxes",
    "measured",
    "rounds_csv",
    "run_csv",
    "run_json",
    "speedups",
    "table_csv",
    "to_csv",
    "to_json",
    "verdicts",
]
