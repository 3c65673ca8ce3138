"""doctor --fix: installs the packages that are missing, by the means that are there, and nothing else."""

import stat

import pytest
from click.testing import CliRunner

from rseqbench import doctor, model
from rseqbench.cli.doctor import command
from rseqbench.doctor import finding
from rseqbench.errors import UsageError

FLEX = model.Finding("Linux build", "without flex", "warn", packages=("flex", "bison"))
GCC = model.Finding("compiler", "none", "bad", packages=("gcc", "flex"))
OK = model.Finding("load", "0.00")
LOADED = model.Finding("load", "9.00", "warn", "something else is running", "top")


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Return a function that makes programs and says what doctor finds: as `before`, and as `after` once installed."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "env").symlink_to("/usr/bin/env")
    monkeypatch.setenv("PATH", str(folder))
    log = tmp_path / "log"

    def make(before, after=(OK,), euid=0, **scripts):
        for name, body in scripts.items():
            path = folder / name.replace("_", "-")
            path.write_text(f'#!/bin/sh\necho "{name} $*" >> {log}\n{body}\n')
            path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(finding.os, "geteuid", lambda: euid)
        installed = lambda: log.exists() and "install" in log.read_text()  # noqa: E731
        monkeypatch.setattr(doctor, "run_checks", lambda host: list(after if installed() else before))
        return lambda: log.read_text().splitlines() if log.exists() else []

    return make


def fix(*arguments, **settings):
    return CliRunner().invoke(command, ["--fix", *arguments], **settings)


INSTALL = "install -y --no-install-recommends flex bison gcc"


def test_root_installs_each_package_once_and_says_so_first(machine):
    called = machine([FLEX, GCC, LOADED], apt_get="")
    done = fix()
    assert done.exit_code == 0, done.output
    assert called() == ["apt_get update", f"apt_get {INSTALL}"]
    said = done.stdout.splitlines()
    assert said == ["missing: flex bison gcc", "  apt-get update", f"  apt-get {INSTALL}", "installed: flex bison gcc"]


def test_nothing_is_touched_where_no_package_is_missing(machine):
    called = machine([LOADED], apt_get="", sudo="")
    done = fix()
    assert (done.exit_code, done.stdout) == (0, "no package is missing\n")
    assert called() == []


def test_a_user_goes_through_sudo(machine):
    called = machine([FLEX], euid=1000, apt_get="", sudo='[ "$1" = -n ] || "$@"')
    assert fix().exit_code == 0
    assert "sudo env DEBIAN_FRONTEND=noninteractive apt-get update" in called()
    assert "apt_get install -y --no-install-recommends flex bison" in called()


@pytest.mark.parametrize("scripts", [{"apt_get": ""}, {"apt_get": "", "sudo": "exit 1"}])
def test_a_user_whom_sudo_cannot_ask_is_told_what_to_type(machine, scripts):
    called = machine([FLEX], euid=1000, **scripts)
    done = fix()
    assert done.exit_code == 1
    assert "sudo apt-get update && sudo apt-get install -y --no-install-recommends flex bison" in str(done.exception)
    assert not [line for line in called() if line.startswith("apt_get")]


def test_another_system_is_told_the_names(machine):
    machine([FLEX])
    done = fix()
    assert done.exit_code == 1
    assert "no apt-get here; missing, by Debian's names: flex bison" in str(done.exception)


@pytest.mark.parametrize(("answer", "installs"), [("n\n", False), ("\n", False), ("y\n", True)])
def test_on_a_terminal_it_asks(machine, monkeypatch, answer, installs):
    called = machine([FLEX], apt_get="")
    monkeypatch.setattr("rseqbench.cli.doctor._on_a_terminal", lambda: True)
    done = fix(input=answer)
    assert done.exit_code == 0
    assert bool(called()) == installs
    assert ("nothing was installed" in done.stdout) != installs


def test_yes_answers(machine, monkeypatch):
    called = machine([FLEX], apt_get="")
    monkeypatch.setattr("rseqbench.cli.doctor._on_a_terminal", lambda: True)
    assert fix("--yes").exit_code == 0
    assert len(called()) == 2


def test_apt_that_fails_is_one_line(machine):
    machine([FLEX], apt_get='[ "$1" = update ] || exit 100')
    done = fix()
    assert done.exit_code == 1
    assert str(done.exception).startswith("apt-get install -y --no-install-recommends flex bison exited with 100")


def test_what_is_still_missing_is_said(machine):
    machine([FLEX], after=[GCC], apt_get="")
    done = fix()
    assert done.exit_code == 1
    assert "still missing: gcc flex" in str(done.exception)


@pytest.mark.parametrize("arguments", [["--yes"], ["--fix", "--format", "json"], ["--tune", "--format", "json"]])
def test_options_that_make_no_sense_together(arguments):
    done = CliRunner().invoke(command, arguments)
    assert done.exit_code == 1
    assert isinstance(done.exception, UsageError)
