"""rseqbench/host/facts.py on laid-out /proc and /sys trees: whole machines, missing files, garbage."""

import contextlib
import gzip
from fnmatch import fnmatch
from pathlib import Path

import pytest

from rseqbench import selection
from rseqbench.host import facts
from rseqbench.model import Virtualization

XEON = """\
processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 63
model name\t: Intel(R) Xeon(R) CPU E5-2630 v3 @ 2.40GHz
stepping\t: 2
flags\t\t: fpu tsc rdtscp {flags}
bugs\t\t: spectre_v1

processor\t: 1
model name\t: the second one is not asked
"""
CUBIETRUCK = """\
processor\t: 0
model name\t: ARMv7 Processor rev 4 (v7l)
Features\t: half thumb neon vfpv4

processor\t: 1
model name\t: ARMv7 Processor rev 4 (v7l)

Hardware\t: Allwinner sun7i (A20) Family
"""
NEOVERSE = """\
processor\t: 0
Features\t: fp asimd atomics
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x3
CPU part\t: 0xd0c
CPU revision\t: 1
"""
CPUS = "sys/devices/system/cpu"
CLOCKS = "sys/devices/system/clocksource/clocksource0"


@pytest.fixture
def tree(tmp_path):
    """Return a function that writes files under a root and returns that root."""

    def write(files):
        for name, content in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return tmp_path

    return write


def test_whole_x86_machine(tree):
    root = tree(
        {
            "proc/cpuinfo": XEON.format(flags="rdpid"),
            "proc/loadavg": "1.25 0.50 0.10 1/82 4662\n",
            "proc/sys/kernel/osrelease": "6.1.0-13-amd64\n",
            "boot/config-6.1.0-13-amd64": "CONFIG_MMU=y\nCONFIG_RSEQ=y\n",
            f"{CPUS}/online": "0-15\n",
            f"{CPUS}/isolated": "14-15\n",
            f"{CPUS}/smt/active": "1\n",
            f"{CPUS}/intel_pstate/no_turbo": "0\n",
            f"{CPUS}/cpu0/cpufreq/scaling_governor": "powersave\n",
            f"{CPUS}/cpu1/cpufreq/scaling_governor": "powersave\n",
            f"{CLOCKS}/current_clocksource": "tsc\n",
        }
    )
    found = facts.collect_facts(root, "x86_64").to_dict()
    own = {name: found.pop(name) for name in ("libc", "page_size", "python", "pyperf")}
    assert found == {
        "cpu": "Intel(R) Xeon(R) CPU E5-2630 v3 @ 2.40GHz",
        "cpu_model": "family 6, model 63, stepping 2",
        "cpus": 16,
        "linux": "6.1.0-13-amd64",
        "config_rseq": "y",
        "virtual": "none",
        "governor": "powersave",
        "smt": "on",
        "turbo": "on",
        "load_1min": 1.25,
        "isolated_cpus": "14-15",
        "vdso_getcpu": "rdpid",
        "clocksource": "tsc",
    }
    assert own["page_size"] >= 4096


def test_arm_board_is_named_by_its_device_tree(tree):
    root = tree({"proc/cpuinfo": CUBIETRUCK, "proc/device-tree/model": b"Cubietech Cubietruck\0"})
    found = facts.collect_facts(root, "armv7l").to_dict()
    assert found["cpu"] == "Cubietech Cubietruck"
    assert found["cpus"] == 2
    assert found["vdso_getcpu"] == "none"
    assert found["virtual"] == "none"
    assert "smt" not in found
    assert "turbo" not in found


@pytest.mark.parametrize(
    ("cpuinfo", "name"),
    [
        (CUBIETRUCK, "ARMv7 Processor rev 4 (v7l)"),
        (NEOVERSE, "ARM implementer 0x41, part 0xd0c"),
        ("processor\t: 0\nFeatures\t: fp\n", None),
    ],
)
def test_arm_without_device_tree(tree, cpuinfo, name):
    assert facts.read_cpu_name(tree({"proc/cpuinfo": cpuinfo})) == name


@pytest.mark.parametrize(
    ("cpuinfo", "model"),
    [
        (XEON, "family 6, model 63, stepping 2"),
        (NEOVERSE, "implementer 0x41, part 0xd0c, variant 0x3, revision 1"),
        ("cpu family\t: 25\nmodel name\t: AMD EPYC\n", "family 25"),
        (CUBIETRUCK, None),
        ("", None),
    ],
)
def test_the_model_of_a_cpu_is_told_in_its_maker_s_numbers(tree, cpuinfo, model):
    assert facts.read_cpu_model(tree({"proc/cpuinfo": cpuinfo})) == model


@pytest.mark.parametrize("machine", ["x86_64", "armv7l", "aarch64", "riscv64"])
def test_nothing_is_made_up_on_an_empty_tree(tmp_path, machine):
    found = facts.collect_facts(tmp_path, machine).to_dict()
    expected = {"config_rseq", "libc", "page_size", "python", "pyperf"}
    assert set(found) == (expected if machine == "x86_64" else expected | {"vdso_getcpu"})
    assert found["config_rseq"] == "unknown"


@pytest.mark.parametrize("garbage", [b"", b"\0", b"\xff\xfe\x00garbage", b"-\n", b"3-0\n", b": : :\n"])
def test_garbage_is_no_fact(tree, garbage):
    names = [
        "proc/loadavg",
        "proc/config.gz",
        f"{CPUS}/online",
        f"{CPUS}/smt/active",
        f"{CPUS}/intel_pstate/no_turbo",
        f"{CPUS}/cpufreq/boost",
    ]
    root = tree(dict.fromkeys(names, garbage))
    found = facts.collect_facts(root, "x86_64").to_dict()
    assert not found.keys() & {"load_1min", "cpus", "smt", "turbo"}
    assert found["config_rseq"] == "unknown"


def test_a_folder_in_place_of_a_file_is_no_fact(tmp_path):
    (tmp_path / "proc/loadavg").mkdir(parents=True)
    (tmp_path / "proc/cpuinfo").mkdir()
    assert facts.read_load(tmp_path) is None
    assert facts.read_cpu_name(tmp_path) is None


def test_the_facts_of_this_machine_are_storable_and_do_not_name_it():
    found = facts.collect_facts().to_dict()
    assert {"cpu", "cpus", "linux", "config_rseq", "page_size", "python", "pyperf"} <= found.keys()
    assert all(isinstance(value, str | int | float | bool) for value in found.values())
    assert "hostname" not in found


@pytest.mark.parametrize(
    ("text", "config"),
    [
        ("CONFIG_MMU=y\nCONFIG_RSEQ=y\n", "y"),
        ("CONFIG_MMU=y\n# CONFIG_RSEQ is not set\n", "n"),
        ("CONFIG_MMU=y\nCONFIG_HAVE_RSEQ=y\nCONFIG_DEBUG_RSEQ=y\n", "n"),
        ("not a configuration\n", "unknown"),
    ],
)
def test_config_rseq(tree, text, config):
    root = tree({"proc/config.gz": gzip.compress(text.encode())})
    assert facts.read_config_rseq(root) == config


def test_config_rseq_falls_back_to_boot_when_proc_is_damaged(tree):
    whole = gzip.compress(b"CONFIG_RSEQ=y\n" * 100)
    boot = {"proc/sys/kernel/osrelease": "6.1.0\n", "boot/config-6.1.0": "CONFIG_MMU=y\n"}
    for damaged in (whole[:20], whole[:12] + b"\xff" * 10 + whole[22:], b"\x1f\x8b"):
        assert facts.read_config_rseq(tree({**boot, "proc/config.gz": damaged})) == "n"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("", ()), ("0", (0,)), ("0-3,8\n", (0, 1, 2, 3, 8)), ("3-1", None), ("a", None), ("0-", None), ("9999999", None)],
)
def test_cpu_list(text, numbers):
    assert selection.parse_cpu_list(text) == numbers


DMI = "sys/class/dmi/id"


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({}, "unknown"),
        ({f"{CLOCKS}/available_clocksource": "tsc kvm-clock\n"}, "kvm"),
        ({f"{CLOCKS}/available_clocksource": "tsc hpet acpi_pm\n"}, "unknown"),
        ({f"{DMI}/sys_vendor": "QEMU\n"}, "qemu"),
        ({f"{DMI}/sys_vendor": "Microsoft Corporation\n", f"{DMI}/product_name": "Virtual Machine\n"}, "hyperv"),
        ({f"{DMI}/sys_vendor": "VMware, Inc.\n", f"{DMI}/product_name": "VMware Virtual Platform\n"}, "vmware"),
        ({f"{DMI}/sys_vendor": "innotek GmbH\n", f"{DMI}/product_name": "VirtualBox\n"}, "virtualbox"),
        ({"sys/hypervisor/type": "xen\n"}, "xen"),
    ],
)
def test_virtual_on_x86(tree, files, name):
    assert (
        facts.detect_virtualization(tree({"proc/cpuinfo": XEON.format(flags="hypervisor"), **files}), "x86_64") == name
    )


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.4\0"}, "none"),
        ({"proc/device-tree/compatible": b"linux,dummy-virt\0"}, "qemu"),
        ({"proc/device-tree/compatible": b"linux,dummy-virt\0", "proc/cpuinfo": "BogoMIPS\t: 50.00\n"}, "qemu"),
        (
            {"proc/device-tree/compatible": b"linux,dummy-virt\0", "proc/cpuinfo": "BogoMIPS\t: 125.00\n"},
            Virtualization.EMULATED,
        ),
        ({"proc/device-tree/model": b"A board at 62.5 MHz\0", "proc/cpuinfo": "BogoMIPS\t: 125.00\n"}, "none"),
        ({"proc/device-tree/hypervisor/compatible": b"xen,xen-4.17\0xen,xen\0"}, "xen"),
        ({f"{DMI}/sys_vendor": "Amazon EC2\n", f"{DMI}/product_name": "m6g.large\n"}, "kvm"),
        ({f"{DMI}/sys_vendor": "Amazon EC2\n", f"{DMI}/product_name": "m6g.metal\n"}, "none"),
        ({}, None),
    ],
)
def test_virtual_on_arm(tree, files, name):
    assert facts.detect_virtualization(tree(files), "aarch64") == name


def test_virtual_needs_the_flags_on_x86(tree):
    assert facts.detect_virtualization(tree({f"{DMI}/sys_vendor": "QEMU\n"}), "x86_64") is None


def test_governors_that_differ_are_all_named(tree):
    files = {f"{CPUS}/cpu{n}/cpufreq/scaling_governor": g for n, g in enumerate(["schedutil", "performance", ""])}
    assert facts.read_governor(tree(files)) == "performance,schedutil"


@pytest.mark.parametrize(
    ("file", "text", "state"),
    [
        ("intel_pstate/no_turbo", "0", "on"),
        ("intel_pstate/no_turbo", "1", "off"),
        ("cpufreq/boost", "0", "off"),
        ("cpufreq/boost", "1", "on"),
    ],
)
def test_turbo(tree, file, text, state):
    assert facts.read_turbo(tree({f"{CPUS}/{file}": text})) == state


@pytest.mark.parametrize(("text", "cpus"), [("\n", "none"), ("2-3\n", "2-3"), ("(null)\n", "none"), ("??", None)])
def test_nohz_full(tree, text, cpus):
    assert facts.read_nohz_full(tree({f"{CPUS}/nohz_full": text})) == cpus


@pytest.mark.parametrize(("text", "cpus"), [("\n", "none"), ("1,3\n", "1,3"), ("??", None)])
def test_isolated_cpus(tree, text, cpus):
    assert facts.read_isolated_cpus(tree({f"{CPUS}/isolated": text})) == cpus


@pytest.mark.parametrize(
    ("machine", "flags", "how"),
    [("x86_64", "rdpid", "rdpid"), ("x86_64", "rdpidx", "lsl"), ("i686", "", "lsl"), ("aarch64", "rdpid", "none")],
)
def test_vdso_getcpu(tree, machine, flags, how):
    assert facts.find_vdso_getcpu(tree({"proc/cpuinfo": XEON.format(flags=flags)}), machine) == how


def test_another_c_library_has_no_name(monkeypatch):
    def unknown(name):
        raise ValueError("unrecognized configuration name")

    monkeypatch.setattr(facts.os, "confstr", unknown)
    assert facts.read_libc_version() is None
    assert facts.collect_facts(Path("/nowhere"), "x86_64").libc is None


def test_a_copy_of_this_machine_by_its_sources_has_the_same_facts(tmp_path):
    """Nothing is read that SOURCES does not name, or another machine's facts would lack it."""
    release = facts.read_kernel_release()
    for pattern in facts.SOURCES:
        for path in facts.ROOT.glob(pattern.format(release=release)):
            copy = tmp_path / path.relative_to(facts.ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # not for us, or nothing that is known
                copy.write_bytes(path.read_bytes())
    copied, own = facts.collect_machine_facts(tmp_path).to_dict(), facts.collect_machine_facts().to_dict()
    assert own.pop("load_1min") >= 0
    assert copied.pop("load_1min") >= 0
    assert copied == own


@pytest.mark.parametrize("machine", ["x86_64", "armv7l", "aarch64"])
def test_nothing_but_the_sources_is_read(tree, monkeypatch, machine):
    """On an imagined machine that has all of them, each one with a fact of its own."""
    read, opened = set(), Path.read_bytes

    def note(path):
        read.add(str(path))
        return opened(path)

    root = tree({"proc/sys/kernel/osrelease": "6.1.0\n"})
    monkeypatch.setattr(Path, "read_bytes", note)
    facts.collect_machine_facts(root, machine)
    allowed = [source.format(release="6.1.0") for source in facts.SOURCES]
    asked = {name.removeprefix(f"{root}/") for name in read}
    assert asked
    assert {name for name in asked if not any(fnmatch(name, pattern) for pattern in allowed)} == set()
