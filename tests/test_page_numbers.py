"""Numbers on the page: each leads to as many rows as it says, and what no list has is named."""

import os
import re

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.serving import CHROMIUM, fill_with_files, served

from tonearm.library.reviews import Review, Reviews, Verdict, reviews_path
from tonearm.library.store import FileStatus, FileTags, Library

expect = sync_api.expect
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


@pytest.fixture
def reviewed(page, tmp_path):
    """The page with eight tracks, five of them reviewed as another genre, one rejected."""
    path, folder = tmp_path / "library.sqlite", tmp_path / "music"
    fill_with_files(path, folder, 8)
    with Library(path, write=True) as library:
        keys = [key for (key,) in library.rows("SELECT key FROM sounds ORDER BY id")]
        status = FileStatus(1, 1, 1, 1, 1)
        library.put_track(b"/music/bad.mp3", status, FileTags(), error=("empty", "is empty"))
        (folder / "away.mp3").symlink_to(tmp_path / "nowhere.mp3")
        unread = [(os.fsencode(folder / "away.mp3"), "is a link to nowhere")]
        library.write("INSERT INTO unread VALUES (?, ?)", unread)
    with Reviews(reviews_path(path)) as reviews:
        reviews.put([Review(key, Verdict.change, "Chanson") for key in keys[:5]])
        reviews.put([Review(keys[5], Verdict.reject, None)])
    with served(path) as address:
        page.goto(f"{address}/#overview")
        yield page, folder
        page.goto("about:blank")  # before the server ends


def test_each_number_leads_to_as_many_tracks(reviewed):
    page, _ = reviewed
    figures = page.locator("a.figure")
    expect(figures.first).to_be_visible()
    for words in figures.all_inner_texts():
        number, text = words.split("\n", 1)
        page.get_by_role("link", name=re.compile(f"{text.strip()}$")).click()
        expect(page.locator(".shown")).to_have_text(re.compile(rf"^{number} tracks? shown$"))
        page.go_back()
        expect(figures.first).to_be_visible()
    expect(page.get_by_text("away.mp3: is a link to nowhere")).to_be_visible()


def test_all_files_that_were_skipped_are_named(reviewed):
    page, folder = reviewed
    for number in range(1, 5):
        (folder / f"{number}.wav").unlink()
    page.get_by_role("link", name="List", exact=True).click()
    page.get_by_role("button", name="Write…").click()
    page.get_by_role("button", name="Write 5 files").click()
    toast = page.locator(".toast").filter(has_text="2 more files skipped.")
    toast.get_by_role("button", name="Show all").click()
    rows = page.get_by_role("dialog").get_by_role("rowheader")
    expect(rows).to_have_count(4)
    expect(rows.nth(3)).to_have_text("4.wav")
