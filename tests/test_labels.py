"""Labels from tables: plain CSV, FMA's own, mirdata's index."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tonearm.data import folder, groups, index, labels, prepare, splits
from tonearm.data.index import Index, Track
from tonearm.data.labels import Label
from tonearm.errors import DatasetError

FMA = """\
,album,artist,set,set,track,track
,title,name,split,subset,genre_top,genres
track_id,,,,,,
2,AWOL,AWOL,training,small,Hip-Hop,[21]
5,AWOL,AWOL,validation,medium,,"[21, 15]"
10,Constant,"Kurt, Vile",test,small,Pop,[10]
"""
GENRES = "genre_id,#tracks,parent,title,top_level\n10,1,0,Pop,10\n15,1,0,Electronic,15\n" + (
    "21,1,0,Hip-Hop,21\n"
)


def table(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.mark.parametrize(
    "text",
    [
        "path,genre,artist,album,split\na.mp3,Rock; Pop,Ann,Blue,training\nb.mp3,Jazz,,,\n",
        "\ufeffFile;Genres;Artist;Album;Set\na.mp3;Rock|Pop;Ann;Blue;Train\nb.mp3;Jazz;;;\n",
        'filename\tlabel\tartist\talbum\tsplit\na.mp3\t"Rock;Pop"\tAnn\tBlue\ttrain\nb.mp3\tJazz\n',
    ],
    ids=["commas", "semicolons", "tabs"],
)
def test_plain_tables(tmp_path: Path, text: str) -> None:
    found = labels.read(table(tmp_path / "t.csv", text))
    assert found["a.mp3"] == Label(("Rock", "Pop"), "Ann", "Blue", "train")
    assert found["b.mp3"] == Label(("Jazz",))


def test_a_table_that_is_written_is_read_as_it_was(tmp_path: Path) -> None:
    made = {'odd, "name".mp3': Label(("rock", "pop"), "A, B", None, "valid"), "b": Label()}
    labels.write(made, tmp_path / "t.csv")
    assert labels.read(tmp_path / "t.csv") == made


def test_tables_of_fma_have_three_rows_of_headings(tmp_path: Path) -> None:
    table(tmp_path / "genres.csv", GENRES)
    found = labels.read(table(tmp_path / "tracks.csv", FMA))
    assert found["000002"] == Label(("Hip-Hop",), "AWOL", "AWOL", "train")
    assert found["000005"] == Label(("Hip-Hop", "Electronic"), "AWOL", "AWOL", "valid")
    assert found["000010"] == Label(("Pop",), "Kurt, Vile", "Constant", "test")
    root = touch(tmp_path / "fma_small", "000/000002.mp3", "000/000010.mp3", "000/000011.mp3")
    listing = folder.look(root, labels=found)
    assert {name: listing.genre(name) for name in listing.names} == {
        "000/000002.mp3": "hiphop",
        "000/000010.mp3": "pop",
    }
    assert listing.unlabelled == 1 and listing.absent == ("000005",)
    split = splits.load(tmp_path / "tracks.csv")
    assert dict(split.subsets) == {"train": ("000002",), "valid": ("000005",), "test": ("000010",)}


@pytest.mark.parametrize("cell", ["[1e999]", "-" * 9_999 + "1", "[" * 999, "9" * 5_000, "[a"])
def test_a_list_of_fma_that_is_none_names_no_genre(tmp_path: Path, cell: str) -> None:
    table(tmp_path / "genres.csv", GENRES + "x,1\n")
    found = labels.read(table(tmp_path / "tracks.csv", FMA + f"11,,,test,small,Pop,{cell}\n"))
    assert found["000011"].genres == ("Pop",)


def test_a_table_of_fma_genres_that_is_none_is_named(tmp_path: Path) -> None:
    for text in ("", "id,name\n21,Hip-Hop\n"):
        table(tmp_path / "genres.csv", text)
        with pytest.raises(DatasetError, match=r"genres\.csv has no columns genre_id and title"):
            labels.read(table(tmp_path / "tracks.csv", FMA))


def test_a_quotation_mark_without_its_partner_is_named(tmp_path: Path) -> None:
    text = 'path,artist\na.mp3,"Ann\n' + "b.mp3,Ben\n" * 20_000
    for read in (labels.read, groups.read_artists):
        with pytest.raises(DatasetError, match=r"t\.csv cannot be read as CSV at line \d+"):
            read(table(tmp_path / "t.csv", text))


def test_the_index_of_mirdata_finds_files_one_folder_higher(tmp_path: Path) -> None:
    tracks = {
        f"{genre}.00000": {"audio": [f"gtzan_genre/genres/{genre}/{genre}.00000.wav", "abc"]}
        for genre in ("blues", "rock")
    }
    text = json.dumps({"version": "1.0", "tracks": tracks})
    found = labels.read(table(tmp_path / "gtzan_genre_index_1.0.json", text))
    root = touch(tmp_path / "all", "blues.00000.wav", "x/rock.00000.wav")
    listing = folder.look(root, labels=found)
    assert [listing.genre(name) for name in listing.names] == ["blues", "rock"]


def test_paths_in_tables_may_begin_one_folder_higher() -> None:
    table = {"music/rock/a.mp3": Label(("rock",)), "b.mp3": Label()}
    found, absent = labels.of_names(table, ["rock/a.mp3", "pop/a.mp3"])
    assert (found, absent) == ({"rock/a.mp3": Label(("rock",))}, ("b.mp3",))
    with pytest.raises(DatasetError, match=r"'a' fits 2 files here \(rock/a.mp3, pop/a.mp3\)"):
        labels.of_names({"a": Label()}, ["rock/a.mp3", "pop/a.mp3"])
    with pytest.raises(DatasetError, match=r"none of the files, such as 'x.mp3'; its first"):
        labels.of_names({"a": Label()}, ["x.mp3"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty"),
        ("path,genre\n", "names no track"),
        ("a.mp3,rock\n", "its first line must name the columns path and genre"),
        ("path,genre\na.mp3,rock\n,pop\n", "line 3 names no track"),
        (
            "path,genre\na.mp3,rock\na.mp3,pop\n",
            "names 'a.mp3' twice, and says",
        ),
        ("path,genre,split\na.mp3,rock,holdout\n", "line 2: 'holdout' is not a subset"),
        ('{"tracks": {"a": 5}}', "is not an index of mirdata"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        labels.read(table(tmp_path / "t.csv", text))


def test_a_table_without_genres_leaves_these_to_folders(tmp_path: Path) -> None:
    root = touch(tmp_path / "m", "rock/a.mp3", "pop/b.mp3")
    found = labels.read(table(tmp_path / "t.csv", "path,artist\nrock/a.mp3,Ann\n"))
    listing = folder.look(root, labels=found)
    assert {name: listing.genre(name) for name in listing.names} == {
        "pop/b.mp3": "pop",
        "rock/a.mp3": "rock",
    }
    files = {name: prepare.FileRecord(name, 3.0, None) for name in listing.names}
    assert [track.group for track in prepare.tracks_of(listing, files, {})] == [
        "track:pop/b.mp3",
        "artist:ann",
    ]


def test_tracks_keep_all_of_their_genres_and_albums_group(tmp_path: Path) -> None:
    root = touch(tmp_path / "m", "a.mp3", "b.mp3")
    text = "path,genre,album\na.mp3,Hip-Hop;Rock,Blue\nb.mp3,hip hop,Blue\n"
    listing = folder.look(root, labels=labels.read(table(tmp_path / "t.csv", text)))
    files = {name: prepare.FileRecord(name, 3.0, None) for name in listing.names}
    tracks = prepare.tracks_of(listing, files, {})
    assert [track.genres for track in tracks] == [("hiphop", "rock"), ("hiphop",)]
    assert {track.group for track in tracks} == {"folder:Blue"}
    Index(tuple(tracks)).save(tmp_path / "index.jsonl")
    assert index.load(tmp_path).tracks == tuple(tracks)


def test_splits_as_plain_csv(tmp_path: Path) -> None:
    split = splits.Split("mine", {"train": ("rock/a, b.mp3",), "valid": ("pop/c.mp3#3",)})
    split.save(tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == (
        'path,split\npop/c.mp3#3,valid\n"rock/a, b.mp3",train\n'
    )
    assert splits.load(tmp_path / "mine.csv") == split
    assert splits.load(tmp_path / "mine.csv").sha256 == split.sha256


def test_a_csv_names_files_alone_or_from_one_folder_higher(tmp_path: Path) -> None:
    tracks = [Track(f"rock/{i}.mp3", "rock", f"artist:{i}", i, 3.0) for i in "abc"]
    text = "path,split\na.mp3,train\nmusic/rock/b.mp3,valid\npop/c.mp3,test\n"
    split = splits.load(table(tmp_path / "s.csv", text))
    found = splits.find_all(split, Index(tuple(tracks)))
    assert [track.name for track in found["train"].tracks] == ["rock/a.mp3"]
    assert [track.name for track in found["valid"].tracks] == ["rock/b.mp3"]
    # Of a track that is gone, one of the same name elsewhere is not taken.
    assert (found["test"].tracks, found["test"].missing) == ((), 1)


def test_a_csv_that_leaks_is_refused_like_any_split(tmp_path: Path) -> None:
    made = Index(tuple(Track(f"rock/{i}.mp3", "rock", "artist:ann", str(i), 3.0) for i in "ab"))
    path = table(tmp_path / "s.csv", "path,split\na,train\nb,test\n")
    with pytest.raises(DatasetError, match="split s leaks: 1 group "):
        splits.make(str(path), made)
    with pytest.raises(DatasetError, match="has no column split"):
        splits.load(table(tmp_path / "t.csv", "path,genre\na,rock\n"))


def test_an_album_joins_what_no_artist_does() -> None:
    assert groups.group_of("rock/a.mp3", artist=None, album="Blue") == "folder:Blue"
    assert groups.group_of("rock/a.mp3", artist="Ann", album="Blue") == "artist:ann"
    assert groups.group_of("rock/a.mp3", artist=None, album="CD1") == "track:rock/a.mp3"


def test_a_path_never_stands_for_a_file_of_another_folder():
    """The song that the table means is gone; another folder's of that name is not it."""
    given = {"rock/01.mp3": Label(("rock",)), "b/02.mp3": Label(("pop",))}
    found, absent = labels.of_names(given, ["jazz/01.mp3", "b/02.mp3"])
    assert found == {"b/02.mp3": Label(("pop",))} and absent == ("rock/01.mp3",)
    assert labels.of_names({"data\\jazz\\01.mp3": Label(("jazz",))}, ["jazz/01.mp3"])[0]


def test_a_column_of_groups_is_what_no_split_divides(tmp_path):
    path = table(tmp_path / "t.csv", "path,label,group\na.mp3,rock,g7\n")
    assert labels.read(path) == {"a.mp3": Label(("rock",), artist="g7")}
    path = table(tmp_path / "t.csv", "path,label,group,artist\na.mp3,rock,g7,Ann\n")
    assert labels.read(path)["a.mp3"].artist == "Ann"
