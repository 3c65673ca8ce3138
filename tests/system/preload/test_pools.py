"""kernels/preload/: what C programs do under the pools, each saying itself what was not right."""

import os
import re
import subprocess
import sys

import pytest

from rseqbench import paths
from rseqbench.build import architectures, products
from rseqbench.errors import BuildError
from tests.support import seccomp
from tests.support.pools import read_counts, require_program, run_crowd, run_steal


def passed(done):
    assert (done.returncode, done.stderr) == (0, "")
    return done


# ---- what each function promises ----


def test_all_functions_do_as_their_manual_says(pools, program, method):
    passed(pools.run([program("calls")], method))


def test_they_do_without_pools_too(pools, program):
    passed(pools.run([program("calls")], "off"))


def test_memory_of_others_is_freed_rightly(pools, program, method):
    early, gone = (program(f"{name}.so", "-shared", "-fPIC") for name in ("early", "gone"))
    passed(pools.run([program("foreign"), gone], method, more=[early]))


def test_so_it_is_where_jemalloc_unmaps_memory(pools, program, method):
    early, gone = (program(f"{name}.so", "-shared", "-fPIC") for name in ("early", "gone"))
    passed(pools.run([program("foreign"), gone], method, more=[early], MALLOC_CONF="retain:false"))


def test_threads_end_and_nothing_is_lost(pools, program, method):
    passed(pools.run([program("threads")], method))


# ---- many threads, disturbed ----


@pytest.mark.parametrize("disturbed", [(), ("signals", "moves"), ("trims",), ("forks",), ("trims", "forks", "moves")])
def test_no_block_is_handed_out_twice_and_the_counts_are_exact(pools, program, method, disturbed):
    passed(run_crowd(pools, program, method, *disturbed))


@pytest.mark.parametrize(
    "disturbed", [("signals", "moves"), ("alike", "signals", "moves"), ("trims", "moves"), ("forks", "moves")]
)
def test_so_it_is_when_operations_are_held_open(slow_pools, program, method, disturbed):
    passed(run_crowd(slow_pools, program, method, *disturbed))


def test_sequences_held_open_are_really_aborted(slow_pools, program):
    done = passed(run_crowd(slow_pools, program, "rseq", "signals", "moves"))
    assert int(re.fullmatch(r"aborts=(\d+)\n", done.stdout)[1]) > 0


def test_short_lists_that_always_spill(slow_pools, program, method):
    passed(run_crowd(slow_pools, program, method, "moves", "trims", RSEQBENCH_POOLS_LIMIT="4096"))


def test_where_we_register_rseq_ourselves(pools, program):
    passed(run_crowd(pools, program, "rseq", "moves", "forks", GLIBC_TUNABLES="glibc.pthread.rseq=0"))


# ---- how much is kept ----


@pytest.mark.parametrize("limit", [4096, 65536, 300000])
def test_lists_stay_within_their_bound_and_are_given_back(pools, program, method, limit):
    passed(pools.run([program("bound")], method, RSEQBENCH_POOLS_LIMIT=str(limit)))


def test_where_linux_cannot_restart_sequences_a_trim_leaves_them_and_says_so(pools, program):
    refusing = program("nobarrier.so", "-shared", "-fPIC")
    done = pools.run([program("crowd"), 2, 1000, "trims"], "rseq", before=[refusing])
    assert (done.returncode, done.stderr) == (1, done.stderr)
    assert "not so: after.untrimmed == 0" in done.stderr


def test_lists_are_taken_from_under_operations_in_the_middle(slow_pools, program, method):
    passed(run_steal(slow_pools, program, method))


# ---- how they start, and what they say ----


def test_the_counts_come_to_a_file(pools, tmp_path, method):
    file = tmp_path / "counts"
    passed(pools.run(["ls", "/"], method, RSEQBENCH_POOLS_STATS=str(file)))
    passed(pools.run(["ls", "/"], method, RSEQBENCH_POOLS_STATS=str(file)))
    first, _second = read_counts(file)
    assert first["method"] == method
    assert int(first["hits"]) > 0 < int(first["cached_bytes"]) <= int(first["bound_bytes"])
    of = {name: int(value) for name, value in first.items() if value.isdigit()}
    assert of["allocations"] > of["frees"] > 0
    assert of["cached"] == of["kept"] + of["refilled"] - of["hits"] - of["spilled"] - of["trimmed"]


def test_the_counts_come_to_a_descriptor(pools, program, method):
    done = pools.run([program("threads")], method, RSEQBENCH_POOLS_STATS="1")
    assert done.stdout.startswith("pools pid=")


def test_counts_that_cannot_be_written_are_told(pools, program):
    done = pools.run([program("threads")], "rseq", RSEQBENCH_POOLS_STATS="/nowhere/counts")
    assert done.stderr == "rseqbench pools: RSEQBENCH_POOLS_STATS: /nowhere/counts: No such file or directory\n"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RSEQBENCH_POOLS", "percpu", '"percpu" is none of rseq, lsl_lock, vdso_lock, off'),
        ("RSEQBENCH_POOLS_LIMIT", "many", '"many" is no number of bytes from 4096 to 1 GiB'),
        ("RSEQBENCH_POOLS_LIMIT", "4095", '"4095" is no number of bytes from 4096 to 1 GiB'),
        ("RSEQBENCH_POOLS_LIMIT", "-1", '"-1" is no number of bytes from 4096 to 1 GiB'),
    ],
)
def test_a_setting_that_means_nothing_ends_the_program(pools, name, value, said):
    done = pools.run(["true"], "rseq", **{name: value})
    assert (done.returncode, done.stderr) == (2, f"rseqbench pools: {name}: {said}\n")


@pytest.fixture
def without_rseq():
    """Return how a command is started on a Linux without rseq."""
    if os.uname().machine not in seccomp.RSEQ:
        pytest.skip("no seccomp filter is written for this architecture")
    return [sys.executable, seccomp.__file__, "ENOSYS", "env"]


def run_without_rseq(without_rseq, pools, **settings):
    words = [f"{name}={value}" for name, value in pools.environment("rseq", **settings).items()]
    return subprocess.run([*without_rseq, *words, "ls", "/"], capture_output=True, text=True, check=False)


def test_without_rseq_the_program_ends_and_says_why(pools, without_rseq):
    done = run_without_rseq(without_rseq, pools)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(
        r"rseqbench pools: rseq: .*ENOSYS: .* \(RSEQBENCH_POOLS_FALLBACK names what to take instead\)\n", done.stderr
    )


def test_it_falls_back_only_where_told_to_and_says_so(pools, without_rseq, tmp_path):
    file = tmp_path / "counts"
    settings = {"RSEQBENCH_POOLS_FALLBACK": "off", "RSEQBENCH_POOLS_STATS": str(file)}
    done = run_without_rseq(without_rseq, pools, **settings)
    assert done.returncode == 0 and done.stdout
    assert re.fullmatch(r"rseqbench pools: rseq: .*: off instead, as RSEQBENCH_POOLS_FALLBACK says\n", done.stderr)
    assert [line["method"] for line in read_counts(file)] == ["off"]


# ---- for other machines ----


@pytest.mark.parametrize("name", sorted(set(architectures.known()) - {architectures.host().name}))
def test_they_compile_without_a_warning_for(name, tmp_path):
    arch = architectures.named(name)
    compiler = require_program(arch.compilers[0], arch.package)
    jemalloc = tmp_path / products.JEMALLOC  # there is none for it here, and only its name matters
    command = [compiler, "-shared", "-nostdlib", f"-Wl,-soname,{products.JEMALLOC}", "-xc", "/dev/null", "-o", jemalloc]
    subprocess.run(command, check=True)
    built = products.pools(arch, ["-Werror"], jemalloc)
    assert products.JEMALLOC.encode() in built.path.read_bytes()


def test_no_jemalloc_names_the_package():
    name = next(name for name in architectures.known() if name != architectures.host().name)
    require_program(architectures.named(name).compilers[0], architectures.named(name).package)
    with pytest.raises(BuildError, match=f"no {products.JEMALLOC} for {name}; apt-get install libjemalloc2"):
        products.pools(architectures.named(name))


def test_jemalloc_s_constants_are_those_of_its_header(pools, tmp_path):
    header = "#include <jemalloc/jemalloc.h>\n"
    if subprocess.run(["gcc", "-fsyntax-only", "-xc", "-"], input=header, text=True, check=False).returncode:
        pytest.skip("no jemalloc/jemalloc.h: apt-get install libjemalloc-dev")
    ours = (paths.kernels() / "preload" / "jemalloc.h").read_text()
    constants = dict(re.findall(r"#define (MALL\w+)(?:\(\w+\))? (\S.*)", ours))
    values = {"MALLOCX_LG_ALIGN": "MALLOCX_LG_ALIGN(12) == 12"}
    checks = [values.get(name, f"{name} == {value}") for name, value in constants.items()]
    assert len(checks) == 4
    text = header + "".join(f'_Static_assert({check}, "");\n' for check in checks)
    subprocess.run(["gcc", "-fsyntax-only", "-xc", "-"], input=text, text=True, check=True)
