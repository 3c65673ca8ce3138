"""What CONTRIBUTING.md promises: a kernel is one new file, an architecture one new folder, and nothing is edited."""

import json
import platform
import shutil

import pytest

from rseqbench import paths
from rseqbench.build import architectures
from tests.support.commands import rseqbench, tree
from tests.support.requirements import x86_only

TOY = """\
// SPDX-License-Identifier: MIT
/* toy: what a newcomer's first kernel looks like. Exact means: the word counts the operations. */
#include "benchmark.h"

static unsigned long count;

static int toy_setup(const struct setup *setup)
{
	(void)setup;
	count = 0;
	return 0;
}

static void run_increment(struct thread *self, unsigned long loops)
{
	(void)self;
	for (; loops; loops--)
		WRITE_ONCE(count, READ_ONCE(count) + 1);
}

static const char *toy_verify(uint64_t operations)
{
	if (count == operations)
		return NULL;
	return complain("counted %lu of %lu", count, (unsigned long)operations);
}

BENCHMARK(increment, .name = "toy/increment", .doc = "a word, incremented by a newcomer", .flags = IS_SHARED,
       .setup = toy_setup, .run = run_increment, .verify = toy_verify);
"""
RUN = ("run", "--quick", "--engine", "pyperf", "--rounds", "6", "--values", "3", "--label", "toy")
BRIEF = ("run", "--quick", "--engine", "pyperf", "--rounds", "2", "--values", "1", "--label", "toy")


@pytest.fixture
def kernels(tmp_path):
    return shutil.copytree(paths.kernels(), tmp_path / "kernels")


@pytest.fixture
def command(tmp_path, kernels):
    """Return a function that runs rseqbench on the copy, in a folder of its own."""
    folder = tmp_path / "folder"
    folder.mkdir()

    def call(*arguments, code=0):
        done = rseqbench(*arguments, cwd=folder, env={"RSEQBENCH_KERNELS": str(kernels)})
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done

    call.folder = folder
    return call


def added(kernels):
    """Return what the copy holds that the original does not; all else must be as it was."""
    before, after = tree(paths.kernels()), tree(kernels)
    assert {name: after.get(name) for name in before} == before
    return sorted(set(after) - set(before))


def header_of(folder):
    return json.loads((folder / "results" / "toy" / "run.json").read_text())


def test_a_kernel_is_one_new_file(command, kernels):
    (kernels / "src" / "toy.c").write_text(TOY)
    assert added(kernels) == ["src/toy.c"]

    listed = command("list", "toy").stdout
    assert "increment" in listed
    assert "a word, incremented by a newcomer" in listed
    known = {one["name"]: one for one in json.loads(command("list", "--format", "json").stdout)}
    assert known["toy/increment"]["shared"] is True
    assert {"counter/rseq", "cpu_id/baseline"} <= set(known)

    checked = command("check", "toy").stdout
    assert "toy/increment" in checked
    assert "exact" in checked

    measured = command(*RUN, "toy").stdout
    assert "toy on " in measured
    header = header_of(command.folder)
    assert {"toy/increment", "cpu_id/baseline"} <= {case["benchmark"] for case in header["plan"]["cases"]}
    assert next(check for check in header["checks"] if check["benchmark"] == "toy/increment")["passed"]
    assert ",toy/increment,1,ns/op," in (command.folder / "results" / "toy" / "table.csv").read_text()


@pytest.mark.slow
def test_a_new_kernel_is_in_the_report_and_in_comparisons(command, kernels):
    (kernels / "src" / "toy.c").write_text(TOY)
    command(*BRIEF, "toy")
    assert command("report", "toy").stdout.strip() == "reports/toy.html"
    assert "toy/increment" in (command.folder / "reports" / "toy.html").read_text()
    assert "toy/increment" in command("compare", "patch-2018", "toy", "--format", "csv").stdout


def test_a_new_kernel_that_is_wrong_is_not_timed(command, kernels):
    (kernels / "src" / "toy.c").write_text(TOY.replace("READ_ONCE(count) + 1", "READ_ONCE(count) + 2"))
    done = command(*BRIEF, "toy", code=1)
    assert "check FAILED: toy/increment: counted" in done.stderr
    header = header_of(command.folder)
    assert "it is not timed" in {skip["benchmark"]: skip["reason"] for skip in header["plan"]["skips"]}["toy/increment"]
    rows = (command.folder / "results" / "toy" / "table.csv").read_text().splitlines()
    (row,) = [row for row in rows if ",toy/increment," in row]
    assert "FAILED" in row


def test_a_new_kernel_that_crashes_takes_nobody_along(command, kernels):
    (kernels / "src" / "toy.c").write_text(TOY.replace("(void)self;\n\tfor", "__builtin_trap();\n\tfor"))
    done = command(*BRIEF, "toy", code=1)
    assert "check FAILED: toy/increment: killed by SIG" in done.stderr
    assert "cpu_id/baseline" in (command.folder / "results" / "toy" / "table.csv").read_text()


def test_a_new_kernel_that_does_not_compile_is_one_line(command, kernels):
    (kernels / "src" / "toy.c").write_text(TOY.replace("BENCHMARK(", "BENCHMRK("))
    done = command("list", code=2)
    assert done.stderr.count("\n") == 1
    assert "toy.c:" in done.stderr


@x86_only
def test_an_architecture_is_one_new_folder(command, kernels):
    host = architectures.host()
    folder = kernels / "arch" / "toy"
    folder.mkdir()
    header = (host.folder / "rseq_arch.h").read_text()
    assert "#error" in header
    (folder / "rseq_arch.h").write_text(header)
    (folder / "arch.toml").write_text(
        f'machines = ["{platform.machine()}"]\n'
        'triplets = ["x86_64"]\n'
        'compilers = ["gcc", "clang"]\n'
        "cflags = []\n"
        'package = "gcc libc6-dev"\n'
        'cpu = "Toy"\n'
    )
    assert added(kernels) == ["arch/toy", "arch/toy/arch.toml", "arch/toy/rseq_arch.h"]

    assert command("list", "--arch", "toy", "counter").stdout.startswith("toy (native): ")
    assert "exact" in command("check", "--arch", "toy", "--disturbances", "20", "counter").stdout
    command(*BRIEF, "--arch", "toy", "counter/rseq")
    assert header_of(command.folder)["machines"][0]["arch"] == "toy"
    assert ",toy,counter/rseq,1,ns/op," in (command.folder / "results" / "toy" / "table.csv").read_text()


def test_every_architecture_s_toml_says_what_the_copy_of_it_needs():
    for arch in architectures.known().values():
        assert arch.machines
        assert arch.triplets
        assert arch.compilers
        assert arch.package
        assert arch.cpu
