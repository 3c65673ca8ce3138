"""What the compilers make of kernels/, for every architecture: read in the linked library, nothing is run."""

import re
import struct
import subprocess
from dataclasses import dataclass

import pytest

from rseqbench.build import architectures, cache, compilers, products
from tests.support.compiled_objects import compile_kernels

IS_SEQUENCE, IS_LIBRARY = 0x10, 0x800  # of kernels/include/benchmark.h


@dataclass(frozen=True)
class Dialect:
    """How an architecture's instructions look in objdump."""

    announces: str  # the store of a descriptor's address to area->rseq_cs
    stores: str  # any store
    calls: str
    atomics: str
    branches: str  # conditional ones
    loads: str


_ARM = Dialect(
    announces=r"str \w+, \[\w+, #8\]$",
    stores=r"(str|stlr)\b",
    calls=r"(bl|blx|blr)\b",
    atomics=r"(ldrex|strex|ldxr|ldaxr|stxr|stlxr|cas|ldadd|swp|bl \w+ <__aarch64_)",  # or libgcc's, which choose
    branches=r"(b\.?(eq|ne|cs|cc|hs|lo|mi|pl|vs|vc|hi|ls|ge|lt|gt|le|any|none)|cbn?z|tbn?z)\b",
    loads=r"ldr\b",
)
DIALECTS = {
    "x86_64": Dialect(
        announces=r"mov %r\w+,0x8\(%r\w+\)$",
        stores=r"[^#]*,[^,(]*\([^)]*\)$",
        calls=r"(call|syscall)\b",
        atomics=r"(lock|xchg)\b",
        branches=r"j(?!mp)",
        loads=r"mov [^,%]*\(.*\),%",
    ),
    "arm32": _ARM,
    "arm64": _ARM,
}


@pytest.fixture(scope="module", params=sorted(DIALECTS))
def arch(request):
    return request.param


@pytest.fixture(scope="module", params=[products.library, products.runner], ids=["shared", "static"])
def library(arch, request):
    """Return the kernels as they are linked for Python, and as they are linked into the runner."""
    return compile_kernels(arch, request.param)


@pytest.fixture(scope="module")
def code(library):
    """Return all instructions by address, in order."""
    places = [library.section(name) for name in (".text", "__rseq_abort")]
    return {one.address: one for place in places for one in library.instructions(place.address, place.end)}


@pytest.fixture
def dialect(arch):
    return DIALECTS[arch]


def matching(pattern, code):
    return [one for one in code if re.match(pattern, one.text)]


def between(code, begin, end):
    return [one for address, one in code.items() if begin <= address < end]


def test_every_architecture_is_compiled_without_a_warning(library):
    assert len(library.kernels()) > 20


def test_every_architecture_has_the_same_kernels():
    found = [[kernel.name for kernel in compile_kernels(name).kernels()] for name in DIALECTS]
    assert len(set(found[0])) == len(found[0])
    assert set(found[0]) == set(found[1]) == set(found[2])


def test_a_kernel_that_runs_sequences_says_so(library):
    """Or its check would not ask for aborts."""
    starts = [one.start for one in library.descriptors()]
    for kernel in library.kernels():
        inside = kernel.run and any(kernel.run <= start < library.function_at(kernel.run) for start in starts)
        assert bool(kernel.flags & IS_SEQUENCE) == bool(inside), kernel.name


def test_all_of_a_group_are_of_a_library_or_none(arch):
    """What an architecture lacks too: a group that has to be named does not come along by what is absent of it."""
    kernels = compile_kernels(arch).kernels()
    groups = {kernel.name.partition("/")[0] for kernel in kernels if kernel.flags & IS_LIBRARY}
    assert groups == {"lttng", "urcu"}
    assert [one.name for one in kernels if one.name.partition("/")[0] in groups and not one.flags & IS_LIBRARY] == []


def test_text_needs_no_relocation(library):
    assert not library.has_text_relocations()


def test_a_debugger_finds_every_sequence_and_every_way_out_of_it(library):
    """By the sections of librseq: addresses of descriptors, and pairs of a sequence's start and where it may go."""
    listed = [address for (address,) in struct.iter_unpack("<Q", library.section("__rseq_cs_ptr_array").data)]
    table = library.section("__rseq_cs")
    assert listed == list(range(table.address, table.end, 32))
    exits = {}
    for start, target in struct.iter_unpack("<QQ", library.section("__rseq_exit_point_array").data):
        exits.setdefault(start, set()).add(target)
    assert exits
    for one in library.descriptors():
        targets = {line.goes_to for line in library.instructions(one.start, one.end)} - {None}
        assert {target for target in targets if not one.start <= target < one.end} == exits.pop(one.start, set())
    assert exits == {}


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("copy", [(), ("-DRSEQ_ABI_COPY",)], ids=["headers", "copy"])
def test_the_layout_of_the_area_is_that_of_the_system_call(tmp_path, name, copy):
    """Of Linux's headers and of our copy for older ones; static asserts say so."""
    compile_kernels(name)
    arch = architectures.named(name)
    (tmp_path / "probe.c").write_text('#include "sequences.h"\nint size = sizeof(struct rseq);\n')
    includes = cache.includes(arch)
    command = [compilers.find(arch).command, "-std=gnu11", "-Werror", *arch.cflags, *copy, *includes, "-fsyntax-only"]
    subprocess.run([*command, str(tmp_path / "probe.c")], check=True)


def test_every_abort_handler_is_behind_the_signature(library, arch):
    header = (architectures.named(arch).folder / "rseq_arch.h").read_text()
    signature = int(re.search(r"#define RSEQ_SIG (0x\w+)", header)[1], 16)
    handlers = library.section("__rseq_abort")
    descriptors = library.descriptors()
    assert descriptors
    assert len({one.abort for one in descriptors}) == len(descriptors)
    for one in descriptors:
        assert handlers.address + 4 <= one.abort < handlers.end
        assert int.from_bytes(library.at(one.abort - 4, 4), "little") == signature


def test_every_sequence_lies_in_one_piece_of_text(library, code):
    text = library.section(".text")
    for one in library.descriptors():
        assert text.address <= one.start < one.end < text.end
        assert one.start in code
        assert one.end in code


def test_every_sequence_is_announced_right_before_it_starts(library, code, dialect):
    """One descriptor store, and the sequence begins with the next instruction."""
    for one in library.descriptors():
        before = between(code, one.start - 16, one.start)[-1]
        assert re.match(dialect.announces, before.text), before
        assert not matching(dialect.announces, between(code, one.start, one.end - 1)[:-1])


def test_every_sequence_ends_in_its_commit(library, code, dialect):
    """The last instruction is a store; nothing between it and the announcement leaves or locks."""
    for one in library.descriptors():
        inside = between(code, one.start, one.end)
        assert re.match(dialect.stores, inside[-1].text), inside
        assert not matching(dialect.calls, inside)
        assert not matching(dialect.atomics, inside)


def test_every_abort_starts_the_sequence_again_before_its_announcement(library, code, dialect):
    for one in library.descriptors():
        handler = [instruction for address, instruction in code.items() if address >= one.abort]
        back = next(instruction for instruction in handler if instruction.goes_to is not None)
        again = between(code, back.goes_to, one.start)
        assert 2 <= len(again) <= 4, (back, again)
        assert re.match(dialect.announces, again[-1].text)
        assert len(matching(dialect.announces, again)) == 1


def test_the_timed_increment_is_one_announcement_and_straight_code(library, code, dialect):
    loop = library.loop("counter.c", "run_rseq")
    assert len(matching(dialect.announces, loop)) == 1
    assert not matching(dialect.calls, loop)
    assert not matching(dialect.atomics, loop)
    (sequence,) = [one for one in library.descriptors() if loop[0].address <= one.start <= loop[-1].address]
    assert sequence.end <= loop[-1].address
    inside = between(code, sequence.start, sequence.end)
    assert not matching(dialect.branches, inside)
    assert matching(dialect.branches, loop) == [loop[-1]]
    assert len(matching(dialect.stores, loop)) == 2


def test_the_runner_times_the_instructions_that_python_times(arch):
    """But for the addresses in them, which the linker knows earlier in a program that is not moved."""
    shared, static = (compile_kernels(arch, make) for make in (products.library, products.runner))
    for name in ("run_plain", "run_rseq", "run_rseq_cmp", "run_rseq_atomic"):
        loops = [[one.mnemonic for one in made.loop("counter.c", name)] for made in (shared, static)]
        assert loops[0] == loops[1], name


def test_the_empty_loop_is_the_loop_that_is_around_a_load(library, dialect):
    """Or what is given net of it is off: a compiler may copy a block as short as that."""
    empty, around = (library.loop("cpu_id.c", name) for name in ("run_baseline", "run_rseq"))
    loads = matching(dialect.loads, around)
    assert loads
    assert [one.mnemonic for one in empty] == [one.mnemonic for one in around if one not in loads]
    assert matching(dialect.branches, empty) == [empty[-1]]


def test_reading_the_cpu_number_inside_saves_instructions(library):
    inside, compared = (library.loop("counter.c", name) for name in ("run_rseq", "run_rseq_cmp"))
    assert len(inside) < len(compared)


def test_the_timed_increment_is_eight_instructions_on_x86_64():
    loop = compile_kernels("x86_64").loop("counter.c", "run_rseq")
    assert len(loop) <= 8, loop


def test_what_the_patch_compared_with_is_lsl_and_a_locked_add():
    loop = compile_kernels("x86_64").loop("counter.c", "run_getcpu_atomic")
    assert matching(r"lsl %e", loop)
    assert matching(r"lock (add|inc)q", loop)
    assert not matching(DIALECTS["x86_64"].calls, loop)


def test_the_plain_increment_is_one_instruction_and_not_locked():
    loop = compile_kernels("x86_64").loop("counter.c", "run_plain")
    assert len(loop) == 3, loop
    assert not matching(DIALECTS["x86_64"].atomics, loop)


@pytest.mark.parametrize("name", ["arm32", "arm64"])
def test_the_atomic_increments_of_arm_really_are_atomic(name):
    """That no atomic is found in a sequence means something only if one is found where it must be."""
    assert matching(DIALECTS[name].atomics, compile_kernels(name).loop("counter.c", "run_rseq_atomic"))
