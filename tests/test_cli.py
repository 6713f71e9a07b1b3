"""What is common to all commands: help, version, names and times as people see them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Command

from tonearm.cli import console, progress_bar
from tonearm.cli.progress_bar import Counting, Progress


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
