"""kernels/server over the real jemalloc: counts and exactness, never times, and what becomes of faults."""

import dataclasses
import json
import os
import subprocess
from ctypes.util import find_library
from pathlib import Path

import pytest

from rseqbench.build import architectures, products
from rseqbench.errors import BuildError, TargetError
from rseqbench.host.rseq_support import make_environment
from rseqbench.measure.engines import allocator_server as engine
from rseqbench.model import Case, Plan, Registration
from rseqbench.support import process
from rseqbench.workloads import jemalloc

CPUS = tuple(sorted(os.sched_getaffinity(0)))
SMALL = ("--cpus", ",".join(map(str, CPUS)), "--threads", "5,1", "--work", "0,100", "--ms", "3", "--warm-ms", "1")
TWICE = Path(__file__).parents[2] / "data" / "twice.c"
SHIPPED = jemalloc.BY_NAME["jemalloc/shipped"]

pytestmark = pytest.mark.skipif(find_library("jemalloc") is None, reason="no libjemalloc.so.2: make test installs it")


class Here:
    """As much of a target as the engine wants: this machine."""

    arch = architectures.host().name

    def run(self, path, arguments, registration, limit_s):
        return process.run_program([path, *arguments], make_environment(registration.value), limit_s)


def registration(method):
    return Registration.NONE if method.no_rseq else Registration.GLIBC


def serve(method, *arguments):
    command = [*jemalloc.server_command(method), *(arguments or SMALL)]
    ran = process.run_program(command, make_environment(registration(method).value), 60)
    return jemalloc.parse_document(method, ran, registration(method))


@pytest.fixture(params=jemalloc.METHODS, ids=lambda method: method.name)
def method(request):
    made = request.param
    if made.pools == "lsl_lock" and architectures.host().name != "x86_64":
        pytest.skip("lsl: x86 only")
    return made


def test_every_allocator_serves_and_nothing_is_lost(method):
    found = serve(method)
    assert sorted((one["threads"], one["work"]) for one in found["phases"]) == [(1, 0), (1, 100), (5, 0), (5, 100)]
    for one in found["phases"]:
        assert one["allocated"] == 64 * one["all"]
        assert one["freed_here"] + one["freed_elsewhere"] == one["allocated"]
        assert one["freed_elsewhere"] > 0
        assert one["freed_here"] >= 48 * one["all"]
        assert int(one["checksum"], 16) > 0
        assert len(one["latencies"]) + one["sampled"] == one["requests"]
        assert one["requests"] >= 32 * one["threads"]
        assert 0 < one["share"] < 1
        assert 0 < one["inside"] < 1
        assert one["rate"] >= 0.999 * one["requests"] / one["seconds"]  # the slowest thread's
    assert 4 << 20 < found["own_bytes"] < found["peak_bytes"] < 1 << 30


def test_every_block_of_every_thread_has_a_pattern_of_its_own_so_sums_tell_how_many_there_were():
    (one,) = serve(SHIPPED, "--threads", "1", "--work", "0", "--ms", "1", "--warm-ms", "0")["phases"]
    blocks = one["allocated"]
    assert int(one["checksum"], 16) == sum((1 << 48) ^ (number + 1) for number in range(blocks)) % (1 << 64)


def test_a_thread_that_gets_no_time_serves_a_few_requests_all_the_same():
    (one,) = serve(SHIPPED, "--threads", "3", "--work", "0", "--ms", "0", "--warm-ms", "0")["phases"]
    assert one["requests"] == 3 * 32
    assert one["sampled"] == 3 * 2


def test_there_may_be_as_many_cpus_and_threads_as_a_large_machine_has():
    every = ",".join(map(str, range(1024)))
    large = serve(SHIPPED, "--cpus", every, "--threads", "1100", "--work", "0", "--ms", "0", "--warm-ms", "0")
    assert large["phases"][0]["requests"] == 1100 * 32
    assert large["own_bytes"] >= 1100 * 8192 * 4


def test_orders_differ_and_are_repeated():
    work = ("--threads", "1", "--work", "0,1,2,3,4,5", "--ms", "0", "--warm-ms", "0", "--order")
    orders = {seed: [one["work"] for one in serve(SHIPPED, *work, str(seed))["phases"]] for seed in (1, 2, 3)}
    assert len({tuple(order) for order in orders.values()}) > 1
    assert all(sorted(order) == [0, 1, 2, 3, 4, 5] for order in orders.values())
    assert [one["work"] for one in serve(SHIPPED, *work, "2")["phases"]] == orders[2]


def test_arenas_by_cpu_ask_for_the_cpu_and_it_is_counted():
    found = serve(jemalloc.BY_NAME["jemalloc/percpu_arena"])
    assert found["percpu_arena"] == "percpu"
    assert sum(one["getcpu_calls"] for one in found["phases"]) > 0
    assert sum(one["getcpu_calls"] for one in serve(SHIPPED)["phases"]) == 0


# ---- faults ----


@pytest.fixture
def twice(tmp_path):
    made = tmp_path / "libtwice.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", made, TWICE], check=True)
    return made


def test_a_block_that_is_handed_out_twice_is_seen(twice):
    told = [f"LD_PRELOAD={twice}", *jemalloc.server_command(SHIPPED)[3:]]
    ran = process.run_program(["/usr/bin/env", *told, *SMALL], make_environment("glibc"), 60)
    with pytest.raises(TargetError, match=r"exit code 3: a block of \d+ bytes does not hold what was written to it"):
        jemalloc.parse_document(SHIPPED, ran, Registration.GLIBC)
    assert ran.output == ""


def test_its_row_is_void_and_the_others_are_kept(twice, monkeypatch):
    command = jemalloc.server_command
    monkeypatch.setattr(jemalloc, "server_arguments", lambda cpus, order: [*SMALL, "--order", str(order)])
    monkeypatch.setattr(
        jemalloc,
        "server_command",
        lambda one: ["/usr/bin/env", f"LD_PRELOAD={twice}", command(one)[-1]] if one is SHIPPED else command(one),
    )
    cases = [Case(f"jemalloc/{name}", 1, Registration.GLIBC) for name in ("shipped", "glibc")]
    plan = Plan(tuple(cases), (), 1, 1, 1.0, 1, "gated", "quick", CPUS)
    void, kept = engine.run(Here(), plan, 0, cases)
    assert void.sample is None
    assert "does not hold what was written to it" in void.failure
    (run,) = kept.sample.to_pyperf().get_runs()
    bare = next(one for one in json.loads(run.get_metadata()["phases"]) if (one["threads"], one["work"]) == (5, 0))
    assert run.values[0] == pytest.approx(bare["mean"] * 1e-9)


def test_a_library_that_is_not_there_is_noticed():
    told = ["LD_PRELOAD=libnowhere.so.9", *jemalloc.server_command(SHIPPED)[2:]]
    ran = process.run_program(["/usr/bin/env", *told, *SMALL], make_environment("glibc"), 60)
    with pytest.raises(TargetError, match=r"shipped did not take: malloc\(\) is from libc.so.6"):
        jemalloc.parse_document(SHIPPED, ran, Registration.GLIBC)


def test_a_setting_with_a_typing_mistake_is_noticed():
    method = dataclasses.replace(jemalloc.BY_NAME["jemalloc/percpu_arena"], settings="percpu_arena:perpcu")
    with pytest.raises(TargetError, match=r"percpu_arena did not take: opt\.percpu_arena is disabled"):
        serve(method)


def test_rseq_that_is_on_where_it_should_be_off_is_noticed():
    method = jemalloc.BY_NAME["jemalloc/percpu_arena_norseq"]
    ran = process.run_program([*jemalloc.server_command(method), *SMALL], make_environment("glibc"), 60)
    with pytest.raises(TargetError, match="did not take: rseq is registered"):
        jemalloc.parse_document(method, ran, Registration.NONE)


def test_too_little_memory_is_one_line():
    limited = ["/usr/bin/prlimit", "--as=60000000", *jemalloc.server_command(SHIPPED)]
    ran = process.run_program([*limited, "--threads", "200", *SMALL[4:]], make_environment("glibc"), 60)
    with pytest.raises(TargetError, match=r"exit code 4: (no memory for|cannot start thread)[^\n]*$"):
        jemalloc.parse_document(SHIPPED, ran, Registration.GLIBC)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--threads", "0"),
        ("--work", "1,x"),
        ("--cpus", "4000"),
        ("--cpus", "0,4000"),
        ("--ms",),
        ("--threads", "1,"),
        ("more",),
    ],
)
def test_misuse_is_refused(arguments):
    with pytest.raises(TargetError, match=r"exit code 2: [^\n]+$"):
        serve(SHIPPED, *arguments)


def test_without_a_jemalloc_there_is_a_reason_and_a_command(monkeypatch):
    monkeypatch.setattr(jemalloc, "find_library", lambda name: None)
    with pytest.raises(TargetError) as caught, jemalloc.open_environment():
        pass
    assert str(caught.value) == "no libjemalloc.so.2 here; apt-get install libjemalloc2"


def test_pools_that_do_not_compile_leave_the_others(monkeypatch):
    def refuse(cache):
        raise BuildError("gcc failed: no such thing")

    monkeypatch.setattr(jemalloc, "_pools", refuse)
    with jemalloc.open_environment() as opened:
        absent = {one.name: opened.unavailable_reason(one.benchmark) for one in jemalloc.METHODS}
    assert {name for name, why in absent.items() if why} == {one.name for one in jemalloc.METHODS if one.pools}
    assert absent["pools_rseq"] == "gcc failed: no such thing"


def test_the_version_is_the_library_s_own():
    with jemalloc.open_environment() as opened:
        assert opened.facts().jemalloc[:2] in ("4.", "5.")


def test_it_is_compiled_once():
    assert products.server() == products.server()
