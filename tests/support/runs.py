"""Runs in the background, and what runs leave in their folder."""

import csv
import json
import os
import subprocess
import time

from tests.support.commands import PROGRAM, processes_with

MARK = "RSEQBENCH_TEST_RUN"


def header_of(folder, label="x"):
    return json.loads((folder / "results" / label / "run.json").read_text())


def rows_of(folder, label="x"):
    with (folder / "results" / label / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def unfinished_rounds(folder):
    return sorted(path.name for path in (folder / "results/.unfinished-x/rounds").iterdir())


class Started:
    """A run in the background that carries our mark in its environment."""

    def __init__(self, folder, *arguments, until=None):
        self.mark = f"{MARK}={folder}"
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=folder,
            env={**os.environ, MARK: str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.seen = ""
        if until is None:
            return
        for line in self.process.stderr:
            self.seen += line
            if line.startswith(until):
                return
        self.process.communicate()
        raise AssertionError(f"never said {until!r}: {self.seen}")

    def end(self):
        """Return the exit code and standard error, after all processes had a moment to end."""
        out, err = self.process.communicate(timeout=300)
        self.out = out
        deadline = time.monotonic() + 60
        while self.left() and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.process.returncode, self.seen + err

    def left(self):
        return processes_with(f"{self.mark}\0")
