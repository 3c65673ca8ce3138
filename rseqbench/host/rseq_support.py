"""Ask the kernel and the C library what they offer this process: rseq, membarrier, the auxiliary vector."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys

from rseqbench.model import Registration

AT_RSEQ_FEATURE_SIZE = 27
AT_RSEQ_ALIGN = 28

# membarrier commands, as bits of what MEMBARRIER_CMD_QUERY returns
PRIVATE_EXPEDITED = 1 << 3
PRIVATE_EXPEDITED_RSEQ = 1 << 7

_SYSCALLS = {  # the numbers of rseq and membarrier
    "x86_64": (334, 324),
    "i386": (386, 375),
    "aarch64": (293, 283),
    "arm": (398, 389),
}
_RSEQ_FLAG_UNREGISTER = 1
_TUNABLE = "glibc.pthread.rseq"


def _syscall_numbers() -> tuple[int, int] | None:
    """Return the system call numbers of this process, which on a 64-bit Linux may still be a 32-bit one."""
    wide = sys.maxsize > 2**32
    machine = platform.machine()
    if machine in {"x86_64", "amd64"} or machine.endswith("86"):
        return _SYSCALLS["x86_64" if wide else "i386"]
    if machine.startswith(("aarch64", "arm")):
        return _SYSCALLS["aarch64" if wide else "arm"]
    return None


def _syscall(number: int, *arguments: int) -> tuple[int, int]:
    """Return what the system call returned, and errno where it failed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    ctypes.set_errno(0)
    result = int(libc.syscall(ctypes.c_long(number), *(ctypes.c_long(argument) for argument in arguments)))
    return result, ctypes.get_errno() if result == -1 else 0


def probe_rseq() -> str | None:
    """Return why there is no rseq system call, as in "ENOSYS" or "EPERM"; "" if there is one, None if we cannot ask."""
    numbers = _syscall_numbers()
    if numbers is None:
        return None
    _, code = _syscall(
        numbers[0], 0, 0, _RSEQ_FLAG_UNREGISTER, 0
    )  # unregisters no area: EINVAL, whatever is registered
    return "" if code == errno.EINVAL else errno.errorcode.get(code, str(code))


def query_membarrier() -> int | None:
    """Return the membarrier commands that Linux offers, as bits; 0 for none, None if we cannot ask."""
    numbers = _syscall_numbers()
    if numbers is None:
        return None
    commands, _ = _syscall(numbers[1], 0, 0, 0)
    return max(commands, 0)


def read_libc_rseq_size() -> int | None:
    """Return the C library's __rseq_size, 0 when it registered no area; None for one that knows no rseq."""
    try:
        return ctypes.c_uint.in_dll(ctypes.CDLL(None), "__rseq_size").value
    except ValueError:
        return None


def read_auxiliary_vector(entry: int) -> int | None:
    """Return a number from the auxiliary vector, 0 when Linux passed none; None for a C library that cannot tell."""
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except AttributeError:
        return None
    getauxval.restype = ctypes.c_ulong
    getauxval.argtypes = [ctypes.c_ulong]
    return int(getauxval(entry))


def make_environment(registration: str) -> dict[str, str]:
    """Return our environment with the tunable that makes a registration possible (glibc 2.35 and newer)."""
    environment = dict(os.environ)
    if registration != "auto":
        others = [t for t in environment.get("GLIBC_TUNABLES", "").split(":") if t and not t.startswith(_TUNABLE)]
        choice = f"{_TUNABLE}={int(registration == Registration.GLIBC)}"
        environment["GLIBC_TUNABLES"] = ":".join([*others, choice])
    return environment
