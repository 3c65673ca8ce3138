"""The page of a fleet as a reader's browser shows it, of few machines, of fifty, and of two fleets."""

import csv
import json
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe

from rseqbench.analysis.fleet import compare
from rseqbench.config import load
from rseqbench.report.html import fleet as matrix
from rseqbench.support import atomic_io
from tests.support.browser_page import PAPER, WIDE, Opened
from tests.support.fleets import costs, emulated, fleet, machine, many, three

PHONE = (360, 740)
KINDS = ("three", "fifty", "against")


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Return the file of the page of each kind of fleet."""
    root, rules = tmp_path_factory.mktemp("results"), load().verdict
    few = {name: one if isinstance(one, str) else replace(one, rounds=6) for name, one in many(50).items()}
    hurt = {name: cost * (1.2 if name == "counter/rseq" else 1) for name, cost in machine(1).costs.items()}
    fleet(root, "three", {**three(), "board": emulated()})
    fleet(root, "fifty", few)
    fleet(root, "dozen", {f"m{at}": machine(at, costs=costs(cpu_id__sched_getcpu_norseq=1 + at)) for at in range(12)})
    results = fleet(root, "after", {**three(), "opteron": replace(machine(1, seed=60), costs=hurt)})
    found = {kind: compare.compare_machines(results, kind, rules) for kind in ("three", "fifty", "dozen")}
    made = {}
    for kind, one in {**found, "against": compare.compare_fleets(results, "three", "after", rules)}.items():
        made[kind] = root / f"{kind}.html"
        atomic_io.save(made[kind], matrix.render_page(one))
    return made


@pytest.fixture
def opened(browser, pages):
    """Open the page of a kind of fleet; all windows are closed at the end."""
    windows = []

    def opens(kind, size=WIDE, scheme="light"):
        windows.append(Opened(browser, pages[kind], size, scheme))
        return windows[-1]

    yield opens
    for window in windows:
        window.context.close()


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_the_file_is_asked_for_and_nothing_complained_of(opened, kind):
    one = opened(kind)
    assert one.requests == [one.address]
    assert one.complaints == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_no_wider_than_its_window(opened, kind):
    one = opened(kind).unfolded()
    assert {size[0]: one.resized(size).overhang() for size in (WIDE, PHONE)} == {1280: 0, 360: 0}


@pytest.mark.parametrize(("kind", "scheme", "size"), [
    ("three", "light", WIDE), ("three", "dark", PHONE), ("fifty", "light", PHONE), ("against", "dark", WIDE),
])  # fmt: skip
def test_no_serious_fault_of_accessibility(opened, kind, scheme, size):
    one = opened(kind, size, scheme).unfolded()
    found = Axe().run(one.page, {"exclude": [["figure svg > g"]]}).response["violations"]  # thousands of marks
    bad = [v for v in found if v["impact"] != "minor"]
    assert [(v["id"], [node["target"] for node in v["nodes"][:3]]) for v in bad] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_answer_and_who_failed_are_on_the_first_screen(opened, kind):
    one = opened(kind)
    for what in ("h1", ".answer", ".limits"):
        assert one.bottom(what) <= 720, what
    answer, who = (one.page.locator(what).inner_text() for what in (".answer", "header .limits"))
    if kind == "against":
        assert "slower in some on 1 machine: opteron" in answer
    else:
        disagree = "Machines disagree on 5 pairs" if kind == "three" else "Whether machines disagree on any pair nobody"
        assert "rseq is faster than getcpu+atomic on" in answer and disagree in answer
    assert ("board-42: ssh: connection refused" if kind == "fifty" else "the board did not answer within 60 s") in who
    assert one.page.locator(".matrix tbody tr").first.bounding_box()["y"] < 720


def test_a_phone_starts_with_the_answer(opened):
    assert opened("fifty", PHONE).bottom(".answer") <= 500


@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_the_matrix_scrolls_in_its_own_box_under_its_heads_and_beside_its_places(opened, size):
    page = opened("fifty", size).page
    box = page.locator(".matrix").first
    box.scroll_into_view_if_needed()
    assert box.evaluate("e => [e.scrollWidth > e.clientWidth, e.scrollHeight > e.clientHeight]") == [True, True]
    box.evaluate("e => e.scrollTo(300, 400)")
    frame = box.bounding_box()
    head, place = box.locator("thead th").nth(5), box.locator("tbody th").nth(12)
    assert abs(head.bounding_box()["y"] - frame["y"]) < 2
    assert abs(place.bounding_box()["x"] - frame["x"]) < 2
    top = box.locator("thead th").first.bounding_box()
    assert abs(top["x"] - frame["x"]) < 2 and abs(top["y"] - frame["y"]) < 2


def test_every_cell_has_its_sign_and_word_and_not_its_tint_alone(opened):
    page = opened("three").page
    cells = page.evaluate("""[...document.querySelector('.matrix').querySelectorAll('td')].map(cell => [cell.className,
        cell.querySelector('.sign').textContent, cell.querySelector('.unseen').textContent.trim()])""")
    assert {tuple(cell) for cell in cells} >= {("good", "<", "faster"), ("bad", ">", "slower"), ("", "=", "equal")}
    assert all(sign and word and len(sign) == 1 for _, sign, word in cells)
    background = "e => getComputedStyle(e).backgroundColor"
    tints = {page.eval_on_selector(f".matrix {which}", background) for which in ("td.good", "td.bad")}
    assert len(tints) == 2 and "rgba(0, 0, 0, 0)" not in tints


def test_the_matrix_is_a_table_to_those_who_hear_it(opened):
    page = opened("three").page
    table = page.get_by_role("table", name="By machine: slow / fast inside each run: speed-ups", exact=True)
    assert table.get_by_role("rowheader").all_inner_texts() == ["xeon", "opteron", "neoverse"]
    assert table.get_by_role("columnheader").count() > 15


def test_names_of_places_are_not_broken(opened):
    heights = opened("fifty").page.evaluate(
        "[...document.querySelectorAll('.matrix tbody th')].map(e => e.getClientRects().length && e.offsetHeight)"
    )
    assert len(heights) > 50 and max(heights) < 60


@pytest.mark.parametrize(("kind", "size"), [("three", WIDE), ("fifty", WIDE), ("fifty", PHONE), ("against", PHONE)])
def test_a_plot_is_seen_whole_with_a_mark_for_every_machine(opened, kind, size):
    page = opened(kind, size).page
    plots = page.evaluate("""[...document.querySelectorAll('figure svg')].filter(e => e.checkVisibility()).map(e => {
        const box = e.closest('.scroll');
        return [e.querySelectorAll('use').length, box.scrollWidth - box.clientWidth];
    })""")
    assert len(plots) == (1 if kind == "against" else 2)
    assert plots[0][0] > (45 * 20 if kind == "fifty" else 40)
    assert all(hidden <= 0 for _, hidden in plots)


@pytest.mark.parametrize("kind", ["fifty", "dozen"])
def test_no_mark_of_a_narrow_plot_lies_on_a_name(opened, kind):
    """Pixels by which a point reaches over a name, both a little smaller than their boxes."""
    over = opened(kind, PHONE).page.evaluate("""[...document.querySelectorAll('figure svg')]
        .filter(e => e.checkVisibility()).flatMap(plot => {
            const box = e => e.getBoundingClientRect();
            const names = [...plot.querySelectorAll('text')].map(box);
            return [...plot.querySelectorAll('use')].map(box).flatMap(mark => names.map(name => Math.min(
                mark.bottom - name.top, name.bottom - mark.top, mark.right - name.left, name.right - mark.left)));
        })""")
    assert max(over) < 3


@pytest.mark.parametrize("kind", KINDS)
def test_on_paper_nothing_is_cut_off_and_every_machine_is_there(opened, kind):
    one = opened(kind, PAPER, "dark")
    one.page.emulate_media(media="print")
    assert one.overhang() <= 0
    assert not one.page.locator(".matrix").first.is_visible()
    widest = one.page.evaluate("""Math.max(...[...document.querySelectorAll('table, svg, pre')]
        .filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect().right))""")
    assert widest <= PAPER[0]
    assert one.page.locator(".paper table").first.is_visible()
    first = one.page.locator(".paper table").first.locator("tbody tr")
    assert first.count() == {"three": 3, "fifty": 45, "against": 3}[kind]
    assert one.page.pdf(format="A4").startswith(b"%PDF")


def test_the_data_can_be_taken_away(opened, tmp_path):
    page = opened("against").page
    for name in ("after-against-three.csv", "after-against-three.json"):
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name).click()
        waiting.value.save_as(tmp_path / name)
    assert json.loads((tmp_path / "after-against-three.json").read_text())["kind"] == "fleet"
    with (tmp_path / "after-against-three.csv").open(newline="") as file:
        assert {"cell", "place", "column"} <= {row["kind"] for row in csv.DictReader(file)}
