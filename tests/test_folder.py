"""What a folder of music holds before anything is decoded."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tonearm.data import folder
from tonearm.errors import DatasetError


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_genres_that_differ_in_case_or_accents_are_one(tmp_path: Path) -> None:
    composed, decomposed = "Me\u0301tro", "M\u00e9tro"
    root = fill(
        tmp_path, "Techno/a.mp3", "techno/b.mp3", f"{composed}/c.mp3", f"{decomposed}/d.mp3"
    )
    found = folder.look(root)
    assert found.genre("techno/b.mp3") == found.genre("Techno/a.mp3") == "Techno"
    assert found.genre(f"{composed}/c.mp3") == found.genre(f"{decomposed}/d.mp3")
    assert found.renamed["techno"] == "Techno"


def test_empty_folders_and_what_lies_in_none_are_named(tmp_path: Path) -> None:
    root = fill(tmp_path, "rock/a.mp3", "rock.prepared/b.mp3", "lost.mp3", "notes/read.txt")
    found = folder.look(root, out=root / "rock.prepared")
    assert found.names == ("rock/a.mp3",)
    assert found.empty == ("notes",)
    assert found.failed == (("lost.mp3", "is not in the folder of a genre"),)


def test_a_line_break_in_a_name_leaves_the_file_out(tmp_path: Path) -> None:
    found = folder.look(fill(tmp_path, "rock/a\nb.mp3", "rock/c\r.mp3", "rock/d\u2028.mp3"))
    assert found.names == ("rock/d\u2028.mp3",)
    assert [name for name, reason in found.failed if "line break" in reason] == [
        "rock/a\nb.mp3",
        "rock/c\r.mp3",
    ]


def test_a_genre_that_is_no_unicode_is_refused(tmp_path: Path) -> None:
    root = fill(tmp_path, os.fsdecode(b"caf\xe9/a.mp3"), "rock/b.mp3")
    with pytest.raises(DatasetError, match=r"name of genre 'caf\\udce9' is not UTF-8"):
        folder.look(root)


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        folder.look(tmp_path / "nowhere")


def listed(tmp_path, *names):
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return folder.look(tmp_path)


def test_kaggles_folders_of_gtzan(tmp_path):
    inner = "Data/genres_original"
    listing = listed(tmp_path, f"{inner}/blues/blues.00000.wav", f"{inner}/rock/rock.00001.wav")
    assert listing.inside == f"{inner}/"
    assert dict(listing.genres) == {"blues": "blues", "rock": "rock"}
    assert [listing.genre(name) for name in listing.names] == ["blues", "rock"]
    assert listing.below(listing.names[0]) == "blues/blues.00000.wav"


@pytest.mark.parametrize("top", ["genres", "GTZAN", "anything"])
def test_genres_one_folder_deeper(tmp_path, top):
    listing = listed(tmp_path, f"{top}/blues/a.wav", f"{top}/rock/b.wav")
    assert listing.inside == f"{top}/"


def test_one_genre_of_several_artists_is_one_genre(tmp_path):
    listing = listed(tmp_path, "electronic/Ann/a.mp3", "electronic/Bob/b.mp3")
    assert listing.inside == "" and set(listing.genres) == {"electronic"}
    assert listed(tmp_path / "x", "blues/jazz/a.mp3", "blues/rock/b.mp3").inside == ""


def test_folders_of_subsets_are_explained(tmp_path):
    with pytest.raises(DatasetError, match="divided into test, train instead of genres: name one"):
        listed(tmp_path, "train/rock/a.wav", "test/rock/b.wav")
