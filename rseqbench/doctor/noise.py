"""What makes times unsteady: hypervisors, changing frequencies, shared cores, other load."""

from __future__ import annotations

import os

from rseqbench.doctor.finding import Check, Host, as_root, ourselves
from rseqbench.errors import RseqbenchError
from rseqbench.host import facts, tuning
from rseqbench.model import Finding

_BUSY = 0.5  # a load average above this means that something else wants a CPU
_NOT_OURS = "not for us to see or set"  # as in most virtual machines
_FULL_ASLR = "2"
_PARANOID = 2  # above it, Debian's Linux gives no counter to users; ours count in user mode only


def virtual(host: Host) -> Finding:
    """The hypervisor under us."""
    value = facts.virtual(host.root, host.machine) or "unknown whether one"
    if value in {"none", "unknown whether one"}:
        return Finding("virtual machine", value)
    return Finding(
        "virtual machine", value, "warn", "its neighbours can slow it unseen: for steady times use bare metal"
    )


def governor(host: Host) -> Finding:
    """The CPU frequency governor."""
    value = facts.governor(host.root)
    if value in {None, "performance"}:
        return Finding("CPU governor", value or _NOT_OURS)
    return _tunable("CPU governor", str(value))


def turbo(host: Host) -> Finding | None:
    """Frequencies above the nominal one; where there is no such setting, only x86 is expected to have it."""
    value = facts.turbo(host.root)
    if value == "on":
        return _tunable("turbo", value)
    if value is None and host.machine not in facts.X86:
        return None
    return Finding("turbo", value or _NOT_OURS)


def smt(host: Host) -> Finding | None:
    """Whether CPUs share a core with a sibling."""
    value = facts.smt(host.root)
    if value == "on":
        return _tunable("SMT", value)
    return None if value is None and host.machine not in facts.X86 else Finding("SMT", value or _NOT_OURS)


def isolated(host: Host) -> Finding:
    """The CPUs that Linux leaves to us: isolcpus and nohz_full."""
    isolated_cpus, tickless = facts.isolated_cpus(host.root), facts.nohz_full(host.root)
    value = f"{isolated_cpus or 'unknown'}, without ticks: {tickless or 'unknown'}"
    if isolated_cpus != "none":
        return Finding("isolated CPUs", value)
    last = max((facts.cpus(host.root) or 1) - 1, 0)
    advice = f"for the steadiest times start Linux with isolcpus={last} nohz_full={last}" if last else ""
    return Finding("isolated CPUs", value, "ok", advice)


def load(host: Host) -> Finding:
    """The load average of the last minute."""
    value = facts.load_1min(host.root)
    if value is None or value <= _BUSY:
        return Finding("load", "unknown" if value is None else f"{value:.2f}")
    return Finding("load", f"{value:.2f}", "warn", "something else is running; see what", "top -b -n 1 | head -15")


def layout(host: Host) -> Finding:
    """Address space layout randomisation, over which the fresh process of every round averages."""
    value = facts.read(host.root, "proc/sys/kernel/randomize_va_space")
    words = {"0": "off", "1": "without the heap", _FULL_ASLR: "full"}
    if value in {"0", "1"}:
        command = as_root("sysctl kernel.randomize_va_space=2")
        return Finding("ASLR", words[value], "warn", "rounds cannot average over memory layouts", command)
    return Finding("ASLR", words.get(value or "", "unknown"))


def affinity(host: Host) -> Finding:
    """The CPUs that we may use; with a single one no thread can be migrated, so aborts are rare."""
    ours, online = sorted(os.sched_getaffinity(0)), facts.cpus(host.root)
    value = f"{len(ours)} of {online or 'unknown'} online: {','.join(map(str, ours))}"
    if len(ours) > 1:
        return Finding("our CPUs", value)
    if online and online > 1:
        command = f"taskset -pc 0-{online - 1} {os.getppid()}"
        return Finding("our CPUs", value, "warn", "checks cannot migrate threads here", command)
    return Finding("our CPUs", value, "warn", "checks cannot migrate threads here: use a larger machine")


def counters(host: Host) -> Finding:
    """Hardware counters, which nothing here needs but which explain times."""
    devices = host.root / "sys/bus/event_source/devices"
    there = sorted(path.name for pattern in ("cpu*", "arm*") for path in devices.glob(pattern))
    paranoid = facts.read(host.root, "proc/sys/kernel/perf_event_paranoid")
    value = f"{', '.join(there) or 'none'} (perf_event_paranoid {paranoid or 'unknown'})"
    if there and os.geteuid() and (paranoid or "").isdecimal() and int(paranoid or 0) > _PARANOID:
        command = as_root(f"sysctl kernel.perf_event_paranoid={_PARANOID}")
        return Finding("hardware counters", value, "warn", "they are not for us: times come without them", command)
    return Finding("hardware counters", value)


def tuned(host: Host) -> Finding | None:
    """Whether a `doctor --tune` is still to be undone."""
    try:
        kept = tuning.pending(host.root)
    except RseqbenchError as error:
        return Finding("tuning", error.message, "warn", error.hint)
    if kept is None:
        return None
    words = f"this machine is still tuned since {kept.since}"
    return Finding("tuning", words, "warn", "to have it as it was", ourselves("doctor --restore"))


def _tunable(name: str, value: str) -> Finding:
    advice = "this changes it, and writes down what it was for --restore"
    return Finding(name, value, "warn", advice, ourselves("doctor --tune"))


CHECKS: tuple[Check, ...] = (tuned, virtual, governor, turbo, smt, isolated, load, layout, affinity, counters)
