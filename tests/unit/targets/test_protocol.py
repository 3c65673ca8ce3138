"""targets/runner/protocol.py: a damaged, late or foreign reply is an error that shows it, never another value."""

import base64
import contextlib
import json
import os
import re
import urllib.parse
import zlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from rseqbench import paths
from rseqbench.errors import TargetError
from rseqbench.targets.runner import protocol
from rseqbench.targets.runner.line_channel import LineChannel
from rseqbench.targets.runner.target import RunnerSession

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
NUMBERS = st.integers(1, 10**6)


def reply(number, value, status="ok", version=1):
    text = json.dumps(value)
    crc = zlib.crc32(f"{number} {status} {text}".encode())
    return f"rseqbench/{version} {number} {status} {crc:08x} {text}".encode()


def refused(line, number=7):
    with pytest.raises(TargetError) as caught:
        protocol.decode(line, number)
    assert "\n" not in caught.value.message
    return caught.value


# ---- requests ----


def test_a_request_is_its_words():
    line = protocol.encode(3, "time", kernel="counter/rseq", threads=2, loops=[1000, 101000], cpus=(0, 1), stress=True)
    assert line == b"rseqbench/1 3 time kernel=counter/rseq threads=2 loops=1000,101000 cpus=0,1 stress=1"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), min_size=1))
def test_whatever_is_in_a_value_is_in_the_request_and_nothing_else(texts):
    line = protocol.encode(1, "read", path=texts, other=texts[0])
    assert line.isascii()
    assert b"\n" not in line
    *_, path, other = line.split(b" ")
    found = [urllib.parse.unquote(item) for item in path.removeprefix(b"path=").decode().split(",")]
    assert found == texts
    assert urllib.parse.unquote(other.decode()) == f"other={texts[0]}"


def test_a_path_that_is_not_utf8_stays_what_it_is():
    assert protocol.encode(1, "read", path=os.fsdecode(b"/a\xff")).endswith(b" path=/a%FF")


def test_a_request_that_the_runner_would_not_take_is_not_sent():
    protocol.encode(1, "gate", kernels=["k" * 100] * 600)
    with pytest.raises(TargetError, match="a gate request of 70726 bytes is too long"):
        protocol.encode(1, "gate", kernels=["k" * 100] * 700)


# ---- replies ----


@given(VALUES, NUMBERS)
def test_a_reply_is_its_value(value, number):
    assert protocol.decode(reply(number, value), number) == value


def test_an_error_is_the_runner_s_words():
    error = refused(reply(7, "no kernel x", "error"))
    assert error.message == "no kernel x"
    assert not isinstance(error, protocol.ProtocolError)


def test_an_error_that_no_terminal_can_show_is_made_so_that_it_can():
    assert refused(reply(7, "/a\udcff: gone", "error")).message == "/a\N{REPLACEMENT CHARACTER}: gone"


def test_a_request_that_could_not_be_read_is_said_to_be_that():
    error = refused(reply(0, "a request must be printable ASCII", "error"))
    assert error.message == "the runner could not read a request: a request must be printable ASCII"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"", r"none, or cut: b''"),
        (b"Kernel panic - not syncing", r"none, or cut: b'Kernel panic - not syncing'"),
        (b"rseqbench/1 7 o", r"cut or damaged: b'rseqbench/1 7 o'"),
        (reply(7, [1, 2])[:-1], r"cut or damaged, as its checksum tells: b'rseqbench/1 7 ok"),
        (reply(7, {"ns": 10}).replace(b"10", b"11"), r"cut or damaged, as its checksum tells"),
        (reply(6, 1), r"late or out of order \(number 6 instead of 7\): b'rseqbench/1 6 ok"),
        (reply(6, "no kernel x", "error"), r"late or out of order \(number 6 instead of 7\)"),
        (reply(0, 1), r"late or out of order \(number 0 instead of 7\)"),
        (reply(7, 3, "error"), "an error without words"),
        (reply(7, float("nan")), "not JSON"),
        (reply(7, "µ").replace(b"\\u00b5", "µ".encode()), "not ASCII"),
    ],
)
def test_what_is_wrong_is_said_and_shown(line, message):
    error = refused(line)
    assert isinstance(error, protocol.ProtocolError)
    with pytest.raises(TargetError, match=f"^the runner's reply is {message}"):
        raise error


def test_another_version_is_named():
    for version in (2, 0, 17):
        assert refused(reply(7, 1, version=version)).message == f"the runner speaks rseqbench/{version}, this is 1"
    assert refused(b"rseqbench/2 whatever comes").message == "the runner speaks rseqbench/2, this is 1"


def test_of_a_long_reply_both_ends_are_shown():
    message = refused(reply(6, list(range(10**5)))).message
    assert len(message) < 300
    assert "99998, 99999]' (" in message


@st.composite
def damaged(draw):
    """A line and what may become of it on its way: bytes replaced, inserted, removed, repeated."""
    line = whole = reply(7, draw(VALUES))
    for _ in range(draw(st.integers(1, 3))):
        begin, end = sorted((draw(st.integers(0, len(line))), draw(st.integers(0, len(line)))))
        line = draw(
            st.sampled_from(
                [
                    line[:begin],
                    line[end:],
                    line[:begin] + line[end:],
                    line[:end] + line[begin:],
                    line[:begin] + draw(st.binary(max_size=4)) + line[end:],
                    line[:begin] + draw(st.binary(min_size=1, max_size=2)) + line[begin + 1 :],
                    line[:begin] + bytes([line[begin] ^ 1 << draw(st.integers(0, 7))]) + line[begin + 1 :]
                    if begin < len(line)
                    else line + b" ",
                ]
            )
        )
    return whole, line


@given(damaged())
def test_a_damaged_reply_is_never_another_value(lines):
    whole, line = lines
    assume(line != whole)
    with contextlib.suppress(TargetError):
        assert json.dumps(protocol.decode(line, 7)) == json.dumps(protocol.decode(whole, 7))


@given(st.binary(max_size=200))
def test_garbage_is_an_error(line):
    refused(line)


@contextlib.contextmanager
def conversation(stream):
    """A session whose runner has already said everything it will ever say."""
    read, write = os.pipe()
    with open(os.devnull, "wb") as sink, os.fdopen(read, "rb") as replies:
        with os.fdopen(write, "wb") as pipe:
            pipe.write(stream)
        yield RunnerSession(LineChannel(replies.fileno(), sink.fileno(), "the runner"))


@given(st.lists(VALUES, min_size=1, max_size=6), st.data())
def test_replies_swapped_doubled_or_lost_are_never_taken_for_one_another(values, data):
    whole = [reply(number, value) for number, value in enumerate(values, 1)]
    sent = data.draw(st.lists(st.sampled_from(whole), max_size=8) | st.permutations(whole))
    with conversation(b"".join(line + b"\n" for line in sent)) as session:
        for number, value in enumerate(values, 1):
            try:
                answer = session.ask("time", 5.0)
            except TargetError:
                continue
            assert sent[number - 1] == whole[number - 1]
            assert answer == value


def test_requests_are_numbered_and_answers_belong_to_them():
    with conversation(reply(1, "one") + b"\n" + reply(2, "two") + b"\n") as session:
        assert [session.ask("list", 5.0), session.ask("list", 5.0)] == ["one", "two"]
        with pytest.raises(TargetError, match=r"the runner is gone \(end of stream\)"):
            session.ask("list", 5.0)


# ---- what is made of values ----


def test_kernels_are_described_as_a_worker_does():
    row = {"name": "a/b", "doc": "d", "unavailable": "", "flags": 0x19}
    (kernel,) = protocol.decode_kernels([row])
    assert {name for name, value in kernel.items() if value is True} == {"needs_rseq", "shared", "sequence"}
    assert (kernel["name"], kernel["doc"], kernel["unavailable"]) == ("a/b", "d", "")


def test_every_flag_has_the_bit_of_benchmark_h():
    header = (paths.kernels() / "include" / "benchmark.h").read_text()
    bits = {name.lower(): int(bit, 16) for name, bit in re.findall(r"#define ((?:NEEDS|IS)_\w+) (0x\w+)", header)}
    unlike = {"needs_own_cpus": "own_cpus"}
    bits = {unlike.get(name, name.removeprefix("is_")): bit for name, bit in bits.items() if name != "needs_libc_rseq"}
    for name, bit in bits.items():
        kernel = protocol.describe_benchmark("a/b", "", "", bit)
        assert [key for key, value in kernel.items() if value is True] == [name]
        assert set(kernel) - {"name", "doc", "unavailable"} == set(bits)


@pytest.mark.parametrize("listed", [None, 3, [3], [{}], [{"name": "a/b", "doc": "", "unavailable": "", "flags": "x"}]])
def test_what_is_no_list_of_kernels_is_an_error(listed):
    with pytest.raises(protocol.ProtocolError, match="no list of kernels"):
        protocol.decode_kernels(listed)


@given(st.binary(max_size=50))
def test_a_file_is_its_bytes(data):
    assert protocol.decode_file(base64.b64encode(data).decode()) == data


@pytest.mark.parametrize("answered", [None, 3, "a", "a===", "µ"])
def test_what_is_no_file_is_an_error(answered):
    with pytest.raises(protocol.ProtocolError, match="no file"):
        protocol.decode_file(answered)
