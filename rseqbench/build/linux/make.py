"""The kernel's make: the tools it needs, its progress, its error when it fails, and a lock on its folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rseqbench.build.architectures import Arch, LinuxBuild
from rseqbench.errors import BuildError
from rseqbench.support.process import die_with_parent, terminate

# What every build needs, with Debian's package for it; x86's objtool reads ELF files with libelf.
_TOOLS = {"make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "perl": "perl", "gcc": "gcc"}
# What options of a user's own configuration need besides.
_TOOLS_OF = {
    "CONFIG_KERNEL_BZIP2": ("bzip2", "bzip2"),
    "CONFIG_KERNEL_LZMA": ("lzma", "xz-utils"),
    "CONFIG_KERNEL_XZ": ("xz", "xz-utils"),
    "CONFIG_KERNEL_LZO": ("lzop", "lzop"),
    "CONFIG_KERNEL_LZ4": ("lz4", "lz4"),
    "CONFIG_KERNEL_ZSTD": ("zstd", "zstd"),
    "CONFIG_DEBUG_INFO_BTF": ("pahole", "pahole"),
}
_ELF, _SSL = ("gelf.h", "libelf-dev"), ("openssl/opensslv.h", "libssl-dev")
_HEADERS_OF = {
    "CONFIG_OBJTOOL": _ELF,
    "CONFIG_STACK_VALIDATION": _ELF,
    "CONFIG_DEBUG_INFO_BTF": _ELF,
    "CONFIG_MODULE_SIG_FORMAT": _SSL,
    "CONFIG_SYSTEM_TRUSTED_KEYRING": _SSL,
}
_STEP = re.compile(rb"^  [A-Z][A-Z0-9_]* ")
_WRONG = re.compile(r"error:|Error \d|No space left|undefined reference|cannot find")
_FULL = "No space left"
_LOG = "make.log"
_PATIENCE_S = 3.0  # for make to remove what it was half through with
# So that the same source gives the same Linux wherever and whenever it is built.
_FIXED = {
    "KBUILD_BUILD_TIMESTAMP": "2026-01-01",
    "KBUILD_BUILD_USER": "rseqbench",
    "KBUILD_BUILD_HOST": "rseqbench",
    "KBUILD_BUILD_VERSION": "1",  # it would count how often it was taken up again
    "LC_ALL": "C",
}
# Whatever else would reach make and change what it does: a user's settings, and those of a make that called us.
_FOREIGN = re.compile(
    r"MAKE|MFLAGS|GNUMAKEFLAGS|KBUILD_|KCONFIG_|[KHU](C|A|LD|CPP|RUST)FLAGS|LOCALVERSION|LLVM|INSTALL_"
)
Progress = Callable[[int, int | None], None]  # steps done, of how many, None where nobody knows


def make_environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for Linux's make: ours without what would change a build, and with `variables`."""
    inherited = {name: value for name, value in os.environ.items() if not _FOREIGN.match(name)}
    return {**inherited, **_FIXED, **(variables or {})}


@dataclass(frozen=True)
class Tools:
    """The prefix of the commands of compiler and binutils, empty where this machine's own will do; their versions."""

    prefix: str
    version: str
    binutils: str

    @classmethod
    def find(cls, linux: LinuxBuild, arch: Arch) -> Tools:
        """Return the tools that build Linux for an architecture. Raises BuildError without a compiler."""
        for prefix in (linux.cross, *([""] if arch.is_host else [])):
            if shutil.which(f"{prefix}gcc"):
                return cls(prefix, _read_version(f"{prefix}gcc"), _read_version(f"{prefix}ld"))
        raise BuildError(f"no {linux.cross}gcc to build Linux for {arch.name} with", f"apt-get install {linux.package}")

    def check(self, linux: LinuxBuild, arch: Arch, final: Mapping[str, str] | None = None) -> None:
        """Raise BuildError, naming all of it, when something that is needed is not here; `final` as in missing()."""
        missing = find_missing_tools(linux, final)
        if missing:
            raise BuildError(
                f"Linux for {arch.name} cannot be built without {', '.join(missing)}",
                f"apt-get install {' '.join(dict.fromkeys(missing.values()))}",
            )


def find_missing_tools(linux: LinuxBuild, final: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the tools and headers that a build needs and that are not here, each with Debian's package for it.

    `final` are the options of its .config, as far as they are known: some need more.
    """
    final = final or {}
    tools = {**_TOOLS, **dict(needed for option, needed in _TOOLS_OF.items() if final.get(option) == "y")}
    missing = {tool: package for tool, package in tools.items() if shutil.which(tool) is None}
    if "gcc" in missing:
        return missing
    headers = dict(needed for option, needed in _HEADERS_OF.items() if final.get(option) == "y")
    headers |= dict([_ELF]) if linux.arch == "x86" else {}
    return missing | {header: package for header, package in headers.items() if not _compiles(header)}


def _compiles(header: str) -> bool:
    command = ["gcc", "-fsyntax-only", "-xc", "-"]
    return not subprocess.run(
        command, input=f"#include <{header}>\n".encode(), capture_output=True, check=False
    ).returncode


def _read_version(command: str) -> str:
    try:
        done = subprocess.run([command, "--version"], capture_output=True, text=True, errors="replace", check=False)
    except OSError:
        return "none"
    return (done.stdout.splitlines() or [f"{command} of unknown version"])[0]


class Make:
    """make in a tree of Linux's source, for a folder outside of it."""

    def __init__(self, tools: Tools, tree: Path, work: Path, linux: LinuxBuild, locks: Sequence[int] = ()) -> None:
        """Take the tools, the source, the folder that is built in, and how Linux is built.

        All that make starts inherits the descriptors `locks`, so that a lock lasts as long as something is at work.
        """
        self._linux, self._locks = linux, tuple(locks)
        self._log = work / _LOG
        self._command = ["make", "-C", str(tree), f"O={work}", f"ARCH={linux.arch}", f"CROSS_COMPILE={tools.prefix}"]

    @property
    def build_command(self) -> list[str]:
        """The command line that builds the kernel."""
        return [*self._command, f"-j{len(os.sched_getaffinity(0))}", self._linux.target, "vmlinux"]

    def run(self, goals: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        """Make something that does not take long. Raises BuildError with make's words."""
        self._make([*self._command, *goals], variables or {}, lambda line: None, self._log.with_name("config.log"))

    def build(self, steps: int | None, progress: Progress) -> int:
        """Make Linux and return in how many steps; `steps` are about how many. Raises BuildError with what was said.

        `progress` is called after every step with the number of steps done, earlier attempts included, and of all.
        """
        done = _count_steps(self._log)
        progress(done, None if steps is None else max(steps, done))

        def count(line: bytes) -> None:
            nonlocal done
            if _STEP.match(line):
                done += 1
                progress(done, None if steps is None else max(steps, done))

        self._make(self.build_command, {}, count, self._log)
        return done

    def _make(
        self, command: Sequence[str], variables: Mapping[str, str], on_line: Callable[[bytes], None], log: Path
    ) -> None:
        lines: list[bytes] = []
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=make_environment(variables),
            pass_fds=self._locks,
            start_new_session=True,  # Ctrl-C is for us, who end all of it
            preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls one function of the C library
        )
        try:
            assert process.stdout is not None
            with log.open("ab") as file:
                for line in process.stdout:
                    file.write(line)
                    lines.append(line)
                    on_line(line)
            code = process.wait()
        finally:
            terminate(process, _PATIENCE_S)
        if code:
            words = _find_error([line.decode(errors="replace").rstrip() for line in lines])
            room = "make room and build again: it goes on where it was"
            raise BuildError(f"make failed: {words}", room if _FULL in words else f"all of it is in {log}")


def _count_steps(log: Path) -> int:
    """Return how many steps earlier attempts did, by their log."""
    try:
        with log.open("rb") as file:
            return sum(1 for line in file if _STEP.match(line))
    except FileNotFoundError:
        return 0


def _find_error(lines: Sequence[str]) -> str:
    """Return what a failed make says went wrong: the compiler's first error, else make's last words."""
    errors = [line for line in lines if _WRONG.search(line) and not line.startswith("make")]
    full = [line for line in errors if _FULL in line]
    return (full or errors or [line for line in reversed(lines) if line] or ["it says nothing"])[0]


@contextlib.contextmanager
def hold_lock(path: Path, activity: str) -> Iterator[int]:
    """Hold the lock file `path`, which is removed afterwards; its folder must be there. Yields its descriptor.

    A child that inherits the descriptor holds the lock as well, for as long as it lives. Raises BuildError, saying
    what another rseqbench does (`activity`), when somebody else holds it, and OSError when it cannot be made.
    """
    descriptor = _lock(path, activity)
    try:
        yield descriptor
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def _lock(path: Path, activity: str) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except OSError as error:
            os.close(descriptor)
            raise BuildError(f"another rseqbench is {activity}", "wait until it is done") from error
        os.close(descriptor)  # whoever held it has removed it since we opened it
