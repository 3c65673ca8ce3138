"""rseqbench/config.py: what a bench.toml may hold, what it must not, and who wins over whom."""

import tomllib

import pytest

from rseqbench import config, errors, paths
from rseqbench.errors import ConfigError, UsageError

DEFAULT = tomllib.loads(paths.default_config().read_text(encoding="utf-8"))


@pytest.fixture
def load(tmp_path):
    """Return a function that loads a bench.toml with the given content."""

    def write(text):
        path = tmp_path / "mine.toml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return config.load(path)

    return write


def refused(load, text):
    """Return the one line with which a bench.toml is refused."""
    with pytest.raises(ConfigError) as caught:
        load(text)
    line = str(caught.value)
    assert "\n" not in line
    assert "mine.toml: " in line
    return line


# ---- the built-in one, and a user's laid over it ----


def test_the_built_in_one_is_what_is_written_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = config.load()
    assert found.source == paths.default_config()
    assert found.paths == config.Paths(**DEFAULT["paths"])
    assert found.run == config.RequestedOptions(**DEFAULT["run"])
    assert found.presets["quick"] == config.Preset(**DEFAULT["presets"]["quick"])
    assert found.linux == config.LinuxOptions(**DEFAULT["linux"])
    assert set(found.presets) == {"quick", "boot", "default", "rigorous"}
    assert found.check == config.CheckOptions(**DEFAULT["check"])
    assert found.verdict == config.VerdictRules(**DEFAULT["verdict"])
    assert found.configurations == DEFAULT["configurations"]


def test_every_preset_has_enough_rounds_for_an_interval(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    presets = config.load().presets
    assert presets.pop("boot").rounds % 2 == 0  # A B B A: of these, boots are the unit
    assert min(preset.rounds for preset in presets.values()) >= 6


def test_the_current_folder_s_takes_its_place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text('[run]\npreset = "quick"\n')
    assert config.load().run.preset == "quick"
    assert str(config.load().source) == "bench.toml"


def test_the_one_that_is_named_wins_over_the_current_folder_s(tmp_path, monkeypatch, load):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").write_text('[run]\npreset = "quick"\n')
    assert load('[run]\npreset = "rigorous"\n').run.preset == "rigorous"


def test_what_is_left_out_keeps_its_default(load):
    found = load("[verdict]\nfloor = 0.02\n[check]\nthreads_per_cpu = 8\n")
    assert found.verdict.floor == 0.02
    assert found.verdict.reach == DEFAULT["verdict"]["reach"]
    assert found.check.threads_per_cpu == 8
    assert found.check.timeout_s == DEFAULT["check"]["timeout_s"]
    assert found.run == config.RequestedOptions(**DEFAULT["run"])


def test_an_empty_one_changes_nothing(load):
    assert load("").run == config.RequestedOptions(**DEFAULT["run"])


def test_a_preset_can_be_changed_in_part_and_added_whole(load):
    found = load("[presets.quick]\nrounds = 7\n[presets.mine]\nrounds = 9\nvalues = 3\nvalue_ms = 1\n")
    assert found.presets["quick"] == config.Preset(7, DEFAULT["presets"]["quick"]["values"], 0.5)
    assert found.presets["mine"] == config.Preset(9, 3, 1.0)
    assert "default" in found.presets


def test_a_whole_number_will_do_where_a_number_is_expected(load):
    found = load("[check]\ntimeout_s = 5\n")
    assert found.check.timeout_s == 5.0
    assert isinstance(found.check.timeout_s, float)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[run]\nthreads = [1, 4096]\n", lambda found: found.run.threads == [1, 4096]),
        ("[presets.quick]\nrounds = 1\n", lambda found: found.presets["quick"].rounds == 1),
        ("[presets.quick]\nrounds = 10000\n", lambda found: found.presets["quick"].rounds == 10_000),
        ("[check]\noperations = 1000\n", lambda found: found.check.operations == 1000),
        ("[verdict]\nreach = 1\nfloor = 0\n", lambda found: (found.verdict.reach, found.verdict.floor) == (1, 0)),
    ],
    ids=range(5),
)
def test_the_bounds_themselves_are_allowed(load, text, value):
    assert value(load(text))


# ---- what is refused, and in which words ----


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("[run]\narch = 5\n", "run.arch", "expected a string, found 5"),
        ("[run]\nbenchmarks = \"all\"\n", "run.benchmarks", "expected a list of strings, found 'all'"),
        ("[run]\nbenchmarks = []\n", "run.benchmarks", "expected a list of strings, found []"),
        ("[run]\nbenchmarks = [1]\n", "run.benchmarks", "expected a list of strings, found [1]"),
        ("[run]\nthreads = 2\n", "run.threads", "expected a list of whole numbers from 1 to 4096, found 2"),
        ("[run]\nthreads = [0]\n", "run.threads", "expected a list of whole numbers from 1 to 4096, found [0]"),
        ("[run]\nthreads = [-1, 2]\n", "run.threads", "found [-1, 2]"),
        ("[run]\nthreads = [1, 4097]\n", "run.threads", "found [1, 4097]"),
        ("[run]\nthreads = [true]\n", "run.threads", "found [True]"),
        ("[run]\nthreads = [1.0]\n", "run.threads", "found [1.0]"),
        ("[run]\ncpus = 1\n", "run.cpus", "expected a string, found 1"),
        ("[run]\nregistration = \"systemd\"\n", "run.registration", "one of auto, glibc, self, full, none"),
        ("[run]\nregistration = 1\n", "run.registration", "expected one of auto, glibc, self, full, none, found 1"),
        ("[configurations.n]\nregistration = \"nobody\"\n", "configurations.n.registration", "expected one of auto"),
        ("[paths]\nresults = 1\n", "paths.results", "expected a string, found 1"),
        ("[presets.quick]\nrounds = 0\n", "presets.quick.rounds", "expected a whole number from 1 to 10000, found 0"),
        ("[presets.quick]\nrounds = -3\n", "presets.quick.rounds", "found -3"),
        ("[presets.quick]\nrounds = true\n", "presets.quick.rounds", "found True"),
        ("[presets.quick]\nrounds = 6.0\n", "presets.quick.rounds", "a whole number from 1 to 10000, found 6.0"),
        ("[presets.quick]\nrounds = \"6\"\n", "presets.quick.rounds", "found '6'"),
        ("[presets.quick]\nvalue_ms = 0\n", "presets.quick.value_ms", "expected a number from 0.001 to 10000, found 0"),
        ("[presets.quick]\nvalue_ms = nan\n", "presets.quick.value_ms", "found nan"),
        ("[presets.quick]\nvalue_ms = inf\n", "presets.quick.value_ms", "found inf"),
        ("[presets.quick]\nvalue_ms = true\n", "presets.quick.value_ms", "a number from 0.001 to 10000, found True"),
        ("[presets.mine]\nrounds = 6\n", "presets.mine.values", "missing; expected a whole number from 1 to 10000"),
        ("[check]\noperations = 10\n", "check.operations", "expected a whole number from 1000 to 1e+09, found 10"),
        ("[check]\ntimeout_s = -1\n", "check.timeout_s", "found -1"),
        ("[verdict]\nconfidence = 1\n", "verdict.confidence", "expected a number from 0.5 to 0.9999, found 1"),
        ("[verdict]\nconfidence = 95\n", "verdict.confidence", "found 95"),
        ("[verdict]\nfloor = -0.1\n", "verdict.floor", "found -0.1"),
        ("[configurations.n]\nthreads = [0]\n", "configurations.n.threads", "found [0]"),
        ("[configurations.n]\npreset = 1\n", "configurations.n.preset", "expected a string, found 1"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_file_key_and_what_was_expected(load, text, key, expected):
    line = refused(load, text)
    assert f"mine.toml: {key}: " in line
    assert expected in line


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("run = 1\n", "run"),
        ("[[run]]\n", "run"),
        ("presets = 1\n", "presets"),
        ("[presets]\nquick = 1\n", "presets.quick"),
        ("check = []\n", "check"),
        ("verdict = \"strict\"\n", "verdict"),
        ("configurations = 3\n", "configurations"),
        ("[configurations]\nn = true\n", "configurations.n"),
        ("paths = \"results\"\n", "paths"),
    ],
)  # fmt: skip
def test_what_must_be_a_table_is_refused_when_it_is_none(load, text, key):
    line = refused(load, text)
    assert f"mine.toml: {key}: expected a table, found " in line
    assert f"write [{key}]" in line


@pytest.mark.parametrize(
    ("text", "key", "near"),
    [
        ("[rum]\n", "rum", "run"),
        ("rounds = 5\n", "rounds", ""),
        ("[run]\nthread = [1]\n", "run.thread", "threads"),
        ("[run]\nbenchmark = [\"all\"]\n", "run.benchmark", "benchmarks"),
        ("[presets.quick]\nround = 5\n", "presets.quick.round", "rounds"),
        ("[check]\ntimeout = 5\n", "check.timeout", "timeout_s"),
        ("[verdict]\nconfidance = 0.9\n", "verdict.confidance", "confidence"),
        ("[configurations.n]\nrounds = 5\n", "configurations.n.rounds", ""),
        ("[configurations.n]\narchh = \"host\"\n", "configurations.n.archh", "arch"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_and_the_nearest_named(load, text, key, near):
    line = refused(load, text)
    assert f"mine.toml: unknown key '{key}'" in line
    assert (f"did you mean {near}" in line) if near else ("there is: " in line or "did you mean" in line)


@pytest.mark.parametrize(
    "text",
    [
        "[run\n",
        "run]\n",
        "[run]\narch = host\n",
        "[run]\narch = 'x'\narch = 'y'\n",
        b"[run]\narch = 'a\x00b'\n",
        b"[run]\narch = '\xff\xfe'\n",
        b"\xff\xfe[\x00r\x00",
        b"\x7fELF\x02\x01\x01\x00\x00",
    ],
)
def test_what_is_no_toml_is_refused(load, text):
    assert "not valid TOML" in refused(load, text)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.mkdir()], ids=["missing", "folder"])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, make):
    path = tmp_path / "mine.toml"
    make(path)
    with pytest.raises(ConfigError, match=r"mine\.toml: (No such file|Is a directory)"):
        config.load(path)


def test_a_folder_called_bench_toml_is_refused_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.toml").mkdir()
    with pytest.raises(ConfigError, match=r"bench\.toml: Is a directory"):
        config.load()


# ---- run < configuration < command line ----

LAYERS = """
[run]
arch = "arm64"
preset = "quick"
threads = [1]
[configurations.n]
preset = "rigorous"
threads = [2]
"""


def test_an_option_wins_over_the_configuration_and_that_over_run(load):
    found = load(LAYERS)
    assert found.options(None, {}).preset == "quick"
    named = found.options("n", {})
    assert (named.arch, named.preset, named.threads) == ("arm64", "rigorous", [2])
    given = found.options("n", {"threads": [4]})
    assert (given.arch, given.preset, given.threads) == ("arm64", "rigorous", [4])
    assert found.options(None, {"arch": "arm32"}).arch == "arm32"


def test_a_configuration_holds_only_what_it_says(load):
    assert load(LAYERS).configurations["n"] == {"preset": "rigorous", "threads": [2]}


@pytest.mark.parametrize(
    ("configuration", "given", "message"),
    [
        ("laptap", {}, "unknown configuration 'laptap' in .*; did you mean laptop"),
        ("zzz", {}, "unknown configuration 'zzz' in .*; there is: config-n, config-y, .*counters, laptop, n"),
        (None, {"preset": "quik"}, "unknown preset 'quik' in .*; did you mean quick"),
        (None, {"preset": ""}, "unknown preset '' in .*; there is: boot, default, quick, rigorous"),
    ],
)
def test_a_name_that_is_not_there_is_refused_and_the_nearest_named(load, configuration, given, message):
    with pytest.raises(UsageError, match=message):
        load(LAYERS).options(configuration, given)


def test_a_configuration_with_an_unknown_preset_is_refused_when_it_is_taken(load):
    found = load('[configurations.n]\npreset = "quik"\n')
    assert found.options(None, {}).preset == DEFAULT["run"]["preset"]
    with pytest.raises(UsageError, match="unknown preset 'quik'"):
        found.options("n", {})


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("rsek", ["rseq", "lsl"], "did you mean rseq?"),
        ("zzz", ["rseq", "lsl"], "there is: lsl, rseq"),
        ("x", [], "there is: none"),
    ],
)
def test_nearest_names(name, known, hint):
    assert errors.unknown_name("benchmark", name, known).hint == hint
    assert str(errors.unknown_name("benchmark", name, known)) == f"unknown benchmark {name!r}; {hint}"
