"""A configuration of the running Linux: measured boot by boot, refused where it is another one."""

import json
import re

import pytest

from tests.support.commands import rseqbench
from tests.support.requirements import some_rseq
from tests.support.runs import header_of

HERE = """
[configurations.here]
rseq = "y"
boot = "host"
benchmarks = ["linux/yield", "counter/plain"]
boots = 2

[configurations.without]
rseq = "n"
boot = "host"
benchmarks = ["linux/yield"]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "bench.toml").write_text(HERE)
    return tmp_path


@some_rseq
def test_one_boot_is_measured_and_kept_and_the_next_is_asked_for(folder):
    begun = rseqbench("run", "--config", "here", "--label", "x", "--rounds", "2", cwd=folder)
    assert begun.returncode == 0, begun.stderr
    assert re.search(r"^boot 1 of 2 done$", begun.stderr, re.MULTILINE)
    assert "boot it anew, and go on: 2 of 4 rounds done and kept; rseqbench run --resume x" in begun.stderr
    assert begun.stdout == ""
    again = rseqbench("run", "--resume", "x", cwd=folder)
    assert again.returncode == 1
    assert "boot 1 of 2 is done, and the machine is still in it" in again.stderr


@some_rseq
def test_after_another_boot_the_run_is_complete(folder):
    rseqbench("run", "--config", "here", "--label", "x", "--rounds", "2", cwd=folder)
    path = folder / "results/.unfinished-x/run.json"
    header = json.loads(path.read_text())
    assert len(header["boots"]) == 1
    path.write_text(json.dumps({**header, "boots": ["another boot"]}))
    done = rseqbench("run", "--resume", "x", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert len(set(header_of(folder)["boots"])) == 2
    assert header_of(folder)["machines"][0]["target"] == "runner"


def test_the_machine_of_the_program_is_the_plan_s(folder):
    done = rseqbench("run", "linux/yield", "--config", "without", "--rounds", "1", cwd=folder)
    assert done.returncode == 2
    assert re.search(r"CONFIG_RSEQ=y, and this configuration is for n|system call answers", done.stderr)
    assert not list((folder / "results").glob("*")) if (folder / "results").exists() else True


def test_a_guest_wants_a_linux_that_was_built(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    done = rseqbench("run", "--config", "config-n", "--target", "qemu-system", cwd=folder)
    assert done.returncode == 2
    assert "with CONFIG_RSEQ=n is not built yet; rseqbench linux build" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["linux", "build", "laptop"], "unknown configuration with rseq = n or y 'laptop'"),
        (["linux", "build", "--arch", "riscv"], "unknown arch 'riscv'"),
        (["compare", "a"], "'a' is given alone; give the labels of two runs"),
        (["compare", "a", "b", "a"], "is given twice"),
        (["run", "--boots", "0"], "--boots"),
    ],
)
def test_misuse_is_one_line(folder, arguments, words):
    done = rseqbench(*arguments, cwd=folder)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
