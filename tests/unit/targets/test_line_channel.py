"""targets/runner/line_channel.py: whole lines; peers that are gone, late, silent, endless or cut; pipe and socket."""

import contextlib
import os
import resource
import socket
import threading

import pytest

from rseqbench.errors import TargetError
from rseqbench.targets.runner.line_channel import LineChannel


class Pair:
    """Lines whose peer is this test: `tell` and `heard` are the peer's ends."""

    def __init__(self, kind, **options):
        if kind == "socket":
            ours, self._peer = socket.socketpair()
            self._ours = [ours]
            reader = writer = ours.fileno()
            self.tell = self.heard = self._peer.fileno()
        else:
            reader, self.tell = os.pipe()
            self.heard, writer = os.pipe()
            self._peer, self._ours = None, [reader, writer]
        self.lines = LineChannel(reader, writer, "the peer", **options)

    def leave(self):
        """The peer goes away."""
        if self._peer is not None:
            self._peer.close()
        else:
            for end in (self.tell, self.heard):
                with contextlib.suppress(OSError):
                    os.close(end)

    def close(self):
        self.leave()
        for end in self._ours:
            end.close() if isinstance(end, socket.socket) else os.close(end)


@pytest.fixture(params=["pipe", "socket"])
def pair(request):
    made = []

    def make(**options):
        made.append(Pair(request.param, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_lines_come_one_by_one_whatever_the_pieces(pair):
    peer = pair()
    os.write(peer.tell, b"one\ntw")
    assert peer.lines.read_line(5) == b"one"
    os.write(peer.tell, b"o\n\nfour\n")
    assert [peer.lines.read_line(5) for _ in range(3)] == [b"two", b"", b"four"]


def test_a_line_is_sent_with_its_newline(pair):
    peer = pair()
    peer.lines.send(b"hello")
    assert os.read(peer.heard, 100) == b"hello\n"


def test_a_line_larger_than_any_buffer_passes_both_ways(pair):
    peer = pair()
    large = bytes(range(11, 256)) * 20000

    def echo():
        left = len(large) + 1
        while left:
            chunk = os.read(peer.heard, 65536)
            left -= len(chunk)
            sent.extend(chunk)
        view = memoryview(bytes(sent))
        while view:
            view = view[os.write(peer.tell, view) :]

    sent = bytearray()
    thread = threading.Thread(target=echo)
    thread.start()
    peer.lines.send(large)
    assert peer.lines.read_line(30) == large
    thread.join()


def test_a_late_answer_is_an_error_with_what_came_of_it(pair):
    peer = pair()
    with pytest.raises(TargetError, match=r"^the peer did not answer within 0\.05 s$"):
        peer.lines.read_line(0.05)
    os.write(peer.tell, b"hal")
    with pytest.raises(TargetError, match=r"^the peer did not answer within 0\.05 s, in the middle of b'hal'$"):
        peer.lines.read_line(0.05)


def test_a_peer_that_does_not_read_is_an_error(pair):
    with pytest.raises(TargetError, match=r"^the peer did not take a request within 0\.05 s$"):
        pair().lines.send(bytes(10 << 20), 0.05)


def test_a_peer_that_is_gone_is_an_error_both_ways(pair):
    peer = pair()
    os.write(peer.tell, b"last\ncut")
    peer.leave()
    assert peer.lines.read_line(5) == b"last"
    with pytest.raises(TargetError, match=r"^the peer is gone \(end of stream\), in the middle of b'cut'$"):
        peer.lines.read_line(5)
    with pytest.raises(TargetError, match=r"^the peer is gone \(Broken pipe\)$"):
        peer.lines.send(b"hello")


def test_the_owner_may_say_why_the_peer_is_gone(pair):
    peer = pair(ended=lambda reason: TargetError(f"panic {reason!r}", "look at the console"))
    os.write(peer.tell, b"cut")
    peer.leave()
    with pytest.raises(TargetError, match=r"^panic '', in the middle of b'cut'; look at the console$"):
        peer.lines.read_line(5)


@pytest.mark.parametrize("text", [b"x" * 11, b"x" * 11 + b"\n"], ids=["endless", "ended"])
def test_a_line_that_is_too_long_is_an_error(pair, text):
    peer = pair(longest=10)
    os.write(peer.tell, b"x" * 10 + b"\n")
    assert peer.lines.read_line(5) == b"x" * 10
    os.write(peer.tell, text)
    with pytest.raises(TargetError, match=r"^the peer sent a line of more than 10 bytes, in the middle of b'x+"):
        peer.lines.read_line(5)


def test_descriptors_may_have_any_number():
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 1200:
        pytest.skip("too few descriptors allowed")
    read, write = os.pipe()
    high = os.dup2(read, 1100)
    os.write(write, b"hello\n")
    assert LineChannel(high, None, "the peer").read_line(5) == b"hello"
    for end in (read, write, high):
        os.close(end)
