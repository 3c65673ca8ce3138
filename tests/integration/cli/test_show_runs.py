"""`rseqbench show` and `rseqbench runs`: what is stored, listed, shown, removed and renamed."""

import json
import os
import shutil

import pytest

from rseqbench.errors import ResultsError
from rseqbench.store import manage
from rseqbench.store.runs import Store
from rseqbench.support import atomic_io
from tests.support.commands import rseqbench, tree
from tests.support.simulated_runs import Simulation, store
from tests.support.terminals import in_a_terminal, screen


def runs(*arguments, cwd, code=0, **how):
    done = rseqbench("runs", *arguments, cwd=cwd, **how)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert code != 2 or done.stderr.count("\n") == 1
    return done


@pytest.fixture
def folder(tmp_path):
    """Return a folder with two finished runs, one that is not, and one that is damaged."""
    results = Store(tmp_path / "results")
    store(results, Simulation(label="late", rounds=8))
    emulated = Simulation(label="early", rounds=6, arch="arm32", timing="emulated", target="qemu-system", skips=())
    store(results, emulated)
    edit(tmp_path / "results/early", finished="2023-01-02T03:04:05+00:00")
    half = tmp_path / "results/.unfinished-half"
    (half / "rounds").mkdir(parents=True)
    shutil.copy(tmp_path / "results/late/run.json", half)
    edit(half, label="half", finished="", created="2025-01-01T00:00:00+00:00")
    for number in range(3):
        (half / f"rounds/{number:05}.json").write_text("{}")
    (tmp_path / "results/damaged").mkdir()
    (tmp_path / "results/damaged/run.json").write_text('{"schema": 1}')
    return tmp_path


def edit(run, **changes):
    path = run / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


# ---- runs ----


def test_every_run_is_listed_the_newest_last(folder):
    lines = runs(cwd=folder).stdout.splitlines()
    assert max(map(len, lines)) <= 100
    rows = {line.split()[0]: line for line in lines if line[:1].isalpha()}
    order = [name for name in rows if name in ("patch-2018", "early", "late", "half", "damaged")]
    assert order == ["patch-2018", "early", "late", "half", "damaged"]
    assert rows["early"].split() == (
        ["early", "2023-01-02", "03:04", "arm32,", "emulated", "6.1.0-18-amd64", "qemu-system", "complete", "6"]
    )
    assert rows["half"].split()[-4:] == ["unfinished", "3", "of", "8"]
    assert "Imagined Xeon" in rows["late"]
    assert "unreadable: damaged, or not written by rseqbench" in rows["damaged"]


def test_the_list_as_data(folder):
    found = json.loads(runs("--format", "json", cwd=folder).stdout)
    assert (found["kind"], found["schema"]) == ("runs", 1)
    rows = {row["label"]: row for row in found["runs"]}
    assert [row["state"] for row in rows.values()] == ["complete", "complete", "complete", "unfinished", "unreadable"]
    assert (rows["half"]["rounds"], rows["half"]["planned_rounds"], rows["half"]["complete"]) == (3, 8, False)
    assert rows["early"]["machines"] == [
        {
            "arch": "arm32",
            "cpu": "Imagined Xeon @ 2.40GHz",
            "linux": "6.1.0-18-amd64",
            "target": "qemu-system",
            "timing": "emulated",
        }
    ]
    assert rows["damaged"]["problem"].startswith("damaged")
    assert rows["damaged"]["rounds"] is None


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda run: (run / "run.json").unlink(), "there is no run.json in it"),
        (lambda run: (run / "run.json").write_bytes(b"\xff\xfe"), "run.json: 'utf-8' codec"),
        (lambda run: edit(run, schema=99), "schema 99"),
        (lambda run: (run / "run.json").write_text("[]"), "damaged"),
        (lambda run: ((run / "run.json").unlink(), (run / "run.json").mkdir()), "run.json: Is a directory"),
    ],
)
def test_a_run_that_cannot_be_read_is_a_row_and_no_end(folder, spoil, why):
    spoil(folder / "results/early")
    out = " ".join(runs(cwd=folder).stdout.split())
    assert f"early unreadable: {why}" in out or (why == "schema 99" and why in out)
    assert "late 2024-05-17 12:11" in out


def test_of_a_listed_run_only_its_header_is_read(folder):
    for name in ("pyperf.json", "table.csv"):
        for run in ("early", "late"):
            (folder / "results" / run / name).unlink()
            os.mkfifo(folder / "results" / run / name)  # whoever opened it would wait for ever
    assert "late" in runs(cwd=folder, timeout=60).stdout


def test_no_results_folder_is_no_error(tmp_path):
    assert "patch-2018" in runs(cwd=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def test_a_narrow_terminal_breaks_no_word_and_says_what_is_left_out(folder):
    code, text = in_a_terminal("runs", cwd=folder, columns=40)
    assert code == 0
    lines = screen(text, 40)
    assert max(map(len, lines)) <= 40
    assert "In 40 columns there is no room for" in lines[-2]
    assert ["half", "2025-01-01", "unfinished", "3", "of", "8"] in [line.split() for line in lines]


# ---- show ----


def test_the_last_run_is_shown_and_a_wrong_label_is_told(folder):
    os.utime(folder / "results/early/run.json", (1, 1))
    shutil.rmtree(folder / "results/damaged")
    last = rseqbench("show", cwd=folder)
    assert last.returncode == 0, last.stderr
    assert last.stdout == rseqbench("show", "late", cwd=folder).stdout
    assert last.stdout.splitlines()[-1].startswith("counter: rseq is 8.")
    assert "did you mean late?" in rseqbench("show", "lat", cwd=folder).stderr
    assert "rseqbench run --resume half" in rseqbench("show", "half", cwd=folder).stderr
    assert rseqbench("show", "../late", cwd=folder).returncode == 2


# ---- rm ----


def test_what_is_removed_is_gone_and_nothing_else(folder):
    before = tree(folder)
    done = runs("rm", "late", "half", "damaged", "late", "--yes", cwd=folder)
    assert done.stdout == ""
    assert done.stderr == "removed results/late\nremoved results/.unfinished-half\nremoved results/damaged\n"
    kept = {name: content for name, content in before.items() if name == "results" or name.startswith("results/early")}
    assert tree(folder) == kept


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        (["patch-2018"], "'patch-2018' is the patch's own table"),
        (["early", "nosuch"], "unknown run 'nosuch'"),
        (["../results/early"], "bad label"),
        (["."], "bad label"),
        ([".unfinished-half"], "bad label"),
        (["a" * 200], "bad label"),
    ],
)
def test_what_cannot_be_removed_is_told_before_anything_is(folder, labels, why):
    before = tree(folder)
    assert why in runs("rm", *labels, "--yes", cwd=folder, code=2).stderr
    assert tree(folder) == before


def test_nobody_is_asked_where_nobody_is(folder):
    before = tree(folder)
    assert "give --yes" in runs("rm", "late", cwd=folder, code=2).stderr
    assert tree(folder) == before


@pytest.mark.parametrize(("answer", "code", "there"), [("y\n", 0, False), ("n\n", 130, True), ("\n", 130, True)])
def test_on_a_terminal_it_asks(folder, answer, code, there):
    got, text = in_a_terminal("runs", "rm", "late", cwd=folder, typed=answer)
    assert got == code, text
    assert "Remove late (complete, 2024-05-17T12:11)? [y/N]" in text
    assert (folder / "results/late").is_dir() is there


def test_of_a_link_only_the_link_is_removed(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "run"
    shutil.move(folder / "results/late", elsewhere)
    (folder / "results/late").symlink_to(elsewhere)
    runs("rm", "late", "--yes", cwd=folder)
    assert not (folder / "results/late").is_symlink()
    assert (elsewhere / "run.json").is_file()


def test_what_runs_lists_runs_can_remove(folder):
    for name in ("na me", ".unfinished-na me", ".unfinished-", "-x"):
        (folder / "results" / name).mkdir()
        shutil.copy(folder / "results/late/run.json", folder / "results" / name)
    listed = [one["label"] for one in json.loads(runs("--format", "json", cwd=folder).stdout)["runs"]]
    assert sorted(listed) == ["damaged", "early", "half", "late", "patch-2018"]
    for label in listed:
        if label != "patch-2018":
            runs("rm", label, "--yes", cwd=folder)


def test_show_passes_over_what_cannot_be_read_and_says_so(folder):
    done = rseqbench("show", cwd=folder)
    assert done.returncode == 0
    assert done.stdout == rseqbench("show", "late", cwd=folder).stdout
    assert done.stderr.startswith("rseqbench: passed over: results/damaged/run.json: damaged")
    assert done.stderr.count("\n") == 1


# ---- rename ----


def test_a_renamed_run_has_its_name_everywhere_and_its_values_still(folder):
    before = tree(folder / "results/late")
    shown = rseqbench("show", "late", cwd=folder).stdout
    runs("rename", "late", "new.name", cwd=folder)
    after = tree(folder / "results/new.name")
    assert not (folder / "results/late").exists()
    assert after["pyperf.json"] == before["pyperf.json"]
    assert after["table.csv"] == before["table.csv"].replace(b"1,late,", b"1,new.name,")
    assert json.loads(after["run.json"]) == {**json.loads(before["run.json"]), "label": "new.name"}
    assert rseqbench("show", "new.name", cwd=folder).stdout == shown
    assert sorted(os.listdir(folder / "results")) == [".unfinished-half", "damaged", "early", "new.name"]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("late", "early", "there is a run 'early' already"),
        ("late", "damaged", "there is a run 'damaged' already"),
        ("late", "half", "there is a run 'half' already"),
        ("late", "late", "there is a run 'late' already"),
        ("late", "patch-2018", "there is a run 'patch-2018' already"),
        ("late", "../x", "bad label"),
        ("late", "", "bad label"),
        ("late", "-x", "no such option"),
        ("half", "x", "run 'half' is unfinished"),
        ("damaged", "x", "run 'damaged' cannot be read"),
        ("patch-2018", "x", "is the patch's own table"),
        ("nosuch", "x", "unknown run 'nosuch'"),
    ],
)
def test_what_cannot_be_renamed_stays(folder, old, new, why):
    before = tree(folder)
    done = rseqbench("runs", "rename", old, new, cwd=folder)
    assert done.returncode == 2
    assert why in done.stderr
    assert tree(folder) == before


def test_a_full_disk_leaves_the_old_run(folder, monkeypatch):
    def full(path, text):
        raise OSError(28, "No space left on device")

    before = tree(folder)
    monkeypatch.setattr(atomic_io, "write", full)
    with pytest.raises(ResultsError, match="No space left"):
        manage.rename(Store(folder / "results"), "late", "x")
    assert tree(folder) == before


@pytest.mark.parametrize("arguments", [["rm"], ["rename", "late"], ["bogus"], ["--format", "xml"], ["rename"]])
def test_nonsense_is_refused(folder, arguments):
    done = rseqbench("runs", *arguments, cwd=folder)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
