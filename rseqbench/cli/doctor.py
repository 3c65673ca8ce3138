"""`rseqbench doctor`: what is missing here, and the command that mends it; what is changed, it can undo."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from rseqbench import model

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rseqbench.doctor import Host


@click.command("doctor")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--fix", "action", flag_value="fix", help="Install the packages that are missing.")
@click.option("--tune", "action", flag_value="tune", help="Quieten this machine for measuring; --restore undoes it.")
@click.option("--restore", "action", flag_value="restore", help="Put back what --tune changed, even after a reboot.")
@click.option("--yes", is_flag=True, help="Do not ask before each change.")
@click.pass_context
def command(ctx: click.Context, style: str, action: str | None, yes: bool) -> None:
    """Say what is missing on this machine and how to get it; change nothing unless told to.

    Exits with 1 when something keeps a native run from working, or a change failed; otherwise with 0.
    """
    from pathlib import Path

    from rseqbench import doctor
    from rseqbench.cli import State
    from rseqbench.errors import UsageError

    config = (ctx.find_object(State) or State(None)).config()
    host = doctor.Host(results=Path(config.paths.results))
    if action is None and yes:
        raise UsageError("--yes answers the questions of --fix or --tune, and neither was given")
    if action is not None and style == "json":
        raise UsageError(f"--format json is what doctor found, and --{action} changes something", "give one of the two")
    if action is None:
        ctx.exit(_check(host, style))
    ctx.exit({"fix": _fix, "tune": _tune, "restore": _restore}[action](host, yes))


def _check(host: Host, style: str) -> int:
    import json
    from dataclasses import asdict

    from rseqbench import doctor
    from rseqbench.report.text import console
    from rseqbench.report.text import doctor as text

    findings = doctor.run_checks(host)
    pyperf = doctor.run_pyperf_check()
    if style == "json":
        report = {"checks": [asdict(finding) for finding in findings], "pyperf": pyperf}
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        out = console.console()
        for line in text.format_findings(findings, out.width):
            out.print(line, soft_wrap=True)
        out.print(f"\npyperf's own check: {doctor.PYPERF_COMMAND}\n", style="bold", soft_wrap=True)
        out.print(pyperf, markup=False, soft_wrap=True)
        out.print()
        out.print(text.format_summary(findings), soft_wrap=True)
    return 0 if doctor.can_run_natively(findings) else 1


def _fix(host: Host, yes: bool) -> int:
    """Install what is missing, and look again."""
    from rseqbench import doctor
    from rseqbench.doctor.packages import install_commands, run_install
    from rseqbench.errors import RseqbenchError

    missing = model.missing_packages(doctor.run_checks(host))
    if not missing:
        click.echo("no package is missing")
        return 0
    lines = install_commands(missing)
    click.echo(f"missing: {' '.join(missing)}\n  " + "\n  ".join(" ".join(line) for line in lines))
    if not yes and _on_a_terminal() and not click.confirm("Run this?"):
        click.echo("nothing was installed")
        return 0
    run_install(lines)
    left = model.missing_packages(doctor.run_checks(host))
    if left:
        raise RseqbenchError(f"installed, and still missing: {' '.join(left)}", "rseqbench doctor says why")
    click.echo(f"installed: {' '.join(missing)}")
    return 0


def _tune(host: Host, yes: bool) -> int:
    """Ask for each step, write down what is, and take the steps."""
    from rseqbench.doctor.finding import rseqbench_as_root
    from rseqbench.errors import UsageError
    from rseqbench.host import tuning
    from rseqbench.host.tuning import record

    tuning.ensure_root(os.geteuid(), rseqbench_as_root("doctor --tune"))
    tuning.ensure_untuned(host.root)
    steps = tuning.plan_steps(host.root)
    if not steps:
        click.echo("nothing to change: this machine is as quiet as its settings make it")
        return 0
    if not yes and not _on_a_terminal():
        raise UsageError("--tune asks before each change, and there is nobody to ask", "--yes answers for all")
    chosen = []
    for step in steps:
        _print(f"{step.title}", step.about)
        if yes or click.confirm("Do this?"):
            chosen.append(step)
    if not chosen:
        click.echo("nothing was changed")
        return 0
    try:
        tuned = tuning.apply(host.root, chosen)
    except KeyboardInterrupt:
        click.echo(
            f"rseqbench: some settings may be changed; to undo it: {rseqbench_as_root('doctor --restore')}", err=True
        )
        raise
    _print("changed:" if tuned.changes else "nothing was changed", tuned.changes)
    if tuned.changes:
        click.echo(
            f"what it was is in {record.record_path(host.root)}; to undo it:\n  {rseqbench_as_root('doctor --restore')}"
        )
    for problem in tuned.problems:
        click.echo(f"rseqbench: {problem}", err=True)
    return 1 if tuned.problems else 0


def _restore(host: Host, yes: bool) -> int:
    """Put back what was written down."""
    from rseqbench.doctor.finding import rseqbench_as_root
    from rseqbench.host import tuning
    from rseqbench.host.tuning.record import load_record

    if load_record(host.root) is None:
        click.echo("nothing to restore: no --tune is on record here")
        return 0
    tuning.ensure_root(os.geteuid(), rseqbench_as_root("doctor --restore"))
    restored = tuning.restore(host.root)
    if restored is None:
        return 0
    _print("put back:" if restored.changes else "all was as it had been", restored.changes)
    for line in restored.dropped:
        click.echo(line)
    for problem in restored.problems:
        click.echo(f"rseqbench: not restored: {problem}", err=True)
    if restored.problems:
        hint = f"the record is kept for another --restore; to give it up: {tuning.discard_command(host.root)}"
        click.echo(f"rseqbench: {hint}", err=True)
    return 1 if restored.problems else 0


def _print(title: str, lines: Iterable[str]) -> None:
    click.echo("\n  ".join([title, *lines]))


def _on_a_terminal() -> bool:
    import sys

    return sys.stdin.isatty()
