"""`rseqbench run`: options only; the rooms do the work."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from rseqbench.cli import INTERRUPTED, State, completion
from rseqbench.cli import options as how
from rseqbench.cli import options as place
from rseqbench.cli import options as what

if TYPE_CHECKING:
    from rseqbench.config import Config, RunOptions
    from rseqbench.store.runs import Store, UnfinishedRun
    from rseqbench.targets import Target


@click.command("run")
@what.benchmark_options
@how.measuring_options
@place.target_options
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
def command(ctx: click.Context, /, **given: Any) -> None:
    """Measure BENCHMARKs (groups, group/method or patterns; default: all), store the run and print it.

    Every benchmark is proved exact first. Ctrl-C keeps the finished rounds; --resume takes them up.
    """
    import dataclasses
    import secrets

    from rseqbench.analysis import summary
    from rseqbench.build import architectures
    from rseqbench.measure import engines, session
    from rseqbench.report.text import terminal
    from rseqbench.targets import resolve

    state = ctx.find_object(State) or State(None)
    config = state.config()
    store = state.store()
    chosen = place.given_options(given)
    label = chosen.pop("resume", None)
    if label is not None:
        _resume(label, chosen, config, store)
        return
    patterns = what.benchmark_patterns(chosen)
    chosen |= {"benchmarks": patterns} if patterns else {}
    options = how.run_options(config, chosen)
    if given["dry_run"]:
        _rehearse(options, chosen, config, store)
        return
    arch = architectures.named(options.arch)
    options = resolve.resolve_options(arch, options, config.linux)
    each = engines.choose_engines(options.engine, resolve.target_kind(options.target).emulated)
    label = chosen.get("label")
    for name in () if label is None else _labels(label, each).values():
        store.ensure_free(name, given["force"])
    preset = how.preset(options, chosen, config)
    failed: list[str] = []
    for engine in each:
        own = dataclasses.replace(options, engine=engine)
        with _entered(resolve.create(arch, own), own.target) as target:
            label = _fresh(target.arch, each, store) if label is None else label
            seed = chosen.get("seed", secrets.randbelow(2**32))
            asked = session.RunRequest(own, preset, seed, _labels(label, each)[engine], given["force"])
            failed += _measure(target, session.begin_run(target, asked, store), config, store)
    if len(each) > 1:
        one, other = (store.load(name) for name in _labels(label, each).values())
        terminal.comparison([summary.compare_runs(one, other, config.verdict)], terminal.console())
    _end(failed)


@contextlib.contextmanager
def _entered(target: Target, name: str) -> Iterator[Target]:
    """Enter a target, and say on a terminal meanwhile that this goes on: it compiles, connects or boots."""
    from rseqbench.report.progress import run as progress

    with contextlib.ExitStack() as stack:
        with progress.busy(f"compiling what is not compiled yet, and entering {name}"):
            stack.enter_context(target)
        yield target


def _rehearse(options: RunOptions, chosen: dict[str, Any], config: Config, store: Store) -> None:
    """Print what the run would do."""
    from rseqbench.measure import dry_run
    from rseqbench.report.text import terminal

    if "label" in chosen:
        store.ensure_free(chosen["label"], bool(chosen.get("force")))
    found = dry_run.rehearse_run(options, how.preset(options, chosen, config), config.linux, chosen.get("seed"))
    terminal.rehearsal(found, terminal.console())


def _fresh(arch: str, each: Sequence[str], store: Store) -> str:
    """Return a label that is free for the runs by all of these engines."""
    from rseqbench.store import runs

    taken = store.taken()
    return runs.fresh_label(arch, taken | {name.removesuffix(f"-{engine}") for name in taken for engine in each})


def _labels(label: str, each: Sequence[str]) -> dict[str, str]:
    """Return the labels of the runs that a label stands for, by their engines."""
    return {name: f"{label}-{name}" if len(each) > 1 else label for name in each}


def _resume(label: str, chosen: dict[str, Any], config: Config, store: Store) -> None:
    """Take up an unfinished run on the machine where it was begun."""
    from rseqbench.build import architectures
    from rseqbench.errors import UsageError
    from rseqbench.measure import session
    from rseqbench.measure import session as resume
    from rseqbench.targets import resolve

    wait = chosen.pop("wait", config.run.wait)  # that is about now, not about the run
    if chosen:
        option = sorted(chosen)[0]
        raise UsageError(f"--resume takes no further options, and {option} was given", "the run goes on as begun")
    unfinished = store.resume(label)
    begun = unfinished.header.machines[0]
    options = config.options(None, {**resume.resumed_options(unfinished.header), "wait": wait})
    with _entered(resolve.create(architectures.named(begun.arch), options), begun.target) as target:
        session.resume_run(target, unfinished)
        _end(_measure(target, unfinished, config, store))


def _end(failed: list[str]) -> None:
    """Exit: with 1, and a line for each, if a benchmark failed its check or every round."""
    for line in failed:
        click.echo(f"rseqbench: {line}", err=True)
    click.get_current_context().exit(1 if failed else 0)


def _kept(unfinished: UnfinishedRun) -> str:
    """Say what is on disk of a run that ended early, and how to go on."""
    header = unfinished.header
    done = f"{len(unfinished.rounds())} of {header.plan.rounds} rounds done and kept"
    return f"{done}; rseqbench run --resume {header.label}"


def _measure(target: Target, unfinished: UnfinishedRun, config: Config, store: Store) -> list[str]:
    """Go through the rounds, store the run and print it; return a line for each benchmark that failed."""
    from rseqbench.cli.output import print_run
    from rseqbench.errors import TargetError
    from rseqbench.measure import rounds
    from rseqbench.measure.engines.composite import create_engine
    from rseqbench.report import data
    from rseqbench.report.progress import run as progress
    from rseqbench.report.progress.estimate import Running

    try:
        engine = create_engine(unfinished.header.plan.engine)
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
    print_run(run, store, config)
    click.echo(f"stored in {run.folder}", err=True)
    return rounds.failures(run.header)
