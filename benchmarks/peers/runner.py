"""The kernels under pyperf's own command line, with pyperf's own defaults: `runner.py --module SO --kernels A,B`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyperf

from rseqbench.targets.native.worker import CompiledBenchmarks


def _hand_on(command: list[str], options: Any) -> None:
    """Give our options to the worker processes too."""
    command.extend(("--module", options.module, "--kernels", options.kernels))


def main() -> None:
    """Time every kernel."""
    runner = pyperf.Runner(add_cmdline_args=_hand_on)
    runner.argparser.add_argument(
        "--module", required=True, help="the compiled kernels, as rseqbench.build.products makes them"
    )
    runner.argparser.add_argument("--kernels", required=True, help="group/method, by commas")
    options = runner.parse_args()
    kernels = CompiledBenchmarks(Path(options.module), "auto")
    for name in options.kernels.split(","):
        runner.bench_time_func(name, kernels.time(name, 1, []))


if __name__ == "__main__":
    main()
