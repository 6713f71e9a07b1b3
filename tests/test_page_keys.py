"""Keys on the page: each means the same from one day to the next, and none is lost on the way."""

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.page import correct_twenty
from support.serving import CHROMIUM, fill_library, served

expect = sync_api.expect
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


@pytest.fixture
def reviewing(page, tmp_path):
    """The page at the first of thirty tracks to review."""
    path = tmp_path / "library.sqlite"
    fill_library(path, 30)
    with served(path) as address:
        page.goto(f"{address}/#review")
        expect(page.locator(".place")).to_have_text("1 of 30")
        yield page
        page.goto("about:blank")  # before the server ends


def keys_of(page):
    """The key of each genre that Review offers; of one without a key, an empty text."""
    return page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll('.genre-keys .choice')].map(
            (node) => [node.querySelector('span:not(.swatch)').textContent,
                       node.dataset.key ?? '']))"""
    )


def test_a_genre_of_ones_own_takes_no_digit_and_goes_with_its_last_review(reviewing):
    page = reviewing
    before = keys_of(page)
    assert list(before.values()) == [*"1234567890", ""]
    page.keyboard.press("c")
    page.keyboard.type("trip-hop")
    page.keyboard.press("Enter")
    page.keyboard.press("p")
    choice = page.get_by_role("group", name="Choose a genre").get_by_role("button")
    own = choice.get_by_text("Trip-Hop", exact=True)
    expect(own).to_be_visible()  # as it will be written, not as it was typed
    expect(page.locator(".now-then .badge")).to_have_text("Trip-Hop")
    assert keys_of(page) == {**before, "Trip-Hop": ""}
    page.reload()
    expect(own).to_be_visible()
    page.keyboard.press("z")
    expect(own).to_have_count(0)
    assert keys_of(page) == before


def focus_of(page):
    """The name of what has the focus, or of its element."""
    return page.evaluate(
        """() => document.activeElement.ariaLabel || (document.activeElement.matches('button, a')
            ? document.activeElement.textContent : document.activeElement.className
            || document.activeElement.localName)"""
    )


def test_a_button_that_is_drawn_again_keeps_the_focus_and_one_that_vanishes_leaves_it_near(
    page, tmp_path
):
    path = tmp_path / "library.sqlite"
    fill_library(path, 30)
    with served(path) as address:
        page.goto(f"{address}/#overview")
        correct_twenty(page, "Chanson")
        page.reload()
        see = page.get_by_role("button", name="See what would change")
        see.press("Enter")
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible(timeout=20_000)
        page.keyboard.press("Escape")
        expect(see).to_be_focused()
        page.get_by_role("button", name="Last result").press("Enter")
        dialog.get_by_role("button", name="Adopt it").press("Enter")
        revert = page.get_by_role("button", name="Back to the built-in model")
        expect(revert).to_be_visible(timeout=20_000)
        assert focus_of(page) == "cards-of"
        revert.press("Enter")
        expect(revert).to_have_count(0, timeout=20_000)
        assert focus_of(page) == "cards-of"
        # The button of a message was never where one worked.
        page.get_by_role("link", name="Overview").focus()
        toast = page.locator(".toast").last.get_by_role("button", name="Close message")
        toast.press("Enter")
        assert focus_of(page) == "Overview"
        # By a click on nothing the focus goes on purpose.
        page.mouse.click(1_200, 20)
        page.locator(".toast").first.evaluate("(node) => node.remove()")
        assert focus_of(page) == "body"
        page.goto("about:blank")  # before the server ends


def test_a_token_is_entered_by_keyboard(browser, tmp_path):
    with served(tmp_path / "library.sqlite", token="a word") as address:
        page = browser.new_page()
        page.goto(address)
        for token in ("another", "a word"):
            expect(page.get_by_label("Token")).to_be_focused()
            page.keyboard.type(token)
            page.keyboard.press("Enter")
            if token == "another":
                expect(page.get_by_role("alert")).to_have_text("This token is wrong.")
        expect(page.get_by_role("button", name="Choose files")).to_be_visible()
        page.close()


def test_what_would_be_written_is_seen_at_any_zoom_before_enter_writes_it(reviewing):
    page = reviewing
    for _ in range(5):
        page.keyboard.press("1")
    page.set_viewport_size({"width": 640, "height": 400})  # 1280 by 800 at 200 %
    page.keyboard.press("w")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Write 2 files")).to_be_enabled()
    row = dialog.get_by_role("checkbox").first
    seen = "(box) => { box.scrollIntoView(); const at = box.getBoundingClientRect();"
    seen += " return document.elementFromPoint(at.x + 5, at.y + 5) === box; }"
    assert row.evaluate(seen)
    expect(dialog.get_by_role("radio", name="Only files")).to_be_focused()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.keyboard.press("?")
    expect(dialog.get_by_role("heading", name="Keys")).to_be_in_viewport()


def test_a_name_that_players_would_split_is_refused_in_words(reviewing):
    page = reviewing
    page.keyboard.press("c")
    page.keyboard.type("dub;ska")
    page.keyboard.press("Enter")
    field = page.get_by_label("Type any genre")
    why = field.evaluate("(field) => field.validationMessage")
    assert why == "One genre, without ; , | \\: players split names there."
    field.fill("dub")
    page.keyboard.press("Enter")
    expect(page.locator(".place")).to_have_text("2 of 30")
