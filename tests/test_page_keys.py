"""Keys on the page: each means the same from one day to the next, and none is lost on the way."""

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

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
