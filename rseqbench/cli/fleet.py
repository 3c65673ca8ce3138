"""`rseqbench fleet`: options only; the rooms do the work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rseqbench.cli import INTERRUPTED, State, completion, output
from rseqbench.cli import options as how
from rseqbench.cli import options as place
from rseqbench.cli import options as what
from rseqbench.report import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rseqbench.config import Config, RunOptions
    from rseqbench.model import LabPlace
    from rseqbench.store.fleets import Fleet
    from rseqbench.store.runs import Store
    from rseqbench.targets.labgrid.client import LabClient


@click.group("fleet")
def command() -> None:
    """Measure on all machines of a lab at once: the places of labgrid."""


@command.command("run")
@what.benchmark_options
@click.option("--places", metavar="NAMES", help="Names or patterns, such as 'pi*,cubie'; default: all.")
@click.option("--tags", metavar="NAME=VALUE[,...]", help="Only places that have all of these tags.")
@click.option("--at-once", type=click.IntRange(1, 10_000), default=200, show_default=True, help="So many at a time.")
@how.measuring_options
@partial(place.target_options, only=place.OF_A_LAB)
@click.option("--label", help="The fleet's name in the results folder; each run is LABEL@PLACE.")
@click.option("--force", is_flag=True, help="Replace the runs of that label.")
@click.option(
    "--resume",
    metavar="LABEL",
    shell_complete=completion.labels,
    help="Measure what is missing of a fleet; everything else is as it was begun.",
)
@click.option("--dry-run", is_flag=True, help="Print which places are meant, and do nothing else.")
@click.pass_context
def run(ctx: click.Context, /, **given: Any) -> None:
    """Measure BENCHMARKs (default: all) on every place that is meant, at the same time, and write a page about them.

    Each place is acquired, measured as `run --target labgrid:PLACE` does, and released. One that fails, or is held by
    somebody, is a row with the reason, and stops no other; --resume finishes what is missing.
    """
    import dataclasses

    from rseqbench.measure.fleet import members, scheduler
    from rseqbench.report.progress import run as progress
    from rseqbench.store import fleets
    from rseqbench.targets.labgrid import client

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    at_once = given.pop("at_once")
    chosen = place.given_options(given)
    begun = fleets.read(store.root, _alone(chosen)) if "resume" in chosen else None
    if begun and "wait" in chosen:
        begun = dataclasses.replace(begun, options=dataclasses.replace(begun.options, wait=True))
    asked = what.benchmark_patterns(chosen)
    chosen |= {"benchmarks": asked} if asked else {}
    options = members.shared(how.run_options(config, chosen)) if begun is None else begun.options
    scheduler.make_room(at_once)
    with progress.busy("asking the coordinator"):
        lab = ctx.with_resource(client.share_client(options.coordinator, options.environment))
        places = lab.places()
    fleet = begun or _fleet(places, options, chosen, config, store)
    if given["dry_run"]:
        _list(fleet, places, store)
        return
    scheduler.check(min(at_once, len(fleet.members)))
    failed = _measure(fleet, lab, at_once, config, store)
    _show(fleet.label, state)
    ctx.exit(1 if failed else 0)


def _alone(chosen: dict[str, Any]) -> str:
    """Return the label of --resume. Raises UsageError when other options were given with it."""
    from rseqbench.errors import UsageError

    label: str = chosen.pop("resume")
    others = sorted(set(chosen) - {"dry_run", "wait"})  # these are about now, not about the runs
    if others:
        raise UsageError(f"--resume takes no further options, and {others[0]} was given", "the fleet goes on as begun")
    return label


def _fleet(
    places: Sequence[LabPlace], options: RunOptions, chosen: dict[str, Any], config: Config, store: Store
) -> Fleet:
    """Return the fleet that the options mean. Raises UsageError, or ResultsError when one of its labels is taken."""
    import secrets
    from datetime import UTC, datetime

    from rseqbench.measure import session
    from rseqbench.measure.fleet import members as choice
    from rseqbench.store import fleets, runs
    from rseqbench.store.fleets import Fleet, Member

    names = choice.parse_names(chosen["places"]) if "places" in chosen else []
    tags = choice.parse_tags(chosen["tags"]) if "tags" in chosen else {}
    found = choice.choose_places(places, names, tags)
    label = chosen.get("label") or runs.fresh_label("fleet", store.taken())
    named = fleets.labels([one.name for one in found], label)
    fleet = Fleet(
        label=label,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=session.command(),
        options=options,
        preset=how.preset(options, chosen, config),
        seed=chosen.get("seed", secrets.randbelow(2**32)),
        members=tuple(Member(*one) for one in named.items()),
        force=bool(chosen.get("force")),
    )
    fleets.ensure_free(store, fleet)
    return fleet


def _list(fleet: Fleet, places: Sequence[LabPlace], store: Store) -> None:
    """Print which places are meant and not done yet, what of them is known, and the labels of their runs."""
    from rseqbench.measure.fleet import members
    from rseqbench.report.tables import fleet as lab
    from rseqbench.report.text import terminal

    terminal.table(lab.lab_places(fleet.label, members.missing(fleet, store), places), terminal.console())


def _measure(fleet: Fleet, lab: LabClient, at_once: int, config: Config, store: Store) -> bool:
    """Measure what is missing, and show it meanwhile; return whether a place or a benchmark failed, now or before."""
    import contextlib

    from rseqbench.errors import RseqbenchError
    from rseqbench.measure.fleet import members
    from rseqbench.report import data
    from rseqbench.report.progress import fleet as crowd

    todo = members.missing(fleet, store)
    of, confidence = len(fleet.members), config.verdict.confidence
    work = members.measure_members(fleet, config, store, lambda one: data.table_csv(one, confidence))
    try:
        with contextlib.closing(members.run(fleet, todo, store, work, at_once, lab.cut)) as events:
            end = crowd.follow(events, of, of - len(todo))
    except (KeyboardInterrupt, RseqbenchError) as error:
        how_, code = ("interrupted", INTERRUPTED) if isinstance(error, KeyboardInterrupt) else ("failed", 1)
        if code == 1:
            click.echo(f"rseqbench: {error}", err=True)
        said = f"{of - len(members.missing(fleet, store))} of {of} places done and kept"
        click.echo(f"rseqbench: {how_} with {said}; rseqbench fleet run --resume {fleet.label}", err=True)
        click.get_current_context().exit(code)
    if end.failed:
        click.echo(f"to measure what is missing: rseqbench fleet run --resume {fleet.label}", err=True)
    return bool(end.failed or members.complaints(fleet, store))


def _show(label: str, state: State) -> None:
    """Print what machines differ by, and write the page about all of them."""
    from rseqbench.cli import compare
    from rseqbench.report.text import terminal

    found = compare.load_fleets(state, (label,))
    assert found is not None
    path = output.write_document(render.render_fleet(found, "html"), None, label, state.config())
    # Behind the page, as whoever reads the table may have seen enough of it.
    terminal.machines(found, terminal.console(), each=False)
    click.echo(f"what each machine has: rseqbench compare {label}", err=True)
    click.echo(f"stored as {label}; its page is {path}", err=True)
