"""Completion in the shells themselves: what is typed before Tab, and which words rseqbench is called with."""

import json
import os
import shutil
import sys

import pytest

from rseqbench.selection import LIBRARIES
from tests.support.commands import HEAVY, rseqbench, tree
from tests.support.shells import STARTS, Shell

ODD = ("a b", "$(touch owned)", "`touch owned`", "<b>", "zz*", "zz;touch owned", "-x")


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """Have the kernels compiled, and return the names of all that `list` shows."""
    done = rseqbench("list", "--format", "json", cwd=tmp_path_factory.mktemp("list"))
    assert done.returncode == 0, done.stderr
    return [benchmark["name"] for benchmark in json.loads(done.stdout)]


@pytest.fixture
def folder(tmp_path):
    """Return a folder with runs, of which some have names that a shell would obey."""
    for label in ("my-laptop", "x@y", "x@z", *ODD):
        (tmp_path / "results" / label).mkdir(parents=True)
        (tmp_path / "results" / label / "run.json").write_text("{}")
    (tmp_path / "results" / ".unfinished-half").mkdir()
    return tmp_path


@pytest.fixture(params=STARTS)
def shell(request, folder):
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param} here: apt-get install {request.param}")
    opened = Shell(request.param, folder, {})
    yield opened
    opened.close()


def test_words_are_completed(names, shell):
    assert "counter/rseq_atomic" in names
    assert shell.words("rseqbench run --res\tha\t")[-2:] == ["--resume", "half"]
    assert shell.words("rseqbench check counter/rseq_a\tcpu_id/gs\t") == ["check", "counter/rseq_atomic", "cpu_id/gs"]
    assert shell.words("rseqbench compare my\tpat\t") == ["compare", "my-laptop", "patch-2018"]
    assert shell.words("rseqbench run --target qemu-k\t--arch x8\t")[1:] == ["--target", "qemu-kvm", "--arch", "x86_64"]
    assert shell.words("rseqbench run --config lap\t--preset ri\t")[2::2] == ["laptop", "rigorous"]
    assert shell.words("rseqbench linux build config-y-f\t") == ["linux", "build", "config-y-full"]


def test_words_that_shells_break_are_completed_whole(shell):
    assert shell.words("rseqbench run --target=qemu-k\t") == ["run", "--target=qemu-kvm"]
    assert shell.words("true && rseqbench claims x@z\t") == ["claims", "x@z"]
    assert shell.words("rseqbench compare x@\ty\tmy\t")[-1] == "my-laptop"


def test_labels_that_a_shell_would_obey_are_not_offered(shell, folder):
    assert shell.words("rseqbench claims a\t") == ["claims", "a"]
    assert shell.words("rseqbench claims z\t") == ["claims", "z"]
    assert shell.words("rseqbench claims \t")[0] == "claims"
    assert not (folder / "owned").exists()


def test_what_is_wrong_is_not_said_while_somebody_types(shell, folder):
    (folder / "bench.toml").write_text("[run\n")
    before = shell.screen
    assert shell.words("rseqbench claims my\t") == ["claims", "my"]
    assert shell.words("rseqbench bogus \t") == ["bogus"]
    assert "rseqbench:" not in shell.screen[len(before) :]
    assert "Traceback" not in shell.screen


def completions(*words, cwd, program=None):
    """Ask as fish does for what the last of the words can be completed to; return the words offered."""
    env = {"_RSEQBENCH_COMPLETE": "fish_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": words[-1]}
    done = rseqbench(cwd=cwd, env=env, **({"program": program} if program else {}))
    assert done.stderr == ""
    return [line.partition("\t")[0].removeprefix("plain,") for line in done.stdout.splitlines()]


def test_every_benchmark_is_offered(names, tmp_path):
    offered = completions("rseqbench", "run", "", cwd=tmp_path)
    shipped = {word for word in offered if word.partition("/")[0] in LIBRARIES}
    assert {"lttng", "lttng/rseq", "urcu", "urcu/memb_inline"} <= shipped
    assert {word for word in offered if "/" in word} - shipped == {*names, "hackbench/processes"}
    assert {"all", "counter", "cpu_id", "rcu"} <= set(offered)


def test_every_suite_is_offered(tmp_path):
    assert set(completions("rseqbench", "run", "--suite", "", cwd=tmp_path)) == {"all", "kernels", *LIBRARIES}


def test_nothing_is_compiled_to_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    offered = completions("rseqbench", "run", "c", cwd=tmp_path)
    assert set(offered) == {"counter", "cpu_id", "control"}
    assert tree(tmp_path) == {}


@pytest.mark.parametrize(
    "words", [("ru",), ("run", "c"), ("compare", ""), ("run", "--target", ""), ("run", "--config", "")]
)
def test_completing_loads_nothing_heavy(names, tmp_path, words):
    code = "import atexit, sys; atexit.register(lambda: open('loaded', 'w').write('\\n'.join(sys.modules)))"
    program = (sys.executable, "-c", f"{code}\nfrom rseqbench.cli import main\nmain()")
    assert completions("rseqbench", *words, cwd=tmp_path, program=program)
    loaded = set((tmp_path / "loaded").read_text().split())
    assert "rseqbench.cli.completion" in loaded
    assert not loaded & (HEAVY - {"pyperf"}), "runs and targets need pyperf's own small modules"


def test_a_word_is_not_offered_twice(folder):
    assert "my-laptop" in completions("rseqbench", "compare", "x@y", "", cwd=folder)
    assert "x@y" not in completions("rseqbench", "compare", "x@y", "", cwd=folder)


@pytest.mark.parametrize("shell_name", STARTS)
def test_the_script_says_how_to_install_it(shell_name, tmp_path):
    done = rseqbench("completion", shell_name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"rseqbench completion {shell_name}" in done.stdout.splitlines()[-1]


def test_an_unknown_shell_is_misuse(tmp_path):
    done = rseqbench("completion", "tcsh", cwd=tmp_path)
    assert done.returncode == 2
    assert "'tcsh' is not one of" in done.stderr
    assert os.listdir(tmp_path) == []
