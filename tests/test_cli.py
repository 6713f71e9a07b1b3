"""What is common to all commands: help, version, names and times as people see them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from conftest import Command

from tonearm.cli import console


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
