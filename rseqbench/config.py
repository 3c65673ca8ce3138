"""bench.toml and command-line options -> a frozen Config. Every error names the file, the key and what was expected."""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from rseqbench import paths
from rseqbench.errors import ConfigError, unknown_name

T = TypeVar("T")


def _bounds(low: float, high: float) -> Mapping[str, float]:
    return {"low": low, "high": high}


REGISTRATIONS = ("auto", "glibc", "self", "full", "none")
RUNNERS = ("qemu", "vng")


@dataclass(frozen=True)
class Paths:
    """Folders, relative to the current one."""

    results: str
    reports: str


@dataclass(frozen=True)
class RequestedOptions:
    """The options of a run as asked for: [run] of bench.toml, overlaid with the command line; both use these names.

    targets/resolve.py makes ResolvedOptions of them. A fleet is stored with the requested ones.
    """

    arch: str
    target: str
    coordinator: str
    environment: str
    wait: bool
    engine: str
    preset: str
    benchmarks: list[str]
    threads: list[int] = field(metadata=_bounds(1, 4096))
    cpus: str
    registration: str = field(metadata={"choices": REGISTRATIONS})
    linux: str
    runner: str = field(metadata={"choices": RUNNERS})
    rseq: str = field(metadata={"choices": ("any", "n", "y")})
    boot: str = field(metadata={"choices": ("guest", "host")})
    boots: int = field(metadata=_bounds(1, 1000))
    hackbench: str


@dataclass(frozen=True)
class ResolvedOptions:
    """The options of one run on one machine, with every choice made that can be made before the machine is reached.

    arch: the name of an architecture, which the machine's own replaces if `asks_arch`. engine: empty where nothing is
    measured. cpus and registration: None for the target's own choice. rseq: the CONFIG_RSEQ that the machine's Linux
    must have, None for any. hackbench: its arguments, None for those that fit the machine's time.
    """

    arch: str
    asks_arch: bool
    target: str
    coordinator: str
    environment: str
    wait: bool
    engine: str
    preset: str
    benchmarks: list[str]
    threads: list[int]
    cpus: str | None
    registration: str | None
    linux: str
    runner: str
    rseq: str | None
    boots: int
    hackbench: str | None


@dataclass(frozen=True)
class LinuxOptions:
    """The kernel that `rseqbench linux build` builds: source "debian" or a path, configuration "small" or a path."""

    source: str
    config: str


@dataclass(frozen=True)
class Preset:
    """The length of a run: rounds, values a round, milliseconds a value."""

    rounds: int = field(metadata=_bounds(1, 10_000))
    values: int = field(metadata=_bounds(1, 10_000))
    value_ms: float = field(metadata=_bounds(0.001, 10_000))


@dataclass(frozen=True)
class CheckOptions:
    """The stress that a benchmark has to pass before it is timed."""

    threads_per_cpu: int = field(metadata=_bounds(1, 256))
    disturbances: int = field(metadata=_bounds(1, 1_000_000))
    operations: int = field(metadata=_bounds(1000, 1_000_000_000))
    timeout_s: float = field(metadata=_bounds(1, 86_400))


@dataclass(frozen=True)
class VerdictRules:
    """The tolerances of every judgement; see analysis/verdicts.py for the rules themselves."""

    confidence: float = field(metadata=_bounds(0.5, 0.9999))
    reach: float = field(metadata=_bounds(0.1, 1))
    widest: float = field(metadata=_bounds(1, 1000))
    same_within: float = field(metadata=_bounds(0, 1))
    equal_band: float = field(metadata=_bounds(0, 1))
    floor: float = field(metadata=_bounds(0, 1))
    mode: float = field(metadata=_bounds(0, 1))


@dataclass(frozen=True)
class Config:
    """All of bench.toml."""

    source: Path
    paths: Paths
    run: RequestedOptions
    linux: LinuxOptions
    presets: Mapping[str, Preset]
    check: CheckOptions
    verdict: VerdictRules
    configurations: Mapping[str, Mapping[str, Any]]

    def options(self, configuration: str | None, overrides: Mapping[str, Any]) -> RequestedOptions:
        """Return [run], overlaid with the named configuration, overlaid with `overrides`.

        Raises UsageError when there is no such configuration or preset.
        """
        named: Mapping[str, Any] = {}
        if configuration is not None:
            named = self.configurations.get(configuration, {})
            if configuration not in self.configurations:
                raise unknown_name("configuration", configuration, self.configurations, f"in {self.source}")
        options = dataclasses.replace(self.run, **{**named, **overrides})
        if options.preset not in self.presets:
            raise unknown_name("preset", options.preset, self.presets, f"in {self.source}")
        return options


def configured_rseq(config: Config, names: Sequence[str]) -> dict[str, str]:
    """Return the CONFIG_RSEQ, "n" or "y", that each named configuration asks for; all that ask for one without names.

    Raises UsageError for one that is not there, or does not ask.
    """
    asking = {name for name, entry in config.configurations.items() if entry.get("rseq", "any") != "any"}
    for name in names:
        if name not in asking:
            raise unknown_name("configuration with rseq = n or y", name, asking, f"in {config.source}")
    chosen = names or [name for name in config.configurations if name in asking]
    return {name: str(config.configurations[name]["rseq"]) for name in chosen}


def load(path: Path | None = None) -> Config:
    """Read the built-in bench.toml and lay the user's over it: `path`, else ./bench.toml if there is one.

    Raises ConfigError naming file and key when something is not as expected.
    """
    default = paths.default_config()
    base = _read_toml(default)
    chosen = path or Path("bench.toml")
    if path is None and not chosen.exists():
        return _parse_config(default, base)
    _parse_config(default, base)  # the built-in one is sound, so what fails below is the user's
    return _parse_config(chosen, _overlay(base, _read_toml(chosen)))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}", "give a readable file with --config-file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def _overlay(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overrides.items():
        old = merged.get(key)
        merged[key] = _overlay(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return merged


def _parse_config(source: Path, raw: dict[str, Any]) -> Config:
    _refuse_unknown(source, "", raw, {"paths", "run", "linux", "presets", "check", "verdict", "configurations"})
    presets = _check_table(source, "presets", raw.get("presets", {}))
    configurations = _check_table(source, "configurations", raw.get("configurations", {}))
    run_table = _check_table(source, "run", raw.get("run", {}))
    run = _parse_section(RequestedOptions, source, "run", run_table)  # first: configurations are laid over it
    overlays = {}
    for name, entry in configurations.items():
        where = f"configurations.{name}"
        table = _check_table(source, where, entry)
        _refuse_unknown(source, f"{where}.", table, {f.name for f in dataclasses.fields(RequestedOptions)})
        merged = _parse_section(RequestedOptions, source, where, {**run_table, **table})
        overlays[name] = {key: getattr(merged, key) for key in table}
    return Config(
        source=source,
        paths=_parse_section(Paths, source, "paths", raw.get("paths", {})),
        run=run,
        linux=_parse_section(LinuxOptions, source, "linux", raw.get("linux", {})),
        presets={name: _parse_section(Preset, source, f"presets.{name}", entry) for name, entry in presets.items()},
        check=_parse_section(CheckOptions, source, "check", raw.get("check", {})),
        verdict=_parse_section(VerdictRules, source, "verdict", raw.get("verdict", {})),
        configurations=overlays,
    )


def _check_table(source: Path, key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"{source}: {key}: expected a table, found {value!r}", f"write [{key}]")
    return value


def _refuse_unknown(source: Path, prefix: str, raw: Mapping[str, Any], known: set[str]) -> None:
    for key in raw:
        if key not in known:
            error = unknown_name("key", f"{key}", known)
            raise ConfigError(f"{source}: unknown key {prefix + key!r}", error.hint)


def _parse_section(cls: type[T], source: Path, where: str, table: object) -> T:
    """Build the dataclass `cls` from a TOML table, checking presence, type and bounds of every field."""
    raw = _check_table(source, where, table)
    hints = get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    _refuse_unknown(source, f"{where}.", raw, set(fields))
    values = {}
    for name, spec in fields.items():
        expected = f"expected {_describe_expected(hints[name], spec)}"
        if name not in raw:
            raise ConfigError(f"{source}: {where}.{name}: missing", expected)
        value = raw[name]
        if hints[name] is float and type(value) is int:
            value = float(value)
        if not _matches(value, hints[name]) or not _is_allowed(value, spec):
            raise ConfigError(f"{source}: {where}.{name}: {expected}, found {value!r}")
        values[name] = value
    return cls(**values)


def _matches(value: object, hint: Any) -> bool:
    if get_origin(hint) is list:
        return isinstance(value, list) and bool(value) and all(_matches(item, get_args(hint)[0]) for item in value)
    if isinstance(hint, UnionType):
        return any(_matches(value, option) for option in get_args(hint))
    return type(value) is hint


def _is_allowed(value: Any, spec: dataclasses.Field[Any]) -> bool:
    if "choices" in spec.metadata:
        return value in spec.metadata["choices"]
    if "low" not in spec.metadata:
        return True
    items = value if isinstance(value, list) else [value]
    return all(spec.metadata["low"] <= item <= spec.metadata["high"] for item in items)


def _describe_expected(hint: Any, spec: dataclasses.Field[Any]) -> str:
    words = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
    text = f"a list of {words[get_args(hint)[0]][2:]}s" if get_origin(hint) is list else words.get(hint, str(hint))
    if "choices" in spec.metadata:
        text = f"one of {', '.join(spec.metadata['choices'])}"
    if "low" in spec.metadata:
        text += f" from {spec.metadata['low']:g} to {spec.metadata['high']:g}"
    return text
