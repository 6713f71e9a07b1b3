"""An evening with the page: nothing that a person did is lost, and it never contradicts itself."""

import re
import time

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.serving import CHROMIUM, fill_library, served
from support.waiting import wait_until

from tonearm.library.file_tags import file_tags
from tonearm.library.store import FileStatus, FileTags, Library

expect = sync_api.expect
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


def api(page, path):
    return page.evaluate("path => fetch('/api/v1' + path).then((answer) => answer.json())", path)


def wait_until_sent(page):
    """No string becomes a script on this page, so Playwright's own waiting does not work."""
    while page.evaluate("() => localStorage.getItem('tonearm.reviews')") != "[]":
        page.wait_for_timeout(20)


def open_list(page, address, query=""):
    page.goto(f"{address}/#list{query}")
    expect(page.locator("#row-0 .name")).to_be_visible()


def current(page):
    return page.locator(".row.current .name").inner_text()


@pytest.fixture
def own(tmp_path):
    """A library of 600 tracks for one test, which may review them."""
    path = tmp_path / "library.sqlite"
    fill_library(path, 600)
    with served(path) as address:
        yield address


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
