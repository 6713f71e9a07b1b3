"""Who made a track, and which tracks are one recording."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from tonearm.data import groups
from tonearm.data.index import Track
from tonearm.errors import DatasetError


def track(name: str, genre: str = "rock", copy_of: str | None = None) -> Track:
    return Track(name, genre, groups.group_of(name, artist=None), name, 3.0, copy_of)


def test_names_of_what_has_no_genre_are_no_genres() -> None:
    groups.refuse_reserved(["rock", "mixtape", "unknown pleasures"])
    with pytest.raises(DatasetError, match="says “Mix” and “unknown” of music without"):
        groups.refuse_reserved(["unknown", "rock", "Mix"])


@pytest.mark.parametrize(
    ("name", "artist", "group"),
    [
        ("rock/01.mp3", "The Beatles", "artist:beatles"),
        ("rock/Beatles - Help.mp3", None, "artist:beatles"),
        ("rock/01 - Help.mp3", None, "track:rock/01 - Help.mp3"),
        ("rock/rock.00001.au", None, "track:rock/rock.00001.au"),
        ("rock/Help!/01.mp3", "Various Artists", "folder:Help!"),
        ("soul/1.mp3", "Earth, Wind & Fire", "artist:earth wind and fire"),
        ("soul/1.mp3", "earth wind and fire", "artist:earth wind and fire"),
        ("jazz/1.mp3", "The Dave Brubeck Quartet", "artist:dave brubeck"),
        ("rock/1.mp3", "The Band", "artist:the band"),
        ("rock/1.mp3", "AC/DC", "artist:acdc"),
        ("pop/1.mp3", "Дюк Эллингтон", "artist:дюк эллингтон"),
        # Two together are a group of their own: else all who feature each other would be one.
        ("pop/1.mp3", "Ella & Louis", "artist:ella and louis"),
        # An artist's folder above those of albums, and an album's above its discs.
        ("rock/Beatles/Help!/01.mp3", None, "folder:Beatles"),
        ("rock/Help!/CD 2/01.mp3", None, "folder:Help!"),
        ("rock/1965/Help!/01.mp3", None, "folder:Help!"),
        ("rock/Various Artists/Hits/01.mp3", None, "folder:Hits"),
        # The same artist below two genres is one; CD1 of two genres is not.
        ("pop/Beatles/Help!/01.mp3", None, "folder:Beatles"),
        ("rock/CD1/01.mp3", None, "folder:rock/CD1"),
        ("jazz/CD1/01.mp3", None, "folder:jazz/CD1"),
    ],
)
def test_group_is_artist_then_folder_then_track(name: str, artist: str | None, group: str) -> None:
    assert groups.group_of(name, artist=artist) == group


def test_a_folder_called_as_an_artist_of_the_tags_is_his() -> None:
    tagged = replace(track("rock/x.mp3"), group="artist:beatles")
    tracks = [tagged, track("rock/The Beatles/y.mp3"), track("rock/Kinks/z.mp3")]
    assert [t.group for t in groups.join_folders(tracks)] == [
        "artist:beatles",
        "artist:beatles",
        "folder:Kinks",
    ]


def test_unknown_artists_are_counted() -> None:
    found = groups.without_artist(["artist:a", "folder:b", "folder:b", "track:c"])
    assert found == {"folder": 2, "track": 1}
    assert not groups.without_artist(["artist:a"])


def test_copies_are_one_group_and_point_to_the_first() -> None:
    tracks = [Track(name, "rock", f"g{name}", name, 3.0) for name in "abcd"]
    merged = groups.merge_copies(tracks, [("b", "c"), ("c", "d")])
    assert [track.copy_of for track in merged] == [None, None, "b", "b"]
    assert len({track.group for track in merged[1:]}) == 1 != merged[0].group


@pytest.mark.parametrize(
    "chain", list(itertools.permutations(["ab", "bc", "cd", "de"])), ids="-".join
)
def test_copies_of_copies_are_one_recording_in_any_order(chain: tuple[str, ...]) -> None:
    tracks = [Track(name, "rock", f"g{name}", name, 3.0) for name in "abcde"]
    merged = groups.merge_copies(tracks, [(pair[1], pair[0]) for pair in chain])
    assert [track.copy_of for track in merged] == [None, "a", "a", "a", "a"]
    assert {track.group for track in merged} == {"ga"}


def test_the_whole_is_kept_and_the_excerpt_is_the_copy() -> None:
    lengths_s = {"excerpt": 30.0, "whole": 200.0, "again": 200.05, "other": 90.0}
    tracks = [Track(name, "rock", name, name, length) for name, length in lengths_s.items()]
    merged = groups.merge_copies(tracks, [("excerpt", "again"), ("again", "whole")])
    assert [track.copy_of for track in merged] == ["whole", None, "whole", None]
    assert [track.name for track in groups.distinct(merged)] == ["whole", "other"]
    without = [track for track in merged if track.name != "whole"]
    assert [track.name for track in groups.distinct(without)] == ["again", "other"]


def test_a_recording_counts_once_and_not_at_all_where_its_genre_is_in_doubt() -> None:
    tracks = [
        track("rock/a"),
        track("rock/b"),
        track("rock/c", copy_of="rock/a"),
        track("pop/d", "pop", copy_of="rock/b"),
    ]
    assert groups.distinct(tracks) == (tracks[0],)
    assert groups.contradictions(tracks) == [(tracks[1], tracks[3])]
    assert groups.distinct(tracks[2:3]) == (tracks[2],), "the copy alone stands for itself"


@pytest.mark.parametrize("heading", ["", "clip\tartist\n", "\ufeffFile\tArtist\n"])
def test_table_of_artists_with_and_without_a_heading(tmp_path: Path, heading: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(f"{heading}a\tAnn\nb\t\nc\tBob\u2028Cat\n")
    assert groups.read_artists(path) == {"a": "Ann", "c": "Bob\u2028Cat"}
    groups.write_artists(tmp_path / "again.tsv", groups.read_artists(path))
    assert groups.read_artists(tmp_path / "again.tsv") == groups.read_artists(path)


def test_a_spreadsheet_of_artists_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('path,artist\nrock/a.mp3,"Crosby, Stills"\nb.mp3,Bob\n')
    assert groups.read_artists(tmp_path / "a.csv") == {
        "rock/a.mp3": "Crosby, Stills",
        "b.mp3": "Bob",
    }


def test_the_heading_says_which_column_has_the_artists(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("path,genre,artist\na.mp3,rock,Ann\nb.mp3,jazz\n")
    assert groups.read_artists(path) == {"a.mp3": "Ann"}
    path.write_text("path,genre,year\na.mp3,rock,1999\n")
    with pytest.raises(DatasetError, match="has no column artist: its first line is 'path,genre,y"):
        groups.read_artists(path)


@pytest.mark.parametrize("text", ["", "clip\tartist\n", "a,Ann\nb,Bob\n", "a\tAnn\nb\n"])
def test_what_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DatasetError, match=r"a\.csv is not a table of lines clip<TAB>artist"):
        groups.read_artists(tmp_path / "a.csv")


def test_a_table_names_files_by_path_or_by_name_alone() -> None:
    names = ["rock/001.mp3", "jazz/001.mp3", "jazz/b.mp3", "jazz/c.au", "jazz/c.wav"]
    found = groups.artists_of(names, {"rock/001.mp3": "Ann", "b": "Bob", "c": "Cat", "gone": "x"})
    assert found == {
        "rock/001.mp3": "Ann",
        "jazz/b.mp3": "Bob",
        "jazz/c.au": "Cat",
        "jazz/c.wav": "Cat",
    }
    with pytest.raises(
        DatasetError, match=r"'001' fits 2 files here \(rock/001.mp3, jazz/001.mp3\)"
    ):
        groups.artists_of(names, {"001": "Ann"})


@pytest.mark.parametrize("inner", ["wav", "MP3", "train", "audio/wav"])
def test_folders_of_formats_and_subsets_are_nobodys(inner):
    assert groups.group_of(f"rock/{inner}/a.wav", artist=None) == f"track:rock/{inner}/a.wav"
    assert groups.group_of(f"rock/Ann/{inner}/a.wav", artist=None) == "folder:Ann"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Beyoncé", "Beyonce"),
        ("Sigur Rós", "SIGUR ROS"),
        ("Davis, Miles", "Miles Davis"),
        ("Ellington, Duke", "duke ellington"),
        ("Santana feat. Rob Thomas", "Santana"),
        ("Jay-Z (featuring Alicia Keys)", "Jay-Z"),
        ("Eminem ft. Rihanna", "Eminem"),
    ],
)
def test_spellings_of_one_artist(one, other):
    assert groups.plain_artist(one) == groups.plain_artist(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crosby, Stills & Nash", "Stills"),
        ("Earth, Wind & Fire", "Earth"),
        ("The Feat", "The"),
        ("Ann & Bob", "Ann"),
    ],
)
def test_names_that_stay_apart(one, other):
    assert groups.plain_artist(one) != groups.plain_artist(other)


def test_the_albums_artist_counts_unless_it_is_various():
    assert groups.credited("Santana feat. X", "Santana") == "Santana"
    assert groups.credited("Ann", "Various Artists") == "Ann"
    assert groups.credited("Ann", None) == "Ann"
    assert groups.credited(None, "Bob") == "Bob"
