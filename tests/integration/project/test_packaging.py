"""The wheel and the source archive: the C sources, bench.toml and the patch's table travel in both."""

import configparser
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DATA = "rseqbench/data"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """Return a copy of the checkout with what must not travel lying about in it."""
    copy = tmp_path_factory.mktemp("tree") / "rseqbench"
    hidden = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__")

    def skipped(folder, names):  # what was built lies at the top; rseqbench/build/ is a room of the package
        return {*hidden(folder, names), *({"build", "dist"} if Path(folder) == ROOT else ())}

    shutil.copytree(ROOT, copy, ignore=skipped)
    for name in ("results/mine/run.json", "reports/mine.html", "rseqbench/__pycache__/x.pyc"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("not for others")
    return copy


def build(tree, out, *options):
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *options, str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl" if "--wheel" in options else "*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(tree, tmp_path_factory):
    return build(tree, tmp_path_factory.mktemp("wheel"), "--wheel")


@pytest.fixture(scope="module")
def sdist(tree, tmp_path_factory):
    return build(tree, tmp_path_factory.mktemp("sdist"), "--sdist")


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the folder that the wheel is installed in, away from the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), str(wheel)]
    subprocess.run([*command, "--disable-pip-version-check"], check=True)
    return folder


def files(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if ".dist-info/" not in name}


def tracked(folder):
    """Return the names of the files under a folder of the checkout, relative to the checkout."""
    found = (ROOT / folder).rglob("*")
    return {str(path.relative_to(ROOT)) for path in found if path.is_file() and "__pycache__" not in path.parts}


@pytest.mark.slow
def test_the_wheel_carries_what_a_run_needs(wheel):
    names = set(files(wheel))
    assert {f"{DATA}/{name}" for name in tracked("kernels")} <= names
    assert {f"{DATA}/{name}" for name in tracked("results/patch-2018")} <= names
    assert f"{DATA}/bench.toml" in names
    assert tracked("rseqbench") <= names
    assert "rseqbench/analysis/claims.toml" in names
    assert any(name.startswith("rseqbench/report/html/templates/") for name in names)
    assert "rseqbench/report/html/style.css" in names
    assert {"rseqbench/recorded/run.json", "rseqbench/recorded/pyperf.json"} <= names


@pytest.mark.slow
def test_the_wheel_carries_nothing_else(wheel):
    roots = (f"{DATA}/kernels/", f"{DATA}/results/patch-2018/", f"{DATA}/bench.toml")
    for name in files(wheel):
        assert name in tracked("rseqbench") or name.startswith(roots), name


@pytest.mark.slow
def test_the_source_archive_builds_the_same_wheel(sdist, wheel, tmp_path):
    shutil.unpack_archive(sdist, tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (unpacked,) = tmp_path.iterdir()
    assert not (unpacked / "results/mine").exists()
    assert (unpacked / "Makefile").exists()
    assert (unpacked / "tests/integration/project" / Path(__file__).name).exists()
    again = build(unpacked, tmp_path / "again", "--wheel")
    assert files(again) == files(wheel)


@pytest.mark.slow
def test_the_installed_wheel_finds_its_own_files(installed, tmp_path):
    code = """
import sys, rseqbench
from rseqbench import config, paths
from rseqbench.analysis import patch_claims
from rseqbench.store import runs
assert rseqbench.__file__.startswith(sys.argv[1]), rseqbench.__file__
for path in (paths.kernels(), paths.default_config(), paths.builtin_results()):
    assert path.exists() and str(path).startswith(sys.argv[1]), path
assert config.load().run.target == "auto"
assert runs.Store(__import__("pathlib").Path("results")).labels() == [runs.PATCH]
assert patch_claims.written_claims()
"""
    env = {**os.environ, "PYTHONPATH": str(installed)}
    subprocess.run([sys.executable, "-c", code, str(installed)], cwd=tmp_path, env=env, check=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_installed_wheel_has_its_command(installed, tmp_path):
    (info,) = installed.glob("rseqbench-*.dist-info")
    points = configparser.ConfigParser()
    points.read(info / "entry_points.txt")
    assert points["console_scripts"]["rseqbench"] == "rseqbench.cli:main"
    assert (info / "licenses/LICENSE").exists()
    env = {**os.environ, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        [installed / "bin/rseqbench", "--help"], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert "doctor" in done.stdout


def locked(name):
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def requirement(text):
    return text.partition(">")[0].lower()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_the_lock_files_hold_exact_versions_and_nothing_of_a_machine(name):
    for package, version in locked(name).items():
        assert package.replace("-", "").replace("_", "").replace(".", "").isalnum(), package
        assert version.replace(".", "").isalnum(), version


def test_the_lock_files_agree_and_cover_the_project():
    runtime, everything = locked("requirements.lock"), locked("requirements-dev.lock")
    assert runtime.items() <= everything.items()
    extras = PYPROJECT["project"]["optional-dependencies"]
    assert {requirement(text) for text in PYPROJECT["project"]["dependencies"]} <= {name.lower() for name in runtime}
    for extra in extras.values():
        assert {requirement(text) for text in extra} <= {name.lower() for name in everything}
