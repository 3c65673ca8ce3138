"""The page of one run as a reader's browser shows it."""

import json
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.support.browser_page import EVIL, HEBREW, NARROW, PAPER, SIMULATED, WIDE, Opened

KINDS = [*SIMULATED, "hostile", "patch"]
DRAWN = {"laptop": 3, "limited": 3, "emulated": 3, "unregistered": 2, "hostile": 3, "skipped": 0, "patch": 1}
SMALLEST = (320, 600)  # what accessibility asks for: a wide screen, enlarged fourfold
SEEN = EVIL.replace("\u202e", "\\u202e").replace("\x1b", "\\u001b")


# ---- every kind of run ----


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_but_the_file_is_asked_for_and_nothing_complained_of(opened, kind):
    one = opened(kind)
    one.page.mouse.wheel(0, 20_000)
    assert one.requests == [one.address]
    assert one.complaints == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_no_wider_than_its_window(opened, kind):
    one = opened(kind).unfolded()
    assert {size[0]: one.resized(size).overhang() for size in (WIDE, NARROW, SMALLEST)} == {1280: 0, 390: 0, 320: 0}
    assert (
        one.page.evaluate("[document.documentElement, document.body].map(e => getComputedStyle(e).overflowX)")
        == ["visible"] * 2
    )


@pytest.mark.parametrize(
    ("kind", "scheme", "size"),
    [
        ("laptop", "light", WIDE),
        ("laptop", "dark", NARROW),
        ("hostile", "dark", WIDE),
        ("emulated", "light", NARROW),
        ("skipped", "dark", WIDE),
    ],
)
def test_no_serious_fault_of_accessibility(opened, kind, scheme, size):
    one = opened(kind, size, scheme).unfolded()
    found = Axe().run(one.page, {"exclude": [["figure svg > g"]]}).response["violations"]  # thousands of marks
    bad = [v for v in found if v["impact"] != "minor"]
    assert [(v["id"], [node["target"] for node in v["nodes"][:3]]) for v in bad] == []


# ---- the first screen ----


def test_the_answer_is_on_the_first_screen(opened):
    one = opened("laptop")
    answer = one.page.locator(".answer").inner_text()
    assert "is rseq 7.7 times faster than getcpu+atomic" in answer
    assert "Yes, as claimed: 8.4" in answer or "Yes, as claimed: 8.5" in answer
    assert "Reproduced: the interval reaches 6.93 .. 8.56" in answer
    assert "holds the true median in at least 95 of 100 runs" in answer
    assert "Over rseq+atomic, which one would write today: 3.0" in answer
    assert one.page.locator(".answer .interval").inner_text().count("..") == 1
    for what in ("h1", ".summary", ".answer", ".limits", ".counts", "#verdicts tbody tr"):
        assert one.bottom(what) <= 720, what
    assert "virtual machine (kvm)" in one.page.locator(".limits").inner_text()


@pytest.mark.parametrize("kind", ["limited", "emulated"])
def test_much_that_limits_pushes_nothing_off_the_first_screen(opened, kind):
    one = opened(kind)
    assert one.page.locator(".limits li").count() >= 4 if kind == "limited" else True
    for what in (".answer", ".limits", ".counts"):
        assert one.bottom(what) <= 720, what


def test_a_narrow_screen_starts_with_the_answer(opened):
    one = opened("laptop", NARROW)
    assert one.bottom(".answer") <= 600
    assert one.bottom(".limits") <= 844


@pytest.mark.parametrize(
    ("kind", "why"), [("skipped", "counter/getcpu_atomic: ENOSYS: no rseq"), ("unregistered", "rseq: not registered")]
)
def test_what_was_not_measured_says_so_first_and_why(opened, kind, why):
    one = opened(kind)
    answer = one.page.locator(".answer").inner_text()
    assert "is rseq 7.7 times faster than getcpu+atomic" in answer
    assert "Not measured here" in answer and why in answer
    assert one.bottom(".answer") <= 720 and one.bottom(".limits") <= 720
    if kind == "skipped":
        assert "Nothing was measured" in one.page.locator(".limits").inner_text()
        assert "is not known" in one.page.locator(".limits").inner_text()
        assert "an unknown CPU" in one.page.locator(".summary").inner_text()


def test_what_the_patch_printed_confirms_nothing(opened):
    page = opened("patch").page
    assert page.locator(".answer, .verdict:visible").count() == 0
    assert "cannot confirm what the patch says" in page.locator("#verdicts").inner_text()


# ---- tables ----


def test_no_verdict_is_told_by_colour_alone(opened):
    for verdict in opened("laptop").page.locator(".verdict").all():
        icon, word = verdict.evaluate("e => [e.querySelector('.icon').textContent, e.textContent.trim()]")
        assert len(icon) == 1
        assert word == f"{icon} {verdict.get_attribute('data-word')}"


def test_rows_restack_on_a_narrow_screen_with_every_heading(opened):
    one = opened("laptop", NARROW).unfolded()
    cells = one.page.evaluate("""[...document.querySelectorAll('.rows tbody td[data-head]')].map(cell => {
        const box = cell.getBoundingClientRect();
        return [cell.dataset.head, getComputedStyle(cell, '::before').content, box.left, box.right, box.width];
    })""")
    assert len(cells) > 200
    for head, before, left, right, width in cells:
        assert head in before
        assert 0 <= left <= right <= NARROW[0]
        assert width > 0


def test_a_row_s_name_is_above_its_cells_on_a_narrow_screen_and_beside_them_on_a_wide_one(opened):
    first = "[...document.querySelector('#verdicts tbody tr').children].map(e => e.getBoundingClientRect().top)"
    narrow = opened("laptop", NARROW).page.evaluate(first)
    assert all(narrow[0] < top for top in narrow[1:])
    wide = opened("laptop").page.evaluate(first)
    assert max(wide) - min(wide) < 5


def test_tables_are_tables_to_those_who_hear_them(opened):
    for size in (WIDE, NARROW):
        page = opened("laptop", size).page
        table = page.get_by_role("table", name="Claims with a verdict")
        assert table.get_by_role("columnheader").count() == 6
        assert table.get_by_role("rowheader").count() == table.get_by_role("row").count() - 1 > 5


# ---- plots ----


@pytest.mark.parametrize(("kind", "scheme"), [*((kind, "light") for kind in KINDS), ("laptop", "dark")])
def test_every_plot_is_drawn_and_has_its_words(opened, kind, scheme):
    one = opened(kind, scheme=scheme)
    plots = one.page.evaluate("""[...document.querySelectorAll('figure svg')]
        .filter(svg => svg.checkVisibility()).map(svg => {
        const seen = e => { const b = e.getBoundingClientRect(); return b.width + b.height > 1; };
        const box = svg.getBoundingClientRect();
        return {
            width: box.width, height: box.height, role: svg.getAttribute('role'),
            words: svg.getAttribute('aria-labelledby').split(' ').map(id => document.getElementById(id).textContent),
            marks: [...svg.querySelectorAll('use, path')].filter(seen).length,
            texts: [...svg.querySelectorAll('text')].filter(seen).map(e => getComputedStyle(e).fill),
            caption: svg.closest('figure').querySelector('figcaption').textContent,
        };
    })""")
    assert len(plots) >= DRAWN[kind]
    assert one.page.locator("figure").count() >= 3
    ink = "rgb({}, {}, {})".format(*one.colour("body", "color"))
    for plot in plots:
        assert plot["width"] > 300 and plot["height"] > 80
        assert plot["marks"] > 10
        assert len(plot["texts"]) > 5 and set(plot["texts"]) == {ink}
        assert plot["role"] == "img"
        title, description = plot["words"]
        assert title and len(description) > 40
        assert "How to read this:" in plot["caption"]


@pytest.mark.parametrize("size", [NARROW, SMALLEST, (700, 900)])
def test_no_plot_is_cut_off_on_a_narrow_screen_and_its_text_can_be_read(opened, size):
    page = opened("laptop", size).page
    plots = page.evaluate("""[...document.querySelectorAll('figure > .scroll')].map(e => [e.scrollWidth - e.clientWidth,
        Math.min(...[...e.querySelectorAll('text')].map(t => t.getBoundingClientRect().height).filter(h => h))])""")
    assert len(plots) == DRAWN["laptop"]
    for hidden, text in plots:
        assert hidden <= 0
        assert text >= 8


# ---- schemes and print ----


@pytest.mark.parametrize(("scheme", "paper", "ink"), [("light", 240, 60), ("dark", 40, 200)])
def test_both_schemes(opened, scheme, paper, ink):
    one = opened("laptop", scheme=scheme)
    if scheme == "light":
        assert min(one.colour("body", "backgroundColor")) > paper and max(one.colour("body", "color")) < ink
    else:
        assert max(one.colour("body", "backgroundColor")) < paper and min(one.colour("body", "color")) > ink


@pytest.mark.parametrize("kind", ["laptop", "hostile"])
def test_print_is_dark_on_white_with_what_is_folded_and_nothing_cut_off(opened, kind):
    one = opened(kind, PAPER, "dark")
    one.page.emulate_media(media="print")
    assert one.colour("body", "backgroundColor") == (255, 255, 255)
    assert one.colour("body", "color") == (0, 0, 0)
    assert one.overhang() <= 0
    folded = one.page.locator("details:not(.screen-only) tbody tr")
    assert folded.count() > 10
    assert all(row.bounding_box()["height"] > 5 for row in folded.all()[:5])
    assert not any(part.is_visible() for part in one.page.locator("details.screen-only").all())
    widest = one.page.evaluate("""Math.max(...[...document.querySelectorAll('table, svg, pre')]
        .map(e => e.getBoundingClientRect().right))""")
    assert widest <= PAPER[0]
    assert one.page.pdf(format="A4").startswith(b"%PDF")


# ---- what one takes away ----


def test_the_data_can_be_taken_away(opened, tmp_path):
    page = opened("laptop").page
    names = page.locator("#reproduce a[download]").all_inner_texts()
    assert names == ["simulated-table.csv", "simulated-claims.csv", "simulated-rounds.csv", "simulated.json"]
    for name in names:
        with page.expect_download() as waiting:
            page.get_by_role("link", name=name).click()
        assert waiting.value.suggested_filename == name
        waiting.value.save_as(tmp_path / name)
    assert "counter/rseq" in (tmp_path / "simulated-table.csv").read_text()
    assert json.loads((tmp_path / "simulated.json").read_text())["schema"]


# ---- hostile text ----


def test_hostile_text_is_text(opened):
    one = opened("hostile").unfolded()
    assert one.page.evaluate("typeof pwned") == "undefined"
    assert one.page.evaluate("document.querySelectorAll('script, img, iframe, object, embed').length") == 0
    assert SEEN in one.page.locator(".kind").inner_text()
    assert SEEN in one.page.locator("#machine").inner_text()
    assert SEEN in one.page.title()
    said = one.page.locator("body").inner_text()
    assert "\u202e" not in said and "\x1b" not in said
    assert one.requests == [one.address] and one.complaints == []


def test_text_from_right_to_left_moves_nothing_beside_it(opened):
    one = opened("hostile", (6000, 720))
    assert HEBREW in one.page.locator(".summary bdi").inner_text()
    after, name = one.page.evaluate("""(() => {
        const foreign = document.querySelector('.summary bdi');
        const range = document.createRange();
        const next = foreign.nextSibling;
        const start = next.textContent.indexOf('8 rounds');
        range.setStart(next, start);
        range.setEnd(next, start + 1);
        return [range.getBoundingClientRect(), foreign.getBoundingClientRect()];
    })()""")
    assert after["left"] >= name["right"]
    assert abs(after["top"] - name["top"]) < 5


# ---- the page that is committed ----


def test_the_committed_example_is_such_a_page_and_names_no_place(browser):
    root = Path(__file__).parents[3]
    with Opened(browser, root / "reports" / "example.html") as one:
        assert one.requests == [one.address] and one.complaints == []
        assert one.bottom(".answer .said .interval") <= 720
        text = one.page.locator("body").inner_text()
    assert not re.search(r"(^|[\s'\"=])/(home|root|tmp|work)/", text)
    assert (root / "docs" / "example.png").stat().st_size < 200_000
