"""kernels/preload/ on a CPU that is taken away: in a guest, since this machine is not ours alone."""

import re
import subprocess

import pytest

from rseqbench.build import architectures
from rseqbench.build.linux import image, initramfs, kvm
from rseqbench.errors import TargetError
from tests.support.pools import require_program

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def linux():
    """Return Debian's Linux for this machine."""
    if architectures.host().name != "x86_64":
        pytest.skip("the guest's CPUs are x86")
    try:
        return image.fetch_debian_image(architectures.host())
    except TargetError as error:
        pytest.skip(f"no Linux to boot: {error}")


def libraries(*paths):
    """Return the files that programs need to run, by their path: themselves, the loader, their libraries."""
    listed = subprocess.check_output(["ldd", *paths], text=True)
    return set(re.findall(r"(/\S+) \(0x", listed))


def guest(linux, init, files):
    """Boot Linux with that init and files, by their paths in the guest, and return what its console said."""
    archive = init.parent / "initramfs"
    content = {name.lstrip("/"): path.read_bytes() for name, path in files.items()}
    archive.write_bytes(initramfs.pack_initramfs(init.read_bytes(), {}, content))
    qemu = architectures.host().qemu
    accelerated = not kvm.find_kvm_problem(architectures.host(), linux.path)
    processor = ["-accel", "kvm", "-cpu", "host"] if accelerated else ["-accel", "tcg,thread=multi", "-cpu", qemu.cpu]
    command = [
        require_program(qemu.system, qemu.system_package),
        "-M",
        qemu.machine,
        "-m",
        "512",
        "-smp",
        "2",
        *processor,
    ]
    command += ["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "stdio"]
    command += ["-kernel", linux.path, "-initrd", archive, "-append", f"console={qemu.console} quiet panic=-1"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=150, errors="replace").stdout


def test_cpus_come_and_go(pools, program, linux, tmp_path_factory):
    own = {"/parked": program("parked"), "/crowd": program("crowd"), "/lib/libpools.so": pools.path}
    needed = {name: type(pools.path)(name) for name in libraries(*own.values())}
    said = guest(linux, program("unplug", "-static"), {**needed, **own})
    ended = re.findall(r"ran (\w+) (\S+) status=(\d+)", said)
    assert ended == [(m, p, "0") for p in ("/parked", "/crowd") for m in ("rseq", "vdso_lock")], said
    assert int(re.search(r"changes=(\d+)", said)[1]) > 10
