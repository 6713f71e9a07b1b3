"""What the page tells those who do not see it, or who do not use its keys."""

import json
import re

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.serving import CHROMIUM, fill_library, served

expect = sync_api.expect
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
NEXT = r"[^:]+ – [^:]+: (unknown|[a-z-]+, \d+ %)\. {} of 30"


@pytest.fixture(scope="module")
def thirty(tmp_path_factory):
    path = tmp_path_factory.mktemp("thirty") / "library.sqlite"
    fill_library(path, 30)
    with served(path) as address:
        yield address


def told(page, words):
    expect(page.get_by_role("status")).to_have_text(re.compile(f"^{words}$"))


def test_review_tells_what_became_of_a_track_and_what_comes_next(page, thirty):
    page.goto(f"{thirty}/#review")
    told(page, NEXT.format(1))
    page.keyboard.press("n")
    told(page, NEXT.format(2))
    page.keyboard.press("1")
    told(page, rf"(accepted|is Blues)\. {NEXT.format(3)}")
    page.keyboard.press("z")
    told(page, rf"Undone: 1 track as before\. {NEXT.format(2)}")


def test_how_many_tracks_are_selected_is_told(page, thirty):
    page.goto(f"{thirty}/#list")
    told(page, "30 tracks shown")
    page.keyboard.press("x")
    told(page, "30 tracks shown, 1 selected")
    page.keyboard.press("Control+a")
    told(page, "30 tracks shown, 30 selected")
    page.goto(f"{thirty}/#map")
    canvas = page.get_by_role("application", name=re.compile("^Map of 30 tracks"))
    canvas.press("Enter")
    told(page, "30 tracks selected")


def test_letters_and_digits_can_be_switched_off_and_on(page, thirty):
    page.set_viewport_size({"width": 640, "height": 400})  # a desk at 200 %
    page.goto(f"{thirty}/#review")
    place = page.locator(".place")
    expect(place).to_have_text("1 of 30")
    page.keyboard.press("?")
    box = page.get_by_role("dialog").get_by_role("checkbox", name="Letters, digits and signs")
    expect(box).to_be_focused()
    assert page.get_by_role("dialog").evaluate("node => node.scrollTop") == 0
    page.keyboard.press("Space")
    page.keyboard.press("Escape")
    page.reload()
    expect(place).to_have_text("1 of 30")
    for key in "n1ar?":
        page.keyboard.press(key)
    page.keyboard.press("ArrowRight")
    expect(place).to_have_text("2 of 30")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Keys").click()
    box.check()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(place).to_have_text("3 of 30")


def test_a_picture_says_why_it_is_empty_and_its_parts_begin_with_what_is_seen(page, thirty):
    page.goto(thirty)
    page.evaluate(
        """async () => {
            const { makePicture } = await import('/static/picture.js');
            const { load } = await import('/static/genres.js');
            await load();
            window.drawn = [];
            CanvasRenderingContext2D.prototype.fillText = (text) => window.drawn.push(text);
            window.made = makePicture({ label: 'a mix', onseek: (at) => made.setTime(at) });
            document.querySelector('main').append(made.node);
            const parts = [[0, 300, 'jazz'], [300, 600, 'rock']];
            made.setTimeline(parts.map(([start_s, end_s, genre]) =>
                ({ start_s, end_s, genre, confidence: 0.9 })), 600);
        }"""
    )
    assert "Its spectrogram follows…" in page.evaluate("() => window.drawn")
    page.evaluate("() => (window.drawn = [], made.setPicture(null))")
    assert "It is damaged: no spectrogram." in page.evaluate("() => window.drawn")
    part = page.locator(".parts button").nth(1)
    expect(part).to_have_accessible_name("Rock 5:00–10:00, 90 %: play from there")
    assert part.text_content() == "Rock 5:00–10:00"
    slider = page.get_by_role("slider", name="Position in a mix")
    for key, at in (("PageUp", 60), ("PageUp", 120), ("PageDown", 60), ("ArrowRight", 65)):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuenow", str(at))


def test_a_similar_track_is_called_by_all_that_is_seen_of_it(page, thirty):
    """Who speaks to a computer names a button by its text."""
    page.goto(f"{thirty}/#list")
    told(page, "30 tracks shown")
    for _ in range(20):  # as many as there are similar ones among
        page.keyboard.press("r")
    page.locator(".row").nth(1).click()
    similar = page.locator(".like button").filter(has_text="rejected").first
    expect(similar).to_have_accessible_name(re.compile("^Play .+ – .+ ✗ rejected$"))


def test_every_column_of_the_runs_has_a_heading(page, thirty):
    run = {"id": 1, "command": "tag", "started_s": 1e9, "finished_s": 1e9, "done": 2, "failed": 0}
    run |= {"undoes": None, "undone": 0, "undone_by": []}
    answer = json.dumps({"runs": [run], "total": 1})
    page.route("**/tags/history*", lambda route: route.fulfill(body=answer))
    page.goto(f"{thirty}/#overview")
    heads = page.locator(".runs th")
    expect(heads).to_have_count(6)
    assert all(heads.all_inner_texts())


def test_all_views_are_reached_on_the_narrowest_screen(page, thirty):
    page.set_viewport_size({"width": 320, "height": 568})
    page.goto(thirty)
    last = page.get_by_role("navigation").get_by_role("link").last
    expect(last).to_be_in_viewport(ratio=1)
    nav = page.get_by_role("navigation").evaluate("node => [node.scrollWidth, node.clientWidth]")
    assert nav[0] == nav[1]


def test_an_undo_while_the_server_is_away_says_that_it_waits(page, tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 3)
    with served(path) as address:
        page.goto(f"{address}/#review")
        expect(page.locator(".place")).to_have_text("1 of 3")
    expect(page.get_by_role("alert")).to_contain_text("Tonearm has stopped.")
    page.keyboard.press("z")
    expect(page.locator(".toast")).to_contain_text("undone when Tonearm runs again")
    page.goto("about:blank")
