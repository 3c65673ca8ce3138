"""What stands behind the labels that a sequence jumps to is compiled, which GCC before 12.4 forgets by itself."""

import subprocess

import pytest

from rseqbench import paths
from rseqbench.build import architectures

SOURCE = """
#include "sequences.h"

unsigned long probe(struct rseq *area, unsigned long *aborts, void *base);
unsigned long probe(struct rseq *area, unsigned long *aborts, void *base)
{
	unsigned long cpu, at;
	void *slot;

	if (!plain_reserve(area, aborts, base, 8, 0, 8, 8, &cpu, &slot, &at))
		return 0xbad;
	return at;
}
"""
COMPILERS = {"x86_64": "gcc", "arm32": "arm-linux-gnueabihf-gcc", "arm64": "aarch64-linux-gnu-gcc"}


@pytest.mark.parametrize("name", COMPILERS)
def test_the_failure_path_of_a_sequence_is_compiled(tmp_path, name):
    arch = architectures.known()[name]
    if name == "x86_64" and not arch.is_host:
        pytest.skip("gcc is this machine's own compiler")
    (tmp_path / "probe.c").write_text(SOURCE)
    includes = [f"-I{paths.kernels() / 'include'}", f"-I{arch.folder}"]
    command = [COMPILERS[name], "-O2", "-std=gnu11", *arch.cflags, *includes, "-S", "-o", "-", "probe.c"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "2989" in done.stdout or "0xbad" in done.stdout, "the failure value is never loaded"
