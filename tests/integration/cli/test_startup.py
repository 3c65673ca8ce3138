"""`rseqbench --help` loads nothing that it does not need."""

import sys

import pytest

from rseqbench.cli import COMMANDS
from tests.support.commands import HEAVY, rseqbench


def imported(tmp_path, *arguments):
    """Return the names of all top-level packages that a command imports."""
    done = rseqbench(*arguments, cwd=tmp_path, program=(sys.executable, "-X", "importtime", "-m", "rseqbench"))
    assert done.returncode == 0, done.stderr
    names = [line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")]
    assert "rseqbench.cli" in names
    return {name.partition(".")[0] for name in names}


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("-h",),
        ("--version",),
        ("run", "--help"),
        ("list", "--help"),
        ("compare", "--help"),
        ("claims", "--help"),
        ("report", "--help"),
    ],
)
def test_help_imports_nothing_heavy(tmp_path, arguments):
    assert not imported(tmp_path, *arguments) & HEAVY


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(tmp_path, command):
    done = rseqbench(command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: rseqbench")
    assert done.stderr == ""


def test_help_names_every_command_with_its_purpose(tmp_path):
    done = rseqbench("--help", cwd=tmp_path)
    assert done.returncode == 0
    for command, purpose in COMMANDS.items():
        assert f"  {command}" in done.stdout
        assert purpose.split()[0] in done.stdout
