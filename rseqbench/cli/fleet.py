"""`rseqbench fleet`: options only; the rooms do the work."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from rseqbench.cli import INTERRUPTED, State, completion, options, output
from rseqbench.report.formats import load_format

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rseqbench.config import Config, RequestedOptions
    from rseqbench.model import LabPlace
    from rseqbench.store.fleets import Fleet
    from rseqbench.store.runs import Store
    from rseqbench.targets.labgrid.client import LabClient


@click.group("fleet")
def command() -> None:
    """Measure on all machines of a lab at once: the places of labgrid."""


@command.command("run")
@options.benchmark_options
@click.option("--places", metavar="NAMES", help="Names or patterns, such as 'pi*,cubie'; default: all.")
@click.option("--tags", metavar="NAME=VALUE[,...]", help="Only places that have all of these tags.")
@click.option("--at-once", type=click.IntRange(1, 10_000), default=200, show_default=True, help="So many at a time.")
@options.measuring_options
@partial(options.target_options, only=options.OF_A_LAB)
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
def run(ctx: click.Context, /, **values: Any) -> None:
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
    at_once = values.pop("at_once")
    given = options.given_options(values)
    begun = fleets.load_fleet(store.root, _resumed_label(given)) if "resume" in given else None
    if begun and "wait" in given:
        begun = dataclasses.replace(begun, options=dataclasses.replace(begun.options, wait=True))
    requested = begun.options if begun else members.shared_options(options.requested_options(config, given))
    scheduler.raise_file_limit(at_once)
    with progress.show_activity("asking the coordinator"):
        lab = ctx.with_resource(client.share_client(requested.coordinator, requested.environment))
        places = lab.places()
    fleet = begun or _new_fleet(places, requested, given, config, store)
    if values["dry_run"]:
        _list(fleet, places, store)
        return
    scheduler.check_file_limit(min(at_once, len(fleet.members)))
    failed, exit_code = _measure(fleet, lab, at_once, config, store)
    if exit_code:
        ctx.exit(exit_code)
    _show(fleet.label, state)
    ctx.exit(1 if failed else 0)


def _resumed_label(given: dict[str, Any]) -> str:
    """Return the label of --resume. Raises UsageError when other options were given with it."""
    from rseqbench.errors import UsageError

    label: str = given.pop("resume")
    others = sorted(set(given) - {"dry_run", "wait"})  # these are about now, not about the runs
    if others:
        raise UsageError(f"--resume takes no further options, and {others[0]} was given", "the fleet goes on as begun")
    return label


def _new_fleet(
    places: Sequence[LabPlace], requested: RequestedOptions, given: dict[str, Any], config: Config, store: Store
) -> Fleet:
    """Return the fleet that the options mean. Raises UsageError, or ResultsError when one of its labels is taken."""
    import secrets
    from datetime import UTC, datetime

    from rseqbench.measure import session
    from rseqbench.measure.fleet import members
    from rseqbench.store import fleets, runs

    names = members.parse_names(given["places"]) if "places" in given else []
    tags = members.parse_tags(given["tags"]) if "tags" in given else {}
    chosen = members.choose_places(places, names, tags)
    label = given.get("label") or runs.fresh_label("fleet", store.taken())
    run_labels = fleets.assign_labels([place.name for place in chosen], label)
    fleet = fleets.Fleet(
        label=label,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        command=session.command_line(),
        options=requested,
        preset=options.choose_preset(requested, given, config),
        seed=given.get("seed", secrets.randbelow(2**32)),
        members=tuple(fleets.Member(*place_label) for place_label in run_labels.items()),
        force=bool(given.get("force")),
    )
    fleets.ensure_free(store, fleet)
    return fleet


def _list(fleet: Fleet, places: Sequence[LabPlace], store: Store) -> None:
    """Print which places are meant and not done yet, what of them is known, and the labels of their runs."""
    from rseqbench.measure.fleet import members
    from rseqbench.report.tables import fleet as lab
    from rseqbench.report.text import terminal

    terminal.print_grid(
        lab.tabulate_lab_places(fleet.label, members.missing_members(fleet, store), places), terminal.console()
    )


def _measure(fleet: Fleet, lab: LabClient, at_once: int, config: Config, store: Store) -> tuple[bool, int]:
    """Measure the members without a run, and show it meanwhile.

    Return whether a place or a benchmark failed, now or before, and an exit code if it stopped early.
    """
    import contextlib

    from rseqbench.errors import RseqbenchError
    from rseqbench.measure.fleet import members
    from rseqbench.report import data
    from rseqbench.report.progress import fleet as progress

    missing = members.missing_members(fleet, store)
    of, confidence = len(fleet.members), config.verdict.confidence
    work = members.measure_members(fleet, config, store, lambda run: data.table_csv(run, confidence))
    try:
        with contextlib.closing(members.run_members(fleet, missing, store, work, at_once, lab.cut)) as events:
            end = progress.follow_fleet(events, of, of - len(missing))
    except (KeyboardInterrupt, RseqbenchError) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        if not interrupted:
            click.echo(f"rseqbench: {error}", err=True)
        kept = f"{of - len(members.missing_members(fleet, store))} of {of} places done and kept"
        how = "interrupted" if interrupted else "failed"
        click.echo(f"rseqbench: {how} with {kept}; rseqbench fleet run --resume {fleet.label}", err=True)
        return True, INTERRUPTED if interrupted else 1
    if end.failed:
        click.echo(f"to measure what is missing: rseqbench fleet run --resume {fleet.label}", err=True)
    return bool(end.failed or members.failure_lines(fleet, store)), 0


def _show(label: str, state: State) -> None:
    """Print what machines differ by, and write the page about all of them."""
    from rseqbench.cli import compare
    from rseqbench.report.text import terminal

    found = compare.load_fleets(state, (label,))
    assert found is not None
    path = output.write_document(load_format("html").render_fleet(found), None, label, state.config())
    # Behind the page, as whoever reads the table may have seen enough of it.
    terminal.print_fleet(found, terminal.console(), each=False)
    click.echo(f"what each machine has: rseqbench compare {label}", err=True)
    click.echo(f"stored as {label}; its page is {path}", err=True)
