"""How to read each plot of the page: its caption, and two sentences on it."""

from __future__ import annotations

from collections.abc import Mapping


def of_times() -> Mapping[str, tuple[str, str]]:
    """Return caption and reading of the plots of a run on hardware, by the plot's name."""
    return {
        "speedups": (
            "Speed-ups: measured, claimed, and over what is in use today",
            "Right of the dashed line rseq is faster; the bar through a dot is its interval, and a claim counts as "
            "reproduced where that bar touches the grey band around the claim's mark (equality: lies within it). "
            "Hollow squares answer another question: how much faster rseq is than what one would write today.",
        ),
        "reading": (
            "Cost of reading the CPU number",
            "Each step to the right multiplies the cost; what lies on the dashed line costs nothing beside the loop "
            "that calls it. "
            "Hollow diamonds are the values that the patch printed, of its own machine: compare their order, not "
            "their size.",
        ),
        "threads": (
            "Cost against threads",
            "A flat line does as much in each thread however many there are, and one that doubles where the threads "
            "double gains nothing from them; beyond the number of CPUs threads take turns, and all lines rise alike. "
            "Both axes are logarithmic, and the bar through a mark is its interval.",
        ),
        "rounds": (
            "Every round of every benchmark",
            "A dot is one round, a fresh process, the first on top of its row; tight columns around 0 are a quiet "
            "machine, two clumps are two states of it, and single dots far to the right are rounds that something else "
            "disturbed. "
            "The interval in the tables is read off these dots alone, with no assumption about their shape.",
        ),
    }


def of_counts() -> Mapping[str, tuple[str, str]]:
    """Return caption and reading of the plots of a run on an emulated machine, by the plot's name."""
    return {
        "speedups": (
            "Quotients of instructions, beside what was claimed of time",
            "Right of the dashed line rseq takes fewer instructions. "
            "The claim's mark is a quotient of times: only the side of the line on which the two lie can be compared, "
            "and hollow squares left of it are atomics, whose price is not in instructions.",
        ),
        "reading": (
            "Instructions to read the CPU number",
            "Each step to the right multiplies the instructions; what lies on the dashed line takes none beside the "
            "loop that calls it. "
            "What the patch printed is time, so it is not drawn here.",
        ),
        "threads": (
            "Instructions against threads",
            "A flat line is a method that takes as many instructions in each thread however many there are; one that "
            "rises repeats what another thread undid. "
            "Both axes are logarithmic; bars are the range of the counts, no interval.",
        ),
        "rounds": (
            "Every round of every benchmark",
            "A dot is one round; a count repeats, so all of them should lie on 0 but for the steps of the emulated "
            "clock. "
            "A dot elsewhere is an operation that took another way, not a disturbance.",
        ),
    }


def of_library(title: str) -> tuple[str, str]:
    """Return caption and reading of the plot of a shipped library beside the benchmarks that do the same."""
    return (
        f"{title} as it is shipped, and the kernels that do the same",
        "Filled dots are the library that every program gets, hollow squares the operation alone; each step to the "
        "right multiplies the cost. "
        "What lies between a dot and a square is all else that the library does.",
    )
