"""Linux without and with CONFIG_RSEQ, for real: both built from Debian's source, booted, measured, compared, shown."""

import json
import re

import pytest

from rseqbench import config, paths
from rseqbench.build import architectures
from rseqbench.build.linux import build, kvm
from rseqbench.build.linux.image import choose_image
from rseqbench.model import Registration
from rseqbench.report import formatting
from rseqbench.targets import resolve
from rseqbench.targets.qemu.virtual_machine import VirtualMachine
from rseqbench.workloads.hackbench import HACKBENCH
from tests.support.commands import rseqbench
from tests.support.requirements import x86_only

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800), x86_only]
ARCH = "x86_64"
MEASURED = ("linux/pipe_one_cpu", "linux/fork_exec_exit", "hackbench", "counter/plain", "counter/rseq")
PAIR = {"n": "config-n", "y": "config-y", "registered": "config-y-registered"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("configurations")


@pytest.fixture(scope="module")
def built(folder):
    """Build both, as a user does; takes some minutes."""
    done = rseqbench("linux", "build", cwd=folder, timeout=1500)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def runs(built, folder):
    """Measure in both, and with all threads registered."""
    for label, name in PAIR.items():
        benchmarks = [one for one in MEASURED if label == "registered" or one != "counter/rseq"]
        options = ("--boots", "2", "--rounds", "2", "--label", label, "--target", "qemu-system")
        done = rseqbench("run", *benchmarks, "--config", name, *options, cwd=folder, timeout=900)
        assert done.returncode == 0, done.stderr
        assert re.search(r"^boot 1 of 2 done$", done.stderr, re.MULTILINE)
    return folder


def header(folder, label):
    return json.loads((folder / "results" / label / "run.json").read_text())


def rows(folder, *labels):
    done = rseqbench("compare", *labels, "--format", "json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# ---- built ----


def test_both_are_built_and_differ_in_rseq_and_what_comes_of_it(built):
    assert re.search(r"^config-n +n +linux-source-\S+ \S+, small", built.stdout, re.MULTILINE)
    assert re.search(r"^config-y-registered +y +linux-source-", built.stdout, re.MULTILINE)
    assert re.search(r"^CONFIG_RSEQ +n +y", built.stdout, re.MULTILINE)
    options = set(re.findall(r"^CONFIG_\w+", built.stdout, re.MULTILINE))
    assert options <= {"CONFIG_RSEQ", "CONFIG_SCHED_MM_CID"}
    assert "__rseq_handle_notify_resume" in built.stdout


def test_the_second_time_nothing_is_built(built, folder):
    again = rseqbench("linux", "build", "config-n", "config-y", cwd=folder, timeout=60)
    assert again.returncode == 0
    assert len(re.findall(r"^config-[ny] .*in the cache", again.stdout, re.MULTILINE)) == 2
    assert again.stderr == ""


# ---- booted and measured ----


def test_a_run_knows_what_linux_it_booted(runs):
    for label, rseq in (("n", "n"), ("y", "y"), ("registered", "y")):
        facts = header(runs, label)["machines"][0]["facts"]
        assert facts["config_rseq"] == rseq
        assert facts["linux_base"] == "small"
        assert facts["linux_source"].startswith("linux-source-")
        assert (runs / "results" / label / "sizes.json").is_file()
    assert "ENOSYS" in header(runs, "n")["machines"][0]["facts"]["rseq_reason"]


def test_threads_are_registered_only_where_they_should_be(runs):
    wanted = {"n": "none", "y": "none", "registered": "glibc"}
    for label, registration in wanted.items():
        assert {case["registration"] for case in header(runs, label)["plan"]["cases"]} == {registration}


def test_each_boot_is_another_one(runs):
    for label in PAIR:
        boots = header(runs, label)["boots"]
        assert len(boots) == len(set(boots)) == 2


def test_a_context_switch_takes_more_instructions_with_rseq_and_more_when_registered(runs):
    """What is counted does not depend on this machine's load, and differs by a hundred times its spread."""
    taken = []
    for label in ("y", "registered"):
        row = next(r for r in rows(runs, "n", label)["benchmarks"] if r["benchmark"] == "linux/pipe_one_cpu")
        taken += [row["a_value"], row["b_value"]]
    assert taken[0] == taken[2] < taken[1] < taken[3]
    assert taken[3] < 1.2 * taken[0]


def test_what_needs_no_linux_takes_the_same(runs):
    row = next(r for r in rows(runs, "n", "y")["benchmarks"] if r["benchmark"] == "counter/plain")
    assert row["verdict"] == "equal"


def test_hackbench_ran_in_the_guest(runs):
    found = rows(runs, "n", "y")
    row = next(r for r in found["benchmarks"] if r["benchmark"] == HACKBENCH.benchmark)
    assert row["a_value"] > 10_000_000
    assert header(runs, "n")["plan"]["hackbench"] == "-l 100 -g 2"


def test_the_claims_about_the_two_are_judged(runs):
    found = {one["claim"]: one for one in rows(runs, "n", "y")["claims"]}
    assert set(found) == {"hackbench-n", "hackbench-y", "hackbench-faster", "size-text", "size-data"}
    assert found["hackbench-faster"]["verdict"] == "not comparable"
    assert found["size-text"]["verdict"] not in ("not measured", "not comparable")
    assert rows(runs, "n", "y")["sizes"]["symbols_growth"] > 0


def test_several_are_held_against_the_first(runs):
    found = rows(runs, "n", "y", "registered")["comparisons"]
    assert [(one["a"], one["b"]) for one in found] == [("n", "y"), ("n", "registered")]
    done = rseqbench("compare", "n", "y", "registered", cwd=runs)
    notes = ("[", "Note", *formatting.SIGNS.values())  # which a terminal wraps
    assert all(len(line) <= 100 for line in done.stdout.splitlines() if not line.startswith(notes))
    assert re.search(r"^linux/pipe_one_cpu +[\d,]+ +\+\d.*\) +\S +\+\d.*\) +\S$", done.stdout, re.MULTILINE)
    assert "How far counts of the same lie apart" in done.stdout
    assert "The units are boots, 2 and 2" in done.stdout


def test_the_page_shows_them(runs):
    done = rseqbench("report", "n", "y", "registered", cwd=runs)
    page = (runs / done.stdout.strip()).read_text()
    for text in ("CONFIG_SCHED_MM_CID", "linux/pipe_one_cpu", "hackbench-faster", "__rseq_handle_notify_resume"):
        assert text in page
    assert "rseqbench linux build" in page
    assert "<script" not in page


# ---- refused ----


def test_the_running_linux_must_be_what_the_configuration_says(built, folder):
    (folder / "bench.toml").write_text('[configurations.here]\nrseq = "n"\nboot = "host"\nregistration = "none"\n')
    try:
        done = rseqbench("run", "linux/yield", "--config", "here", cwd=folder)
    finally:
        (folder / "bench.toml").unlink()
    assert done.returncode == 2
    assert "this configuration is for" in done.stderr
    assert "CONFIG_RSEQ" in done.stderr


def test_the_full_length_is_refused_where_linux_asks_for_no_more(built, folder):
    done = rseqbench("run", "--config", "config-y-full", "--target", "qemu-system", cwd=folder)
    assert done.returncode == 1
    assert re.search(r"this Linux asks for \d+ bytes.*needs Linux 6\.19", done.stderr)


# ---- the target qemu-kvm, accelerated by nothing here ----


def test_the_guest_of_kvm_is_a_machine_whose_time_is_real(built, monkeypatch):
    options = config.load(paths.default_config())
    arch = architectures.named(ARCH)
    image = build.find_built_kernel(arch, options.linux, "y")
    monkeypatch.setattr(kvm, "find_kvm_problem", lambda arch, image: "")
    monkeypatch.setattr(VirtualMachine, "_processor", lambda *_: ("-cpu", "qemu64", "-accel", "tcg,thread=multi"))
    given = {"target": "qemu-kvm", "linux": str(image.folder), "benchmarks": ["hackbench"]}
    with resolve.create_target(
        resolve.resolve_options(options.options(None, {**given, "arch": ARCH}), options.linux)
    ) as target:
        assert target.machine().timing == "virtual"
        assert target.registration() == Registration.GLIBC
        first = target.boot_id()
        assert target.run(HACKBENCH.path, ["-l", "2", "-g", "1"], Registration.GLIBC, 120).code == 0
        target.reboot()
        assert target.boot_id() != first
        assert {one.name: one.unavailable for one in target.benchmarks()}["linux/yield"] == ""


def test_a_linux_for_another_architecture_is_refused(built):
    folder = build.find_built_kernel(architectures.named(ARCH), config.load(paths.default_config()).linux, "y").folder
    with pytest.raises(Exception, match="is a Linux for x86_64, not for arm32"):
        choose_image(architectures.named("arm32"), str(folder))
