"""`rseqbench runs`: options only; the rooms do the work."""

from __future__ import annotations

import sys

import click

from rseqbench.cli import State, completion


@click.group("runs", invoke_without_command=True)
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(ctx: click.Context, style: str) -> None:
    """List the stored runs, finished or not, the newest last; `rm` and `rename` change them."""
    if ctx.invoked_subcommand is not None:
        return
    from rseqbench.report import data
    from rseqbench.report.tables import listing
    from rseqbench.report.text import terminal
    from rseqbench.store import manage

    store = (ctx.find_object(State) or State(None)).store()
    found = manage.entries(store)
    if style == "json":
        click.echo(data.to_json("runs", runs=listing.list_run_records(found)), nl=False)
    else:
        out = terminal.console()
        terminal.print_grid(listing.tabulate_runs(found, str(store.root), out.width), out)


@command.command("rm")
@click.argument("labels", nargs=-1, required=True, metavar="LABEL...", shell_complete=completion.labels_and_fleets)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def remove(ctx: click.Context, labels: tuple[str, ...], yes: bool) -> None:
    """Remove the stored runs LABEL, unfinished ones too, for good; of a fleet its list only, not its runs."""
    from rseqbench.errors import UsageError
    from rseqbench.store import manage

    store = (ctx.find_object(State) or State(None)).store()
    found = [entry for label in dict.fromkeys(labels) for entry in manage.find_entries(store, label)]
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("there is no terminal to ask on", "give --yes to remove without being asked")
        names = ", ".join(f"{entry.label} ({entry.state}, {entry.when[:16]})" for entry in found)
        click.confirm(f"Remove {names}?", abort=True, err=True)
    for entry in found:
        manage.remove(entry)
        stay = f": the list of a fleet, of which {entry.done} runs stay" if entry.places else ""
        click.echo(f"removed {entry.folder}{stay}", err=True)


@command.command("rename")
@click.argument("old", metavar="OLD", shell_complete=completion.labels)
@click.argument("new", metavar="NEW")
@click.pass_context
def rename(ctx: click.Context, old: str, new: str) -> None:
    """Give the finished run OLD the label NEW."""
    from rseqbench.store import manage

    store = (ctx.find_object(State) or State(None)).store()
    manage.rename(store, old, new)
    click.echo(f"renamed to {store.root / new}", err=True)
