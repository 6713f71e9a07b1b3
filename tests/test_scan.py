from __future__ import annotations

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support import embedders, small_files
from support.waiting import running_in_group, wait_until

from tonearm import database
from tonearm.containers.sound_key import sound_key
from tonearm.data.embedding_store import StoredEmbeddings
from tonearm.database import alone
from tonearm.errors import LibraryError, TonearmError
from tonearm.library.file_tags import file_tags
from tonearm.library.scan import scan
from tonearm.library.scan_result import Scan
from tonearm.library.store import Library, as_stored
from tonearm.model import file as models
from tonearm.workers import Limits

QUICK = Limits(time_s=1.0)


@pytest.fixture(scope="module")
def model():
    return models.load()


class Case:
    """A music folder, a library, and the names that were analysed."""

    def __init__(self, folder: Path, model) -> None:
        self.root, self.path = folder / "music", folder / "library.sqlite"
        self.root.mkdir()
        self._log, self._bundle = folder / "analysed.txt", model

    def add(self, name: str, content: str | None = None) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if content is not None else f"{name} as it sounds")
        return path

    def scan(self, *paths: Path, model=None, jobs: int = 2, **options) -> Scan:
        """Of the whole folder, unless paths are named or all is to be looked at again."""
        self._log.write_text("")
        with Library(self.path, write=True) as library:
            return scan(
                library,
                paths or ([] if options.get("again") else [self.root]),
                model=model or self._bundle,
                make_embed=partial(embedders.make_embed, str(self._log)),
                read_tags=embedders.no_tags,
                jobs=jobs,
                **options,
            )

    def analysed(self) -> list[str]:
        return sorted(self._log.read_text().split())

    def tracks(self, *, missing: bool = False) -> dict:
        with Library(self.path) as library:
            tracks = library.tracks(missing=missing)
            return {os.path.relpath(track.path, self.root): track for track in tracks}


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


def test_what_moves_keeps_its_row_and_is_not_heard(case):
    old = case.add("old/a.mp3")
    case.add("old/b.mp3")
    case.scan()
    before = case.tracks()["old/a.mp3"]
    (case.root / "new").mkdir()
    old.rename(case.root / "new" / "other.mp3")
    result = case.scan()
    assert (result.analysed, result.recognised, result.moved, result.gone) == (0, 1, 1, 0)
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


def test_copies_are_heard_once_also_when_met_together(case):
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
    assert (result.analysed, result.gone) == (1, 1)
    assert list(case.tracks()) == ["a.mp3"]
    assert case.tracks(missing=True)["b.mp3"].missing
    os.rename(kept, b)
    result = case.scan()
    assert (result.analysed, case.analysed(), sorted(case.tracks())) == (0, [], ["a.mp3", "b.mp3"])


def test_a_root_that_is_not_there_is_named_and_its_files_are_not_gone(case):
    case.add("disk/a.mp3")
    case.scan(case.root / "disk")
    (case.root / "disk").rename(case.root / "unmounted")
    result = case.scan(case.root / "disk")
    disk = case.root / "disk"
    words = f"is away: its track is kept. Connect it, or `tonearm forget {disk}`"
    assert result.failures == [(str(disk), words)]
    assert (result.gone, result.away) == (0, 1) and list(case.tracks()) == ["disk/a.mp3"]
    result = case.scan(again=True)
    assert (result.failures, result.failed_before, result.away) == ([], 0, 1), "no news"
    below = case.root / "disk" / "album"
    assert case.scan(below).failures == [(str(below), "does not exist")], "never seen"


def test_an_unmounted_disk_below_a_folder_is_away_and_an_emptied_folder_is_not(case):
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
        assert (result.found, result.away, result.gone) == (1, 1, int(news))
        assert result.gone_before == int(not news), "what is gone is counted ever after"
        assert bool(result.failures) == news
    case.add("usb/album/a.mp3")
    assert (case.scan().away, sorted(case.tracks())) == (0, ["c.mp3", "usb/album/a.mp3"])


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
    assert (result.found, result.away, result.gone) == (1, 1, 0)


def test_a_root_that_was_emptied_is_named(case):
    case.add("inbox/a.mp3")
    case.scan(case.root / "inbox")
    (case.root / "inbox" / "a.mp3").unlink()
    result = case.scan(again=True)
    assert (result.gone, result.away, result.failures) == (1, 0, [])
    words = "is empty now, so 1 file is gone. If its disk is off, connect it and scan"
    assert result.emptied == [(str(case.root / "inbox"), words)]


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
    assert (result.found, result.gone, result.failures) == (1_199, 1, [])
    result = case.scan(again=True)
    assert (result.found, result.gone, result.failures) == (1_199, 0, [])
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
        assert result.gone == 0 and len(case.tracks()) == 2
        fault = (str(link), "is a link to a file that does not exist")
        assert (fault in result.failures) != bool(result.failed_before), "told once, if not named"
    (case.root / "unmounted").rename(case.root / "disk")
    path.unlink()
    result = case.scan(path)
    assert result.failures == [(str(path), "does not exist")]
    assert result.gone == 1 and list(case.tracks()) == ["link.mp3"]


def test_a_folder_that_is_removed_below_one_that_is_walked_is_gone(case):
    case.add("one/a.mp3")
    case.scan()
    shutil.rmtree(case.root / "one")
    assert (case.scan().gone, list(case.tracks())) == (1, [])


def test_it_can_be_stopped_while_folders_are_walked_and_while_one_file_is_heard(case, monkeypatch):
    class Stopped(Exception):
        pass

    for i in range(50):
        case.add(f"{i}.mp3")
    monkeypatch.setattr("tonearm.library.walk._REPORT_S", 0.0)
    seen = []

    def stop(result):
        seen.append((result.looking, result.found))
        if result.found == 20:
            raise Stopped

    with pytest.raises(Stopped):
        case.scan(on_progress=stop)
    assert seen == [(True, i) for i in range(1, 21)]

    def stop_later(result):
        if not result.looking and time.monotonic() > until:
            raise Stopped

    until = time.monotonic() + 4
    with pytest.raises(Stopped):
        case.scan(case.add("hang.mp3"), on_progress=stop_later)
    assert time.monotonic() < until + 20, "a file that hangs is analysed for a minute"


def test_other_roots_are_left_alone(case):
    case.add("one/a.mp3")
    case.add("two/b.mp3")
    case.scan()
    shutil.rmtree(case.root / "one")
    assert case.scan(case.root / "two").gone == 0
    assert case.scan().gone == 1


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("segv.mp3", "crash", "made its decoder crash (SIGSEGV)"),
        ("memory.mp3", "crash", "(SIGKILL)"),
        ("hang.mp3", "timeout", "no progress in 1 s"),
        ("bad.mp3", "not-audio", "is not audio"),
        ("fault.mp3", "internal", "ZeroDivisionError: a fault"),
    ],
)
def test_a_file_that_ends_its_worker_costs_itself_alone(case, name, kind, words):
    for i in range(8):
        case.add(f"{i}.mp3")
    case.add(f"3 {name}")
    result = case.scan(limits=QUICK)
    assert result.analysed == 8
    ((path, reason),) = result.failures
    assert path.endswith(f"3 {name}") and words in reason
    failed = case.tracks()[f"3 {name}"]
    assert (failed.error_kind, failed.error_message, failed.genre) == (kind, reason, None)
    again = case.scan()
    assert (again.failed_before, again.to_do, again.failures) == (1, 0, [])
    retried = case.scan(retry=True, limits=QUICK)
    assert (retried.to_do, len(retried.failures)) == (1, 1)
    case.add(f"3 {name}", "changed")
    assert len(case.scan(limits=QUICK).failures) == 1


def test_many_crashes_end_nothing(case):
    for i in range(10):
        case.add(f"{i} segv.mp3")
        case.add(f"{i}.mp3")
    result = case.scan()
    assert (result.analysed, len(result.failures)) == (10, 10)


def test_workers_that_cannot_start_are_one_error(case):
    case.add("a.mp3")
    with (
        Library(case.path, write=True) as library,
        pytest.raises(TonearmError, match=r"end as they start \(exit code 3\)"),
    ):
        scan(
            library,
            [case.root],
            model=models.load(),
            make_embed=embedders.make_nothing,
            read_tags=embedders.no_tags,
            jobs=1,
        )


def test_odd_files(case):
    case.add("empty.m4a", "")
    os.mkfifo(case.root / "pipe.mp3")
    (case.root / "loop.mp3").symlink_to(case.root / "loop.mp3")
    (case.root / "down").symlink_to(case.root)
    case.add("torn.mp3")
    result = case.scan()
    assert dict(result.failures) == {
        str(case.root / "empty.m4a"): "is empty (0 bytes)",
        str(case.root / "pipe.mp3"): "is a pipe, socket or device, not a file",
        str(case.root / "loop.mp3"): "is a link to itself",
    }
    assert result.damaged == [(str(case.root / "torn.mp3"), "truncated")]
    assert (result.found, result.analysed) == (3, 1)


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


def test_two_scans_at_once_would_hear_all_twice(case, monkeypatch, caplog):
    monkeypatch.setattr(database, "RUN_WAIT_S", 0.3)
    case.add("a.mp3")
    with (
        alone(case.path, what="another scan"),
        pytest.raises(LibraryError, match=r"another scan is writing .*: try again when it has"),
    ):
        case.scan()
    assert caplog.messages == [
        f"another scan is writing {case.path}; waiting up to 0 s for it to end"
    ]
    assert case.analysed() == []
    assert case.scan().analysed == 1


def test_a_scan_waits_for_another_that_ends(case):
    case.add("a.mp3")
    held, ended = threading.Event(), []

    def other():
        with alone(case.path, what="another scan"):
            held.set()
            time.sleep(0.3)
            ended.append(True)

    thread = threading.Thread(target=other)
    thread.start()
    held.wait()
    assert case.scan().analysed == 1 and ended
    thread.join()


def test_a_link_to_nowhere_is_news_once(case):
    link = case.add("a.mp3").with_name("link.mp3")
    link.symlink_to(case.root / "nowhere.mp3")
    reason = "is a link to a file that does not exist"
    first = case.scan()
    assert (first.found, first.failures, first.failed_before) == (1, [(str(link), reason)], 0)
    again = case.scan()
    assert (again.found, again.unchanged, again.failures, again.failed_before) == (1, 1, [], 1)
    case.add("b.mp3")
    assert case.scan(case.root / "b.mp3").failures == [], "elsewhere: it is not forgotten"
    assert case.scan().failures == []
    away = case.root.rename(case.root.with_name("away"))
    assert case.scan(again=True).failures
    away.rename(case.root)
    assert case.scan().failures == [], "its disk was away, and is back"
    assert case.scan(retry=True).failures == [(str(link), reason)]
    assert case.scan(link).failures == [(str(link), reason)], "named, it may be a slip"
    case.add("nowhere.mp3")
    assert case.scan().failures == []
    (case.root / "nowhere.mp3").unlink()
    assert case.scan().failures == [(str(link), reason)], "gone again, it is news again"


def test_a_folder_that_is_not_there_is_no_file(case):
    result = case.scan(case.root / "none")
    assert (result.found, result.failures) == (0, [(str(case.root / "none"), "does not exist")])


def test_another_listener_hears_all_again(case, model):
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


def start_scan(case: Case) -> subprocess.Popen:
    code = (
        "import sys; from pathlib import Path; from functools import partial\n"
        "from support import embedders\n"
        "from tonearm.model import file\n"
        "from tonearm.library.scan import scan\n"
        "from tonearm.library.store import Library\n"
        "if __name__ == '__main__':\n"
        "    with Library(sys.argv[2], write=True) as library:\n"
        "        scan(library, [sys.argv[1]], model=file.load(), jobs=2,\n"
        "             make_embed=partial(embedders.make_embed, sys.argv[3]),\n"
        "             read_tags=embedders.no_tags)\n"
    )
    script = case.root.parent / "script.py"
    script.write_text(code)
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    return subprocess.Popen(
        [sys.executable, script, case.root, case.path, case.root.parent / "all.txt"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        start_new_session=True,
    )


def test_a_scan_that_is_killed_keeps_what_it_had_and_goes_on(case):
    for i in range(30):
        case.add(f"{i} slow.mp3")
    log = case.root.parent / "all.txt"
    analysed = 0
    for enough in (4, 10):
        process = start_scan(case)
        wait_until(lambda: log.exists() and len(log.read_text().splitlines()) >= enough)  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda: not running_in_group(process.pid))  # noqa: B023
        kept = len(case.tracks())
        begun = len(log.read_text().splitlines())
        assert begun - 4 <= kept <= begun, "more was lost than what two workers had in flight"
        assert kept >= analysed
        analysed = kept
    result = case.scan()
    assert (result.unchanged, result.analysed) == (analysed, 30 - analysed)
    assert len(case.tracks()) == 30
    assert not set(case.analysed()) & {"none"}


def test_workers_end_with_the_scan_that_was_killed(case):
    for i in range(40):
        case.add(f"{i} slow.mp3")
    log = case.root.parent / "all.txt"
    process = start_scan(case)
    wait_until(lambda: log.exists() and log.read_text())
    assert running_in_group(process.pid), "the scan and its workers"
    process.kill()
    process.wait()
    wait_until(lambda: not running_in_group(process.pid), within_s=20)


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
