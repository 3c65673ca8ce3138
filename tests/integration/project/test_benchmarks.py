"""benchmarks/: the pure parts of its scripts, the load that they make, and that each of them explains itself."""

import importlib
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rseqbench.host import facts
from rseqbench.model import Estimate

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
SCRIPTS = [path for path in sorted(FOLDER.glob("*.py")) if "__main__" in path.read_text(encoding="utf-8")]


@pytest.fixture
def load_script(monkeypatch):
    """Return a function that imports a module of benchmarks/, which import one another by plain names."""
    monkeypatch.syspath_prepend(str(FOLDER))
    return importlib.import_module


def _module(name):
    @pytest.fixture(name=name)
    def fixture(load_script):
        return load_script(name)

    return fixture


common, engine_alarms, engine_load = map(_module, ("common", "engine_alarms", "engine_load"))
tools, tool_speed = map(_module, ("tools", "tool_speed"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_script_answers_help(script):
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: {script.name}")


def test_every_script_is_in_the_readme():
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [script.name for script in SCRIPTS if f"`{script.name}`" not in text] == []
    assert len(SCRIPTS) >= 5


class TestCommon:
    def test_deviation_has_a_sign(self, common):
        assert common.deviation(0.5, 2.0) == pytest.approx(-75.0)

    def test_half_width_is_in_percent_of_the_value(self, common):
        assert common.half_width(2.0, 1.9, 2.1) == pytest.approx(5.0)
        assert common.half_width(2.0, None, None) is None

    @pytest.mark.parametrize(
        ("figure", "target", "at_least", "expected"),
        [
            (0.3, 0.3, False, "pass"),
            (0.31, 0.3, False, "FAIL"),
            (95.0, 95.0, True, "pass"),
            (94.9, 95.0, True, "FAIL"),
            (None, 95.0, True, "no figure"),
            (None, 0.3, False, "no figure"),
        ],
    )
    def test_words(self, common, figure, target, at_least, expected):
        assert common.word(figure, target, at_least) == expected

    def test_the_worst_of_a_list_with_a_hole_is_not_known(self, common):
        assert common.worst([0.1, -0.4, 0.2]) == 0.4
        assert common.worst([0.1, None]) is None
        assert common.worst([]) is None

    def test_table(self, common):
        assert common.table(("what", "n"), [("a", "100"), ("longer", "")]).splitlines() == [
            "what      n",
            "------  ---",
            "a       100",
            "longer",
        ]

    def test_figures(self, common):
        shown = common.figures([("deviation", 0.25, 0.3, "%", False), ("power", None, 95.0, "%", True)]).splitlines()
        assert shown[2].split() == ["deviation", "0.25", "<=", "0.3", "%", "pass"]
        assert shown[3].split() == ["power", "-", ">=", "95", "%", "no", "figure"]

    def test_the_environment_names_tools_that_are_not_there(self, common):
        lines = common.environment({"nothing": ("rseqbench-no-such-tool", "--version")})
        assert next(line for line in lines if line.startswith("nothing ")).endswith("not installed")
        assert any(line.startswith("linux ") for line in lines)


def soon(condition):
    """Wait a little until something is so; return whether it came to be."""
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def runs(pid):
    """Whether a process is there and not only waits to be buried."""
    stat = facts.read_text(facts.ROOT, f"proc/{pid}/stat")
    return stat is not None and stat.rpartition(")")[2].split()[0] != "Z"


class TestLoad:
    """With something else under the name of stress-ng, so that nothing is really loaded."""

    @pytest.fixture
    def stress_ng(self, common, monkeypatch, tmp_path):
        monkeypatch.setattr(common, "_SETTLE_S", 0.3)
        monkeypatch.setattr(common, "busy_cpus", lambda: 2.0)

        def install(script):
            (tmp_path / "stress-ng").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
            (tmp_path / "stress-ng").chmod(0o755)
            monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
            return tmp_path

        return install

    def test_none_starts_nothing(self, common, stress_ng):
        folder = stress_ng("touch started")
        with common.load("none") as words:
            assert words.startswith("none: ")
        assert not (folder / "started").exists()

    def test_it_ends_with_the_block_and_so_does_what_it_started(self, common, stress_ng):
        folder = stress_ng("sleep 300 & echo $! > $0.part; mv $0.part $0.child; wait")
        with common.load("L2") as words:
            assert "--cpu 2" in words
            assert soon((folder / "stress-ng.child").exists)
            child = int((folder / "stress-ng.child").read_text(encoding="utf-8"))
            assert runs(child)
        assert soon(lambda: not runs(child))

    def test_one_that_ends_is_an_error(self, common, stress_ng, monkeypatch):
        monkeypatch.setattr(common, "_SETTLE_S", 2.0)
        stress_ng("exit 3")
        with pytest.raises(common.LoadError, match="ended at once with 3"), common.load("L4"):
            pytest.fail("measured without its load")

    def test_one_that_ends_early_is_an_error(self, common, stress_ng):
        folder = stress_ng("echo $$ > $0.part; mv $0.part $0.pid; exec sleep 300")
        with pytest.raises(common.LoadError, match="before the measurement did"), common.load("L2"):
            assert soon((folder / "stress-ng.pid").exists)
            pid = int((folder / "stress-ng.pid").read_text(encoding="utf-8"))
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def test_one_that_does_no_work_is_an_error(self, common, stress_ng, monkeypatch):
        stress_ng("exec sleep 300")
        monkeypatch.setattr(common, "busy_cpus", lambda: 0.1)
        monkeypatch.setattr(os, "cpu_count", lambda: 2)
        with pytest.raises(common.LoadError, match=r"only 0\.10 CPUs are busy"), common.load("L2"):
            pytest.fail("measured without its load")

    def test_none_installed_is_an_error(self, common, monkeypatch, tmp_path):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(common.LoadError, match="apt-get install stress-ng"), common.load("L2"):
            pytest.fail("measured without its load")


class TestEngineLoad:
    def line(self, module, quiet, loaded, syscall=False):
        found = {"none": quiet, "L2": loaded}
        return module.Line("a / b", syscall, found)

    def test_a_ratio_is_held_against_itself_without_load(self, engine_load):
        line = self.line(engine_load, Estimate(2.0, 1.99, 2.01, 20, 0.95), Estimate(2.002, 2.0, 2.004, 20, 0.95))
        assert line.off("L2") == pytest.approx(0.1)
        assert line.half("none") == pytest.approx(0.5)
        assert line.off("L4") is None

    def test_summary(self, engine_load):
        lines = [
            self.line(engine_load, Estimate(2.0, 1.999, 2.001, 20, 0.95), Estimate(2.002, 1.98, 2.02, 20, 0.95)),
            self.line(engine_load, Estimate(3.0, 2.999, 3.001, 20, 0.95), None, syscall=True),
        ]
        shown = engine_load.summary(lines, ["none", "L2"], {"none": 12.0}).splitlines()[2:]
        words = [line.split("  ")[-1].strip() for line in shown]
        assert words == ["pass", "no figure", "pass", "pass", "no figure", "no figure"]

    def test_all_ratios_of_this_machine_are_known_by_name(self, engine_load):
        names = ["counter/rseq", "counter/plain", "counter/getcpu_atomic", "cpu_id/baseline", "rcu/rseq"]
        plain = [(pair.slow, pair.fast) for pair in engine_load.pairs("x86_64", names, every=False)]
        every = [(pair.slow, pair.fast) for pair in engine_load.pairs("x86_64", names, every=True)]
        assert plain == [("counter/getcpu_atomic", "counter/rseq"), ("counter/rseq", "counter/plain")]
        assert set(every) - set(plain) == {("counter/plain", "cpu_id/baseline"), ("rcu/rseq", "cpu_id/baseline")}


class TestEngineAlarms:
    @pytest.mark.parametrize(("total", "size", "stride"), [(60, 15, 4), (47, 6, 3), (15, 15, 9), (14, 15, 1)])
    def test_no_round_is_dealt_twice(self, load_script, total, size, stride):
        groups = load_script("engine_alarms").deal(total, size, stride)
        dealt = [number for group in groups for number in group]
        assert len(set(dealt)) == len(dealt)
        assert all(0 <= number < total for number in dealt)
        assert len(groups) == total // size
        assert {len(group) for group in groups} <= {size}

    def test_a_stride_lies_between_the_rounds_of_a_group(self, load_script):
        deal = load_script("engine_alarms").deal
        assert deal(12, 3, 2) == [[0, 2, 4], [1, 3, 5], [6, 8, 10], [7, 9, 11]]
        assert deal(6, 3, 1) == [[0, 1, 2], [3, 4, 5]]

    def test_equal_values_raise_no_alarm(self, engine_alarms):
        values = {i: 1.0 + (-1) ** i * 0.001 for i in range(30)}
        quiet = engine_alarms.tally("same", values, values, engine_alarms.deal(30, 15, 1), 1.0, 0.005)
        assert (quiet.alarms, quiet.covered, quiet.half) == (0, 2, 0)

    def test_a_slowed_kernel_is_found_and_one_below_the_floor_only_alarms(self, engine_alarms):
        base, groups = {i: 1.0 for i in range(30)}, engine_alarms.deal(30, 15, 1)
        slowed = engine_alarms.tally("1%", {i: 1.01 for i in range(30)}, base, groups, 1.01, 0.005)
        assert (slowed.of, slowed.alarms, slowed.beyond) == (2, 2, 2)
        below = engine_alarms.tally("0.1%", {i: 1.001 for i in range(30)}, base, groups, 1.0, 0.005)
        assert (below.alarms, below.beyond, below.covered) == (2, 0, 0)
        assert (below.alarm_share, below.found_share) == (100, 0)

    def test_groups_without_enough_rounds_are_no_comparisons(self, engine_alarms):
        found = engine_alarms.tally("void", {0: 1.0, 1: 1.0}, {0: 1.0}, engine_alarms.deal(30, 15, 1), 1.0, 0.005)
        assert (found.of, found.alarm_share, found.half) == (0, None, None)
        assert "no figure" in engine_alarms.summary(found, [found])

    def test_interval_of_a_share(self, load_script):
        interval = load_script("engine_alarms").share_interval
        low, high = interval(0, 300)  # Wilson 1927: z^2 / (n + z^2)
        assert low == pytest.approx(0)
        assert high == pytest.approx(100 * 1.96**2 / (300 + 1.96**2), rel=1e-3)
        assert interval(0, 0) == (0, 100)

    def test_slowed_kernels_are_a_copy_that_vanishes(self, load_script, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", "/before")
        monkeypatch.delenv("RSEQBENCH_KERNELS", raising=False)
        with load_script("engine_alarms").slowed_kernels():
            copy = Path(os.environ["RSEQBENCH_KERNELS"])
            assert {"slowed.c", "counter.c"} <= {path.name for path in (copy / "src").iterdir()}
        assert not copy.exists()
        assert os.environ["XDG_CACHE_HOME"] == "/before"
        assert "RSEQBENCH_KERNELS" not in os.environ


class TestEnginePeers:
    def test_ratio_of_means(self, tools):
        found = tools.of_means(tools.Sample(4.0, 0.4, 100), tools.Sample(2.0, 0.0, 100))
        assert found.value == 2
        assert found.high == pytest.approx(2 * math.exp(1.96 * 0.01))
        assert found.low * found.high == pytest.approx(4)

    def test_google_json(self, tools):
        repeated = [{"run_type": "iteration", "run_name": "a/b", "cpu_time": t} for t in (1.0, 3.0)]
        raw = {"benchmarks": [*repeated, {"run_type": "aggregate", "run_name": "a/b", "cpu_time": 99.0}]}
        assert tools.google_samples(raw) == {"a/b": tools.Sample(2.0, pytest.approx(math.sqrt(2)), 2)}
        with pytest.raises(tools.ToolError, match="a/b: no such kernel"):
            tools.google_samples(
                {"benchmarks": [{"name": "a/b", "error_occurred": True, "error_message": "no such kernel"}]}
            )

    def test_a_tool_that_is_not_there_is_a_row(self, load_script, monkeypatch, tmp_path):
        module = load_script("engine_peers")
        monkeypatch.setenv("PATH", str(tmp_path))
        attempt = module._attempt("hyperfine", "none", None, 1.0)
        assert attempt.failure == "not installed (apt-get install hyperfine)"
        assert "not installed" in module.details([attempt], module.SAME, 1.0)
        assert module.summary([attempt], {}).splitlines()[-1].split()[:3] == ["hyperfine", "none", "0"]

    def test_summary_counts_equal_code_apart(self, load_script):
        module = load_script("engine_peers")
        pair = module.PAIRS[0]
        ratios = {pair: module.Ratio(2.02, 2.0, 2.04), module.SAME: module.Ratio(1.1, 1.05, 1.15)}
        shown = module.summary([module.Attempt("x", "L2", 3.0, ratios)], {pair: 2.0, module.SAME: 1.0})
        assert " ".join(shown.splitlines()[-1].split()) == "x L2 2 1.00 1.00 2.77 10.00 1 of 1 3.0"


class TestToolSpeed:
    def test_a_grown_run_has_every_round_once(self, tool_speed):
        runs = [{"metadata": {"round": i}, "values": [1.0, 2.0]} for i in range(3)]
        made, count = tool_speed.grown({"version": "1.0", "benchmarks": [{"runs": runs}]}, 8, seed=1)
        assert count == 1
        assert [run["metadata"]["round"] for run in made["benchmarks"][0]["runs"]] == list(range(8))
        assert runs[0] == {"metadata": {"round": 0}, "values": [1.0, 2.0]}

    def test_only_calls_that_make_a_file_are_compilations(self, tool_speed, tmp_path):
        wrapper, log = tool_speed.counting_compiler(tmp_path)
        subprocess.run([wrapper, "--version"], check=True, capture_output=True)
        assert not log.exists()
        (tmp_path / "a.c").write_text("int a;\n", encoding="utf-8")
        subprocess.run([wrapper, "-c", "-o", tmp_path / "a.o", tmp_path / "a.c"], check=True)
        assert len(log.read_text(encoding="utf-8").splitlines()) == 1

    def test_a_command_that_fails_has_no_speed(self, tool_speed, tmp_path):
        with pytest.raises(tool_speed.SpeedError, match="out of words"):
            tool_speed.timed([sys.executable, "-c", "raise SystemExit('out of words')"], tmp_path)
