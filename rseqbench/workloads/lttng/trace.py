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
    """What a method has left word of: the last `proved` of the events that it `emitted` have the value `proof`.

    Each of them was recorded by `recorders`: as many sessions, of any daemon, had the event on when it was told.
    """

    proof: int
    proved: int
    emitted: int
    recorders: int = 1


@dataclass(frozen=True)
class TraceContents:
    """What babeltrace2 finds: how many events, how often each value that proves, and what the methods told."""

    events: int
    proofs: Counter[int] = field(default_factory=Counter)
    told: Mapping[str, EmissionReport] = field(default_factory=dict)


def read_packets(trace: Path) -> list[Packet]:
    """Return the packets of a trace. Raises TargetError where they are laid out in another way."""
    return [packet for path in sorted(trace.rglob("channel_*[0-9]")) for packet in _packets(path.read_bytes())]


def _packets(data: bytes) -> Iterator[Packet]:
    place = 0
    while place < len(data):
        if len(data) - place < _PACKET.size:
            raise TargetError("LTTng's trace is cut off")
        magic, _, _, stream, _, _, content, size, number, discarded, _ = _PACKET.unpack_from(data, place)
        if magic != _MAGIC or not _PACKET.size * 8 <= content <= size or size % 8 or place + size // 8 > len(data):
            raise TargetError("LTTng's trace is cut off, or its packets are not those of LTTng-UST 2.8 to 2.13")
        yield Packet(stream, number, content // 8 - _PACKET.size, discarded)
        place += size // 8


def last_packets(found: Iterable[Packet]) -> dict[int, Packet]:
    """Return the last packet of each stream."""
    return {packet.stream: packet for packet in sorted(found, key=lambda packet: packet.number)}


def parse_trace(text: str) -> TraceContents:
    """Return what stands in the text of babeltrace2."""
    values = [int(value) for value in _EVENT.findall(text)]
    told = {}
    for found in _TOLD.findall(text):
        method, number, proved, emitted, recorders = map(int, found)
        told[_METHODS.get(method, str(method))] = EmissionReport(
            1 << 31 | method << 24 | number, proved, emitted, recorders
        )
    return TraceContents(len(values), Counter(value for value in values if value >> 31), told)


def parse_event_count(text: str) -> int:
    """Return how many events babeltrace2 counted, from the words of its counter."""
    found = _COUNTED.search(text)
    return int(found[1]) if found else 0


def find_missing_events(
    seen: TraceContents,
    begun: Mapping[int, Packet],
    found: Sequence[Packet],
    may_discard: bool = False,
    recorders: int = 1,
) -> dict[str, str]:
    """Return why each method that told something cannot be believed, empty where it can.

    `begun` are the last packets from before, and `found` those of the snapshot that `seen` was read from.
    `may_discard`: LTTng may have had no room for an event, as where a writer is interrupted for so long that others
    come round to what it has not committed; an event that it discards takes less time than others.
    `recorders`: by how many sessions an event is recorded; one more takes as much time again.
    """
    each = {method: _unproved(told, seen.proofs[told.proof]) for method, told in seen.told.items()}
    often = max((told.recorders for told in seen.told.values()), default=recorders)
    ends = last_packets(found)
    discarded_now = sum(end.discarded - _before(begun, end).discarded for end in ends.values())
    if often > recorders:
        whole = f"LTTng recorded each event {often} times: another session has it on"
    elif discarded_now and not may_discard:
        whole = f"LTTng discarded {discarded_now} events"
    else:
        least = sum(told.emitted for method, told in seen.told.items() if not each[method])
        most = sum(told.emitted for told in seen.told.values())
        tells = sum(told.proof & 0xFFFFFF for told in seen.told.values())
        there = _entered(seen, begun, found) + discarded_now
        right = least <= there <= most + _PAUSES + _TELLS * tells
        whole = "" if right else f"LTTng's buffers took {there} events, and {most} were emitted"
    return {method: why or whole for method, why in each.items()}


def _unproved(told: EmissionReport, there: int) -> str:
    if there == told.proved:
        return ""
    return f"LTTng recorded {there} of the {told.proved} events that this method left last"


def _entered(seen: TraceContents, begun: Mapping[int, Packet], found: Sequence[Packet]) -> int:
    """Return how many events went into the buffers: those that are there, and those of the packets overwritten."""
    used = sum(packet.used for packet in found)
    if not seen.events or not used:
        return 0
    full = (SUB_BUFFER - _PACKET.size) // round(used / seen.events)
    fresh = [packet for packet in found if packet.number > _before(begun, packet).number]
    firsts = {packet.stream: packet for packet in sorted(fresh, key=lambda packet: -packet.number)}.values()
    return seen.events + full * sum(first.number - _before(begun, first).number - 1 for first in firsts)


def _before(begun: Mapping[int, Packet], packet: Packet) -> Packet:
    return begun.get(packet.stream, Packet(packet.stream, -1, 0, 0))
