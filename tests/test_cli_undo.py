"""``tonearm undo`` and ``history``: what comes back, and what is said of each run."""

from __future__ import annotations

import os

import mutagen
import pytest
from support import tagged
from support.two_albums import genres, runner, two_albums

from tonearm.cli import library_options
from tonearm.errors import LibraryError
from tonearm.library import tag_runs
from tonearm.library.file_tags import file_tags
from tonearm.library.store import Library
from tonearm.tagging import write


@pytest.fixture
def music(tmp_path):
    return two_albums(tmp_path)


@pytest.fixture
def tonearm(tmp_path):
    return runner(tmp_path / "library.sqlite")


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
    for arguments in ([], ["--dry-run"]):
        told = tonearm("undo", *arguments)
        assert told.exit_code == 0 and told.stderr.startswith("nothing to undo: all")
    tonearm("undo", 2)
    assert {path: path.read_bytes() for path in music.values()} == written


def test_what_another_run_restored_already_is_not_tried_again(music, tonearm):
    tonearm("tag", "--write")
    tonearm("undo")
    tonearm("undo", 2)
    tonearm("undo")  # of run 1 again, by which run 3 is undone too
    ran = tonearm("undo", 3)
    assert (ran.exit_code, ran.stderr) == (0, "All files of run 3 are restored already.\n")
    assert genres(music)["a"] == ()
    music["d"].write_bytes(b"no audio any more")
    ran = tonearm("undo", 4)
    assert ran.exit_code == 1 and "1 of 2 files of run 4 restored" in ran.stdout


def test_a_later_run_is_undone_first(music, tonearm, tmp_path):
    tonearm("tag", "--write")
    tagged.with_tags(music["a"], ["My Own"])
    with Library(tmp_path / "library.sqlite", write=True) as library:  # as a scan does
        library.update_file(music["a"], file_tags(str(music["a"])))
    tonearm("tag", "--policy", "replace", "--write", music["a"])
    reason = "was tagged again by run 2: first run `tonearm undo 2`"
    assert f"(skipped: {reason})" in tonearm("undo", 1, "--dry-run").stdout
    assert reason in tonearm("undo", 1).stderr
    assert "undo of run 1: 1 file restored, 1 skipped" in tonearm("history").stdout
    tonearm("undo", 2)
    assert genres(music)["a"] == ("My Own",)


def test_all_runs_are_undone_at_once(music, tonearm, tmp_path):
    before = {path: path.read_bytes() for path in music.values()}
    tonearm("tag", "--write", music["a"])
    tonearm("tag", "--write", "--max-genres", 2, "--min-confidence", 0.05)
    tonearm("tag", "--write", "--policy", "replace", music["b"])
    assert genres(music)["b"] == ("Jazz",)
    undone = tonearm("undo", "--all")
    assert [line.partition(": ")[2] for line in undone.stdout.splitlines()] == [
        "1 of 1 file of run 3 restored",
        "2 of 2 files of run 2 restored",
        "1 of 1 file of run 1 restored",
    ]
    assert {path: path.read_bytes() for path in music.values()} == before
    again = tonearm("undo", "--all")
    assert (again.exit_code, again.stderr[:20]) == (0, "nothing to undo: all")


def test_a_file_that_no_run_can_restore_is_named_once(music, tonearm):
    tonearm("tag", "--write", music["a"])
    tonearm("tag", "--write", "--policy", "replace", "--map", _map(music, "Jazz-Rock"), music["a"])
    kept = music["a"].read_bytes()
    tagged.with_tags(music["a"], ["My Own"])
    undone = tonearm("undo", "--all")
    assert undone.exit_code == 1 and undone.stderr.count("a.flac") == 1
    assert "its genre has changed since (now My Own)" in undone.stderr
    assert genres(music)["a"] == ("My Own",)
    music["a"].write_bytes(kept)
    assert tonearm("undo", "--all").exit_code == 0 and genres(music)["a"] == ()


@pytest.mark.parametrize("others", [[1], ["--dry-run"]])
def test_all_runs_are_not_one(music, tonearm, others):
    refused = tonearm("undo", "--all", *others)
    assert refused.exit_code == 2 and "leave out the number" in refused.stderr


def _map(music, jazz):
    path = music["a"].parent / "map.toml"
    path.write_text(f'jazz = "{jazz}"')
    return path


def test_a_library_that_was_moved_without_its_journal_says_so(music, tonearm, tmp_path):
    tonearm("tag", "--write")
    (tmp_path / "library.journal.sqlite").unlink()
    with pytest.raises(LibraryError, match="2 files hold a genre by Tonearm, but there is no jour"):
        tonearm("undo")


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
        "2 files tagged again as in run 1",
    ]
    music["a"].unlink()
    tonearm("undo", 3)
    assert lines()[1:] == [
        "2 files restored, 1 of them undone by run 3",
        "2 files tagged again as in run 1, 1 of them undone by run 4",
        "1 file restored again as in run 2, 1 skipped",
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
    assert tonearm("undo", 2).stderr == "Run 2 changed no file.\n"
    music["a"].write_bytes(kept)
    assert "1 of 1 file of run 1 restored" in tonearm("undo").stdout


def test_a_file_is_not_the_number_of_a_run(music, tonearm):
    tonearm("tag", "--write")
    for command in ("undo", "history"):
        told = tonearm(command, music["a"])
        assert told.exit_code == 2 and "is not the number of a run" in told.stderr


def test_a_genre_changed_since_is_not_undone(music, tonearm):
    tonearm("tag", "--write")
    tagged.with_tags(music["a"], ["Bebop"])
    result = tonearm("undo")
    assert result.exit_code == 1
    assert "a.flac: its genre has changed since (now Bebop)" in result.stderr
    assert "1 skipped (what somebody wrote since stays):\n" in result.stderr
    assert genres(music)["a"] == ("Bebop",)
    assert genres(music)["d"] == ()


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
    assert "a.flac: Jazz → none  (only its genre: other tags have changed since)" in shown.stdout
    assert (
        "d.flac: Hip-Hop → none  (skipped: its genre has changed since (now Bebop))" in shown.stdout
    )
    assert "1 file of run 1 to restore" in shown.stdout
    assert {path: path.read_bytes() for path in music.values()} == before
    assert "run 2: 1 of 2 files of run 1 restored" in tonearm("undo").stdout
    assert genres(music)["a"] == () and mutagen.File(music["a"])["mood"] == ["calm"]


def test_many_files_to_restore_are_summed(music, tonearm, monkeypatch):
    tonearm("tag", "--write")
    monkeypatch.setattr(library_options, "MOST_LINES", 1)
    shown = tonearm("undo", "--dry-run").stdout
    assert shown == "Hip-Hop → none, 1 file\nJazz → none, 1 file\n2 files of run 1 to restore\n"
    assert "a.flac: Jazz → none" in tonearm("undo", "--dry-run", "--details").stdout
    with music["a"].open("ab") as file:
        file.write(b"x")
    assert "a.flac: Jazz → none  (" in tonearm("undo", "--dry-run").stdout
