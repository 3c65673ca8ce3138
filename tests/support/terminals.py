"""Commands in a pseudo-terminal, and what somebody who sits before it would see."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios

from tests.support.commands import PROGRAM

COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9\d|10\d)(?:;\d+)*m")
_PIECE = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])|\x1b.|([^\x1b])", re.DOTALL)


def in_a_terminal(*arguments, cwd, env=None, columns=90, typed="", until="", then=None):
    """Run in a pseudo-terminal; return the exit code and all that it printed.

    `typed` is on its keyboard from the start. Once `until` was printed, `then` is called with the process.
    """
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env={**os.environ, "TERM": "xterm-256color", **(env or {})},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    os.write(master, typed.encode())
    text = b""
    while True:
        ready, _, _ = select.select([master], [], [], 300)
        try:
            chunk = os.read(master, 65536) if ready else b""
        except OSError:  # the other side is closed
            chunk = b""
        if not chunk:
            break
        text += chunk
        if then and until.encode() in text:
            then(process)
            then = None
    os.close(master)
    return process.wait(), text.decode()


class _Screen:
    """Lines without end, and a cursor: as much of a terminal as rich makes use of."""

    def __init__(self, columns):
        self.lines, self.row, self.column, self.columns = [""], 0, 0, columns

    def put(self, character):
        if character == "\n":
            self.row += 1
        elif character == "\r":
            self.column = 0
        else:
            if self.column == self.columns:
                self.row, self.column = self.row + 1, 0
            self.lines += [""] * (self.row + 1 - len(self.lines))
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1
        self.lines += [""] * (self.row + 1 - len(self.lines))

    def obey(self, number, code):
        if code == "A":
            self.row = max(0, self.row - int(number or 1))
        elif code == "K":
            assert number == "2", number
            self.lines[self.row] = ""
        else:
            assert code in "mhl", code  # colours, and the cursor is shown or not

    def shown(self):
        return [line.rstrip() for line in self.lines if line.strip()]


def frames(text, columns):
    """Return what stood on the terminal, without blank lines, each time before something of it was erased."""
    seen, screen_ = [], _Screen(columns)
    for number, code, character in _PIECE.findall(text):
        if code == "K":
            seen.append(screen_.shown())
        if code:
            screen_.obey(number, code)
        elif character:
            screen_.put(character)
    return [*seen, screen_.shown()]


def screen(text, columns):
    """Return what stands on the terminal, and in its scroll-back, in the end."""
    return frames(text, columns)[-1]
