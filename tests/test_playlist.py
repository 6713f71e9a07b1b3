from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from test_library_store import STATUS

from tonearm.cli.playlist import PlaylistForm, write_playlist
from tonearm.errors import LibraryError
from tonearm.library.playlist import Conditions, Entry, TagCondition, m3u8, select, styles_in
from tonearm.library.store import FileTags, Library, ModelRecord, as_stored
from tonearm.model.prediction import Prediction

MODEL = ModelRecord(
    "a" * 64, "test", "encoder", ("jazz", "rock", "pop"), ("Mellow", "Female Vocal")
)


COPY = STATUS._replace(inode=STATUS.inode + 1)


def put(library, name, shares, words, *, known=True, duration_s=100.0, styles=None, **tags):
    number = library.put_sound(
        name,
        model=library.model_id(MODEL),
        windows=np.float16([words, words]),
        duration_s=duration_s,
        warning=None,
        prediction=replace(Prediction.of(MODEL.labels, shares, known=known), styles=styles or {}),
    )
    library.put_track(as_stored(f"/m/{name}"), STATUS, FileTags(**tags), sound=number)


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "l.sqlite", write=True) as library:
        put(library, "b", [0.5, 0.375, 0.125], [0.5, 0.0], genres=("Jazz",), duration_s=300)
        put(library, "a", [0.75, 0.0, 0.25], [0.125, 0.25], styles={"Hard Rock": 0.2})
        styles = {"Hard Rock": 0.3, "Indie": 0.2}
        put(library, "c", [0.0, 0.875, 0.125], [0.0, 0.75], duration_s=60, styles=styles)
        put(library, "d", [0.5, 0.25, 0.25], [0.5, 0.5], known=False)
        library.put_track(as_stored("/m/e"), STATUS, FileTags(), error=("empty", "is empty"))
        yield library


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({}, "abcd"),
        ({"genres": ("jazz",)}, "ab"),
        ({"genres": ("jazz", "rock")}, "abc"),
        ({"genres": ("unknown",)}, "d"),
        ({"genres": ("JAZZ", "Unknown")}, "abd"),
        ({"second": "Rock", "genres": ("ja-zz",)}, "b"),
        ({"min_confidence": 0.75}, "ac"),
        ({"styles": ("hard rock",)}, "ac"),
        ({"styles": ("Hard Rock", "Indie")}, "c"),
        ({"second": "pop"}, "ac"),
        ({"second": "rock", "genres": ("jazz",)}, "b"),
        ({"tags": (TagCondition("mellow", ">", 0.125),)}, "bd"),
        (
            {"tags": (TagCondition("Mellow", ">=", 0.125), TagCondition("female vocal", "<", 0.5))},
            "ab",
        ),
        ({"min_length_s": 100, "max_length_s": 200}, "ad"),
        ({"has_genre": True}, "b"),
        ({"has_genre": False, "genres": ("jazz",)}, "a"),
        ({"genres": ("pop",)}, ""),
    ],
)
def test_conditions(library, conditions, names):
    entries = select(library, Conditions(**conditions))
    assert [entry.path for entry in entries] == [f"/m/{name}" for name in names]


def test_what_is_gone_is_in_no_playlist(library):
    library.write("UPDATE tracks SET missing = 1 WHERE path = ?", [[as_stored("/m/a")]])
    assert len(select(library, Conditions())) == 3


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        (Conditions(genres=("polka",)), "no genre 'polka'"),
        (Conditions(second="unknown"), "no genre 'unknown'"),
        (
            Conditions(tags=(TagCondition("Loud", ">", 0.1),)),
            "no tag 'Loud'; this model has Mellow",
        ),
    ],
)
def test_names_that_the_model_does_not_know(library, conditions, words):
    with pytest.raises(LibraryError, match=words):
        select(library, conditions)


@pytest.mark.parametrize(
    ("text", "name", "sign", "share"),
    [("Mellow>0.2", "Mellow", ">", 0.2), (" female vocal <= .5", "female vocal", "<=", 0.5)],
)
def test_a_condition_as_it_is_written(text, name, sign, share):
    assert TagCondition.parse(text) == TagCondition(name, sign, share)


@pytest.mark.parametrize(
    "text", ["Mellow", "Mellow=0.2", ">0.2", "Mellow>x", "Mellow>1.2.3", "a>."]
)
def test_a_condition_that_is_none(text):
    with pytest.raises(LibraryError, match="not of the form"):
        TagCondition.parse(text)


def test_a_playlist_by_hand():
    entries = [
        Entry("/m/jazz/Ä 1.mp3", 61.6, "Nina", "So\nwhat"),
        Entry("/m/lists/#1.mp3", 10.2, "Nobody", None),
        Entry("/n/x\ny.mp3", 1, None, None),
        Entry(os.fsdecode(b"/m/lists/\xff.mp3"), 3, None, None),
    ]
    made = m3u8(entries, "/m/lists")
    assert made.data == (
        b"#EXTM3U\n"
        b"#EXTINF:62,Nina - So what\n../jazz/\xc3\x84 1.mp3\n"
        b"#EXTINF:10,#1\n./#1.mp3\n"
        b"#EXTINF:3,\xff\n\xff.mp3\n"
    )
    assert [path for path, _ in made.left_out] == ["/n/x\ny.mp3"]


names = st.text(
    st.characters(blacklist_characters="/\0\r\n", blacklist_categories=["Cs"]), min_size=1
)


@given(parts=st.lists(names.filter(lambda n: n not in (".", "..")), min_size=1, max_size=4))
def test_a_path_found_from_the_folder_of_the_list_is_the_track(parts):
    path = "/" + "/".join(parts)
    made = m3u8([Entry(path, 1, None, None)], "/music/lists")
    line = made.data.split(b"\n")[2].decode()
    assert not made.left_out and not line.startswith("#")
    assert os.path.normpath(os.path.join("/music/lists", line)) == os.path.normpath(path)


def test_of_copies_one_is_listed_unless_all_are_asked_for(library):
    number = library.sound_id("a", MODEL.encoder)
    library.put_track(as_stored("/m/a copy"), COPY, FileTags(), sound=number)
    library.put_track(as_stored("/m/a link"), COPY, FileTags(), sound=number)
    paths = [entry.path for entry in select(library, Conditions())]
    assert [os.path.basename(path) for path in paths] == ["a", "b", "c", "d"]
    paths = [entry.path for entry in select(library, Conditions(copies=True))]
    assert [os.path.basename(path) for path in paths] == ["a", "a copy", "b", "c", "d"]


def test_of_copies_the_one_among_its_album_is_listed(library):
    number = library.sound_id("a", MODEL.encoder)
    tags = FileTags(album="Blue")
    library.put_track(as_stored("/m/a copy"), COPY, tags, sound=number)
    for i, name in enumerate(("blue/1", "blue/2", "blue/3")):
        sound = number if i == 1 else library.sound_id("bcd"[i], MODEL.encoder)
        status = STATUS._replace(inode=100 + i)
        library.put_track(as_stored(f"/m/{name}"), status, tags, sound=sound)
    paths = [entry.path for entry in select(library, Conditions(genres=("jazz",)))]
    assert "/m/blue/2" in paths and not {"/m/a", "/m/a copy"} & set(paths)


def test_the_styles_of_a_library_are_listed(library):
    assert styles_in(library) == ["Hard Rock", "Indie"]


@pytest.mark.parametrize(
    ("name", "begins"), [("a.xml", b"<?xml"), ("a.XSPF", b"<?xml"), ("a.m3u", b"#EXTM3U")]
)
def test_the_ending_of_a_list_decides_its_format(library, tmp_path, name, begins):
    entries = [entry._replace(path=f"{entry.path}.mp3") for entry in select(library, Conditions())]
    write_playlist(entries, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(begins)
    write_playlist(entries, tmp_path / name, PlaylistForm.mixxx)
    assert (tmp_path / name).read_bytes().startswith(b"#EXTM3U")


def test_a_list_of_nothing_playable_is_not_written(library, tmp_path, capsys):
    place = tmp_path / "a.xml"
    place.write_text("a person's own")
    with pytest.raises(typer.Exit) as ended:
        write_playlist([Entry("/m/a.ogg", 1.0, None, None)], place)
    assert ended.value.exit_code == 1 and place.read_text() == "a person's own"
    assert "1 track left out: Rekordbox does not play .ogg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("tagged", "genre"),
    [("[]", "Hip-Hop"), ('["Other"]', "Hip-Hop"), ('["Dub", "Ska"]', "Dub; Ska")],
)
def test_the_genre_of_an_entry_is_a_persons_or_else_that_by_sound(tagged: str, genre: str) -> None:
    assert Entry("/a.mp3", 1.0, None, None, None, tagged, "hiphop").genre == genre
    assert Entry("/a.mp3", 1.0, None, None, None, tagged).genre in (None, genre)
