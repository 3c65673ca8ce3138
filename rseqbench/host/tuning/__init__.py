"""Change settings of this machine for measuring, on request, and restore them from a record made before.

pyperf knows which settings there are and changes them (`python -m pyperf system tune`); it does not remember them, and
its own reset has fixed values. Here they are remembered: steps.py lists the changes, settings.py reads and writes each
setting, and record.py keeps the old values where neither a crash nor a reboot reaches them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rseqbench.errors import RseqbenchError, UsageError
from rseqbench.host import facts
from rseqbench.host.tuning import record, settings
from rseqbench.host.tuning.record import Record
from rseqbench.host.tuning.steps import Step, plan_steps

__all__ = [
    "RestoreResult",
    "Step",
    "TuningResult",
    "apply",
    "discard_command",
    "ensure_root",
    "ensure_untuned",
    "plan_steps",
    "restore",
]

_PASSES = 2  # a governor takes other settings along when it is put back, so those may need a second time


@dataclass(frozen=True)
class TuningResult:
    """The changes that were made and the problems that arose, a line for each."""

    changes: tuple[str, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True)
class RestoreResult:
    """The settings that were restored, those that could not be, and those that have gone, a line for each."""

    changes: tuple[str, ...]
    problems: tuple[str, ...]
    dropped: tuple[str, ...]


def ensure_untuned(root: Path) -> None:
    """Raise UsageError while a record is kept: what it holds must not be written over."""
    kept = record.load_record(root)
    if kept is not None:
        raise UsageError(f"this machine is tuned already, since {kept.since}", "first: rseqbench doctor --restore")


def apply(root: Path, chosen: Sequence[Step]) -> TuningResult:
    """Write down all that can be changed, then take the steps. Raises UsageError when a record is there already.

    When a step fails, those after it are still taken. When nothing has changed in the end, nothing is kept.
    """
    before = settings.read_snapshot(root)
    record.save_record(
        root, Record(datetime.now(UTC).isoformat(timespec="seconds"), facts.read_boot_id(root) or "", before)
    )
    problems: list[str] = []
    for step in chosen:
        try:
            problems.extend(step.take())
        except OSError as error:
            problems.append(f"{step.title}: {error.strerror or error}")
    changes = settings.describe_changes(before, settings.read_settings(root, before))
    if not changes:
        record.remove_record(root)
    return TuningResult(tuple(changes), tuple(problems))


def restore(root: Path) -> RestoreResult | None:
    """Put back what the record holds, see whether it took, and drop the record once all of it did.

    None when there is no record. Raises RseqbenchError when it is damaged.
    """
    kept = record.load_record(root)
    if kept is None:
        return None
    wanted, dropped = _select_restorable(root, kept)
    before = settings.read_settings(root, wanted)
    refused: dict[str, str] = {}
    for _ in range(_PASSES):
        for key in settings.sort_for_restoring(wanted):
            if settings.read_setting(root, key) != wanted[key]:
                refused |= _write(root, key, wanted[key])
    after = settings.read_settings(root, wanted)
    left = [key for key in settings.sort_for_restoring(wanted) if after.get(key) != wanted[key]]
    problems = [
        f"{settings.display_name(key)} should be {wanted[key]}: {_explain(key, after, refused)}" for key in left
    ]
    if not left:
        record.remove_record(root)
    return RestoreResult(tuple(settings.describe_changes(before, after)), tuple(problems), tuple(dropped))


def _select_restorable(root: Path, kept: Record) -> tuple[dict[str, str], list[str]]:
    """Leave out the interrupts that have gone: numbers are given anew in every boot, and devices can be unplugged."""
    rebooted = kept.boot != (facts.read_boot_id(root) or "")
    wanted, gone = {}, 0
    for key, value in kept.values.items():
        if settings.is_interrupt(key) and (rebooted or not (root / key).exists()):
            gone += 1
        else:
            wanted[key] = value
    why = "Linux numbered them anew when it was booted" if rebooted else "they are no longer there"
    return wanted, [f"the CPUs of {gone} interrupts are left as they are: {why}"] if gone else []


def _write(root: Path, key: str, value: str) -> dict[str, str]:
    try:
        settings.write_setting(root, key, value)
    except OSError as error:
        return {key: error.strerror or str(error)}
    return {}


def _explain(key: str, after: Mapping[str, str], refused: Mapping[str, str]) -> str:
    if key in refused:
        return refused[key]
    return f"it is {after[key]}, whatever is written" if key in after else "it is no longer there"


def discard_command(root: Path) -> str:
    """Return the command that forgets the record, for who cannot restore what it holds."""
    return f"rm {record.record_path(root)}"


def ensure_root(euid: int, command: str) -> None:
    """Raise RseqbenchError unless we are root, with the command line that would be."""
    if euid:
        raise RseqbenchError("machine settings are root's to change, and we are not root", f"run: {command}")
