"""LTTng-UST in a session of our own, and the witness of it: what was emitted has to be in LTTng's trace.

A snapshot session is what is timed: it overwrites its buffers, so that nothing is consumed meanwhile. What it holds at
the end of a round is counted by babeltrace2, and how much it has overwritten is known from the numbers of its packets.
In a check a second session discards what it has no room for, and counts that: recorded and discarded are all.
Needs LTTng-tools 2.13 (lttng-sessiond(8)).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from rseqbench.build import products
from rseqbench.build.cache import Built
from rseqbench.errors import TargetError
from rseqbench.model import BenchmarkId, CommandLine, Facts
from rseqbench.selection import LIBRARIES
from rseqbench.support import process
from rseqbench.workloads import packages
from rseqbench.workloads.library import Stage, ensure_installed, ensure_loads
from rseqbench.workloads.lttng import namespace, trace
from rseqbench.workloads.lttng.session_daemon import COMMAND, SessionDaemon

_PROVIDER = "RSEQBENCH_LTTNG"
_LINKED = ("-llttng-ust", "-llttng-ust-common", "-ldl")
_SUB_BUFFERS = ("--buffers-uid", f"--subbuf-size={trace.SUB_BUFFER}", "--num-subbuf=4")  # cold, larger ones cost more
_TIMED = ("rseqbench", "--overwrite")  # the session that is timed, and what becomes of its oldest events
_PROOF = ("rseqbench-proof", "--discard")
_LISTED = re.compile(r"<session>\s*<name>([^<]*)</name>.*?<enabled>(\w+)</enabled>", re.DOTALL)
_COUNTER = ("babeltrace2", "--component=sink.utils.counter", "--params=step=+0")


@contextlib.contextmanager
def open_environment() -> Iterator[LttngEnvironment]:
    """Start a session; end it and all that belongs to it. Raises TargetError or BuildError where it cannot be had."""
    ensure_installed(LIBRARIES["lttng"])
    provider = products.provider("lttng", _LINKED)
    with (
        tempfile.TemporaryDirectory(prefix="rseqbench-lttng-", ignore_cleanup_errors=True) as name,
        process.process_group() as group,
        namespace.enter_namespace(group, (Path(name), provider.path)) as enter,
        SessionDaemon(Path(name), enter, group) as daemon,
    ):
        yield LttngEnvironment(daemon, provider)


def calls() -> list[CommandLine]:
    """Return the command lines of open_environment(), which are not executed."""
    where = (
        "in a mount namespace of its own, where that can be" if os.geteuid() == 0 else "with an LTTNG_HOME of its own"
    )
    daemon = CommandLine(f"start LTTng's session daemon {where}, and sessions of ours in it", COMMAND)
    return [products.provider_call("lttng", _LINKED), daemon]


class LttngEnvironment:
    """The environment of the benchmarks of group lttng: a daemon, its sessions, and the count of their events."""

    def __init__(self, daemon: SessionDaemon, provider: Built) -> None:
        """Take a running daemon and the compiled provider, and have the events recorded."""
        self._daemon, self._provider = daemon, provider
        self._snapshots = 0
        self._before: dict[int, trace.Packet] = {}  # the last of each stream when a round began
        self._stage = Stage.TIMED
        self._failure = ""  # of whatever is measured, until the next round begins
        self._missing: Mapping[str, str] | None = None  # of each method, the events that are not there
        ensure_loads(provider.path, self.environment(), self.prefix())
        daemon.lttng("create", _TIMED[0], "--snapshot", f"--output={daemon.home / 'traces'}")
        self._record(*_TIMED, "rseqbench:event,rseqbench:told")

    def environment(self) -> Mapping[str, str]:
        """Return where the provider and the daemon are, for a process that is measured."""
        return {_PROVIDER: str(self._provider.path), **self._daemon.environment()}

    def prefix(self) -> Sequence[str]:
        """Return what puts a command where the daemon is."""
        return self._daemon.prefix()

    def facts(self) -> Facts:
        """Return the versions of what is measured and of what counts."""
        return Facts(
            lttng_ust=packages.read_library_version("lttng-ust"),
            lttng_tools=packages.read_program_version("lttng"),
            babeltrace2=packages.read_program_version("babeltrace2"),
            lttng_linked=packages.describe_linking(self._provider, _LINKED),
            lttng_channel=" ".join([_TIMED[1], *_SUB_BUFFERS]),
        )

    def unavailable_reason(self, benchmark: str) -> str:
        """Return nothing: all versions have all of it."""
        return ""

    def begin(self, stage: Stage) -> str:
        """Empty the buffers and note where they are; under stress, have every single event counted besides."""
        self._failure, self._missing, self._stage = "", None, stage
        try:
            self._end_proof()  # of a check that failed before it was asked
            self._daemon.lttng("clear", _TIMED[0])
            with self._take_snapshot() as snapshot:
                self._before = trace.last_packets(trace.read_packets(snapshot))
            if stage == Stage.STRESSED:
                self._daemon.lttng("create", _PROOF[0], f"--output={self._daemon.home / 'proof'}")
                self._record(*_PROOF, "rseqbench:event")
        except TargetError as error:
            self._failure = error.message
        return self._failure

    def doubts(self, benchmark: str) -> str:
        """Return how the events that a method has emitted since begin() are not all there; empty when they are."""
        method = BenchmarkId(benchmark).method
        if self._missing is None and not self._failure:
            try:
                self._missing = self._inspect_trace()
            except TargetError as error:
                self._failure = error.message
        return self._failure or (self._missing or {}).get(method, trace.NOTHING)

    def _inspect_trace(self) -> Mapping[str, str]:
        """Take a snapshot; return, for every method that reported its events, how they are not all there."""
        stressed = self._stage == Stage.STRESSED
        try:
            self._ensure_no_other_session([_TIMED[0], _PROOF[0]] if stressed else [_TIMED[0]])
            with self._take_snapshot() as snapshot:
                contents = trace.parse_trace(self._read_text(snapshot))
                recorders = 2 if stressed else 1
                packets, may_discard = trace.read_packets(snapshot), self._stage != Stage.TIMED
                missing = trace.find_missing_events(contents, self._before, packets, may_discard, recorders)
            if stressed:
                missing = {method: why or self._find_uncounted(contents) for method, why in missing.items()}
            return missing
        finally:
            if stressed:
                self._end_proof()

    def _find_uncounted(self, contents: trace.TraceContents) -> str:
        """Return how recorded and discarded are not all in the session that counts, which then stops."""
        folder = self._daemon.home / "proof"
        self._daemon.lttng("stop", _PROOF[0])
        discarded = sum(packet.discarded for packet in trace.last_packets(trace.read_packets(folder)).values())
        recorded = (
            trace.parse_event_count(self._daemon.run(*_COUNTER, str(folder))) if any(folder.rglob("metadata")) else 0
        )
        emitted = sum(report.emitted for report in contents.reports.values())
        if recorded + discarded == emitted:
            return ""
        return f"LTTng recorded {recorded} and discarded {discarded} of the {emitted} events that were emitted"

    def _end_proof(self) -> None:
        """End the session that counts, where there is one: whatever it records besides costs its time."""
        if _PROOF[0] in self._sessions():
            self._daemon.lttng("destroy", "--no-wait", _PROOF[0])
        shutil.rmtree(self._daemon.home / "proof", ignore_errors=True)

    def _ensure_no_other_session(self, ours: Sequence[str]) -> None:
        """Raise TargetError where a session that is not ours records in our daemon."""
        others = [name for name, active in self._sessions().items() if active and name not in ours]
        if others:
            raise TargetError(f"another session of LTTng's records in the same daemon: {', '.join(others)}")

    def _sessions(self) -> Mapping[str, bool]:
        """Return whether each session of our daemon records."""
        return {name: active == "true" for name, active in _LISTED.findall(self._daemon.lttng("--mi=xml", "list"))}

    def _record(self, name: str, oldest: str, events: str) -> None:
        """Begin to record into a session that was created."""
        session = ("--userspace", f"--session={name}")
        self._daemon.lttng("enable-channel", *session, oldest, *_SUB_BUFFERS, "channel")
        self._daemon.lttng("enable-event", *session, "--channel=channel", events)
        self._daemon.lttng("start", name)

    @contextlib.contextmanager
    def _take_snapshot(self) -> Iterator[Path]:
        """Yield the folder of a new snapshot, gone afterwards; there is none while nothing was ever recorded."""
        self._snapshots += 1
        name = f"s{self._snapshots}"
        self._daemon.lttng("snapshot", "record", f"--session={_TIMED[0]}", f"--name={name}")
        traces = self._daemon.home / "traces"
        snapshot = next(traces.glob(f"{name}-*"), traces / name)
        try:
            yield snapshot
        finally:
            shutil.rmtree(snapshot, ignore_errors=True)

    def _read_text(self, snapshot: Path) -> str:
        """Return what babeltrace2 reads in a snapshot; without one event there is no trace."""
        return self._daemon.run("babeltrace2", str(snapshot)) if any(snapshot.rglob("metadata")) else ""
