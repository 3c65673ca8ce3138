"""docs/architecture.md names the path of a target, a format and a claim: each is added to a copy of the tree."""

import shutil
import sys

import pytest

from tests.support.commands import ROOT, rseqbench

TARGET = '''\
"""This machine by the static runner, as a newcomer's first target."""

from rseqbench.targets import TargetKind

TARGETS = {"mirror": TargetKind(f"{__name__}.target", "MirrorTarget")}
'''
TARGET_CLASS = '''\
"""The target `mirror`."""

from rseqbench.targets.runner.target import LocalRunnerTarget


class MirrorTarget(LocalRunnerTarget):
    """All of it is inherited."""
'''
FORMAT = '''\
"""The format lines: a line for each document, as a newcomer's first format."""


def render_run(view):
    """Return the run's label and the number of its benchmarks."""
    return f"{view.run.label}: {len(view.measured)} benchmarks\\n"


def render_comparison(runs, comparisons, rules):
    """Return the labels."""
    return " ".join(run.label for run in runs)


def render_fleet(fleets):
    """Return the labels."""
    return " ".join(fleets.labels)
'''
CLAIM = """
[[claim]]
id = "newcomer-x86_64"
text = "a newcomer's claim"
kind = "speedup"
arch = "x86_64"
slow = "counter/getcpu_atomic"
fast = "counter/rseq"
stated = 8.0
"""


@pytest.fixture
def package(tmp_path):
    """Return the folder of a copy of the package, which `call` runs."""
    copy = tmp_path / "copy"
    for name in ("rseqbench", "kernels", "results/patch-2018"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "bench.toml", copy)
    return copy / "rseqbench"


def call(package, *arguments):
    done = rseqbench(
        *arguments,
        cwd=package.parent.parent,
        env={"PYTHONPATH": str(package.parent)},
        program=(sys.executable, "-m", "rseqbench"),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_target_is_one_folder(package):
    folder = package / "targets" / "mirror"
    folder.mkdir()
    (folder / "__init__.py").write_text(TARGET)
    (folder / "target.py").write_text(TARGET_CLASS)
    call(package, "run", "--target", "mirror", "--quick", "--rounds", "1", "--label", "m", "counter/plain")
    assert '"target": "mirror"' in (package.parent.parent / "results" / "m" / "run.json").read_text()


def test_a_claim_is_one_entry(package):
    path = package / "analysis" / "claims.toml"
    path.write_text(path.read_text() + CLAIM)
    assert "newcomer-x86_64" in call(package, "claims")


def test_an_output_format_is_one_file(package):
    (package / "report" / "formats" / "lines.py").write_text(FORMAT)
    assert call(package, "report", "patch-2018", "--format", "lines").startswith("patch-2018: ")
    assert "lines" in call(package, "compare", "--help")
