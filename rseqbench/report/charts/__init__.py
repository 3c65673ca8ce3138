"""The plots, as SVG text. Each returns an empty string where there is nothing to draw.

Shapes tell apart what is drawn, never colours alone; all text stays text.
"""

from rseqbench.report.charts.fleet import draw_fleet
from rseqbench.report.charts.history import MOST_DRAWN, draw_history
from rseqbench.report.charts.intervals import (
    draw_cpu_number,
    draw_differences,
    draw_library,
    draw_rounds,
    draw_speedups,
)
from rseqbench.report.charts.shares import draw_gains
from rseqbench.report.charts.threads import draw_threads

__all__ = [
    "MOST_DRAWN",
    "draw_cpu_number",
    "draw_differences",
    "draw_fleet",
    "draw_gains",
    "draw_history",
    "draw_library",
    "draw_rounds",
    "draw_speedups",
    "draw_threads",
]
