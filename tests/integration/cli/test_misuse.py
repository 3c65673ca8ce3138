"""Misuse is one clear line, exit code 2, and nothing written."""

import json
import os
import platform
import shutil
import subprocess
import sys

import pytest

from rseqbench.errors import ResultsError
from rseqbench.paths import builtin_results
from rseqbench.store.runs import Store
from tests.support.commands import in_process, rseqbench, tree

FOREIGN = "arm32" if platform.machine() in ("x86_64", "amd64") else "x86_64"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(folder, monkeypatch, capsys):
    """Return a function that gives rseqbench a command line and returns the one line with which it is refused."""

    run = in_process(monkeypatch, capsys)

    def call(*arguments, code=2):
        before = tree(folder)
        found, out, err = run(*arguments)
        assert found == code, (out, err)
        assert out == ""
        assert tree(folder) == before
        return the_line(err)

    return call


def the_line(err):
    """Return the one line that an error is, whether click found it or we."""
    assert err.startswith("rseqbench: ")
    assert err.endswith("\n")
    (line,) = err.splitlines()
    assert all(character.isprintable() for character in line)
    return line


# ---- names that are not there ----


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["rum"], ["unknown command 'rum'", "did you mean run"]),
        (["zzz"], ["unknown command 'zzz'", "there is: "]),
        (["run", "counter/rsek"], ["unknown benchmark 'counter/rsek'", "counter/rseq"]),
        (["run", "countr"], ["unknown benchmark 'countr'", "counter"]),
        (["run", "counter", "*/zzz"], ["unknown benchmark '*/zzz'"]),
        (["run", ""], ["unknown benchmark ''"]),
        (["list", "counter/rsek"], ["unknown benchmark 'counter/rsek'", "counter/rseq"]),
        (["check", "counter/rsek"], ["unknown benchmark 'counter/rsek'", "counter/rseq"]),
        (["run", "--arch", "m68k"], ["unknown arch 'm68k'", "x86_64"]),
        (["run", "--arch", "x86-64"], ["unknown arch 'x86-64'", "did you mean x86_64"]),
        (["list", "--arch", "m68k"], ["unknown arch 'm68k'"]),
        (["check", "--arch", ""], ["unknown arch ''"]),
        (["run", "--target", "mars"], ["unknown target 'mars'", "native"]),
        (["run", "--target", "nativ"], ["unknown target 'nativ'", "did you mean native?"]),
        (["list", "--target", "mars:pi@board"], ["unknown target 'mars:pi@board'"]),
        (["check", "--target", ""], ["unknown target ''"]),
        (["run", "--engine", "steam"], ["unknown engine 'steam'", "pyperf"]),
        (["run", "--preset", "quik"], ["unknown preset 'quik'", "did you mean quick?"]),
        (["run", "--preset", ""], ["unknown preset ''"]),
        (["run", "--config", "laptap"], ["unknown configuration 'laptap'", "did you mean laptop?"]),
        (["run", "--config", ""], ["unknown configuration ''"]),
        (["compare", "patch-2017", "patch-2018"], ["unknown run 'patch-2017'", "did you mean patch-2018?"]),
        (["compare", "patch-2018", "zzz"], ["unknown run 'zzz'"]),
        (["claims", "zzz"], ["unknown run 'zzz'"]),
        (["report", "patch-2017"], ["unknown run 'patch-2017'", "did you mean patch-2018?"]),
        (["report"], ["no runs in results"]),
        (["run", "--resume", "zzz"], ["no unfinished run 'zzz' to resume"]),
        (["run", "--resume", "patch-2018"], ["no unfinished run 'patch-2018' to resume: it is finished"]),
    ],
)
def test_an_unknown_name(refused, arguments, words):
    line = refused(*arguments)
    for word in words:
        assert word in line


# ---- options that make no sense ----


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--nonsense"], ["no such option"]),
        (["run", "--nonsense"], ["no such option", "--nonsense"]),
        (["run", "--rouns", "6"], ["no such option", "--rounds"]),
        (["run", "--rounds"], ["--rounds", "requires an argument"]),
        (["run", "--rounds", "0"], ["--rounds", "0 is not in the range"]),
        (["run", "--rounds", "-3"], ["--rounds", "-3 is not in the range"]),
        (["run", "--rounds", "six"], ["--rounds", "'six' is not a valid integer"]),
        (["run", "--rounds", "6.5"], ["--rounds", "'6.5' is not a valid integer"]),
        (["run", "--rounds", "99999999"], ["--rounds", "not in the range"]),
        (["run", "--values", "0"], ["--values", "0 is not in the range"]),
        (["run", "--values", "-1"], ["--values", "-1 is not in the range"]),
        (["run", "--seed", "-1"], ["--seed", "-1 is not in the range"]),
        (["run", "--threads", "0"], ["--threads", "'0': expected counts from 1 to 4096"]),
        (["run", "--threads", "-1"], ["--threads", "'-1': expected counts"]),
        (["run", "--threads", ""], ["--threads", "'': expected counts"]),
        (["run", "--threads", "1,,2"], ["--threads", "expected counts"]),
        (["run", "--threads", "1,"], ["--threads", "expected counts"]),
        (["run", "--threads", "1;2"], ["--threads", "expected counts"]),
        (["run", "--threads", "1-4"], ["--threads", "expected counts"]),
        (["run", "--threads", "two"], ["--threads", "expected counts"]),
        (["run", "--threads", "4097"], ["--threads", "expected counts from 1 to 4096"]),
        (["run", "--threads", "\u00b2"], ["--threads", "expected counts"]),
        (["run", "--cpus", "99999"], ["CPU 99999 is not one we may use", "there are "]),
        (["run", "--cpus", "0,99999"], ["CPU 99999 is not one we may use"]),
        (["run", "--cpus", ""], ["bad CPU list ''"]),
        (["run", "--cpus", "0-"], ["bad CPU list '0-'"]),
        (["run", "--cpus", "-1"], ["bad CPU list '-1'"]),
        (["run", "--cpus", "first"], ["bad CPU list 'first'"]),
        (["run", "--registration", "systemd"], ["--registration", "'systemd' is not one of"]),
        (
            ["run", "--arch", FOREIGN, "--target", "native"],
            [f"{FOREIGN} code cannot run natively on {platform.machine()}"],
        ),
        (["list", "--arch", FOREIGN, "--target", "native"], [f"{FOREIGN} code cannot run natively"]),
        (["check", "--arch", FOREIGN, "--target", "native"], [f"{FOREIGN} code cannot run natively"]),
        (["check", "--disturbances", "0"], ["--disturbances", "0 is not in the range"]),
        (["check", "--disturbances", "-5"], ["--disturbances", "-5 is not in the range"]),
        (["list", "--format", "yaml"], ["--format", "'yaml' is not one of"]),
        (["compare"], ["missing argument 'A [B]"]),
        (["compare", "patch-2018"], ["'patch-2018' is given alone; give the labels of two runs"]),
        (["compare", "patch-2018", "patch-2018"], ["'patch-2018' is given twice"]),
        (["compare", "a", "b", "c"], ["unknown run 'a'"]),
        (["compare", "--fail-above", "-1", "a", "b"], ["--fail-above", "-1"]),
        (["claims", "a", "b"], ["unexpected extra argument"]),
        (["run", "--resume", "zzz", "--quick"], ["--resume takes no further options, and preset was given"]),
        (["run", "--resume", "zzz", "counter"], ["--resume takes no further options, and benchmarks was given"]),
        (["run", "--resume", "zzz", "--seed", "0"], ["--resume takes no further options, and seed was given"]),
    ],
)
def test_an_option_that_makes_no_sense(refused, arguments, words):
    line = refused(*arguments)
    for word in words:
        assert word in line


def test_a_command_line_that_click_refuses_says_where_help_is(refused):
    line = refused("run", "--rounds", "0")
    assert line.startswith("rseqbench: invalid value for '--rounds': 0 is not in the range")
    assert line.endswith("; rseqbench run --help says what there is")
    assert refused("--config-file") == (
        "rseqbench: option '--config-file' requires an argument; rseqbench --help says what there is"
    )


# ---- labels ----

LABELS = ["", "../x", "x" * 300, "x\n", "\x1b[31m"]  # tests/unit/store/test_runs.py has all


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize(
    "command", [("run", "--label"), ("run", "--resume"), ("claims",), ("report",), ("compare", "patch-2018")]
)
def test_no_label_leaves_the_results_folder(refused, command, label):
    assert "bad label '" in refused(*command, label)


def test_the_patch_s_own_label_is_taken(refused):
    assert "is the patch's own table" in refused("run", "--label", "patch-2018")
    assert "is the patch's own table" in refused("run", "--label", "patch-2018", "--force")


def test_a_label_with_a_nul_is_refused_too(folder):
    """No process can be given one, but a program may call us."""
    with pytest.raises(ResultsError, match="bad label"):
        Store(folder).load("x\0")


# ---- bench.toml ----


@pytest.mark.parametrize(
    "command", [["run"], ["list"], ["check"], ["claims"], ["report"], ["doctor"], ["compare", "a", "b"]]
)
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[run\n", ["bench.toml: not valid TOML"]),
        (
            "[run]\nthreads = [0]\n",
            ["bench.toml: run.threads: expected a list of whole numbers from 1 to 4096, found [0]"],
        ),
        ("[rum]\n", ["bench.toml: unknown key 'rum'", "did you mean run?"]),
        ("\0", ["bench.toml: not valid TOML"]),
    ],
)
def test_a_malformed_bench_toml(refused, folder, command, text, words):
    (folder / "bench.toml").write_text(text)
    line = refused(*command)
    for word in words:
        assert word in line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('arch = "m68k"', ["unknown arch 'm68k'"]),
        (f'arch = "{FOREIGN}"\ntarget = "native"', ["cannot run natively"]),
        ('target = "mars"', ["unknown target 'mars'"]),
        ('engine = "steam"', ["unknown engine 'steam'"]),
        ('preset = "quik"', ["unknown preset 'quik'", "did you mean quick"]),
        ('benchmarks = ["countr"]', ["unknown benchmark 'countr'", "counter"]),
        ('cpus = "99999"', ["CPU 99999 is not one we may use"]),
        (
            'registration = "systemd"',
            ["bench.toml: run.registration: expected one of auto, glibc, self, full, none, found 'systemd'"],
        ),
    ],
)
def test_a_bench_toml_that_names_what_is_not_there(refused, folder, text, words):
    (folder / "bench.toml").write_text(f"[run]\n{text}\n")
    line = refused("run")
    for word in words:
        assert word in line


@pytest.mark.parametrize("command", ["run", "doctor"])
def test_a_config_file_that_is_not_there(refused, command):
    assert "nowhere.toml: No such file or directory" in refused("--config-file", "nowhere.toml", command)


def test_a_config_file_that_is_a_folder(refused, folder):
    (folder / "d").mkdir()
    assert "d: Is a directory" in refused("--config-file", "d", "run")


# ---- runs that are damaged, and folders that cannot be written ----


@pytest.mark.parametrize("command", [["claims", "bad"], ["report", "bad"], ["compare", "patch-2018", "bad"]])
@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 99}'])
def test_a_damaged_run(refused, folder, command, text):
    (folder / "results" / "bad").mkdir(parents=True)
    (folder / "results" / "bad" / "run.json").write_text(text)
    assert "results/bad/run.json: " in refused(*command)


def test_a_foreign_pyperf_file(refused, folder):
    shutil.copytree(builtin_results() / "patch-2018", folder / "results" / "bad")
    raw = json.loads((folder / "results/bad/pyperf.json").read_text())
    for bench in raw["benchmarks"]:
        bench["metadata"] = {"name": bench["metadata"]["name"]}
    (folder / "results/bad/pyperf.json").write_text(json.dumps(raw))
    assert "results/bad: pyperf.json lacks 'arch'" in refused("claims", "bad")


def test_results_that_cannot_be_written(refused, folder):
    (folder / "results").write_text("a file in the way")
    assert "cannot write results/" in refused("run", "--quick", "--label", "x", "counter/plain")


def test_a_report_that_cannot_be_written(refused, folder):
    (folder / "reports").write_text("a file in the way")
    assert "cannot write reports/" in refused("report", "patch-2018")
    assert "cannot write reports/x.html" in refused("report", "patch-2018", "--output", "reports/x.html")


def test_no_compiler(refused, folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    (folder / "cache").mkdir()
    monkeypatch.setenv("PATH", "")
    line = refused("run")
    assert "no C compiler for" in line
    assert "apt-get install gcc" in line


def test_a_label_is_refused_before_anything_is_compiled(refused, folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setenv("PATH", "")
    assert "bad label" in refused("run", "--label", "../x")
    (folder / "results" / "x").mkdir(parents=True)
    assert "there is a run 'x' already" in refused("run", "--label", "x")


# ---- the same in processes of their own ----


@pytest.mark.parametrize(
    "arguments",
    [
        ["rum"],
        ["run", "countr"],
        ["run", "--rounds", "0"],
        ["compare", "patch-2018", "../x"],
        ["--config-file", "no", "list"],
    ],
)
def test_a_process_that_is_misused(tmp_path, arguments):
    done = rseqbench(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    the_line(done.stderr)
    assert tree(tmp_path) == {}


def test_whoever_stops_reading_hears_no_complaint(tmp_path):
    """As in `rseqbench list | head -1`."""
    read, write = os.pipe()
    os.close(read)
    try:
        command = [sys.executable, "-m", "rseqbench", "claims", "--format", "json"]
        done = subprocess.run(command, cwd=tmp_path, stdout=write, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(write)
    assert done.stderr == b""
