"""doctor --tune and --restore as they are typed, with the real pyperf, on a laptop that only this process sees.

Its files are laid over those of this machine in a mount namespace, so that root's tuning changes nothing here.
"""

import os
import pty
import subprocess
import sys

import pytest

from tests.support.laptop_tree import CPU, RATE, lay_out, recorded, seen, settings

NAMESPACE = ["unshare", "--mount", *(["--map-root-user"] if os.geteuid() else [])]
OVER = ("sys/devices/system/cpu", "proc/irq", RATE, "proc/sys/kernel/random/boot_id", "var/lib")
CPUS = os.cpu_count() or 1

pytestmark = pytest.mark.skipif(
    subprocess.run(
        [*NAMESPACE, "mount", "-t", "tmpfs", "none", "/var/lib"], capture_output=True, check=False
    ).returncode,
    reason="no mount namespace for us",
)
# irqbalance, as a service that runs.
SERVICE = """#!/bin/sh
case $2 in
status) echo "irqbalance $(cat {state})"; grep -q start {state} || exit 3 ;;
start) echo started > {state} ;;
stop) echo stopped > {state} ;;
esac
"""


class Laptop:
    """A laptop as files below a root, and rseqbench on it."""

    def __init__(self, folder):
        self.root = folder / "root"
        self.files = settings(CPUS)
        self.service = folder / "service-state"
        (self.root / "var/lib").mkdir(parents=True)
        self.boot("boot-1")
        bin = folder / "bin"
        bin.mkdir()
        (bin / "service").write_text(SERVICE.format(state=self.service))
        (bin / "systemctl").write_text("#!/bin/sh\nexit 1\n")
        for program in bin.iterdir():
            program.chmod(0o755)
        self.env = {**os.environ, "PATH": f"{bin}:{os.environ['PATH']}"}
        self.folder = folder

    def boot(self, boot_id):
        """Set everything as Linux does when it is booted."""
        lay_out(self.root, self.files | {"proc/sys/kernel/random/boot_id": boot_id})
        self.service.write_text("started\n")

    def doctor(self, *arguments, answers=None, mounts=""):
        """Run `rseqbench doctor`, at a terminal where these are typed, if any are."""
        over = [f'mount --bind "{self.root / name}" "/{name}"' for name in OVER]
        away = "mount -t tmpfs none /run"  # systemd is not there
        script = " && ".join([*over, away, *([mounts] if mounts else []), 'exec "$@"'])
        command = [*NAMESPACE, "sh", "-c", script, "sh", sys.executable, "-m", "rseqbench", "doctor", *arguments]
        control, terminal = pty.openpty()
        os.write(control, "".join(f"{answer}\n" for answer in answers or ()).encode())
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL if answers is None else terminal,
            capture_output=True,
            text=True,
            check=False,
        )
        os.close(control)
        os.close(terminal)
        return done

    def now(self):
        return seen(self.root, self.files)


@pytest.fixture
def laptop(tmp_path):
    return Laptop(tmp_path)


def test_tuned_and_restored(laptop):
    before = laptop.now()
    tuned = laptop.doctor("--tune", "--yes")
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr
    after = laptop.now()
    assert after[f"{CPU}/cpu0/cpufreq/scaling_governor"] == "performance"
    assert after[f"{CPU}/cpu0/cpufreq/scaling_min_freq"] == "4000000"
    assert after[f"{CPU}/intel_pstate/no_turbo"] == "1"
    assert after[f"{CPU}/smt/control"] == "off"
    assert after[RATE] == "1"
    assert laptop.service.read_text() == "stopped\n"
    assert f"  /{CPU}/cpu0/cpufreq/scaling_governor: schedutil -> performance\n" in tuned.stdout
    assert "  the service irqbalance: active -> inactive\n" in tuned.stdout
    assert tuned.stdout.splitlines()[-1].endswith(" doctor --restore")

    told = laptop.doctor()
    assert "this machine is still tuned since 20" in " ".join(told.stdout.split())
    again = laptop.doctor("--tune", "--yes")
    assert again.returncode == 2
    assert "tuned already" in again.stderr

    restored = laptop.doctor("--restore")
    assert restored.returncode == 0, restored.stderr
    irqs = {name for name in before if "proc/irq/" in name and "default" not in name}  # irqbalance's, which runs
    assert {name: value for name, value in laptop.now().items() if name not in irqs} == {
        name: value for name, value in before.items() if name not in irqs
    }
    assert laptop.service.read_text() == "started\n"
    assert recorded(laptop.root) is None
    nothing = laptop.doctor("--restore")
    assert (nothing.returncode, nothing.stdout) == (0, "nothing to restore: no --tune is on record here\n")


def test_tuned_rebooted_and_restored(laptop):
    laptop.doctor("--tune", "--yes")
    laptop.boot("boot-2")
    governor = f"{CPU}/cpu0/cpufreq/scaling_governor"
    lay_out(laptop.root, {governor: "performance"})  # a daemon saved it, and set it at boot
    restored = laptop.doctor("--restore")
    assert restored.returncode == 0, restored.stderr
    assert restored.stdout == f"put back:\n  /{governor}: performance -> schedutil\n"
    assert laptop.now() == laptop.files | {"proc/sys/kernel/random/boot_id": "boot-2"}


def test_each_change_is_asked_for(laptop):
    before = laptop.now()
    refused = laptop.doctor("--tune", answers=["n", "n"])
    assert refused.returncode == 0
    assert refused.stdout.endswith("nothing was changed\n")
    assert refused.stdout.count("Do this? [y/N]") == 2
    assert laptop.now() == before
    assert recorded(laptop.root) is None
    one = laptop.doctor("--tune", answers=["n", "y"])
    assert one.returncode == 0, one.stderr
    assert laptop.now() == before | {f"{CPU}/smt/control": "off"}


def test_without_a_terminal_nobody_can_answer(laptop):
    before = laptop.now()
    done = laptop.doctor("--tune")
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert laptop.now() == before


def test_what_is_read_only_is_said_and_the_record_kept(laptop):
    """On the way there, and on the way back."""
    rate = laptop.root / RATE
    shut = f'mount --bind "{rate}" /{RATE} && mount -o remount,bind,ro /{RATE}'
    tuned = laptop.doctor("--tune", "--yes", mounts=shut)
    assert tuned.returncode == 1
    assert f"/{RATE}" in tuned.stderr
    assert laptop.now()[RATE] == "100000"
    assert laptop.now()[f"{CPU}/smt/control"] == "off"
    lay_out(laptop.root, {RATE: "1"})
    restored = laptop.doctor("--restore", mounts=shut)
    assert restored.returncode == 1
    assert f"not restored: /{RATE} should be 100000: Read-only file system" in restored.stderr
    assert "rm /var/lib/rseqbench/tuned.json" in restored.stderr
    assert laptop.now()[f"{CPU}/smt/control"] == "on"
    assert recorded(laptop.root)
    assert laptop.doctor("--restore").returncode == 0
    assert laptop.now()[RATE] == "100000"


def test_where_all_is_as_it_should_be_nothing_is_asked(laptop):
    laptop.doctor("--tune", "--yes")
    (laptop.root / "var/lib/rseqbench/tuned.json").unlink()
    lay_out(laptop.root, {f"{CPU}/smt/active": "0"})
    done = laptop.doctor("--tune")
    assert (done.returncode, done.stdout) == (
        0,
        "nothing to change: this machine is as quiet as its settings make it\n",
    )
