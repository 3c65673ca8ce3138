"""The page: one file that needs nothing else, sound HTML, and there for every run."""

import re

import pytest

from rseqbench.config import load
from rseqbench.model import Skip
from rseqbench.report import charts
from rseqbench.report.html import run as html
from rseqbench.report.run_view import build_run_view
from rseqbench.store.runs import PATCH, Store
from tests.support.html_page import Page
from tests.support.simulated_runs import COSTS, Simulation, shown

SECTIONS = ["verdicts", "arithmetic", "patch", "plots", "measured", "checks", "distributions", "machine", "reproduce"]


@pytest.fixture(scope="module")
def laptop(tmp_path_factory):
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=8))


@pytest.fixture(scope="module")
def nothing(tmp_path_factory):
    skips = tuple(Skip(name, 1, "ENOSYS: no rseq here") for name in COSTS)
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=1, skips=skips, facts={}, docs={}))


@pytest.fixture(scope="module")
def patch(tmp_path_factory):
    run = Store(tmp_path_factory.mktemp("results")).load(PATCH)
    return build_run_view(run, run, load().verdict)


@pytest.fixture(scope="module")
def emulated(tmp_path_factory):
    costs = {name: cost * 100 for name, cost in COSTS.items()}
    return shown(tmp_path_factory.mktemp("results"), Simulation(rounds=8, costs=costs, timing="emulated", facts={}))


@pytest.fixture(params=["laptop", "nothing", "patch", "emulated"])
def page(request):
    return Page(html.render_page(request.getfixturevalue(request.param)))


def test_the_page_is_sound(page):
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert page.tables
    assert all(table["caption"] == 1 and table["heads"] == table["scopes"] > 0 for table in page.tables)
    assert page.headings[0] == 1
    assert page.headings.count(1) == 1
    assert all(b <= a + 1 for a, b in zip(page.headings, page.headings[1:], strict=False))


def test_the_page_needs_nothing_else(page):
    assert page.scripts == 0
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "@import" not in page.text
    assert not re.search(r"url\((?!#)", page.text)
    assert "default-src 'none'" in page.text


def test_the_sections_are_there_in_order(page):
    assert [name for name in page.ids if name in SECTIONS] == SECTIONS


def test_verdicts_come_with_icon_and_word(laptop):
    text = html.render_page(laptop)
    for word in ("reproduced", "stronger", "not comparable", "not measured"):
        assert re.search(rf'aria-hidden="true">[^<]</span> {word}</span>', text)
    assert re.search(r"<b>5</b> <span[^>]*><span[^>]*>✓</span> reproduced", text)


def test_every_plot_is_drawn_and_has_its_words(laptop):
    text = html.render_page(laptop)
    assert text.count("<svg ") == text.count("</svg>") == 2 * text.count("How to read this:") == 6
    for name in (each + size for each in ("speedups", "reading", "rounds") for size in ("", "-narrow")):
        drawing = re.search(rf'aria-labelledby="{name}-title {name}-desc">.*?</svg>', text, re.DOTALL).group()
        assert re.search(rf'<title id="{name}-title">[^<]+</title>', drawing)
        assert len(re.search(rf'<desc id="{name}-desc">([^<]+)</desc>', drawing)[1]) > 100
        assert "<text" in drawing
        assert "currentColor" in drawing
        assert not re.search(r"#00000[1-5]", drawing)


def test_the_plots_show_every_round_and_every_claim(laptop):
    rounds = charts.draw_rounds(laptop)
    assert rounds.count("<use ") >= 8 * 32
    speedups = charts.draw_speedups(laptop)
    for one in laptop.judged:
        if one.claim.kind in ("speedup", "equal") and one.claim.arch == "x86_64":
            assert f"claimed {one.claim.stated:g}x" in speedups
    for name in (name for name in COSTS if name.startswith("cpu_id/")):
        assert f">{name.partition('/')[2]}</text>" in charts.draw_cpu_number(laptop)


def test_the_same_run_makes_the_same_page(laptop):
    assert html.render_page(laptop) == html.render_page(laptop)


def test_emulation_never_shows_its_numbers_as_time(emulated):
    text = html.render_page(emulated)
    measured = text[text.index('id="measured"') : text.index('id="checks"')]
    assert "insn/op with loop" in measured
    assert not re.search(r"\bns/op", measured)
    drawn = charts.draw_cpu_number(emulated)
    assert "instructions/op" in drawn
    assert not re.search(r"\bns/op", drawn)
    assert "printed in the patch" not in drawn
    assert "reproduced" not in re.findall(r'data-word="([^"]*)"', text.partition("</style>")[2])


def test_a_long_run_stays_small_and_says_what_it_left_out(tmp_path):
    threads = {name: 4 for name in COSTS if name.startswith("counter/")}
    big = shown(tmp_path, Simulation(rounds=200, values=1, threads=threads))
    text = html.render_page(big)
    assert len(text.encode()) < 1_000_000
    assert "one round in 2" in text
    assert "rounds.csv" not in text
    assert "too many for a page" in text
