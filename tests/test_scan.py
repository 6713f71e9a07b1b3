"""Scanning: what is analysed, what is recognised, and what is missing."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support import embedders, small_files
from support.scanning import Case

from tonearm.containers.sound_key import sound_key
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.library import places
from tonearm.library.file_tags import file_tags
from tonearm.library.scan import scan
from tonearm.library.store import Library, as_stored
from tonearm.model import file as models


@pytest.fixture(scope="module")
def model():
    return models.load()


@pytest.fixture
def case(tmp_path, model):
    return Case(tmp_path, model)


def test_every_file_once_and_then_none(case, model):
    for i in range(6):
        case.add(f"{i % 2}/{i}.mp3")
    case.add("cover.jpg")
    case.add(".hidden.mp3")
    result = case.scan()
    assert (result.found, result.analysed, result.unchanged, result.failures) == (6, 6, 0, [])
    assert len(case.analysed()) == 6
    tracks = case.tracks()
    assert len(tracks) == 6 and all(
        len(t.probabilities) == len(model.labels) for t in tracks.values()
    )
    again = case.scan()
    assert (again.found, again.unchanged, again.to_do, case.analysed()) == (6, 6, 0, [])
    assert case.tracks() == tracks


def test_what_moves_keeps_its_row_and_is_not_analysed_again(case):
    old = case.add("old/a.mp3")
    case.add("old/b.mp3")
    case.scan()
    before = case.tracks()["old/a.mp3"]
    (case.root / "new").mkdir()
    old.rename(case.root / "new" / "other.mp3")
    result = case.scan()
    assert (result.analysed, result.recognised, result.moved, result.missing) == (0, 1, 1, 0)
    after = case.tracks(missing=True)
    assert sorted(after) == ["new/other.mp3", "old/b.mp3"]
    assert after["new/other.mp3"].id == before.id
    assert after["new/other.mp3"].probabilities == before.probabilities


def test_two_files_that_change_names_change_sounds(case):
    a, b = case.add("a.mp3"), case.add("b.mp3")
    case.scan()
    keys = {name: track.key for name, track in case.tracks().items()}
    a.rename(case.root / "held")
    b.rename(a)
    (case.root / "held").rename(b)
    assert case.scan().analysed == 0
    now = case.tracks()
    assert (now["a.mp3"].key, now["b.mp3"].key) == (keys["b.mp3"], keys["a.mp3"])


def test_copies_are_analysed_once_also_when_found_together(case):
    for name in ("1 slow.mp3", "2 slow.mp3", "3 slow.mp3", "4 slow.mp3"):
        case.add(name, "one sound")
    result = case.scan(jobs=2)
    assert (result.analysed, result.recognised, result.moved) == (1, 3, 0)
    assert len({track.key for track in case.tracks().values()}) == 1


def test_changed_and_gone_and_back(case):
    a, b = case.add("a.mp3"), case.add("b.mp3")
    case.scan()
    a.write_text("another sound")
    kept = b.with_suffix(".away")
    os.rename(b, kept)
    result = case.scan()
    assert (result.analysed, result.missing) == (1, 1)
    assert list(case.tracks()) == ["a.mp3"]
    assert case.tracks(missing=True)["b.mp3"].missing
    os.rename(kept, b)
    result = case.scan()
    assert (result.analysed, case.analysed(), sorted(case.tracks())) == (0, [], ["a.mp3", "b.mp3"])


def test_a_root_that_is_not_there_is_named_and_its_files_are_not_missing(case):
    case.add("disk/a.mp3")
    case.scan(case.root / "disk")
    (case.root / "disk").rename(case.root / "unmounted")
    result = case.scan(case.root / "disk")
    disk = case.root / "disk"
    words = "is not there: its track is kept. Connect its disk; if it was moved, run `tonearm scan`"
    words += f" on its new place; to drop it, `tonearm forget {disk}`"
    assert result.failures == [(str(disk), words)]
    assert (result.missing, result.offline) == (0, 1) and list(case.tracks()) == ["disk/a.mp3"]
    result = case.scan(again=True)
    assert (result.failures, result.failed_before, result.offline) == ([], 0, 1), "no news"
    below = case.root / "disk" / "album"
    assert case.scan(below).failures == [(str(below), "does not exist")], "never seen"


def test_an_unmounted_disk_below_a_folder_is_offline_and_an_emptied_folder_is_not(case):
    case.add("usb/album/a.mp3")
    case.add("plain/b.mp3")
    case.add("c.mp3")
    case.scan()
    with Library(case.path, write=True) as library:  # as if it had been on a disk of its own
        library.write("INSERT INTO mounts VALUES (?)", [[as_stored(case.root / "usb")]])
    shutil.rmtree(case.root / "usb" / "album")
    shutil.rmtree(case.root / "plain")
    for news in (True, False):
        result = case.scan()
        assert (result.found, result.offline, result.missing) == (1, 1, int(news))
        assert result.missing_before == int(not news), "what is missing is counted ever after"
        assert bool(result.failures) == news
    case.add("usb/album/a.mp3")
    assert (case.scan().offline, sorted(case.tracks())) == (0, ["c.mp3", "usb/album/a.mp3"])


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no second disk to link to")
def test_a_folder_on_another_disk_is_noted(case):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as disk:
        Path(disk, "a.mp3").write_text("a")
        (case.root / "usb").symlink_to(disk)
        case.add("b.mp3")
        case.scan()
        with Library(case.path) as library:
            assert library.mounts() == [str(case.root / "usb")]
    result = case.scan()
    assert (result.found, result.offline, result.missing) == (1, 1, 0)


def test_a_folder_that_moved_altogether_is_no_longer_waited_for(case):
    case.add("old/a.mp3")
    case.scan(case.root / "old")
    (case.root / "old").rename(case.root / "new")
    result = case.scan(case.root / "new", again=True)
    assert (result.moved, result.offline, result.failures) == (1, 0, [])
    with Library(case.path) as library:
        assert library.roots() == [str(case.root / "new")] and library.unread() == []


def test_a_folder_that_is_back_is_away_no_longer_before_the_next_scan(case):
    case.add("disk/a.mp3")
    case.scan(case.root / "disk")
    (case.root / "disk").rename(case.root / "unplugged")
    case.scan(again=True)
    (case.root / "unplugged").rename(case.root / "disk")
    with Library(case.path) as library:
        assert library.unread() and places.unread(library) == []


def test_a_root_that_was_emptied_is_named(case):
    case.add("inbox/a.mp3")
    case.scan(case.root / "inbox")
    (case.root / "inbox" / "a.mp3").unlink()
    result = case.scan(again=True)
    assert (result.missing, result.offline, result.failures) == (1, 0, [])
    words = "is empty now, so 1 file is missing. If its disk is not connected, connect it and "
    assert result.emptied == [(str(case.root / "inbox"), words + "scan again")]


def test_a_link_upwards_takes_in_nothing_from_above(case):
    case.add("album/a.mp3")
    (case.root / "links").mkdir()
    (case.root / "links" / "up").symlink_to("..")
    case.add("links/b.mp3")
    assert case.scan(case.root / "links").found == 1 and list(case.tracks()) == ["links/b.mp3"]


def test_files_that_are_named_one_by_one_are_no_folders_to_scan(case):
    paths = [case.add(f"some/{i}.mp3", f"{i % 3}") for i in range(1_200)]
    assert case.scan(*paths).found == 1_200, "SQLite refuses expressions of a depth of 1,000"
    with Library(case.path) as library:
        assert library.roots() == []
        assert sum(1 for _ in library.tracks(paths)) == 1_200
    case.add("some/other.mp3")
    assert case.scan(again=True).unchanged == 1_200, "the folder itself was never named"
    with Library(case.path, write=True) as library:  # as it was once kept
        library.write("INSERT INTO roots VALUES (?)", [[as_stored(path)] for path in paths])
    assert case.scan(again=True).unchanged == 1_200
    paths[0].unlink()
    result = case.scan(again=True)
    assert (result.found, result.missing, result.failures) == (1_199, 1, [])
    result = case.scan(again=True)
    assert (result.found, result.missing, result.failures) == (1_199, 0, [])
    case.add("some/0.mp3", "0")
    assert case.scan(again=True).found == 1_200
    assert len(case.tracks()) == 1_200


def test_again_is_all_that_was_scanned_before(case):
    case.add("folder/a.mp3")
    single = case.add("elsewhere/b.mp3")
    case.add("elsewhere/c.mp3")
    case.scan(case.root / "folder", single)
    case.add("folder/d.mp3")
    single.write_text("another sound")
    result = case.scan(again=True)
    assert (result.found, result.unchanged, result.analysed) == (3, 1, 2)
    more = case.scan(case.root / "elsewhere", again=True)
    assert (more.found, more.analysed) == (4, 1)


def test_a_named_file_that_is_not_there_is_gone_unless_its_folder_is_too(case):
    path = case.add("disk/a.mp3")
    link = case.root / "link.mp3"
    link.symlink_to(path)
    case.scan(path, link)
    (case.root / "disk").rename(case.root / "unmounted")
    for result in (case.scan(path, link), case.scan(again=True)):
        assert result.missing == 0 and len(case.tracks()) == 2
        fault = (str(link), "is a link to a file that does not exist")
        assert (fault in result.failures) != bool(result.failed_before), "told once, if not named"
    (case.root / "unmounted").rename(case.root / "disk")
    path.unlink()
    result = case.scan(path)
    assert result.failures == [(str(path), "does not exist")]
    assert result.missing == 1 and list(case.tracks()) == ["link.mp3"]


def test_a_folder_that_is_removed_below_one_that_is_walked_is_missing(case):
    case.add("one/a.mp3")
    case.scan()
    shutil.rmtree(case.root / "one")
    assert (case.scan().missing, list(case.tracks())) == (1, [])


def test_other_roots_are_left_alone(case):
    case.add("one/a.mp3")
    case.add("two/b.mp3")
    case.scan()
    shutil.rmtree(case.root / "one")
    assert case.scan(case.root / "two").missing == 0
    assert case.scan().missing == 1


def test_a_file_named_twice_is_taken_once(case):
    path = case.add("a.mp3")
    result = case.scan(case.root, path, path)
    assert (result.found, result.analysed) == (1, 1)


def test_another_head_classifies_again_without_audio(case, model):
    for i in range(5):
        case.add(f"{i}.mp3")
    case.scan()
    before = case.tracks()
    head = dataclasses.replace(model.head, weight=-model.head.weight)
    other = dataclasses.replace(model, head=head, sha256="b" * 64)
    result = case.scan(model=other)
    assert (result.reclassified, result.analysed, result.unchanged, case.analysed()) == (
        5,
        0,
        5,
        [],
    )
    after = case.tracks()
    assert all(after[name].probabilities != before[name].probabilities for name in after)
    assert case.scan(model=other).reclassified == 0
    assert case.scan().reclassified == 5
    assert case.tracks() == before


def test_a_folder_that_is_not_there_is_no_file(case):
    result = case.scan(case.root / "none")
    assert (result.found, result.failures) == (0, [(str(case.root / "none"), "does not exist")])


def test_another_encoder_analyses_all_again(case, model):
    case.add("a.mp3")
    case.add("copy.mp3", "a.mp3 as it sounds")
    case.scan()
    other = dataclasses.replace(model, encoder=b"another", sha256="c" * 64)
    result = case.scan(model=other)
    assert (result.analysed, result.recognised, result.reclassified) == (1, 1, 0)
    assert case.scan(model=other).unchanged == 2


def test_sounds_that_no_file_holds_are_dropped(case):
    path = case.add("a.mp3")
    case.scan()
    path.write_text("another sound")
    case.scan()
    with Library(case.path) as library:
        assert library.rows("SELECT count(*) FROM sounds") == [(1,)]
        assert library.rows("SELECT count(*) FROM embeddings") == [(1,)]


def test_a_retagged_file_is_recognised_and_its_tags_are_read(tmp_path, model):
    path = small_files.write(tmp_path / "a.mp3", small_files.music(1))
    log = tmp_path / "analysed.txt"
    options = {
        "make_embed": partial(embedders.make_embed, str(log)),
        "read_tags": file_tags,
        "jobs": 1,
    }
    with Library(tmp_path / "l.sqlite", write=True) as library:
        scan(library, [tmp_path], model=model, **options)
        assert library.track(path).tags.genres == ()
        small_files.retag(path, text="Jazz", bulk=100_000)
        moved = path.rename(tmp_path / "b.mp3")
        result = scan(library, [tmp_path], model=model, **options)
        assert (result.analysed, result.moved) == (0, 1)
        track = library.track(moved)
        assert (track.tags.artist, track.tags.genres) == ("Jazz", ("Jazz",))
    assert log.read_text().split() == ["a.mp3"]


def test_what_training_analysed_is_not_analysed_again(case, model):
    path = case.add("a.mp3")
    values = np.full((16, 50), 0.25, dtype=np.float16)
    made = StoredEmbeddings(values, np.arange(16, dtype=np.float32), 61.5, "torn")
    with Library(case.path, write=True) as library:
        library.embeddings.put(sound_key(path), model.encoder_sha256, made)
        library.embeddings.put(sound_key(path), "another encoder", made)
    result = case.scan()
    assert (result.recognised, result.analysed, case.analysed()) == (1, 0, [])
    track = case.tracks()["a.mp3"]
    assert (track.duration_s, track.warning) == (61.5, "torn")
    assert len(track.probabilities) == len(model.labels)
