"""How `rseqbench fleet run` grows: fleets of many places, at a real coordinator, with replayed runs in place of boards.

Everything is what `fleet run` uses - the scheduler, the process that talks to labgrid and holds the places, the index,
the store - but that a place has no board: when it is held, a recorded run is replayed, in as much time as a run might
take. A share of the places fails in the middle, as when a board drops out; a second pass finishes what is missing, as
--resume does. What a board costs on top, its processes of ssh, is measured by the lab of the tests, not here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import common

from rseqbench import config, paths
from rseqbench.analysis import dataset
from rseqbench.errors import TargetError
from rseqbench.measure import rounds
from rseqbench.measure.engines.composite import create_engine
from rseqbench.measure.fleet import members
from rseqbench.measure.fleet.members import Work
from rseqbench.measure.replay import ReplayEngine, ReplayTarget, replay_header
from rseqbench.report import data
from rseqbench.store import fleets
from rseqbench.store.events import JobEnded, MemberEvent, RoundDone, Stored
from rseqbench.store.fleets import Fleet, Member
from rseqbench.store.runs import Run, Store
from rseqbench.targets.labgrid import client
from rseqbench.targets.labgrid.client import LabClient

_SAMPLED_S = 0.5
_CHECKS = 0.3  # of a run's time are its checks, about as in a quick run
_ESTABLISHED = "01"  # in /proc/net/tcp


@dataclass
class Peaks:
    """The most that was seen of each: MB, threads, connections of the coordinator."""

    seen: dict[str, float] = field(default_factory=dict)

    def note(self, name: str, value: float) -> None:
        """Take one more value."""
        self.seen[name] = max(value, self.seen.get(name, 0.0))


# ---- the lab ----


@contextlib.contextmanager
def coordinator(folder: Path, places: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Run a real coordinator that has such places, without resources; yield its address and process."""
    saved = "".join(f"{place}: {{aliases: [], comment: '', tags: {{}}, matches: []}}\n" for place in places)
    (folder / "places.yaml").write_text(saved, encoding="utf-8")
    port = _free_port()
    with (folder / "log").open("w") as log:
        command = [str(Path(sys.executable).with_name("labgrid-coordinator")), "-l", f"127.0.0.1:{port}"]
        process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        while "Coordinator ready" not in (folder / "log").read_text(encoding="utf-8"):
            if process.poll() is not None:
                raise TargetError("the coordinator did not start", (folder / "log").read_text(encoding="utf-8")[-200:])
            time.sleep(0.1)
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ---- what a place does ----


def replaying(fleet: Fleet, lab: LabClient, store: Store, run_s: float, failing: frozenset[str]) -> Work:
    """Return what holds a place and replays a recorded run in `run_s` seconds; those `failing` are lost half way."""
    recorded = Store(paths.recorded().parent).load(paths.recorded().name)
    settings = config.load(paths.default_config())
    check_s = run_s * _CHECKS / max(1, len(recorded.header.checks))
    round_s = run_s * (1 - _CHECKS) / recorded.header.plan.rounds

    def summary(run: Run) -> str:
        return data.table_csv(run, settings.verdict.confidence)

    def replay(member: Member) -> Generator[MemberEvent, None, None]:
        with lab.hold(member.place, None):
            own = dataclasses.replace(replay_header(recorded), label=member.label, created=fleet.created)
            own = dataclasses.replace(own, plan=dataclasses.replace(own.plan, seed=fleet.seed))
            unfinished = store.begin(own, force=True)
            engine = ReplayEngine(create_engine(own.plan.engine), round_s)
            with ReplayTarget(recorded, check_s) as target:
                for event in rounds.run(target, unfinished, engine, settings.check):
                    yield event
                    if isinstance(event, RoundDone) and 2 * event.done >= event.of and member.place in failing:
                        raise TargetError(f"connection to place {member.place} lost")
            run = unfinished.finish(summary)
        yield Stored(run, ())

    return replay


# ---- what it costs ----


@contextlib.contextmanager
def sampled(peaks: Peaks, processes: dict[str, int], port: int) -> Iterator[None]:
    """Look every half second at the memory of processes, at our threads, and at the connections to a port."""
    over = threading.Event()

    def look() -> None:
        while not over.wait(_SAMPLED_S):
            for name, process in processes.items():
                peaks.note(f"{name}, MB", _resident_mb(process))
            peaks.note("threads", threading.active_count() - 1)
            peaks.note("connections to the coordinator", _connections(port))
            peaks.note("open files", len(os.listdir("/proc/self/fd")))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _resident_mb(process: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _connections(port: int) -> int:
    """Return how many connections there are to a port of this machine."""
    tables = (Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:] for name in ("tcp", "tcp6"))
    lines = [line.split() for lines in tables for line in lines]
    return sum(int(line[1].rpartition(":")[2], 16) == port and line[3] == _ESTABLISHED for line in lines)


def _cpu_s(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _keeper() -> int:
    """Return the id of our process that talks to labgrid."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()
    return next(int(c) for c in children if b"lab.keeper" in Path(f"/proc/{c}/cmdline").read_bytes())


# ---- a fleet ----


def fleet_of(places: Sequence[str]) -> Fleet:
    """Return a fleet of these places; nothing of its plan matters to a replay."""
    settings = config.load(paths.default_config())
    named = fleets.assign_labels(places, "sim")
    own = tuple(Member(*one) for one in named.items())
    options = members.shared_options(settings.run)
    return Fleet(
        "sim", "2000-01-01T00:00:00+00:00", "benchmarks/fleet_size.py", options, settings.presets["quick"], 1, own
    )


def passed(fleet: Fleet, store: Store, work: Work, at_once: int, cut: Callable[[], None]) -> tuple[float, int]:
    """Do what is missing of a fleet; return how long that took and how many places failed."""
    began = time.monotonic()
    todo = members.missing_members(fleet, store)
    with contextlib.closing(members.run_members(fleet, todo, store, work, at_once, cut)) as events:
        failed = sum(isinstance(event, JobEnded) and event.error is not None for event in events)
    return time.monotonic() - began, failed


def one_fleet(options: SimpleNamespace, at_once: int) -> list[tuple[str, str]]:
    """Measure one fleet with so many places at once; return a row a figure."""
    places = [f"p{number:04}" for number in range(options.places)]
    failing = frozenset(random.Random(1).sample(places, round(options.fail * len(places))))
    peaks = Peaks()
    with tempfile.TemporaryDirectory(prefix="rseqbench-fleet-") as name:
        folder = Path(name)
        (folder / "lab").mkdir()
        store, fleet = Store(folder / "results"), fleet_of(places)
        with coordinator(folder / "lab", places) as (address, pid), client.share_client(address, "") as lab:
            keeper = _keeper()
            processes = {"rseqbench": os.getpid(), "its keeper": keeper, "the coordinator": pid}
            before = {who: _cpu_s(process) for who, process in processes.items()}
            with sampled(peaks, processes, int(address.rpartition(":")[2])):
                work = replaying(fleet, lab, store, options.run_s, failing)
                first, failed = passed(fleet, store, work, at_once, lab.cut)
                kept = fleets.load_fleet(store.root, fleet.label)
                work = replaying(fleet, lab, store, options.run_s, frozenset())
                second, left = passed(kept, store, work, at_once, lab.cut)
            spent = {who: _cpu_s(process) - before[who] for who, process in processes.items()}
        began = time.monotonic()
        found = [fleets.find_run(store, kept, member) for member in kept.members]
        loaded = sum(not dataset.read(*one).empty for one in found if not isinstance(one, str))
        load_s = time.monotonic() - began
        size = sum(path.stat().st_size for path in store.root.rglob("*") if path.is_file())
    rounds_of = -(-len(places) // at_once)
    return [
        ("places", f"{len(places)}"),
        ("at once", f"{at_once}"),
        ("a run by itself, s", f"{options.run_s:g}"),
        ("if nothing cost anything, s", f"{rounds_of * options.run_s:g}"),
        ("the first pass, s", f"{first:.0f}"),
        ("places that failed in it", f"{failed}"),
        ("the second pass, s", f"{second:.0f}"),
        ("places that failed in that", f"{left}"),
        *((f"CPU of {who}, s", f"{cpu:.1f}") for who, cpu in spent.items()),
        *((f"most {what}", f"{value:.0f}") for what, value in peaks.seen.items()),
        ("runs that are stored", f"{loaded}"),
        ("to read them all, s", f"{load_s:.1f}"),
        ("their size, MB", f"{size / 2**20:.0f}"),
    ]


def main() -> int:
    """Print a table for each number at once."""
    parser = common.parser(__doc__)
    parser.add_argument("--places", type=int, default=1000)
    parser.add_argument("--at-once", default="1000,200", help="numbers, by commas (default: %(default)s)")
    parser.add_argument(
        "--run-s", type=float, default=60.0, help="how long a run takes by itself (default: %(default)s)"
    )
    parser.add_argument("--fail", type=float, default=0.05, help="share of the places that fail (default: %(default)s)")
    given = parser.parse_args()
    if given.quick:
        given.places, given.run_s, given.at_once = 40, 2.0, "20"
    print("\n".join(common.environment()))
    for at_once in map(int, given.at_once.split(",")):
        print()
        rows = one_fleet(SimpleNamespace(**vars(given)), at_once)
        width = max(len(name) for name, _ in rows)
        print("\n".join(f"{name:<{width}}  {value:>8}" for name, value in rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(common.run(main))
