"""The page in a browser: what people see and do, by mouse, keyboard and screen reader."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

import mutagen
from support.serving import CHROMIUM, fill_library, served
from support.small_files import music, wav

from tonearm.library.store import Library
from tonearm.model.classifier import Classifier

expect = sync_api.expect
ROOT = Path(__file__).parents[1]
AXE = find_spec("axe_playwright_python")
PIECES = sorted(
    path for path in (ROOT / "examples").iterdir() if path.suffix not in ("", ".md", ".ipynb")
)
TITLE = "<script>document.title = 'broken'</script>"

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


def drop(page, *files):
    """Drop files on the page, as from a file manager."""
    import base64

    contents = [[name, base64.b64encode(data).decode()] for name, data in files]
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, text] of files) {
                const data = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
                transfer.items.add(new File([data], name));
            }
            return transfer;
        }""",
        contents,
    )
    for event in ("dragenter", "dragover", "drop"):
        page.dispatch_event(".drop", event, {"dataTransfer": transfer})


def test_drop_a_file_and_read_the_verdict(page, many):
    page.goto(many)
    drop(page, (PIECES[2].name, PIECES[2].read_bytes()))
    card = page.locator(".card")
    expect(card.locator(".what")).to_have_text("Jazz", timeout=20_000)
    expect(card.locator(".verdict")).to_contain_text("jazz")
    confidence = Classifier.load().predict(PIECES[2], timeline=True).confidence
    expect(card.locator(".head .confidence")).to_contain_text(f"{100 * confidence:.0f} %")
    expect(page.locator(".summary")).to_have_text("1 of 1 file analysed")
    words = f"{PIECES[2].name}: jazz, {100 * confidence:.0f} %. 1 of 1 file analysed"
    expect(page.get_by_role("status")).to_have_text(words)


def test_a_genre_comes_before_the_whole_is_analysed(page, many):
    """From some windows at first, said so; tags, and in the end the whole and the details."""
    page.goto(many)
    page.evaluate(
        """() => {
            window.seen = [];
            new MutationObserver(() => {
                const text = document.querySelector('.card .verdict')?.textContent;
                if (text && seen.at(-1) !== text) seen.push(text);
            }).observe(document, {subtree: true, childList: true, characterData: true});
        }"""
    )
    page.set_input_files("#files", PIECES[2])
    card = page.locator(".card")
    expect(card.locator("summary")).to_be_visible(timeout=20_000)
    expect(card.locator(".file")).to_contain_text("Tonearm – Midnight Walk")
    seen = page.evaluate("() => window.seen")
    assert len(seen) == 2 and seen[0].endswith(", from a few windows so far")
    assert "some windows" not in seen[1]
    card.locator("summary").click()
    expect(card.locator(".columns")).to_contain_text("Classical")


def test_more_than_five_files_are_a_table(page, many, tmp_path):
    paths = [wav(tmp_path / f"{i}.wav", music(i, 3)) for i in range(6)]
    page.goto(many)
    page.set_input_files("#files", paths)
    expect(page.locator(".summary")).to_have_text("6 of 6 files analysed", timeout=60_000)
    tally = page.get_by_role("list", name="Files of each genre")
    assert sum(int(text) for text in re.findall(r"\d+$", tally.inner_text(), re.M)) == 6
    page.get_by_role("combobox", name="Sort").select_option("confidence")
    with page.expect_download() as download:
        page.get_by_role("button", name="Export CSV").click()
    rows = download.value.path().read_text(encoding="utf-8-sig").splitlines()
    assert rows[0] == "file,title,artist,genre,nearest,confidence" and len(rows) == 7


def test_a_table_of_files_says_why_one_is_bad_and_which_are_silent_or_too_short(
    page, many, tmp_path
):
    import numpy as np

    silent = wav(tmp_path / "silent.wav", np.zeros((44_100 * 5, 2), dtype=np.float32))
    short = wav(tmp_path / "short.wav", 0.2 * music(0, 1))
    songs = [wav(tmp_path / f"{i}.wav", music(i, 3)) for i in range(4)]
    (tmp_path / "cover.mp3").write_bytes(b"no music at all, but a few words of text")
    page.goto(many)
    page.set_input_files("#files", [tmp_path / "cover.mp3", silent, short, *songs])
    expect(page.locator(".summary")).to_contain_text("6 of 7 files analysed", timeout=60_000)
    cards = page.locator(".card")
    expect(cards.nth(0).locator(".verdict")).to_be_visible()
    expect(cards.nth(0).locator(".verdict")).to_contain_text("text, not sound")
    expect(cards.nth(1).locator(".what")).to_have_text("Silent")
    expect(cards.nth(2).locator(".what")).not_to_have_text("Unknown")


def test_a_bad_file_and_an_unknown_sound_look_different(page, many, tmp_path):
    import numpy as np

    noise = np.random.default_rng(0).standard_normal((44_100 * 8, 2)).astype(np.float32) * 0.1
    path = wav(tmp_path / "noise.wav", noise)
    page.goto(many)
    drop(page, ("cover.mp3", b"no music"), ("noise.wav", path.read_bytes()))
    bad = page.locator(".card").nth(0)
    expect(bad).to_have_class(re.compile("bad"), timeout=20_000)
    expect(bad.locator(".verdict")).to_contain_text("is text, not sound")
    unknown = page.locator(".card").nth(1)
    expect(unknown.locator(".what")).to_have_text("Unknown", timeout=20_000)
    expect(unknown).to_have_class(re.compile("unknown"))
    expect(page.locator(".summary")).to_have_text("1 of 2 files analysed, 1 could not be read")


def test_fifty_files(page, many, tmp_path):
    paths = [wav(tmp_path / f"{i:02}.wav", music(i, 3)) for i in range(50)]
    page.goto(many)
    page.set_input_files("#files", paths)
    expect(page.locator(".card")).to_have_count(50)
    expect(page.locator(".summary")).to_have_text("50 of 50 files analysed", timeout=90_000)
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".card")).to_have_count(0)


def test_play_and_seek(page, many):
    page.goto(many)
    page.set_input_files("#files", PIECES[2])
    card = page.locator(".card")
    slider = card.get_by_role("slider")
    expect(card.locator("progress")).to_have_count(0, timeout=20_000)
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    expect(card).to_have_class(re.compile("playing"))
    # The bar changes nothing but itself, and stands at the foot of a page with little in it.
    assert page.evaluate("getComputedStyle(document.body).whiteSpace") == "normal"
    foot = page.get_by_role("region", name="Player").bounding_box()
    assert abs(foot["y"] + foot["height"] - page.viewport_size["height"]) < 2
    expect(card.locator(".now")).to_contain_text(re.compile(r"0:1[1-4]  jazz, \d+ %"))
    assert int(slider.get_attribute("aria-valuenow")) >= 11
    page.get_by_role("button", name="Pause midnight_walk.mp3").click()
    expect(card).not_to_have_class(re.compile("playing"))
    slider.focus()
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^0:0[0-3] of 0:22, Jazz"))


def test_record_from_the_microphone(page, many):
    page.goto(many)
    page.get_by_role("button", name="Record").click()
    stop = page.get_by_role("button", name=re.compile("Stop"))
    expect(stop).to_have_text("Stop · 0:04", timeout=15_000)
    stop.click()
    expect(page.locator(".card .file")).to_contain_text("Recording 1", timeout=20_000)
    expect(page.locator(".card .what")).to_have_text(
        re.compile("^(Unknown|[A-Z][a-z-]+)$"), timeout=20_000
    )
    expect(page.locator(".card")).not_to_have_class(re.compile("bad|waiting"), timeout=20_000)


def test_review_by_keyboard_write_and_undo(page, few):
    address, folder = few
    before = {path.name: mutagen.File(path).pprint() for path in folder.iterdir()}
    page.goto(f"{address}/#list")
    grid = page.get_by_role("grid", name="Tracks")
    expect(grid.locator(".rows .row")).to_have_count(5)
    grid.focus()
    page.keyboard.press("a")  # borrowed_van.ogg is rock
    expect(page.locator(".row.current .name")).to_have_text("Gravel and Honey")
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Blues").press("1")
    expect(page.locator(".rows .row").nth(1).locator(".review")).to_have_text("✎ Blues")
    expect(page.locator(".row.current .name")).to_have_text("Midnight Walk")
    page.keyboard.press("r")
    expect(page.locator(".rows .row").nth(2).locator(".review")).to_have_text("✗ rejected")
    page.keyboard.press("w")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("a person's genre is already in 1 reviewed file")
    dialog.get_by_label("Replace a person's genres").check()
    table = dialog.get_by_role("row")
    expect(table.filter(has_text="Gravel and Honey")).to_contain_text("Country→ Blues")
    expect(dialog.locator(".warning")).to_have_text("1 file would lose a person's genre.")
    page.get_by_role("button", name=re.compile("^Write 1 file$")).press("Enter")
    expect(page.locator(".toast")).to_contain_text("1 file written.", timeout=20_000)
    assert mutagen.File(folder / "gravel_and_honey.wav").tags["TCON"].genres == ["Blues"]
    untouched = {name for name in before if name != "gravel_and_honey.wav"}
    assert all(mutagen.File(folder / name).pprint() == before[name] for name in untouched)
    expect(page.locator(".rows .row").nth(1).locator(".tag")).to_have_text("Blues")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    expect(page.locator(".toast")).to_contain_text("1 file restored.", timeout=20_000)
    assert {path.name: mutagen.File(path).pprint() for path in folder.iterdir()} == before
    page.goto("about:blank")  # before the server ends


def test_headings_sort_by_keyboard(page, many):
    page.goto(f"{many}/#list")
    grid = page.get_by_role("grid", name="Tracks")
    expect(grid.locator(".rows .row").first).to_be_visible()
    grid.focus()
    page.keyboard.press("Tab")
    heading = grid.get_by_role("columnheader", name="Track")
    expect(heading.get_by_role("button")).to_be_focused()
    page.keyboard.press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    page.keyboard.press("Space")
    expect(heading).to_have_attribute("aria-sort", "descending")


def test_ten_thousand_rows_scroll(page, many):
    page.goto(f"{many}/#list")
    grid = page.get_by_role("grid", name="Tracks")
    expect(grid).to_have_attribute("aria-rowcount", "10001")
    # The thread's own time: frames of a machine that tests next to it say nothing.
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy_s():
        metrics = tools.send("Performance.getMetrics")["metrics"]
        return next(row["value"] for row in metrics if row["name"] == "TaskDuration")

    before = busy_s()
    page.evaluate(
        """async () => {
            const grid = document.querySelector('.grid');
            for (let i = 0; i < 120; i++) {
                grid.scrollTop += 1500;
                await new Promise(requestAnimationFrame);
            }
        }"""
    )
    frame_ms = (busy_s() - before) / 120 * 1_000
    print(f"{frame_ms:.1f} ms a frame")
    assert frame_ms < 33
    assert grid.locator(".rows .row").count() < 60
    grid.focus()
    page.keyboard.press("End")
    expect(page.locator("#row-9999 .name")).to_contain_text("9999")
    assert grid.get_attribute("aria-activedescendant") == "row-9999"
    page.keyboard.press("Home")
    expect(page.locator("#row-0 .name")).to_have_text(TITLE)  # text, not markup


def test_search_finds_and_narrow_screens_do_not_overflow(page, many):
    page.goto(f"{many}/#list")
    page.get_by_label("Search").fill("lanterns")
    expect(page.locator(".shown")).not_to_contain_text("10,000")
    expect(page.locator("#row-0 .cell.artist")).to_have_text("The Lanterns")
    for view in ("list", "list?by=album&sort=album", "overview", "review", "map", "listen"):
        page.goto(f"{many}/#{view}")
        page.wait_for_timeout(300)
        for width in (320, 390, 820, 1024, 1920):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width, view


def test_keys_lead_from_the_search_to_what_it_found(page, many):
    page.goto(f"{many}/#list")
    grid, search = page.get_by_role("grid", name="Tracks"), page.get_by_label("Search")
    expect(page.locator("#row-0 .name")).to_be_visible()
    for key in ("Enter", "ArrowDown"):
        page.keyboard.press("/")
        expect(search).to_be_focused()
        page.keyboard.type("lanterns")
        page.keyboard.press(key)  # at once: the search is not for the keyboard to wait for
        expect(grid).to_be_focused()
        expect(page.locator("#row-0 .cell.artist")).to_have_text("The Lanterns")
        assert search.input_value() == "lanterns"
        page.keyboard.press("/")
        page.keyboard.press("Escape")
        expect(search).to_have_value("")
        expect(search).to_be_focused()
        page.keyboard.press("Escape")
        expect(grid).to_be_focused()
        expect(page.locator(".shown")).to_have_text("10,000 tracks shown")


def test_a_key_right_after_select_all_is_about_all(page, many):
    page.goto(f"{many}/#list")
    expect(page.locator("#row-0 .name")).to_be_visible()
    page.route("**/track-ids*", lambda route: (page.wait_for_timeout(200), route.continue_()))
    page.get_by_role("grid", name="Tracks").focus()
    page.keyboard.press("Control+a")
    page.keyboard.press("r")
    expect(page.get_by_role("dialog")).to_contain_text("10,000")
    page.keyboard.press("Escape")
    page.unroute("**/track-ids*")


def test_runs_of_writing_fit_a_phone(page, many):
    run = {"started_s": 1.7e9, "finished_s": 1.7e9, "undoes": None, "failed": 3, "undone": 0}
    run |= {"command": "tonearm tag /home/somebody/Music/Collection --write", "undone_by": []}
    runs = [{**run, "id": 14 - i, "done": 1_200} for i in range(12)]
    runs[1] |= {"undone": 1_000, "undone_by": [14]}
    answer = {"schema": 2, "runs": runs, "total": 14, "next": 2}
    page.route("**/tags/history*", lambda route: route.fulfill(json=answer))
    page.set_viewport_size({"width": 380, "height": 800})
    page.goto(f"{many}/#overview")
    expect(page.get_by_role("button", name="Show earlier runs", exact=True)).to_be_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 380
    expect(page.locator(".runs")).to_contain_text("1,000 of them undone by run 14")
    for name in ("Undo run 14", "Undo run 13", "Undo run 3"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 380


def test_a_mix_is_called_so(page, tmp_path):
    fill_library(tmp_path / "l.sqlite", 20)
    with Library(tmp_path / "l.sqlite", write=True) as library:
        library.write("UPDATE sounds SET genre = NULL")
        library.write("UPDATE sounds SET mix = ? WHERE id = 1", [['{"jazz": 0.6, "pop": 0.4}']])
    with served(tmp_path / "l.sqlite") as address:
        page.goto(f"{address}/#overview")
        page.get_by_role("link", name="Mix").click()
        row = page.locator(".rows .row")
        expect(row).to_have_count(1)
        expect(row.locator(".genre")).to_have_text("Mix")
        expect(row.locator(".confidence")).to_have_text("–")
        panel = page.get_by_role("complementary", name="Track")
        expect(panel.locator(".verdict-line")).to_have_text("mix: jazz 60 %, pop 40 %")
        expect(panel.get_by_label("Its genres").locator("li")).to_have_count(2)
        page.goto("about:blank")


def test_the_table_is_in_sight_at_twice_the_size(page, many):
    page.set_viewport_size({"width": 640, "height": 400})  # 1280 by 800 at 200 %
    page.goto(f"{many}/#list")
    expect(page.locator("#row-0 .name")).to_be_visible()
    page.locator("#row-0").scroll_into_view_if_needed()
    box = page.locator("#row-0").bounding_box()
    assert 0 <= box["y"] < 380


def test_scan_from_the_page(page, tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(3):
        wav(folder / f"{i}.wav", music(i, 3))
    with served(tmp_path / "library.sqlite", folders=[folder]) as address:
        for view in ("list", "review", "map"):
            page.goto(f"{address}/#{view}")
            expect(page.get_by_text("No tracks yet").locator("visible=true")).to_be_visible()
            expect(page.locator(".toast")).to_have_count(0)
        page.locator(".mapped").get_by_role("link", name="Scan your music").click()
        expect(page.locator(".overview").get_by_text("No tracks yet")).to_be_visible()
        page.get_by_role("button", name="Scan").click()
        words = "3 tracks, 0:09 of sound"
        expect(page.locator(".overview")).to_contain_text(words, timeout=60_000)
        page.get_by_role("link", name="List", exact=True).click()
        expect(page.locator(".rows .row")).to_have_count(3)
        expect(page.locator(".shown").first).to_have_text("3 tracks shown")
        page.get_by_role("link", name="Review", exact=True).click()
        expect(page.locator(".reviewing")).to_contain_text("1 of 3")
        page.goto("about:blank")


def test_docs_come_from_here(page, many):
    page.goto(f"{many}/docs")
    expect(page.get_by_text("POST /api/v1/predict", exact=True)).to_be_visible()


def nameless(page):
    """Roles of what has the focus by Tab and no name for a screen reader."""
    tree = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    found = []
    for node in tree:
        role = node.get("role", {}).get("value")
        if node["ignored"] or role in {
            "RootWebArea",
            "main",
        }:  # the page, and where a link skips to
            continue
        focusable = any(
            row["name"] == "focusable" and row["value"]["value"] for row in node["properties"]
        )
        if focusable and (not node.get("name", {}).get("value") or role in {"generic", "none"}):
            found.append(role)
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing_serious(browser, many, scheme, width):
    if AXE is None:
        pytest.skip("axe-playwright-python, which brings axe-core, is not installed")
    axe = Path(AXE.origin).with_name("axe.min.js").read_text()
    # Without motion: a button that has just been enabled fades in, too pale to read for .1 s.
    context = browser.new_context(
        color_scheme=scheme,
        viewport={"width": width, "height": 800},
        reduced_motion="reduce",
    )
    page = context.new_page()

    def check(view):
        page.evaluate(axe)
        result = page.evaluate("() => axe.run({resultTypes: ['violations']})")
        serious = [
            (fault["id"], [node["target"] for node in fault["nodes"]], fault["help"])
            for fault in result["violations"]
            if fault["impact"] in {"serious", "critical"}
        ]
        assert serious == [], view
        assert nameless(page) == [], view

    page.goto(many)
    page.set_input_files("#files", [PIECES[0], ROOT / "README.md"])
    expect(page.locator(".summary")).to_have_text(
        "1 of 2 files analysed, 1 could not be read", timeout=20_000
    )
    check("listen")
    page.goto(f"{many}/#list")
    expect(page.locator("#row-0 .name")).to_be_visible()
    page.locator("#row-1 .title").click()
    expect(page.locator(".detail dl")).to_be_visible()
    check("library")
    page.locator(".grid").focus()
    page.keyboard.press("c")
    expect(page.get_by_role("dialog")).to_be_visible()
    check("genres")
    page.keyboard.type("el")  # those that do not begin so become quiet
    check("genres, typing")
    page.keyboard.press("Escape")
    page.goto(f"{many}/#list?by=album&sort=album&genre=jazz")
    expect(page.locator(".album").first).to_be_visible()
    check("albums")
    page.get_by_role("button", name="Write…").click()
    expect(page.get_by_role("dialog")).to_contain_text("Nothing")
    check("write")
    page.keyboard.press("Escape")
    page.goto(f"{many}/#overview")
    expect(page.locator(".figure").first).to_be_visible(timeout=30_000)
    check("overview")
    page.goto(f"{many}/#review")
    expect(page.locator(".place")).to_contain_text("1 of")
    check("review")
    page.goto(f"{many}/#map")
    expect(page.locator(".points")).to_have_attribute(
        "aria-label", re.compile("[0-9]"), timeout=60_000
    )
    check("map")
    page.goto(f"{many}/docs")
    expect(page.get_by_text("POST /api/v1/predict", exact=True)).to_be_visible()
    check("docs")
    context.close()
