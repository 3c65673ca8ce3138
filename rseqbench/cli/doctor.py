"""`rseqbench doctor`: what is missing here, and the command that mends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rseqbench.doctor import Finding

_COLOURS = {"ok": "green", "warn": "yellow", "bad": "red"}


@click.command("doctor")
@click.option("--format", "style", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(ctx: click.Context, style: str) -> None:
    """Say what is missing on this machine and how to get it; change nothing.

    Exits with 1 when something keeps a native run from working, otherwise with 0.
    """
    import json
    from dataclasses import asdict
    from pathlib import Path

    from rseqbench import doctor
    from rseqbench.cli import State

    config = (ctx.find_object(State) or State(None)).config()
    findings = doctor.examine(doctor.Host(results=Path(config.paths.results)))
    if style == "json":
        report = {"checks": [asdict(finding) for finding in findings], "pyperf": doctor.pyperf_system()}
        click.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        _print(findings)
        click.secho(f"\npyperf's own check: {doctor.PYPERF_COMMAND}\n", bold=True)
        click.echo(doctor.pyperf_system())
    ctx.exit(0 if doctor.runs_natively(findings) else 1)


def _print(findings: list[Finding]) -> None:
    """Print a line a finding, and its advice on a line of its own, whole, so that a command can be copied."""
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        status = click.style(f"{finding.status:4}", fg=_COLOURS[finding.status])
        click.echo(f"{status}  {finding.name:{width}}  {finding.value}")
        if finding.advice:
            click.echo(f"{'':{width + 8}}{finding.advice}")
