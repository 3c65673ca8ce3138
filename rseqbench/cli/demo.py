"""`rseqbench demo`: options only; the rooms do the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rseqbench.cli import State

if TYPE_CHECKING:
    from rseqbench.config import Config
    from rseqbench.store.runs import Run


@click.command("demo")
@click.option(
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="In place of reports/demo.html; - is standard output, for the page alone.",
)
@click.pass_context
def command(ctx: click.Context, output: str | None) -> None:
    """Replay a run that was recorded on another machine: what `run` shows, its table, and its page.

    Needs no rseq and no compiler, and measures nothing; all of it is marked as a replay. Only the page is stored.
    """
    import tempfile

    from rseqbench import paths
    from rseqbench.cli.output import write_document
    from rseqbench.cli.show import print_run
    from rseqbench.report import run_view
    from rseqbench.report.html.run import render_page
    from rseqbench.store.runs import PATCH, Store

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    recorded = Store(paths.recorded().parent).load(paths.recorded().name)
    with tempfile.TemporaryDirectory(prefix="rseqbench-demo-") as scratch:
        run = _replayed(recorded, config, Path(scratch))
        if output != "-":
            print_run(run, store, config)
        page = render_page(run_view.build_run_view(run, store.load(PATCH), config.verdict))
    path = write_document(page, output, "demo", config)
    click.echo("a replay: nothing was measured here" + (f"; its page is {path}" if path else ""), err=True)


def _replayed(recorded: Run, config: Config, scratch: Path) -> Run:
    """Go through the rounds of a recorded run once more, by way of a folder that is gone afterwards."""
    import dataclasses

    from rseqbench.measure import rounds
    from rseqbench.measure.engines.composite import create_engine
    from rseqbench.measure.replay import ReplayEngine, ReplayTarget, replay_header
    from rseqbench.model import REPLAY
    from rseqbench.report import data
    from rseqbench.report.progress import run as progress
    from rseqbench.report.progress.estimate import RunningEstimate
    from rseqbench.store.runs import Store

    unfinished = Store(scratch).begin(replay_header(recorded), force=False)
    engine = ReplayEngine(create_engine(recorded.header.plan.engine))
    with ReplayTarget(recorded) as target:
        events = rounds.run(target, unfinished, engine, config.check)
        progress.follow_run(events, RunningEstimate(unfinished.header, config.verdict), REPLAY.upper())
    unfinished.update(dataclasses.replace(unfinished.header, finished=recorded.header.finished))
    return unfinished.finish(lambda run: data.table_csv(run, config.verdict.confidence))
