"""The library on the page: list, track, map and overview never contradict each other."""

import re

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.page import api, open_list
from support.serving import CHROMIUM, fill_library, served

from tonearm.library.store import FileStatus, FileTags, Library

expect = sync_api.expect
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


def test_what_plays_is_what_is_shown_or_the_bar_says_so(page, few):
    address, _ = few
    open_list(page, address)
    page.keyboard.press("Space")
    player = page.get_by_role("region", name="Player")
    expect(player.locator(".plays")).to_contain_text("Borrowed Van")
    expect(player.locator(".other")).to_be_hidden()
    page.keyboard.press("n")
    expect(player.locator(".plays")).to_contain_text("Gravel and Honey")
    expect(player.get_by_role("button", name=re.compile("^Pause"))).to_be_visible()
    page.locator(".like .part").first.click()
    expect(player.locator(".other")).to_have_text("not the track shown")
    expect(player.locator(".plays")).not_to_contain_text("Gravel and Honey")
    page.get_by_role("link", name="Overview").click()
    expect(player).to_be_visible()
    player.get_by_role("button", name="Stop playing").click()
    expect(player).to_be_hidden()
    page.goto("about:blank")


def test_the_header_says_what_the_strip_says(page, few):
    """The scan took the whole for another genre: both are shown as what they are."""
    address, folder = few
    with Library(folder.parent / "library.sqlite", write=True) as library:
        library.write("UPDATE sounds SET genre = 'metal', nearest = 'metal', confidence = 0.61")
    held = []

    def hold(route):
        held.append(route)

    page.route("**/timeline", hold)
    with page.expect_request("**/timeline"):
        open_list(page, address, "?text=midnight")
    line = page.locator(".verdict-line")
    expect(line).to_contain_text("metal")
    expect(page.locator(".basis")).to_contain_text("The whole track is being analysed.")
    for route in held:
        route.continue_()
    expect(page.locator(".basis")).to_contain_text("From the whole track.", timeout=30_000)
    expect(page.locator(".basis")).not_to_contain_text("being analysed")
    expect(line).to_contain_text("jazz")
    expect(page.locator(".basis strong")).to_have_text(
        "From a few windows, as scanned: metal, 61 %."
    )
    first = page.locator(".probabilities li").first
    share = re.search(r"\d+ %", first.inner_text())[0]
    expect(first).to_contain_text("Jazz")
    expect(line).to_contain_text(share)
    page.goto("about:blank")


def test_memory_is_flat_however_many_tracks_are_looked_at(page, many):
    """The slope of a hundred tracks: a picture that stays, 0.8 MB, would make it 80 MB."""
    answers = {
        "picture": {"duration_s": 20, "columns": 1000, "bands": 48, "peaks": "A" * 1336},
        "timeline": {"timeline": [], "duration_s": 20, "genre": "jazz", "nearest": "jazz"},
        "reasons": {"genre": "jazz", "against": "blues", "tags": [], "windows": [], "bands": []},
    }
    answers["picture"]["levels"] = "A" * 64_000
    answers["timeline"] |= {"confidence": 0.9, "probabilities": {"jazz": 0.9}}
    answers["reasons"]["typical_s"] = [0, 10]
    page.route(
        re.compile("/(picture|timeline|reasons)$"),
        lambda route: route.fulfill(json=answers[route.request.url.rpartition("/")[2]]),
    )
    page.route(re.compile("/similar/"), lambda route: route.fulfill(json={"tracks": []}))
    page.route(re.compile("/cover$"), lambda route: route.fulfill(status=204))
    # The page waits a moment for those who leaf through; the test need not.
    page.add_init_script(
        """window.soon = window.setTimeout;
        window.setTimeout = (run, ms, ...rest) => soon(run, ms === 250 ? 0 : ms, ...rest);"""
    )
    open_list(page, many)
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable")

    def measure(tracks):
        for _ in range(tracks):
            page.keyboard.press("n")
            page.evaluate(
                """() => new Promise((resolve) => {
                    const look = () => document.querySelector('.detail .why .moments')
                        ? resolve() : soon(look, 2);
                    look();
                })"""
            )
        tools.send("HeapProfiler.collectGarbage")
        tools.send("HeapProfiler.collectGarbage")
        counts = tools.send("Memory.getDOMCounters")
        metrics = tools.send("Performance.getMetrics")["metrics"]
        heap = next(row["value"] for row in metrics if row["name"] == "JSHeapUsedSize")
        return heap / 1e3, counts["jsEventListeners"], counts["nodes"]

    # Pages of the table are kept: begin where the first two are there already.
    page.keyboard.press("End")
    page.keyboard.press("Home")
    first, last = measure(10), measure(100)
    print(first, last)
    assert (last[0] - first[0]) / 100 < 15, "kilobytes of JavaScript a track"
    assert last[1] - first[1] < 30 and last[2] - first[2] < 800


def test_files_that_failed_are_found(page, tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 50)
    with Library(path, write=True) as library:
        error = ("not-audio", "is no audio")
        status = FileStatus(1, 1, 1, 1, 1)
        library.put_track(b"/music/bad.mp3", status, FileTags(), error=error)
    with served(path) as address:
        page.goto(f"{address}/#overview")
        page.get_by_role("link", name=re.compile("could not be read")).click()
        expect(page.locator(".shown")).to_have_text("1 track shown")
        expect(page.locator("#row-0 .name")).to_have_text("bad.mp3")
        expect(page.locator(".detail .warning").first).to_have_text(
            "Could not be read: is no audio"
        )
        page.goto("about:blank")


def test_music_on_a_drive_that_is_offline_is_not_called_none(page, tmp_path):
    library = tmp_path / "library.sqlite"
    fill_library(library, 5)
    with Library(library, write=True) as opened:
        opened.write("INSERT INTO roots VALUES (?)", [[b"/music"]])
    with served(library) as address:
        page.goto(f"{address}/#overview")
        expect(page.locator(".empty")).to_contain_text("5 tracks in /music: not there now")
        with Library(library, write=True) as opened:  # the others are there
            opened.write("UPDATE roots SET path = ?", [[b"/music/away"]])
            opened.write("UPDATE tracks SET path = '/music/away/1.mp3' WHERE id = 1")
            opened.write("UPDATE tracks SET path = CAST(path AS BLOB)")
        page.reload()
        expect(page.locator(".notice")).to_contain_text("1 track in /music/away: not there now")
        page.goto("about:blank")


def test_filters_are_in_the_address(page, own):
    open_list(page, own)
    page.get_by_role("combobox", name="By sound").select_option("jazz")
    expect(page.get_by_role("button", name="Remove filter Jazz")).to_be_visible()
    page.get_by_role("columnheader", name="Confidence").get_by_role("button").click()
    shown = page.locator(".shown")
    total = api(page, "/tracks?genre=jazz")["total"]
    expect(shown).to_have_text(f"{total} tracks shown")
    first = page.locator("#row-0 .name").inner_text()
    page.reload()
    expect(shown).to_have_text(f"{total} tracks shown")
    expect(page.locator("#row-0 .name")).to_have_text(first)
    expect(page.get_by_role("combobox", name="By sound")).to_have_value("jazz")
    page.go_back()
    page.go_back()
    expect(shown).to_have_text("600 tracks shown")
    expect(page.get_by_role("combobox", name="By sound")).to_have_value("")
    page.go_forward()
    expect(shown).to_have_text(f"{total} tracks shown")


def test_tracks_on_the_map_are_chosen_by_a_lasso(page, own):
    page.goto(f"{own}/#map")
    canvas = page.locator("canvas.points")
    named = re.compile("^Map of 600 tracks: arrows move")
    expect(canvas).to_have_attribute("aria-label", named, timeout=60_000)
    page.get_by_role("button", name="Lasso").click()
    box = canvas.bounding_box()
    edge = 4
    corners = [(edge, edge), (box["width"] / 2, edge)]
    corners += [(box["width"] / 2, box["height"] - edge), (edge, box["height"] - edge)]
    page.mouse.move(box["x"] + edge, box["y"] + edge)
    page.mouse.down()
    for x, y in corners[1:]:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    chosen = page.locator(".mapped .shown")
    expect(chosen).to_have_text(re.compile(r"^\d+ tracks selected$"))
    number = int(chosen.inner_text().split()[0])
    assert 100 < number < 500, "the left half"
    canvas.focus()  # the same without a pointer: all, then what is left in sight
    for key, expected in (("Enter", "600"), ("+++++", r"[1-4]?\d{1,2}")):
        for sign in key if "+" in key else [key]:
            page.keyboard.press(sign)
        page.keyboard.press("Enter")
        expect(chosen).to_have_text(re.compile(rf"^{expected} tracks selected$"))
    number = int(chosen.inner_text().split()[0])
    page.get_by_role("button", name="Reject").click()
    expect(page.locator(".toast").last).to_contain_text(f"{number} tracks reviewed.")
    assert api(page, "/tracks?review=reject")["total"] == number


def test_a_dialog_closes_when_another_view_is_shown(page, many):
    open_list(page, many)
    page.get_by_role("link", name="Overview").click()
    page.get_by_role("link", name="List", exact=True).click()
    dialog = page.get_by_role("dialog")
    page.keyboard.press("c")
    expect(dialog).to_be_visible()
    page.go_back()
    expect(page.get_by_role("heading", name="Genres by sound")).to_be_visible()
    expect(dialog).to_have_count(0)
    page.go_forward()
    expect(page.get_by_role("grid", name="Tracks")).to_be_visible()
    page.keyboard.press("?")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
