"""Runs of two built kernels, with CONFIG_RSEQ=n and =y, as guests have them."""

from __future__ import annotations

import dataclasses
import json

from rseqbench.model import Skip
from rseqbench.support.attachments import KernelSizes
from tests.support.simulated_runs import FACTS, Simulation

# As `size` has Linux 6.12 in one small configuration; its .text is padded to 2 MiB, so that it stays as it is.
N_SIZES = KernelSizes(
    6595469, 2025968, 0, {".text": 6291456, ".data": 925932}, {"t __schedule": 1367, "d init_task": 6464}
)
Y_SIZES = KernelSizes(
    6595689,
    2026032,
    0,
    {".text": 6291456, ".data": 925996},
    {"t __schedule": 1636, "t __rseq_handle_notify_resume": 837, "T __x64_sys_rseq": 389, "d init_task": 6528},
)
COUNTS = {
    "cpu_id/baseline": 2.0,
    "counter/plain": 3.0,
    "hackbench/processes": 226_506_025.0,
    "linux/pipe_one_cpu": 6695.0,
    "linux/yield": 530.0,
    "linux/pipe_two_cpus": 1.0,
}
TWO_CPUS = (Skip("linux/pipe_two_cpus", 1, "needs two CPUs, and there is one"),)


def beside(sizes, rseq):
    return {"sizes.json": json.dumps(dataclasses.asdict(sizes)), "linux.config": f"CONFIG_RSEQ={rseq}\n"}


def facts(rseq):
    known = {"linux_build": rseq, "linux_source": "linux-source-6.12 6.12.117-1", "linux_base": "small"}
    return {**FACTS, **known, "config_rseq": rseq, "emulator": "qemu-system-x86_64 7.2.22"}


N = Simulation(
    "config-n",
    COUNTS,
    rounds=10,
    boots=5,
    timing="emulated",
    target="qemu-system",
    facts=facts("n"),
    skips=TWO_CPUS,
    hackbench="-l 100 -g 2",
    attached=beside(N_SIZES, "n"),
    interrupted=2,
    spread=0.0,
)
Y = dataclasses.replace(
    N,
    label="config-y",
    costs={**COUNTS, "linux/pipe_one_cpu": 6795.0},
    facts=facts("y"),
    attached=beside(Y_SIZES, "y"),
)
REGISTERED = dataclasses.replace(
    Y, label="config-y-registered", costs={**COUNTS, "linux/pipe_one_cpu": 6989.0, "counter/rseq": 8.0}, interrupted=1
)
