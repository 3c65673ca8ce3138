"""`rseqbench run`: options -> request -> session -> rounds -> report."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from rseqbench.cli import FAILED, INTERRUPTED, State, completion, options

if TYPE_CHECKING:
    from rseqbench.config import Config, RequestedOptions, ResolvedOptions
    from rseqbench.store.runs import Store, UnfinishedRun
    from rseqbench.targets import Target


@click.command("run")
@options.benchmark_options
@options.measuring_options
@options.target_options
@click.option(
    "--config",
    "configuration",
    metavar="NAME",
    shell_complete=completion.configurations,
    help="A configuration of bench.toml.",
)
@click.option("--boots", type=click.IntRange(1, 1000), help="Boots of that Linux; each is a unit of its own.")
@click.option("--label", help="The run's name in the results folder.")
@click.option("--force", is_flag=True, help="Replace a run of that label.")
@click.option(
    "--resume",
    metavar="LABEL",
    shell_complete=completion.unfinished,
    help="Take up an unfinished run; everything else is as it was begun.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and all command lines, and do nothing else.")
@click.pass_context
def command(ctx: click.Context, /, **values: Any) -> None:
    """Measure BENCHMARKs (groups, group/method or patterns; default: all), store the run and print it.

    Every benchmark is proved exact first. Ctrl-C keeps the finished rounds; --resume takes them up.
    """
    state = ctx.find_object(State) or State(None)
    config = state.config()
    store = state.store()
    given = options.given_options(values)
    if "resume" in given:
        ctx.exit(_resume(given, config, store))
    requested = options.requested_options(config, given)
    if values["dry_run"]:
        _print_dry_run(requested, given, config, store)
    else:
        ctx.exit(_run(requested, given, config, store))


def _print_dry_run(requested: RequestedOptions, given: dict[str, Any], config: Config, store: Store) -> None:
    from rseqbench.measure import dry_run
    from rseqbench.report.text import terminal

    if "label" in given:
        store.ensure_free(given["label"], bool(given.get("force")))
    preset = options.choose_preset(requested, given, config)
    rehearsed = dry_run.rehearse_run(requested, preset, config.linux, given.get("seed"))
    terminal.print_dry_run(rehearsed, terminal.console())


def _run(requested: RequestedOptions, given: dict[str, Any], config: Config, store: Store) -> int:
    """Measure one run with each engine that is asked for; return the exit code."""
    import dataclasses
    import secrets

    from rseqbench.analysis import summary
    from rseqbench.measure import engines, session
    from rseqbench.report.text import terminal
    from rseqbench.targets import resolve

    resolved = resolve.resolve_options(requested, config.linux)
    engine_names = engines.choose_engines(requested.engine, resolve.target_kind(resolved.target).emulated)
    label, force = given.get("label"), bool(given.get("force"))
    for name in session.run_labels(label, engine_names).values() if label is not None else ():
        store.ensure_free(name, force)
    preset = options.choose_preset(requested, given, config)
    failures: list[str] = []
    for engine in engine_names:
        seed = given.get("seed", secrets.randbelow(2**32))
        own = dataclasses.replace(resolved, engine=engine)

        def begin(target: Target, own: ResolvedOptions = own, seed: int = seed) -> UnfinishedRun:
            nonlocal label
            if label is None:
                label = session.free_label(target.arch, engine_names, store)
            name = session.run_labels(label, engine_names)[own.engine]
            return session.begin_run(target, session.RunRequest(own, preset, seed, name, force), store)

        ending = _measure(own, begin, config, store)
        failures += ending.failures
        if ending.exit_code:
            return ending.exit_code
    if label is not None and len(engine_names) > 1:
        one, other = (store.load(name) for name in session.run_labels(label, engine_names).values())
        terminal.print_comparison([summary.compare_runs(one, other, config.verdict)], terminal.console())
    return _print_failures(failures)


def _resume(given: dict[str, Any], config: Config, store: Store) -> int:
    """Take up an unfinished run on the machine where it was begun; return the exit code."""
    from rseqbench.errors import UsageError
    from rseqbench.measure import session
    from rseqbench.targets import resolve

    label = given.pop("resume")
    wait = given.pop("wait", config.run.wait)  # that is about now, not about the run
    if given:
        raise UsageError(f"--resume takes no further options, and {min(given)} was given", "the run goes on as begun")
    unfinished = store.resume(label)
    requested = config.options(None, {**session.resumed_options(unfinished.header), "wait": wait})

    def begin(target: Target) -> UnfinishedRun:
        session.resume_run(target, unfinished)
        return unfinished

    ending = _measure(resolve.resolve_options(requested, config.linux), begin, config, store)
    return ending.exit_code or _print_failures(ending.failures)


@dataclass(frozen=True)
class _Ending:
    """How the rounds of a run ended: a line for each benchmark that failed; an exit code if they stopped early."""

    failures: list[str]
    exit_code: int = 0


def _measure(own: ResolvedOptions, begin: Callable[[Target], UnfinishedRun], config: Config, store: Store) -> _Ending:
    """Go through the rounds of the run that `begin` opens on the entered target, store the run and print it."""
    from rseqbench.cli.show import print_run
    from rseqbench.errors import TargetError
    from rseqbench.measure import rounds
    from rseqbench.measure.engines.composite import create_engine
    from rseqbench.report import data
    from rseqbench.report.progress import run as progress
    from rseqbench.report.progress.estimate import RunningEstimate

    stopped = None
    try:
        with _entered(own) as target:
            unfinished = begin(target)
            engine = create_engine(unfinished.header.plan.engine)
            running = RunningEstimate(
                unfinished.header, config.verdict, [unfinished.suite()] if unfinished.rounds() else []
            )
            try:
                progress.follow_run(rounds.run(target, unfinished, engine, config.check), running)
            except (KeyboardInterrupt, TargetError) as error:
                stopped = _print_stopped(unfinished, error)
                raise
            if unfinished.boots_left():
                click.echo(f"boot it anew, and go on: {_kept(unfinished)}", err=True)
                return _Ending([])
            run = unfinished.finish(lambda r: data.table_csv(r, config.verdict.confidence))
            print_run(run, store, config)
            click.echo(f"stored in {run.folder}", err=True)
            return _Ending(rounds.failures(run.header))
    except (KeyboardInterrupt, TargetError):
        if stopped is None:
            raise
        return stopped


@contextlib.contextmanager
def _entered(own: ResolvedOptions) -> Iterator[Target]:
    """Enter the target, and say on a terminal meanwhile that this goes on: it compiles, connects or boots."""
    from rseqbench.report.progress import run as progress
    from rseqbench.targets import resolve

    with contextlib.ExitStack() as stack:
        with progress.show_activity(f"compiling what is not compiled yet, and entering {own.target}"):
            target = stack.enter_context(resolve.create_target(own))
        yield target


def _print_stopped(unfinished: UnfinishedRun, error: BaseException) -> _Ending:
    """Say why the rounds stopped, and how to go on."""
    if isinstance(error, KeyboardInterrupt):
        click.echo(f"rseqbench: interrupted with {_kept(unfinished)}", err=True)
        return _Ending([], INTERRUPTED)
    click.echo(f"rseqbench: {error}", err=True)
    click.echo(f"rseqbench: failed with {_kept(unfinished)}", err=True)
    return _Ending([], FAILED)


def _kept(unfinished: UnfinishedRun) -> str:
    """Return how much of an unfinished run is on disk, and the command that goes on."""
    header = unfinished.header
    done = f"{len(unfinished.rounds())} of {header.plan.rounds} rounds done and kept"
    return f"{done}; rseqbench run --resume {header.label}"


def _print_failures(failures: list[str]) -> int:
    """Print a line for each benchmark that failed its check or every round; return the exit code."""
    for line in failures:
        click.echo(f"rseqbench: {line}", err=True)
    return FAILED if failures else 0
