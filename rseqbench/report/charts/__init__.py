"""The plots, as SVG text. Each returns an empty string where there is nothing to draw.

Shapes tell apart what is drawn, never colours alone; all text stays text.
"""

from rseqbench.report.charts.fleet import strips
from rseqbench.report.charts.history import MOST_DRAWN, over_runs
from rseqbench.report.charts.intervals import differences
from rseqbench.report.charts.threads import by_threads
from rseqbench.show.charts.claims import speedups
from rseqbench.show.charts.cpu_number import reading_cpu
from rseqbench.show.charts.distributions import rounds
from rseqbench.show.charts.libraries import beside_kernels

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
