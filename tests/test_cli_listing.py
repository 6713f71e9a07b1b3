"""``list``, ``forget``, ``export`` and ``doctor``."""

from __future__ import annotations

import csv
import json
import os
import threading

import mutagen
import pytest
from support import small_files, tagged
from typer.testing import CliRunner

from tonearm.cli import listing as listing_command
from tonearm.cli.app import app
from tonearm.library import listing
from tonearm.library.store import Library, as_stored
from tonearm.tagging.doctor import PLAYERS


@pytest.fixture
def music(tmp_path):
    """Four files: tagged by a person, without a tag, of an unknown sound, and gone."""
    folder = tmp_path / "music"
    folder.mkdir()
    plain = small_files.write(tmp_path / "plain.flac", small_files.music(1, 0.3)).read_bytes()
    files = {}
    for name, genres in (("a", ["Rock"]), ("b", []), ("c", []), ("gone", [])):
        path = folder / f"{name}.flac"
        path.write_bytes(plain)
        files[name] = tagged.with_tags(path, genres)
    tagged.library_of(
        tmp_path / "l.sqlite",
        {
            files["a"]: {"jazz": 0.9, "blues": 0.1},
            files["b"]: {"hiphop": 0.6, "jazz": 0.4},
            files["c"]: {},
            files["gone"]: {"pop": 0.8},
        },
    )
    files["gone"].unlink()
    with Library(tmp_path / "l.sqlite", write=True) as library:
        library.write("UPDATE tracks SET missing = 1 WHERE path = ?", [[as_stored(files["gone"])]])
    return files


@pytest.fixture
def tonearm(tmp_path):
    def run(*arguments, code=0):
        result = CliRunner().invoke(app, list(map(str, arguments)), env={"NO_COLOR": "1"})
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def names(tonearm, tmp_path):
    def listed(*arguments):
        run = tonearm("list", *arguments, "--format", "json", "--library", tmp_path / "l.sqlite")
        return [row["path"].rsplit("/")[-1][0] for row in json.loads(run.stdout)["files"]]

    return listed


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], "abc"),
        (["--genre", "Hip Hop"], "b"),
        (["--unknown"], "c"),
        (["--unknown", "--genre", "jazz"], "ac"),
        (["--min-confidence", "0.7"], "a"),
        (["--max-confidence", "0.7", "--genre", "hiphop"], "b"),
        (["--genre-tag", "none"], "bc"),
        (["--genre-tag", "person"], "a"),
        (["--genre-tag", "tonearm"], ""),
        (["--disagree"], "a"),
        (["--missing"], "g"),
        (["--failed"], ""),
        (["--copies"], ""),
    ],
)
def test_conditions(music, names, options, expected):
    assert "".join(names(*options)) == expected


def test_placeholders_count_as_no_genre(music, names, tonearm, tmp_path):
    with Library(tmp_path / "l.sqlite", write=True) as library:
        library.write("UPDATE tracks SET genres = ?", [['["Other", "12"]']])
    assert "".join(names("--genre-tag", "none")) == "abc" and names("--genre-tag", "person") == []
    place = ["--library", tmp_path / "l.sqlite"]
    assert "3  without a genre tag" in tonearm("status", *place).stdout
    assert tonearm("playlist", "--has-genre", *place).stdout == "#EXTM3U\n"


@pytest.mark.skipif(os.name == "nt", reason="has no such names")
def test_a_playlist_holds_the_bytes_of_names_and_says_what_it_cannot_hold(tmp_path, tonearm):
    names = [b"bad\xff.flac", b"new\nline.flac"]
    paths = [tmp_path / os.fsdecode(name) for name in names]
    for path in paths:
        small_files.write(path, small_files.music(1, 0.3))
    place = tagged.library_of(tmp_path / "l.sqlite", {path: {"jazz": 0.9} for path in paths})
    ran = tonearm("list", "--format", "m3u8", "--library", place)
    assert ran.stdout_bytes.splitlines()[2:] == [os.fsencode(paths[0])]
    assert "new\\nline.flac: its name has a line break" in ran.stderr


def test_a_folder_that_was_deleted_is_not_away(music, tonearm, tmp_path):
    place, folder = tmp_path / "l.sqlite", music["a"].parent
    with Library(place, write=True) as library:
        library.write("INSERT INTO roots VALUES (?)", [[os.fsencode(tmp_path)]])
    folder.rename(tmp_path / "elsewhere")
    ran = tonearm("list", folder, "--library", place, code=1)
    assert "music does not exist; the library keeps its 4 tracks until" in ran.stderr


def test_only_below_a_folder(music, names, tonearm, tmp_path):
    assert names(music["b"]) == ["b"]
    (music["a"].parent / "elsewhere").mkdir()
    arguments = ["list", music["a"].parent / "elsewhere", "--library", tmp_path / "l.sqlite"]
    assert "elsewhere is not scanned yet" in tonearm(*arguments, code=1).stderr


def test_forms(music, tonearm, tmp_path):
    library = ["--library", tmp_path / "l.sqlite"]
    table = tonearm("list", *library).stdout
    assert "Jazz" in table and str(music["a"]) in table
    rows = list(csv.DictReader(tonearm("list", "-f", "csv", *library).stdout.splitlines()))
    assert [row["genre"] for row in rows] == ["jazz", "hiphop", ""]
    assert rows[0]["tags"] == "Rock"
    with Library(tmp_path / "l.sqlite", write=True) as opened:
        row = ["empty", "is empty", os.fsencode(music["c"])]
        sql = "UPDATE tracks SET sound = NULL, error_kind = ?, error_message = ? WHERE path = ?"
        opened.write(sql, [row])
    lines = tonearm("list", "-f", "m3u8", *library).stdout.splitlines()
    assert lines[0] == "#EXTM3U" and lines[1].startswith("#EXTINF:1,")
    assert lines[2::2] == [str(music["a"]), str(music["b"])], "whole paths, and what plays"


def test_no_output_takes_the_place_of_a_database(music, tonearm, tmp_path):
    library = ["--library", tmp_path / "l.sqlite"]
    kept = (tmp_path / "l.sqlite").read_bytes()
    ran = tonearm("playlist", "-f", "m3u8", "-o", tmp_path / "l.sqlite", *library, code=2)
    assert "is a database" in ran.stderr and (tmp_path / "l.sqlite").read_bytes() == kept
    ran = tonearm("playlist", "-o", tmp_path / "a.pls", *library, code=2)
    assert "ends in none of .m3u8, .m3u, .xspf, .xml" in " ".join(
        ran.stderr.replace("│", "").split()
    )


def test_a_misspelt_genre_is_named(music, tmp_path):
    arguments = ["list", "--genre", "jaz", "--library", str(tmp_path / "l.sqlite")]
    result = CliRunner().invoke(app, arguments)
    assert "no genre 'jaz'" in str(result.exception)


def test_forget(music, tonearm, names, tmp_path):
    library = ["--library", tmp_path / "l.sqlite"]
    assert tonearm("forget", "--missing", *library).stdout == "1 file forgotten\n"
    assert names("--missing") == []
    with Library(tmp_path / "l.sqlite", write=True) as opened:
        opened.write("INSERT INTO roots VALUES (?)", [[os.fsencode(music["a"].parent)]])
    back = tonearm("forget", music["a"], *library).stderr
    assert f"{music['a']} lies in a folder that is scanned: the next scan adds it again" in back
    assert names() == ["b", "c"]
    assert music["a"].exists()
    tonearm("forget", music["a"].parent, *library)
    assert names() == []
    with Library(tmp_path / "l.sqlite") as opened:
        assert opened.rows("SELECT count(*) FROM sounds") == [(0,)]
    tonearm("forget", *library, code=2)
    slip = tonearm("forget", tmp_path / "slip", *library, code=1)
    assert f"{tmp_path / 'slip'}: the library holds nothing at or below it" in slip.stderr


def test_export(music, tonearm, tmp_path):
    tonearm("export", "-o", tmp_path / "all.csv", "--library", tmp_path / "l.sqlite")
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == [str(path) for path in sorted(music.values())]
    assert rows[0]["genre_tags"] == "Rock" and float(rows[0]["p_jazz"]) == 0.9
    assert [row["missing"] for row in rows] == ["False", "False", "False", "True"]


def test_export_goes_by_the_name_of_the_file_unless_told(music, tonearm, tmp_path):
    known = ("--library", tmp_path / "l.sqlite")
    other = tmp_path / "all.xyz"
    refused = tonearm("export", "-o", other, *known, code=2)
    assert "does not end in .csv or .parquet: rename it, or give --format" in refused.stderr
    assert not other.exists()
    tonearm("export", "-o", other, "--format", "csv", *known)
    assert other.read_text(encoding="utf-8").startswith("path,")
    assert "name a file" in tonearm("export", "-o", "-", *known, code=2).stderr


def test_an_empty_list_says_so_to_people_alone(music, tonearm, tmp_path):
    known = ("--library", tmp_path / "l.sqlite")
    never = ("--min-confidence", "1")
    nothing = tonearm("list", *never, *known)
    assert (nothing.stdout, nothing.stderr) == (
        "",
        "no file in the library meets these conditions\n",
    )
    some = tonearm("list", music["a"], "-f", "csv", *known).stdout
    none = tonearm("list", *never, "-f", "csv", *known)
    assert (none.stdout, none.stderr) == (some.splitlines()[0] + "\n", "")
    assert not tonearm("list", music["a"], *known).stderr


@pytest.mark.parametrize("command", ["tag", "list", "status"])
def test_an_empty_library_says_what_to_do(tonearm, tmp_path, command):
    place = tmp_path / "empty.sqlite"  # as a scan of a mistyped folder makes it
    Library(place, write=True).close()
    said = tonearm(command, "--library", place).stderr
    assert said == f"the library {place} holds no file yet: run `tonearm scan FOLDER`\n"


def test_doctor(music, tonearm):
    file = mutagen.File(music["a"])
    file["GENRE"] = ["Rock; Pop", "Rock/Pop"]
    file.save()
    found = json.loads(tonearm("doctor", music["a"].parent, "-f", "json").stdout)["files"]
    assert [entry["path"] for entry in found] == [str(music["a"])]
    players = found[0]["players"]
    assert players["MPD"] == ["Rock; Pop", "Rock/Pop"]
    assert players["Navidrome"] == ["Rock", "Pop"]
    assert players["Plex"] == ["Rock", "Pop", "Rock/Pop"]
    assert players["Rekordbox"] == ["Rock; Pop"]


def test_one_cause_has_one_wording(music, tonearm, tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "nowhere.mp3").symlink_to(tmp_path / "none.mp3")
    (folder / "itself.mp3").symlink_to(folder / "itself.mp3")
    for command in ("predict", "scan", "doctor"):
        library = ("--library", tmp_path / "m.sqlite") if command == "scan" else ()
        said = tonearm(command, folder, *library, code=1).stderr
        assert "nowhere.mp3 is a link to a file that does not exist\n" in said, command
        assert "itself.mp3 is a link to itself\n" in said, command


def test_players_differ_by_container():
    shown = {p.name: {k: p.shows(["A", "B"], k) for k in ("mp4", "asf", "wav")} for p in PLAYERS}
    assert shown["MPD"] == {"mp4": ["A"], "asf": ["B"], "wav": ["A;B"]}
    assert shown["Kodi"] == {"mp4": ["A"], "asf": ["A / B"], "wav": ["A / B"]}
    assert shown["Rekordbox"]["wav"] == ["A"] and shown["Plex"]["mp4"] == ["A", "B"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
def test_doctor_names_a_pipe_and_goes_on(music, tonearm):
    folder = music["a"].parent
    os.mkfifo(folder / "pipe.mp3")
    # Should it wait for a writer, this one comes and lets the test fail.
    late = threading.Timer(20, lambda: (folder / "pipe.mp3").write_bytes(b""))
    late.daemon = True
    late.start()
    found = json.loads(tonearm("doctor", folder, "-f", "json", code=1).stdout)
    late.cancel()
    reasons = {error["path"]: error["message"] for error in found["errors"]}
    assert reasons[str(folder / "pipe.mp3")] == "is a pipe, not a file"


def test_a_folder_without_rights_is_no_file_that_doctor_read(music, tonearm, monkeypatch):
    folder = music["a"].parent
    before = tonearm("doctor", folder).stdout.splitlines()[-1]
    (folder / "shut").mkdir()
    scandir = os.scandir

    def refusing(path):
        if os.path.basename(path) == "shut":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
    said = tonearm("doctor", folder, code=1)
    assert "shut" in said.stderr
    assert said.stdout.splitlines()[-1] == before


def test_doctor_names_what_is_no_audio(music, tonearm):
    """A text file may be called song.mp3, and an MP3 need not have tags."""
    folder = music["a"].parent
    (folder / "notes.mp3").write_text("buy milk")
    small_files.write(folder / "bare.mp3", small_files.music(1, 0.3))
    found = json.loads(tonearm("doctor", "--all", folder, "-f", "json", code=1).stdout)
    assert str(folder / "bare.mp3") in [entry["path"] for entry in found["files"]]
    (error,) = found["errors"]
    assert error["path"] == str(folder / "notes.mp3")
    assert error["message"].startswith("is text, not sound")


def test_json_in_pieces_is_whole(music, tonearm, tmp_path, monkeypatch):
    with Library(tmp_path / "l.sqlite", write=True) as opened:
        row = ['A "title" \\ ☃', '["Rock", "Pop"]', os.fsencode(music["b"])]
        opened.write("UPDATE tracks SET title = ?, genres = ? WHERE path = ?", [row])
        opened.write("UPDATE tracks SET artist = 'a\x1bb' WHERE path = ?", [[row[-1]]])
        wanted = [row._asdict() | {"tags": list(row.tags)} for row in listing.rows(opened)]
    monkeypatch.setattr(listing_command, "_LINES", 2)
    shown = tonearm("list", "-f", "json", "--library", tmp_path / "l.sqlite").stdout
    assert json.loads(shown) == {"schema": 1, "files": wanted} and "\x1b" not in shown
    with Library(tmp_path / "l.sqlite", write=True) as opened:
        opened.write("UPDATE tracks SET artist = NULL")
    assert (
        '"title": "A \\"title\\" \\\\ ☃"'
        in tonearm("list", "-f", "json", "--library", tmp_path / "l.sqlite").stdout
    )


def test_a_library_in_a_folder_that_is_not_there_is_not_made(music, tmp_path):
    place = tmp_path / "mnt" / "library.sqlite"
    for words in (["scan", str(music["a"])], ["list"], ["status"]):
        result = CliRunner().invoke(app, [*words, "--library", str(place)])
        said = f"there is no folder {place.parent} for the library {place}"
        assert said in str(result.exception), words
    assert not place.parent.exists()
    place = tmp_path / "mistyped.sqlite"
    for words in (["tag", "--write"], ["forget", "--missing"], ["scan"]):
        assert CliRunner().invoke(app, [*words, "--library", str(place)]).exit_code
        assert not place.exists(), words


def test_doctor_names_tags_that_disagree(tonearm, tmp_path):
    path = small_files.write(tmp_path / "a.mp3", small_files.music(1, 0.3))
    tagged.with_tags(path, ["Rock"])
    ape = mutagen.apev2.APEv2()
    ape["Genre"] = "Polka"
    ape.save(path)
    shown = tonearm("doctor", path).stdout
    assert "name different genres" in shown and "Polka" in shown and "Rock" in shown
