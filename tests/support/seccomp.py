"""Run a command on a Linux that refuses rseq(2): python seccomp.py ERRNO COMMAND...  Needs no privileges.

A filter of seccomp(2) answers the system call in Linux's place; it is inherited by everything the command starts.
"""

import ctypes
import errno
import os
import platform
import sys

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF: ld w abs, jeq k, ret k
RET_ERRNO, RET_ALLOW = 0x00050000, 0x7FFF0000
NUMBER_AT, ARCH_AT = 0, 4  # in struct seccomp_data
RSEQ = {"x86_64": (0xC000003E, 334), "aarch64": (0xC00000B7, 293)}  # AUDIT_ARCH_*, the number of rseq


class Instruction(ctypes.Structure):
    """struct sock_filter."""

    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32)]


class Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction))]


def refuse_rseq(code):
    """Make rseq(2) fail with errno `code` in this process and all that it starts."""
    arch, number = RSEQ[platform.machine()]
    rules = (Instruction * 6)(
        Instruction(LOAD_WORD, 0, 0, ARCH_AT),
        Instruction(JUMP_IF_EQUAL, 0, 3, arch),
        Instruction(LOAD_WORD, 0, 0, NUMBER_AT),
        Instruction(JUMP_IF_EQUAL, 0, 1, number),
        Instruction(RETURN, 0, 0, RET_ERRNO | code),
        Instruction(RETURN, 0, 0, RET_ALLOW),
    )
    libc = ctypes.CDLL(None, use_errno=True)
    program = Program(len(rules), rules)
    for arguments in ((PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    refuse_rseq(getattr(errno, sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
