"""Reviewing and writing on the page: nothing that a person did is lost."""

import re
import time

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.page import api, open_list, wait_until_sent
from support.serving import CHROMIUM, fill_library, served
from support.waiting import wait_until

from tonearm.library.file_tags import file_tags

expect = sync_api.expect
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


def test_accepting_all_keeps_reviews_and_z_takes_the_batch_back(page, own):
    open_list(page, own)
    page.keyboard.press("r")
    page.keyboard.press("c")
    page.get_by_role("dialog").get_by_role("button", name="Disco").click()
    expect(page.locator("#row-1 .review")).to_have_text("✎ Disco")
    page.get_by_role("button", name="Review all…").click()
    page.get_by_role("dialog").get_by_role("button", name="Accept", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("You reviewed 2 of them before")
    dialog.get_by_role("button", name="Accept 598").click()
    expect(page.locator(".toast")).to_contain_text("2 reviewed before and left as they were")
    rows = api(page, "/tracks?limit=12")["tracks"]
    known = next(i for i, row in enumerate(rows) if i > 1 and row["genre"])
    expect(page.locator(f"#row-{known} .review")).to_have_text("✓ accepted")
    expect(page.locator("#row-0 .review")).to_have_text("✗ rejected")
    expect(page.locator("#row-1 .review")).to_have_text("✎ Disco")
    page.keyboard.press("z")
    expect(page.locator(f"#row-{known} .review")).to_have_count(0)
    expect(page.locator("#row-0 .review")).to_have_text("✗ rejected")
    page.keyboard.press("z")
    expect(page.locator("#row-1 .review")).to_have_count(0)
    assert api(page, "/tracks?review=some")["total"] == 1


def test_change_and_reject_for_all_that_are_shown(page, own):
    open_list(page, own, "?genre=reggae")
    total = api(page, "/tracks?genre=reggae")["total"]
    every = page.get_by_role("button", name="Select all, or none")
    every.click()
    expect(page.locator(".shown")).to_have_text(f"{total} tracks shown, {total} selected")
    every.click()
    expect(page.locator(".shown")).to_have_text(f"{total} tracks shown")
    page.get_by_role("button", name="Review all…").click()
    page.get_by_role("dialog").get_by_role("button", name="Change", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Blues").click()
    page.get_by_role("button", name=f"Change {total}").click()
    expect(page.locator("#row-0 .review")).to_have_text("✎ Blues")
    assert api(page, "/tracks?review=change")["total"] == total
    page.get_by_role("button", name="Review all…").click()
    page.get_by_role("dialog").get_by_role("button", name="Reject", exact=True).click()
    page.get_by_role("button", name=f"Reject all {total}").click()
    expect(page.locator("#row-0 .review")).to_have_text("✗ rejected")
    assert api(page, "/tracks?review=reject")["total"] == total


def test_an_album_is_accepted_by_its_own_numbers(page, own):
    open_list(page, own, "?by=album&sort=album")
    album = api(page, "/albums?limit=1")["albums"][0]
    page.locator(".album").first.get_by_role("button", name=re.compile("^Accept album")).click()
    dialog = page.get_by_role("dialog", name=f"Accept {album['tracks']} tracks?")
    dialog.get_by_role("button", name=f"Accept {album['tracks']}").click()
    expect(page.locator(".toast")).to_contain_text(re.compile(r"^\d+ tracks reviewed"))
    assert api(page, "/tracks?review=accept")["total"] <= album["tracks"]


def test_ten_quick_keys_review_ten_tracks_on_a_slow_server(page, own):
    def slow(route):
        time.sleep(0.15)
        route.continue_()

    page.route("**/api/v1/review", slow)
    open_list(page, own)
    for _ in range(10):
        page.keyboard.press("r")
        page.wait_for_timeout(20)
    assert page.locator("#row-10").get_attribute("class").split().count("current") == 1
    expect(page.locator(".rows .review.reject")).to_have_count(10)
    wait_until_sent(page)
    rows = api(page, "/tracks?limit=11")["tracks"]
    assert [bool(row["review"]) for row in rows] == [True] * 10 + [False]


def test_writing_shows_progress_stops_goes_on_and_survives_a_reload(page, files):
    address, folder = files
    page.goto(address)
    page.evaluate(
        """() => fetch('/api/v1/review/all', {method: 'POST', headers:
        {'Content-Type': 'application/json'},
        body: JSON.stringify({verdict: 'change', genre: 'Blues'})})"""
    )
    wait_until(lambda: api(page, "/jobs")["jobs"][0]["state"] == "done")
    open_list(page, address)
    expect(page.locator("#row-0 .review")).to_have_text("✎ Blues", timeout=10_000)
    page.keyboard.press("w")
    page.get_by_role("button", name="Write 300 files").click()
    job = page.locator(".job")
    expect(job.locator(".quiet")).to_contain_text(re.compile(r"\d+ of 300"))
    page.reload()
    expect(job.locator("progress")).to_be_visible()
    job.get_by_role("button", name="Stop").click()
    expect(job).to_have_count(0)
    written = sum(file_tags(str(path)).genres == ("Blues",) for path in folder.iterdir())
    assert 0 < written < 300
    assert api(page, "/jobs")["jobs"][0]["result"]["changed"] == written
    page.locator("body").press("w")
    page.get_by_role("button", name=f"Write {300 - written} files").click()
    expect(page.locator(".toast").last).to_contain_text(
        f"{300 - written} files written.", timeout=30_000
    )
    assert all(file_tags(str(path)).genres == ("Blues",) for path in folder.iterdir())
    page.goto("about:blank")


def test_writing_asks_for_policy_groups_and_says_what_would_go(page, few):
    address, _ = few
    open_list(page, address)
    for _ in range(5):
        page.keyboard.press("a")
    page.keyboard.press("Home")
    page.keyboard.press("c")
    page.get_by_role("dialog").get_by_role("button", name="Disco").click()
    page.keyboard.press("w")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Replace a person's genres").check()
    lost = dialog.locator("td.lost")
    expect(dialog.locator(".warning")).to_contain_text("would lose a person's genre")
    assert lost.count() >= 1
    rows = dialog.locator("tbody tr")
    for i in range(1, rows.count()):
        rows.nth(i).get_by_role("checkbox").uncheck()
    expect(dialog.get_by_role("button", name=re.compile("^Write 1 file$"))).to_be_enabled()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_label("Search").fill("midnight")
    expect(page.locator(".shown")).to_have_text("1 track shown")
    page.get_by_role("button", name="Write…").click()
    expect(dialog).to_contain_text("For 1 track.")
    assert all(int(text) <= 1 for text in re.findall(r"(\d+) file", dialog.inner_text()))
    page.keyboard.press("Escape")
    page.goto("about:blank")


def test_keys_work_without_a_click_and_after_a_message(page, own):
    page.goto(f"{own}/#list")
    expect(page.locator("#row-0 .name")).to_be_visible()
    page.locator("body").press("r")
    expect(page.locator("#row-0 .review")).to_have_text("✗ rejected")
    page.keyboard.press("z")
    toast = page.locator(".toast")
    expect(toast).to_be_visible()
    toast.get_by_role("button", name="Close message").click()
    page.keyboard.press("r")
    expect(page.locator("#row-1 .review")).to_have_text("✗ rejected")


def test_a_server_that_stops_is_told_and_reviews_wait_for_it(browser, tmp_path):
    """No bar stands still, nothing is lost, and the page goes on with the next server."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = tmp_path / "library.sqlite"
    fill_library(path, 50)
    page = browser.new_page()
    with served(path, port=port) as address:
        open_list(page, address)
    banner = page.locator("#offline")
    expect(banner).to_contain_text("Tonearm has stopped.", timeout=10_000)
    page.keyboard.press("r")
    expect(page.locator("#row-0 .review")).to_have_text("✗ rejected")
    with served(path, port=port):
        expect(banner).to_be_empty(timeout=10_000)
        expect(page.locator(".toast").last).to_contain_text("Tonearm is running again.")
        wait_until_sent(page)
        assert api(page, "/tracks?review=reject")["total"] == 1
        assert page.locator(".job").count() == 0
        page.close()


def test_review_view_chooses_by_number_and_counts(page, own):
    page.goto(f"{own}/#review")
    head = page.locator(".place")
    expect(head).to_have_text("1 of 600")
    genres = len(api(page, "/genres")["genres"]) - 2  # without unknown and mix
    expect(page.locator(".genre-keys .choice")).to_have_count(genres)
    first = page.locator(".detail.large h2").inner_text()
    page.keyboard.press("3")
    expect(head).to_have_text("2 of 600")
    wait_until_sent(page)
    (row,) = api(page, "/tracks?review=some")["tracks"]
    assert row["title"] == first and row["review"]["genre"] == "country"
    page.keyboard.press("z")
    expect(head).to_have_text("1 of 600")
    wait_until_sent(page)
    assert api(page, "/tracks?review=some")["total"] == 0


def test_any_genre_is_chosen_by_keys_alone(page, own):
    """0 is the tenth; any other, and one that is new, by how its name begins."""
    names = [row["name"] for row in api(page_at(page, own), "/genres")["genres"]]
    dialog = page.get_by_role("dialog")
    page.keyboard.press("0")
    for keys in ("reg", "electro", "dream pop"):
        page.keyboard.press("c")
        page.keyboard.type(keys)
        if keys == "electro":  # a genre, too, not only half of one
            expect(dialog.get_by_role("button", name="Use Electronic")).to_be_visible()
            dialog.get_by_role("button", name="Use “electro”").press("Enter")
        else:
            page.keyboard.press("Enter")
        expect(dialog).to_have_count(0)
    wait_until_sent(page)
    rows = api(page, "/tracks?review=some")["tracks"]
    said = {row["review"]["genre"] for row in rows}
    assert said == {names[9].lower(), "reggae", "electro", "dream pop"}


def page_at(page, address):
    """The page, at the first track to review."""
    page.goto(f"{address}/#review")
    expect(page.locator(".place")).to_have_text("1 of 600")
    return page


def test_w_writes_from_review_and_runs_have_the_numbers_of_the_command_line(page, files):
    address, folder = files
    page.goto(f"{address}/#review")
    expect(page.locator(".place")).to_have_text("1 of 300")
    page.keyboard.press("1")
    page.keyboard.press("w")
    page.get_by_role("button", name="Write 1 file", exact=True).press("Enter")
    expect(page.locator(".toast")).to_contain_text("1 file written.", timeout=20_000)
    page.get_by_role("link", name="Overview").click()
    table = page.get_by_role("region", name="Written so far")
    number = api(page, "/tags/history")["runs"][0]["id"]
    expect(table.get_by_role("row").nth(1).get_by_role("cell").first).to_have_text(str(number))
    assert sum(file_tags(str(path)).genres == ("Blues",) for path in folder.iterdir()) == 1
    page.goto("about:blank")
