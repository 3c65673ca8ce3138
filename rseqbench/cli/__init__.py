"""The command line: one file a command, loaded only when it is called. Knows all rooms; does nothing itself."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rseqbench import __version__
from rseqbench.errors import RseqbenchError, UsageError

if TYPE_CHECKING:
    from rseqbench.config import Config
    from rseqbench.store.runs import Store

COMPLETE = "_RSEQBENCH_COMPLETE"  # set by a shell that wants words to complete, to what it asks for
FAILED, MISUSED, INTERRUPTED = 1, 2, 130  # exit codes; the last one is that of a shell after Ctrl-C

# The commands, in the order of the help text: each is rseqbench/cli/<name>.py and defines `command`.
COMMANDS = {
    "run": "Compile, check, measure, store and print.",
    "show": "Print a stored run again.",
    "runs": "The stored runs: list, remove, rename.",
    "compare": "Two stored runs, side by side, with confidence.",
    "report": "Write a page about a run: one self-contained HTML file.",
    "fleet": "The same plan on many machines of a lab at once, and one page about them.",
    "claims": "What the patch claimed, its arithmetic, and what a run says of it.",
    "linux": "Build Linux without and with CONFIG_RSEQ, for configurations to run on.",
    "list": "What can be measured here, and why not where not.",
    "check": "Prove every benchmark exact, without timing it.",
    "demo": "Replay a recorded run, where nothing can be measured.",
    "doctor": "What is missing here, and the command that installs it.",
    "completion": "Print what has bash, zsh or fish complete all these words.",
}


@dataclass(frozen=True)
class State:
    """What all commands share: which bench.toml was asked for."""

    config_file: Path | None

    def config(self) -> Config:
        """Load the configuration. Raises ConfigError."""
        from rseqbench import config

        return config.load(self.config_file)

    def store(self) -> Store:
        """Open the results folder that the configuration names."""
        from rseqbench.store.runs import Store

        return Store(Path(self.config().paths.results))


class _Lazy(click.Group):
    """A group that imports a command when it is called, and can list them all without importing any."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"rseqbench.cli.{name}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from rseqbench.errors import unknown_name

            raise unknown_name("command", args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rseqbench")
@click.option("--config-file", type=click.Path(path_type=Path), help="A bench.toml other than ./bench.toml.")
@click.pass_context
def group(ctx: click.Context, config_file: Path | None) -> None:
    """Reproduce the performance claims of the Linux commit that introduced restartable sequences."""
    ctx.obj = State(config_file)


def _one_line(error: click.ClickException) -> str:
    """Return what click found wrong as our own errors say it, in one line: what was wrong; what to do."""
    what = " ".join(error.format_message().split()).removesuffix(".").replace(". (Did you", " (did you")
    context = getattr(error, "ctx", None)  # none of an option whose value is missing
    return f"{what[:1].lower()}{what[1:]}; {context.command_path if context else 'rseqbench'} --help says what there is"


def main() -> None:
    """Run the command line: 0 on success, 1 for a failed run, 2 for misuse, 130 after Ctrl-C; never a traceback."""
    if os.environ.get(COMPLETE, "").endswith("_complete"):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # the user is typing: nothing may be written into that
        importlib.import_module("rseqbench.cli.completion").register()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # not under nohup
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    try:
        code = group.main(standalone_mode=False, prog_name="rseqbench")
        sys.stdout.flush()
    except click.exceptions.Exit as exit_:
        code = exit_.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()  # the help
        code = error.exit_code
    except click.ClickException as error:
        click.echo(f"rseqbench: {_one_line(error)}", err=True)
        code = error.exit_code
    except RseqbenchError as error:
        click.echo(f"rseqbench: {error}", err=True)
        code = MISUSED if isinstance(error, UsageError) else FAILED
    except (KeyboardInterrupt, click.Abort):
        click.echo("rseqbench: interrupted", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read us has seen enough
        code = 0
    except Exception as error:
        if os.environ.get("RSEQBENCH_DEBUG"):
            raise
        what = f"{type(error).__name__}: {error}"
        click.echo(f"rseqbench: a defect in rseqbench itself: {what}; RSEQBENCH_DEBUG=1 shows where", err=True)
        code = FAILED
    if code == INTERRUPTED:
        # Python would die of the signal if it came while a dataclass was made: it remembers that of every exec().
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(INTERRUPTED)
    sys.exit(code if isinstance(code, int) else 0)
