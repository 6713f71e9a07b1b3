"""``tonearm tag``: what it plans, writes and skips."""

from __future__ import annotations

import json
import os
import shlex

import pytest
from support import tagged
from support.two_albums import genres, runner, two_albums

from tonearm.cli import tag_views
from tonearm.errors import LibraryError, TagError
from tonearm.library.file_tags import file_tags
from tonearm.library.reviews import Review, Reviews, Verdict, reviews_path
from tonearm.library.store import FileStatus, Library


@pytest.fixture
def music(tmp_path):
    return two_albums(tmp_path)


@pytest.fixture
def tonearm(tmp_path):
    return runner(tmp_path / "library.sqlite")


def test_nothing_is_written_without_write(music, tonearm, tmp_path):
    before = {path: path.read_bytes() for path in music.values()}
    result = tonearm("tag")
    assert result.exit_code == 0
    assert "a.flac: none → Jazz  90%" in result.stdout
    assert "d.flac: none → Hip-Hop  82%" in result.stdout
    for line in (
        "2 files to write",
        "1 skipped: have a genre that a person wrote",
        "1 skipped: confidence below 70% (album) or 80% (file alone)",
        "1 skipped: unknown, or a mix: no genre that the model knows fits the whole track",
    ):
        assert line in result.stdout
    assert "othing has been written yet" in result.stderr
    assert {path: path.read_bytes() for path in music.values()} == before
    for command in ("history", "undo"):
        told = tonearm(command)
        assert (told.exit_code, told.stderr) == (0, "No genre has been written yet.\n")
    (tmp_path / "library.sqlite").unlink()  # or it was misspelt
    with pytest.raises(LibraryError, match="there is no library at"):
        tonearm("undo")


def test_the_library_follows(music, tonearm, tmp_path):
    tonearm("tag", "--write")
    with Library(tmp_path / "library.sqlite") as library:
        track = library.track(music["a"])
        assert (track.tags.genres, track.tags.by_tonearm) == (("Jazz",), True)
        assert track.mtime_ns == music["a"].stat().st_mtime_ns
    tonearm("undo")
    with Library(tmp_path / "library.sqlite") as library:
        assert library.track(music["a"]).tags.genres == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--policy", "replace"], {"a": ("Jazz",), "b": ("Jazz",), "d": ("Hip-Hop",)}),
        (["--policy", "add"], {"a": ("Jazz",), "b": ("Rock", "Jazz"), "d": ("Hip-Hop",)}),
        (["--min-confidence", "0.85"], {"a": ("Jazz",), "b": ("Rock",)}),
        (
            ["--min-confidence", "0.4", "--max-genres", "2"],
            {"a": ("Jazz",), "b": ("Rock",), "c": ("Hip-Hop", "Jazz"), "d": ("Hip-Hop",)},
        ),
        (["--by", "album"], {"a": ("Jazz",), "b": ("Rock",), "c": ("Jazz",)}),
    ],
)
def test_options(music, tonearm, options, expected):
    assert tonearm("tag", "--write", *options).exit_code == 0
    assert {name: found for name, found in genres(music).items() if found} == expected


def test_albums_are_summed_up(music, tonearm):
    result = tonearm("tag", "--by", "album", "--policy", "replace", "--min-confidence", "0.4")
    lines = [line for line in result.stdout.splitlines() if "→" in line]
    folder = music["a"].parent
    assert lines == [
        f"One (2 files in {folder}): none → Jazz  72%",
        f"One (1 file in {folder}): Rock → Jazz  72%",
    ]


def test_names_of_the_collection(music, tonearm, tmp_path):
    names = tmp_path / "names.toml"
    names.write_text('hiphop = "Hip-Hop/Rap"\n')
    tonearm("tag", "--write", "--map", names)
    assert genres(music)["d"] == ("Hip-Hop/Rap",)
    names.write_text('Hip-Hop = "Rap"\n')
    tonearm("tag", "--write", "--map", names)
    assert genres(music)["d"] == ("Rap",)
    names.write_text('hiphip = "Hip-Hop/Rap"\n')
    wrong = tonearm("tag", "--map", names)
    assert wrong.exit_code == 2
    assert "hiphip" in wrong.stderr
    names.write_text('Hip-Hop = "Rap"\nhiphop = "Hip-Hop/Rap"\n')
    twice = tonearm("tag", "--map", names)
    assert twice.exit_code == 2 and "several lines for hiphop" in twice.stderr


def test_what_cannot_be_written_is_named_and_the_rest_is_done(music, tonearm):
    os.link(music["a"], music["a"].with_name("hard.flac"))
    result = tonearm("tag", "--write")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "a.flac: none → Jazz  90%  (not written: has 2 names" in result.stdout
    assert "1 skipped: cannot be written: has 2 names (hard links)" in result.stdout
    assert genres(music)["d"] == ("Hip-Hop",)
    assert "1 file tagged, 1 skipped" in tonearm("history").stdout
    (_, line) = tonearm("history", 1).stdout.splitlines()
    assert "a.flac: not written  (has 2 names (hard links)" in line
    undone = tonearm("undo")
    assert undone.stdout == "run 2: 1 of 1 file of run 1 restored\n"


def test_a_file_changed_since_the_scan_is_left_alone(music, tonearm):
    tagged.with_tags(music["a"], ["Bebop"])
    result = tonearm("tag", "--write", "--policy", "replace")
    assert result.exit_code == 1
    assert "a.flac: changed since the scan" in result.stderr
    assert genres(music)["a"] == ("Bebop",)


def test_a_file_that_moved_since_the_scan_is_called_that(music, tonearm):
    place = music["a"].with_name("moved.flac")
    music["a"].rename(place)
    planned = tonearm("tag").stdout
    words = "not written: moved or deleted since the scan; run `tonearm scan`"
    assert f"{music['a']}: none → Jazz  90%  ({words})" in planned
    named = tonearm("tag", place)
    assert f"{place} is not scanned yet: run `tonearm scan` on it" in named.stderr


def test_only_what_is_named(music, tonearm):
    assert "1 of 1 file written" in tonearm("tag", "--write", music["d"]).stdout
    assert genres(music)["a"] == ()


def test_files_that_were_not_scanned_are_named(music, tonearm):
    new = music["a"].with_name("new.flac")
    new.write_bytes(music["a"].read_bytes())
    counted = tonearm("tag", new.parent)
    assert counted.exit_code == 0, "a scan may have excluded it"
    assert "1 skipped: not scanned yet, or excluded" in counted.stdout
    named = tonearm("tag", new)
    assert named.exit_code == 1 and "new.flac is not scanned yet" in named.stderr


def test_json(music, tonearm):
    found = json.loads(tonearm("tag", "--write", "--format", "json").stdout)
    assert (found["schema"], found["run"], found["errors"]) == (1, 1, [])
    by_name = {os.path.basename(entry["path"]): entry for entry in found["files"]}
    assert by_name["a.flac"] == {
        "path": str(music["a"]),
        "action": "write",
        "old": [],
        "new": ["Jazz"],
        "lost": [],
        "confidence": 0.9,
        "album": None,
        "reason": None,
        "damage": None,
        "written": True,
    }
    assert [entry["action"] for entry in found["files"]] == [
        "write", "kept", "low-confidence", "write", "unknown"
    ]  # fmt: skip
    runs = json.loads(tonearm("history", "--format", "json").stdout)["runs"]
    assert [run["done"] for run in runs] == [2]
    files = json.loads(tonearm("history", 1, "--format", "json").stdout)["files"]
    assert [(entry["state"], entry["new"]) for entry in files] == [
        ("done", ["Jazz"]), ("done", ["Hip-Hop"])
    ]  # fmt: skip


def test_the_plan_names_what_cannot_be_written(music, tonearm):
    music["a"].chmod(0o444)
    link = music["d"].with_name("link.flac")
    link.symlink_to(music["d"])
    planned = tonearm("tag")
    assert planned.exit_code == 0
    if os.geteuid():
        assert "a.flac: none → Jazz  90%  (not written: is read-only)" in planned.stdout
    found = json.loads(tonearm("tag", "--format", "json").stdout)
    assert {entry["path"]: entry["action"] for entry in found["files"]}[str(music["d"])] == "write"


def test_a_file_and_a_link_to_it_are_one(music, tonearm, tmp_path):
    link = music["d"].with_name("z.flac")
    link.symlink_to(music["d"])
    with Library(tmp_path / "library.sqlite", write=True) as library:
        (sound,) = library.rows(
            "SELECT sound FROM tracks WHERE path = ?", [os.fsencode(music["d"])]
        )
        status = FileStatus.of(link.stat())
        library.put_track(os.fsencode(link), status, file_tags(str(link)), sound=sound[0])
    planned = tonearm("tag")
    assert "2 files to write" in planned.stdout
    assert "  1 link to these files, not counted\n" in planned.stdout
    details = tonearm("tag", "--details").stdout
    assert f"{link}: skipped: is a link to {music['d']}\n" in details
    assert "1 file to write" in tonearm("tag", link).stdout, "named alone, it stands for its file"


def test_names_of_a_file_that_is_skipped_are_one(music, tonearm, tmp_path):
    """A hard link, and a symbolic one: neither can be written, and that is said once."""
    names = [music["d"].with_name("y.flac"), music["d"].with_name("z.flac")]
    os.link(music["d"], names[0])
    names[1].symlink_to(music["d"])
    with Library(tmp_path / "library.sqlite", write=True) as library:
        sound = library.rows("SELECT sound FROM tracks WHERE path = ?", [os.fsencode(music["d"])])
        for path in (music["d"], *names):
            status = FileStatus.of(path.stat())
            tags = file_tags(str(path))
            library.put_track(os.fsencode(path), status, tags, sound=sound[0][0])
    planned = tonearm("tag").stdout
    assert planned.count("(not written: has 2 names (hard links)") == 1
    assert "1 skipped: cannot be written" in planned and "2 links to these files" in planned


def test_albums_of_one_title_are_told_apart(music, tonearm, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        for name, artist in (("a", "Queen"), ("b", "Queen"), ("c", "ABBA"), ("d", "ABBA")):
            row = ["Greatest Hits", artist, os.fsencode(music[name])]
            library.write("UPDATE tracks SET album = ?, album_artist = ? WHERE path = ?", [row])
    planned = tonearm("tag", "--by", "album", "--min-confidence", "0.6").stdout
    for line in ("Queen (1 file in {}): none → Jazz", "ABBA (2 files in {}): none → Hip-Hop"):
        assert "Greatest Hits by " + line.format(music["a"].parent) in planned


def test_a_copy_of_a_file_with_a_persons_genre_is_pointed_out(music, tonearm, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:  # b has one, and a has none
        sql = "UPDATE tracks SET sound = (SELECT sound FROM tracks WHERE path = ?) WHERE path = ?"
        library.write(sql, [[os.fsencode(music["a"]), os.fsencode(music["b"])]])
    assert (
        "  1 of these has the same sound as a file with a genre that a person"
        in tonearm("tag").stdout
    )


def test_an_album_that_no_one_genre_fits_is_named(music, tonearm, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        library.write("UPDATE tracks SET album = 'Sampler', album_artist = NULL")
    planned = tonearm("tag", "--by", "album").stdout
    assert "  1 album of different genres, decided file by file: Sampler\n" in planned
    assert "different genres" not in tonearm("tag", "--by", "file").stdout
    # Two of one title are told apart.
    with Library(tmp_path / "library.sqlite", write=True) as library:
        for name in "ad":
            row = [os.fsencode(music[name])]
            library.write("UPDATE tracks SET album_artist = 'Queen' WHERE path = ?", [row])
    planned = tonearm("tag", "--by", "album").stdout
    names = f"Sampler by Queen, Sampler in {music['a'].parent}"
    assert f"  2 albums of different genres, decided file by file: {names}\n" in planned


def test_a_confidence_below_the_limit_looks_like_it(music, tonearm, tmp_path):
    (tmp_path / "library.sqlite").unlink()
    tagged.library_of(tmp_path / "library.sqlite", {music["a"]: {"jazz": 0.797, "rock": 0.2}})
    assert "a.flac: skipped: confidence 79% is too low" in tonearm("tag", "--details").stdout


def test_the_only_track_of_an_album_is_as_sure_as_a_file_alone(music, tonearm, tmp_path):
    (tmp_path / "library.sqlite").unlink()
    close = {"jazz": 0.75, "blues": 0.25}
    tagged.library_of(tmp_path / "library.sqlite", {music["a"]: close})
    assert "Jazz" not in tonearm("tag", "--by", "album").stdout
    tagged.library_of(tmp_path / "library.sqlite", {music["c"]: close})
    assert "One (2 files in" in tonearm("tag", "--by", "album").stdout


def test_a_review_that_says_another_genre_or_none_is_heeded(music, tonearm, tmp_path):
    path = tmp_path / "library.sqlite"
    with Library(path) as library:
        keys = {name: library.track(music[name]).key for name in "ad"}
    for verdict, genre, words in (
        (Verdict.reject, None, "rejected in a review"),
        (Verdict.change, "drum & bass", "reviewed as Drum & Bass"),
        (Verdict.change, "JAZZ", None),
    ):
        with Reviews(reviews_path(path)) as reviews:
            reviews.put([Review(keys["a"], verdict, genre)])
        told = tonearm("tag", "--details").stdout
        assert ("d.flac: none → Hip-Hop" in told) and ("1 file to write" in told) is bool(words)
        if words:
            assert f"a.flac: skipped: {words}\n" in told
            assert "1 skipped: reviewed as another genre, or rejected" in told
            assert tonearm("tag", "--write", "--policy", "replace", music["a"]).exit_code == 0
            assert file_tags(str(music["a"])).genres == ()
        else:
            assert "a.flac: none → Jazz" in told


def test_details_name_what_is_skipped_and_why(music, tonearm, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        row = [os.fsencode(music["e"])]
        library.write(
            "UPDATE tracks SET sound = NULL, error_message = 'is empty' WHERE path = ?", [row]
        )
    (music["a"].parent / "new.flac").write_bytes(music["a"].read_bytes())
    lines = tonearm("tag", "--details", music["a"].parent).stdout
    for name, words in {
        "b": "skipped: a person wrote its genre",
        "c": "skipped: confidence 50% is too low",
        "e": "skipped: is empty",
        "new": "skipped: not scanned yet, or excluded",
    }.items():
        assert f"{name}.flac: {words}\n" in lines


def test_a_folder_that_is_offline_is_named_in_one_way(music, tonearm, tmp_path):
    folder = music["a"].parent
    with Library(tmp_path / "library.sqlite", write=True) as library:
        library.write("INSERT INTO roots VALUES (?)", [[os.fsencode(folder)]])
    folder.rename(tmp_path / "unmounted")
    forget = f"tonearm forget {shlex.quote(str(folder))}"
    words = (
        "is not there: its 5 tracks are kept. Connect its disk; if it was moved, run `tonearm scan`"
    )
    words += f" on its new place; to drop it, `{forget}`"
    everything = tonearm("tag", "--write")
    assert everything.exit_code == 0, "the disk is off: no news for cron"
    assert "0 files to write" in everything.stdout and f"  {folder} {words}\n" in everything.stdout
    for command in (["tag", folder], ["list", folder]):
        named = tonearm(*command)
        assert named.exit_code == 1 and f"  {folder} {words}\n" in named.stderr, command
    for command in ("tag", "list"):
        slip = tonearm(command, tmp_path / "slip")
        assert slip.exit_code == 1 and f"{tmp_path / 'slip'} does not exist\n" in slip.stderr
    assert "5  offline" in tonearm("status").stdout
    assert "0  with the sound of another file" in tonearm("status").stdout
    assert tonearm("list").stdout == ""
    assert str(music["a"]) in tonearm("list", "--missing", folder).stdout
    assert "no track" in tonearm("playlist", "--genre", "jazz").stderr
    (tmp_path / "unmounted").rename(folder)
    assert str(music["a"]) in tonearm("list", folder).stdout, "back without a scan"


def test_a_link_to_nowhere_is_called_that(music, tonearm, tmp_path, monkeypatch):
    link = music["a"].with_name("link.flac")
    link.symlink_to("nowhere.flac")
    reason = "is a link to a file that does not exist"
    named = tonearm("tag", link)
    assert named.exit_code == 1 and f"{link} {reason}\n" in named.stderr
    with Library(tmp_path / "library.sqlite", write=True) as library:  # as a scan leaves it
        library.write("INSERT INTO unread VALUES (?, ?)", [[os.fsencode(link), reason]])
    monkeypatch.chdir(tmp_path)
    planned = tonearm("tag", link.parent.name)
    assert planned.exit_code == 0 and "1 skipped: could not be read" in planned.stdout
    status = json.loads(tonearm("status", "--format", "json").stdout)
    assert (status["tracks"], status["failed"]) == (5, 1)
    assert f"({reason})" in tonearm("list", "--failed").stdout


def test_albums_decide_together(music, tonearm):
    planned = tonearm("tag", "--by", "album", "--policy", "replace")
    folder = music["a"].parent
    assert f"One (2 files in {folder}): none → Jazz  72%" in planned.stdout
    assert f"One (1 file in {folder}): Rock → Jazz  72%" in planned.stdout
    assert "1 file would lose a genre that a person wrote: Rock (1)" in planned.stdout
    tonearm("tag", "--by", "album", "--write")
    assert genres(music)["c"] == ("Jazz",) and genres(music)["b"] == ("Rock",)


def test_genres_to_write_and_never_to_write(music, tonearm, tmp_path):
    names = tmp_path / "names.toml"
    names.write_text("jazz = []\n")
    for options in (["--genre", "hip hop"], ["--not-genre", "Jazz"], ["--map", names]):
        planned = tonearm("tag", *options)
        assert "1 file to write" in planned.stdout and "d.flac: none → Hip-Hop" in planned.stdout
        assert "1 skipped: not among the genres to write" in planned.stdout
    # As `list` and `playlist` say it.
    wrong = tonearm("tag", "--genre", "jaz")
    assert wrong.exit_code == 2 and "no genre 'jaz' in this library; it knows" in wrong.stderr


def test_many_changes_are_summed(music, tonearm, monkeypatch):
    monkeypatch.setattr(tag_views, "MOST_LINES", 1)
    planned = tonearm("tag").stdout
    assert (
        "none → Jazz, 1 file\n" in planned
        and f"    {music['a'].parent}{os.sep} (1 file)" in planned
    )
    assert "a.flac" not in planned and "a.flac" in tonearm("tag", "--details").stdout


def test_why_files_cannot_be_written_is_summed_too(music, tonearm, monkeypatch):
    monkeypatch.setattr(tag_views, "MOST_LINES", 1)
    for name in "ad":
        os.link(music[name], music[name].with_name(f"{name} hard.flac"))
    planned = tonearm("tag").stdout
    assert "  2 skipped: cannot be written: has 2 names (hard links)" in planned
    monkeypatch.setattr(tag_views, "_MOST_GROUPS", 0)
    assert "  2 skipped: cannot be written for other reasons (--det" in tonearm("tag").stdout


def test_discs_of_an_album_are_one_line(music, tonearm, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        for name, album in (("c", "Box (CD 1)"), ("d", "Box [Disc 2]")):
            row = [album, "Somebody", os.fsencode(music[name])]
            library.write("UPDATE tracks SET album = ?, album_artist = ? WHERE path = ?", [row])
    planned = tonearm("tag", "--by", "album", "--min-confidence", "0", music["c"], music["d"])
    assert f"Box (2 files in {music['c'].parent}): none → " in planned.stdout


def test_a_map_that_never_ends(tonearm, music):
    with pytest.raises(TagError, match="longer than 1 MB"):
        tonearm("tag", "--map", "/dev/zero")


def test_a_damaged_file_is_named_and_not_written_unless_asked(tonearm, music, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        sound = library.rows("SELECT sound FROM tracks WHERE path = ?", [os.fsencode(music["a"])])
        words = "truncated or damaged: 3.0 of 9.0 s could be decoded"
        library.write("UPDATE sounds SET warning = ? WHERE id = ?", [[words, *sound[0]]])
    planned = tonearm("tag")
    assert f"{music['a']}: none → Jazz  90%  (not written: {words})\n" in planned.stdout
    assert "1 skipped: damaged (--damaged writes into them too)" in planned.stdout
    assert tonearm("tag", "--write").exit_code == 0 and genres(music)["a"] == ()
    asked = tonearm("tag", "--write", "--damaged")
    assert "1 damaged, classified by the part that can be read:" in asked.stderr
    assert genres(music)["a"] == ("Jazz",)
    rows = json.loads(tonearm("tag", "--format", "json").stdout)["files"]
    assert {row["path"]: row["damage"] for row in rows if row["damage"]} == {str(music["a"]): words}
    status = json.loads(tonearm("status", "--format", "json").stdout)
    assert status["damaged"] == 1
