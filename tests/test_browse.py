from __future__ import annotations

import os
from dataclasses import replace

import pytest
from test_library_store import MODEL, STATUS, put

from tonearm.errors import GenreError
from tonearm.library import browse
from tonearm.library.browse import Filter, Order
from tonearm.library.filters import resolve_genres
from tonearm.library.listing import Query, rows
from tonearm.library.overview import overview
from tonearm.library.playlist import Conditions, select
from tonearm.library.reviews import Review, Reviews, Verdict, attach, reviews_path
from tonearm.library.store import FileTags, Library
from tonearm.library.unwritten import count_named
from tonearm.library.unwritten import unwritten as unwritten_files


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "l.sqlite", write=True) as library:
        put(library, "/m/1.mp3", "k1", title="Élan", artist="Ólafur", genres=("Étude",))
        put(library, "/m/2.mp3", "k2", title="élan vital", album="Straße", genres=("Rock", "Pop"))
        put(library, "/m/E\N{COMBINING ACUTE ACCENT}lan/3.mp3", "k3", title="Zebra", artist="zoe")
        put(library, "/m/\udcff_4%.mp3", "k4", title="elan")
        library.put_track(b"/m/5.mp3", STATUS, FileTags(), error=("empty", "is empty"))
        yield library


def unwritten(library, ids=None):
    return [file.id for file in unwritten_files(library, ids)]


def found(library, text="", **order) -> str:
    page = browse.page(library, Filter(text=text), order=Order(**order))
    assert page.total == len(page.tracks)
    assert [track.id for track, _ in page.tracks] == browse.numbers(
        library, Filter(text=text), order=Order(**order)
    )
    return "".join(str(track.id) for track, _ in page.tracks)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("élan", "123"),
        ("ÉLAN", "123"),
        ("E\N{COMBINING ACUTE ACCENT}lan", "123"),
        ("elan", "4"),
        ("ólaf", "1"),
        ("STRASSE", "2"),
        ("Elan V", ""),
        ("_4%", "4"),
        ("%", "4"),
        ("\ufffd", "4"),
        ("zebra\nzoe", "3"),
    ],
)
def test_letters_of_either_case_are_found(library, text, ids):
    assert sorted(found(library, text)) == list(ids)


def test_order_is_without_case_and_what_has_no_value_comes_last(library):
    assert found(library, by="title") == "43125"
    assert found(library, by="title", descending=True) == "21345"
    assert found(library, by="tag") == "21534"
    assert found(library, by="artist")[:2] == "31"
    assert found(library, by="artist", descending=True)[:2] == "13"


def test_a_file_that_cannot_be_read_is_none_without_a_genre_tag(library):
    read = FileTags(error="its tags cannot be read")
    library.put_track(b"/m/6.mp3", STATUS, read, sound=1)
    bare = [3, 4]
    assert browse.numbers(library, Filter(tag="none")) == bare
    assert overview(library).untagged == len(bare)
    assert [row.path for row in rows(library, Query(tag="none"))] == [
        track.path for track, _ in browse.with_reviews(library, bare)
    ]
    listed = [entry.path for entry in select(library, Conditions(has_genre=False, copies=True))]
    assert listed == [row.path for row in rows(library, Query(tag="none"))]


def test_a_genre_that_no_model_of_the_library_knows_is_refused(library):
    other = library.model_id(replace(MODEL, sha256="other", labels=("Polka",)))
    library.write("UPDATE sounds SET model = ? WHERE key = 'k1'", [[other]])
    assert resolve_genres(library, ["polka", "UNKNOWN"]) == ("Polka", "unknown"), "by another model"
    with pytest.raises(GenreError, match=r"no genre 'zydeco' in this library; it knows .*Polka"):
        browse.numbers(library, Filter(genre="zydeco"))
    assert browse.numbers(library, Filter(genre="zydeco", also=("Zydeco",))) == []


def test_what_a_person_said_and_no_file_holds_yet(library, tmp_path):
    with Reviews(reviews_path(library.path)) as reviews:
        reviews.put(
            [
                Review("k1", Verdict.change, "étude"),
                Review("k2", Verdict.accept, "rock"),
                Review("k3", Verdict.change, "Trip hop"),
                Review("k4", Verdict.reject, None),
            ]
        )
    assert unwritten(library) == [2, 3], "a second genre in the tag is one too many"
    assert browse.count(library, Filter(review="unwritten")) == 1, (
        "a genre that was added to others is written"
    )
    assert (count_named(library), count_named(library, [1, 99])) == (3, 1)
    library.write("UPDATE tracks SET genres = ? WHERE id = 3", [['["Pop/Trip-Hop"]']])
    assert browse.count(library, Filter(review="unwritten")) == 0, "a part of a value is named too"
    assert unwritten(library, [1, 3, 5, 99]) == [3]
    assert unwritten(library, []) == []
    library.write("UPDATE tracks SET missing = 1 WHERE id = 3")
    assert unwritten(library) == [2]


def test_the_numbers_of_all_tracks_however_many(library):
    library.write(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100001)"
        " INSERT INTO tracks(path, size, mtime_ns, ctime_ns, device, inode)"
        " SELECT CAST('/n/' || i AS BLOB), 1, 1, 1, 1, i FROM n"
    )
    assert len(browse.numbers(library, Filter())) == 100_006


def test_more_tracks_than_a_query_takes_values(library):
    attach(library)
    ids = [1, *range(1_000, 300_000), 2]
    assert [track.id for track, _ in browse.with_reviews(library, ids)] == [1, 2]


def test_files_that_failed_are_found_and_copies_of_one_sound(library):
    def ids(**wanted):
        return browse.numbers(library, Filter(**wanted))

    assert ids(state="failed") == [5]
    assert sorted(ids(state="analysed")) == [1, 2, 3, 4]
    assert ids(state="copy") == []
    library.write("UPDATE tracks SET sound = 1, inode = 77 WHERE id = 4")
    assert sorted(ids(state="copy")) == [1, 4]
    library.write("UPDATE tracks SET sound = 1, inode = 77 WHERE id = 3")
    assert sorted(ids(state="copy")) == [1, 3], "4 is a link to 3"
    library.write("UPDATE tracks SET sound = 3, inode = 3 WHERE id = 3")
    assert ids(artist="ÓLAFUR") == [1]
    assert browse.count(library, Filter(state="failed")) == 1


def test_an_album_is_found_by_any_of_its_tracks(tmp_path):
    with Library(tmp_path / "l.sqlite", write=True) as library:
        put(library, "/m/a/1.mp3", "k1", album="One", album_artist="Ada")
        put(library, "/m/b/2.mp3", "k2", album="ONE", album_artist="ada")
        put(library, "/m/a/3.mp3", "k3", album="One", album_artist="Other")
        put(library, "/m/loose/4.mp3", "k4")
        put(library, "/m/loose/5.mp3", "k5")
        assert sorted(browse.numbers(library, Filter(album=2))) == [1, 2]
        assert sorted(browse.numbers(library, Filter(album=5))) == [4, 5]
        albums = browse.albums(library, Filter())
        assert sorted((album.title, album.tracks) for album in albums) == [
            ("One", 1),
            ("One", 2),
            ("loose", 2),
        ]
        order = browse.numbers(library, Filter(), order=Order("album"))
        sizes = [album.tracks for album in albums]
        starts = [sum(sizes[:i]) for i in range(3)]
        assert [album.first for album in albums] == [order[start] for start in starts]


def test_what_is_offline_is_not_shown(library):
    library.write("INSERT INTO roots VALUES (?)", [[os.fsencode("/never/there")]])
    before = browse.count(library, Filter())
    path = library.rows("SELECT path FROM tracks WHERE id = 1")[0][0]
    library.write("INSERT INTO mounts VALUES (?)", [[os.path.dirname(path)]])
    assert before == 5 and browse.count(library, Filter()) < before
