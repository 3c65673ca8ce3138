"""store/runs.py where a process ends, or the disk is full: a label holds the old run or the new one, whole."""

import subprocess
import sys

import pytest

from rseqbench.errors import ResultsError
from rseqbench.store.runs import Store
from tests.support.commands import ROOT
from tests.support.stored_runs import NAMES, PLAN, header, stored


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results")


def test_pyperf_itself_reads_our_file(store):
    run = stored(store)
    command = [sys.executable, "-m", "pyperf", "stats", str(run.folder / "pyperf.json")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert NAMES[1] in done.stdout


FULL_DISK = """
import resource, sys
from pathlib import Path
from rseqbench.errors import ResultsError
from rseqbench.store.runs import Store
from tests.support.stored_runs import header, suite

def limited(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

for step in sys.argv[2:]:
    store = Store(Path(sys.argv[1]) / step)
    limited(resource.RLIM_INFINITY)
    try:
        if step == "begin":
            limited(100)
            store.begin(header(), False)
            continue
        unfinished = store.begin(header(), False)
        unfinished.save_round(0, suite(0))
        limited(100)
        if step == "round":
            unfinished.save_round(1, suite(1))
        elif step == "update":
            unfinished.update(header(notes=("changed",)))
        else:
            unfinished.finish(lambda _: "x" * 1000)
    except ResultsError as error:
        print(f"{step}: {error}")
"""


def test_a_full_disk_is_one_line_at_every_step(tmp_path):
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "results"), "begin", "round", "update", "finish"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(": ")[0] for line in lines] == ["begin", "round", "update", "finish"], lines
    for line in lines:
        assert "cannot write" in line
        assert "File too large" in line
    assert list((tmp_path / "results" / "begin").iterdir()) == []
    for step in ("round", "update", "finish"):
        unfinished = Store(tmp_path / "results" / step).resume("mine")
        assert unfinished.header == header()
        assert unfinished.rounds() == [0]
        assert unfinished.suite().get_benchmark_names() == sorted(NAMES)


DEATHS = """
import os, shutil, sys
from pathlib import Path
from rseqbench.store.runs import Store
from tests.support.stored_runs import stored

STEPS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "ctypes.dlopen"}

def die_at(step):
    # Every step in the file system is announced to an audit hook right before it is done.
    seen = 0
    def hook(event, arguments):
        nonlocal seen
        seen += event in STEPS
        if seen == step:
            os._exit(9)
    sys.addaudithook(hook)

base, replacing = Path(sys.argv[1]), sys.argv[2] == "replacing"
if replacing:
    stored(Store(base / "old"), value=1e-9, created="old")
for step in range(1, 10_000):
    root = base / str(step)
    if replacing:
        shutil.copytree(base / "old", root)
    child = os.fork()
    if child == 0:
        die_at(step)
        stored(Store(root), value=2e-9, force=True, created="new")
        os._exit(0)
    if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
        break
"""


@pytest.mark.parametrize("before", ["replacing", "new"])
def test_death_at_any_step_leaves_the_old_run_or_the_new_one(tmp_path, before):
    done = subprocess.run(
        [sys.executable, "-c", DEATHS, str(tmp_path), before], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    steps = sorted((path for path in tmp_path.iterdir() if path.name.isdecimal()), key=lambda path: int(path.name))
    assert len(steps) > 20
    found = [_state(Store(path)) for path in steps]
    first_new = found.index("new")
    assert set(found[first_new:]) == {"new"}
    assert set(found[:first_new]) == {"old" if before == "replacing" else None}
    assert first_new > 10


def _state(store):
    """Return which run is there, having looked that all three files are of that run; None for none."""
    try:
        run = store.load("mine")
    except ResultsError:
        return None
    value = {"old": 1e-9, "new": 2e-9}[run.header.created]
    for name in NAMES:
        runs = run.suite.get_benchmark(name).get_runs()
        assert [one.values for one in runs] == [(value, value)] * PLAN.rounds
    assert (run.folder / "table.csv").read_text() == f"mine,{value}\n"
    return run.header.created
