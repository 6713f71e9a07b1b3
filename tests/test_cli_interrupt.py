"""``tonearm predict`` stopped by Ctrl-C, or by whoever read its output."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import Command
from support.songs import posix, rows, song

from tonearm.cli import console


def start(*arguments: str | Path, model_path: Path, **options) -> subprocess.Popen:
    command = [sys.executable, "-m", "tonearm", "predict", "--model", model_path, *arguments]
    return subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


@pytest.mark.parametrize("form", ["table", "jsonl", "json", "csv"])
def test_interrupt_keeps_what_was_done(
    form: str, tonearm: Command, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tonearm.model import answer

    truly = answer.answer

    def interrupted(classifier, path, **options):
        if path.name == "middle.wav":
            raise KeyboardInterrupt
        return truly(classifier, path, **options)

    monkeypatch.setattr(answer, "answer", interrupted)
    out = tmp_path / "out"
    run = tonearm("predict", music, "-f", form, "-o", out)
    assert run.code == 130
    assert run.err == "interrupted; what was heard until then is written\n"
    text = out.read_text()
    assert "a low" in text and "b high" in text and "middle" not in text
    if form == "json":
        assert [row["genre"] for row in json.loads(text)] == ["blues", "metal"]


@posix
def test_ctrl_c(tmp_path: Path, model_path: Path) -> None:
    for i in range(2_000):
        path = tmp_path / "many" / f"{i:04}.wav"
        if i:
            path.symlink_to("0000.wav")
        else:
            song(path, seconds=8)
    child = start(tmp_path / "many", "-f", "jsonl", "-j", "2", model_path=model_path)
    assert child.stdout is not None and child.stderr is not None
    lines = [child.stdout.readline() for _ in range(3)]
    child.send_signal(signal.SIGINT)
    lines += child.stdout.read().splitlines()
    told = child.stderr.read()
    child.stdout.close()
    child.stderr.close()
    assert child.wait(60) == 130, told
    assert told == "interrupted; what was heard until then is written\n"
    names = [Path(json.loads(line)["path"]).name for line in lines]
    assert names == [f"{i:04}.wav" for i in range(len(names))]
    assert 3 <= len(names) < 2_000


@posix
def test_ctrl_c_in_the_middle_of_a_long_file(
    tonearm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in flight ends too: nobody waits for the rest of a ten-hour mix."""
    from tonearm.model.encoder import Encoder

    song(tmp_path / "a.wav")
    song(tmp_path / "long.wav", seconds=300)
    truly, said = Encoder._run, console.say
    pieces: list[int] = []
    told = threading.Event()

    def slow(self, levels):
        pieces.append(len(levels))
        if len(pieces) == 4:  # one of the short one, three of the long one
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            told.wait(30)
        return truly(self, levels)

    def say(text: str) -> None:
        told.set()
        said(text)

    monkeypatch.setattr(console, "say", say)
    monkeypatch.setattr(Encoder, "_run", slow)
    run = tonearm("predict", tmp_path, "--timeline", "-j", "1", "-f", "jsonl")
    for thread in threading.enumerate():
        if "ThreadPool" in thread.name:
            thread.join(30)
    assert run.code == 130
    assert [row["genre"] for row in rows(run)] == ["blues"]
    assert len(pieces) == 4, "it was heard on after the interrupt"


@posix
@pytest.mark.parametrize("form", ["table", "jsonl"])
def test_broken_pipe_is_no_failure(form: str, tmp_path: Path, model_path: Path) -> None:
    for i in range(60):
        path = tmp_path / f"{i:02}.wav"
        if i:
            path.symlink_to("00.wav")
        else:
            song(path, seconds=2)
    child = start(tmp_path, "-f", form, "-j", "1", model_path=model_path)
    assert child.stdout is not None and child.stderr is not None
    assert child.stdout.readline()
    child.stdout.close()
    told = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 0, told
    assert told == ""
