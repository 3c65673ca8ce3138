"""rseqbench/doctor: every check on this machine, on laid-out ones, and with things missing."""

import dataclasses
import json
import os
import stat
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from rseqbench import doctor, paths
from rseqbench.cli.doctor import command
from rseqbench.doctor import emulation, finding, noise, rseq, toolchain
from rseqbench.doctor import programs as tools
from rseqbench.doctor.finding import Host
from rseqbench.host import facts, rseq_support
from rseqbench.model import Finding

CPUS = "sys/devices/system/cpu"


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Return a function that writes files under a root and returns an x86 machine with that root, its cache empty."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def make(files=None, machine="x86_64"):
        for name, text in (files or {}).items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return Host(tmp_path / "root", machine, tmp_path / "results")

    return make


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Return a function that makes shell scripts and lets PATH hold nothing else."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)

    def make(**scripts):
        for name, body in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return make


@pytest.fixture
def user(monkeypatch):
    """Let us be an ordinary user."""
    monkeypatch.setattr(finding.os, "geteuid", lambda: 1000)


def compiler_script(version, headers=True, machine="x86_64-linux-gnu", name="gcc"):
    """Return the body of a compiler that tells its version and whether it finds the C library's headers."""
    return f"""case "$1" in
-dumpmachine) echo {machine} ;;
-dump*) echo {version} ;;
--version) echo "{name} (Debian) {version}" ;;
*) exit {0 if headers else 1} ;;
esac"""


def test_this_machine_is_examined_whole(tmp_path):
    found = doctor.run_checks(Host(results=tmp_path))
    names = [one.name for one in found]
    assert len(names) == len(set(names))
    assert {"compiler", "Python.h", "rseq", "registration", "membarrier", "load", "our CPUs"} <= set(names)
    for one in found:
        assert one.value
        assert "\n" not in one.value + one.advice + one.command
        assert one.advice or one.command or one.status == "ok", f"{one.name}: a complaint needs advice"


@pytest.mark.parametrize("machine", ["x86_64", "armv7l", "aarch64", "riscv64"])
def test_every_check_survives_an_empty_tree(host, machine):
    found = {one.name: one for one in doctor.run_checks(host(machine=machine))}
    assert found["load"].value == "unknown"
    assert ("turbo" in found) == ("SMT" in found) == (machine == "x86_64")


def test_a_quiet_machine_needs_no_advice(host):
    quiet = host(
        {
            "proc/cpuinfo": "model name: x\nflags: fpu\n",
            "proc/loadavg": "0.02 0 0 1/1 1\n",
            "proc/sys/kernel/randomize_va_space": "2\n",
            f"{CPUS}/online": "0-3\n",
            f"{CPUS}/isolated": "3\n",
            f"{CPUS}/nohz_full": "3\n",
            f"{CPUS}/smt/active": "0\n",
            f"{CPUS}/cpufreq/boost": "0\n",
            f"{CPUS}/cpu0/cpufreq/scaling_governor": "performance\n",
        }
    )
    checks = [check for check in noise.CHECKS if check not in (noise.check_affinity, noise.check_tuning)]
    assert [check(quiet).status for check in checks] == ["ok"] * len(checks)
    assert not any(check(quiet).advice for check in checks)


@pytest.mark.parametrize(
    ("files", "check", "value", "command"),
    [
        ({f"{CPUS}/cpu0/cpufreq/scaling_governor": "powersave"}, noise.check_governor, "powersave", "doctor --tune"),
        ({f"{CPUS}/cpufreq/boost": "1"}, noise.check_turbo, "on", "doctor --tune"),
        ({f"{CPUS}/intel_pstate/no_turbo": "0"}, noise.check_turbo, "on", "doctor --tune"),
        ({f"{CPUS}/smt/active": "1"}, noise.check_smt, "on", "doctor --tune"),
        ({"proc/loadavg": "3.10 1 1 1/1 1"}, noise.check_load, "3.10", "top -b"),
        (
            {"proc/sys/kernel/randomize_va_space": "0"},
            noise.check_aslr,
            "off",
            "sudo sysctl kernel.randomize_va_space=2",
        ),
        ({"proc/cpuinfo": "flags: hypervisor"}, noise.check_virtualization, "unknown", ""),
    ],
)
def test_noise_comes_with_its_cure(host, user, files, check, value, command):
    found = check(host(files))
    assert (found.status, found.value) == ("warn", value)
    assert found.advice
    assert command in found.command
    assert found.command.startswith("sudo /") or "doctor" not in found.command, "root has no path to us"


@pytest.mark.parametrize(
    ("paranoid", "status", "command"),
    [("2", "ok", ""), ("3", "warn", "sudo sysctl kernel.perf_event_paranoid=2"), ("-1", "ok", ""), ("", "ok", "")],
)
def test_counters_that_are_not_for_users(host, user, paranoid, status, command):
    files = {"sys/bus/event_source/devices/cpu/type": "4", "proc/sys/kernel/perf_event_paranoid": paranoid}
    found = noise.check_counters(host(files))
    assert (found.status, found.command) == (status, command)


@pytest.mark.parametrize(("text", "word"), [('{"schema": 1}', "damaged"), ('{"schema": 99}', "newer")])
def test_a_record_that_cannot_be_read_is_told(host, text, word):
    found = noise.check_tuning(host({"var/lib/rseqbench/tuned.json": text}))
    assert found.status == "warn"
    assert word in found.value


def test_a_machine_that_is_still_tuned_is_told(host, user):
    assert noise.check_tuning(host()) is None
    text = json.dumps({"schema": 1, "since": "2026-01-02T03:04:05+00:00", "boot": "", "values": {}})
    found = noise.check_tuning(host({"var/lib/rseqbench/tuned.json": text}))
    assert found.value == "this machine is still tuned since 2026-01-02T03:04:05+00:00"
    assert found.command.endswith("rseqbench doctor --restore")
    assert found.command.startswith("sudo /")


def test_isolation_names_a_cpu_that_is_there(host):
    assert (
        "isolcpus=3 nohz_full=3"
        in noise.check_isolated_cpus(host({f"{CPUS}/online": "0-3", f"{CPUS}/isolated": ""})).advice
    )


@pytest.mark.parametrize(("online", "advice"), [("0-7", "taskset -pc 0-7"), ("0", "a larger machine")])
def test_one_cpu_is_too_few_to_migrate(host, monkeypatch, online, advice):
    monkeypatch.setattr(noise.os, "sched_getaffinity", lambda pid: {0})
    found = noise.check_affinity(host({f"{CPUS}/online": online}))
    assert found.status == "warn"
    assert advice in found.advice + found.command


def test_hardware_counters_are_told_from_software_ones(host):
    devices = "sys/bus/event_source/devices"
    some = host({f"{devices}/cpu_core/type": "4", f"{devices}/software/type": "1"})
    assert noise.check_counters(some).value == "cpu_core (perf_event_paranoid unknown)"


CLANG = {"name": "clang version"}


@pytest.mark.parametrize(
    ("scripts", "status", "value"),
    [
        ({}, "bad", "none"),
        ({"gcc": compiler_script("12.2.0")}, "ok", "gcc 12.2.0"),
        ({"gcc": compiler_script("8.3.0")}, "bad", "gcc 8.3.0, gcc 9 or newer is needed"),
        ({"gcc": compiler_script("9.0.0", headers=False)}, "bad", "gcc 9.0.0, without the C library's headers"),
        ({"gcc": compiler_script("what")}, "bad", "gcc what, gcc 9 or newer is needed"),
        ({"gcc": compiler_script("''")}, "bad", "gcc of unknown version, gcc 9 or newer is needed"),
        ({"gcc": "kill -9 $$"}, "bad", "none"),
        ({"gcc": compiler_script("12.2.0", machine="arm-linux-gnueabihf")}, "bad", "none"),
        ({"clang": compiler_script("14.0.6", **CLANG)}, "ok", "clang 14.0.6"),
        ({"clang": compiler_script("10.0.1", **CLANG)}, "bad", "clang 10.0.1, clang 11 or newer is needed"),
        ({"gcc": compiler_script("12.2.0"), "clang": compiler_script("10.0.1", **CLANG)}, "ok", "gcc 12.2.0"),
    ],
)
def test_compiler(host, programs, user, scripts, status, value):
    programs(**scripts)
    found = toolchain.check_compiler(host())
    assert (found.status, found.value) == (status, value)
    assert found.command == ("sudo apt-get install -y gcc libc6-dev" if status == "bad" else "")
    assert found.packages == (("gcc", "libc6-dev") if status == "bad" else ())


def test_cc_goes_first(host, programs, monkeypatch):
    programs(gcc=compiler_script("12.2.0"), mine=compiler_script("13.1.0"))
    monkeypatch.setenv("CC", "mine")
    assert toolchain.check_compiler(host()).value == "mine 13.1.0"


def test_a_machine_without_kernels_cannot_run_them(host):
    found = toolchain.check_compiler(host(machine="riscv64"))
    assert (found.status, found.value) == ("bad", "no kernels for riscv64")


def test_damaged_kernels_are_one_finding(host, monkeypatch, tmp_path):
    (tmp_path / "arch/mine").mkdir(parents=True)
    (tmp_path / "arch/mine/arch.toml").write_text("name = ")
    monkeypatch.setenv("RSEQBENCH_KERNELS", str(tmp_path))
    found = toolchain.check_compiler(host())
    assert found.status == "bad"
    assert "arch.toml: malformed" in found.value
    assert toolchain.check_cross_compilers(host()) is None
    assert [check(host()) for check in emulation.CHECKS] == [None] * len(emulation.CHECKS)


def test_cross_compilers_are_only_missed(host, programs, user):
    programs(arm_linux_gnueabihf_gcc=compiler_script("12.2.0", headers=False, machine="arm-linux-gnueabihf"))
    found = toolchain.check_cross_compilers(host())
    assert found.status == "warn"
    assert "arm32: arm-linux-gnueabihf-gcc 12.2.0, without the C library's headers" in found.value
    assert "arm64: none" in found.value
    assert found.command.startswith("sudo apt-get install -y gcc-a")
    assert {"gcc-aarch64-linux-gnu", "libc6-dev-armhf-cross"} <= set(found.packages)


def test_a_board_needs_no_compiler_for_itself_or_for_x86(host, programs):
    programs(arm_linux_gnueabihf_gcc=compiler_script("12.2.0", machine="arm-linux-gnueabihf"))
    found = toolchain.check_cross_compilers(host(machine="aarch64"))
    assert found == Finding("cross compilers", "arm32: arm-linux-gnueabihf-gcc 12.2.0")


QEMU = 'test "$1" = -h && echo "-plugin" || echo "qemu version 7.2.22 (Debian 1:7.2)"'


@pytest.fixture
def qemus(programs, tmp_path):
    """Return a function that makes qemus of these names, which tell their version and have plugins."""

    def make(*names, body=QEMU):
        programs()
        for name in names:
            (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{body}\n")
            (tmp_path / "bin" / name).chmod(0o755)

    return make


def test_qemu_is_there(host, qemus):
    qemus("qemu-system-arm", "qemu-system-aarch64", "qemu-system-x86_64", "qemu-arm", "qemu-aarch64")
    system, user = emulation.check_qemu_system(host()), emulation.check_qemu_user(host())
    assert (system.status, user.status) == ("ok", "ok")
    assert {"arm32: 7.2.22", "arm64: 7.2.22", "x86_64: 7.2.22"} == set(system.value.split(", "))
    assert {"arm32: 7.2.22", "arm64: 7.2.22"} == set(user.value.split(", "))


def test_missing_qemus_are_only_missed(host, qemus, user):
    qemus("qemu-system-arm")
    found = emulation.check_qemu_system(host())
    assert found.status == "warn"
    assert {"arm32: 7.2.22", "arm64: none", "x86_64: none"} == set(found.value.split(", "))
    assert found.command == "sudo apt-get install -y qemu-system-arm qemu-system-x86"
    assert emulation.check_qemu_user(host()).command == "sudo apt-get install -y qemu-user"


def test_a_qemu_that_cannot_count_is_told(host, qemus):
    qemus("qemu-arm", "qemu-aarch64", body='test "$1" = -h || echo "qemu-arm version 10.0.2"')
    found = emulation.check_qemu_user(host())
    assert found.status == "warn"
    assert "arm32: 10.0.2, without plugins" in found.value
    assert "cannot count instructions" in found.advice


def test_nobody_emulates_x86_on_a_board(host, qemus):
    qemus("qemu-system-arm", "qemu-system-aarch64", "qemu-arm")
    board = host(machine="aarch64")
    assert emulation.check_qemu_system(board).status == "ok"
    assert emulation.check_qemu_user(board) == Finding("qemu-user", "arm32: 7.2.22")
    assert "x86_64" not in emulation.check_guest_kernels(board).value


def test_what_linux_guests_have(host, tmp_path, programs):
    folder = paths.cache() / "linux" / "arm32"
    folder.mkdir(parents=True)
    facts_of = {"package": "linux-image-6.1.0-9-toy 6.1.9-1", "release": "6.1.0-9-toy", "modules": []}
    (folder / "facts.json").write_text(json.dumps(facts_of))
    programs(apt_get="", apt_cache="", dpkg_deb="")
    found = emulation.check_guest_kernels(host())
    assert found.status == "ok"
    assert {"arm32: 6.1.0-9-toy 6.1.9-1", "arm64: not fetched yet"} <= set(found.value.split(", "))
    (tmp_path / "bin" / "dpkg-deb").unlink()
    assert emulation.check_guest_kernels(host()).advice == "no dpkg-deb to fetch it with: give --linux PATH"


def test_what_building_linux_needs_is_named_once_for_all_architectures(host, programs, user):
    there = {name: "" for name in ("make", "bison", "bc", "perl", "arm_linux_gnueabihf_gcc")}
    programs(**there, gcc=compiler_script("12.2.0", headers=False), x86_64_linux_gnu_gcc=compiler_script("12.2.0"))
    found = emulation.check_kernel_build(host())
    assert found.status == "warn"
    assert "arm32: without flex, " in found.value
    assert "x86_64: without flex, gelf.h" in found.value
    assert "arm64: without flex, aarch64-linux-gnu-gcc" in found.value
    assert found.command == "sudo apt-get install -y flex gcc-aarch64-linux-gnu libelf-dev"
    programs(flex="", gcc=compiler_script("12.2.0"), aarch64_linux_gnu_gcc="")
    found = emulation.check_kernel_build(host())
    assert found.status == "ok"
    assert {"arm32: all tools are there", "arm64: all tools are there", "x86_64: all tools are there"} == set(
        found.value.split(", ")
    )


@pytest.mark.parametrize(
    ("device", "ours", "image", "why", "status", "words"),
    [
        (False, True, True, "", "ok", "guests are emulated"),
        (True, False, True, "", "warn", "is not ours to open"),
        (True, True, False, "", "ok", "no Linux is here yet"),
        (True, True, True, "", "ok", "boots "),
        (True, True, True, "Linux hung", "warn", "boots no Linux: Linux hung"),
    ],
)
def test_kvm_is_tried(host, user, monkeypatch, tmp_path, device, ours, image, why, status, words):
    this = next(arch for arch in emulation.architectures.known().values() if arch.is_host)
    machine = host({"boot/vmlinuz-6.1": "", "proc/sys/kernel/osrelease": "6.1"} if image else {}, this.machines[0])
    path = tmp_path / "kvm"
    if device:
        path.write_text("")
    access = os.access
    monkeypatch.setattr(emulation.kvm, "DEVICE", str(path))
    monkeypatch.setattr(emulation.os, "access", lambda name, mode: access(name, mode) and (ours or name != str(path)))
    monkeypatch.setattr(emulation.kvm, "find_kvm_problem", lambda arch, booted: why)
    found = emulation.check_kvm(machine)
    assert found.status == status
    assert words in found.value
    assert bool(found.command) == (not ours)


def test_kvm_that_boots_nothing_is_found_out(host, qemus, monkeypatch, tmp_path):
    """By the real thing: a qemu that ends as one that cannot boot does."""
    this = next(arch for arch in emulation.architectures.known().values() if arch.is_host)
    (tmp_path / "kvm").write_text("")
    monkeypatch.setattr(emulation.kvm, "DEVICE", str(tmp_path / "kvm"))
    qemus(this.qemu.system, body="echo no such accelerator >&2; exit 1")
    files = {"boot/vmlinuz-6.1": "", "proc/sys/kernel/osrelease": "6.1"}
    found = emulation.check_kvm(host(files, this.machines[0]))
    assert found.status == "warn"
    assert "exit code 1: no such accelerator" in found.value


def test_programs_that_commands_start(host, programs, user, monkeypatch):
    programs()
    assert tools.check_ssh(host()).packages == ("openssh-client",)
    assert tools.check_virtme_ng(host()).status == "ok"
    assert "--runner vng only" in tools.check_virtme_ng(host()).value
    hackbench = next(iter(tools.hackbench.PROGRAMS.values()))
    monkeypatch.setattr(tools.hackbench, "PROGRAMS", {"x": dataclasses.replace(hackbench, path="/nowhere/hackbench")})
    found = tools.check_programs(host())
    assert (found.status, found.value, found.packages) == ("warn", "no /nowhere/hackbench", ("rt-tests",))
    programs(ssh="", vng="echo virtme-ng 1.99")
    assert tools.check_ssh(host()).status == "ok"
    assert tools.check_virtme_ng(host()).value == "virtme-ng 1.99"


def test_a_user_without_a_home_is_told_once(host, monkeypatch):
    def no_home():
        raise RuntimeError("no home")

    monkeypatch.setattr("rseqbench.paths.cache", no_home)
    assert emulation.check_guest_kernels(host()) is None


def test_missing_python_headers_keep_a_run_from_working(host, monkeypatch, tmp_path):
    monkeypatch.setattr(toolchain.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(toolchain.sys, "base_prefix", "/usr")
    found = toolchain.check_python_headers(host())
    assert found.status == "bad"
    assert found.packages == (f"python3.{sys.version_info.minor}-dev",)
    monkeypatch.setattr(toolchain.sys, "base_prefix", "/opt/python")
    found = toolchain.check_python_headers(host())
    assert (found.status, found.packages) == ("bad", ()), "no package completes a Python that is not Debian's"


def test_missing_python_packages_are_named(host, monkeypatch):
    monkeypatch.setattr(toolchain.facts, "read_package_version", lambda name: None if name == "cffi" else "1")
    found = toolchain.check_python_packages(host())
    assert (found.status, found.command) == ("bad", f"{sys.executable} -m pip install cffi")


def test_folders_that_are_not_there_yet_are_judged_by_where_they_would_be(tmp_path):
    there = tmp_path / "file"
    there.write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert toolchain.check_results_folder(Host(results=tmp_path / "a/b/c")).status == "ok"
    for taken in (there, there / "results", tmp_path / "dangling"):
        found = toolchain.check_results_folder(Host(results=taken))
        assert found.status == "bad"
        assert "is not a folder" in found.value
    assert not (tmp_path / "a").exists()


def test_a_read_only_folder_keeps_a_run_from_working(tmp_path, monkeypatch):
    monkeypatch.setattr(toolchain.os, "access", lambda path, mode: False)
    assert "cannot be written" in toolchain.check_results_folder(Host(results=tmp_path)).value


def test_a_user_without_a_home_is_told_of_the_cache(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(toolchain.paths, "cache", homeless)
    found = toolchain.check_cache_folder(Host())
    assert found.status == "bad"
    assert "XDG_CACHE_HOME" in found.command


@pytest.mark.parametrize(
    ("error", "status", "advice"),
    [("", "ok", ""), ("ENOSYS", "warn", "CONFIG_RSEQ=y"), ("EPERM", "warn", "seccomp"), (None, "warn", "x86-64")],
)
def test_rseq(host, monkeypatch, error, status, advice):
    monkeypatch.setattr(rseq_support, "probe_rseq", lambda: error)
    found = rseq.check_rseq(host())
    assert found.status == status
    assert advice in found.advice


@pytest.mark.parametrize(
    ("size", "error", "words"),
    [
        (20, "", "glibc 2.36 registers: __rseq_size is 20"),
        (0, "", "glibc 2.36 did not register: __rseq_size is 0; rseqbench registers itself"),
        (None, "", "glibc 2.36 knows no rseq; rseqbench registers itself"),
        (0, "ENOSYS", "glibc 2.36 did not register: __rseq_size is 0; nobody can"),
    ],
)
def test_registration(host, monkeypatch, size, error, words):
    monkeypatch.setattr(facts, "read_libc_version", lambda: "glibc 2.36")
    monkeypatch.setattr(rseq_support, "read_libc_rseq_size", lambda: size)
    monkeypatch.setattr(rseq_support, "probe_rseq", lambda: error)
    assert rseq.check_registration(host()) == Finding("registration", words)


@pytest.mark.parametrize("value", [0, None])
def test_without_feature_size_the_newer_fields_are_missed(host, monkeypatch, value):
    monkeypatch.setattr(rseq_support, "read_auxiliary_vector", lambda entry: value)
    assert "mm_cid" in rseq.check_rseq_features(host()).advice


@pytest.mark.parametrize(
    ("commands", "status", "value"),
    [
        (
            rseq_support.PRIVATE_EXPEDITED | rseq_support.PRIVATE_EXPEDITED_RSEQ,
            "ok",
            "private expedited, private expedited rseq",
        ),
        (rseq_support.PRIVATE_EXPEDITED, "ok", "private expedited"),
        (0, "warn", "none"),
        (None, "ok", "not known for x86_64"),
    ],
)
def test_membarrier(host, monkeypatch, commands, status, value):
    monkeypatch.setattr(rseq_support, "query_membarrier", lambda: commands)
    found = rseq.check_membarrier(host())
    assert (found.status, found.value) == (status, value)


def test_linux_without_rseq_is_said(host):
    files = {"proc/sys/kernel/osrelease": "6.1.0", "boot/config-6.1.0": "CONFIG_MMU=y\n"}
    found = rseq.check_kernel(host(files))
    assert (found.status, found.value) == ("warn", "6.1.0, CONFIG_RSEQ=n")


def test_root_needs_no_sudo(monkeypatch):
    monkeypatch.setattr(finding.os, "geteuid", lambda: 0)
    assert finding.report_missing("compiler", "none", "bad", ["gcc"]).command == "apt-get install -y gcc"
    assert finding.rseqbench_as_root("doctor").startswith("/")


def test_probing_leaves_the_registration_as_it_was():
    before = rseq_support.read_libc_rseq_size()
    first = rseq_support.probe_rseq()
    assert rseq_support.probe_rseq() == first
    assert rseq_support.read_libc_rseq_size() == before


def test_a_tunable_takes_the_registration_away():
    if not rseq_support.read_libc_rseq_size():
        pytest.skip("the C library registers no rseq here")
    code = (
        "from rseqbench.host.rseq_support import probe_rseq, read_libc_rseq_size;"
        "print(read_libc_rseq_size(), repr(probe_rseq()))"
    )
    env = {**os.environ, "GLIBC_TUNABLES": "glibc.pthread.rseq=0"}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "0 ''\n"


def test_an_unknown_architecture_is_not_asked(monkeypatch):
    monkeypatch.setattr(rseq_support.platform, "machine", lambda: "riscv64")
    assert rseq_support.probe_rseq() is None
    assert rseq_support.query_membarrier() is None


@pytest.mark.parametrize(
    ("machine", "maxsize", "numbers"),
    [
        ("x86_64", 2**63 - 1, (334, 324)),
        ("i686", 2**31 - 1, (386, 375)),
        ("x86_64", 2**31 - 1, (386, 375)),
        ("aarch64", 2**63 - 1, (293, 283)),
        ("armv7l", 2**31 - 1, (398, 389)),
        ("aarch64", 2**31 - 1, (398, 389)),
    ],
)
def test_system_call_numbers_follow_the_process(monkeypatch, machine, maxsize, numbers):
    monkeypatch.setattr(rseq_support.platform, "machine", lambda: machine)
    monkeypatch.setattr(rseq_support.sys, "maxsize", maxsize)
    assert rseq_support._syscall_numbers() == numbers


def test_pyperf_is_asked_and_its_exit_code_ignored():
    assert "System state" in doctor.run_pyperf_check()


def test_pyperf_that_does_not_end_is_one_line():
    assert doctor.run_pyperf_check(timeout=0.0).startswith("could not be run: ")


@pytest.fixture
def findings(monkeypatch, tmp_path):
    """Return a function that lets doctor find what we say."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "run_pyperf_check", lambda: "pyperf's words")

    def set_to(*found):
        monkeypatch.setattr(doctor, "run_checks", lambda host: list(found))

    return set_to


OK = Finding("compiler", "gcc 12.2.0")
WARN = Finding("load", "3.10", "warn", "see what runs", "top -b")
BAD = Finding("Python.h", "not there", "bad", "", "apt-get install -y python3-dev", ("python3-dev",))


def test_the_table_puts_a_command_on_a_line_of_its_own(findings):
    findings(OK, WARN)
    done = CliRunner().invoke(command)
    assert done.exit_code == 0, done.exception or done.output
    assert done.stdout.splitlines() == [
        "ok    compiler  gcc 12.2.0",
        "warn  load      3.10",
        "                see what runs",
        "                top -b",
        "",
        "pyperf's own check: python -m pyperf system show",
        "",
        "pyperf's words",
        "",
        "A native run works here. 1 warning.",
    ]


def test_it_speaks_where_packages_are_missing(tmp_path):
    """Of which it is to tell; and what it need not load cannot fail it."""
    absent = dict.fromkeys(("cffi", "hdrh", "jinja2", "matplotlib", "numpy", "pandas", "pyperf", "scipy"))
    code = f"import sys; sys.modules.update({absent}); from rseqbench.cli import main; main()"
    command = [sys.executable, "-c", code, "doctor"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "A native run " in done.stdout.splitlines()[-1]


def test_no_line_is_longer_than_a_terminal_but_a_command(findings):
    long = "word " * 60
    findings(Finding("load", long, "warn", long, "type-" * 60), OK)
    *lines, _, _, _, _, _, _ = CliRunner().invoke(command).stdout.splitlines()
    assert [line for line in lines if len(line) > 100] == [" " * 16 + "type-" * 60]
    assert sum(line.split().count("word") for line in lines) == 120
    assert all(line.startswith(" " * 16) for line in lines[1:-1])


def test_what_can_be_installed_is_summed_up(findings):
    findings(BAD, OK)
    last = CliRunner().invoke(command).stdout.splitlines()[-1]
    assert last == "A native run cannot work: Python.h. 0 warnings. rseqbench doctor --fix installs: python3-dev"


def test_colour_is_for_terminals_that_want_it(findings, monkeypatch):
    findings(OK, BAD)
    assert "\x1b[" not in CliRunner().invoke(command, color=True).stdout
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[32mok" in CliRunner().invoke(command).stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[32m" not in CliRunner().invoke(command).stdout


def test_only_what_is_bad_fails(findings):
    findings(OK, BAD, WARN)
    assert CliRunner().invoke(command).exit_code == 1


def test_json(findings):
    findings(BAD)
    done = CliRunner().invoke(command, ["--format", "json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout) == {
        "checks": [
            {
                "name": "Python.h",
                "value": "not there",
                "status": "bad",
                "advice": "",
                "command": "apt-get install -y python3-dev",
                "packages": ["python3-dev"],
            }
        ],
        "pyperf": "pyperf's words",
    }


def test_tuning_is_for_root(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("rseqbench.cli.doctor.os.geteuid", lambda: 1000)
    done = CliRunner().invoke(command, ["--tune"])
    assert done.exit_code == 1
    assert "we are not root; run: sudo /" in str(done.exception)
    assert str(done.exception).endswith(" doctor --tune")


def test_the_command_is_one_of_click():
    assert isinstance(command, click.Command)
    assert command.name == "doctor"


def test_libraries_that_are_missing_are_named_with_their_packages(monkeypatch):
    missing = {"lttng": ["babeltrace2"], "urcu": ["liburcu-dev"]}
    monkeypatch.setattr(tools.library, "missing_packages", lambda one: missing.get(one.group, []))
    found = tools.check_libraries(doctor.Host())
    assert (found.name, found.status) == ("libraries", "warn")
    assert found.value == "LTTng-UST needs babeltrace2; liburcu needs liburcu-dev"
    assert found.packages == ("babeltrace2", "liburcu-dev")
    monkeypatch.setattr(tools.library, "missing_packages", lambda one: [])
    assert tools.check_libraries(doctor.Host()).status == "ok"
