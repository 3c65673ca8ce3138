"""Checks of what the kernel and the C library offer a new process: rseq, its registration, membarrier."""

from __future__ import annotations

from rseqbench.doctor.finding import Check, Host
from rseqbench.host import facts, rseq_support
from rseqbench.model import Finding

_UNTIL_THEN = "until then the rseq rows say why they are empty"


def check_kernel(host: Host) -> Finding:
    """Report the release of the running kernel, and its CONFIG_RSEQ where that can be read."""
    release, config = facts.read_kernel_release(host.root) or "unknown", facts.read_config_rseq(host.root)
    if config == "n":
        return Finding("Linux", f"{release}, CONFIG_RSEQ=n", "warn", f"start one with CONFIG_RSEQ=y; {_UNTIL_THEN}")
    return Finding("Linux", f"{release}, CONFIG_RSEQ={config}" if config == "y" else f"{release}, CONFIG_RSEQ unknown")


def check_rseq(host: Host) -> Finding:
    """Try the rseq system call."""
    error = rseq_support.probe_rseq()
    if error is None:
        return Finding("rseq", f"not known for {host.machine}", "warn", f"use x86-64 or ARM; {_UNTIL_THEN}")
    if error == "EPERM":
        advice = "a seccomp filter forbids it; in docker: docker run --security-opt seccomp=unconfined"
        return Finding("rseq", error, "warn", f"{advice}; {_UNTIL_THEN}")
    if error:
        advice = "needs Linux 4.18 or newer with CONFIG_RSEQ=y, and no qemu-user"
        return Finding("rseq", error, "warn", f"{advice}; {_UNTIL_THEN}")
    return Finding("rseq", "the system call is there")


def check_registration(host: Host) -> Finding:
    """Name who registers the rseq area of a process."""
    libc, size = facts.read_libc_version() or "the C library", rseq_support.read_libc_rseq_size()
    if size:
        return Finding("registration", f"{libc} registers: __rseq_size is {size}")
    why = "knows no rseq" if size is None else "did not register: __rseq_size is 0"
    who = "rseqbench registers itself" if rseq_support.probe_rseq() == "" else "nobody can"
    return Finding("registration", f"{libc} {why}; {who}")


def check_rseq_features(host: Host) -> Finding:
    """Report how much of the rseq area the running kernel fills."""
    size = rseq_support.read_auxiliary_vector(rseq_support.AT_RSEQ_FEATURE_SIZE)
    align = rseq_support.read_auxiliary_vector(rseq_support.AT_RSEQ_ALIGN)
    if not size:
        return Finding("rseq features", "no AT_RSEQ_FEATURE_SIZE", "warn", "node_id and mm_cid need Linux 6.3 or newer")
    return Finding("rseq features", f"AT_RSEQ_FEATURE_SIZE {size}, AT_RSEQ_ALIGN {align}")


def check_membarrier(host: Host) -> Finding:
    """Name the membarrier commands with which a writer can wait for readers."""
    commands = rseq_support.query_membarrier()
    if commands is None:
        return Finding("membarrier", f"not known for {host.machine}")
    names = {
        "private expedited": rseq_support.PRIVATE_EXPEDITED,
        "private expedited rseq": rseq_support.PRIVATE_EXPEDITED_RSEQ,
    }
    supported = ", ".join(name for name, bit in names.items() if commands & bit)
    if not commands & rseq_support.PRIVATE_EXPEDITED:
        return Finding(
            "membarrier", supported or "none", "warn", "rcu needs Linux 4.14 or newer with CONFIG_MEMBARRIER=y"
        )
    return Finding("membarrier", supported)


CHECKS: tuple[Check, ...] = (check_kernel, check_rseq, check_registration, check_rseq_features, check_membarrier)
