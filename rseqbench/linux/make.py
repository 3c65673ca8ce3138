"""Linux's own make: which tools it needs, how far it is, and what it says when it fails."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rseqbench import lifetime
from rseqbench.arches import Arch, LinuxBuild
from rseqbench.errors import BuildError

# What every build needs, with Debian's package for it; x86's objtool reads ELF files with libelf.
_TOOLS = {"make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "perl": "perl", "gcc": "gcc"}
_STEP = re.compile(r"^  [A-Z][A-Z0-9_]* ")
_WRONG = re.compile(r"error:|Error \d|No space left|undefined reference|cannot find")
_LOG = "make.log"
# So that the same source gives the same Linux wherever and whenever it is built.
_FIXED = {
    "KBUILD_BUILD_TIMESTAMP": "2026-01-01",
    "KBUILD_BUILD_USER": "rseqbench",
    "KBUILD_BUILD_HOST": "rseqbench",
    "LC_ALL": "C",
}


@dataclass(frozen=True)
class Tools:
    """The compiler's prefix, empty where this machine's own compiler will do, and its version; empty: there is none."""

    prefix: str
    version: str

    @classmethod
    def find(cls, linux: LinuxBuild, arch: Arch) -> Tools:
        """Return the tools that build Linux for an architecture. Raises BuildError without a compiler."""
        for prefix in (linux.cross, *([""] if arch.is_host else [])):
            path = shutil.which(f"{prefix}gcc")
            if path:
                done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
                return cls(prefix, (done.stdout.splitlines() or ["gcc of unknown version"])[0])
        raise BuildError(f"no {linux.cross}gcc to build Linux for {arch.name} with", f"apt-get install {linux.package}")

    def check(self, linux: LinuxBuild, arch: Arch) -> None:
        """Raise BuildError when something that a build needs is not here, naming all of it."""
        lacking = missing(linux)
        if lacking:
            raise BuildError(
                f"Linux for {arch.name} cannot be built without {', '.join(lacking)}",
                f"apt-get install {' '.join(lacking.values())}",
            )


def missing(linux: LinuxBuild) -> dict[str, str]:
    """Return the tools that a build needs and that are not here, each with Debian's package for it."""
    found = {tool: package for tool, package in _TOOLS.items() if shutil.which(tool) is None}
    if linux.arch == "x86" and "gcc" not in found and not _compiles("gelf.h"):
        found["libelf"] = "libelf-dev"
    return found


def _compiles(header: str) -> bool:
    command = ["gcc", "-fsyntax-only", "-xc", "-"]
    return not subprocess.run(
        command, input=f"#include <{header}>\n".encode(), capture_output=True, check=False
    ).returncode


class Make:
    """make in a tree of Linux's source, for a folder outside of it."""

    def __init__(self, tools: Tools, tree: Path, work: Path, linux: LinuxBuild) -> None:
        """Take the tools, the source, the folder that is built in, and how Linux is built."""
        self._linux = linux
        self._log = work / _LOG
        self._command = ["make", "-C", str(tree), f"O={work}", f"ARCH={linux.arch}", f"CROSS_COMPILE={tools.prefix}"]

    def run(self, goals: Sequence[str], variables: Mapping[str, str] | None = None) -> None:
        """Make something that does not take long. Raises BuildError with make's words."""
        self._make(goals, variables or {}, lambda line: None)

    def build(self, lines: int | None, progress: Callable[[int, int | None], None]) -> None:
        """Make Linux; `lines` are about how many it prints. Raises BuildError with make's or the compiler's words.

        `progress` is told after every line how many there were, and of how many.
        """
        done = 0

        def seen(line: str) -> None:
            nonlocal done
            done += bool(_STEP.match(line))
            progress(done, None if lines is None else max(lines, done))

        jobs = len(os.sched_getaffinity(0))
        self._make([f"-j{jobs}", self._linux.target, "vmlinux"], {}, seen)

    def _make(self, goals: Sequence[str], variables: Mapping[str, str], seen: Callable[[str], None]) -> None:
        tail: list[str] = []
        process = subprocess.Popen(
            [*self._command, *goals],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **_FIXED, **variables},
            start_new_session=True,  # Ctrl-C is for us, who end all of it
            preexec_fn=lifetime.die_with_parent,  # noqa: PLW1509 - it calls one function of the C library
        )
        try:
            assert process.stdout is not None
            with self._log.open("wb") as log:
                for raw in process.stdout:
                    log.write(raw)
                    tail.append(raw.decode(errors="replace").rstrip())
                    seen(tail[-1])
            code = process.wait()
        finally:
            lifetime.kill(process)
        if code:
            raise BuildError(f"make failed: {_words(tail)}", f"all of it is in {self._log}")


def _words(lines: Sequence[str]) -> str:
    """Return what a failed make says went wrong: the compiler's first error, else make's last words."""
    wrong = [line for line in lines if _WRONG.search(line) and not line.startswith("make")]
    return wrong[0] if wrong else next((line for line in reversed(lines) if line), "it says nothing")
