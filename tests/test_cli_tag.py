from __future__ import annotations

import json
import os
import shlex

import mutagen
import pytest
from support import small_files, tagged
from typer.testing import CliRunner

from tonearm.cli import tag_views, undo
from tonearm.cli.app import app
from tonearm.errors import LibraryError, TagError
from tonearm.library import tag_runs
from tonearm.library.file_tags import file_tags
from tonearm.library.store import FileStatus, Library
from tonearm.tagging import write
from tonearm.tagging.read import read_tags


@pytest.fixture
def music(tmp_path):
    """Five files of two albums, and their library: none, a person's, and broken tags."""
    folder = tmp_path / "müsic"
    folder.mkdir()
    plain = small_files.write(tmp_path / "plain.flac", small_files.music(1, 0.3)).read_bytes()
    files = {}
    for name, genres in (("a", []), ("b", ["Rock"]), ("c", []), ("d", []), ("e", [])):
        path = folder / f"{name}.flac"
        path.write_bytes(plain)
        files[name] = tagged.with_tags(path, genres)
    for name, album in (("a", "One"), ("b", "One"), ("c", "One"), ("d", "Two"), ("e", "Two")):
        file = mutagen.File(files[name])
        file["album"] = album
        file.save()
    tagged.library_of(
        tmp_path / "library.sqlite",
        {
            files["a"]: {"jazz": 0.9, "blues": 0.1},
            files["b"]: {"jazz": 0.8, "blues": 0.2},
            files["c"]: {"hiphop": 0.5, "jazz": 0.45},
            files["d"]: {"hiphop": 0.82, "jazz": 0.1},
            files["e"]: {},
        },
    )
    return files


@pytest.fixture
def tonearm(tmp_path):
    def run(*arguments):
        library = ["--library", str(tmp_path / "library.sqlite")]
        if arguments[0] == "tag" and "--by" not in arguments:
            library += ["--by", "file"]  # albums have tests of their own
        result = CliRunner().invoke(app, [*map(str, arguments), *library])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def genres(music):
    return {name: read_tags(path).genres for name, path in music.items()}


def test_nothing_is_written_without_write(music, tonearm):
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
    with pytest.raises(LibraryError, match="no genre has been written yet"):
        tonearm("history")


def test_write_undo_history_and_redo(music, tonearm):
    before = {path: path.read_bytes() for path in music.values()}
    assert "run 1: 2 of 2 files written" in tonearm("tag", "--write").stdout
    written = {path: path.read_bytes() for path in music.values()}
    assert genres(music) == {"a": ("Jazz",), "b": ("Rock",), "c": (), "d": ("Hip-Hop",), "e": ()}
    again = tonearm("tag", "--write")
    assert "0 files to write" in again.stdout, "its own guesses are not a person's, and the same"
    assert "2 skipped: have this genre already" in again.stdout
    assert "run 2: 2 of 2 files of run 1 restored" in tonearm("undo").stdout
    assert {path: path.read_bytes() for path in music.values()} == before
    assert "2 files tagged, undone by run 2" in tonearm("history").stdout
    assert "none → Jazz  (undone since)" in tonearm("history", 1).stdout
    with pytest.raises(LibraryError, match="nothing to undo"):
        tonearm("undo")
    tonearm("undo", 2)
    assert {path: path.read_bytes() for path in music.values()} == written


def test_history_says_what_became_of_a_run_after_undoing_an_undo(music, tonearm):
    def lines():
        return [line.split("  ", 2)[-1].split(": ", 1)[1] for line in history()]

    def history():
        return tonearm("history").stdout.splitlines()[::-1]

    tonearm("tag", "--write")
    assert lines() == ["2 files tagged"]
    tonearm("undo")
    assert lines() == ["2 files tagged, undone by run 2", "2 files restored"]
    tonearm("undo", 2)
    assert lines() == [
        "2 files tagged, undone by run 2, restored by run 3",
        "2 files restored, undone by run 3",
        "2 files tagged again as by run 1",
    ]
    music["a"].unlink()
    tonearm("undo", 3)
    assert lines()[1:] == [
        "2 files restored, 1 of them undone by run 3",
        "2 files tagged again as by run 1, 1 of them undone by run 4",
        "1 file restored again as by run 2, 1 skipped",
    ]
    assert lines()[0] == "2 files tagged, 1 of them undone by run 2"


def test_an_undo_that_restored_nothing_is_not_listed(music, tonearm):
    tonearm("tag", "--write", music["a"])
    kept = music["a"].read_bytes()
    music["a"].unlink()
    failed = tonearm("undo")
    assert failed.exit_code == 1 and failed.stdout == "0 of 1 file of run 1 restored\n"
    listed = tonearm("history")
    assert len(listed.stdout.splitlines()) == 1 and ": 1 file tagged\n" in listed.stdout
    assert listed.stderr == "not listed, since they changed no file: run 2\n"
    music["a"].write_bytes(kept)
    assert "1 of 1 file of run 1 restored" in tonearm("undo").stdout


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


def test_what_cannot_be_written_is_named_and_the_rest_is_done(music, tonearm):
    os.link(music["a"], music["a"].with_name("hard.flac"))
    result = tonearm("tag", "--write")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "a.flac: none → Jazz  90%  (not written: has 2 names" in result.stdout
    assert "1 skipped: cannot be written" in result.stdout
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


def test_a_genre_changed_since_is_not_undone(music, tonearm):
    tonearm("tag", "--write")
    tagged.with_tags(music["a"], ["Bebop"])
    result = tonearm("undo")
    assert result.exit_code == 1
    assert "a.flac: its genre was changed since (now Bebop)" in result.stderr
    assert "1 skipped (`tonearm undo 1` tries again):\n" in result.stderr
    assert genres(music)["a"] == ("Bebop",)
    assert genres(music)["d"] == ()


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


def test_what_an_interrupted_run_wrote_is_not_taken_for_changed(music, tonearm, monkeypatch):
    """Killed between the renaming and the library's row: the next run updates the library."""

    def crash(_library, _path):
        raise SystemExit("killed")

    with monkeypatch.context() as patch:
        patch.setattr(tag_runs, "_refresh", crash)
        tonearm("tag", "--write", music["a"])
    assert genres(music)["a"] == ("Jazz",)
    names = music["a"].parent / "names.toml"
    names.write_text('jazz = "Bebop"\n')
    assert tonearm("tag", "--write", "--map", names).exit_code == 0
    assert genres(music)["a"] == ("Bebop",)
    assert "interrupted" in tonearm("history").stdout


def test_interrupted_by_ctrl_c(music, tonearm, monkeypatch):
    genuine = write.compare

    def compare(target, temporary):
        if target == music["d"]:
            raise KeyboardInterrupt
        return genuine(target, temporary)

    monkeypatch.setattr(write, "compare", compare)
    result = tonearm("tag", "--write")
    assert result.exit_code == 130
    assert "1 of 2 files written" in result.stdout
    assert genres(music)["a"] == ("Jazz",)
    assert sorted(os.listdir(music["a"].parent)) == [f"{name}.flac" for name in "abcde"]
    assert "interrupted" in tonearm("history").stdout


def test_an_undo_is_shown_before_it_is_done(music, tonearm):
    tonearm("tag", "--write")
    before = {path: path.read_bytes() for path in music.values()}
    file = mutagen.File(music["a"])
    file["mood"] = "calm"
    file.save()
    tagged.with_tags(music["d"], ["Bebop"])
    before[music["a"]], before[music["d"]] = music["a"].read_bytes(), music["d"].read_bytes()
    shown = tonearm("undo", "--dry-run")
    assert "a.flac: Jazz → none  (its genre alone: other tags were changed since)" in shown.stdout
    assert "d.flac: Hip-Hop → none  (skipped: its genre was changed since)" in shown.stdout
    assert "1 file of run 1 to restore" in shown.stdout
    assert {path: path.read_bytes() for path in music.values()} == before
    assert "run 2: 1 of 2 files of run 1 restored" in tonearm("undo").stdout
    assert genres(music)["a"] == () and mutagen.File(music["a"])["mood"] == ["calm"]


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
    assert planned.count("has 2 names (hard links)") == 1
    assert "1 skipped: cannot be written" in planned and "2 links to these files" in planned


def test_albums_of_one_title_are_told_apart(music, tonearm, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        for name, artist in (("a", "Queen"), ("b", "Queen"), ("c", "ABBA"), ("d", "ABBA")):
            row = ["Greatest Hits", artist, os.fsencode(music[name])]
            library.write("UPDATE tracks SET album = ?, album_artist = ? WHERE path = ?", [row])
    planned = tonearm("tag", "--by", "album", "--min-confidence", "0.6").stdout
    for line in ("(1 file in {}): none → Jazz", "(2 files in {}): none → Hip-Hop"):
        assert "Greatest Hits " + line.format(music["a"].parent) in planned


def test_the_only_track_of_an_album_is_as_sure_as_a_file_alone(music, tonearm, tmp_path):
    (tmp_path / "library.sqlite").unlink()
    close = {"jazz": 0.75, "blues": 0.25}
    tagged.library_of(tmp_path / "library.sqlite", {music["a"]: close})
    assert "Jazz" not in tonearm("tag", "--by", "album").stdout
    tagged.library_of(tmp_path / "library.sqlite", {music["c"]: close})
    assert "One (2 files in" in tonearm("tag", "--by", "album").stdout


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


def test_a_folder_that_is_away_is_told_of_in_one_way(music, tonearm, tmp_path):
    folder = music["a"].parent
    with Library(tmp_path / "library.sqlite", write=True) as library:
        library.write("INSERT INTO roots VALUES (?)", [[os.fsencode(folder)]])
    folder.rename(tmp_path / "unmounted")
    forget = f"tonearm forget {shlex.quote(str(folder))}"
    words = f"is away: its 5 tracks are kept. Connect it, or `{forget}`"
    everything = tonearm("tag", "--write")
    assert everything.exit_code == 0, "the disk is off: no news for cron"
    assert "0 files to write" in everything.stdout and f"  {folder} {words}\n" in everything.stdout
    for command in (["tag", folder], ["list", folder]):
        named = tonearm(*command)
        assert named.exit_code == 1 and f"  {folder} {words}\n" in named.stderr, command
    for command in ("tag", "list"):
        slip = tonearm(command, tmp_path / "slip")
        assert slip.exit_code == 1 and f"{tmp_path / 'slip'} does not exist\n" in slip.stderr
    assert "5  away" in tonearm("status").stdout
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
    assert f"{link} {reason}\n" in tonearm("status", "--errors").stdout
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
    assert tonearm("tag", "--genre", "jaz").exit_code == 2


def test_many_changes_are_summed(music, tonearm, monkeypatch):
    monkeypatch.setattr(tag_views, "_MOST_LINES", 1)
    planned = tonearm("tag").stdout
    assert (
        "none → Jazz, 1 file\n" in planned
        and f"    {music['a'].parent}{os.sep} (1 file)" in planned
    )
    assert "a.flac" not in planned and "a.flac" in tonearm("tag", "--details").stdout


def test_discs_of_an_album_are_one_line(music, tonearm, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        for name, album in (("c", "Box (CD 1)"), ("d", "Box [Disc 2]")):
            row = [album, "Somebody", os.fsencode(music[name])]
            library.write("UPDATE tracks SET album = ?, album_artist = ? WHERE path = ?", [row])
    planned = tonearm("tag", "--by", "album", "--min-confidence", "0", music["c"], music["d"])
    assert f"Box (2 files in {music['c'].parent}): none → " in planned.stdout


def test_many_files_to_restore_are_summed(music, tonearm, monkeypatch):
    tonearm("tag", "--write")
    monkeypatch.setattr(undo, "_MOST_LINES", 1)
    shown = tonearm("undo", "--dry-run").stdout
    assert shown == "Hip-Hop → none, 1 file\nJazz → none, 1 file\n2 files of run 1 to restore\n"
    assert "a.flac: Jazz → none" in tonearm("undo", "--dry-run", "--details").stdout
    with music["a"].open("ab") as file:
        file.write(b"x")
    assert "a.flac: Jazz → none  (" in tonearm("undo", "--dry-run").stdout


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
    assert "1 damaged, classified by what is left:" in asked.stderr
    assert genres(music)["a"] == ("Jazz",)
    rows = json.loads(tonearm("tag", "--format", "json").stdout)["files"]
    assert {row["path"]: row["damage"] for row in rows if row["damage"]} == {str(music["a"]): words}
    status = json.loads(tonearm("status", "--format", "json").stdout)
    assert status["damaged"] == 1
