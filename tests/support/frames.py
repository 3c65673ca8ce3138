"""Tidy tables with known numbers, as rseqbench/analysis/dataset.py builds them of stored runs."""

import math

import pandas as pd

from rseqbench.analysis.dataset import COLUMNS


def frame(*runs):
    """Return one table of several runs; each is what run() returns."""
    return pd.concat(runs, ignore_index=True).astype(COLUMNS)


def run(label, values, arch="x86_64", timing="virtual", unit="ns", threads=1, engine="pyperf", rounds=None):
    """Return the rows of one run: `values` per benchmark, one a round; None where a round lacks it."""
    rows = [
        {
            "label": label,
            "arch": arch,
            "timing": timing,
            "benchmark": benchmark,
            "threads": threads,
            "registration": "glibc",
            "engine": engine,
            "unit": unit,
            "round": number if rounds is None else rounds[number],
            "boot": 0,
            "value": value,
            "values": 3,
            "loops": 1000,
            "aborts": 2,
            **{name: math.nan for name, kind in COLUMNS.items() if kind == "float64" and name != "value"},
        }
        for benchmark, series in values.items()
        for number, value in enumerate(series)
        if value is not None
    ]
    return pd.DataFrame.from_records(rows, columns=list(COLUMNS))
