"""A Linux booted under qemu-system with a program of ours as its init, and the stream that leads to that program.

Nothing of it lies on a disk: the initramfs, the console and qemu's complaints are anonymous files in memory, and the
stream is a socket pair. So there is nothing to remove, even when we are killed, and Linux kills qemu along with us.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shlex
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from rseqbench.build.architectures import Arch, Qemu
from rseqbench.build.linux import initramfs
from rseqbench.build.linux.image import KernelImage, require_qemu
from rseqbench.errors import TargetError
from rseqbench.model import CommandLine
from rseqbench.support import kconfig, process

PORT = "rseqbench"  # what the guest finds in /sys/class/virtio-ports/*/name
BOOT_TIMEOUT_S = 180.0
_TAIL = 3  # lines of the console that go into an error
_STAMP = re.compile(r"^\[ *\d+\.\d+\] ")  # a line without one is the program's own
_TELLING = re.compile(r"panic - |Failed to execute|Out of memory|Oops|Unable to|modules?: ")
_TRACE = re.compile(
    r"\+0x[0-9a-f]+/0x|^(CPU: |Hardware name|Call trace|---\[|Backtrace|Exception stack)", re.IGNORECASE
)

# One virtual CPU whose every instruction takes a nanosecond of guest time, and nothing random: the clock then counts
# instructions, the same in each boot. The date is any that is not today's. A random offset of Linux's stack costs a
# system call on arm64 130 of 450 instructions, not evenly: every 48th fills the generator anew, with 2800.
_COUNTED = (
    *("-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"),
    *("-rtc", "clock=vm,base=2026-01-01", "-seed", "1"),
)
# KASLR makes Linux on arm64 separate its page tables from ours, which under qemu makes a system call take ten times as
# long (17 us instead of 1.4); what Linux does against Spectre stays as users have it.
_PARAMETERS = ("nokaslr",)
_COUNTED_PARAMETERS = ("norandmaps", "randomize_kstack_offset=off")
_VNG_NO_CONSOLE = "file,id=console,path=/dev/null"  # where virtme-ng sends it
# Without OVERLAY_FS, /tmp and the like are empty there, and with them the runner may be.
_VNG_NEEDS = ("CONFIG_NET_9P_VIRTIO", "CONFIG_9P_FS", "CONFIG_OVERLAY_FS", "CONFIG_VIRTIO_PCI", "CONFIG_BINFMT_SCRIPT")
_VNG_HINT = 'build it with config = "vng" in [linux] of bench.toml, or with `vng --build`'


class VirtualMachine:
    """A running guest: entered when its program has sent its first line, left with nothing behind.

    socket: the stream to the program, right after its first line; first_line: that line without its end;
    boot_s: how long it took, in seconds of ours.
    """

    def __init__(  # noqa: PLR0913 - most are options
        self,
        arch: Arch,
        image: KernelImage,
        init: Path,
        *,
        cpus: int = 1,
        counted: bool = False,
        accelerated: bool = False,
        memory_mib: int = 512,
        parameters: Sequence[str] = (),
        files: Mapping[str, bytes] | None = None,
        boot_timeout_s: float = BOOT_TIMEOUT_S,
    ) -> None:
        """Take what to boot: `init` is a static program for `arch`, which opens the virtio port called PORT.

        `parameters` go to Linux, which hands NAME=VALUE that it does not know to init as environment; `files` lie in
        its file system, by path without the leading slash. When `counted`, guest time counts instructions, with one
        CPU only; when `accelerated`, the CPUs are this machine's own, under KVM; else each is a thread of ours.
        """
        if counted and cpus != 1:
            raise ValueError("instructions can be counted on one CPU only")
        self._arch, self._image, self._init = arch, image, init
        self._cpus, self._memory_mib = cpus, memory_mib
        self._counted, self._accelerated = counted, accelerated
        self._parameters = tuple(parameters)
        self._files = dict(files or {})
        self._boot_timeout_s = boot_timeout_s
        self._resources = contextlib.ExitStack()
        self.first_line = b""
        self.boot_s = 0.0

    def __enter__(self) -> Self:
        """Boot it and wait for the first line. Raises TargetError with what qemu or the console said."""
        with contextlib.ExitStack() as stack:
            started = time.monotonic()
            self._console = _memory_file("console", b"", stack)
            self._complaints = _memory_file("qemu", b"", stack)
            self.socket = self._start(stack)
            self.first_line = self._read_first_line(started + self._boot_timeout_s)
            self.boot_s = time.monotonic() - started
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill qemu and close everything."""
        self._resources.close()

    def console(self) -> str:
        """Return everything that the guest's Linux has printed so far."""
        return _content(self._console)

    def failure(self, what: str) -> TargetError:
        """Return the error that says `what` went wrong with this guest, and the telling lines of its console."""
        complaint = _content(self._complaints).strip().partition("\n")[0]
        said = complaint or " | ".join(_telling(self.console().splitlines())[-_TAIL:])
        silent = f"its console is empty, and it had {self._memory_mib} MiB of memory"
        return TargetError(f"the {self._arch.name} guest {what}: {said or silent}")

    def ended(self, when: str = "") -> TargetError:
        """Return the error for a stream that has ended, `when` in words: the guest powered off, or qemu failed."""
        code = self._qemu.wait()
        if code < 0:  # so nothing on the console is the reason
            return TargetError(
                f"the {self._arch.name} guest stopped{when}: qemu was ended by {process.describe_exit(code)}"
            )
        return self.failure(f"stopped, qemu with {process.describe_exit(code)}" if code else f"stopped{when}")

    def _start(self, stack: contextlib.ExitStack) -> socket.socket:
        """Start qemu and return our end of the stream; `stack` gets what ends it all."""
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        with theirs:
            archive = _memory_file("initramfs", self._initramfs(), stack)
            command = self.command(archive, self._console, theirs.fileno())
            self._qemu = self._spawn(command, (archive, self._console, theirs.fileno()))
        stack.callback(process.kill, self._qemu)
        return ours

    def _initramfs(self) -> bytes:
        try:
            modules = {path.stem: path.read_bytes() for path in self._image.modules}
            return initramfs.pack_initramfs(self._init.read_bytes(), modules, self._files)
        except OSError as error:
            raise TargetError(f"cannot read {error.filename}: {error.strerror}") from error

    def _spawn(self, command: Sequence[str], files: Sequence[int]) -> subprocess.Popen[bytes]:
        """Start qemu in a session of its own: the terminal's Ctrl-C is for us to act on."""
        try:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._complaints,
                stderr=self._complaints,
                pass_fds=files,
                start_new_session=True,
                preexec_fn=process.die_with_parent,  # noqa: PLW1509 - it calls one function of the C library
            )
        except FileNotFoundError as error:
            package = require_qemu(self._arch).system_package
            raise TargetError(f"no {command[0]} to run {self._arch.name} with", f"apt-get install {package}") from error

    def command_line(self, what: str) -> CommandLine:
        """Return the command line that boots it, with the descriptors that a process without other files would use."""
        note = "descriptors, numbered as they come: 3 is the initramfs, 4 the console, 5 the stream to the runner"
        return CommandLine(what, tuple(self.command(3, 4, 5)), note)

    def command(self, archive: int, console: int, stream: int) -> list[str]:
        """Return the qemu command line, for the file descriptors of the initramfs, the console and the stream."""
        qemu = require_qemu(self._arch)
        return [
            *self._machine(qemu, archive, console),
            *self._processor(qemu),
            *("-chardev", f"socket,id=port,fd={stream}"),
            *("-device", qemu.port, "-device", f"virtserialport,chardev=port,name={PORT}"),
        ]

    def _machine(self, qemu: Qemu, archive: int, console: int) -> list[str]:
        """Return the command and the options for everything but its CPUs and the stream."""
        parameters = [f"console={qemu.console}", "quiet", "panic=-1", *self._settings()]
        return [
            *(qemu.system, "-M", qemu.machine, "-m", str(self._memory_mib), "-smp", str(self._cpus)),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-chardev", f"file,id=console,path=/dev/fd/{console}", "-serial", "chardev:console"),
            *("-kernel", str(self._image.path), "-initrd", f"/dev/fd/{archive}", "-append", " ".join(parameters)),
        ]

    def _settings(self) -> list[str]:
        """Return the parameters for Linux that decide how it runs."""
        return [*_PARAMETERS, *(_COUNTED_PARAMETERS if self._counted else ()), *self._parameters]

    def _processor(self, qemu: Qemu) -> tuple[str, ...]:
        """Return the options that say what its CPUs are and how they run."""
        if self._accelerated:
            return ("-accel", "kvm", "-cpu", "host")
        return ("-cpu", qemu.cpu, *(_COUNTED if self._counted else ("-accel", "tcg,thread=multi")))

    def _read_first_line(self, deadline: float) -> bytes:
        """Read the first line byte by byte, so that nothing of the next one is lost to whoever reads the socket."""
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self.socket], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise self.failure(f"said nothing within {self._boot_timeout_s:g} s")
            byte = self.socket.recv(1)
            if not byte:
                raise self.ended(" before it spoke")
            line += byte
        return line.rstrip(b"\r\n")


def _memory_file(name: str, content: bytes, stack: contextlib.ExitStack) -> int:
    """Return the descriptor of a file that exists in memory only, as long as somebody has it open."""
    descriptor = os.memfd_create(name)
    stack.callback(os.close, descriptor)
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor


def _telling(console: Sequence[str]) -> list[str]:
    """Return the lines of a console that say what went wrong; where none does, all that are no stack trace."""
    shown = {line: _STAMP.sub("", line).strip() for line in console}
    lines = [line for line in console if shown[line] and not _TRACE.search(shown[line])]
    telling = [line for line in lines if not _STAMP.match(line) or _TELLING.search(line)]
    return [shown[line] for line in telling or lines]


def _content(descriptor: int) -> str:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


def virtme_ng_version() -> str:
    """Return what virtme-ng calls itself. Raises TargetError when it is not there."""
    return _ask_virtme_ng(["--version"]).strip()


class VirtmeNgMachine(VirtualMachine):
    """A guest whose qemu command virtme-ng makes."""

    def _start(self, stack: contextlib.ExitStack) -> socket.socket:
        if not self._arch.is_host:
            why = f"virtme-ng boots over this machine's file system, where {self._arch.name} is foreign"
            raise TargetError(why, "--runner qemu")
        self._ensure_bootable()
        self._scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="rseqbench-vng-"))
        return super()._start(stack)

    def _ensure_bootable(self) -> None:
        """Raise TargetError when the configuration of this Linux is known and lacks what virtme-ng needs."""
        if self._image.config is None:
            return
        config = kconfig.parse_config(self._image.config.read_text(encoding="utf-8"))
        good = "ym" if Path(f"/lib/modules/{self._image.release}").is_dir() else "y"
        for name in _VNG_NEEDS:
            if config.get(name, "n") not in good:
                raise TargetError(f"virtme-ng cannot boot this Linux, which has no {name}=y", _VNG_HINT)

    def command_line(self, what: str) -> CommandLine:
        """Return what virtme-ng is asked; only its answer, the qemu command, is executed."""
        note = "prints the qemu command that is then started, with our stream and processor options behind it"
        return CommandLine(what, ("vng", *self._question()), note)

    def _initramfs(self) -> bytes:
        return b""

    def _machine(self, qemu: Qemu, archive: int, console: int) -> list[str]:
        command = shlex.split(_ask_virtme_ng(self._question(), self._scratch))
        return [f"file,id=console,path=/dev/fd/{console}" if word == _VNG_NO_CONSOLE else word for word in command]

    def _question(self) -> list[str]:
        settings = ["root=/dev/root", "loglevel=4", *self._settings()]  # a root that no block device is needed for
        return [
            *("--run", str(self._image.path), "--dry-run", "--disable-kvm", "--force-9p"),
            *("--memory", f"{self._memory_mib}M", "--cpus", str(self._cpus)),
            *(word for setting in settings for word in ("--append", setting)),
            *("--", f"{self._init} port"),
        ]


def _ask_virtme_ng(arguments: Sequence[str], scratch: str | None = None) -> str:
    """Return what `vng` prints, its files put below `scratch`. Raises TargetError when it fails or is not there."""
    environment = {**os.environ, **({"TMPDIR": scratch} if scratch else {})}
    try:
        done = subprocess.run(
            ["vng", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment
        )
    except FileNotFoundError as error:
        raise TargetError("no vng here to start the guest with", "pip install virtme-ng, or --runner qemu") from error
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] or "nothing said"
        raise TargetError(f"vng failed ({done.returncode}): {said}", "--runner qemu")
    return done.stdout
