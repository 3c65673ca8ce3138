"""The plots, as SVG text. Each returns an empty string where there is nothing to draw.

Shapes tell apart what is drawn, never colours alone; all text stays text.
"""

from rseqbench.report.charts.fleet import strips
from rseqbench.report.charts.history import MOST_DRAWN, over_runs
from rseqbench.report.charts.intervals import beside_kernels, differences, reading_cpu, rounds, speedups
from rseqbench.report.charts.threads import by_threads

__all__ = [
    "MOST_DRAWN",
    "beside_kernels",
    "by_threads",
    "differences",
    "over_runs",
    "reading_cpu",
    "rounds",
    "speedups",
    "strips",
]
