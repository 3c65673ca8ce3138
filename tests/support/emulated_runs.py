"""A run on an emulated arm32 board, in instructions."""

from __future__ import annotations

from tests.support.simulated_runs import Simulation

COSTS = {
    "cpu_id/baseline": 2,
    "cpu_id/rseq": 3,
    "cpu_id/sched_getcpu": 27,
    "cpu_id/sched_getcpu_norseq": 160,
    "counter/getcpu_atomic": 143,
    "counter/rseq": 11,
    "counter/rseq_atomic": 9,
    "ring_buffer/getcpu_atomic": 168,
    "ring_buffer/rseq": 37,
    "rcu/getcpu_atomic": 293,
    "rcu/rseq": 28,
    "rcu/rseq_atomic": 25,
    "freelist/getcpu_cas": 1234567,
    "freelist/rseq": 22,
    "control/placed_0": 11,
    "control/placed_16": 11,
}
FACTS = {
    "cpu": "linux,dummy-virt",
    "cpus": 1,
    "linux": "6.1.0-50-armmp-lpae",
    "libc": "glibc 2.36",
    "virtual": "qemu",
    "load_1min": 3.0,
    "emulator": "qemu-system-arm 7.2.22, virt with cortex-a15",
    "linux_package": "linux-image-6.1.0-50-armmp-lpae 6.1.176-1",
    "check_cpus": 2,
}


A32 = Simulation(
    "a32", COSTS, rounds=10, spread=0, arch="arm32", timing="emulated", target="qemu-system", facts=FACTS, skips=(),
    interrupted=2, preset="quick",
)  # fmt: skip
