"""The timed loops as they were compiled: read with objdump when a run is made, and kept with it as assembly.txt.

The file is for people and for diff: a comment, then for each benchmark a block, "group/method <function>" and its code,
each behind its distance from the function's beginning and ":", or "|" inside a restartable sequence. No path is in it,
and no address: what an instruction goes to or reads is named where it has a name of its own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from rseqbench.build import architectures, elf, products
from rseqbench.build.architectures import Arch
from rseqbench.build.elf import Loop
from rseqbench.errors import BuildError
from rseqbench.model import Machine
from rseqbench.support import atomic_io
from rseqbench.support.attachments import ASSEMBLY_FILE

MOST_LINES = 150  # of one loop; the longest of ours has 60
_LINE = re.compile(r"^ *([0-9a-f]+):\t(.+?) *$", re.MULTILINE)
_TARGET = re.compile(r"\b(?:0x)?([0-9a-f]+) <([^>+]+)(\+0x[0-9a-f]+)?>")


def attachments(machine: Machine) -> list[Path]:
    """Return the file to be kept with a run on `machine`, made once for each build of the benchmarks.

    None where it cannot be made: without an objdump for the architecture, or where the build is not in our cache.
    """
    built = products.cached(machine.facts.kernels or "")
    if built is None:
        return []
    path = built.with_name(ASSEMBLY_FILE)
    if not path.is_file():
        try:
            text = listed(architectures.named(machine.arch), built)
        except BuildError:  # the page says that the run has none
            return []
        with atomic_io.as_results_error(path):
            atomic_io.write(path, text)
    return [path]


def listed(arch: Arch, path: Path) -> str:
    """Return the text of assembly.txt for a linked object. Raises BuildError without an objdump for `arch`."""
    tool, version = _objdump(arch)
    loops = elf.loops(path)
    blocks = [f"# {arch.name}: the loops that were timed, read by {version}\n"]
    for loop in loops:
        lines = _instructions(tool, path, loop)
        blocks.append("\n".join([f"{loop.benchmark} <{loop.symbol}>", *lines]) + "\n")
    return "\n".join(blocks)


def _instructions(tool: str, path: Path, loop: Loop) -> list[str]:
    places = f"--start-address={loop.begin:#x}", f"--stop-address={loop.end:#x}"
    done = subprocess.run(
        [tool, "-d", "--no-show-raw-insn", *places, str(path)],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    found = [_instruction(int(address, 16), text, loop) for address, text in _LINE.findall(done.stdout)]
    if done.returncode or not found:
        raise BuildError(f"{tool} failed: {(done.stderr.splitlines() or ['it printed no instruction'])[0]}")
    left = len(found) - MOST_LINES
    return found if left <= 0 else [*found[:MOST_LINES], f"      and {left} more"]


def _instruction(address: int, text: str, loop: Loop) -> str:
    inside = any(begin <= address < end for begin, end in loop.sequences)
    named = _TARGET.sub(lambda target: _named(target, loop), " ".join(text.split()))
    return f"{address - loop.begin:4x}{'|' if inside else ':'} {named}"


def _named(target: re.Match[str], loop: Loop) -> str:
    """Return the name of an address: objdump's "3f40 <run_rseq+0x40>" without the number.

    Of what has no symbol objdump names a neighbour, which says nothing: a descriptor of a sequence is called so.
    """
    address = int(target[1], 16)
    if not target[3] or loop.begin <= address < loop.end:
        return f"<{target[2]}{target[3] or ''}>"
    return "<descriptor>" if address in loop.descriptors else "<elsewhere>"


def _objdump(arch: Arch) -> tuple[str, str]:
    """Return the objdump that reads code for `arch`, and its version. Raises BuildError when there is none."""
    cross = [f"{arch.linux.cross}objdump"] if arch.linux and arch.linux.cross else []
    names = [*cross, *(f"{command.removesuffix('-gcc')}-objdump" for command in arch.compilers if "-gcc" in command)]
    for name in [*names, *(["objdump"] if arch.is_host else [])]:
        tool = shutil.which(name)
        if tool:
            said = subprocess.run([tool, "--version"], capture_output=True, text=True, errors="replace", check=False)
            return tool, (said.stdout.splitlines() or [name])[0]
    raise BuildError(f"no objdump for {arch.name}", "apt-get install binutils")
