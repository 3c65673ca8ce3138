"""Pure: kernel configurations: parse one, compare two, and prove that one option makes all their difference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from rseqbench.errors import BuildError

CONFIG_FILE = "linux.config"  # the name of a final .config in the folders of kernels and of runs
RSEQ = "CONFIG_RSEQ"
_SET = re.compile(r"^(CONFIG_\w+)=(.*)$")
_UNSET = re.compile(r"^# (CONFIG_\w+) is not set$")
_ENTRY = re.compile(r"^\s*(?:menu)?config\s+(\w+)\s*$")
_REFERS = re.compile(r"^\s*(?:depends on|default|def_bool|def_tristate|bool|tristate|visible if)\b(.*)$")
_SELECTS = re.compile(r"^\s*(?:select|imply)\s+(\w+)")


def parse_config(text: str) -> dict[str, str]:
    """Return the options of a .config or of a fragment of one; one that is not set has the value "n"."""
    options: dict[str, str] = {}
    for line in text.splitlines():
        if (setting := _SET.match(line)) is not None:
            options[setting[1]] = setting[2]
        elif (unset := _UNSET.match(line)) is not None:
            options[unset[1]] = "n"
    return options


def set_rseq(text: str, rseq: str) -> str:
    """Return a .config or fragment that asks for CONFIG_RSEQ to be `rseq`, "n" or "y", and else the same."""
    rest = [line for line in text.splitlines() if RSEQ not in parse_config(line)]
    return "\n".join([*rest, f"{RSEQ}={rseq}"]) + "\n"


def compare_configs(one: str, other: str) -> dict[str, tuple[str, str]]:
    """Return the options of two .config files that differ, with both values; one that is absent is "n"."""
    a, b = parse_config(one), parse_config(other)
    names = sorted(set(a) | set(b))
    return {name: (a.get(name, "n"), b.get(name, "n")) for name in names if a.get(name, "n") != b.get(name, "n")}


def find_dependents(texts: Iterable[str], symbol: str) -> frozenset[str]:
    """Return `symbol` and all that depends on it or that it selects, over any number of steps, from Kconfig files.

    Names are as in .config, with CONFIG_. Whatever an entry says of another symbol counts as depending on it, be it a
    dependency, a default or a condition: too many rather than too few, but only ever for a reason.
    """
    mentions: dict[str, set[str]] = {}  # symbol -> the entries that depend on it
    for text in texts:
        _collect_mentions(text, mentions)
    dependents, pending = {symbol}, [symbol]
    while pending:
        for name in mentions.get(pending.pop(), ()):
            if name not in dependents:
                dependents.add(name)
                pending.append(name)
    return frozenset(f"CONFIG_{name}" for name in dependents)


def _collect_mentions(text: str, mentions: dict[str, set[str]]) -> None:
    entry = ""
    for line in text.replace("\\\n", " ").splitlines():
        if (start := _ENTRY.match(line)) is not None:
            entry = start[1]
        elif entry and (selects := _SELECTS.match(line)) is not None:
            mentions.setdefault(entry, set()).add(selects[1])
            condition = line.partition(" if ")[2]
            for name in re.findall(r"\w+", condition):
                mentions.setdefault(name, set()).add(selects[1])
        elif entry and (refers := _REFERS.match(line)) is not None:
            for name in re.findall(r"\w+", re.sub(r'"[^"]*"', "", refers[1])):
                mentions.setdefault(name, set()).add(entry)


def find_refused_option(wanted: Mapping[str, str], final: str) -> str:
    """Return the first option of `wanted` that the final .config does not have so, in words; empty if all were taken.

    "n" is taken where the option is absent.
    """
    options = parse_config(final)
    for name, value in wanted.items():
        if options.get(name, "n") != value:
            return f"{name}={value} was asked for, and Linux's Kconfig makes it {options.get(name, 'n')}"
    return ""


def verify_difference(without: str, having: str, related: frozenset[str]) -> dict[str, tuple[str, str]]:
    """Return the difference of two final .config files that may differ in CONFIG_RSEQ and what comes from it only.

    Raises BuildError when they differ in something else, or not in CONFIG_RSEQ.
    """
    difference = compare_configs(without, having)
    if difference.get(RSEQ) != ("n", "y"):
        raise BuildError(f"the two configurations do not differ in {RSEQ}", "build both anew")
    foreign = [name for name in difference if name not in related]
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise BuildError(f"the two configurations differ in {foreign[0]}{more}, which does not come from {RSEQ}")
    return difference
