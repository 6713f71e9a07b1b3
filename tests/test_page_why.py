"""Why a track is what it is, on the page: reasons, moments, covers, styles, and a comparison."""

import base64
import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from support.page import correct_twenty
from support.serving import CHROMIUM, fill_library, served
from support.small_files import music, wav

expect = sync_api.expect
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
SONG = Path(__file__).parents[1] / "examples" / "midnight_walk.mp3"
# One pixel: a real picture, since a browser shows no other.
COVER = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


def test_reasons_moments_cover_and_the_nearest_of_the_second_genre(page, few):
    address, folder = few
    (folder / "cover.png").write_bytes(COVER)
    page.goto(f"{address}/#list?text=midnight")
    why = page.get_by_role("region", name="Why")
    expect(why.get_by_role("list", name=re.compile("^What points to Jazz"))).to_be_visible(
        timeout=20_000
    )
    expect(why.locator(".shares li").first).to_contain_text(re.compile(r"points to \w+, by"))
    page.locator(".moments button").nth(1).click()
    player = page.get_by_role("region", name="Player")
    expect(player.locator(".plays")).to_contain_text("Midnight Walk")
    start = re.search(r"(\d+):(\d\d)", page.locator(".moments button").nth(1).inner_text())
    assert page.locator(".player input").evaluate("node => Number(node.value)") >= int(start[2])
    compare = why.locator(".compare")
    expect(compare).to_have_text(re.compile("^Compare with the nearest "))
    compare.click()
    expect(compare).to_have_text(re.compile("^(Plays: |No )"))
    page.goto("about:blank")


def test_review_plays_from_the_most_typical_seconds(page, few):
    address, _ = few
    page.goto(f"{address}/#review?text=midnight&review=")
    heading = page.locator(".detail.large h2")
    expect(heading).to_have_text("Midnight Walk")
    number = page.evaluate("() => fetch('/api/v1/tracks?text=midnight').then((a) => a.json())")
    number = number["tracks"][0]["id"]
    begin = page.evaluate("id => fetch(`/api/v1/tracks/${id}`).then((a) => a.json())", number)[
        "typical_s"
    ][0]
    page.keyboard.press("Space")
    slider = page.locator(".player input")
    expect(page.get_by_role("region", name="Player")).to_be_visible()
    page.wait_for_timeout(300)
    assert begin <= slider.evaluate("node => Number(node.value)") <= begin + 5
    page.goto("about:blank")


def test_a_dropped_file_says_why_and_shows_its_cover(page, many, tmp_path):
    import mutagen.id3

    song = tmp_path / SONG.name
    song.write_bytes(SONG.read_bytes())
    tags = mutagen.id3.ID3(song)
    tags.add(mutagen.id3.APIC(mime="image/png", type=3, desc="", data=COVER))
    tags.save()
    page.goto(many)
    page.set_input_files("#files", song)
    card = page.locator(".card")
    expect(card.locator("summary")).to_be_visible(timeout=20_000)
    expect(card.locator(".cover")).to_be_visible()
    card.locator("summary").click()
    expect(card.locator(".shares li").first).to_be_visible()
    card.locator(".moments button").first.click()
    expect(card).to_have_class(re.compile("playing"))


def test_styles_are_a_column(page, many):
    page.goto(f"{many}/#list")
    expect(page.locator("#row-0 .name")).to_be_visible()
    page.get_by_role("button", name="Columns").click()
    page.get_by_label("Styles").check()
    page.get_by_role("button", name="Show these").click()
    page.set_viewport_size({"width": 1600, "height": 800})
    expect(page.get_by_role("columnheader", name="Styles")).to_be_visible()


def test_learn_shows_what_would_change_and_the_page_takes_the_new_model(page, tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 80)
    with served(path) as address:
        page.goto(f"{address}/#overview")
        correct_twenty(page, "Chanson")
        page.reload()
        page.get_by_role("button", name="See what would change").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_contain_text("of 20 corrections that it had not seen", timeout=20_000)
        expect(dialog.get_by_role("row").nth(1)).to_contain_text("→")
        dialog.get_by_role("button", name="Not now").click()
        page.reload()
        page.get_by_role("button", name="Last result").click()
        dialog.get_by_role("button", name="Adopt it").click()
        expect(page.locator(".toast").last).to_contain_text(
            "The new model is in use: 80 tracks classified again.", timeout=20_000
        )
        expect(
            page.get_by_text("In use: a model that learnt from your corrections.")
        ).to_be_visible()
        page.get_by_role("link", name="List", exact=True).click()
        page.get_by_role("combobox", name="By sound").select_option("Chanson")
        expect(page.locator("#row-0 .name")).to_be_visible()
        page.goto("about:blank")


def test_dropped_files_are_kept_in_the_library(page, few):
    address, folder = few
    page.goto(address)
    song = wav(folder.parent / "new.wav", music(9, 3))
    page.set_input_files("#files", [song, SONG])
    expect(page.locator(".summary")).to_have_text("2 of 2 files analysed", timeout=40_000)
    page.get_by_role("button", name="Keep all in library").click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Keep in .*music")).click()
    expect(page.locator(".toast").last).to_contain_text(
        "1 file copied into the library; 1 was in the library already.", timeout=40_000
    )
    expect(page.get_by_role("button", name="In the library").first).to_be_disabled()
    assert [path.name for path in (folder / "Tonearm").iterdir()] == ["new.wav"]
    page.goto(f"{address}/#list?text=new.wav")
    expect(page.locator("#row-0 .name")).to_have_text("new.wav")
    page.goto("about:blank")
