"""assembly.txt of the real kernels: the loops that it shows are those that are timed, for every architecture."""

import re

import pytest

from rseqbench.build import architectures, disassembly, elf, products
from rseqbench.errors import BuildError
from rseqbench.model import Facts, Machine
from rseqbench.support import attachments
from tests.support.compiled_objects import compile_kernels

ARCHES = ["arm32", "arm64", "x86_64"]


@pytest.fixture(scope="module", params=ARCHES)
def arch(request):
    return architectures.named(request.param)


@pytest.fixture(scope="module", params=[products.library, products.runner], ids=["shared", "static"])
def library(arch, request):
    return compile_kernels(arch.name, request.param)


@pytest.fixture(scope="module")
def text(arch, library):
    return disassembly.listed(arch, library.path)


@pytest.fixture(scope="module")
def listings(text):
    return {one.benchmark: one for one in attachments.parse_listings(text)}


def test_every_kernel_that_is_there_has_its_loop(library, listings):
    assert sorted(listings) == sorted(kernel.name for kernel in library.kernels() if kernel.run)


def test_the_loops_are_where_another_reader_finds_them(library):
    found = {(loop.benchmark, loop.begin, loop.end) for loop in elf.loops(library.path)}
    assert found == {(k.name, k.run, library.function_at(k.run)) for k in library.kernels() if k.run}


@pytest.mark.parametrize("name", ["x86_64", "arm64"])
def test_addresses_that_a_linker_leaves_to_the_loader_are_found(name, tmp_path):
    """GNU ld writes them into their places too; others do not."""
    library = compile_kernels(name)
    content, pointers = library.path.read_bytes(), bytes(library.section("benchmarks").data)
    assert content.count(pointers) == 1
    left = tmp_path / "left"
    left.write_bytes(content.replace(pointers, bytes(len(pointers))))
    assert elf.loops(left) == elf.loops(library.path)


def test_the_instructions_are_those_of_the_object(library, listings):
    begin, end = library.function("counter.c", "run_rseq")
    real = [one.mnemonic for one in library.instructions(begin, end)]
    told = [line[6:].split()[0] for line in listings["counter/rseq"].lines]
    assert [name for name in told if not name.startswith(".")] == real


def test_what_is_marked_is_the_sequence_up_to_its_commit(library, listings):
    begin, end = library.function("counter.c", "run_rseq")
    (own,) = [one for one in library.descriptors() if begin <= one.start < end]
    marked = [int(line[:4], 16) for line in listings["counter/rseq"].lines if line[4] == "|"]
    assert marked[0] == own.start - begin
    assert marked == [at.address - begin for at in library.instructions(own.start, own.end)]
    assert not any(line[4] == "|" for line in listings["counter/rseq_atomic"].lines)


def test_no_path_and_no_address_is_in_it(text, library):
    assert "/tmp" not in text
    assert str(library.path.parent) not in text
    assert not re.search(r"\b[0-9a-f]{4,} <", text)


def test_all_of_it_fits_a_page(text, listings):
    assert 10_000 < len(text) < 100_000
    assert all(len(one.lines) < disassembly.MOST_LINES for one in listings.values())


def test_a_run_of_a_build_gets_the_file_that_was_made_once_for_it(arch, monkeypatch):
    try:
        built = products.runner(arch)
    except BuildError as error:
        pytest.skip(str(error))
    machine = Machine(arch.name, "runner", "hardware", Facts(kernels=built.digest))
    (path,) = disassembly.attachments(machine)
    assert path.name == attachments.ASSEMBLY_FILE
    monkeypatch.setenv("PATH", "")  # no objdump is asked again
    assert disassembly.attachments(machine) == [path]


def test_without_objdump_a_run_has_no_assembly(arch, monkeypatch):
    try:
        built = products.runner(arch)
    except BuildError as error:
        pytest.skip(str(error))
    built.path.with_name(attachments.ASSEMBLY_FILE).unlink(missing_ok=True)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BuildError, match="no objdump"):
        disassembly.listed(arch, built.path)
    assert disassembly.attachments(Machine(arch.name, "runner", "hardware", Facts(kernels=built.digest))) == []
