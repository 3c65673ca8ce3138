"""Pure, but for reading files: what is in LTTng's buffers, and whether that is all that was emitted.

babeltrace2 counts the events that a snapshot holds. What was overwritten before is known by the packets: LTTng numbers
them, each is full, and events of one size fill it. So none can be missing unseen, but for as many as there were pauses.
"""

from __future__ import annotations

import re
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rseqbench.errors import TargetError

SUB_BUFFER = 256 << 10  # bytes, of a packet that is full
NOTHING = "nothing that this method left is in LTTng's trace"
# As kernels/libraries/lttng.c marks the events that prove: bit 31, the method, which of its proofs.
_METHODS = {1: "lsl", 2: "vdso", 3: "syscall", 4: "rseq", 5: "shipped", 6: "constant"}
_EVENT = re.compile(r"rseqbench:event: .*\{ value = (\d+) \}")
_TOLD = re.compile(
    r"rseqbench:told: .*\{ method = (\d+), number = (\d+), proved = (\d+), emitted = (\d+), recorders = (\d+) \}"
)
_COUNTED = re.compile(r"(\d+) Event messages?")
# magic, UUID, stream, its instance; begin, end, content and packet in bits, number, discarded, CPU: LTTng-UST 2.8 on.
_PACKET = struct.Struct("=I16sIQQQQQQQI")
_MAGIC = 0xC1FC1FC1
# An event after a pause has a longer header, and those that tell are longer: what was overwritten may have been fewer.
_PAUSES = 64
_TELLS = 3  # what one that tells takes, in events


@dataclass(frozen=True)
class Packet:
    """A packet of one of the buffers, which there is one of a CPU; `used` is what its events take, in bytes."""

    stream: int
    number: int
    used: int
    discarded: int


@dataclass(frozen=True)
class EmissionReport:
    """A method's own report: the last `proved` of the events that it `emitted` have the value `proof`.

    `recorders` sessions, of any daemon, had the event enabled when the method reported.
    """

    proof: int
    proved: int
    emitted: int
    recorders: int = 1


@dataclass(frozen=True)
class TraceContents:
    """The contents of a trace: how many events, how often each value that proves, and the reports of the methods."""

    events: int
    proofs: Counter[int] = field(default_factory=Counter)
    reports: Mapping[str, EmissionReport] = field(default_factory=dict)


def read_packets(trace: Path) -> list[Packet]:
    """Return the packets of a trace. Raises TargetError where they are laid out in another way."""
    return [packet for path in sorted(trace.rglob("channel_*[0-9]")) for packet in _packets(path.read_bytes())]


def _packets(data: bytes) -> Iterator[Packet]:
    offset = 0
    while offset < len(data):
        if len(data) - offset < _PACKET.size:
            raise TargetError("LTTng's trace is cut off")
        magic, _, _, stream, _, _, content, size, number, discarded, _ = _PACKET.unpack_from(data, offset)
        if magic != _MAGIC or not _PACKET.size * 8 <= content <= size or size % 8 or offset + size // 8 > len(data):
            raise TargetError("LTTng's trace is cut off, or its packets are not those of LTTng-UST 2.8 to 2.13")
        yield Packet(stream, number, content // 8 - _PACKET.size, discarded)
        offset += size // 8


def last_packets(packets: Iterable[Packet]) -> dict[int, Packet]:
    """Return the last packet of each stream."""
    return {packet.stream: packet for packet in sorted(packets, key=lambda packet: packet.number)}


def parse_trace(text: str) -> TraceContents:
    """Return what stands in the text of babeltrace2."""
    values = [int(value) for value in _EVENT.findall(text)]
    reports = {}
    for fields in _TOLD.findall(text):
        method, number, proved, emitted, recorders = map(int, fields)
        reports[_METHODS.get(method, str(method))] = EmissionReport(
            1 << 31 | method << 24 | number, proved, emitted, recorders
        )
    return TraceContents(len(values), Counter(value for value in values if value >> 31), reports)


def parse_event_count(text: str) -> int:
    """Return how many events babeltrace2 counted, from the words of its counter."""
    match = _COUNTED.search(text)
    return int(match[1]) if match else 0


def find_missing_events(
    trace: TraceContents,
    before: Mapping[int, Packet],
    packets: Sequence[Packet],
    may_discard: bool = False,
    recorders: int = 1,
) -> dict[str, str]:
    """Return why each method that reported cannot be believed; empty where it can.

    `before` are the last packets of the snapshot before, `packets` those of the snapshot that `trace` was read from.
    `may_discard`: LTTng may have had no room for an event, as where a writer is interrupted for so long that others
    come round to what it has not committed; an event that it discards takes less time than others.
    `recorders`: by how many sessions an event is recorded; one more takes as much time again.
    """
    reports = trace.reports.values()
    unproved = {method: _unproved(report, trace.proofs[report.proof]) for method, report in trace.reports.items()}
    often = max((report.recorders for report in reports), default=recorders)
    ends = last_packets(packets)
    discarded_now = sum(end.discarded - _previous(before, end).discarded for end in ends.values())
    if often > recorders:
        whole = f"LTTng recorded each event {often} times: another session has it on"
    elif discarded_now and not may_discard:
        whole = f"LTTng discarded {discarded_now} events"
    else:
        least = sum(report.emitted for method, report in trace.reports.items() if not unproved[method])
        most = sum(report.emitted for report in reports)
        tells = sum(report.proof & 0xFFFFFF for report in reports)
        entered = _count_entered(trace, before, packets) + discarded_now
        right = least <= entered <= most + _PAUSES + _TELLS * tells
        whole = "" if right else f"LTTng's buffers took {entered} events, and {most} were emitted"
    return {method: why or whole for method, why in unproved.items()}


def _unproved(report: EmissionReport, recorded: int) -> str:
    if recorded == report.proved:
        return ""
    return f"LTTng recorded {recorded} of the {report.proved} events that this method left last"


def _count_entered(trace: TraceContents, before: Mapping[int, Packet], packets: Sequence[Packet]) -> int:
    """Return how many events went into the buffers: those that are there, and those of the packets overwritten."""
    used = sum(packet.used for packet in packets)
    if not trace.events or not used:
        return 0
    full = (SUB_BUFFER - _PACKET.size) // round(used / trace.events)
    fresh = [packet for packet in packets if packet.number > _previous(before, packet).number]
    firsts = {packet.stream: packet for packet in sorted(fresh, key=lambda packet: -packet.number)}.values()
    return trace.events + full * sum(first.number - _previous(before, first).number - 1 for first in firsts)


def _previous(before: Mapping[int, Packet], packet: Packet) -> Packet:
    return before.get(packet.stream, Packet(packet.stream, -1, 0, 0))
