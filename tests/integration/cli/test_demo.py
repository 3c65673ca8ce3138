"""`rseqbench demo`: a replay through the real progress, table and page, which nobody can take for a measurement."""

import os
import re
import signal
import sys

import pytest

from rseqbench import paths
from rseqbench.store.runs import Store
from tests.support.commands import processes_with, rseqbench, tree
from tests.support.runs import MARK
from tests.support.terminals import COLOUR, frames, in_a_terminal, screen

ROUNDS = 7
GROUPS = ("counter", "ring_buffer", "rcu", "cpu_id", "control")


def demo(*arguments, cwd, **env):
    scratch = cwd / "scratch"
    scratch.mkdir(exist_ok=True)
    done = rseqbench("demo", *arguments, cwd=cwd, env={"TMPDIR": str(scratch), **env})
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(scratch.iterdir()) == []
    return done


@pytest.fixture(scope="module")
def replayed(tmp_path_factory):
    """Return the folder of a demo, where no program can be found, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, demo(cwd=folder, PATH="", CC="")


def test_it_needs_no_compiler_and_leaves_its_page_only(replayed):
    folder, _ = replayed
    assert sorted(tree(folder)) == ["reports", "reports/demo.html", "scratch"]


def test_its_progress_is_that_of_a_run_each_line_marked(replayed):
    *progress, last = replayed[1].stderr.splitlines()
    assert last == "a replay: nothing was measured here; its page is reports/demo.html"
    assert [re.sub(r", .*", "", line) for line in progress] == [
        "REPLAY: 28 checks done",
        *(f"REPLAY: round {number} of {ROUNDS} done" for number in range(1, ROUNDS + 1)),
    ]


def test_its_values_are_the_recorded_ones_and_are_marked_wherever_they_stand(replayed):
    out = replayed[1].stdout
    lines = out.splitlines()
    assert lines[0].startswith("REPLAY of a recorded run, nothing was measured on this machine: 28 benchmarks on ")
    assert lines[-1].startswith("REPLAY: counter: rseq is ")
    for caption in (*(f"{group} on x86_64" for group in GROUPS), "What the patch claimed", "Quotients inside"):
        assert [line.startswith("REPLAY: ") for line in lines if line.removeprefix("REPLAY: ").startswith(caption)] == [
            True
        ]
    assert "this run" not in out.replace("not selected in this run", "").replace("in \nthis run", "")
    assert "REPLAYED" in out
    assert "Note: REPLAY: " in out
    assert "counter: rseq is 34.98 (34.95 to 35.00) times faster than getcpu+atomic; the patch said 7.7" in out


def test_the_recorded_run_is_one_and_names_no_place():
    recorded = Store(paths.recorded().parent).load(paths.recorded().name)
    assert recorded.header.plan.rounds == ROUNDS
    assert recorded.header.machines[0].target == "native"
    size = sum(path.stat().st_size for path in paths.recorded().iterdir())
    assert size < 500_000
    text = "".join(path.read_text() for path in paths.recorded().iterdir())
    assert not re.search(r"/(root|home|work|tmp|usr)\b", text)
    assert f'"{os.uname().nodename}"' not in text


def test_its_page_says_that_it_is_a_replay(replayed):
    page = (replayed[0] / "reports/demo.html").read_text()
    body = page[page.index("<body") :]
    assert "REPLAY of a recorded run" in body
    assert "REPLAY: these are the values of a run that was recorded elsewhere" in body
    assert "REPLAYED" in body
    assert "nothing was measured on this one" in body  # among the facts
    assert "rseqbench demo" in body
    assert "report demo-replay" not in body  # there is no such run to report of


def test_it_is_no_run_of_ours(replayed):
    folder, _ = replayed
    assert "no runs in results" in rseqbench("show", cwd=folder).stderr
    assert "unknown run 'demo-replay'" in rseqbench("show", "demo-replay", cwd=folder).stderr
    listed = rseqbench("runs", cwd=folder).stdout
    assert "patch-2018" in listed
    assert "replay" not in listed.lower()


def test_output_is_where_it_is_asked_for(tmp_path):
    done = demo("--output", "y.html", cwd=tmp_path)
    assert sorted(tree(tmp_path)) == ["scratch", "y.html"]
    assert done.stderr.endswith("its page is y.html\n")


# ---- on a terminal ----


@pytest.mark.parametrize("columns", [40, 100])
def test_its_live_lines_are_marked_and_gone_in_the_end(tmp_path, columns):
    code, text = in_a_terminal("demo", cwd=tmp_path, columns=columns)
    assert code == 0, text
    assert COLOUR.search(text)
    seen = [line for frame in frames(text, columns) for line in frame]
    live = {line for line in seen if re.search(r"(check|round) \d+ of", line)}
    assert all(line.startswith("REPLAY ") for line in live)
    assert any(re.match(r"REPLAY check \d+ of 28: \w+/", line) for line in live)
    assert any(re.match(rf"REPLAY round {ROUNDS} of {ROUNDS}", line) for line in live)
    assert any(line.endswith(" s left") for line in live)
    assert any(line.startswith("counter: rseq looks 35.0 times") for line in seen) or columns == 40
    left = screen(text, columns)
    assert left[0].startswith("REPLAY of a recorded run")
    assert not live & set(left)
    assert max(map(len, left)) <= columns


def test_without_colour_there_is_none(tmp_path):
    code, text = in_a_terminal("demo", cwd=tmp_path, env={"NO_COLOR": "1"})
    assert code == 0, text
    assert not COLOUR.search(text)


def test_a_dumb_terminal_gets_lines_only(tmp_path):
    code, text = in_a_terminal("demo", cwd=tmp_path, env={"TERM": "dumb"})
    assert code == 0, text
    assert "\x1b" not in text
    assert "REPLAY: round 7 of 7 done" in text


def test_forced_colour_draws_nothing_into_a_pipe(tmp_path):
    done = demo(cwd=tmp_path, FORCE_COLOR="1")
    assert "\x1b[2K" not in done.stderr
    assert "REPLAY: round 7 of 7 done" in done.stderr


def test_an_interrupt_leaves_nothing(tmp_path):
    def interrupt(process):
        os.killpg(process.pid, signal.SIGINT)

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = {"TMPDIR": str(scratch), MARK: str(tmp_path)}
    code, text = in_a_terminal("demo", cwd=tmp_path, env=env, until="round 2 of", then=interrupt)
    assert code == 130, text
    assert screen(text, 90) == ["rseqbench: interrupted"]
    assert "\x1b[?25h" in text  # the cursor is back
    assert sorted(tree(tmp_path)) == ["scratch"]
    assert processes_with(f"{MARK}={tmp_path}\0") == []


@pytest.mark.parametrize("arguments", [["extra"], ["--output"], ["--output", "."]])
def test_nonsense_is_refused_in_a_line(tmp_path, arguments):
    done = rseqbench("demo", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_loads_no_compiler_of_python(tmp_path):
    words = (sys.executable, "-X", "importtime", "-m", "rseqbench")
    done = rseqbench("demo", cwd=tmp_path, program=words)
    assert "rseqbench.measure.replay" in done.stderr
    assert "| cffi" not in done.stderr
