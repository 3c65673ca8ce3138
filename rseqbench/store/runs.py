"""results/<label>/: save, load, resolve a name. A run on disk is complete or visibly unfinished, never half.

A finished run is a folder with pyperf.json (a plain pyperf suite with every raw value), run.json (the header below),
table.csv (for people and git diff) and rounds.csv (the value of each round). An unfinished one is
`.unfinished-<label>/`: the header and one pyperf suite a round; it becomes the run by one rename.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyperf

from rseqbench import __version__, paths
from rseqbench.errors import BuildError, ResultsError, unknown_name
from rseqbench.model import REPLAY, Case, Check, Facts, Machine, Plan, Registration, Skip, SkipKind
from rseqbench.store import round_table, samples
from rseqbench.store.samples import Sample
from rseqbench.support import atomic_io, attachments, kconfig, serialization
from rseqbench.support.attachments import KernelSizes

SCHEMA = 1
PATCH = "patch-2018"  # the label of the table in the patch message
ATTACHED = (
    attachments.SIZES_FILE,
    kconfig.CONFIG_FILE,
    attachments.ASSEMBLY_FILE,
)  # of the Linux and the benchmarks that were built for a run
UNFINISHED = ".unfinished-"
FLEET = "fleet.json"  # which makes of a folder a fleet, whose runs have folders of their own


@dataclass(frozen=True)
class Header:
    """run.json: everything about a run that is not a timed value.

    `boots` tells the boots apart that the run has seen, in their order, where its plan has several.
    """

    label: str
    created: str
    command: str
    plan: Plan
    machines: tuple[Machine, ...]
    checks: tuple[Check, ...] = ()
    docs: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    boots: tuple[str, ...] = ()
    finished: str = ""
    version: str = __version__
    schema: int = SCHEMA

    @property
    def when(self) -> str:
        """When it was finished, else begun: the order of runs, which a copy of their folder does not change."""
        return self.finished or self.created

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as run.json has them."""
        return {**dataclasses.asdict(self), "machines": [machine.to_dict() for machine in self.machines]}

    def to_json(self) -> str:
        """Return the text of run.json."""
        return serialization.to_json(self.to_dict())

    @classmethod
    def from_json(cls, text: str, where: Path) -> Header:
        """Parse run.json. Raises ResultsError when it is damaged, foreign or from a newer rseqbench."""
        return serialization.parse_json(text, where, SCHEMA, cls._made)

    @classmethod
    def _made(cls, raw: dict[str, Any]) -> Header:
        plan = raw["plan"]
        plan["cases"] = tuple(
            Case(c["benchmark"], c["threads"], Registration(c["registration"])) for c in plan["cases"]
        )
        plan["skips"] = tuple(map(_read_skip, plan["skips"]))
        plan["cpus"] = tuple(plan["cpus"])
        raw["plan"] = Plan(**plan)
        raw["machines"] = tuple(Machine(**m | {"facts": Facts.from_dict(m["facts"])}) for m in raw["machines"])
        raw["checks"] = tuple(Check(**c) for c in raw["checks"])
        raw["notes"] = tuple(raw["notes"])
        raw["boots"] = tuple(raw.get("boots", ()))
        if not raw["machines"]:
            raise ValueError("a run without a machine")
        return cls(**raw)


@dataclass(frozen=True)
class Run:
    """A finished run: its header and its raw values."""

    folder: Path
    header: Header
    suite: pyperf.BenchmarkSuite

    def samples(self) -> Iterator[Sample]:
        """Yield all samples of the run. Raises ResultsError where the suite is foreign."""
        return samples.from_suite(self.suite, self.folder)

    def sizes(self) -> KernelSizes | None:
        """Return how large the Linux is that was built for the run; None where none was. Raises ResultsError."""
        path = self.folder / attachments.SIZES_FILE
        try:
            return KernelSizes.load(path) if path.is_file() else None
        except BuildError as error:
            raise ResultsError(error.message, "the run folder is damaged") from error

    def linux_config(self) -> str | None:
        """Return the configuration of that Linux; None where none was built. Raises ResultsError."""
        path = self.folder / kconfig.CONFIG_FILE
        return _read(path) if path.is_file() else None

    @property
    def label(self) -> str:
        """The run's name."""
        return self.header.label


def built_in_folder() -> Path:
    """Return the folder of the run that comes with rseqbench. In a checkout, a user's own may lie beside it."""
    return paths.builtin_results() / PATCH


class Store:
    """The results folder, with the built-in runs behind it."""

    def __init__(self, root: Path) -> None:
        """Take the folder; it need not exist."""
        self.root = root

    def labels(self) -> list[str]:
        """Return the labels of all finished runs, built-in ones included, sorted; other folders are none."""
        return sorted({*(run.name for run in self._finished()), built_in_folder().name})

    def taken(self) -> set[str]:
        """Return all labels that a new run cannot have without force: of runs, finished or not, and of fleets."""
        here = (entry.name for entry in self.root.iterdir()) if self.root.is_dir() else ()
        return {*self.labels(), *(name.removeprefix(UNFINISHED) for name in here)}

    def exists(self, label: str) -> bool:
        """Whether a finished run, ours or built in, has this label."""
        return self._find(label) is not None

    def is_unfinished(self, label: str) -> bool:
        """Whether there is an unfinished run of this label, which resume() takes up."""
        return (self.root / f"{UNFINISHED}{check_label(label)}").is_dir()

    def load(self, label: str) -> Run:
        """Load a finished run, under its folder's name. Raises ResultsError if it is not there, whole and ours."""
        folder, header = self.header(label)
        return Run(folder, header, samples.load_suite(folder / "pyperf.json"))

    def header(self, label: str) -> tuple[Path, Header]:
        """Return a finished run's folder and header, without its values. Raises ResultsError as load() does."""
        check_label(label)
        folder = self._find(label)
        if folder is None:
            if self.is_unfinished(label):
                raise ResultsError(f"run {label!r} is unfinished", f"rseqbench run --resume {label}")
            error = unknown_name("run", label, self.labels(), f"in {self.root}")
            raise ResultsError(error.message, error.hint)
        if (folder / FLEET).is_file() and not (folder / "run.json").is_file():
            raise ResultsError(f"{label!r} is a fleet, not a run", f"rseqbench compare {label}")
        header = Header.from_json(_read(folder / "run.json"), folder / "run.json")
        return folder, dataclasses.replace(header, label=label)

    def latest(self) -> tuple[str, list[str]]:
        """Return the label of the run that was finished last, and a line for each that cannot be read.

        Raises ResultsError when there is none that can.
        """
        headers, unreadable = [], []
        for folder in self._finished():
            try:
                headers.append(self.header(folder.name)[1])
            except ResultsError as error:
                unreadable.append(str(error))
        if not headers:
            raise ResultsError("; ".join([f"no runs in {self.root}", *sorted(unreadable)]), "rseqbench run")
        return max(headers, key=lambda header: (header.when, header.label)).label, sorted(unreadable)

    def begin(self, header: Header, force: bool) -> UnfinishedRun:
        """Open a new run, and prove that it can be written before anything is measured.

        Raises ResultsError when the label is taken (unless `force`) or the folder cannot be written.
        """
        self.ensure_free(header.label, force)
        folder = self.root / f"{UNFINISHED}{header.label}"
        shutil.rmtree(folder, ignore_errors=True)
        try:
            (folder / "rounds").mkdir(parents=True)
            atomic_io.write(folder / "run.json", header.to_json())
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise ResultsError(f"cannot write {folder}: {error.strerror}", "check the results folder") from error
        return UnfinishedRun(self.root, folder, header)

    def ensure_free(self, label: str, force: bool) -> None:
        """Raise ResultsError when `label` cannot name a new run: malformed, built in, or taken (unless `force`)."""
        if check_label(label) == PATCH:
            raise ResultsError(f"{label!r} is the patch's own table", "give another --label")
        if (self.root / label / FLEET).is_file():
            raise ResultsError(f"{label!r} is a fleet", "give another --label")
        if force:
            return
        if self.exists(label) or os.path.lexists(self.root / label):
            raise ResultsError(f"there is a run {label!r} already", "give another --label, or --force to replace it")
        if (self.root / f"{UNFINISHED}{label}").exists():
            hint = f"rseqbench run --resume {label}, or --force to drop it"
            raise ResultsError(f"there is an unfinished run {label!r}", hint)

    def resume(self, label: str) -> UnfinishedRun:
        """Take up an unfinished run. Raises ResultsError when there is none of that label."""
        folder = self.root / f"{UNFINISHED}{label}"
        if not self.is_unfinished(label):
            why = "is finished" if self.exists(label) else f"is not in {self.root}"
            raise ResultsError(f"no unfinished run {label!r} to resume: it {why}")
        return UnfinishedRun(self.root, folder, Header.from_json(_read(folder / "run.json"), folder / "run.json"))

    def _finished(self) -> list[Path]:
        """Return the folders of our finished runs; what has another name than a label, nothing can load."""
        folders = self.root.iterdir() if self.root.is_dir() else ()
        return [folder for folder in folders if is_label(folder.name) and (folder / "run.json").is_file()]

    def _find(self, label: str) -> Path | None:
        folders = [self.root / label, *([built_in_folder()] if label == PATCH else [])]
        return next((folder for folder in folders if folder.is_dir() and not label.startswith(".")), None)


class UnfinishedRun:
    """A run while it is measured: every finished round is on disk."""

    def __init__(self, root: Path, folder: Path, header: Header) -> None:
        """Take the results folder, the run's folder in it, and its header."""
        self._root = root
        self.folder = folder
        self.header = header

    def rounds(self) -> list[int]:
        """Return the numbers of the rounds that are on disk, sorted."""
        names = [path.stem for path in (self.folder / "rounds").glob("*.json")]
        return sorted(int(name) for name in names if name.isdecimal())

    def save_round(self, number: int, suite: pyperf.BenchmarkSuite) -> None:
        """Store one round's raw values."""
        path = self.folder / "rounds" / f"{number:05}.json"
        with atomic_io.as_results_error(path):
            suite.dump(str(path) + ".part", replace=True)
            os.replace(str(path) + ".part", path)

    def boots_left(self) -> bool:
        """Whether rounds are missing that belong to boots to come."""
        there, plan = self.rounds(), self.header.plan
        return plan.boots > 1 and not any(number in there for number in plan.rounds_of(plan.boots - 1))

    def drop(self, numbers: Sequence[int]) -> None:
        """Remove rounds that are on disk, as far as they are."""
        for number in numbers:
            with atomic_io.as_results_error(self.folder):
                (self.folder / "rounds" / f"{number:05}.json").unlink(missing_ok=True)

    def attach(self, file: Path) -> None:
        """Keep a copy of a file with the run, under its own name: one of ATTACHED."""
        with atomic_io.as_results_error(self.folder):
            atomic_io.write(self.folder / file.name, file.read_text(encoding="utf-8"))

    def update(self, header: Header) -> None:
        """Replace the header, for what became known while measuring."""
        self.header = header
        with atomic_io.as_results_error(self.folder):
            atomic_io.write(self.folder / "run.json", header.to_json())

    def record_checks(self, checks: Sequence[Check]) -> None:
        """Store the outcome of all checks."""
        self.update(dataclasses.replace(self.header, checks=tuple(checks)))

    def record_boot(self, number: int, boot_id: str) -> None:
        """Store the identifier of boot `number`; what is known of later ones is dropped."""
        self.update(dataclasses.replace(self.header, boots=(*self.header.boots[:number], boot_id)))

    def record_skips(self, skips: Sequence[Skip]) -> None:
        """Store all skips of the plan."""
        if tuple(skips) != self.header.plan.skips:
            plan = dataclasses.replace(self.header.plan, skips=tuple(skips))
            self.update(dataclasses.replace(self.header, plan=plan))

    def record_end(self, skips: Sequence[Skip], notes: Sequence[str]) -> None:
        """Store all skips and notes at the end of the last round, and the time."""
        plan = dataclasses.replace(self.header.plan, skips=tuple(skips))
        finished = datetime.now(UTC).isoformat(timespec="seconds")
        self.update(dataclasses.replace(self.header, plan=plan, notes=tuple(notes), finished=finished))

    def suite(self) -> pyperf.BenchmarkSuite:
        """Return all rounds that are on disk as one pyperf suite, rounds in order."""
        runs: dict[str, list[pyperf.Run]] = {}
        for number in self.rounds():
            for benchmark in samples.load_suite(self.folder / "rounds" / f"{number:05}.json"):
                runs.setdefault(benchmark.get_name(), []).extend(benchmark.get_runs())
        return pyperf.BenchmarkSuite([pyperf.Benchmark(runs[name]) for name in sorted(runs)])

    def finish(self, table_csv: Callable[[Run], str]) -> Run:
        """Make this the finished run of its label, replacing one that is there, by one rename; return it."""
        suite, header = self.suite(), self.header
        run = Run(self._root / header.label, header, suite)
        staged = self.folder / "finished"
        with atomic_io.as_results_error(staged):
            shutil.rmtree(staged, ignore_errors=True)
            staged.mkdir()
            suite.dump(str(staged / "pyperf.json"))
            atomic_io.write(staged / "run.json", header.to_json())
            atomic_io.write(staged / "table.csv", table_csv(run))
            with contextlib.suppress(ResultsError):  # of a foreign suite, which says so when it is read
                round_table.write(staged, header.machines, header.plan, run.samples())
            for name in ATTACHED:
                if (self.folder / name).is_file():
                    shutil.copyfile(self.folder / name, staged / name)
            atomic_io.exchange(staged, run.folder)
            shutil.rmtree(self.folder)
        return run


# How the reason of a skip begins in runs that were stored before skips had a kind.
_KINDS_BY_REASON = {
    "check FAILED": SkipKind.CHECK_FAILED,
    "void in ": SkipKind.VOID,
    "failed in every round": SkipKind.FAILED,
}


def _read_skip(raw: dict[str, Any]) -> Skip:
    older = (kind for begin, kind in _KINDS_BY_REASON.items() if raw["reason"].startswith(begin))
    kind = SkipKind(raw["kind"]) if "kind" in raw else next(older, SkipKind.UNAVAILABLE)
    return Skip(**{**raw, "kind": kind})


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = f"{path}: {getattr(error, 'strerror', None) or error}"
        raise ResultsError(why, "the run folder is damaged, or not a run of rseqbench") from error


def is_replay(header: Header) -> bool:
    """Whether a run is the replay of another, and no measurement of the machine that it was replayed on."""
    return any(machine.target == REPLAY for machine in header.machines)


_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+@-]{0,99}")


def is_label(name: str) -> bool:
    """Whether a name can be a run's label."""
    return _LABEL.fullmatch(name) is not None


def check_label(label: str) -> str:
    """Return `label` if it can name a run, else raise ResultsError: nobody's label leaves the results folder."""
    if is_label(label):
        return label
    shown = repr(label if len(label) <= 40 else label[:37] + "...")
    raise ResultsError(
        f"bad label {shown}", "use 1 to 100 letters, digits and . _ + @ -, starting with a letter or digit"
    )


def fresh_label(first: str, taken: Collection[str]) -> str:
    """Return a label that begins with `first` and names the minute; a second one in that minute gets a number."""
    name = f"{first}-{datetime.now():%Y%m%d-%H%M}"
    return next(free for free in (name, *(f"{name}-{number}" for number in range(2, 10_000))) if free not in taken)
