"""An ARM board that is not there: a guest of Debian's Linux for armhf with Debian's own dropbear as its sshd.

Nothing of it is installed: its packages come through the private apt, and make up the guest's initramfs.
"""

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from rseqbench import paths
from rseqbench.build import architectures
from rseqbench.build.linux import image, initramfs
from rseqbench.build.linux.apt import Apt
from rseqbench.targets.qemu.virtual_machine import VirtualMachine
from tests.support.guests import static
from tests.support.sshd import free_port, keygen

PACKAGES = ("busybox-static", "dropbear-bin", "libc6", "libcrypt1", "libtomcrypt1", "libtommath1", "libgmp10", "zlib1g")
# Of libc6, the C library and what loads it will do.
LIBRARIES = ("lib[cgtz]*.so.[0-9]*", "ld-linux-armhf.so.3")
PROGRAMS = ("busybox", "dropbear", "dropbearkey")
# qemu's user network is always the same. The first line is the host key, for the client to know.
INIT = """\
/bin/busybox mkdir -p /bin /root
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t devtmpfs dev /dev; mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t tmpfs tmp /tmp
while read -r module; do insmod "/modules/$module"; done </modules/order
ifconfig lo 127.0.0.1 up
ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up
dropbearkey -t ed25519 -f /tmp/key >/dev/null
dropbear -r /tmp/key -E -s
until port=$(grep -l rseqbench /sys/class/virtio-ports/*/name); do sleep 0.1; done
port=${port%/name}; port=/dev/${port##*/}
dropbearkey -y -f /tmp/key | grep ^ssh- >"$port"
while :; do sleep 1000; done
"""
# Debian's Linux for armhf has scripts as a module only, so that init has to be a program.
EXECUTES_INIT = """\
#include <unistd.h>
int main(void)
{
	char *const words[] = { "sh", "/init.sh", NULL };
	return execv("/bin/busybox", words);
}
"""
CLIENT = """\
Host *
    IdentityFile {folder}/user_key
    IdentitiesOnly yes
    UserKnownHostsFile {folder}/known_hosts
    GlobalKnownHostsFile none
"""


class Board(VirtualMachine):
    """The running board; `destination` is what a user types after `ssh:`, `ssh` the value of RSEQBENCH_SSH."""

    def __init__(self, folder):
        """Fetch what is not in the cache, and write init and keys into `folder`."""
        arch = architectures.named("arm32")
        modules = (*arch.qemu.modules, "virtio_net")
        self.port = free_port()
        self.destination = f"root@127.0.0.1:{self.port}"
        self.ssh = shlex.join(["ssh", "-F", str(folder / "ssh_config")])
        self._folder, self.key = folder, folder / "user_key"
        (folder / "init.c").write_text(EXECUTES_INIT)
        (folder / "ssh_config").write_text(CLIENT.format(folder=folder))
        keygen(folder / "user_key")
        netted = replace(arch, name="arm32-net", qemu=replace(arch.qemu, modules=modules))
        super().__init__(netted, image.fetch_debian_image(netted), static("arm32", folder / "init.c", folder), cpus=2)

    def __enter__(self):
        entered = super().__enter__()
        key = b" ".join(self.first_line.split()[:2]).decode()
        (self._folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}\n")
        return entered

    def command(self, archive, console, stream):
        forward = f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"
        return [
            *super().command(archive, console, stream),
            "-netdev",
            forward,
            "-device",
            "virtio-net-device,netdev=net",
        ]

    def _initramfs(self):
        modules = {path.stem: path.read_bytes() for path in self._image.modules}
        files = {
            **debian_files(),
            "init.sh": INIT.encode(),
            "etc/passwd": b"root:*:0:0:root:/root:/bin/sh\n",
            "etc/shells": b"/bin/sh\n",
            "root/.ssh/authorized_keys": (self._folder / "user_key.pub").read_bytes(),
        }
        return initramfs.pack_initramfs(self._init.read_bytes(), modules, files)


@pytest.fixture(scope="session")
def arm_board(own_environment, tmp_path_factory):
    """Return a running board: one for all tests, as it takes long to boot. They leave nothing on it but its clock."""
    with Board(tmp_path_factory.mktemp("board")) as running:
        yield running


def there(board, command):
    """Run a command on a board, and return what it prints."""
    words = [*shlex.split(board.ssh), "-p", str(board.port), "root@127.0.0.1", command]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def debian_files():
    """Return programs and libraries of Debian's armhf by their place in the guest."""
    kept = paths.cache() / "board"
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            fetch(Path(scratch), Path(scratch) / "kept")
            os.rename(Path(scratch) / "kept", kept)
    return {str(path.relative_to(kept)): path.read_bytes() for path in kept.rglob("*") if path.is_file()}


def fetch(scratch, kept):
    apt, tree = Apt("armhf", scratch / "apt"), scratch / "tree"
    apt.update()
    for package in PACKAGES:
        deb = apt.download(package)
        subprocess.run(["dpkg-deb", "-x", str(deb), str(tree)], check=True)
        deb.unlink()
    for folder in ("bin", "lib"):
        (kept / folder).mkdir(parents=True)
    for name in PROGRAMS:
        shutil.copy(next(path for path in tree.rglob(f"*bin/{name}") if path.is_file()), kept / "bin" / name)
    for pattern in LIBRARIES:
        for path in tree.rglob(pattern):
            with contextlib.suppress(FileNotFoundError):  # a link to what another root file system has
                shutil.copy(path, kept / "lib" / path.name)
