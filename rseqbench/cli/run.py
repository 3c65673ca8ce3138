"""`rseqbench run`: options only; the rooms do the work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from rseqbench.cli import INTERRUPTED, State, complete, place, what

if TYPE_CHECKING:
    from rseqbench.config import Config, Preset, RunOptions
    from rseqbench.results import Store, Unfinished
    from rseqbench.targets import Target


def _counts(ctx: click.Context, parameter: click.Parameter, value: str | None) -> list[int] | None:
    if value is None:
        return None
    parts = [part.strip() for part in value.split(",")]
    if not all(part.isdecimal() and 1 <= int(part) <= 4096 for part in parts):
        raise click.BadParameter(f"{value!r}: expected counts from 1 to 4096 such as 1,2,4", ctx, parameter)
    return [int(part) for part in parts]


@click.command("run")
@what.options
@click.option("--quick", "preset", flag_value="quick", help="A few seconds.")
@click.option("--rigorous", "preset", flag_value="rigorous", help="A few minutes.")
@click.option("--preset", shell_complete=complete.presets, help="A preset of bench.toml by its name.")
@click.option("--rounds", type=click.IntRange(1, 10_000), help="Passes over all benchmarks, in place of the preset's.")
@click.option("--values", type=click.IntRange(1, 10_000), help="Timed values per process, in place of the preset's.")
@place.options
@click.option(
    "--engine",
    shell_complete=complete.engines,
    help="How a value is taken: gated, pyperf, counted; both, as two runs; auto chooses.",
)
@click.option("--threads", callback=_counts, metavar="N[,N...]", help="Thread counts, where they mean something.")
@click.option("--cpus", metavar="LIST", help="CPUs to pin to, such as 2 or 0,2-3; auto chooses.")
@click.option(
    "--config",
    "configuration",
    metavar="NAME",
    shell_complete=complete.configurations,
    help="A configuration of bench.toml.",
)
@click.option("--boots", type=click.IntRange(1, 1000), help="Boots of that Linux; each is a unit of its own.")
@click.option("--label", help="The run's name in the results folder.")
@click.option("--force", is_flag=True, help="Replace a run of that label.")
@click.option(
    "--resume",
    metavar="LABEL",
    shell_complete=complete.unfinished,
    help="Take up an unfinished run; everything else is as it was begun.",
)
@click.option("--seed", type=click.IntRange(0), help="Of the random order, to repeat it.")
@click.option("--dry-run", is_flag=True, help="Print the plan and all command lines, and do nothing else.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> None:
    """Measure BENCHMARKs (groups, group/method or patterns; default: all), store the run and print it.

    Every benchmark is proved exact first. Ctrl-C keeps the finished rounds; --resume takes them up.
    """
    import dataclasses

    from rseqbench import arches, configured, engines, targets
    from rseqbench.show import tables, terminal

    state = ctx.find_object(State) or State(None)
    config = state.config()
    store = state.store()
    chosen = place.given(given)
    label = chosen.pop("resume", None)
    if label is not None:
        _resume(label, chosen, config, store)
        return
    asked = what.given(chosen)
    chosen |= {"benchmarks": asked} if asked else {}
    options = _options(config, chosen)
    if given["dry_run"]:
        _rehearse(options, chosen, config, store)
        return
    arch = arches.named(options.arch)
    options = configured.placed(arch, options, config.linux)
    each = engines.chosen(options.engine, targets.kind(options.target).emulated)
    label = chosen.get("label")
    for name in () if label is None else _labels(label, each).values():
        store.ensure_free(name, given["force"])
    failed: list[str] = []
    for engine in each:
        own = dataclasses.replace(options, engine=engine)
        with _entered(targets.create(arch, own), own.target) as target:
            label = _free_label(store, target.arch) if label is None else label
            unfinished = _begin(target, config, own, chosen, _labels(label, each)[engine], store)
            failed += _measure(target, unfinished, config, store)
    if len(each) > 1:
        one, other = (store.load(name) for name in _labels(label, each).values())
        terminal.comparison([tables.compared(one, other, config.verdict)], terminal.console())
    _end(failed)


@contextlib.contextmanager
def _entered(target: Target, name: str) -> Iterator[Target]:
    """Enter a target, and say on a terminal meanwhile that this goes on: it compiles, connects or boots."""
    from rseqbench.show import progress

    with contextlib.ExitStack() as stack:
        with progress.busy(f"compiling what is not compiled yet, and entering {name}"):
            stack.enter_context(target)
        yield target


def _rehearse(options: RunOptions, chosen: dict[str, Any], config: Config, store: Store) -> None:
    """Print what the run would do."""
    from rseqbench import rehearse
    from rseqbench.show import terminal

    if "label" in chosen:
        store.ensure_free(chosen["label"], bool(chosen.get("force")))
    found = rehearse.rehearse(options, _preset(options, chosen, config), config.linux, chosen.get("seed"))
    terminal.rehearsal(found, terminal.console())


def _preset(options: RunOptions, chosen: dict[str, Any], config: Config) -> Preset:
    """Return the preset of the options, overlaid with what was given on the command line."""
    import dataclasses

    overlay = {name: chosen[name] for name in ("rounds", "values") if name in chosen}
    return dataclasses.replace(config.presets[options.preset], **overlay)


def _options(config: Config, chosen: dict[str, Any]) -> RunOptions:
    """Overlay [run] with what was given on the command line under the same names."""
    from dataclasses import fields

    from rseqbench.config import RunOptions

    names = {field.name for field in fields(RunOptions)}
    overlay = {name: list(v) if isinstance(v, tuple) else v for name, v in chosen.items() if name in names}
    return config.options(chosen.get("configuration"), overlay)


def _labels(label: str, each: Sequence[str]) -> dict[str, str]:
    """Return the labels of the runs that a label stands for, by their engines."""
    return {name: f"{label}-{name}" if len(each) > 1 else label for name in each}


def _free_label(store: Store, arch: str) -> str:
    """Name a run after its architecture and the minute; a second one in that minute gets a number."""
    from datetime import datetime

    name = f"{arch}-{datetime.now():%Y%m%d-%H%M}"
    taken = store.labels()
    return next(n for n in (name, *(f"{name}-{i}" for i in range(2, 10_000))) if n not in taken)


def _begin(
    target: Target, config: Config, options: RunOptions, chosen: dict[str, Any], label: str, store: Store
) -> Unfinished:
    """Plan the run and open its folder."""
    import dataclasses
    import secrets
    import shlex
    import sys
    from datetime import UTC, datetime

    from rseqbench import assembly, configured, suites
    from rseqbench import plan as planning
    from rseqbench.errors import UsageError
    from rseqbench.linux.kbuild import attachments
    from rseqbench.results import Header

    machine = target.machine()
    refused = configured.refused(options, machine.facts)
    if refused:
        raise UsageError(f"{machine.target} is not what was asked for: {refused}", "boot another Linux, or --config")
    given = suites.arguments(suites.HACKBENCH, options.hackbench, machine.timing)
    options = dataclasses.replace(options, hackbench=given)
    benchmarks = target.benchmarks()
    seed = chosen.get("seed", secrets.randbelow(2**32))
    plan = planning.make(
        benchmarks, options, _preset(options, chosen, config), target.registration(), target.cpus(), seed
    )
    header = Header(
        label=label,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join(["rseqbench", *sys.argv[1:]]),
        plan=plan,
        machines=(machine,),
        docs={benchmark.name: benchmark.doc for benchmark in benchmarks if benchmark.name in planning.names(plan)},
    )
    unfinished = store.begin(header, force=bool(chosen.get("force")))
    for file in [*attachments(options.linux), *assembly.attachments(machine)]:
        unfinished.attach(file)
    return unfinished


def _resume(label: str, chosen: dict[str, Any], config: Config, store: Store) -> None:
    """Take up an unfinished run on the machine where it was begun."""
    from rseqbench import arches, resume, targets
    from rseqbench.errors import UsageError

    wait = chosen.pop("wait", config.run.wait)  # that is about now, not about the run
    if chosen:
        option = sorted(chosen)[0]
        raise UsageError(f"--resume takes no further options, and {option} was given", "the run goes on as begun")
    unfinished = store.resume(label)
    begun = unfinished.header.machines[0]
    options = config.options(None, {**resume.resumed_options(unfinished.header), "wait": wait})
    with _entered(targets.create(arches.named(begun.arch), options), begun.target) as target:
        changed = resume.changed_since(begun, target.machine())
        if changed:
            raise UsageError(f"run {label!r} cannot be resumed: {changed}", "begin a new one")
        _end(_measure(target, unfinished, config, store))


def _end(failed: list[str]) -> None:
    """Exit: with 1, and a line for each, if a benchmark failed its check or every round."""
    for line in failed:
        click.echo(f"rseqbench: {line}", err=True)
    click.get_current_context().exit(1 if failed else 0)


def _kept(unfinished: Unfinished) -> str:
    """Say what is on disk of a run that ended early, and how to go on."""
    header = unfinished.header
    done = f"{len(unfinished.rounds())} of {header.plan.rounds} rounds done and kept"
    return f"{done}; rseqbench run --resume {header.label}"


def _measure(target: Target, unfinished: Unfinished, config: Config, store: Store) -> list[str]:
    """Go through the rounds, store the run and print it; return a line for each benchmark that failed."""
    from rseqbench import engines, rounds
    from rseqbench.cli.show import printed
    from rseqbench.errors import TargetError
    from rseqbench.show import data, progress
    from rseqbench.show.running import Running

    try:
        engine = engines.create(unfinished.header.plan.engine)
        running = Running(unfinished.header, config.verdict, [unfinished.suite()] if unfinished.rounds() else [])
        progress.follow(rounds.run(target, unfinished, engine, config.check), running)
    except KeyboardInterrupt:
        click.echo(f"rseqbench: interrupted with {_kept(unfinished)}", err=True)
        click.get_current_context().exit(INTERRUPTED)
    except TargetError as error:
        click.echo(f"rseqbench: {error}", err=True)
        click.echo(f"rseqbench: failed with {_kept(unfinished)}", err=True)
        click.get_current_context().exit(error.exit_code)
    if unfinished.boots_left():
        click.echo(f"boot it anew, and go on: {_kept(unfinished)}", err=True)
        return []
    run = unfinished.finish(lambda r: data.table_csv(r, config.verdict.confidence))
    printed(run, store, config)
    click.echo(f"stored in {run.folder}", err=True)
    return rounds.failures(run.header)
