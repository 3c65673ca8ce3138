"""What the tests of the pools are worth: the pools broken in one place each, and the test that must see it."""

import dataclasses
import shutil

import pytest

from rseqbench import paths
from tests.support.pools import compile_pools, run_crowd, run_steal

pytestmark = pytest.mark.slow

HELD_OPEN = "-DPOOLS_STRESS=1"
DISTURBED = ("alike", "signals", "moves")


@dataclasses.dataclass(frozen=True)
class Broken:
    """One place: in `file`, `right` becomes `wrong`."""

    file: str
    right: str
    wrong: str


NO_LOCK = Broken("preload/lists.h", "!__atomic_compare", "false && !__atomic_compare")
NO_BOUND = Broken("preload/lists.h", "lists.limit[size_class],", "~0ul,")
NO_LOCKED_BOUND = Broken("preload/lists.h", "room = head->count != lists.limit[size_class];", "room = true;")
NEVER_THE_OLD_HEAD = Broken("preload/lists.c", "if (head != &frozen_heads[size_class])", "if (false)")
NO_RESTART = Broken("preload/lists.c", "\trestart_on(cpu);\n\tfor", "\tfor")
LOCKS_STAY_LOCKED = Broken("preload/lists.c", "pool_slot_of(cpu)->locked = 0;", "(void)cpu;")
ALL_IS_JEMALLOC_S = Broken("preload/owner.h", "return owner_known(pointer) || owner_lookup(pointer);", "return true;")
ANY_SIZE_IS_A_CLASS = Broken(
    "preload/fast_paths.c", "if (unlikely(size != class_sizes[size_class]))", "if (size > POOL_MAX)"
)
NOT_CLEARED = Broken("preload/interpose.c", "return block ? memset(block, 0, size) : NULL;", "return block;")
NOT_COUNTED = Broken("preload/fast_paths.c", "self->popped[size_class]++;", "")
SPILL_NOT_COUNTED = Broken("preload/slow_paths.c", "self->spilled++;", "")
TRIM_LOSES = Broken(
    "preload/lists.c", "chains[size_class] = old[size_class];", "chains[size_class] = old[size_class]->next;"
)


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Return a function that compiles the pools with one place broken."""

    def make(place, *flags):
        copy = shutil.copytree(paths.kernels(), tmp_path / "kernels")
        path = copy / place.file
        text = path.read_text()
        assert text.count(place.right) == 1
        path.write_text(text.replace(place.right, place.wrong))
        monkeypatch.setenv("RSEQBENCH_KERNELS", str(copy))
        return compile_pools(["-w", *flags])

    return make


def failed(done):
    return done.returncode != 0


@pytest.mark.parametrize("number", [1, 2, 3])
def test_broken_sequences(program, number):
    pools = compile_pools([HELD_OPEN, f"-DRSEQ_BREAK={number}"])
    assert any(failed(run_crowd(pools, program, "rseq", *DISTURBED)) for _ in range(20))


@pytest.mark.parametrize(
    ("place", "method", "disturbed"),
    [
        (LOCKS_STAY_LOCKED, "vdso_lock", ("forks",)),
        (NOT_COUNTED, "rseq", ()),
        (SPILL_NOT_COUNTED, "rseq", ()),
        (TRIM_LOSES, "rseq", ()),
    ],
    ids=["locks_stay_locked", "not_counted", "spill_not_counted", "trim_loses"],
)
def test_the_crowd_sees(broken, program, place, method, disturbed):
    pools = broken(place, HELD_OPEN)
    limit = {"RSEQBENCH_POOLS_LIMIT": "4096"} if place is SPILL_NOT_COUNTED else {}
    assert any(failed(run_crowd(pools, program, method, *disturbed, **limit)) for _ in range(5))


@pytest.mark.parametrize(
    ("place", "method"), [(NO_LOCK, "vdso_lock"), (NEVER_THE_OLD_HEAD, "rseq"), (NO_RESTART, "rseq")]
)
def test_lists_taken_the_wrong_way(broken, program, place, method):
    pools = broken(place, HELD_OPEN)
    assert any(failed(run_steal(pools, program, method)) for _ in range(5))


@pytest.mark.parametrize(("place", "method"), [(NO_BOUND, "rseq"), (NO_LOCKED_BOUND, "vdso_lock")])
def test_a_list_without_a_bound(broken, program, place, method):
    assert "stats.spills > 0" in broken(place).run([program("bound")], method).stderr


@pytest.mark.parametrize("place", [ALL_IS_JEMALLOC_S, ANY_SIZE_IS_A_CLASS])
def test_foreign_memory_taken_for_ours(broken, program, place):
    early, gone = (program(f"{name}.so", "-shared", "-fPIC") for name in ("early", "gone"))
    assert failed(broken(place).run([program("foreign"), gone], "rseq", more=[early]))


def test_memory_that_is_not_cleared(broken, program):
    assert "not so: !block[i]" in broken(NOT_CLEARED).run([program("calls")], "rseq").stderr
