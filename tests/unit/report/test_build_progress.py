"""rseqbench/report/progress/run.py: how far a build of Linux is, on a terminal and elsewhere."""

import re

import pytest
from rich.progress import Progress

from rseqbench.report.progress import live, run


@pytest.fixture
def clock(monkeypatch):
    """Return a clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: now[0])
    return now


def told(capsys, clock, steps, of):
    with run.show_build("Linux") as seen:
        for done in steps:
            seen(done, of)
            clock[0] += 1
    return capsys.readouterr().err.splitlines()


def test_a_line_a_tenth_with_the_time_that_is_left(capsys, clock):
    lines = told(capsys, clock, range(101), 100)
    assert lines[0] == "Linux: 10 steps of 100, 90 s left"
    assert lines[-1] == "Linux: 100 steps of 100, 0 s left"
    assert len(lines) == 10


def test_steps_of_earlier_attempts_do_not_make_it_look_fast(capsys, clock):
    lines = told(capsys, clock, range(55, 101), 100)
    assert lines[0] == "Linux: 60 steps of 100, 40 s left"


def test_where_nobody_knows_how_many_it_says_how_long(capsys, clock):
    assert told(capsys, clock, range(0, 401), None) == [
        "Linux: 200 steps, 200 s so far",
        "Linux: 400 steps, 400 s so far",
    ]


def test_on_a_terminal_earlier_steps_are_no_speed_either(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(run.console, "is_interactive", lambda out: True)
    shown = []
    stop = Progress.stop
    monkeypatch.setattr(Progress, "stop", lambda self: (shown.append(self.tasks[0]), stop(self)))
    with run.show_build("Linux") as seen:
        seen(900, 1000)
        seen(901, 1000)
    (task,) = {id(one): one for one in shown}.values()
    assert (task.completed, task.total) == (901, 1000)
    assert sum(sample.completed for sample in task._progress) == 1
    assert re.search("Linux", capsys.readouterr().err)
