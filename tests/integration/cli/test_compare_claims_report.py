"""The commands that read stored runs, as a user calls them."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rseqbench.cli import group, report
from rseqbench.model import Skip
from rseqbench.store.runs import Store
from tests.support.commands import in_process
from tests.support.simulated_runs import COSTS, Simulation, store


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with three runs, the last of which has a counter/rseq that is 20% slower, another half as slow again."""
    place = tmp_path_factory.mktemp("project")
    results = Store(place / "results")
    store(results, Simulation(label="before", rounds=10))
    slower = {name: cost * (1.2 if name == "counter/rseq" else 1) for name, cost in COSTS.items()}
    more = {name: cost * (1.5 if name == "counter/rseq" else 1) for name, cost in COSTS.items()}
    store(results, Simulation(label="third", rounds=10, seed=8, costs=more))
    store(results, Simulation(label="after", rounds=10, seed=7, costs=slower, finished="2024-05-17T12:12:00+00:00"))
    return place


@pytest.fixture
def call(folder, monkeypatch, capsys):
    """Call the command line in that folder: exit code, standard output, standard error."""
    monkeypatch.chdir(folder)
    return in_process(monkeypatch, capsys)


def test_compare_prints_both_values_and_what_differs(call):
    code, out, err = call("compare", "before", "after")
    assert (code, err) == (0, "")
    line = next(line for line in out.splitlines() if line.startswith("counter/rseq "))
    assert "1.2" in line
    assert line.rstrip().endswith("slower")
    assert "Speed-ups inside each run" in out
    assert "mm_cid: Linux < 6.3" in out


@pytest.mark.parametrize(("limit", "code"), [("5", 1), ("30", 0)])
@pytest.mark.parametrize("style", ["table", "csv", "json", "markdown", "mail"])
def test_fail_above_names_the_row_on_standard_error(call, limit, code, style):
    got, out, err = call("compare", "before", "after", "--fail-above", limit, "--format", style)
    assert got == code
    assert out
    if code:
        assert err.startswith("rseqbench: counter/rseq is ")
        assert err.endswith(f"slower in after than in before, more than {limit}%\n")
        assert err.count("\n") == 1
    else:
        assert err == ""


def test_nothing_fails_when_the_slower_run_is_the_first(call):
    assert call("compare", "after", "before", "--fail-above", "0")[0] == 0


def test_compare_with_the_patch_works_with_the_same_code(call):
    code, out, _ = call("compare", "patch-2018", "before", "--format", "json")
    document = json.loads(out)
    rows = {(row["arch"], row["benchmark"]): row for row in document["benchmarks"]}
    assert code == 0
    assert rows["x86_64", "counter/rseq"]["a_value"] == pytest.approx(2.0)
    assert rows["x86_64", "counter/rseq"]["verdict"] == "not comparable"
    assert rows["arm32", "counter/rseq"]["verdict"] == "not measured"
    assert document["schema"] == 1


def test_compare_as_csv_is_one_table(call):
    rows = list(csv.DictReader(io.StringIO(call("compare", "before", "after", "--format", "csv")[1])))
    assert {row["kind"] for row in rows} == {"benchmark", "speedup", "skip", "fact", "limit"}
    assert {row["benchmark"] for row in rows if row["benchmark"]} == set(COSTS)


# ---- more than two runs ----


def test_further_runs_stand_side_by_side(call):
    code, out, err = call("compare", "before", "after", "third")
    assert (code, err) == (0, "")
    assert "after, third against before on x86_64, ns/op" in out
    line = next(line for line in out.splitlines() if line.startswith("counter/rseq "))
    assert line.split()[-1] == ">"
    assert len([word for word in line.split() if word in ("<", ">", "=", "~")]) == 2
    assert "> slower" in out


@pytest.mark.parametrize("style", ["table", "csv", "json", "markdown", "mail"])
def test_fail_above_takes_each_further_run(call, style):
    code, out, err = call("compare", "before", "after", "third", "--fail-above", "5", "--format", style)
    assert code == 1
    assert out
    assert "slower in after than in before" in err and "slower in third than in before" in err
    assert err.count("\n") == 1
    assert call("compare", "before", "after", "third", "--fail-above", "25", "--format", style)[0] == 1
    assert call("compare", "before", "after", "third", "--fail-above", "60", "--format", style)[0] == 0


def test_more_comparisons_are_a_list_and_two_runs_are_as_ever(call):
    two = json.loads(call("compare", "before", "after", "--format", "json")[1])
    more = json.loads(call("compare", "before", "after", "third", "--format", "json")[1])
    assert [(one["a"], one["b"]) for one in more["comparisons"]] == [("before", "after"), ("before", "third")]
    assert more["comparisons"][0]["benchmarks"] == two["benchmarks"]
    rows = list(csv.DictReader(io.StringIO(call("compare", "before", "after", "third", "--format", "csv")[1])))
    pairs = {(row["a"], row["b"]) for row in rows if row["kind"] not in ("fact", "limit")}
    assert pairs == {("before", "after"), ("before", "third")}


def test_report_of_several_is_a_page_of_what_they_differ_by(call, folder):
    code, out, err = call("report", "before", "after", "third")
    assert (code, out, err) == (0, "reports/after-and-third-against-before.html\n", "")
    path = folder / "reports" / "after-and-third-against-before.html"
    text = path.read_text(encoding="utf-8")
    path.unlink()
    assert "<h1>after, third against before, measured</h1>" in text
    assert "rseqbench report before after third" in text


@pytest.fixture
def series(tmp_path, monkeypatch):
    """Go to a folder with five runs, the last two of which have a counter/rseq that is 20% slower."""
    monkeypatch.chdir(tmp_path)
    results = Store(tmp_path / "results")
    for number in range(5):
        costs = {"cpu_id/baseline": 0.3, "counter/rseq": 0.6 * (1.2 if number > 2 else 1)}
        created = f"2024-05-0{number + 1}T00:00:00+00:00"
        store(results, Simulation(f"r{number}", costs, rounds=8, seed=number, skips=(), spread=0.001, created=created))
    return tmp_path


@pytest.mark.parametrize("arguments", [("r4", "r1", "r0", "r3", "r2"), ("--history",)])
def test_report_of_many_is_their_history_by_date(call, series, monkeypatch, arguments):
    monkeypatch.chdir(series)
    code, out, err = call("report", *arguments)
    assert (code, out, err) == (0, "reports/history-of-5-runs.html\n", "")
    text = (series / out.strip()).read_text(encoding="utf-8")
    assert re.search(r'scope="row"[^>]*>counter/rseq</th>\s*<td[^>]*>3 and 4</td>', text)
    assert "1 step beyond noise" in text
    assert "2 benchmarks in 5 runs, from r0 (2024-05-01" in text


def test_report_of_a_few_is_a_history_where_that_is_asked_for(call, series, monkeypatch):
    monkeypatch.chdir(series)
    assert call("report", "r0", "r1") == (0, "reports/r1-against-r0.html\n", "")
    assert call("report", "r0", "r1", "r2", "r3")[1] == "reports/r1-and-r2-and-r3-against-r0.html\n"
    assert call("report", "--history", "r3", "r1") == (0, "reports/history-of-2-runs.html\n", "")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (("r0",), "a history of 1 run;"),
        (("r0", "r1", "r0"), "'r0' is given twice"),
        (("r0", "no"), "unknown run 'no'"),
    ],
)
def test_a_history_of_what_is_not_there_is_one_line(call, series, monkeypatch, labels, said):
    monkeypatch.chdir(series)
    code, out, err = call("report", "--history", *labels)
    assert (code != 0, out, err.count("\n")) == (True, "", 1)
    assert said in err


def test_a_history_reads_of_each_run_its_header_and_table_once(call, series, monkeypatch):
    """The work of a page of a thousand runs: no raw value, nothing twice."""
    monkeypatch.chdir(series)
    read = []
    real = Path.open

    def opens(self, *arguments, **options):
        read.append(self)
        return real(self, *arguments, **options)

    for path in series.glob("results/*/pyperf.json"):
        path.write_text("not to be read")
    monkeypatch.setattr(Path, "open", opens)
    assert call("report", "--history")[0] == 0
    ours = sorted(path.as_posix() for path in read if "results/r" in path.as_posix())
    assert ours == sorted(f"results/r{number}/{name}" for number in range(5) for name in ("run.json", "table.csv"))


@pytest.mark.parametrize(("file", "text"), [("run.json", "not json"), ("table.csv", "schema,x\n1,2\n")])
def test_a_history_of_all_leaves_out_what_cannot_be_read_and_says_so(call, series, monkeypatch, file, text):
    monkeypatch.chdir(series)
    (series / "results" / "r2" / file).write_text(text)
    code, out, err = call("report", "--history")
    assert (code, out, err) == (0, "reports/history-of-4-runs.html\n", "")
    page = (series / out.strip()).read_text(encoding="utf-8")
    assert f"Left out, as it cannot be read: results/r2/{file}: damaged" in page
    code, out, err = call("report", "--history", "r1", "r2")
    assert (code, out, err.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("style", ["html", "mail"])
def test_a_dash_is_standard_output(call, folder, style):
    before = sorted(folder.rglob("*"))
    code, out, err = call("report", "before", "--format", style, "--output", "-")
    assert (code, err) == (0, "")
    assert out.lower().startswith("<!doctype html>" if style == "html" else "run: ")
    assert sorted(folder.rglob("*")) == before


def test_a_history_of_nothing_says_how_to_begin(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call("report", "--history") == (2, "", "rseqbench: no runs in results; rseqbench run\n")


def test_help_takes_the_number_of_a_history_from_where_it_is(call):
    out = " ".join(call("report", "--help")[1].split())
    assert f"A page of {report.HISTORY} or more is their history" in out
    assert "The other formats have no history" in out


@pytest.mark.parametrize("command", ["compare", "report"])
def test_a_damaged_size_is_one_line(call, folder, command):
    beside = folder / "results" / "before" / "sizes.json"
    beside.write_text('{"text": "x"}')
    try:
        code, out, err = call(command, "before", "after")
    finally:
        beside.unlink()
    assert (code, out) == (2, "")
    assert "sizes.json: damaged" in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("compare", "before", "after", "after"), "'after' is given twice"),
        (("compare", "before"), "'before' is given alone"),
        (("compare", "before", "befor"), "did you mean before?"),
        (("compare", "before", "before"), "is given twice"),
        (("compare", "../x", "before"), "bad label '../x'"),
        (("claims", "x" * 300), "bad label"),
        (("claims", "nosuch"), "unknown run 'nosuch'"),
        (("report", "nosuch"), "unknown run 'nosuch'"),
        (("report", "/etc/passwd"), "bad label"),
        (("report", "before", "after", "--history", "--format", "mail"), "a history is a page, and nothing in mail"),
        (("report", "before", "--output", "results/before/run.json/x.html"), "cannot write"),
        (("report", "before", "--output", "new/x.html"), "there is no folder new; make it first"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(call, folder, arguments, words):
    before = sorted(folder.rglob("*"))
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.count("\n") == 1
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments", [("compare",), ("compare", "a", "b", "--fail-above", "-1"), ("claims", "--format", "x")]
)
def test_misuse_is_exit_code_2(call, arguments):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("rseqbench: ") and err.count("\n") == 1


def test_claims_in_every_format_name_every_claim(call):
    ids = {row["claim"] for row in json.loads(call("claims", "before", "--format", "json")[1])["claims"]}
    assert len(ids) == 43
    assert {row["claim"] for row in csv.DictReader(io.StringIO(call("claims", "--format", "csv")[1]))} == ids
    for style in ("table", "markdown"):
        for label in ((), ("before",)):
            out = call("claims", *label, "--format", style)[1]
            assert all(one in out for one in ids)


def test_report_takes_the_last_run_and_prints_where_it_wrote(call, folder):
    code, out, err = call("report")
    assert (code, out, err) == (0, "reports/after.html\n", "")
    text = (folder / "reports" / "after.html").read_text(encoding="utf-8")
    assert "run <b>after</b>" in text
    assert [path.name for path in (folder / "reports").iterdir()] == ["after.html"]


@pytest.mark.parametrize("label", ["before", "patch-2018"])
def test_report_of_a_label_goes_where_it_is_told(call, tmp_path, label):
    path = tmp_path / "page.html"
    code, out, _ = call("report", label, "--output", str(path))
    assert (code, out) == (0, f"{path}\n")
    assert f"<title>rseqbench: {label}</title>" in path.read_text(encoding="utf-8")


def test_report_without_runs_says_how_to_get_one(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = call("report")
    assert code == 2
    assert "rseqbench run" in err


@pytest.mark.parametrize("name", ["compare", "claims", "report"])
def test_help_explains_the_arguments(name):
    command = group.get_command(None, name)
    assert command.help
    assert all(option.help for option in command.params if option.name in ("output", "fail_above"))


# ---- the formats of report and compare ----

TEXT = ["mail", "markdown", "json", "csv"]


@pytest.mark.parametrize("style", TEXT)
@pytest.mark.parametrize("labels", [("before",), ("before", "after"), ("before", "after", "third"), ("patch-2018",)])
def test_report_says_in_every_format_and_writes_the_same_to_a_file(call, tmp_path, style, labels):
    code, out, err = call("report", *labels, "--format", style)
    assert (code, err) == (0, "")
    assert labels[0] in out
    path = tmp_path / "it"
    code, said, err = call("report", *labels, "--format", style, "--output", str(path))
    assert (code, said, err) == (0, f"{path}\n", "")
    assert path.read_text(encoding="utf-8") == out
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("style", TEXT)
def test_compare_and_report_say_the_same(call, style):
    assert call("compare", "before", "after", "--format", style) == call("report", "before", "after", "--format", style)


@pytest.mark.parametrize("style", TEXT)
def test_report_without_a_label_is_about_the_last_run(call, style):
    assert call("report", "--format", style) == call("report", "after", "--format", style)


@pytest.mark.parametrize("style", TEXT)
def test_a_file_that_cannot_be_written_is_one_line(call, folder, style):
    code, out, err = call("report", "before", "--format", style, "--output", "results/before/run.json/x")
    assert (code, out) == (2, "")
    assert "cannot write" in err and err.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_text_is_utf_8_in_every_locale(tmp_path, encoding):
    store(Store(tmp_path / "results"), Simulation(rounds=2, facts={"cpu": "K\u00f6lsch\u00ae \u05d0"}))
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": encoding}
    arguments = [sys.executable, "-m", "rseqbench", "report", "--format", "json"]
    done = subprocess.run(arguments, cwd=tmp_path, env=env, capture_output=True, check=True)
    document = json.loads(done.stdout.decode("utf-8"))
    assert document["header"]["machines"][0]["facts"]["cpu"] == "K\u00f6lsch\u00ae \u05d0"


def test_a_page_about_many_long_labels_has_a_name_that_a_filesystem_takes(call, folder):
    results = Store(folder / "results")
    labels = [letter * 100 for letter in "abc"]
    for label in labels:
        shutil.copytree(folder / "results" / "before", results.root / label)
    try:
        code, out, err = call("report", *labels)
        assert (code, err) == (0, "")
        path = folder / out.strip()
        assert path.is_file() and len(path.name) <= 255
        path.unlink()
    finally:
        for label in labels:
            shutil.rmtree(results.root / label)


# ---- runs that say nothing, or cannot be read ----


@pytest.fixture
def odd(tmp_path, monkeypatch, capsys):
    """Call the command line in a folder with two runs without a value, one without facts, and one that is too new."""
    results = Store(tmp_path / "results")
    store(results, Simulation(label="empty", rounds=2, costs={}, skips=()))
    skips = tuple(Skip(name, 1, "no rseq here") for name in COSTS)
    store(results, Simulation(label="skipped", rounds=2, skips=skips))
    store(results, Simulation(label="unknown", rounds=8, facts={}))
    newer = store(results, Simulation(label="newer", rounds=2)).folder / "run.json"
    newer.write_text(json.dumps({**json.loads(newer.read_text()), "schema": 99, "plan": "of another kind"}))
    monkeypatch.chdir(tmp_path)
    return in_process(monkeypatch, capsys)


@pytest.mark.parametrize("style", ["html", *TEXT])
def test_odd_runs_are_reported_without_a_fault(odd, tmp_path, style):
    expected = {"empty": "no benchmark was selected", "skipped": "skipped: ", "unknown": "unknown"}
    for label, words in expected.items():
        code, out, err = odd("report", label, "--format", style)
        assert (code, err) == (0, "")
        text = (tmp_path / out.strip()).read_text() if style == "html" else out
        assert words in " ".join(text.split())
    code, out, err = odd("report", "newer", "--format", style)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "written in schema 99, this rseqbench reads 1; update it" in err


@pytest.mark.parametrize("style", ["table", *TEXT])
def test_runs_without_a_value_are_compared_in_one_line(odd, style):
    code, out, err = odd("compare", "empty", "empty2", "--format", style)
    assert code == 2 and "unknown run" in err
    code, out, err = odd("compare", "empty", "skipped", "--format", style)
    assert (code, err) == (0, "")
    assert "Nothing to compare: no run has a value." in out or "nothing to compare" in out


def test_a_copy_of_a_run_is_another_run(call, folder):
    copy = folder / "results" / "copy"
    shutil.copytree(folder / "results" / "before", copy)
    try:
        code, out, err = call("compare", "before", "copy", "--format", "json")
        document = json.loads(out)
        assert (code, err, document["a"], document["b"]) == (0, "", "before", "copy")
        ratios = {row["ratio"] for row in document["benchmarks"] if row["ratio"] is not None}
        assert ratios == {1.0}
    finally:
        shutil.rmtree(copy)


@pytest.mark.parametrize("name", ["my run", "<img src=x>", "-x", "\u05d0", "a\nb", "x" * 200])
def test_a_folder_whose_name_is_no_label_is_no_run(call, folder, name):
    other = folder / "results" / name
    shutil.copytree(folder / "results" / "before", other)
    try:
        os.utime(other / "run.json", (2e9, 2e9))
        assert call("report", "--format", "csv")[1].splitlines()[1].split(",")[2] == "after"
        code, out, err = call("report", "--format", "csv", "--", name)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "bad label" in err
    finally:
        shutil.rmtree(other)
