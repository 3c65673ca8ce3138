"""Commands for gdb that step over restartable sequences: `(gdb) source kernels/debug/rseq_gdb.py`.

gdb's own stepi, step and next never leave a sequence: each step stops the thread inside it, and Linux then continues at
the abort handler, which starts the sequence anew. `rseq-stepi` and `rseq-next` run a whole sequence at once. They know
sequences by the sections __rseq_cs_ptr_array and __rseq_exit_point_array of the program and its libraries, in the
format of librseq. Of an object without these sections they know nothing, and behave as stepi and next do.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import gdb

_SECTION = re.compile(r"^\s*(0x[0-9a-f]+) - (0x[0-9a-f]+) is (__rseq_cs_ptr_array|__rseq_exit_point_array)\b", re.M)
_DESCRIPTOR = "<IIQQQ"  # struct rseq_cs: version, flags, start_ip, post_commit_offset, abort_ip


@dataclass
class Critical:
    """A sequence from `start` up to but not including `end`, and the addresses outside where it may go on."""

    start: int
    end: int
    exits: set[int]


def words(begin: int, size: int) -> tuple[int, ...]:
    """Return the 64-bit words in the memory of the program."""
    memory = gdb.selected_inferior().read_memory(begin, size)
    return struct.unpack(f"<{size // 8}Q", memory)


def sequences() -> list[Critical]:
    """Return the sequences of all loaded objects, in any order."""
    found: dict[int, Critical] = {}
    exits: list[tuple[int, int]] = []
    for begin, end, name in _SECTION.findall(gdb.execute("info files", to_string=True)):
        values = words(int(begin, 16), int(end, 16) - int(begin, 16))
        if name == "__rseq_exit_point_array":
            exits += zip(values[::2], values[1::2], strict=True)
            continue
        for address in values:
            memory = gdb.selected_inferior().read_memory(address, struct.calcsize(_DESCRIPTOR))
            _, _, start, length, abort = struct.unpack(_DESCRIPTOR, memory)
            found[start] = Critical(start, start + length, {start + length, abort})
    for start, address in exits:
        if start in found:
            found[start].exits.add(address)
    return list(found.values())


def entered(known: Sequence[Critical], pc: int) -> Critical | None:
    """Return which of the known sequences the next instruction belongs to or leads into, else None.

    A thread that has stopped at a sequence's first instruction is aborted already. So a sequence has to be entered and
    left without a stop, from the instruction in front of it, which announces it.
    """
    behind = pc + gdb.selected_frame().architecture().disassemble(pc)[0]["length"]
    return next((one for one in known if one.start <= pc < one.end or behind == one.start), None)


def step(known: Sequence[Critical], instruction: str) -> None:
    """Run one instruction, by the command `instruction`, or a whole sequence of those known."""
    sequence = entered(known, gdb.selected_frame().pc())
    if sequence is None:
        gdb.execute(instruction, to_string=True)
        return
    stops = [gdb.Breakpoint(f"*{address:#x}", internal=True, temporary=True) for address in sorted(sequence.exits)]
    try:
        gdb.execute("continue", to_string=True)
    finally:
        for stop in stops:
            if stop.is_valid():
                stop.delete()


class StepInstruction(gdb.Command):
    """rseq-stepi [N]: step N instructions; a restartable sequence counts as one."""

    def __init__(self) -> None:
        """Give gdb the command."""
        super().__init__("rseq-stepi", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Step, and print where the thread is."""
        known = sequences()
        for _ in range(int(gdb.parse_and_eval(argument)) if argument else 1):
            step(known, "stepi")
        gdb.execute("x/i $pc")


class Next(gdb.Command):
    """rseq-next: step to another source line, over calls and restartable sequences."""

    def __init__(self) -> None:
        """Give gdb the command."""
        super().__init__("rseq-next", gdb.COMMAND_RUNNING)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Step, and print where the thread is."""
        known, line = sequences(), gdb.selected_frame().find_sal().line
        step(known, "nexti")
        while line and gdb.selected_frame().find_sal().line == line:
            step(known, "nexti")
        gdb.execute("frame")


StepInstruction()
Next()
