"""kernels/preload/ under programs that were not made for it: they end as they do without, with the same output."""

import functools
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.pools import read_counts, require_program

ROOT = Path(__file__).parents[3]
TWO = ("rseq", "vdso_lock")  # for what takes long

# A million rows: made, indexed, grouped, joined, changed, removed, packed, checked.
SQL = """
PRAGMA journal_mode = memory;
CREATE TABLE t (id INTEGER PRIMARY KEY, word TEXT, number INTEGER, real REAL);
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
INSERT INTO t SELECT i, printf('%x-%s', i * 7919 % 1000003, substr('abcdefghijklmnopqrstuvwxyz', 1 + i % 20, 6)),
  i * 31 % 977, i / 7.0 FROM n;
CREATE INDEX by_number ON t (number, word);
SELECT count(*), sum(number), total(real), min(word), max(word) FROM t;
SELECT number, count(*), group_concat(substr(word, 1, 2), '') FROM t WHERE id % 1000 = 0 GROUP BY number ORDER BY 2, 1;
SELECT sum(length(upper(word) || number)) FROM t;
UPDATE t SET word = word || '!' WHERE number % 10 = 0;
DELETE FROM t WHERE number % 3 = 0;
SELECT count(*), sum(length(word)) FROM t;
SELECT length(json_group_array(word)) FROM t WHERE number < 50;
PRAGMA integrity_check;
"""


@functools.cache
def without(command, given):
    """Return what a command says without the pools."""
    done = subprocess.run(command, input=given, capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def same(pools, command, method, folder, given=b""):
    """Run a command under the pools; return the counts of its processes, if it says the same as without."""
    file = folder / f"counts-{method}"
    environment = pools.environment(method, RSEQBENCH_POOLS_STATS=str(file))
    done = subprocess.run(command, input=given, env=environment, capture_output=True, check=False, timeout=300)
    assert (done.returncode, done.stdout, done.stderr) == (0, *without(tuple(map(str, command)), given))
    found = read_counts(file)
    assert found and all(line["method"] == method and int(line["hits"]) > 0 for line in found)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("method", TWO, indirect=True)
def test_sqlite_on_a_million_rows(pools, method, tmp_path):
    program = require_program("sqlite3", "sqlite3")
    found = same(pools, [program, ":memory:"], method, tmp_path, given=SQL.encode())
    assert sum(int(line["hits"]) for line in found) > 100_000


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Return a bare clone of the project's own repository."""
    git, folder = require_program("git", "git"), tmp_path_factory.mktemp("repository")
    asked = [git, "-C", ROOT, "rev-parse", "--path-format=absolute", "--git-common-dir"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("not in a git repository")
    subprocess.run([git, "clone", "-q", "--bare", done.stdout.strip(), folder / "own"], check=True)
    return folder / "own"


@pytest.mark.parametrize(
    "command",
    [
        ["log", "--all", "--stat", "-M", "--format=%H %an %s"],
        ["fsck", "--full", "--strict", "--no-progress"],
        ["grep", "-n", "--threads=8", "rseq", "HEAD"],
        ["blame", "HEAD", "--", "README.md"],
    ],
    ids=lambda command: command[0],
)
def test_git_reads_a_repository(pools, method, tmp_path, source, command):
    same(pools, ["git", "-C", source, *command], method, tmp_path)


def test_git_repacks_a_repository_and_it_is_whole(pools, method, tmp_path, source):
    target = shutil.copytree(source, tmp_path / "packed")
    environment = pools.environment(method, RSEQBENCH_POOLS_STATS=str(tmp_path / "counts"))
    git = ["git", "-C", str(target)]
    repack = [*git, "-c", "pack.threads=8", "repack", "-q", "-a", "-d", "-f", "--window=50", "--depth=50"]
    subprocess.run(repack, env=environment, check=True)
    assert len(read_counts(tmp_path / "counts")) > 1  # it starts others
    listed = [*git, "rev-list", "--all", "--objects"]
    assert subprocess.check_output(listed, env=environment) == subprocess.check_output(listed)
    subprocess.run([*git, "fsck", "--full", "--strict"], check=True, capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("method", TWO, indirect=True)
def test_python_with_numpy_pandas_and_matplotlib(pools, method, tmp_path):
    found = same(pools, [sys.executable, "-c", SCIENCE], method, tmp_path)
    assert max(int(line["hits"]) for line in found) > 100_000


@pytest.mark.slow
@pytest.mark.parametrize("method", TWO, indirect=True)
def test_tests_of_our_own(pools, method, tmp_path):
    quietly = ["-q", "-p", "no:cacheprovider", f"--rootdir={ROOT}"]
    command = [sys.executable, "-m", "pytest", *quietly, ROOT / "tests" / "unit" / "measure" / "test_plan.py"]
    done = pools.run(command, method, RSEQBENCH_POOLS_STATS=str(tmp_path / "counts"))
    assert done.returncode == 0, done.stdout[-2000:]
    assert max(int(line["hits"]) for line in read_counts(tmp_path / "counts")) > 100_000


def test_python_s_threads_and_processes(pools, method, tmp_path):
    same(pools, [sys.executable, "-X", "dev", "-c", PYTHON], method, tmp_path)


PYTHON = """
import concurrent.futures, json, multiprocessing, re, os, subprocess, sys

def work(seed):
    data = {f"key{i * seed % 9973}": [i, str(i), {"x": i / 7}] for i in range(3000)}
    text = json.dumps(data, sort_keys=True)
    assert json.loads(text) == data
    return len(re.findall("key[0-9]+5", text)), hash(tuple(range(seed))) % 1000

if __name__ == "__main__":
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        print(list(pool.map(work, range(1, 33))))
    with multiprocessing.get_context("fork").Pool(4) as pool:
        print(pool.map(work, range(1, 33)))
    print(subprocess.check_output([sys.executable, "-c", "print(sum(map(len, map(str, range(100000)))))"]))
"""

SCIENCE = """
import hashlib, io
import matplotlib
matplotlib.use("Agg")
matplotlib.rcParams["svg.hashsalt"] = "pools"
import matplotlib.pyplot as plt, numpy as np, pandas as pd

random = np.random.default_rng(1)
frame = pd.DataFrame({"group": random.integers(0, 500, 200000), "word": random.integers(0, 9999, 200000).astype(str),
                      "value": random.normal(size=200000)})
means = frame.groupby("group").agg({"value": ["mean", "std"], "word": ["min", "max", "nunique"]})
print(means.to_csv())
print(frame.merge(frame.head(2000), on="word").sort_values(["word", "value_x", "value_y"]).head(50).to_string())
figure, axes = plt.subplots(3, 3, figsize=(9, 9))
for at, axis in enumerate(axes.flat):
    axis.plot(np.cumsum(frame["value"][at * 1000:at * 1000 + 1000]), label=f"line {at}")
    axis.legend()
out = io.BytesIO()
figure.savefig(out, format="svg", metadata={"Date": None})
print(hashlib.sha256(out.getvalue()).hexdigest())
"""
