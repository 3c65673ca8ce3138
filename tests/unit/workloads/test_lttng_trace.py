"""rseqbench/workloads/lttng/trace.py: what is missing in LTTng's buffers is missed, and nothing else."""

import dataclasses
import struct

import pytest

from rseqbench.errors import TargetError
from rseqbench.workloads.lttng import trace
from rseqbench.workloads.lttng.trace import EmissionReport, Packet, TraceContents

EVENT = 10  # bytes
FULL = (trace.SUB_BUFFER - 84) // EVENT
LSL, RSEQ = 1 << 31 | 1 << 24 | 1, 1 << 31 | 4 << 24 | 1


def seen(events, proofs=1000, emitted=None):
    """Return what is read where one method left its proof, and told how much it emitted."""
    found = {"lsl": EmissionReport(LSL, 1000, events if emitted is None else emitted)}
    return TraceContents(events, trace.Counter({LSL: proofs}), found)


def packet(number, events, stream=0, discarded=0):
    return Packet(stream, number, events * EVENT, discarded)


def test_all_that_was_emitted_is_there():
    assert trace.find_missing_events(seen(5000), {}, [packet(0, 5000)]) == {"lsl": ""}


def test_what_was_overwritten_counts_by_the_numbers_of_the_packets():
    begun = {0: packet(7, 10)}
    found = [packet(7, 10), packet(11, FULL), packet(12, 500)]  # 8, 9 and 10 are overwritten
    there = FULL + 510 + 3 * FULL
    whole = dataclasses.replace(seen(FULL + 510, emitted=there), events=FULL + 510)
    assert trace.find_missing_events(whole, begun, found) == {"lsl": ""}
    short = seen(FULL + 510, emitted=there + 1)
    why = f"LTTng's buffers took {there} events, and {there + 1} were emitted"
    assert trace.find_missing_events(short, begun, found) == {"lsl": why}


def test_more_than_was_emitted_is_wrong_too_but_for_what_pauses_and_tellings_take():
    room = 64 + 3
    assert trace.find_missing_events(seen(5000, emitted=5000 - room), {}, [packet(0, 5000)]) == {"lsl": ""}
    (why,) = trace.find_missing_events(seen(5000, emitted=5000 - room - 1), {}, [packet(0, 5000)]).values()
    assert "took 5000 events" in why


@pytest.mark.parametrize("there", [0, 999, 1001])
def test_a_proof_is_there_to_the_event(there):
    why = f"LTTng recorded {there} of the 1000 events that this method left last"
    assert trace.find_missing_events(seen(5000, proofs=there), {}, [packet(0, 5000)]) == {"lsl": why}


def test_one_method_that_drops_all_does_not_cost_another_its_row():
    told = {"lsl": EmissionReport(LSL, 1000, 5000), "rseq": EmissionReport(RSEQ, 1000, 7000)}
    found = trace.find_missing_events(TraceContents(5000, trace.Counter({LSL: 1000}), told), {}, [packet(0, 5000)])
    assert found == {"lsl": "", "rseq": "LTTng recorded 0 of the 1000 events that this method left last"}


def test_events_that_are_recorded_twice_are_no_row_unless_that_is_meant():
    told = {"lsl": EmissionReport(LSL, 1000, 5000, recorders=2)}
    both = TraceContents(5000, trace.Counter({LSL: 1000}), told)
    words = "LTTng recorded each event 2 times: another session has it on"
    assert trace.find_missing_events(both, {}, [packet(0, 5000)]) == {"lsl": words}
    assert trace.find_missing_events(both, {}, [packet(0, 5000)], may_discard=True, recorders=2) == {"lsl": ""}


def test_streams_are_counted_apart():
    found = [packet(2, FULL, stream=0), packet(5, 100, stream=1)]
    there = FULL + 100 + 2 * FULL + 5 * FULL
    assert trace.find_missing_events(seen(FULL + 100, emitted=there), {}, found) == {"lsl": ""}


def test_what_was_discarded_since_the_beginning_is_wrong_in_a_round_and_counts_in_a_check():
    begun, found = {0: packet(0, 10, discarded=5)}, [packet(1, 5000, discarded=25)]
    assert trace.find_missing_events(seen(5000, emitted=5020), begun, found) == {"lsl": "LTTng discarded 20 events"}
    assert trace.find_missing_events(seen(5000, emitted=5020), begun, found, may_discard=True) == {"lsl": ""}
    assert trace.find_missing_events(seen(5000, emitted=5000), begun, [packet(1, 5000, discarded=5)]) == {"lsl": ""}


def test_nothing_told_is_nothing_said():
    assert trace.find_missing_events(TraceContents(0), {}, []) == {}


def test_the_text_of_babeltrace2_is_read():
    text = f"""
[22:02:00.200685493] (+?.?????????) vm rseqbench:event: {{ cpu_id = 1 }}, {{ value = 67108864 }}
[22:02:00.200687676] (+0.000002183) vm rseqbench:event: {{ cpu_id = 1 }}, {{ value = {RSEQ} }}
[22:02:00.200687776] (+0.000000100) vm rseqbench:event: {{ cpu_id = 0 }}, {{ value = {RSEQ} }}
[22:02] (+0.1) x rseqbench:told: {{ cpu_id = 0 }}, {{ method = 4, number = 1, proved = 2, emitted = 3, recorders = 2 }}
"""
    assert trace.parse_trace(text) == TraceContents(
        3, trace.Counter({RSEQ: 2}), {"rseq": EmissionReport(RSEQ, 2, 3, 2)}
    )
    assert trace.parse_trace("") == TraceContents(0)


def test_the_last_telling_of_a_method_counts():
    fields = "method = 4, number = {0}, proved = 2, emitted = {0}3, recorders = 1"
    line = f"x rseqbench:told: {{{{ cpu_id = 0 }}}}, {{{{ {fields} }}}}\n"
    assert trace.parse_trace(line.format(1) + line.format(2)).reports["rseq"].emitted == 23


@pytest.mark.parametrize(
    ("text", "count"), [("        2000000 Event messages\n 3 Stream", 2000000), ("1 Event message\n", 1), ("", 0)]
)
def test_the_counter_of_babeltrace2_is_read(text, count):
    assert trace.parse_event_count(text) == count


def laid_out(number, events, stream=1, discarded=0, magic=0xC1FC1FC1, size=4096):
    content = 84 + events * EVENT
    head = struct.pack("=I16sIQQQQQQQI", magic, bytes(16), 0, stream, 1, 2, content * 8, size * 8, number, discarded, 1)
    return head.ljust(size, b"\0")


def test_packets_are_read_from_the_files_of_a_trace(tmp_path):
    (tmp_path / "ust/uid/0").mkdir(parents=True)
    (tmp_path / "ust/uid/0/channel_1").write_bytes(laid_out(3, 10) + laid_out(4, 20, discarded=6))
    (tmp_path / "ust/uid/0/metadata").write_bytes(b"not a stream")
    assert trace.read_packets(tmp_path) == [Packet(1, 3, 100, 0), Packet(1, 4, 200, 6)]
    assert trace.last_packets(trace.read_packets(tmp_path)) == {1: Packet(1, 4, 200, 6)}


@pytest.mark.parametrize(
    "data", [laid_out(3, 10)[:50], laid_out(3, 10)[:2000], laid_out(3, 10, magic=7), laid_out(3, 500)]
)
def test_a_trace_that_is_cut_off_or_another_is_refused(tmp_path, data):
    (tmp_path / "channel_0").write_bytes(data)
    with pytest.raises(TargetError, match="cut off"):
        trace.read_packets(tmp_path)
