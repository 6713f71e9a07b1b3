from __future__ import annotations

import os
import shutil

import mutagen
import numpy as np
import pytest
from support import small_files, tagged

from tonearm.containers.sound_key import sound_key
from tonearm.errors import LibraryError
from tonearm.genres import GTZAN_GENRES
from tonearm.library.file_tags import file_tags
from tonearm.library.store import FileStatus, Library, ModelRecord, as_stored
from tonearm.library.tag_runs import Wanted, open_journal, undo_run, write_all
from tonearm.model.prediction import Prediction
from tonearm.tagging import write as tagging_write
from tonearm.tagging.journal import Journal, journal_path
from tonearm.tagging.read import read_tags

MOVED = "is not there any more: connect its disk, or `tonearm scan` its new folder, and try again"


@pytest.fixture
def folder(tmp_path):
    """Three files without a genre."""
    folder = tmp_path / "real"
    folder.mkdir()
    data = small_files.write(tmp_path / "plain.flac", small_files.music(1, 0.3)).read_bytes()
    for name in "abc":
        (folder / f"{name}.flac").write_bytes(data)
    return folder


@pytest.fixture
def place(tmp_path):
    return tmp_path / "library.sqlite"


def write(place, paths, genre="Jazz", **options):
    wanted = [Wanted(str(path), (genre,), (genre,)) for path in paths]
    with Library(place, write=True) as library, open_journal(place, library) as journal:
        return write_all(library, journal, wanted, command="test", **options)


def scanned(place, paths):
    """A library of files of different sounds, known by their keys."""
    for number, path in enumerate(paths):
        small_files.write(path, small_files.music(number, 0.3))
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    with Library(place, write=True) as library:
        library.write(
            "UPDATE sounds SET key = ? WHERE key = ?",
            [[sound_key(path), f"made-{number}"] for number, path in enumerate(paths)],
        )


def follow(place, old, new):
    """Rename a file, and let the library know as a scan does."""
    old.rename(new)
    with Library(place, write=True) as library:
        library.write(
            "UPDATE tracks SET path = ? WHERE path = ?", [[as_stored(new), as_stored(old)]]
        )


def undo(place, run=None):
    with Library(place, write=True) as library, open_journal(place, library) as journal:
        return undo_run(library, journal, run, command="undo")


def kept(place) -> dict:
    """Genres by path, of rows that fit their files."""
    with Library(place) as library:
        tracks = list(library.tracks())
        for track in tracks:
            known = library.known(as_stored(track.path))
            assert known.status == FileStatus.of(os.stat(track.path)), "a scan would look again"
        return {track.path: track.tags.genres for track in tracks}


def test_files_behind_a_linked_folder_are_known_by_the_path_that_was_scanned(
    folder, place, tmp_path
):
    link = tmp_path / "link"
    link.symlink_to(folder)
    paths = [link / "a.flac", link / "b.flac"]
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    assert write(place, paths).paths == list(map(str, paths))
    assert kept(place) == dict.fromkeys(map(str, paths), ("Jazz",))
    assert undo(place).paths == list(map(str, reversed(paths)))
    assert kept(place) == dict.fromkeys(map(str, paths), ())
    assert read_tags(folder / "a.flac").genres == ()


def test_a_crash_behind_a_link_is_settled(folder, place, tmp_path, monkeypatch):
    link = tmp_path / "link.flac"
    link.symlink_to(folder / "a.flac")
    tagged.library_of(place, {link: {"jazz": 0.9}})

    def crash(*_):
        raise SystemExit("killed")

    with monkeypatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(Journal, "done", crash)
        write(place, [link])
    undo(place, write(place, [link], "Blues").run)
    assert kept(place) == {str(link): ("Jazz",)}, "as the run that was killed left it"


def test_a_file_and_a_link_to_it_are_one_file(folder, place):
    path, link = folder / "a.flac", folder / "link.flac"
    link.symlink_to(path)
    tagged.library_of(place, {path: {"jazz": 0.9}})
    with Library(place, write=True) as library:
        ((sound,),) = library.rows("SELECT id FROM sounds")
        status = FileStatus.of(path.stat())
        library.put_track(as_stored(link), status, file_tags(str(link)), sound=sound)
        # A file of before that had its number, and one of the same sound, are not names of it.
        library.put_track(b"/gone", status._replace(mtime_ns=1), file_tags(str(path)), sound=sound)
        library.put_track(b"/copy", status._replace(inode=1), file_tags(str(path)), sound=sound)
    done = write(place, [path, link])
    assert (done.paths, done.failures) == ([str(path), str(link)], [])
    with Library(place, write=True) as library:
        assert library.track("/gone").tags.genres == library.track("/copy").tags.genres == ()
        library.write("DELETE FROM tracks WHERE path IN (?, ?)", [[b"/gone", b"/copy"]])
    assert kept(place) == dict.fromkeys((str(path), str(link)), ("Jazz",))
    assert undo(place).failures == []
    assert kept(place) == dict.fromkeys((str(path), str(link)), ())


def test_one_that_fails_is_named_and_the_rest_is_done(folder, place):
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    os.utime(paths[0], ns=(1, 2))
    reports = []
    done = write(
        place,
        [*paths, folder / "new.flac"],
        on_progress=lambda done: reports.append((done.total, len(done.paths), len(done.failures))),
    )
    assert reports == [(4, 0, 0), (4, 0, 1), (4, 1, 1), (4, 2, 1), (4, 2, 2)]
    assert done.failures == [
        (str(paths[0]), "changed since the scan; run `tonearm scan` again"),
        (str(folder / "new.flac"), MOVED),
    ]
    assert done.paths == list(map(str, paths[1:]))


def test_a_file_that_cannot_be_looked_at_afterwards_is_written_all_the_same(
    folder, place, monkeypatch
):
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})

    def lost(_library, _path, _tags):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Library, "update_file", lost)
        done = write(place, paths)
        assert (len(done.paths), done.failures) == (3, [])
        assert len(undo(place).paths) == 3


def test_what_is_restored_already_is_not_restored_again(folder, place):
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    run = write(place, paths).run
    assert undo(place).undoes == run
    again = undo(place, run)
    assert (again.run, again.total, again.undoes) == (None, 0, run)
    with Journal(journal_path(place)) as journal:
        assert len(journal.runs()) == 2, "a run of nothing is none"


def test_without_a_library_the_journal_suffices(folder, place):
    path = folder / "a.flac"
    tagged.library_of(place, {path: {"jazz": 0.9}})
    write(place, [path])
    place.unlink()
    with open_journal(place, None) as journal:
        assert undo_run(None, journal, None, command="undo").paths == [str(path)]
    assert read_tags(path).genres == ()


def test_ctrl_c_settles_what_is_open(folder, place, monkeypatch):
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    genuine = tagging_write.compare

    def compare(target, temporary):
        if target == paths[1]:
            raise KeyboardInterrupt
        return genuine(target, temporary)

    monkeypatch.setattr(tagging_write, "compare", compare)
    done = write(place, paths)
    assert done.interrupted and done.paths == [str(paths[0])]
    assert sorted(os.listdir(folder)) == [path.name for path in paths]


def test_ctrl_c_between_a_file_and_its_row_leaves_no_row_behind(folder, place, monkeypatch):
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    genuine, updated = Library.update_file, []

    def update(library, path, tags):
        updated.append(path)
        if len(updated) == 2:
            raise KeyboardInterrupt
        genuine(library, path, tags)

    monkeypatch.setattr(Library, "update_file", update)
    done = write(place, paths)
    assert done.interrupted and done.paths == list(map(str, paths[:2]))
    assert list(kept(place).values()) == [("Jazz",), ("Jazz",), ()]


def test_a_file_that_moved_is_restored_where_it_is_now(folder, place):
    """Undone, redone and undone again, each from another place."""
    path = folder / "a.flac"
    scanned(place, [path])
    data = path.read_bytes()
    write(place, [path])
    written = path.read_bytes()
    follow(place, path, folder / "moved.flac")
    assert undo(place).paths == [str(folder / "moved.flac")]
    assert (folder / "moved.flac").read_bytes() == data
    follow(place, folder / "moved.flac", folder / "again.flac")
    assert undo(place, 2).paths == [str(folder / "again.flac")]
    assert (folder / "again.flac").read_bytes() == written
    assert undo(place, 1).failures == []
    assert kept(place) == {str(folder / "again.flac"): ()}


def test_a_file_that_is_not_surely_the_same_is_left_alone(folder, place):
    paths = sorted(folder.iterdir())
    scanned(place, paths)
    write(place, paths)
    # One is gone and a copy of it lies there; one is another sound now; one was scanned nowhere.
    copy = folder / "copy.flac"
    shutil.copy(paths[0], copy)
    paths[0].unlink()
    with Library(place, write=True) as library:
        status = FileStatus.of(copy.stat())
        sound = library.rows("SELECT sound FROM tracks WHERE path = ?", [as_stored(paths[0])])[0][0]
        library.put_track(as_stored(copy), status, file_tags(str(copy)), sound=sound)
    follow(place, paths[1], folder / "other.flac")
    small_files.write(folder / "other.flac", small_files.music(9, 0.3))
    paths[2].rename(folder / "unseen.flac")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    done = undo(place)
    assert (done.paths, done.failures) == ([], [(str(path), MOVED) for path in reversed(paths)])
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def forgotten_and_scanned_again(place, moves):
    """As `forget` of the old folder and `scan` of the new one leave the library."""
    with Library(place, write=True) as library:
        keys = {new: library.track(old).key for old, new in moves.items()}
        library.forget([old.parent for old in moves])
        model = library.model_id(ModelRecord("0" * 64, "made up", "made up", GTZAN_GENRES, None))
        for new, key in reversed(keys.items()):  # so that numbers are not those of before
            prediction = Prediction.of(GTZAN_GENRES, [0.0] * len(GTZAN_GENRES), known=True)
            sound = library.put_sound(
                key,
                model=model,
                windows=np.zeros((1, 50), dtype=np.float16),
                duration_s=1.0,
                warning=None,
                prediction=prediction,
            )
            status = FileStatus.of(new.stat())
            library.put_track(as_stored(new), status, file_tags(str(new)), sound=sound)


def test_files_that_moved_are_found_after_they_were_forgotten(folder, place, tmp_path):
    """Two of them hold one sound, and one was given a title since."""
    paths = sorted(folder.iterdir())
    scanned(place, paths[:1] + paths[2:])
    shutil.copy(paths[0], paths[1])
    with Library(place, write=True) as library:
        sound = library.rows("SELECT sound FROM tracks WHERE path = ?", [as_stored(paths[0])])[0][0]
        status = FileStatus.of(paths[1].stat())
        library.put_track(as_stored(paths[1]), status, file_tags(str(paths[1])), sound=sound)
    before = [path.read_bytes() for path in paths]
    write(place, paths)
    folder.rename(tmp_path / "elsewhere")
    moved = [tmp_path / "elsewhere" / path.name for path in paths]
    file = mutagen.File(moved[2])
    file["title"] = "A title"
    file.save()
    forgotten_and_scanned_again(place, dict(zip(paths, moved, strict=True)))
    stray = tmp_path / "elsewhere" / "stray.flac"  # of the same sound, but never written
    stray.write_bytes(before[0])
    done = undo(place)
    assert (sorted(done.paths), done.failures) == ([str(path) for path in moved], [])
    assert [path.read_bytes() for path in moved[:2]] == before[:2]
    assert read_tags(moved[2]).genres == () and read_tags(moved[2]).title == "A title"
    assert stray.read_bytes() == before[0]


def test_a_file_of_another_run_is_not_taken_for_one_that_was_forgotten(folder, place, tmp_path):
    """Of two copies, each written by its own run, one is deleted and forgotten."""
    first, second, _ = sorted(folder.iterdir())
    scanned(place, [first])
    shutil.copy(first, second)
    with Library(place, write=True) as library:
        track = library.track(first)
        sound = library.rows("SELECT sound FROM tracks WHERE id = ?", [track.id])[0][0]
        status = FileStatus.of(second.stat())
        library.put_track(as_stored(second), status, file_tags(str(second)), sound=sound)
    write(place, [second])
    write(place, [first])
    first.unlink()
    with Library(place, write=True) as library:
        library.forget([first])
    assert undo(place, 2).failures == [(str(first), MOVED)]
    assert read_tags(second).genres == ("Jazz",)


def test_an_undo_that_put_nothing_back_is_tried_again(folder, place, tmp_path):
    """As when a disk is not mounted."""
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    write(place, paths)
    folder.rename(tmp_path / "away")
    assert len(undo(place).failures) == 3
    (tmp_path / "away").rename(folder)
    paths[0].chmod(0o444)
    assert len(undo(place).paths) == 2
    with pytest.raises(LibraryError, match="`tonearm undo 1` tries those of run 1 again"):
        undo(place)
    paths[0].chmod(0o644)
    assert undo(place, 1).paths == [str(paths[0])]
    with pytest.raises(LibraryError, match="nothing to undo: all"):
        undo(place)


def test_an_undo_that_was_undone_in_part_leaves_something_to_undo(folder, place):
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    write(place, paths)
    assert len(undo(place).paths) == 3
    paths[0].chmod(0o444)
    again = undo(place, 2)
    assert again.paths == [str(path) for path in paths[1:]]
    assert read_tags(paths[1]).genres == ("Jazz",)
    assert sorted(undo(place).paths) == again.paths
    assert read_tags(paths[1]).genres == ()
    with pytest.raises(LibraryError, match="nothing to undo: all"):
        undo(place)


def test_what_is_refused_is_in_the_journal(folder, place):
    paths = sorted(folder.iterdir())
    tagged.library_of(place, {path: {"jazz": 0.9} for path in paths})
    paths[0].chmod(0o444)
    os.utime(paths[1], ns=(1, 2))
    paths[2].unlink()
    assert len(write(place, paths).failures) == 3
    with Journal(journal_path(place)) as journal:
        assert [(run.done, run.failed) for run in journal.runs()] == [(0, 3)]
        reasons = {entry.path: entry.reason for entry in journal.entries(1)}
    changed = "changed since the scan; run `tonearm scan` again"
    assert reasons == dict(zip(map(str, paths), ("is read-only", changed, MOVED), strict=True))
    with pytest.raises(LibraryError, match="nothing to undo: all"):
        undo(place)


def test_a_journal_of_before_is_opened_and_undone(folder, place):
    path = folder / "a.flac"
    tagged.library_of(place, {path: {"jazz": 0.9}})
    write(place, [path])
    with Journal(journal_path(place), write=True) as journal:
        journal.rows("DROP TABLE held")
    assert undo(place).paths == [str(path)]
