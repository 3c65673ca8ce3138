"""The options that several commands share: benchmarks, targets, measuring; [run] of bench.toml has the defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from rseqbench import selection
from rseqbench.cli import completion
from rseqbench.config import REGISTRATIONS, RUNNERS

if TYPE_CHECKING:
    from rseqbench.config import Config, Preset, RequestedOptions

Command = TypeVar("Command", bound=Callable[..., Any])
_TARGET_OPTIONS = {
    "arch": click.option("--arch", shell_complete=completion.arches, help="host, x86_64, arm32 or arm64."),
    "target": click.option(
        "--target",
        shell_complete=completion.targets,
        help="native, ssh:[USER@]HOST[:PORT], labgrid:PLACE, runner or qemu-system, -kvm, -user; auto chooses.",
    ),
    "coordinator": click.option("--coordinator", metavar="HOST:PORT", help="labgrid's, in place of $LG_COORDINATOR."),
    "environment": click.option(
        "--environment",
        metavar="PATH",
        shell_complete=completion.files,
        help="labgrid's settings of SSHDrivers, in place of $LG_ENV.",
    ),
    "wait": click.option("--wait", is_flag=True, help="Queue for a place of labgrid that is held."),
    "registration": click.option("--registration", type=click.Choice(REGISTRATIONS), help="Who registers rseq."),
    "linux": click.option(
        "--linux",
        metavar="PATH",
        shell_complete=completion.files,
        help="What qemu-system boots, in place of Debian's own.",
    ),
    "runner": click.option(
        "--runner", type=click.Choice(RUNNERS), help="What starts a guest: qemu, or virtme-ng (vng)."
    ),
}
OF_A_LAB = ("arch", "coordinator", "environment", "wait", "registration")


def _counts(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise click.BadParameter(f"{value!r}: expected counts from 1 to 4096 such as 1,2,4", ctx, parameter)
    return [int(part) for part in parts]


_MEASURING_OPTIONS = (
    click.option("--quick", "preset", flag_value="quick", help="A few seconds."),
    click.option("--rigorous", "preset", flag_value="rigorous", help="A few minutes."),
    click.option("--preset", shell_complete=completion.presets, help="A preset of bench.toml by its name."),
    click.option(
        "--rounds", type=click.IntRange(1, 10_000), help="Passes over all benchmarks, in place of the preset's."
    ),
    click.option(
        "--values", type=click.IntRange(1, 10_000), help="Timed values per process, in place of the preset's."
    ),
    click.option(
        "--engine",
        shell_complete=completion.engines,
        help="How a value is taken: gated, pyperf, counted; both, as two runs; auto chooses.",
    ),
    click.option("--threads", callback=_counts, metavar="N[,N...]", help="Thread counts, where they mean something."),
    click.option("--cpus", metavar="LIST", help="CPUs to pin to, such as 2 or 0,2-3; auto chooses."),
    click.option("--seed", type=click.IntRange(0), help="Of the random order, to repeat it."),
)


def benchmark_options(command: Command) -> Command:
    """Add the argument BENCHMARK... and the option --suite to a command."""
    command = click.option(
        "--suite",
        "suites",
        multiple=True,
        metavar="NAME",
        shell_complete=completion.suites,
        help="A library as it is shipped beside the kernels that do the same: lttng, urcu, jemalloc; kernels; all.",
    )(command)
    argument = click.argument("benchmarks", nargs=-1, metavar="[BENCHMARK]...", shell_complete=completion.benchmarks)
    return argument(command)


def target_options(command: Command, only: Sequence[str] = tuple(_TARGET_OPTIONS)) -> Command:
    """Add the options of a target, or `only` those, to a command, which gets None for those not given."""
    for name in reversed(only):
        command = _TARGET_OPTIONS[name](command)
    return command


def measuring_options(command: Command) -> Command:
    """Add the options of measuring to a command, which gets None for those not given."""
    for option in reversed(_MEASURING_OPTIONS):
        command = option(command)
    return command


def given_options(values: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a command that were given."""
    return {name: value for name, value in values.items() if value is not None and value is not False and value != ()}


def benchmark_patterns(values: dict[str, Any]) -> list[str]:
    """Take the benchmarks and suites out of the options; return their patterns. Raises UsageError."""
    return selection.suite_patterns(values.pop("suites", ()), values.pop("benchmarks", ()))


def requested_options(config: Config, given: dict[str, Any]) -> RequestedOptions:
    """Overlay [run] with the options of a command line that have the same names.

    Takes the suites out of `given`. Raises UsageError for a suite, a configuration or a preset that is not there.
    """
    from dataclasses import fields

    from rseqbench.config import RequestedOptions

    patterns = benchmark_patterns(given)
    given |= {"benchmarks": patterns} if patterns else {}
    names = {field.name for field in fields(RequestedOptions)}
    overlay = {name: list(v) if isinstance(v, tuple) else v for name, v in given.items() if name in names}
    return config.options(given.get("configuration"), overlay)


def choose_preset(options: RequestedOptions, given: dict[str, Any], config: Config) -> Preset:
    """Return the preset of the options, overlaid with the command line."""
    import dataclasses

    overlay = {name: given[name] for name in ("rounds", "values") if name in given}
    return dataclasses.replace(config.presets[options.preset], **overlay)
