"""The control benchmarks are what they say, on every architecture: read in the linked library, nothing is run."""

import re

import pytest

from rseqbench import model
from rseqbench.analysis import controls
from rseqbench.build import architectures, products
from rseqbench.errors import BuildError
from tests.support.compiled_objects import Library

LINE = 64  # bytes of a cache line


@pytest.fixture(scope="module", params=sorted(architectures.known()))
def library(request):
    try:
        return Library(products.library(architectures.named(request.param)).path)
    except BuildError as error:
        if "no C compiler" not in error.message:
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def kernels(library):
    return {kernel.name: kernel for kernel in library.kernels() if kernel.name.startswith("control/")}


def test_every_control_benchmark_has_its_part(kernels):
    assert set(kernels) == {*controls.PLACED, *(name for pair in model.CONTROLS for name in pair)}


@pytest.mark.parametrize("pair", model.CONTROLS, ids="/".join)
def test_two_names_for_the_same_code_are_one_function(kernels, pair):
    one, other = (kernels[name] for name in pair)
    assert one.run == other.run != 0
    assert one.flags == other.flags


def test_what_is_not_the_same_code_is_not_one_function(library):
    names = {}
    for kernel in library.kernels():
        if kernel.run:
            names.setdefault(kernel.run, set()).add(kernel.name)
    assert sorted(sorted(found) for found in names.values() if len(found) > 1) == sorted(map(sorted, model.CONTROLS))


def loop(library, name):
    return library.loop("control.c", f"run_placed_{pushed(name)}")


def pushed(name):
    return int(name.rpartition("_")[2])


def test_the_placed_copies_begin_where_they_say(library):
    begins = {name: loop(library, name)[0].address % LINE for name in controls.PLACED}
    assert begins == {name: pushed(name) for name in controls.PLACED}


def test_one_of_the_placed_copies_begins_where_the_increment_of_the_counter_does(library):
    assert (
        library.loop("counter.c", "run_rseq")[0].address % LINE == loop(library, controls.PLACED[0])[0].address % LINE
    )


def test_the_placed_copies_are_the_same_instructions(library):
    codes = [
        [re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{3,}\b|#.*|@.*|<.*", "", one.text) for one in loop(library, name)]
        for name in controls.PLACED
    ]
    assert all(code == codes[0] for code in codes)


def test_the_placed_copies_are_the_increment_of_the_counter(library):
    counter = library.loop("counter.c", "run_rseq")
    assert [one.mnemonic for one in loop(library, controls.PLACED[0])] == [one.mnemonic for one in counter]


def test_a_function_lies_at_a_place_of_its_own_in_memory_wherever_the_library_is_loaded(library):
    """Its offset within a cache line is the one in the file only if the section itself is aligned."""
    text = library.section(".text")
    assert text.address % LINE == 0
