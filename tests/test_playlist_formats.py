from __future__ import annotations

from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import pytest

from tonearm.library.playlist import Entry
from tonearm.library.playlist_formats import mixxx, rekordbox, xspf

ENTRIES = [
    Entry("/music/a & <b>.mp3", 61.4, 'Simon & "Garfunkel"', "It's\x07 a <song>"),
    Entry("/music/ü \udcff#?.flac", 5.0, None, None, "One & all", '["Rock", "Soul"]', "jazz"),
]
STORED = [b"/music/a & <b>.mp3", "/music/ü ".encode() + b"\xff#?.flac"]


def located(url, host=""):
    assert url.startswith(f"file://{host}/")
    return unquote_to_bytes(url.removeprefix(f"file://{host}"))


def test_xspf():
    root = ElementTree.fromstring(xspf(ENTRIES).data)
    spaces = {"x": "http://xspf.org/ns/0/"}
    assert [located(e.text) for e in root.iterfind(".//x:location", spaces)] == STORED
    assert [e.text for e in root.iterfind(".//x:title", spaces)] == ["It's\ufffd a <song>"]
    assert [e.text for e in root.iterfind(".//x:duration", spaces)] == ["61400", "5000"]


def test_rekordbox():
    root = ElementTree.fromstring(rekordbox(ENTRIES, "Calm & slow").data)
    tracks = root.findall("COLLECTION/TRACK")
    assert [located(track.get("Location"), "localhost") for track in tracks] == STORED
    assert tracks[0].get("Artist") == 'Simon & "Garfunkel"'
    assert [track.get("Genre") for track in tracks] == ["", "Rock; Soul"]
    assert tracks[1].get("Album") == "One & all"
    assert tracks[1].get("Name") == "ü \ufffd#?.flac"
    (node,) = root.findall("PLAYLISTS/NODE/NODE")
    assert (node.get("Name"), node.get("Entries")) == ("Calm & slow", "2")
    assert [key.get("Key") for key in node] == [track.get("TrackID") for track in tracks]


def test_rekordbox_gets_nothing_that_it_cannot_play():
    more = [Entry(f"/music/{name}", 1.0, None, None) for name in ("a.OGG", "b.opus", "c.ogg", "d")]
    made = rekordbox([*ENTRIES, *more], "All")
    assert made.data == rekordbox(ENTRIES, "All").data
    assert made.unplayable == {".ogg": 2, ".opus": 1, "": 1}


@pytest.mark.parametrize("name", ["a\nb.mp3", "a\rb.mp3"])
def test_mixxx_gets_whole_paths(name):
    made = mixxx([*ENTRIES, Entry(f"/music/{name}", 1.0, None, None)])
    lines = made.data.split(b"\n")
    assert lines[2::2] == STORED
    assert [path for path, _ in made.left_out] == [f"/music/{name}"]
