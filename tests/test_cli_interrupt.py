"""``tonearm predict`` stopped by Ctrl-C, or by a reader of its output."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import Command
from support.songs import posix, rows, song

from tonearm.workers import processes


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
    from tonearm.model import batch

    truly = batch.result_of

    def interrupted(path, value):
        if path.name == "middle.wav":
            raise KeyboardInterrupt
        return truly(path, value)

    monkeypatch.setattr(batch, "result_of", interrupted)
    out = tmp_path / "out"
    run = tonearm("predict", music, "-f", form, "-o", out)
    assert run.code == 130
    assert run.err == "Interrupted. What was analysed so far is written.\n"
    text = out.read_text()
    assert "a low" in text and "b high" in text and "middle" not in text
    if form == "json":
        assert [row["genre"] for row in json.loads(text)] == ["blues", "metal"]
    out.write_text("yesterday's")
    run = tonearm("predict", music, "-f", form, "-o", out)
    part = tmp_path / "out.part"
    assert run.err.startswith(f"{out} is as it was; what was analysed so far is in {part}\n")
    assert out.read_text() == "yesterday's" and part.read_text() == text
    tonearm("predict", music, "-f", form, "-o", out)
    assert (tmp_path / "out2.part").read_text() == text


@posix
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM], ids=["ctrl_c", "stop"])
def test_ctrl_c(asked: signal.Signals, tmp_path: Path, model_path: Path) -> None:
    for i in range(2_000):
        path = tmp_path / "many" / f"{i:04}.wav"
        if i:
            path.symlink_to("0000.wav")
        else:
            song(path, seconds=8)
    child = start(tmp_path / "many", "-f", "jsonl", "-j", "2", model_path=model_path)
    assert child.stdout is not None and child.stderr is not None
    lines = [child.stdout.readline() for _ in range(3)]
    child.send_signal(asked)
    lines += child.stdout.read().splitlines()
    said = child.stderr.read()
    child.stdout.close()
    child.stderr.close()
    assert child.wait(60) == 130, said
    assert said == "Interrupted. What was analysed so far is written.\n"
    names = [Path(json.loads(line)["path"]).name for line in lines]
    assert names == [f"{i:04}.wav" for i in range(len(names))]
    assert 3 <= len(names) < 2_000


@posix
def test_ctrl_c_in_the_middle_of_a_long_file(
    tonearm: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in flight ends too: nobody waits for the rest of a ten-hour mix."""
    from tonearm.model import batch

    song(tmp_path / "a.wav")
    song(tmp_path / "long.wav")
    truly = batch.make_predict

    def make_slow(classifier, options):
        work = truly(classifier, options)

        def slow(path, caller):
            if path.name == "long.wav":
                os.kill(parent, signal.SIGINT)
                time.sleep(600)
            return work(path, caller)

        return slow

    parent = os.getpid()
    monkeypatch.setattr(batch, "make_predict", make_slow)
    monkeypatch.setattr(processes, "can_fork", lambda: True)  # what is patched here is a copy there
    begun = time.monotonic()
    run = tonearm("predict", tmp_path, "-j", "1", "-f", "jsonl")
    assert run.code == 130
    assert [row["genre"] for row in rows(run)] == ["blues"]
    assert time.monotonic() - begun < 60
    assert not multiprocessing.active_children()


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
    said = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 0, said
    assert said == ""
