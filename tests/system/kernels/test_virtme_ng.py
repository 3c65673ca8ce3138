"""VirtmeNgMachine with the real virtme-ng: what it is asked for, a Linux that it can boot, and others."""

import csv
import dataclasses
import json
import os
import sysconfig
from pathlib import Path

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import build
from rseqbench.build.linux.image import KernelImage
from rseqbench.errors import TargetError, UsageError
from rseqbench.targets.qemu import virtual_machine
from tests.support.built_kernels import LIMIT_S
from tests.support.commands import processes_with, rseqbench
from tests.support.requirements import defaults, resolved, x86_only

pytestmark = x86_only
LINUX = '[linux]\nconfig = "vng"\n'


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """Have `vng` found where pip has put it."""
    monkeypatch.setenv("PATH", f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}")


def guest(folder, name="x86_64", config="", **options):
    image, known = folder / "image", folder / "config"
    image.write_bytes(b"")
    known.write_text(config)
    found = KernelImage(name, image, config=known if config else None)
    return virtual_machine.VirtmeNgMachine(architectures.named(name), found, Path("/opt/the runner"), **options)


class TestWhatItAsksFor:
    def test_the_command_is_virtme_ngs_with_our_stream_console_and_clock(self, tmp_path):
        made = guest(tmp_path, counted=True, memory_mib=300, parameters=["ours=1"])
        made._scratch = str(tmp_path)
        command = made.command(archive=7, console=8, stream=9)
        assert command[0].endswith("qemu-system-x86_64")
        assert "file,id=console,path=/dev/fd/8" in command
        assert not [word for word in command if word.startswith("file,id=console,path=/dev/null")]
        assert command[-6:][1::2] == [
            "socket,id=port,fd=9",
            "virtio-serial-pci",
            "virtserialport,chardev=port,name=rseqbench",
        ]
        assert "shift=0,sleep=off" in command
        assert command[command.index("-m") + 1] == "300M"
        appended = command[command.index("-append") + 1].split()
        assert {"norandmaps", "ours=1", "rootfstype=9p"} <= set(appended)
        assert not [word for word in command if "kvm" in word]

    def test_a_guest_with_two_cpus_is_not_counted(self, tmp_path):
        made = guest(tmp_path, cpus=2)
        made._scratch = str(tmp_path)
        command = made.command(7, 8, 9)
        assert command[command.index("-smp") + 1] == "2"
        assert "-icount" not in command


class TestRefused:
    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ("CONFIG_64BIT=y\n", "virtme-ng cannot boot this Linux, which has no CONFIG_NET_9P_VIRTIO=y"),
            ("CONFIG_NET_9P_VIRTIO=y\nCONFIG_9P_FS=m\n", "which has no CONFIG_9P_FS=y"),
        ],
    )
    def test_a_linux_without_what_it_needs(self, tmp_path, config, words):
        with pytest.raises(TargetError, match=words), guest(tmp_path, config=config):
            pass

    def test_another_architecture(self, tmp_path):
        with pytest.raises(TargetError, match="over this machine's file system, where arm32 is foreign"):
            guest(tmp_path, "arm32").__enter__()

    def test_a_target_that_boots_nothing(self):
        with pytest.raises(UsageError, match="target native boots no Linux, so there is nothing for --runner vng"):
            resolved(target="native", runner="vng")

    def test_no_virtme_ng(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(TargetError, match="no vng here to start the guest with; pip install virtme-ng"):
            virtual_machine.virtme_ng_version()

    def test_virtme_ng_that_fails(self, tmp_path):
        made = guest(tmp_path)
        made._image = dataclasses.replace(made._image, path=tmp_path / "gone")
        with pytest.raises(TargetError, match=r"vng failed \(1\): .*gone does not exist"), made:
            pass


@pytest.fixture(scope="module")
def folder(tmp_path_factory, own_environment):
    """Return a folder in which the Linux that virtme-ng can boot is built; takes some minutes."""
    folder = tmp_path_factory.mktemp("vng")
    (folder / "bench.toml").write_text(LINUX)
    done = rseqbench("linux", "build", "config-y-registered", cwd=folder, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.timeout(LIMIT_S)
class TestBooted:
    def test_run_counts_in_a_guest_of_virtme_ng_and_leaves_nothing(self, folder, monkeypatch):
        temporary = folder / "temporary"
        temporary.mkdir()
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setenv("RSEQBENCH_TEST_MARK", str(folder))
        what = ("counter/plain", "counter/rseq", "linux/pipe_one_cpu", "hackbench/processes")
        options = (
            "--config",
            "config-y-registered",
            "--boots",
            "1",
            "--runner",
            "vng",
            "--target",
            "qemu-system",
            "--label",
            "x",
        )
        done = rseqbench("run", *what, *options, cwd=folder, timeout=600)
        assert done.returncode == 0, done.stderr
        header = json.loads((folder / "results/x/run.json").read_text())
        (machine,) = header["machines"]
        assert machine["facts"]["virtme_ng"].startswith("virtme-ng ")
        assert machine["facts"]["config_rseq"] == "y"
        checks = {one["benchmark"]: one for one in header["checks"]}
        assert checks["counter/rseq"]["aborts"] > 0
        with (folder / "results/x/table.csv").open() as file:
            assert {row["benchmark"] for row in csv.DictReader(file) if row["gross"]} >= set(what)
        assert not list(temporary.iterdir())
        assert set(processes_with(str(folder))) <= {os.getpid()}

    def test_it_is_cached_apart_from_the_small_one(self, folder):
        arch, options = architectures.named("x86_64"), defaults().linux
        built = build.find_built_kernel(arch, dataclasses.replace(options, config="vng"), "y")
        assert built.base == "vng"
        assert build.find_built_kernel(arch, options, "y") != built
