"""Scans that go wrong: crashes, odd files, two at once, and scans that are stopped or killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from support import embedders
from support.scanning import Case
from support.waiting import running_in_group, wait_until

from tonearm import database
from tonearm.database import alone
from tonearm.errors import LibraryError, TonearmError
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model import file as models
from tonearm.workers import Limits

QUICK = Limits(time_s=1.0)


@pytest.fixture(scope="module")
def model():
    return models.load()


@pytest.fixture
def case(tmp_path, model):
    return Case(tmp_path, model)


def test_it_can_be_stopped_while_folders_are_walked_and_a_file_is_analysed(case, monkeypatch):
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


def test_a_file_that_vanished_during_a_scan_is_analysed_when_it_is_back(case):
    file = case.add("vanish.mp3")
    assert case.scan().failures == [(str(file), "does not exist")]
    assert case.tracks()["vanish.mp3"].error_kind == "missing"
    assert case.scan().missing == 1
    file.with_name("vanish.mp3.away").rename(file)
    assert case.scan().to_do == 1, "the same file, which nothing was wrong with"


def test_a_file_without_permission_is_tried_again_when_it_can_be_read(case, monkeypatch):
    case.add("locked.mp3")
    assert len(case.scan().failures) == 1
    with monkeypatch.context() as patch:
        patch.setattr("tonearm.library.walk.os.access", lambda *_: False)
        still = case.scan()
    assert (still.failed_before, still.to_do, still.failures) == (1, 0, [])
    assert case.scan().to_do == 1, "a permission need not be in the file: it may be of its folder"


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


def test_two_scans_at_once_would_analyse_all_twice(case, monkeypatch, caplog):
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
