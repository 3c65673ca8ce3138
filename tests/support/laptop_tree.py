"""Laptops with settings, laid out as files: a root to tune below, that can be rebooted."""

import json

CPU = "sys/devices/system/cpu"
RECORD = "var/lib/rseqbench/tuned.json"
RATE, ASLR = "proc/sys/kernel/perf_event_max_sample_rate", "proc/sys/kernel/randomize_va_space"


def settings(cpus, driver="intel_pstate"):
    """Return the files of a laptop that saves power, by their names."""
    files = {
        "proc/sys/kernel/random/boot_id": "boot-1",
        RATE: "100000",
        ASLR: "2",
        "proc/irq/default_smp_affinity": "f",
        "proc/irq/1/smp_affinity": "2",
        "proc/irq/24/smp_affinity": "1",
        f"{CPU}/online": f"0-{cpus - 1}",
        f"{CPU}/isolated": "",
        f"{CPU}/nohz_full": "",
        f"{CPU}/smt/active": "1",
        f"{CPU}/smt/control": "on",
    }
    files[f"{CPU}/intel_pstate/no_turbo" if driver == "intel_pstate" else f"{CPU}/cpufreq/boost"] = (
        "0" if driver == "intel_pstate" else "1"
    )
    for cpu in range(cpus):
        files |= {
            f"{CPU}/cpu{cpu}/cpufreq/scaling_driver": driver,
            f"{CPU}/cpu{cpu}/cpufreq/scaling_governor": "powersave" if cpu else "schedutil",
            f"{CPU}/cpu{cpu}/cpufreq/energy_performance_preference": "balance_power",
            f"{CPU}/cpu{cpu}/cpufreq/scaling_min_freq": "800000",
            f"{CPU}/cpu{cpu}/cpufreq/scaling_max_freq": "4000000",
            f"{CPU}/cpu{cpu}/cpufreq/cpuinfo_min_freq": "400000",
            f"{CPU}/cpu{cpu}/cpufreq/cpuinfo_max_freq": "4000000",
        }
    return files


def lay_out(root, files):
    """Write the files below `root`."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")


def seen(root, files):
    """Return what the files say now; None for one that has gone."""
    return {name: (root / name).read_text().strip() if (root / name).exists() else None for name in files}


def recorded(root):
    """Return the record, or None."""
    return json.loads((root / RECORD).read_text()) if (root / RECORD).exists() else None
