"""What is common to all commands: help, version, names and times as people see them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import Command
from support.songs import posix

from tonearm.cli import app, console, outputs, progress_bar
from tonearm.cli.progress_bar import Counting, Progress
from tonearm.errors import LibraryError


def test_help_and_version(tonearm: Command) -> None:
    for words in (["--help"], ["-h"], ["predict", "--help"]):
        run = tonearm(*words) if words[0] != "predict" else tonearm("predict", "--help")
        assert run.code == 0 and "redict" in run.out
    version = tonearm("--version")
    assert version.code == 0 and version.out.startswith("tonearm 0.")


def test_help_is_quick() -> None:
    command = [sys.executable, "-m", "tonearm", "--help"]
    took = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        took.append(time.perf_counter() - start)
    # 0.3 s on an idle core; what is measured here is that nothing heavy is imported.
    assert min(took) < 1.5


def test_printable_by_hand() -> None:
    assert console.printable("Björk – 終 🎸.mp3") == "Björk – 終 🎸.mp3"
    assert console.printable("a\nb\x1b[0m\t") == r"a\nb\x1b[0m\t"
    assert console.printable("x\udce9") == r"x\udce9"
    assert console.printable(Path("a")) == "a"


def test_clock_by_hand() -> None:
    assert [console.clock(s) for s in (0, 59.6, 187, 3_599.4, 3_600, 36_754.2)] == [
        "0:00",
        "1:00",
        "3:07",
        "59:59",
        "1:00:00",
        "10:12:34",
    ]


def test_a_command_imports_no_other() -> None:
    """All commands together take half as long to import as a track to analyse."""
    code = (
        "import sys; sys.argv = ['tonearm', 'predict', '--help']\n"
        "from tonearm.cli.app import main\n"
        "try:\n    main()\nfinally:\n"
        "    print([m for m in ('scan', 'tag', 'train') if f'tonearm.cli.{m}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


class Bar(Progress):
    """A bar that notes what it was asked to draw."""

    def __init__(self, total: int | None, *, unit: str) -> None:
        super().__init__(None, unit=unit)
        self.seen: list[object] = [total]
        BARS.append(self)

    def advance(self, amount: float = 1, *, failures: int = 0) -> None:
        self.seen.append((amount, failures))

    def note(self, text: str) -> None:
        self.seen.append(text)


BARS: list[Bar] = []


def test_one_bar_for_all_work_of_unknown_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_bar, "Progress", Bar)
    BARS.clear()
    counting = Counting("files")
    with counting:
        counting.looking("found 1 file")
        counting.looking("found 9 files")
        for done, failures in ((0, 0), (2, 0), (5, 1)):
            counting.reach(5, done, failures)
    with counting:  # a second piece of work begins at 0, and with nothing to do draws nothing
        counting.start(0)
        counting.done(1, 0)
    with counting:
        counting.reach(3, 3, 0)
    assert [bar.seen for bar in BARS] == [
        [None, "found 1 file", "found 9 files"],
        [5, (0, 0), (2, 0), (3, 1)],
        [3, (3, 0)],
    ]


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LibraryError("no library"), "tonearm: no library"),
        (MemoryError(), "tonearm: not enough memory: close other programs"),
        (PermissionError(13, "Permission denied", "x.csv"), "tonearm: x.csv: Permission denied"),
        (UnicodeEncodeError("utf-8", "\udcff", 0, 1, "surrogates not allowed"), "in UTF-8: type"),
        (KeyError("x"), "a bug in Tonearm"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_ended_a_run_is_one_line_and_one_exit_code(
    tonearm: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, words: str, verbose: bool
) -> None:
    def fail(_: str) -> None:
        raise error

    monkeypatch.setattr(app, "_run", fail)
    monkeypatch.setattr(console, "is_verbose", lambda: verbose)
    ended = tonearm("status")
    assert ended.code == 2  # 1 would say that a few files failed
    assert ("Traceback" in ended.err) is verbose
    assert verbose or (words in ended.err and ended.err.count("\n") == 1)


@posix
def test_a_folder_that_was_deleted_is_named(
    tonearm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    ended = tonearm("scan", "music")
    assert ended.code == 2
    assert "the folder that you are in was deleted: go to another one" in ended.err


@posix
def test_a_named_pipe_gets_what_it_is_named_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    checked: list[Path | None] = []
    check = threading.Thread(target=lambda: checked.append(outputs.output_file(pipe)), daemon=True)
    check.start()
    check.join(5)  # to open it for reading would wait for a writer, for ever
    assert checked == [pipe]
