"""CSV and JSON: complete, unrounded, with stable keys and a schema version; docs/formats.md says what each means."""

from rseqbench.show.data.compared import comparison, comparisons_csv, comparisons_json, linuxes, speedups
from rseqbench.show.data.machines import fleets_csv, fleets_json
from rseqbench.show.data.run import claims, measured, rounds_csv, run_csv, run_json, table_csv, verdicts
from rseqbench.show.data.written import SCHEMA, Record, to_csv, to_json

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
