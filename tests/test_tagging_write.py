from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
from functools import partial

import pytest
from support import small_files, tagged

from tonearm.containers.edits import Edit
from tonearm.errors import TagError
from tonearm.tagging import write
from tonearm.tagging.fields import edits_for_genres
from tonearm.tagging.journal import Journal
from tonearm.tagging.read import read_tags

JAZZ = partial(edits_for_genres, genres=["Jazz"], guesses=["Jazz"])


@pytest.fixture
def song(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    return tagged.with_tags(
        small_files.write(folder / "song.flac", small_files.music(1, 0.5)), ["Rock"]
    )


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.sqlite", write=True) as journal:
        yield journal


def change(path, journal, edits=JAZZ, **options):
    options = {"genres": ["Jazz"], "journal": journal, "run": journal.start("test"), **options}
    return write.change(path, edits, **options)


def refused(path, journal, match, edits=JAZZ):
    """The change is refused for that reason, and there is nothing but the file as it was."""
    data, names = path.read_bytes(), sorted(os.listdir(path.parent))
    with pytest.raises(TagError, match=match):
        change(path, journal, edits)
    assert path.read_bytes() == data
    assert sorted(os.listdir(path.parent)) == names


def test_rights_times_and_attributes_stay(song, journal):
    os.chmod(song, 0o2640)
    os.utime(song, ns=(10**18 + 1, 10**18 + 7))
    attributes = hasattr(os, "setxattr")
    if attributes:
        os.setxattr(song, "user.comment", b"mine")
    if os.geteuid() == 0:
        os.chown(song, 1234, 4321)
        os.chmod(song, 0o2640)
    before = song.stat()
    assert change(song, journal, keep_mtime=True)
    after = song.stat()
    assert read_tags(song).genres == ("Jazz",)
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        before.st_mode, before.st_uid, before.st_gid
    )  # fmt: skip
    assert after.st_mtime_ns == before.st_mtime_ns
    if attributes:
        assert os.getxattr(song, "user.comment") == b"mine"


def test_the_time_is_new_unless_it_shall_be_kept(song, journal):
    os.utime(song, ns=(10**18, 10**18))
    change(song, journal)
    assert song.stat().st_mtime_ns > 10**18


def test_nothing_to_do_leaves_no_entry(song, journal):
    change(song, journal)
    inode = song.stat().st_ino
    assert change(song, journal) is None
    assert song.stat().st_ino == inode
    assert [run.done for run in journal.runs()] == [0, 1]


def test_a_link_is_followed_and_stays_one(song, journal, tmp_path):
    link = tmp_path / "link.flac"
    link.symlink_to(song)
    change(link, journal)
    assert link.is_symlink()
    assert read_tags(song).genres == ("Jazz",)


def test_the_longest_of_names(song, journal):
    path = song.with_name("ñ" * 125 + ".flac")
    song.rename(path)
    change(path, journal)
    assert read_tags(path).genres == ("Jazz",)


def test_a_file_of_two_names_is_left_alone(song, journal):
    os.link(song, song.with_name("second.flac"))
    refused(song, journal, "2 names")


def test_a_read_only_file_is_left_alone(song, journal):
    song.chmod(0o444)  # root could write it all the same
    refused(song, journal, "read-only")


def test_a_vanished_file_is_named(tmp_path, journal):
    with pytest.raises(TagError, match="is not there any more"):
        change(tmp_path / "gone.flac", journal)


def test_a_file_that_changes_meanwhile_is_left_alone(song, journal, monkeypatch):
    genuine = write.compare

    def compare(target, temporary):
        os.utime(target, ns=(1, 2))
        return genuine(target, temporary)

    monkeypatch.setattr(write, "compare", compare)
    refused(song, journal, "changed meanwhile")


@pytest.mark.parametrize(
    ("where", "match"),
    [("sound", "sound would have changed"), ("title", "other tags"), ("picture", "other tags")],
)
def test_what_a_fault_would_have_changed_is_found(song, journal, where, match):
    data = song.read_bytes()

    def faulty(path):
        edits = JAZZ(path)
        if where == "title":
            (comments,) = (edit for edit in edits if b"Title=" in edit.data)
            edits.remove(comments)
            title = comments.data.replace(b"Title=T", b"Title=X")
            return [*edits, Edit(comments.offset, comments.length, title)]
        at = len(data) - 50 if where == "sound" else data.index(tagged.PICTURE) + 99
        return [*edits, Edit(at, 1, bytes([data[at] ^ 1]))]

    refused(song, journal, match, faulty)


def test_a_genre_that_would_be_read_as_another_is_refused(tmp_path, journal):
    path = small_files.write(tmp_path / "song.mp3", small_files.music(1, 0.3))
    edits = partial(edits_for_genres, genres=["17"], guesses=[])
    with pytest.raises(TagError, match="17 would read as Rock"):
        change(path, journal, edits, genres=["17"])
    assert read_tags(path).genres == ()


@pytest.mark.parametrize(
    ("edit", "match"),
    [(Edit(0, 0, b"rubbish"), "cannot be read back"), (Edit(4, 4_000, b""), "edits overlap")],
)
def test_each_failure_is_in_the_journal(song, journal, edit, match):
    refused(song, journal, match, lambda path: [edit, *JAZZ(path)])
    (entry,) = journal.entries(1)
    assert entry.state == "failed"
    assert match in entry.reason


def test_a_folder_that_cannot_be_flushed_is_changed_all_the_same(song, journal, monkeypatch):
    genuine = os.open

    def no_folders(path, flags, *rest):
        if flags & os.O_DIRECTORY:
            raise OSError(22, "no folders")
        return genuine(path, flags, *rest)

    monkeypatch.setattr(os, "open", no_folders)
    assert change(song, journal)
    assert journal.entries(1)[0].state == "done"


def as_nobody(tmp_path, body):
    """Run code as a user who owns nothing, in a process of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    place = tmp_path / "nobody"
    place.mkdir()
    os.chown(place, 65534, 65534)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    code = f"""
        import grp, os, pwd, sys, urllib.parse  # some are imported late, where nobody may read
        from functools import partial
        from pathlib import Path
        import tonearm.tagging.write as write, tonearm.audio.ffmpeg, av, mutagen.flac
        from tonearm.errors import TagError
        from tonearm.tagging.fields import edits_for_genres
        from tonearm.tagging.journal import Journal
        JAZZ = partial(edits_for_genres, genres=["Jazz"], guesses=["Jazz"])
        os.setgid(65534); os.setgroups([]); os.setuid(65534)
        with Journal({str(place / "journal.sqlite")!r}, write=True) as journal:
            try:
                write.change(
                    sys.argv[1], JAZZ, genres=["Jazz"], journal=journal, run=journal.start("test")
                )
            except TagError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(body)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not done.returncode, done.stderr
    return done.stdout


def test_a_folder_without_rights(song, tmp_path):
    song.chmod(0o666)
    data = song.read_bytes()
    assert "folder is not writable" in as_nobody(tmp_path, song)
    assert song.read_bytes() == data
    assert os.listdir(song.parent) == [song.name]


@pytest.mark.parametrize("rights", [0o666, 0o644])
def test_a_file_of_someone_else_keeps_its_owner_or_is_left_alone(song, tmp_path, rights):
    song.chmod(rights)
    song.parent.chmod(0o777)
    data = song.read_bytes()
    assert "belongs to user root: only that user" in as_nobody(tmp_path, song)
    assert song.read_bytes() == data
    assert os.listdir(song.parent) == [song.name]


def test_a_group_that_a_copy_could_not_keep_is_named(song, tmp_path):
    song.parent.chmod(0o777)
    said = {}
    for group in (0, 64999):
        if os.geteuid() == 0:
            os.chown(song, 65534, group)
        place = tmp_path / f"group {group}"
        place.mkdir()
        said[group] = as_nobody(place, song)
    assert "belongs to group root, which you are not in: join it, or give" in said[0]
    assert "belongs to group 64999, which" in said[64999], "no name: a group of another machine"


@pytest.mark.parametrize("room", [0, 10_000])
def test_a_full_disk(song, tmp_path, room):
    resource = pytest.importorskip("resource")
    import signal

    data = song.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(tmp_path / "journal.sqlite", write=True) as journal:
        # The journal's files are small; the limit is for each file.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) - 1 - room, limit[1]))
        try:
            with pytest.raises(TagError, match="disk"):
                change(song, journal)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert song.read_bytes() == data
    assert os.listdir(song.parent) == [song.name]


def test_a_disk_that_is_really_full(tmp_path, song):
    mount = shutil.which("mount")
    if os.geteuid() != 0 or not mount:
        pytest.skip("only root can mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    size = song.stat().st_size * 3 // 2
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(disk)],
        capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        path = disk / song.name
        shutil.copy(song, path)
        with Journal(tmp_path / "journal.sqlite", write=True) as journal:
            refused(path, journal, "disk is full")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
