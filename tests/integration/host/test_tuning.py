"""rseqbench/host/tuning: what is changed is written down first, and put back whatever happened in between."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rseqbench.errors import RseqbenchError, UsageError
from rseqbench.host import tuning
from rseqbench.host.tuning import record, settings, steps
from tests.support.commands import processes_with
from tests.support.laptop_tree import ASLR, CPU, RATE, RECORD, lay_out, recorded, seen
from tests.support.laptop_tree import settings as laptop

GOVERNOR = f"{CPU}/cpu1/cpufreq/scaling_governor"
TURBO = f"{CPU}/intel_pstate/no_turbo"
PYPERF = """
import sys
import time
from pathlib import Path
root, cpu = Path({root!r}), Path({root!r}) / "sys/devices/system/cpu"
if sys.argv[1] == "show":
    print("System state\\n============\\n\\nCPU: 2\\n\\nAdvices\\n=======\\n\\nUse less\\nUse more\\n\\nRun it")
    sys.exit({needed})
assert (root / "var/lib/rseqbench/tuned.json").exists(), "nothing is written down yet"
for governor in cpu.glob("cpu*/cpufreq/scaling_governor"):
    governor.write_text("performance\\n")
{then}
(root / "proc/sys/kernel/perf_event_max_sample_rate").write_text("1\\n")
(root / "proc/irq/24/smp_affinity").write_text("3\\n")
"""


@pytest.fixture
def root(tmp_path):
    """Lay out a laptop of two CPUs, and no init system but a script that knows no irqbalance."""
    lay_out(tmp_path / "root", laptop(2))
    return tmp_path / "root"


@pytest.fixture(autouse=True)
def no_services(tmp_path, monkeypatch):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def pyperf(tmp_path, root):
    """Return a function that makes a pyperf that changes the laptop, and returns the steps with it."""

    def make(needed=2, then=""):
        script = tmp_path / "pyperf.py"
        script.write_text(PYPERF.format(root=str(root), needed=needed, then=then))
        return tuning.plan_steps(root, [sys.executable, str(script)])

    return make


def reboot(root, **changed):
    """Let a reboot set everything anew."""
    files = laptop(2) | {"proc/sys/kernel/random/boot_id": "boot-2"} | changed
    lay_out(root, files)
    return files


def test_everything_comes_back(root, pyperf):
    before = seen(root, laptop(2))
    chosen = pyperf()
    assert [step.title for step in chosen] == [steps.TITLE, f"echo off > /{CPU}/smt/control"]
    assert chosen[0].about[1:] == ("Use less", "Use more")
    tuned = tuning.apply(root, chosen)
    assert tuned.problems == ()
    assert set(tuned.changes) == {
        f"/{CPU}/smt/control: on -> off",
        f"/{CPU}/cpu0/cpufreq/scaling_governor: schedutil -> performance",
        f"/{CPU}/cpu1/cpufreq/scaling_governor: powersave -> performance",
        f"/{RATE}: 100000 -> 1",
        "/proc/irq/24/smp_affinity: 1 -> 3",
    }
    assert seen(root, laptop(2)) != before
    restored = tuning.restore(root)
    assert (restored.problems, restored.dropped, len(restored.changes)) == ((), (), 5)
    assert seen(root, laptop(2)) == before
    assert recorded(root) is None
    assert tuning.restore(root) is None


def test_a_second_time_does_not_write_over_what_was_first(root, pyperf):
    tuning.apply(root, pyperf())
    first = recorded(root)
    with pytest.raises(UsageError, match="tuned already, since 20"):
        tuning.ensure_untuned(root)
    with pytest.raises(UsageError, match="record already"):
        tuning.apply(root, pyperf())
    assert recorded(root) == first
    assert first["values"][GOVERNOR] == "powersave"
    assert os.listdir(root / "var/lib/rseqbench") == ["tuned.json"]


def test_after_a_reboot_what_it_reset_is_as_it_was(root, pyperf):
    tuning.apply(root, pyperf())
    files = reboot(root)
    restored = tuning.restore(root)
    assert (restored.changes, restored.problems) == ((), ())
    assert seen(root, files) == files
    assert recorded(root) is None


def test_after_a_reboot_that_kept_some_those_come_back(root, pyperf):
    """As where a daemon saved the tuned governor at shutdown and set it at boot."""
    tuning.apply(root, pyperf())
    reboot(root, **{GOVERNOR: "performance", TURBO: "1", "proc/irq/24/smp_affinity": "2"})
    restored = tuning.restore(root)
    assert seen(root, [GOVERNOR, TURBO]) == {GOVERNOR: "powersave", TURBO: "0"}
    assert restored.problems == ()
    assert restored.dropped == (
        "the CPUs of 2 interrupts are left as they are: Linux numbered them anew when it was booted",
    )
    assert seen(root, ["proc/irq/24/smp_affinity"]) == {"proc/irq/24/smp_affinity": "2"}, "another device's by now"


def test_an_interrupt_that_has_gone_is_not_missed(root, pyperf):
    tuning.apply(root, pyperf())
    (root / "proc/irq/24/smp_affinity").unlink()
    restored = tuning.restore(root)
    assert restored.problems == ()
    assert restored.dropped == ("the CPUs of 1 interrupts are left as they are: they are no longer there",)
    assert recorded(root) is None


@pytest.mark.parametrize("refuses", ["gone", "read-only", "deaf"])
def test_what_cannot_be_put_back_is_said_and_the_record_kept(root, pyperf, monkeypatch, refuses):
    tuning.apply(root, pyperf())
    kept = recorded(root)
    file = root / GOVERNOR
    words = {"gone": "No such file", "read-only": "Permission denied", "deaf": "it is performance, whatever is written"}
    put = settings._write_file

    def refuse(path, *rest):
        if path == file and refuses == "read-only":
            raise PermissionError(13, "Permission denied")
        if path != file or refuses == "gone":
            put(path, *rest)

    if refuses == "gone":
        file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(settings, "_write_file", refuse)
        restored = tuning.restore(root)
    assert len(restored.problems) == 1
    assert restored.problems[0].startswith(f"/{GOVERNOR} should be powersave: ")
    assert words[refuses] in restored.problems[0]
    assert recorded(root) == kept
    assert seen(root, [RATE, f"{CPU}/smt/control"]) == {RATE: "100000", f"{CPU}/smt/control": "on"}
    file.write_text("performance\n")
    assert tuning.restore(root).problems == ()
    assert recorded(root) is None


def test_a_governor_that_takes_others_along_is_no_problem(root, pyperf, monkeypatch):
    """Settings that change when the governor is put back are put back after it, and the preference once more."""
    tuning.apply(root, pyperf(then=f"(root / '{TURBO}').write_text('1')"))
    put = settings._write_file

    def along(path, *rest):
        put(path, *rest)
        if path == root / GOVERNOR:
            (root / TURBO).write_text("1\n")
            (root / f"{CPU}/smt/control").write_text("off\n")

    monkeypatch.setattr(settings, "_write_file", along)
    assert tuning.restore(root).problems == ()
    assert seen(root, [TURBO, f"{CPU}/smt/control"]) == {TURBO: "0", f"{CPU}/smt/control": "on"}


@pytest.mark.parametrize("moment", ["sys.exit(1)", "os.kill(os.getppid(), 9); time.sleep(2)"])
def test_a_crash_half_way_can_be_restored(root, tmp_path, moment):
    """pyperf dies half way, and with it, or not, we do."""
    before = seen(root, laptop(2))
    script = tmp_path / "pyperf.py"
    script.write_text(PYPERF.format(root=str(root), needed=2, then=f"import os, time; {moment}"))
    code = f"""
from pathlib import Path
from rseqbench.host import tuning
root = Path({str(root)!r})
print(*tuning.apply(root, tuning.plan_steps(root, [{sys.executable!r}, {str(script)!r}])).problems)
"""
    env = {**os.environ, "TUNED_IN": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False)
    while processes_with(f"TUNED_IN={tmp_path}"):
        time.sleep(0.05)
    assert done.returncode == (0 if "exit" in moment else -9), done.stderr
    if "exit" in moment:
        assert done.stdout == f"{steps.TITLE} exited with 1: nothing said\n"
    assert seen(root, [GOVERNOR, RATE]) == {GOVERNOR: "performance", RATE: "100000"}
    assert tuning.restore(root).problems == ()
    assert seen(root, laptop(2)) == before


def test_the_record_is_on_disk_before_anything_changes(root, pyperf, monkeypatch):
    order = []
    fsync, link, run = os.fsync, os.link, subprocess.run

    def synced(handle):
        order.append(Path(os.readlink(f"/proc/self/fd/{handle}")).name.partition(".json")[0])
        fsync(handle)

    def linked(*names):
        order.append("linked")
        link(*names)

    def ran(*arguments, **options):
        order.append("changed")
        return run(*arguments, **options)

    chosen = pyperf()
    monkeypatch.setattr(record.os, "fsync", synced)
    monkeypatch.setattr(record.os, "link", linked)
    monkeypatch.setattr(steps.subprocess, "run", ran)
    tuning.apply(root, chosen)
    assert order[: order.index("changed")] == ["tuned", "linked", "rseqbench", "lib"]


def test_where_nothing_can_be_written_down_nothing_is_changed(root, pyperf):
    before = seen(root, laptop(2))
    (root / "var").mkdir()
    (root / "var/lib").write_text("")
    with pytest.raises(RseqbenchError, match=r"cannot write down what the settings are.*; nothing was changed"):
        tuning.apply(root, pyperf())
    assert seen(root, laptop(2)) == before


def test_a_step_that_fails_does_not_stop_the_others(root, pyperf, monkeypatch):
    chosen = pyperf(then="print('Errors\\n======\\n\\nno such governor\\n'); sys.exit(1)")
    put = settings._write_file
    monkeypatch.setattr(settings, "_write_file", lambda path, *rest: put(path / "nowhere", *rest))
    tuned = tuning.apply(root, chosen)
    assert tuned.problems == ("no such governor", f"echo off > /{CPU}/smt/control: Not a directory")
    assert len(tuned.changes) == 2, "the governors of both CPUs"
    assert recorded(root)


def test_what_changed_nothing_leaves_no_record(root, pyperf):
    chosen = [step for step in pyperf() if step.title != steps.TITLE]
    lay_out(root, {f"{CPU}/smt/control": "off"})
    assert tuning.apply(root, chosen).changes == ()
    assert recorded(root) is None


def test_without_need_there_are_no_steps(root, pyperf):
    lay_out(root, {f"{CPU}/smt/active": "0", f"{CPU}/smt/control": "notsupported"})
    assert pyperf(needed=0) == []


def test_boost_is_a_step_where_pyperf_knows_no_turbo(root, pyperf):
    lay_out(root, {f"{CPU}/cpufreq/boost": "1", f"{CPU}/smt/active": "0"})
    (root / TURBO).unlink()
    chosen = pyperf(needed=0)
    assert [step.title for step in chosen] == [f"echo 0 > /{CPU}/cpufreq/boost"]
    assert tuning.apply(root, chosen).changes == (f"/{CPU}/cpufreq/boost: 1 -> 0",)
    assert tuning.restore(root).changes == (f"/{CPU}/cpufreq/boost: 0 -> 1",)


def test_the_turbo_bit_of_a_msr_is_put_back_alone(root):
    msr = root / "dev/cpu/3/msr"
    msr.parent.mkdir(parents=True)
    other = 0x850089
    for bits, word in ((other | 1 << 38, "turbo off"), (other, "turbo on")):
        msr.write_bytes(bytes(0x1A0) + bits.to_bytes(8, sys.byteorder))
        assert settings.read_snapshot(root)["dev/cpu/3/msr"] == word
    settings.write_setting(root, "dev/cpu/3/msr", "turbo off")
    assert msr.read_bytes() == bytes(0x1A0) + (other | 1 << 38).to_bytes(8, sys.byteorder)
    settings.write_setting(root, "dev/cpu/3/msr", "turbo on")
    assert msr.read_bytes() == bytes(0x1A0) + other.to_bytes(8, sys.byteorder)


@pytest.mark.parametrize("systemd", [True, False])
def test_the_service_that_moves_interrupts_is_started_again(root, tmp_path, monkeypatch, systemd):
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    state = tmp_path / "state"
    state.write_text("active")
    program = tmp_path / "bin" / ("systemctl" if systemd else "service")
    program.write_text(f"""#!/bin/sh
case "$1$2" in
show*) printf 'LoadState=loaded\\nActiveState=%s\\n' $(cat {state}) ;;
irqbalancestatus) [ $(cat {state}) = active ] || exit 3 ;;
startirqbalance|irqbalancestart) echo active > {state} ;;
*) exit 9 ;;
esac
""")
    program.chmod(0o755)
    if systemd:
        (root / "run/systemd/system").mkdir(parents=True)
    before = settings.read_snapshot(root)
    assert before["irqbalance"] == "active"
    assert not [key for key in before if settings.is_interrupt(key)], "it moves them as it likes"

    def stop():
        state.write_text("inactive")
        return []

    assert tuning.apply(root, [steps.Step("stop", (), stop)]).changes == ("the service irqbalance: active -> inactive",)
    assert tuning.restore(root).problems == ()
    assert state.read_text().strip() == "active"


DAMAGED = [
    "",
    "{",
    "[]",
    '{"schema": 1, "since": "x", "boot": "", "values": []}',
    '{"schema": 1, "since": 3, "boot": "", "values": {}}',
    json.dumps({"schema": 1, "since": "x", "boot": "", "values": {"etc/passwd": "root"}}),
    json.dumps(
        {"schema": 1, "since": "x", "boot": "", "values": {f"{CPU}/cpu0/../../x/cpufreq/scaling_governor": "x"}}
    ),
]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_damaged_record_is_not_obeyed(root, text):
    lay_out(root, {RECORD: text, "etc/passwd": "mine"})
    with pytest.raises(RseqbenchError, match=r"tuned.json: damaged; .*rm "):
        tuning.restore(root)
    assert (root / "etc/passwd").read_text() == "mine\n"


def test_who_is_not_root_is_told_how(root):
    with pytest.raises(RseqbenchError, match="run: sudo it"):
        tuning.ensure_root(1000, "sudo it")
    tuning.ensure_root(0, "sudo it")


def test_cpus_that_change_alike_are_one_line():
    before = {f"{CPU}/cpu{n}/cpufreq/scaling_governor": "powersave" for n in (0, 1, 2, 10, 12)} | {ASLR: "1"}
    after = dict.fromkeys(before, "performance") | {ASLR: "2"}
    assert settings.describe_changes(before, after) == [
        f"/{CPU}/cpu0-2,10,12/cpufreq/scaling_governor: powersave -> performance",
        f"/{ASLR}: 1 -> 2",
    ]


def test_the_cpus_come_back_before_their_settings_and_the_service_last():
    keys = ["irqbalance", GOVERNOR, f"{CPU}/cpu10/cpufreq/scaling_governor", f"{CPU}/smt/control", TURBO, RATE]
    assert settings.sort_for_restoring(keys) == [f"{CPU}/smt/control", GOVERNOR, keys[2], TURBO, RATE, "irqbalance"]
