"""One browser for all tests here, and a page of each kind of run."""

import dataclasses

import pytest
from playwright.sync_api import sync_playwright

from rseqbench.config import load
from rseqbench.model import Skip
from rseqbench.report.html import run as html
from rseqbench.report.run_view import build_run_view
from rseqbench.store.runs import PATCH, Store
from rseqbench.support import atomic_io
from tests.support.browser_page import EVIL, HEBREW, SIMULATED, WIDE, Opened, launch
from tests.support.simulated_runs import COSTS, FACTS, Simulation, shown, store


def _hostile(place):
    facts = {**FACTS, "cpu": EVIL, "libc": HEBREW, EVIL: EVIL, "governor": EVIL}
    run = store(
        Store(place),
        Simulation(
            rounds=8,
            facts=facts,
            skips=(Skip("counter/getcpu_atomic", 1, EVIL), Skip("rcu/rseq", 1, HEBREW)),
            docs=dict.fromkeys(COSTS, EVIL),
            notes=(EVIL, HEBREW),
        ),
    )
    header = dataclasses.replace(run.header, label=EVIL, command=f"rseqbench run --label '{EVIL}'", created=EVIL)
    return build_run_view(dataclasses.replace(run, header=header), Store(place).load(PATCH), load().verdict)


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        started = launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="session")
def pages(tmp_path_factory):
    """Return the file of the page of a kind of run; each is made once."""
    made = {}

    def page(kind):
        if kind not in made:
            place = tmp_path_factory.mktemp(kind)
            if kind == "hostile":
                what = _hostile(place)
            elif kind == "patch":
                run = Store(place).load(PATCH)
                what = build_run_view(run, run, load().verdict)
            else:
                what = shown(place, SIMULATED[kind])
            made[kind] = place / "page.html"
            atomic_io.save(made[kind], html.render_page(what))
        return made[kind]

    return page


@pytest.fixture
def opened(browser, pages):
    """Open the page of a kind of run; all windows are closed at the end."""
    windows = []

    def opens(kind, size=WIDE, scheme="light"):
        windows.append(Opened(browser, pages(kind), size, scheme))
        return windows[-1]

    yield opens
    for window in windows:
        window.context.close()
