"""assembly.txt: what is read of it, and what a page says where there is none."""

import pytest

from rseqbench.build import disassembly, elf
from rseqbench.errors import BuildError, ResultsError
from rseqbench.model import Facts, Machine
from rseqbench.report.html import run as code
from rseqbench.report.html import run as html
from rseqbench.report.html.run import limited
from rseqbench.support import attachments
from rseqbench.support.attachments import Listing
from tests.support.simulated_runs import Simulation, shown

TEXT = """# x86_64: the loops that were timed, read by GNU objdump 2.40

counter/rseq <run_rseq>
   0: mov (%rdi),%rdx
  4b| addq $0x1,(%rcx)
  5f: ret

cpu_id/baseline <run_baseline>
   0: ret
"""
RSEQ = Listing("counter/rseq", "run_rseq", ("   0: mov (%rdi),%rdx", "  4b| addq $0x1,(%rcx)", "  5f: ret"))
BASELINE = Listing("cpu_id/baseline", "run_baseline", ("   0: ret",))
COSTS = {"cpu_id/baseline": 0.3, "counter/rseq": 0.6, "hackbench/processes": 1e9}


def simulation(text=TEXT, **more):
    return Simulation(
        costs=COSTS, rounds=6, skips=(), attached={} if text is None else {attachments.ASSEMBLY_FILE: text}, **more
    )


def section(text):
    return text[text.index('<section id="code">') : text.index('<section id="distributions">')]


def test_the_file_is_read_as_it_was_written():
    assert attachments.parse_listings(TEXT) == [RSEQ, BASELINE]


@pytest.mark.parametrize("text", ["# x\n\nno name here\n   0: ret\n", "# x\n\n   0: ret\n"])
def test_a_damaged_file_is_named(tmp_path, text):
    (tmp_path / attachments.ASSEMBLY_FILE).write_text(text)
    with pytest.raises(ResultsError, match=r"assembly\.txt: no name of a benchmark"):
        attachments.load_listings(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / attachments.ASSEMBLY_FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ResultsError, match=r"assembly\.txt"):
        attachments.load_listings(tmp_path)


def test_a_run_keeps_it_and_its_page_shows_what_was_timed(tmp_path):
    found = shown(tmp_path, simulation())
    assert (found.run.folder / attachments.ASSEMBLY_FILE).read_text() == TEXT
    assert code.timed(found.run.folder, found.measured).listings == (RSEQ, BASELINE)
    text = section(html.render_page(found))
    assert "counter/rseq: run_rseq, 3 lines" in text
    assert "  4b| addq $0x1,(%rcx)" in text
    assert "No kernel of ours, so no loop of it is known: hackbench/processes." in text
    assert text.count("<details>") == 3


def test_only_what_was_measured_is_shown(tmp_path):
    run = simulation()
    found = shown(tmp_path, Simulation(costs={"cpu_id/baseline": 0.3}, rounds=6, skips=(), attached=run.attached))
    assert code.timed(found.run.folder, found.measured).listings == (BASELINE,)


def test_a_run_without_it_says_so_in_one_line(tmp_path):
    text = section(html.render_page(shown(tmp_path, simulation(None))))
    assert "No assembly.txt is kept with this run" in text
    assert "<pre" not in text


def test_what_would_make_the_page_too_long_is_left_out_and_named():
    assert limited([RSEQ, BASELINE], [], 100) == code.Timed((RSEQ, BASELINE), "")
    few = limited([RSEQ, BASELINE], [], sum(len(line) + 1 for line in RSEQ.lines))
    assert few.listings == (RSEQ,)
    assert few.missing == "Too long for a page, but in assembly.txt: cpu_id/baseline."


def test_hostile_code_is_text(tmp_path):
    hostile = TEXT.replace("mov (%rdi)", "</pre><script>alert(1)</script>\u202e")
    text = section(html.render_page(shown(tmp_path, simulation(hostile))))
    assert "<script" not in text
    assert "\u202e" not in text
    assert "&lt;script&gt;" in text


def test_a_build_that_is_not_in_the_cache_has_none(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for facts in (Facts(), Facts(kernels="0123456789abcdef"), Facts(kernels="../../etc")):
        assert disassembly.attachments(Machine("x86_64", "native", "hardware", facts)) == []


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF\x02\x01" + b"\0" * 100, b"#!/bin/sh\n"])
def test_what_is_no_compiled_kernels_is_refused(tmp_path, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(BuildError, match="no compiled kernels"):
        elf.loops(path)
