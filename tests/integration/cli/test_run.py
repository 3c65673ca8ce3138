"""`rseqbench run` as a user meets it: files, output, Ctrl-C, taking up again."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rseqbench.store.runs import Store
from tests.support.commands import PROGRAM, processes_with, rseqbench, tree
from tests.support.requirements import some_rseq
from tests.support.runs import MARK, Started, header_of, rows_of, unfinished_rounds
from tests.support.terminals import COLOUR, frames, in_a_terminal, screen

SHORT = ("--quick", "--engine", "pyperf", "--rounds", "6", "--values", "3")
BRIEF = ("--quick", "--engine", "pyperf", "--rounds", "2", "--values", "1")
WHAT = ("counter/plain", "counter/rseq")
LONG = ("run", "--quick", "--engine", "pyperf", "--rounds", "14", "--values", "3", "--label", "x", "counter/plain")
ROUNDS = 14
WIDTH = 100

pytestmark = some_rseq


def run(*arguments, cwd, code=0, **how):
    done = rseqbench("run", *arguments, cwd=cwd, **how)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """Return the folder of a run that is done, and how it was done."""
    folder = tmp_path_factory.mktemp("stored")
    return folder, run(*SHORT, *WHAT, "--label", "x", "--seed", "0", cwd=folder)


# ---- what a run leaves ----

ASSEMBLY = ["assembly.txt"] if shutil.which("objdump") else []


def test_a_run_leaves_its_files_and_nothing_else(stored):
    folder, _ = stored
    assert sorted(tree(folder)) == [
        "results",
        "results/x",
        *(f"results/x/{name}" for name in ASSEMBLY),
        "results/x/pyperf.json",
        "results/x/rounds.csv",
        "results/x/run.json",
        "results/x/table.csv",
    ]


def test_the_header_says_what_was_done_and_where(stored):
    folder, _ = stored
    header = header_of(folder)
    assert header["label"] == "x"
    assert header["command"].startswith("rseqbench run --quick")
    assert (header["plan"]["rounds"], header["plan"]["values"], header["plan"]["seed"]) == (6, 3, 0)
    assert (header["plan"]["engine"], header["plan"]["preset"]) == ("pyperf", "quick")
    assert set(WHAT) <= {case["benchmark"] for case in header["plan"]["cases"]}
    assert "cpu_id/baseline" in {case["benchmark"] for case in header["plan"]["cases"]}
    assert {
        "cpu",
        "linux",
        "libc",
        "compiler",
        "cflags",
        "registration",
        "rseq_feature_size",
        "python",
        "pyperf",
    } <= set(header["machines"][0]["facts"])
    assert all(check["passed"] for check in header["checks"])
    assert set(WHAT) <= {check["benchmark"] for check in header["checks"]}
    assert header["finished"] > header["created"]
    assert header["docs"]["counter/rseq"]


def test_nothing_names_the_machine_or_its_owner(stored):
    folder, _ = stored
    text = (folder / "results/x/run.json").read_text() + (folder / "results/x/pyperf.json").read_text()
    assert os.uname().nodename not in json.loads(text.partition("\n}\n")[0] + "\n}")["machines"][0]["facts"].values()
    assert str(Path.home()) not in (folder / "results/x/run.json").read_text()


def test_every_round_of_every_case_is_there_with_its_raw_values(stored):
    folder, _ = stored
    found = Store(folder / "results").load("x")
    for name in (*WHAT, "cpu_id/baseline"):
        runs = found.suite.get_benchmark(name).get_runs()
        assert [run.get_metadata()["round"] for run in runs] == list(range(6))
        assert {len(run.values) for run in runs} == {3}
        assert min(min(run.values) for run in runs) > 0


def test_the_table_is_for_people_and_git(stored):
    folder, _ = stored
    rows = {row["benchmark"]: row for row in rows_of(folder)}
    assert {*WHAT, "cpu_id/baseline"} <= set(rows)
    for name in WHAT:
        row = rows[name]
        assert (row["label"], row["threads"], row["unit"], row["engine"]) == ("x", "1", "ns/op", "pyperf")
        assert float(row["gross_low"]) <= float(row["gross"]) <= float(row["gross_high"])
        assert row["rounds"] == "6"
        assert row["check"].startswith("exact")


@pytest.mark.parametrize("command", [["stats"], ["hist"], ["show"], ["check"], ["metadata"], ["dump"]])
def test_pyperf_itself_reads_the_file(stored, command):
    folder, _ = stored
    words = [sys.executable, "-m", "pyperf", *command, "results/x/pyperf.json"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "counter/rseq" in done.stdout


def test_pyperf_itself_compares_it(stored):
    folder, _ = stored
    words = [sys.executable, "-m", "pyperf", "compare_to", "results/x/pyperf.json", "results/x/pyperf.json"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# ---- what it prints ----


def test_results_are_plain_text_and_tables_fit_100_columns(stored):
    """A sentence is one line, for grep; on a terminal it is wrapped (see below)."""
    _, done = stored
    assert all(character.isprintable() or character == "\n" for character in done.stdout)
    tables = [line for line in done.stdout.splitlines() if "  " in line or "\u2500" in line]
    assert len(tables) > 6
    assert max(map(len, tables)) <= WIDTH
    assert any(line.startswith("rseq ") for line in tables)
    assert any(line.startswith("plain ") for line in tables)


def test_progress_goes_to_standard_error_in_plain_lines(stored):
    _, done = stored
    assert "\x1b" not in done.stderr
    assert "\r" not in done.stderr
    assert re.search(r"^\d+ checks done$", done.stderr, re.MULTILINE)
    assert [line.partition(" done")[0] for line in done.stderr.splitlines() if line.startswith("round")] == [
        f"round {number} of 6" for number in range(1, 7)
    ]
    assert done.stderr.splitlines()[-1] == "stored in results/x"


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}], ids=["colours", "no_color"])
def test_a_terminal_gets_a_live_line_and_colours_unless_it_wants_none(tmp_path, env):
    code, text = in_a_terminal("run", *SHORT, *WHAT, "--label", "x", cwd=tmp_path, env=env)
    assert code == 0, text
    lines = [line for screen_ in frames(text, 90) for line in screen_]
    assert any(re.match(r"check \d+ of \d+: \w+/\w+", line) for line in lines)
    assert any(re.match(r"round 2 of 6: \w+/\w+ .* left", line) for line in lines)
    assert any(line.startswith("counter/rseq: ") or line.startswith("counter/plain: ") for line in lines)
    assert bool(COLOUR.search(text)) == (not env)
    left = screen(text, 90)
    assert left[-1] == "stored in results/x"
    assert not [line for line in left if line.startswith(("check ", "round ", "getting ready", "compiling"))]
    assert max(map(len, left)) <= 90


def test_a_stored_run_is_shown_as_it_was_printed(stored):
    folder, done = stored
    for words in (("show", "x"), ("show",)):
        again = rseqbench(*words, cwd=folder)
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout == done.stdout


# ---- labels ----


def test_a_label_that_exists_is_refused_before_anything_is_done(stored):
    folder, _ = stored
    before = tree(folder)
    done = run(*SHORT, *WHAT, "--label", "x", cwd=folder, code=2)
    assert done.stderr == ("rseqbench: there is a run 'x' already; give another --label, or --force to replace it\n")
    assert done.stdout == ""
    assert tree(folder) == before


def test_force_replaces(stored, tmp_path):
    shutil.copytree(stored[0] / "results", tmp_path / "results")
    first = header_of(tmp_path)
    run(*BRIEF, "counter/shared_atomic", "--label", "x", "--force", cwd=tmp_path)
    second = header_of(tmp_path)
    assert first["plan"]["seed"] != second["plan"]["seed"]
    assert "counter/shared_atomic" in {row["benchmark"] for row in rows_of(tmp_path)}
    assert "counter/plain" not in {row["benchmark"] for row in rows_of(tmp_path)}
    assert os.listdir(tmp_path / "results") == ["x"]


def test_without_a_label_a_run_is_named_after_its_architecture_and_the_time(tmp_path):
    for _ in range(2):
        run(*BRIEF, "cpu_id/baseline", cwd=tmp_path)
    names = os.listdir(tmp_path / "results")
    assert len(set(names)) == 2
    arch = header_of(tmp_path, names[0])["machines"][0]["arch"]
    assert all(re.fullmatch(rf"{arch}-\d{{8}}-\d{{4}}(-\d+)?", name) for name in names)


def test_the_seed_repeats_the_plan(stored, tmp_path):
    run(*SHORT, *WHAT, "--label", "again", "--seed", "0", cwd=tmp_path)
    assert header_of(tmp_path, "again")["plan"] == header_of(stored[0])["plan"]


def test_a_bench_toml_in_the_folder_is_obeyed(tmp_path):
    (tmp_path / "bench.toml").write_text(
        '[paths]\nresults = "elsewhere"\n'
        "[presets.tiny]\nrounds = 6\nvalues = 2\nvalue_ms = 0.2\n"
        '[configurations.mine]\npreset = "tiny"\nengine = "pyperf"\nbenchmarks = ["counter/plain"]\n'
    )
    run("--config", "mine", "--label", "x", cwd=tmp_path)
    plan = json.loads((tmp_path / "elsewhere/x/run.json").read_text())["plan"]
    assert (plan["preset"], plan["rounds"], plan["values"], plan["value_ms"]) == ("tiny", 6, 2, 0.2)
    assert not (tmp_path / "results").exists()


# ---- threads and engines ----


def test_several_threads_where_they_mean_something(tmp_path):
    run(*BRIEF, "counter", "--threads", "1,2", "--label", "x", cwd=tmp_path)
    rows = {(row["benchmark"], row["threads"]) for row in rows_of(tmp_path) if row["gross"]}
    for name in ("rseq", "rseq_cmp", "rseq_atomic", "getcpu_atomic", "shared_atomic", "thread_local"):
        assert {(f"counter/{name}", "1"), (f"counter/{name}", "2")} <= rows
    assert ("counter/plain", "1") in rows
    assert ("counter/plain", "2") not in rows
    found = Store(tmp_path / "results").load("x")
    assert "counter/rseq/threads=2" in found.suite.get_benchmark_names()


def test_what_takes_one_thread_only_says_so(tmp_path):
    done = run(*BRIEF, "counter/plain", "counter/shared_atomic", "--threads", "2", "--label", "x", cwd=tmp_path)
    assert "measured with one thread only" in done.stdout
    skips = {skip["benchmark"]: skip["reason"] for skip in header_of(tmp_path)["plan"]["skips"]}
    assert skips["counter/plain"] == "measured with one thread only"


def test_the_gated_engine_is_the_default_and_leaves_the_same_files(tmp_path):
    done = rseqbench("run", "--quick", "--rounds", "6", *WHAT, "--label", "x", cwd=tmp_path)
    if done.returncode and "contended" in done.stderr:
        pytest.skip("this machine is too busy for the gated engine")
    assert done.returncode == 0, done.stderr
    assert header_of(tmp_path)["plan"]["engine"] == "gated"
    assert sorted(os.listdir(tmp_path / "results/x")) == [
        *ASSEMBLY,
        "pyperf.json",
        "rounds.csv",
        "run.json",
        "table.csv",
    ]
    assert {row["engine"] for row in rows_of(tmp_path) if row["gross"]} <= {"gated"}


# ---- Ctrl-C ----


def to_the_process(process, number):
    """As kill does."""
    process.send_signal(number)


def to_the_group(process, number):
    """As a terminal does."""
    os.killpg(process.pid, number)


@pytest.mark.parametrize(
    ("send", "number"),
    [
        pytest.param(to_the_process, signal.SIGINT, id="process"),
        pytest.param(to_the_group, signal.SIGINT, id="group"),
        pytest.param(to_the_process, signal.SIGTERM, id="sigterm", marks=pytest.mark.slow),
    ],
)
def test_an_interrupt_keeps_what_is_done_and_resume_completes_it(tmp_path, send, number):
    started = Started(tmp_path, *LONG, until="round 2 of")
    assert started.left()
    send(started.process, number)
    code, err = started.end()
    assert code == 130, err
    assert started.left() == []
    assert started.out == ""
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    found = re.fullmatch(
        rf"rseqbench: interrupted with (\d+) of {ROUNDS} rounds done and kept; rseqbench run --resume x", last
    )
    assert found, last
    kept = unfinished_rounds(tmp_path)
    assert len(kept) == int(found[1]) >= 2
    assert kept == [f"{i:05}.json" for i in range(len(kept))]
    assert os.listdir(tmp_path / "results") == [".unfinished-x"]
    stamps = {name: (tmp_path / "results/.unfinished-x/rounds" / name).read_bytes() for name in kept}

    # What is unfinished is not shown, not replaced and not taken up as something else.
    assert "run 'x' is unfinished" in rseqbench("report", "x", cwd=tmp_path).stderr
    assert "there is an unfinished run 'x'" in run(*SHORT, "--label", "x", cwd=tmp_path, code=2).stderr
    before = tree(tmp_path)
    assert "takes no further options" in run("--resume", "x", "--rounds", "6", cwd=tmp_path, code=2).stderr
    assert tree(tmp_path) == before

    done = run("--resume", "x", cwd=tmp_path)
    assert "checks done" not in done.stderr
    assert os.listdir(tmp_path / "results") == ["x"]
    header = header_of(tmp_path)
    assert header["plan"]["rounds"] == ROUNDS
    runs = Store(tmp_path / "results").load("x").suite.get_benchmark("counter/plain").get_runs()
    assert [run.get_metadata()["round"] for run in runs] == list(range(ROUNDS))
    first = json.loads(stamps["00000.json"])
    kept_values = [
        one["runs"][0]["values"] for one in first["benchmarks"] if one["metadata"]["name"] == "counter/plain"
    ]
    assert [list(runs[0].values)] == kept_values


def test_an_interrupt_while_it_checks_leaves_nothing_running(tmp_path):
    begun = subprocess.Popen(
        [*PROGRAM, "run", "--engine", "pyperf", "--label", "x"],
        cwd=tmp_path,
        env={**os.environ, MARK: str(tmp_path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "results/.unfinished-x/run.json").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    begun.send_signal(signal.SIGINT)
    _, err = begun.communicate(timeout=300)
    assert begun.returncode == 130, err
    assert "interrupted" in err
    assert "Traceback" not in err
    deadline = time.monotonic() + 60
    while processes_with(f"{MARK}={tmp_path}\0") and time.monotonic() < deadline:
        time.sleep(0.05)
    assert processes_with(f"{MARK}={tmp_path}\0") == []


def test_when_it_is_killed_its_workers_end_too_and_resume_completes_it(tmp_path):
    started = Started(tmp_path, *LONG, until="round 2 of")
    started.process.kill()
    code, _ = started.end()
    assert code == -signal.SIGKILL
    assert started.left() == []
    assert len(unfinished_rounds(tmp_path)) >= 2
    run("--resume", "x", cwd=tmp_path)
    assert len(Store(tmp_path / "results").load("x").suite.get_benchmark("counter/plain").get_runs()) == ROUNDS


def test_a_run_is_not_taken_up_on_another_machine(tmp_path):
    started = Started(tmp_path, *LONG, until="round 1 of")
    started.process.send_signal(signal.SIGINT)
    started.end()
    path = tmp_path / "results/.unfinished-x/run.json"
    raw = json.loads(path.read_text())
    raw["machines"][0]["facts"]["linux"] = "2.6.32"
    path.write_text(json.dumps(raw))
    done = run("--resume", "x", cwd=tmp_path, code=2)
    assert "run 'x' cannot be resumed: linux was '2.6.32' and is " in done.stderr
    assert done.stderr.count("\n") == 1


def test_force_drops_what_is_unfinished(tmp_path):
    started = Started(tmp_path, *LONG, until="round 1 of")
    started.process.send_signal(signal.SIGINT)
    started.end()
    run(*BRIEF, "counter/plain", "--label", "x", "--force", cwd=tmp_path)
    assert os.listdir(tmp_path / "results") == ["x"]
    assert header_of(tmp_path)["plan"]["rounds"] == 2
