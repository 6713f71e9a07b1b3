from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from functools import partial

import pytest
from support import small_files, tagged

from tonearm import database
from tonearm.errors import LibraryError, TagError
from tonearm.tagging import replace, write
from tonearm.tagging.fields import edits_for_genres, read_fields
from tonearm.tagging.journal import Journal
from tonearm.tagging.read import read_tags
from tonearm.tagging.write import change, restore


@pytest.fixture
def song(tmp_path):
    path = small_files.write(tmp_path / "song.flac", small_files.music(1, 0.5))
    return tagged.with_tags(path, ["Rock", "Blues"])


@pytest.fixture
def place(tmp_path):
    return tmp_path / "journal.sqlite"


def tag(path, journal, genre="Jazz"):
    run = journal.start("tag")
    edits = partial(edits_for_genres, genres=[genre], guesses=[genre])
    change(path, edits, genres=[genre], journal=journal, run=run)
    journal.finish(run)
    return run


def undo(journal, run):
    number = journal.start("undo", undoes=run)
    for entry in journal.entries(run):
        if entry.state == "done" and not entry.undone:
            restore(entry, journal=journal, run=number)
    journal.finish(number)
    return number


def test_a_command_that_names_a_folder_in_no_utf8_is_kept(place):
    command = f"tonearm tag --write {os.fsdecode(b'caf' + bytes([0xE9]))}"
    with Journal(place, write=True) as journal:
        number = journal.start(command)
        assert journal.run(number).command == r"tonearm tag --write caf\udce9"


def test_the_commit_before_the_rename_is_flushed_to_the_disk(song, place):
    said = []
    with Journal(place, write=True) as journal:
        journal._connection.set_trace_callback(said.append)
        tag(song, journal)
        journal._connection.set_trace_callback(None)
    at = next(i for i, sql in enumerate(said) if "state = 'verified'" in sql)
    levels = [(i, sql) for i, sql in enumerate(said) if sql.startswith("PRAGMA synchronous")]
    (before, full), (after, normal) = levels
    assert full.endswith("FULL") and normal.endswith("NORMAL")
    assert before < at < said.index("COMMIT", at) < after


def test_undo_and_its_undo_and_so_on(song, place):
    states = [song.read_bytes()]
    with Journal(place, write=True) as journal:
        runs = [tag(song, journal)]
        states.append(song.read_bytes())
        for number in range(1, 6):
            runs.append(undo(journal, runs[-1]))
            assert song.read_bytes() == states[(number + 1) % 2]
            (first,) = journal.entries(runs[0])
            assert first.undone is (number % 2 == 1)
            assert first.old_genres == ("Rock", "Blues")


def test_the_last_tag_that_is_left_is_undone_next(song, place):
    with Journal(place, write=True) as journal:
        first, second = tag(song, journal, "Jazz"), tag(song, journal, "Metal")
        assert journal.run(None).id == second
        undo(journal, second)
        assert journal.run(None).id == first
        undo(journal, first)
        with pytest.raises(LibraryError, match="nothing to undo"):
            journal.run(None)
    assert read_tags(song).genres == ("Rock", "Blues")


def test_a_genre_changed_since_is_left_alone(song, place):
    with Journal(place, write=True) as journal:
        run = tag(song, journal)
        tagged.with_tags(song, ["Bebop"])
        data = song.read_bytes()
        with pytest.raises(TagError, match="now Bebop"):
            undo(journal, run)
    assert song.read_bytes() == data


def test_other_tags_changed_since_stay(song, place):
    import mutagen

    with Journal(place, write=True) as journal:
        run = tag(song, journal)
        file = mutagen.File(song)
        file["title"], file["composer"] = "New", "Someone"
        file.save()
        undo(journal, run)
    file = mutagen.File(song)
    assert (file["title"], file["composer"]) == (["New"], ["Someone"])
    assert file["genre"] == ["Rock", "Blues"]
    assert "tonearm" not in file


def test_the_same_genre_spelt_by_another_program_is_taken_back(tmp_path, place):
    from mutagen import id3

    path = small_files.write(tmp_path / "song.mp3", small_files.music(1, 0.3))
    with Journal(place, write=True) as journal:
        run = tag(path, journal)
        tags = id3.ID3(path)
        tags.setall("TCON", [id3.TCON(encoding=1, text=["Jazz"])])
        tags.delall("TXXX:TONEARM")
        tags.save(path)
        undo(journal, run)
        assert read_tags(path).genres == ()

        run = tag(path, journal)
        tags = id3.ID3(path)
        tags.save(path, v2_version=3)
        assert write.undo_outlook(journal.entries(run)[0], journal, str(path)) == (False, None)
        undo(journal, run)
    assert read_tags(path).genres == ()
    assert id3.ID3(path, translate=False).version == (2, 3, 0), "only the genre goes"


@pytest.mark.parametrize("other", ["Jazz; Blues", "Jazz/Blues"])
@pytest.mark.parametrize("first", [3, 4])
def test_two_genres_that_another_program_joined_are_taken_back(tmp_path, place, first, other):
    from mutagen import id3

    path = small_files.write(tmp_path / "song.mp3", small_files.music(1, 0.3))
    tags = id3.ID3()
    tags.add(id3.TIT2(encoding=3, text=["Song"]))
    tags.save(path, v2_version=first)
    genres = ["Jazz", "Blues"]
    with Journal(place, write=True) as journal:
        run = journal.start("tag")
        edits = partial(edits_for_genres, genres=genres, guesses=genres)
        change(path, edits, genres=genres, journal=journal, run=run)
        tags = id3.ID3(path)
        tags.setall("TCON", [id3.TCON(encoding=3, text=[other])])
        tags.save(path, v2_version=7 - first)
        assert read_tags(path).by_tonearm
        undo(journal, run)
    assert read_tags(path).genres == ()


def crash(*_args, **_options):
    """As if the process ended here: nothing after it happens, no cleaning up either."""
    raise SystemExit("killed")


CRASH_POINTS = ["write_copy", "compare", "put_in_place", "rename", "verified", "done"]


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_a_crash_at_each_step_is_done_or_not_done(song, place, point, monkeypatch):
    data = song.read_bytes()
    before = read_fields(song)
    with Journal(place, write=True) as journal, monkeypatch.context() as patch:
        if point == "rename":
            patch.setattr(os, "replace", crash)
        else:
            patch.setattr(journal if hasattr(journal, point) else write, point, crash)
        with pytest.raises(SystemExit):
            tag(song, journal)
    left = [name for name in os.listdir(song.parent) if name.startswith(replace.TEMPORARY_PREFIX)]
    assert len(left) == (point not in {"write_copy", "done"})
    with Journal(place, write=True) as journal:
        (entry,) = journal.entries(1)
        assert journal.recovered == ([str(song)] if point == "done" else [])
    assert entry.state == ("done" if point == "done" else "failed")
    assert sorted(os.listdir(song.parent)) == ["journal.sqlite", "journal.sqlite.lock", "song.flac"]
    if point == "done":
        assert read_tags(song).genres == ("Jazz",)
        assert entry.before.same_as(before)
    else:
        assert song.read_bytes() == data


def test_a_crash_within_the_copy_leaves_the_file(song, place, monkeypatch):
    data = song.read_bytes()

    def half(source, target, edits):
        target.write(source.read(1_000))
        crash()

    with Journal(place, write=True) as journal, monkeypatch.context() as patch:
        patch.setattr(replace, "copy_edited", half)
        with pytest.raises(SystemExit):
            tag(song, journal)
    with Journal(place, write=True) as journal:
        assert journal.entries(1)[0].reason == "interrupted before it was written"
    assert song.read_bytes() == data
    assert not [
        name for name in os.listdir(song.parent) if name.startswith(replace.TEMPORARY_PREFIX)
    ]


def test_a_change_by_others_after_a_crash_is_not_ours(song, place, monkeypatch):
    with Journal(place, write=True) as journal, monkeypatch.context() as patch:
        patch.setattr(journal, "done", crash)
        with pytest.raises(SystemExit):
            tag(song, journal)
    tagged.with_tags(song, ["Bebop"])
    with Journal(place, write=True) as journal:
        assert "changed since by another" in journal.entries(1)[0].reason


KILLED = """
    import sys
    from functools import partial
    from pathlib import Path
    from tonearm.tagging.fields import edits_for_genres
    from tonearm.tagging.journal import Journal
    from tonearm.tagging.write import change
    with Journal(sys.argv[1], write=True) as journal:
        run = journal.start("tag")
        for number in range(1000):
            genre = "Jazz" if number % 2 else "Metal"
            for path in map(Path, sys.argv[2:]):
                edits = partial(edits_for_genres, genres=[genre], guesses=[genre])
                change(path, edits, genres=[genre], journal=journal, run=run)
                print("one", flush=True)
"""


def test_killed_at_any_moment(tmp_path, place):
    paths = []
    for suffix in (".mp3", ".ogg", ".m4a"):
        path = small_files.write(tmp_path / f"song{suffix}", small_files.music(1, 0.3))
        paths.append(tagged.with_tags(path, ["Rock"]))
    kept = {path: path.read_bytes() for path in paths}
    rng = random.Random(1)
    for _ in range(6):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(place), *map(str, paths)],
            stdout=subprocess.PIPE,
        )
        process.stdout.readline()
        time.sleep(rng.uniform(0.02, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        with Journal(place, write=True) as journal:
            entries = [entry for run in journal.runs() for entry in journal.entries(run.id)]
        assert {entry.state for entry in entries} <= {"done", "failed"}
        for path in paths:
            done = [e for e in entries if e.path == str(path) and e.state == "done"]
            latest = max(done, key=lambda entry: entry.id, default=None)
            expected = latest.new_genres if latest else ("Rock",)
            assert read_tags(path).genres == expected, "the journal knows"
        assert not list(tmp_path.glob(f"{replace.TEMPORARY_PREFIX}*"))
    with Journal(place, write=True) as journal:
        done = [e for run in journal.runs() for e in journal.entries(run.id) if e.state == "done"]
        run = journal.start("undo")
        for entry in sorted(done, key=lambda entry: -entry.id):
            restore(entry, journal=journal, run=run)
    assert done
    assert {path: path.read_bytes() for path in paths} == kept


def test_one_at_a_time(place, monkeypatch):
    monkeypatch.setattr(database, "RUN_WAIT_S", 0.1)
    with Journal(place, write=True):
        with pytest.raises(LibraryError, match="another"):
            Journal(place, write=True)
        Journal(place).close()
    Journal(place, write=True).close()


@pytest.mark.parametrize("form", ["newer", "foreign", "rubbish", "folder"])
def test_a_file_that_is_no_journal_of_ours(place, form):
    if form == "folder":
        place.mkdir()
    elif form == "rubbish":
        place.write_bytes(b"not a database at all" * 100)
    else:
        Journal(place, write=True).close()
        connection = sqlite3.connect(place)
        pragma = {"newer": "user_version = 99", "foreign": "application_id = 5"}[form]
        connection.execute(f"PRAGMA {pragma}")
        connection.close()
    with pytest.raises(LibraryError, match="journal"):
        Journal(place, write=True)


def test_copies_of_a_journal_can_be_read_without_writing(song, place, tmp_path):
    with Journal(place, write=True) as journal:
        tag(song, journal)
    copy = tmp_path / "copy.sqlite"
    shutil.copy(place, copy)
    with Journal(copy) as journal:
        assert [run.done for run in journal.runs()] == [1]


def test_one_unreadable_entry_costs_that_entry_alone(tmp_path, place):
    songs = [tmp_path / f"{name}.flac" for name in "ab"]
    for path in songs:
        small_files.write(path, small_files.music(1, 0.3))
        tagged.with_tags(path, ["Rock"])
    with Journal(place, write=True) as journal:
        run = journal.start("tag")
        for path in songs:
            change(path, tagged.genre_edits(["Jazz"]), genres=["Jazz"], journal=journal, run=run)
        journal.rows("UPDATE entries SET before = '{', old_genres = 'x' WHERE id = 1")
        journal.rows("DELETE FROM deltas WHERE entry = 1")
        first, second = journal.entries(run)
        assert (first.path, first.reason) == (
            str(songs[0]),
            "its entry in the journal cannot be read",
        )
        with pytest.raises(TagError, match="cannot be read"):
            restore(first, journal=journal, run=journal.start("undo", undoes=run))
        restore(second, journal=journal, run=journal.start("undo", undoes=run))
    assert [read_tags(path).genres for path in songs] == [("Jazz",), ("Rock",)]


@pytest.fixture
def interrupted(song, place, monkeypatch):
    """A journal whose last entry is about to be renamed over the file."""
    with Journal(place, write=True) as journal, monkeypatch.context() as patch:
        patch.setattr(write, "put_in_place", lambda *_: (_ for _ in ()).throw(SystemExit))
        with pytest.raises(SystemExit):
            tag(song, journal)
    return song


def state(place):
    with Journal(place, write=True) as journal:
        return journal.rows("SELECT state, reason FROM entries")[-1]


def test_an_interrupted_file_whose_folder_is_offline_stays_open(interrupted, place, tmp_path):
    for copy in interrupted.parent.glob(".tonearm-*"):
        os.replace(copy, interrupted)  # it was renamed, but not noted
    disk, away = tmp_path / "disk", tmp_path / "away"
    disk.mkdir()
    shutil.move(interrupted, disk / interrupted.name)
    with Journal(place, write=True) as journal:
        journal.rows(
            "UPDATE entries SET path = ?, temporary = ?, state = 'verified', reason = NULL",
            (os.fsencode(disk / interrupted.name), os.fsencode(disk / ".tonearm-1.flac")),
        )
    disk.rename(away)
    assert state(place) == ("verified", None)
    away.rename(disk)
    assert state(place) == ("done", None)


def test_recovery_removes_only_copies_of_its_own(song, place, tmp_path):
    """Whatever a damaged journal names."""
    mine = tmp_path / "mine.flac"
    elsewhere = tmp_path / "other" / ".tonearm-1.flac"
    elsewhere.parent.mkdir()
    with Journal(place, write=True) as journal:
        tag(song, journal)
    for other in (mine, elsewhere):
        other.write_bytes(b"a person's")
        with Journal(place, write=True) as journal:
            journal.rows("UPDATE entries SET state = 'begun', temporary = ?", (os.fsencode(other),))
        state(place)
        assert other.read_bytes() == b"a person's"


def test_entries_that_undo_each_other_in_a_loop_end(song, place):
    with Journal(place, write=True) as journal:
        first = tag(song, journal)
        undo(journal, first)
        journal.rows("UPDATE entries SET undoes = 2 WHERE id = 1")
        journal.done(2)
