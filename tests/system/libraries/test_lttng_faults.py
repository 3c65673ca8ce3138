"""What befalls LTTng's daemon, its disk and its machine costs the rows of LTTng, no others, and leaves nothing."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyperf
import pytest

from tests.support.commands import PROGRAM, ROOT, processes_with, rseqbench
from tests.support.installed_libraries import broken, needs
from tests.support.requirements import two_cpus
from tests.support.sshd import eventually

pytestmark = [needs("lttng"), needs("urcu"), two_cpus]
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: namespaces, and to be another user")
MARK = "RSEQBENCH_TEST_LTTNG"
MEASURED = ("lttng/lsl", "lttng/syscall", "cpu_id/getcpu_syscall")
RUN = ("run", *MEASURED, "--quick", "--rounds", "6", "--label", "here")
PLACES = ("/dev/shm", "/var/run/lttng")


def around():
    """Return what there is in places that all of the machine shares."""
    return {Path(place, name) for place in PLACES if os.path.isdir(place) for name in os.listdir(place)}


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """Mark all processes of a test, and see that none of them, and no file of theirs, is left."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setenv(MARK, str(tmp_path))
    before = around()
    yield folder
    assert eventually(lambda: set(processes_with(f"{MARK}={tmp_path}\0")) <= {os.getpid()}), "processes are left"
    assert eventually(lambda: around() <= before)  # somebody else may be at it too
    assert not list(folder.glob("rseqbench-*"))


def stored(folder, label="here"):
    """Return why what was skipped in a run, and the rounds by benchmark."""
    skips = json.loads((folder / f"results/{label}/run.json").read_text())["plan"]["skips"]
    suite = pyperf.BenchmarkSuite.load(str(folder / f"results/{label}/pyperf.json"))
    return {skip["benchmark"]: skip["reason"] for skip in skips}, {b.get_name(): b.get_nrun() for b in suite}


def listed(folder, *groups):
    """Return why benchmarks of these groups cannot be measured, empty for those that can."""
    done = rseqbench("list", *groups, "--format", "json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return {one["name"]: one["unavailable"] for one in json.loads(done.stdout)}


@contextlib.contextmanager
def running(folder, *arguments, program=PROGRAM):
    """Yield rseqbench while it runs, its stderr to be read."""
    started = subprocess.Popen(
        [*program, *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def wait_for(started, words):
    """Read what rseqbench says until it says these words."""
    said = []
    for line in started.stderr:
        said.append(line)
        if words in line:
            return
    pytest.fail(f"it never said {words!r}: {said}")


def ours(name, tmp_path):
    """Return the processes of this test whose program has this name."""
    found = []
    for process in processes_with(f"{MARK}={tmp_path}\0"):
        with contextlib.suppress(OSError):
            if Path(f"/proc/{process}/comm").read_text().strip() == name[:15]:
                found.append(process)
    return found


# ---- the daemon ----


@pytest.mark.parametrize(
    ("engine", "name", "words"),
    [
        ("gated", "lttng-sessiond", "lttng-sessiond ended with SIGKILL"),
        ("pyperf", "lttng-sessiond", "lttng-sessiond ended with SIGKILL"),
        pytest.param("gated", "lttng-consumerd", "failed: Error: Consumer", marks=pytest.mark.slow),
    ],
)
def test_a_daemon_that_dies_costs_the_rounds_from_then_on(tmp_path, engine, name, words):
    with running(tmp_path, *RUN, "--rounds", "8", "--engine", engine) as started:
        wait_for(started, "round 1 of 8 done")
        for process in ours(name, tmp_path):
            os.kill(process, signal.SIGKILL)
        said = started.stderr.read()
        assert started.wait(120) == 0, said
    skips, rounds = stored(tmp_path)
    assert rounds["cpu_id/getcpu_syscall"] >= 7  # a round may be void on a busy machine
    for method in ("lttng/lsl", "lttng/syscall"):
        assert skips[method].startswith("void in ")
        assert any(f" {method} is void: " in line and words in line for line in said.splitlines())


def test_a_daemon_that_does_not_start_is_a_reason(tmp_path, monkeypatch):
    only(tmp_path, monkeypatch, "lttng-sessiond")
    (tmp_path / "bin/lttng-sessiond").write_text("#!/bin/sh\necho something is amiss >&2\nexit 3\n")
    (tmp_path / "bin/lttng-sessiond").chmod(0o755)
    found = listed(tmp_path, "lttng", "cpu_id")
    assert found["lttng/lsl"] == "lttng-sessiond ended with exit code 3: something is amiss"
    assert found["cpu_id/getcpu_syscall"] == ""


def only(tmp_path, monkeypatch, *without):
    """Leave all programs on the PATH but some."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.environ["PATH"].split(":"):
        for program in Path(place).glob("*"):
            if program.name not in without and not (folder / program.name).exists():
                (folder / program.name).symlink_to(program)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize(("program", "package"), [("lttng-sessiond", "lttng-tools"), ("babeltrace2", "babeltrace2")])
def test_a_program_that_is_missing_is_a_reason_with_the_package(tmp_path, monkeypatch, program, package):
    only(tmp_path, monkeypatch, program)
    why = f"LTTng-UST cannot be measured without {program}; apt-get install {package}"
    assert set(listed(tmp_path, "lttng").values()) == {why}
    done = rseqbench("check", "lttng/lsl", "cpu_id/getcpu_syscall", cwd=tmp_path)
    assert done.returncode == 0
    assert f"lttng/lsl not checked: {why}" in " ".join(done.stdout.split())


# ---- what calls it ----


def test_a_provider_that_does_not_load_is_a_reason(tmp_path, monkeypatch):
    declared = (
        "\nextern int gone_in_this_version(void);\nstatic int enabled(void)\n{\n\treturn gone_in_this_version() &&"
    )
    broken(tmp_path, monkeypatch, "providers/lttng/provider.c", "\nstatic int enabled(void)\n{\n\treturn", declared)
    found = listed(tmp_path, "lttng", "cpu_id")
    assert "does not load" in found["lttng/lsl"]
    assert "undefined symbol: gone_in_this_version" in found["lttng/lsl"]
    assert found["cpu_id/getcpu_syscall"] == ""


def test_headers_of_another_version_are_a_reason(tmp_path, monkeypatch):
    (tmp_path / "lttng").mkdir()
    (tmp_path / "lttng/ust-getcpu.h").write_text("/* a version that cannot have its getcpu replaced */\n")
    monkeypatch.setenv("CPATH", str(tmp_path))
    found = listed(tmp_path, "lttng", "urcu")
    assert "lttng_ust_getcpu_override" in found["lttng/lsl"]
    assert found["urcu/memb"] == ""


# ---- the disk ----


@root
def test_a_full_disk_under_the_trace_costs_the_rows_of_lttng(tmp_path):
    full = tmp_path / "full"
    full.mkdir()
    script = 'mount -t tmpfs -o size=300k tmpfs "$1" || exit; export TMPDIR="$1"; shift; exec "$@"'
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(full), *PROGRAM)
    done = rseqbench(*RUN, cwd=tmp_path, program=command)
    skips, rounds = stored(tmp_path)
    assert done.returncode == 1
    assert rounds["cpu_id/getcpu_syscall"] == 6
    for method in ("lttng/lsl", "lttng/syscall"):
        assert method not in rounds
        assert skips[method].startswith("check FAILED, so it is not timed: ")
        assert "lttng" in skips[method].lower()


# ---- others on this machine ----


@root
@pytest.mark.slow
def test_two_runs_at_once_and_a_session_of_the_user(tmp_path):
    """In a namespace of the test's own, as if it were the machine: no session of anybody's is put at risk here."""
    script = """
        for place in /run /dev/shm; do mount -t tmpfs tmpfs $place || exit; done
        lttng-sessiond --no-kernel --quiet & daemon=$!
        tries=0
        until lttng --no-sessiond list >/dev/null 2>&1; do
            sleep .1; tries=$((tries+1)); [ $tries -lt 100 ] || exit 9
        done
        ls /run /run/lttng /dev/shm >before
        lttng create mine --output="$PWD/mine" && lttng enable-event --userspace --all && lttng start || exit 8
        "$@" --label one >/dev/null 2>one.err & first=$!
        "$@" --label two >/dev/null 2>two.err & second=$!
        wait $first || exit 7; wait $second || exit 6
        lttng list >sessions; lttng destroy mine >/dev/null; ls /run /run/lttng /dev/shm >after
        kill $daemon && wait $daemon
    """
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *PROGRAM, *RUN[:-2]]
    home = {**os.environ, "LTTNG_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=home, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    sessions = (tmp_path / "sessions").read_text()
    assert "mine" in sessions
    assert "rseqbench" not in sessions
    assert not list((tmp_path / "mine").rglob("metadata")), "our events are in the user's trace"
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    for label in ("one", "two"):
        _, rounds = stored(tmp_path, label)
        assert rounds["cpu_id/getcpu_syscall"] > 0


@root
@pytest.mark.slow
def test_a_user_who_is_not_root():
    with tempfile.TemporaryDirectory(prefix="of-nobody-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        paths = [str(ROOT), *(path for path in sys.path if "site-packages" in path)]
        python = shutil.which("python3", path="/usr/bin")
        if python is None or not os.path.exists("/usr/include/python3.11/Python.h"):
            pytest.skip("no Python with headers that every user may run")
        home = {"HOME": name, "TMPDIR": name, "XDG_CACHE_HOME": f"{name}/cache", "PYTHONPATH": ":".join(paths)}
        command = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-m", "rseqbench")
        done = rseqbench(*RUN, cwd=folder, env=home, program=command)
        assert done.returncode == 0, done.stderr
        _, rounds = stored(folder)
        assert (rounds["lttng/lsl"], rounds["lttng/syscall"]) == (6, 6)
        assert not list(folder.glob("rseqbench-*"))


MAPPED = """
import mmap, subprocess, sys
from pathlib import Path
from rseqbench.workloads.lttng import namespace

def mapped(name):
    with Path("/dev/shm/lttng-ust-wait-" + name).open("w+b") as file:
        file.truncate(4096)
        return mmap.mmap(file.fileno(), 4096)

if sys.argv[1:]:  # the neighbour
    held = mapped("ours"), mapped("theirs")
    print(flush=True)
    sys.stdin.read()
else:
    there = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", there, "sh", sys.executable, __file__, "neighbour"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as neighbour:
        neighbour.stdout.readline()
        with namespace._remove_leftovers((Path("/dev/shm"),)):
            held, _ = mapped("held"), mapped("ours").close()
        neighbour.stdin.close()
    print(*(path.name for path in Path("/dev/shm").iterdir()))
"""


@root
def test_what_others_have_mapped_stays_and_a_file_of_the_same_name_elsewhere_keeps_nothing(tmp_path):
    script = tmp_path / "mapped.py"
    script.write_text(MAPPED)
    there = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", there, "sh", sys.executable, str(script)]
    path = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["lttng-ust-wait-held"], done.stderr


WITHIN = "for place in /run /dev/shm; do mount -t tmpfs tmpfs $place || exit; done\n"
CONTAINED = "setpriv --bounding-set -sys_admin --inh-caps -sys_admin"


@root
@pytest.mark.parametrize("taken", [pytest.param(False, marks=pytest.mark.slow), True])
def test_root_without_the_right_to_a_namespace(tmp_path, taken):
    """As in a container: at the machine's own place, unless somebody is there."""
    daemon = "lttng-sessiond --no-kernel --quiet & sleep 1\n" if taken else ""
    script = f'{WITHIN}{daemon}{CONTAINED} "$@"; code=$?; ls -R /run /dev/shm >left; kill $! 2>/dev/null; exit $code'
    command = ("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", *PROGRAM)
    done = rseqbench(*RUN, cwd=tmp_path, program=command)
    assert done.returncode == 0, done.stderr
    skips, rounds = stored(tmp_path)
    assert rounds["cpu_id/getcpu_syscall"] == 6
    if taken:
        assert skips["lttng/lsl"].startswith("root's own lttng-sessiond is running")
        assert "lttng/lsl" not in rounds
    else:
        assert rounds["lttng/lsl"] >= 5  # one may be void on a busy machine
        assert "lttng" not in (tmp_path / "left").read_text()


# ---- the end ----


def test_a_run_that_was_interrupted_goes_on(tmp_path):
    with running(tmp_path, *RUN) as started:
        wait_for(started, "round 2 of 6 done")
        started.send_signal(signal.SIGINT)
        assert started.wait(60) == 130
    done = rseqbench("run", "--resume", "here", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    skips, rounds = stored(tmp_path)
    assert "lttng/lsl" not in skips
    assert rounds["lttng/lsl"] >= 5  # one may be void on a busy machine


def test_what_is_killed_takes_its_processes_along_and_leaves_one_folder(tmp_path, nothing_left):
    with running(tmp_path, *RUN, "--rounds", "40") as started:
        wait_for(started, "round 1 of 40 done")
        assert ours("lttng-sessiond", tmp_path)
        started.kill()
        started.wait()
        assert eventually(lambda: set(processes_with(f"{MARK}={tmp_path}\0")) <= {os.getpid()})
    left = list(nothing_left.iterdir())
    assert len(left) == 1
    assert left[0].name.startswith("rseqbench-lttng-")
    shutil.rmtree(left[0])


@pytest.mark.slow
def test_two_interrupts_in_a_row_leave_no_process(tmp_path, nothing_left):
    with running(tmp_path, *RUN, "--rounds", "40") as started:
        wait_for(started, "round 1 of 40 done")
        started.send_signal(signal.SIGINT)
        time.sleep(0.05)
        started.send_signal(signal.SIGINT)
        started.wait(60)
    for path in nothing_left.iterdir():  # the second may come while the folder is being removed
        shutil.rmtree(path)
