"""The options that say how something is measured, on one machine or on many; [run] of bench.toml has the defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rseqbench.cli import complete

if TYPE_CHECKING:
    from rseqbench.config import Config, Preset, RunOptions

Command = TypeVar("Command", bound=Callable[..., Any])


def _counts(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise click.BadParameter(f"{value!r}: expected counts from 1 to 4096 such as 1,2,4", ctx, parameter)
    return [int(part) for part in parts]


_OPTIONS = (
    click.option("--quick", "preset", flag_value="quick", help="A few seconds."),
    click.option("--rigorous", "preset", flag_value="rigorous", help="A few minutes."),
    click.option("--preset", shell_complete=complete.presets, help="A preset of bench.toml by its name."),
    click.option(
        "--rounds", type=click.IntRange(1, 10_000), help="Passes over all benchmarks, in place of the preset's."
    ),
    click.option(
        "--values", type=click.IntRange(1, 10_000), help="Timed values per process, in place of the preset's."
    ),
    click.option(
        "--engine",
        shell_complete=complete.engines,
        help="How a value is taken: gated, pyperf, counted; both, as two runs; auto chooses.",
    ),
    click.option("--threads", callback=_counts, metavar="N[,N...]", help="Thread counts, where they mean something."),
    click.option("--cpus", metavar="LIST", help="CPUs to pin to, such as 2 or 0,2-3; auto chooses."),
    click.option("--seed", type=click.IntRange(0), help="Of the random order, to repeat it."),
)


def options(command: Command) -> Command:
    """Add the options to a command, which gets None for what was not given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def preset(options: RunOptions, chosen: dict[str, Any], config: Config) -> Preset:
    """Return the preset of the options, overlaid with what was given on the command line."""
    import dataclasses

    overlay = {name: chosen[name] for name in ("rounds", "values") if name in chosen}
    return dataclasses.replace(config.presets[options.preset], **overlay)


def run_options(config: Config, chosen: dict[str, Any]) -> RunOptions:
    """Overlay [run] with what was given on the command line under the same names."""
    from dataclasses import fields

    from rseqbench.config import RunOptions

    names = {field.name for field in fields(RunOptions)}
    overlay = {name: list(v) if isinstance(v, tuple) else v for name, v in chosen.items() if name in names}
    return config.options(chosen.get("configuration"), overlay)
