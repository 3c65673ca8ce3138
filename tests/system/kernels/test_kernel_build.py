"""`rseqbench linux build` for real: both Linuxes for x86_64, what they differ in, how large they are, and booted."""

import dataclasses
import json
import re
import subprocess
import sys

import pytest

from rseqbench.analysis import kernel_config
from rseqbench.build.linux import build, source
from rseqbench.support import kconfig
from rseqbench.targets import resolve
from tests.support.commands import rseqbench
from tests.support.requirements import defaults, resolved

LINUX = defaults().linux


def test_they_differ_in_rseq_and_what_comes_from_it(built_linuxes):
    found = build.compare_configurations(built_linuxes["n"], built_linuxes["y"], LINUX)
    assert found["CONFIG_RSEQ"] == ("n", "y")
    assert set(found) <= {"CONFIG_RSEQ", "CONFIG_SCHED_MM_CID"}
    for one in built_linuxes.values():
        assert kconfig.parse_config(one.config)["CONFIG_MEMBARRIER"] == "y"


def test_what_depends_on_rseq_is_little(built_linuxes):
    tree = source.find_source(LINUX.source).path
    texts = [path.read_text(errors="replace") for path in tree.rglob("Kconfig*") if path.is_file()]
    related = kconfig.find_dependents(texts, "RSEQ")
    assert {"CONFIG_RSEQ", "CONFIG_MEMBARRIER"} <= related
    assert len(related) < 20, "so wide a net proves nothing"


@pytest.mark.parametrize(
    ("option", "types"),
    [
        ("-t", kernel_config.TEXT),
        ("-d", kernel_config.DATA + kernel_config.READ_ONLY),
        (None, kernel_config.TEXT + kernel_config.DATA + kernel_config.READ_ONLY),
    ],
)
def test_symbols_grow_as_linux_s_own_script_says(built_linuxes, option, types):
    script = source.find_source(LINUX.source).path / "scripts/bloat-o-meter"
    files = [str(built_linuxes[rseq].folder / "vmlinux") for rseq in ("n", "y")]
    command = [sys.executable, str(script), *filter(None, [option]), *files]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    added, removed, net = map(int, re.search(r"up/down: (\d+)/-?(\d+) \((-?\d+)\)", said).groups())
    grown = kernel_config.growth(built_linuxes["n"].sizes, built_linuxes["y"].sizes, types)
    assert (grown.added, grown.removed, grown.net) == (added, removed, net)
    name, before, after = grown.changed[0]
    assert re.search(rf"^{re.escape(name)}\s+{before or '-'}\s+{after}\s+\+{after - before}$", said, re.MULTILINE)


def test_a_second_build_takes_what_is_there_and_prints_all_of_it(built_linuxes, tmp_path):
    before = {one.folder: (one.folder / "build.json").stat().st_mtime_ns for one in built_linuxes.values()}
    done = rseqbench("linux", "build", "config-n", "--arch", "x86_64", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"config-n +n +linux-source-\S+ \S+, small +\S+ +in the cache", done.stdout)
    assert re.search(r"CONFIG_RSEQ +n +y", done.stdout), "the other one is there to be compared with"
    assert re.search(r"text +[\d,]+ +[\d,]+ +\+", done.stdout)
    assert "__rseq_handle_notify_resume" in done.stdout
    assert {one: (one / "build.json").stat().st_mtime_ns for one in before} == before
    assert not list((built_linuxes["n"].folder.parent.parent / "build").iterdir()), "a work folder is left"


def test_all_that_was_used_is_told(built_linuxes):
    facts = json.loads((built_linuxes["y"].folder / "build.json").read_text())
    assert facts["source"].startswith("linux-source-")
    assert "gcc" in facts["compiler"]
    assert "GNU ld" in facts["binutils"]
    assert "ARCH=x86" in facts["command"]
    assert facts["steps"] > 500
    assert re.match(r"\d+\.\d+", facts["release"])


@pytest.mark.parametrize("rseq", ["n", "y"])
def test_the_runner_boots_in_it_and_finds_rseq_or_does_not(built_linuxes, rseq):
    one = built_linuxes[rseq]
    options = resolved(arch="x86_64", target="qemu-system", linux=str(one.folder), rseq=rseq)
    with resolve.create_target(options) as target:
        facts = target.machine().facts
        skipped = {bench.name: bench.unavailable for bench in target.benchmarks() if bench.name.startswith("linux/")}
    assert facts.linux_build == one.folder.name
    assert one.release in facts.linux
    assert ("ENOSYS" in (facts.rseq_reason or "")) == (rseq == "n")
    assert facts.config_rseq == rseq
    assert resolve.check_configuration(options, facts) == ""
    assert f"CONFIG_RSEQ={rseq}" in resolve.check_configuration(
        dataclasses.replace(options, rseq="y" if rseq == "n" else "n"), facts
    )
    assert {name for name, why in skipped.items() if why} == {"linux/pipe_two_cpus"}, skipped
