"""`rseqbench demo`: options only; the rooms do the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rseqbench.cli import State

if TYPE_CHECKING:
    from rseqbench.config import Config
    from rseqbench.results import Run


@click.command("demo")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="In place of reports/demo.html."
)
@click.pass_context
def command(ctx: click.Context, output: Path | None) -> None:
    """Replay a run that was recorded on another machine: what `run` shows, its table, and its page.

    Needs no rseq and no compiler, and measures nothing; all of it is marked as a replay. Only the page is stored.
    """
    import tempfile

    from rseqbench import disk, paths
    from rseqbench.cli.show import printed
    from rseqbench.results import PATCH, Store
    from rseqbench.show import contents, html

    state = ctx.find_object(State) or State(None)
    config, store = state.config(), state.store()
    recorded = Store(paths.recorded().parent).load(paths.recorded().name)
    path = output or Path(config.paths.reports) / "demo.html"
    with tempfile.TemporaryDirectory(prefix="rseqbench-demo-") as scratch:
        run = _replayed(recorded, config, Path(scratch))
        printed(run, store, config)
        disk.save(path, html.page(contents.contents(run, store.load(PATCH), config.verdict)))
    click.echo(f"a replay: nothing was measured here; its page is {path}", err=True)


def _replayed(recorded: Run, config: Config, scratch: Path) -> Run:
    """Go through the rounds of a recorded run once more, by way of a folder that is gone afterwards."""
    import dataclasses

    from rseqbench import engines, rounds
    from rseqbench.model import REPLAY
    from rseqbench.results import Store
    from rseqbench.show import data, progress
    from rseqbench.show.running import Running
    from rseqbench.targets.replay import Replay, Replayed, header

    unfinished = Store(scratch).begin(header(recorded), force=False)
    engine = Replayed(engines.create(recorded.header.plan.engine))
    with Replay(recorded) as target:
        events = rounds.run(target, unfinished, engine, config.check)
        progress.follow(events, Running(unfinished.header, config.verdict), REPLAY.upper())
    unfinished.update(dataclasses.replace(unfinished.header, finished=recorded.header.finished))
    return unfinished.finish(lambda run: data.table_csv(run, config.verdict.confidence))
