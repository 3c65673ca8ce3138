"""A static init for the tests of guests, and small Linux modules made by the real compilers."""

import shutil
import subprocess
from pathlib import Path

import pytest

from rseqbench.build import architectures

ECHO_INIT = Path(__file__).parents[1] / "data" / "echo_init.c"


def compiler(name):
    """Return the first compiler of an architecture, or skip the test."""
    arch = architectures.named(name)
    found = next(filter(None, map(shutil.which, arch.compilers)), None)
    if found is None:
        pytest.skip(f"no compiler for {name}: apt-get install {arch.package}")
    return found


def static(name, source, folder):
    """Compile C into a static program for an architecture and return its path."""
    program = folder / f"{source.stem}-{name}"
    command = [compiler(name), "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", str(program), str(source)]
    subprocess.run(command, check=True)
    return program


def module(name, folder, *depends):
    """Compile an object file with the .modinfo of a module that depends on others, and return its bytes."""
    source, target = folder / "module.c", folder / "module.o"
    info = f"license=MIT\\0depends={','.join(depends)}\\0intree=Y"
    source.write_text(f'__attribute__((section(".modinfo"), used)) static const char info[] = "{info}";\n')
    subprocess.run([compiler(name), "-c", "-o", str(target), str(source)], check=True)
    return target.read_bytes()
