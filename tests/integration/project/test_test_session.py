"""tests/conftest.py: a session of tests does not depend on how it was started, and leaves no process behind."""

import os
import shutil
import signal
import subprocess
import sys

import pytest

from tests.support.commands import ROOT, processes_with

MARK = "RSEQBENCH_TEST_LEFT"
CHECKS = """
import os, signal, subprocess

def test_a_child_obeys_ctrl_c():
    assert subprocess.run(["sh", "-c", "kill -INT $$; sleep 0"]).returncode == -signal.SIGINT

def test_a_failing_test_leaves_a_process():
    subprocess.Popen(["sleep", "1000"], start_new_session=True, env={**os.environ, "RSEQBENCH_TEST_LEFT": "failed"})
    assert False

def test_it_is_gone():
    from tests.support.commands import processes_with
    assert processes_with("RSEQBENCH_TEST_LEFT=failed\\0") == []

def test_a_passing_test_leaves_a_process():
    subprocess.Popen(["sleep", "1000"], start_new_session=True, env={**os.environ, "RSEQBENCH_TEST_LEFT": "passed"})
"""


def ignore_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.fixture
def printed(tmp_path):
    """Return what a small session under our conftest prints, started with SIGINT ignored."""
    shutil.copytree(ROOT / "tests/support", tmp_path / "tests/support")
    shutil.copy(ROOT / "tests/conftest.py", tmp_path / "tests")
    (tmp_path / "tests/unit").mkdir()
    (tmp_path / "tests/unit/test_checks.py").write_text(CHECKS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:labgrid", "-p", "no:cacheprovider", "tests"]
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    done = subprocess.run(
        [*command, "--import-mode=importlib"],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=ignore_interrupts,
        timeout=300,
    )
    return done.stdout


def test_children_obey_ctrl_c_and_no_process_is_left(printed):
    assert "1 failed, 3 passed" in printed, printed
    assert [processes_with(f"{MARK}={how}\0") for how in ("failed", "passed")] == [[], []]
