"""What the words of a command line can be completed to, for click; quickly, as somebody waits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from rseqbench.config import Config

    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]

# What no shell takes for anything but itself: only such words are offered, so that none has to be quoted.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@:/-]*")


def _completer(words: Callable[[click.Context], Iterable[str]]) -> Completer:
    """Make a completer from what lists the words. It may fail: main() keeps quiet about that."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        given = ctx.params.get(parameter.name or "") or ()
        used = {given} if isinstance(given, str) else set(given)
        fitting = [word for word in words(ctx) if word.startswith(incomplete) and word not in used]
        return [CompletionItem(word) for word in fitting if _PLAIN.fullmatch(word)]

    return complete


def _config(ctx: click.Context) -> Config:
    from rseqbench import config

    return config.load(ctx.find_root().params.get("config_file"))


def _benchmarks(ctx: click.Context) -> list[str]:
    from rseqbench import compiled, workloads

    return ["all", *compiled.groups(), *compiled.names(), *workloads.PROGRAMS]


def _labels(ctx: click.Context) -> list[str]:
    from pathlib import Path

    from rseqbench.store.runs import Store

    return Store(Path(_config(ctx).paths.results)).labels()


def _labels_and_fleets(ctx: click.Context) -> list[str]:
    from pathlib import Path

    from rseqbench.store import fleets

    return [*_labels(ctx), *fleets.known(Path(_config(ctx).paths.results))]


def _unfinished(ctx: click.Context) -> list[str]:
    from pathlib import Path

    from rseqbench.store.runs import UNFINISHED

    found = Path(_config(ctx).paths.results).glob(f"{UNFINISHED}*")
    return sorted(folder.name.removeprefix(UNFINISHED) for folder in found)


def _targets(ctx: click.Context) -> list[str]:
    from rseqbench.targets import KINDS

    return [*(f"{name}:" if kind.where else name for name, kind in KINDS.items()), "auto"]


def _arches(ctx: click.Context) -> list[str]:
    from rseqbench.build import architectures

    return [architectures.HOST, *architectures.known()]


def _engines(ctx: click.Context) -> list[str]:
    from rseqbench.measure import engines

    return [*engines.ENGINES, "auto", "both"]


def _booted(ctx: click.Context) -> Iterable[str]:
    from rseqbench.config import configured_rseq

    return configured_rseq(_config(ctx), ())


def _suites(ctx: click.Context) -> Iterable[str]:
    from rseqbench.workloads.library import SUITES

    return SUITES


benchmarks = _completer(_benchmarks)
suites = _completer(_suites)
labels = _completer(_labels)
labels_and_fleets = _completer(_labels_and_fleets)
unfinished = _completer(_unfinished)
targets = _completer(_targets)
arches = _completer(_arches)
engines = _completer(_engines)
configurations = _completer(lambda ctx: _config(ctx).configurations)
booted_configurations = _completer(_booted)
presets = _completer(lambda ctx: _config(ctx).presets)


def files(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Leave it to the shell, which knows its files."""
    return [CompletionItem(incomplete, type="file")]
