"""What Linux and the C library offer a process started now: rseq, who registers it, membarrier."""

from __future__ import annotations

from rseqbench.doctor.finding import Check, Host
from rseqbench.host import facts, rseq_support
from rseqbench.model import Finding

_UNTIL_THEN = "until then the rseq rows say why they are empty"


def linux(host: Host) -> Finding:
    """The release of the running Linux, and its CONFIG_RSEQ where that can be read."""
    release, config = facts.linux(host.root) or "unknown", facts.config_rseq(host.root)
    if config == "n":
        return Finding("Linux", f"{release}, CONFIG_RSEQ=n", "warn", f"start one with CONFIG_RSEQ=y; {_UNTIL_THEN}")
    return Finding("Linux", f"{release}, CONFIG_RSEQ={config}" if config == "y" else f"{release}, CONFIG_RSEQ unknown")


def rseq(host: Host) -> Finding:
    """The rseq system call itself."""
    error = rseq_support.rseq_error()
    if error is None:
        return Finding("rseq", f"not known for {host.machine}", "warn", f"use x86-64 or ARM; {_UNTIL_THEN}")
    if error == "EPERM":
        advice = "a seccomp filter forbids it; in docker: docker run --security-opt seccomp=unconfined"
        return Finding("rseq", error, "warn", f"{advice}; {_UNTIL_THEN}")
    if error:
        advice = "needs Linux 4.18 or newer with CONFIG_RSEQ=y, and no qemu-user"
        return Finding("rseq", error, "warn", f"{advice}; {_UNTIL_THEN}")
    return Finding("rseq", "the system call is there")


def registration(host: Host) -> Finding:
    """Who registers the rseq area of a process."""
    libc, size = facts.libc() or "the C library", rseq_support.libc_rseq_size()
    if size:
        return Finding("registration", f"{libc} registers: __rseq_size is {size}")
    why = "knows no rseq" if size is None else "did not register: __rseq_size is 0"
    who = "rseqbench registers itself" if rseq_support.rseq_error() == "" else "nobody can"
    return Finding("registration", f"{libc} {why}; {who}")


def features(host: Host) -> Finding:
    """How much of the rseq area the running Linux fills."""
    size, align = (
        rseq_support.auxiliary(rseq_support.AT_RSEQ_FEATURE_SIZE),
        rseq_support.auxiliary(rseq_support.AT_RSEQ_ALIGN),
    )
    if not size:
        return Finding("rseq features", "no AT_RSEQ_FEATURE_SIZE", "warn", "node_id and mm_cid need Linux 6.3 or newer")
    return Finding("rseq features", f"AT_RSEQ_FEATURE_SIZE {size}, AT_RSEQ_ALIGN {align}")


def membarrier(host: Host) -> Finding:
    """The membarrier commands that a writer can wait for readers with."""
    commands = rseq_support.membarrier_commands()
    if commands is None:
        return Finding("membarrier", f"not known for {host.machine}")
    names = {
        "private expedited": rseq_support.PRIVATE_EXPEDITED,
        "private expedited rseq": rseq_support.PRIVATE_EXPEDITED_RSEQ,
    }
    offered = ", ".join(name for name, bit in names.items() if commands & bit)
    if not commands & rseq_support.PRIVATE_EXPEDITED:
        return Finding(
            "membarrier", offered or "none", "warn", "rcu needs Linux 4.14 or newer with CONFIG_MEMBARRIER=y"
        )
    return Finding("membarrier", offered)


CHECKS: tuple[Check, ...] = (linux, rseq, registration, features, membarrier)
