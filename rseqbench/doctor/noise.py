"""Checks of what makes times unsteady: hypervisors, changing frequencies, shared cores, other load."""

from __future__ import annotations

import os

from rseqbench.doctor.finding import Check, Host, as_root, rseqbench_as_root
from rseqbench.errors import RseqbenchError
from rseqbench.host import facts
from rseqbench.host.tuning.record import load_record
from rseqbench.model import Finding

_BUSY = 0.5  # a load average above this means that something else wants a CPU
_NOT_ACCESSIBLE = "not for us to see or set"  # as in most virtual machines
_FULL_ASLR = "2"
_PARANOID = 2  # above it, Debian's Linux gives no counter to users; ours count in user mode only


def check_virtualization(host: Host) -> Finding:
    """Name the hypervisor that this machine runs under."""
    value = facts.detect_virtualization(host.root, host.machine) or "unknown whether one"
    if value in {"none", "unknown whether one"}:
        return Finding("virtual machine", value)
    return Finding(
        "virtual machine", value, "warn", "its neighbours can slow it unseen: for steady times use bare metal"
    )


def check_governor(host: Host) -> Finding:
    """Name the CPU frequency governor; all but "performance" change the clock."""
    value = facts.read_governor(host.root)
    if value in {None, "performance"}:
        return Finding("CPU governor", value or _NOT_ACCESSIBLE)
    return _suggest_tuning("CPU governor", str(value))


def check_turbo(host: Host) -> Finding | None:
    """Say whether frequencies above the nominal one are on; only x86 is expected to have such a setting."""
    value = facts.read_turbo(host.root)
    if value == "on":
        return _suggest_tuning("turbo", value)
    if value is None and host.machine not in facts.X86:
        return None
    return Finding("turbo", value or _NOT_ACCESSIBLE)


def check_smt(host: Host) -> Finding | None:
    """Say whether CPUs share a core with a sibling."""
    value = facts.read_smt(host.root)
    if value == "on":
        return _suggest_tuning("SMT", value)
    return None if value is None and host.machine not in facts.X86 else Finding("SMT", value or _NOT_ACCESSIBLE)


def check_isolated_cpus(host: Host) -> Finding:
    """Name the CPUs that the kernel keeps free of other work: isolcpus and nohz_full."""
    isolated_cpus, tickless = facts.read_isolated_cpus(host.root), facts.read_nohz_full(host.root)
    value = f"{isolated_cpus or 'unknown'}, without ticks: {tickless or 'unknown'}"
    if isolated_cpus != "none":
        return Finding("isolated CPUs", value)
    last = max((facts.count_cpus(host.root) or 1) - 1, 0)
    advice = f"for the steadiest times start Linux with isolcpus={last} nohz_full={last}" if last else ""
    return Finding("isolated CPUs", value, "ok", advice)


def check_load(host: Host) -> Finding:
    """Report the load average of the last minute."""
    value = facts.read_load(host.root)
    if value is None or value <= _BUSY:
        return Finding("load", "unknown" if value is None else f"{value:.2f}")
    return Finding("load", f"{value:.2f}", "warn", "something else is running; see what", "top -b -n 1 | head -15")


def check_aslr(host: Host) -> Finding:
    """Report address space layout randomisation, over which the fresh process of every round averages."""
    value = facts.read_text(host.root, "proc/sys/kernel/randomize_va_space")
    words = {"0": "off", "1": "without the heap", _FULL_ASLR: "full"}
    if value in {"0", "1"}:
        command = as_root("sysctl kernel.randomize_va_space=2")
        return Finding("ASLR", words[value], "warn", "rounds cannot average over memory layouts", command)
    return Finding("ASLR", words.get(value or "", "unknown"))


def check_affinity(host: Host) -> Finding:
    """Count the CPUs that we may use; with a single one no thread can migrate, so aborts are rare."""
    allowed, online = sorted(os.sched_getaffinity(0)), facts.count_cpus(host.root)
    value = f"{len(allowed)} of {online or 'unknown'} online: {','.join(map(str, allowed))}"
    if len(allowed) > 1:
        return Finding("our CPUs", value)
    if online and online > 1:
        command = f"taskset -pc 0-{online - 1} {os.getppid()}"
        return Finding("our CPUs", value, "warn", "checks cannot migrate threads here", command)
    return Finding("our CPUs", value, "warn", "checks cannot migrate threads here: use a larger machine")


def check_counters(host: Host) -> Finding:
    """Name the hardware counters, which nothing here needs but which explain times."""
    devices = host.root / "sys/bus/event_source/devices"
    names = sorted(path.name for pattern in ("cpu*", "arm*") for path in devices.glob(pattern))
    paranoid = facts.read_text(host.root, "proc/sys/kernel/perf_event_paranoid")
    value = f"{', '.join(names) or 'none'} (perf_event_paranoid {paranoid or 'unknown'})"
    if names and os.geteuid() and (paranoid or "").isdecimal() and int(paranoid or 0) > _PARANOID:
        command = as_root(f"sysctl kernel.perf_event_paranoid={_PARANOID}")
        return Finding("hardware counters", value, "warn", "they are not for us: times come without them", command)
    return Finding("hardware counters", value)


def check_tuning(host: Host) -> Finding | None:
    """Report a `doctor --tune` that nobody has undone yet."""
    try:
        record = load_record(host.root)
    except RseqbenchError as error:
        return Finding("tuning", error.message, "warn", error.hint)
    if record is None:
        return None
    words = f"this machine is still tuned since {record.since}"
    return Finding("tuning", words, "warn", "to have it as it was", rseqbench_as_root("doctor --restore"))


def _suggest_tuning(name: str, value: str) -> Finding:
    advice = "this changes it, and writes down what it was for --restore"
    return Finding(name, value, "warn", advice, rseqbench_as_root("doctor --tune"))


CHECKS: tuple[Check, ...] = (
    check_tuning,
    check_virtualization,
    check_governor,
    check_turbo,
    check_smt,
    check_isolated_cpus,
    check_load,
    check_aslr,
    check_affinity,
    check_counters,
)
