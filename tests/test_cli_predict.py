"""``tonearm predict``: streams, formats and exit codes, on files of every kind."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from conftest import Command, Run
from fakes import HIGH_HZ, LABELS, LOW_HZ, MIDDLE_HZ, NAMES
from sounds import tone, write_sndfile

from tonearm.cli import console

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX names, signals and pipes")
RATE = 16_000
ESCAPE = "\x1b"


def song(path: Path, hz: float = LOW_HZ, seconds: float = 4.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = write_sndfile(path.parent / ".made", tone(hz, seconds, RATE), RATE, form="WAV")
    return made.rename(path)  # libsndfile cannot write to every name


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of three songs, in their order blues, metal and jazz."""
    folder = tmp_path / "music"
    song(folder / "a low.wav")
    song(folder / "b high.wav", HIGH_HZ)
    song(folder / "c" / "middle.wav", MIDDLE_HZ)
    return folder


def rows(run: Run) -> list[dict]:
    return [json.loads(line) for line in run.out.splitlines()]


def test_all_good(tonearm: Command, music: Path) -> None:
    run = tonearm("predict", music)
    assert run.code == 0
    assert run.err == "", "nothing to report, and no bar where no terminal is"
    assert "a low.wav" in run.out and "Blues" in run.out and "0:04" in run.out
    lines = run.out.splitlines()
    assert [line.split()[-1] for line in lines] == ["length", "0:04", "0:04", "0:04"]


def test_jsonl(tonearm: Command, music: Path) -> None:
    run = tonearm("predict", music, "--format", "jsonl", "--tags")
    assert run.code == 0
    found = rows(run)
    assert [Path(row["path"]).name for row in found] == ["a low.wav", "b high.wav", "middle.wav"]
    assert [row["genre"] for row in found] == ["blues", "metal", "jazz"]
    for row in found:
        assert row["schema"] == 1 and row["duration_s"] == 4 and row["timeline"] == []
        assert set(row["probabilities"]) == set(LABELS) and set(row["tags"]) == set(NAMES)
        assert row["nearest"] == row["genre"] and row["confidence"] > 0.9


def test_json_and_csv_say_the_same(tonearm: Command, music: Path) -> None:
    (music / "d.wav").write_bytes(b"no audio")
    lines = rows(tonearm("predict", music, "--format", "jsonl", "--timeline"))
    whole = tonearm("predict", music, "--format", "json", "--timeline")
    assert whole.code == 1
    assert json.loads(whole.out) == lines
    table = tonearm("predict", music, "--format", "csv", "--timeline")
    assert table.code == 1
    read = list(csv.DictReader(io.StringIO(table.out)))
    assert len(read) == len(lines) == 4
    for row, line in zip(read, lines, strict=True):
        assert row["path"] == line["path"]
        if "error" in line:
            assert row["error"] == line["error"]["message"] and row["genre"] == ""
        else:
            assert (row["genre"], float(row["confidence"])) == (line["genre"], line["confidence"])
            assert row["second"] in LABELS and float(row["duration_s"]) == 4
            assert row["timeline"] == f"0.0-4.0 {line['genre']}" and row["error"] == ""


def test_one_bad_file_ends_no_batch(tonearm: Command, music: Path) -> None:
    (music / "b bad.mp3").write_bytes(b"Dear diary")
    (music / "b empty.mp3").touch()
    (music / "b short.wav").write_bytes(song(music / "x.wav", seconds=0.1).read_bytes())
    (music / "x.wav").unlink()
    run = tonearm("predict", music, music / "none.wav", "--format", "jsonl")
    assert run.code == 1
    found = rows(run)
    errors = {Path(r["path"]).name: r["error"]["kind"] for r in found if "error" in r}
    assert errors == {
        "b bad.mp3": "not-audio",
        "b empty.mp3": "empty",
        "b short.wav": "too-short",
        "none.wav": "missing",
    }
    assert len(found) == 7
    report = run.err.splitlines()
    assert report[0] == "4 could not be heard:"
    assert len(report) == 5, "one line each"
    for name in errors:
        assert sum(name in line for line in report) == 1


def test_damaged_is_judged_and_told(tonearm: Command, tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "cut.flac", tone(LOW_HZ, 30, RATE), RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    run = tonearm("predict", path, "--format", "jsonl")
    assert run.code == 1
    (row,) = rows(run)
    assert row["genre"] == "blues" and "truncated" in row["warnings"][0]
    assert run.err.splitlines()[0] == "1 damaged, judged by what is left:"
    assert "cut.flac: truncated" in run.err


def test_unknown(tonearm: Command, tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "silence.wav", np.zeros(5 * RATE, np.float32), RATE)
    run = tonearm("predict", path, "--format", "jsonl")
    assert run.code == 0
    assert rows(run)[0]["genre"] is None and rows(run)[0]["nearest"] in LABELS
    assert "unknown" in tonearm("predict", path).out


def test_timeline(tonearm: Command, tmp_path: Path) -> None:
    mix = np.concatenate([tone(LOW_HZ, 31, RATE), tone(HIGH_HZ, 29, RATE)])
    path = write_sndfile(tmp_path / "mix.wav", mix, RATE)
    (row,) = rows(tonearm("predict", path, "--timeline", "--format", "jsonl"))
    assert [part["genre"] for part in row["timeline"]] == ["blues", "metal"]
    assert row["timeline"][0]["start_s"] == 0 and row["timeline"][-1]["end_s"] == 60
    assert row["timeline"][1]["start_s"] == pytest.approx(31, abs=3.1)
    shown = tonearm("predict", path, "--timeline").out
    assert "0:00 Blues" in shown and "▏Metal" in shown


@pytest.mark.parametrize(("top", "guesses"), [("1", 0), ("2", 1), ("3", 2), ("9", 2)])
def test_top(top: str, guesses: int, tonearm: Command, music: Path) -> None:
    run = tonearm("predict", music / "a low.wav", "--top", top)
    line = run.out.splitlines()[-1]
    assert line.count("%") == 1 + guesses
    assert sum(name in line for name in ("Blues", "Jazz", "Metal")) == 1 + guesses


def test_tags(tonearm: Command, music: Path) -> None:
    run = tonearm("predict", music / "a low.wav", "--tags")
    assert run.out.splitlines()[-1].strip().startswith("low, ")


def test_output_file(tonearm: Command, music: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("old")
    run = tonearm("predict", music, "-f", "jsonl", "-o", target)
    assert (run.code, run.out) == (0, "")
    assert len(target.read_text().splitlines()) == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "out.jsonl"]


def test_output_file_stays_as_it_was_on_failure(
    tonearm: Command, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "out.jsonl"
    target.write_text("old")

    def fail(*_: object, **__: object) -> None:
        assert target.read_text() == "old"
        raise RuntimeError("a fault")

    monkeypatch.setattr("tonearm.cli.formats.to_json", fail)
    run = tonearm("predict", music, "-f", "jsonl", "-o", target)
    assert run.code == 2
    assert "a fault" in run.err and "Traceback" not in run.err
    assert target.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["music", "out.jsonl"]


def test_output_into_a_folder_that_is_not_there(
    tonearm: Command, music: Path, tmp_path: Path
) -> None:
    run = tonearm("predict", music, "-o", tmp_path / "none" / "out.csv")
    assert run.code == 2
    assert "out.csv" in run.err and "Traceback" not in run.err


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
def test_files_from_stdin(end: bytes, tonearm: Command, music: Path) -> None:
    names = [music / "b high.wav", music / "a low.wav"]
    listed = end.join(os.fsencode(name) for name in names) + end
    run = tonearm("predict", "--files-from", "-", "-f", "jsonl", stdin=listed)
    assert run.code == 0
    assert [row["path"] for row in rows(run)] == [str(name) for name in names]


@posix
def test_files_from_with_odd_names(tonearm: Command, tmp_path: Path) -> None:
    odd = song(tmp_path / "a\nb.wav")
    run = tonearm("predict", "--files-from", "-", "-f", "jsonl", stdin=os.fsencode(odd) + b"\0")
    assert [row["path"] for row in rows(run)] == [str(odd)]
    # Signs at which Python ends a line, and no list of files does.
    other = song(tmp_path / "a\x0bb\x1cc\x85d\u2028e.wav")
    run = tonearm("predict", "--files-from", "-", "-f", "jsonl", stdin=os.fsencode(other) + b"\n")
    assert [row["path"] for row in rows(run)] == [str(other)]


def test_files_from_a_file(tonearm: Command, music: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{music / 'a low.wav'}\n\n{music / 'c'}\n")
    run = tonearm("predict", "--files-from", tmp_path / "list", "-f", "jsonl")
    assert [row["genre"] for row in rows(run)] == ["blues", "jazz"]
    missing = tonearm("predict", "--files-from", tmp_path / "none")
    assert missing.code == 2 and "none" in missing.err and missing.out == ""


@posix
@pytest.mark.parametrize(
    "name",
    ["a\nb.wav", "a\x1b[31mred\x1b]0;title\x07.wav", "a\rb.wav", "\u202egnp.wav", "x\udce9.wav"],
    ids=ascii,
)
@pytest.mark.parametrize("form", ["table", "jsonl", "json", "csv"])
def test_odd_names_are_printed_harmlessly(
    name: str, form: str, tonearm: Command, tmp_path: Path
) -> None:
    good, bad = song(tmp_path / name), tmp_path / f"bad{name}"
    bad.write_bytes(b"no audio")
    run = tonearm("predict", good, bad, "-f", form)
    assert run.code == 1
    assert len(run.err.splitlines()) == 2
    streams = [run.err] if form == "csv" else [run.err, run.out]
    for text in streams:
        odd = {sign for sign in text if not sign.isprintable() and sign != "\n"}
        assert not odd, f"{odd} in {text!r}"
    if form == "jsonl":
        assert [row["path"] for row in rows(run)] == [str(good), str(bad)]
    elif form == "json":
        assert [row["path"] for row in json.loads(run.out)] == [str(good), str(bad)]
    elif form == "csv":
        read = list(csv.reader(io.StringIO(run.out, newline="")))
        assert len(read) == 3 and {len(row) for row in read} == {11}


@posix
def test_a_long_wide_name_keeps_its_column(tonearm: Command, tmp_path: Path) -> None:
    song(tmp_path / ("日本語🎸" * 12 + "終.wav"))
    song(tmp_path / "a.wav")
    from rich.cells import cell_len

    header, *lines = tonearm("predict", tmp_path).out.splitlines()
    assert {cell_len(line) for line in lines} == {cell_len(header)}
    assert "…" in lines[1] and "終.wav" in lines[1]


@posix
def test_loops_pipes_and_rights(tonearm: Command, music: Path) -> None:
    (music / "loop").symlink_to(music)
    (music / "self.wav").symlink_to(music / "self.wav")
    os.mkfifo(music / "pipe.wav")
    run = tonearm("predict", music, "-f", "jsonl")
    assert run.code == 1
    kinds = {r["error"]["kind"] if "error" in r else r["genre"] for r in rows(run)}
    assert kinds == {"blues", "metal", "jazz", "unreadable", "not-a-file"}
    assert len(rows(run)) == 5


def test_folder_that_cannot_be_read(
    tonearm: Command, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly = os.scandir

    def refuse(path: Path):  # root may read everything, so rights alone do not show it
        if Path(path).name == "c":
            raise PermissionError(13, "Permission denied", str(path))
        return truly(path)

    monkeypatch.setattr(os, "scandir", refuse)
    run = tonearm("predict", music, "-f", "jsonl")
    assert run.code == 1
    assert len(rows(run)) == 2
    assert "c: folder cannot be read: Permission denied" in run.err


@pytest.mark.parametrize("jobs", ["1", "2", "7"])
def test_order_does_not_depend_on_jobs(jobs: str, tonearm: Command, tmp_path: Path) -> None:
    for i in range(12):
        song(tmp_path / f"{i:02}.wav", (LOW_HZ, MIDDLE_HZ, HIGH_HZ)[i % 3], 1 + (i * 5) % 7)
    run = tonearm("predict", tmp_path, "-j", jobs, "-f", "jsonl")
    assert [row["genre"] for row in rows(run)] == ["blues", "jazz", "metal"] * 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "name files or folders"),
        (["--windows", "0"], "1 or more"),
        (["--windows", "many"], "1 or more"),
        (["--windows", "²"], "1 or more"),
        (["--format", "xml"], "xml"),
        (["--top", "0"], "0"),
        (["--jobs", "0"], "0"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_wrong_usage(arguments: list[str], told: str, tonearm: Command, music: Path) -> None:
    paths = [music] if arguments else []
    run = tonearm("predict", *paths, *arguments)
    assert run.code == 2
    assert run.out == ""
    assert told in run.err and "Traceback" not in run.err


def test_nothing_to_hear(tonearm: Command, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    run = tonearm("predict", tmp_path)
    assert run.code == 2 and run.out == ""
    assert run.err == f"tonearm: no audio files in {tmp_path}\n"


@pytest.mark.parametrize("windows", ["1", "all"])
def test_windows(windows: str, tonearm: Command, music: Path) -> None:
    run = tonearm("predict", music, "--windows", windows, "-f", "jsonl")
    assert [row["genre"] for row in rows(run)] == ["blues", "metal", "jazz"]


@pytest.mark.parametrize("content", [None, b"", b"Dear diary", b"PK\3\4" + bytes(99)])
def test_wrong_model_is_one_line(
    content: bytes | None, tonearm: Command, music: Path, tmp_path: Path
) -> None:
    model = tmp_path / "wrong.tonearm"
    if content is not None:
        model.write_bytes(content)
    run = tonearm("predict", music, "--model", model)
    assert run.code == 2 and run.out == ""
    assert len(run.err.splitlines()) == 1 and "wrong.tonearm" in run.err


def test_no_colour_without_a_terminal(
    tonearm: Command, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    run = tonearm("predict", music, "--timeline", "--tags")
    assert ESCAPE not in run.out + run.err


@posix
@pytest.mark.parametrize("no_color", [False, True])
def test_colour_on_a_terminal(no_color: bool, music: Path, model_path: Path) -> None:
    import pty

    main_end, terminal = pty.openpty()
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    env |= {"TERM": "xterm-256color", "COLUMNS": "100"} | ({"NO_COLOR": "1"} if no_color else {})
    command = [sys.executable, "-m", "tonearm", "predict", str(music / "a low.wav")]
    child = subprocess.Popen(
        [*command, "--timeline", "--model", str(model_path)],
        stdout=terminal,
        stderr=subprocess.PIPE,
        env=env,
    )
    os.close(terminal)
    shown = b""
    try:
        while piece := os.read(main_end, 65_536):
            shown += piece
    except OSError:  # Linux's way to say that the other end is closed
        pass
    assert child.communicate(timeout=60)[1] == b""
    assert child.returncode == 0
    os.close(main_end)
    assert b"Blues" in shown
    # NO_COLOR forbids colours; bold and dim may stay (no-color.org).
    assert (b"\x1b[38;" in shown or b"38;5" in shown) != no_color
    assert (b"\x1b[48;" in shown or b";48;5" in shown) != no_color


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
    from tonearm import answer

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
    from tonearm.listening import Listener

    song(tmp_path / "a.wav")
    song(tmp_path / "long.wav", seconds=300)
    truly, said = Listener._embed, console.say
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
    monkeypatch.setattr(Listener, "_embed", slow)
    run = tonearm("predict", tmp_path, "--timeline", "-j", "1", "-f", "jsonl")
    for thread in threading.enumerate():
        if "ThreadPool" in thread.name:
            thread.join(30)
    assert run.code == 130
    assert [row["genre"] for row in rows(run)] == ["blues"]
    assert len(pieces) == 4, "it was heard on after the interrupt"


# Fails until cli/app.py sees the error: click ends the process with 1 before it does.
@posix
def test_broken_pipe_is_no_failure(tmp_path: Path, model_path: Path) -> None:
    for i in range(60):
        path = tmp_path / f"{i:02}.wav"
        if i:
            path.symlink_to("00.wav")
        else:
            song(path, seconds=2)
    child = start(tmp_path, "-f", "jsonl", "-j", "1", model_path=model_path)
    assert child.stdout is not None and child.stderr is not None
    assert json.loads(child.stdout.readline())["genre"] == "blues"
    child.stdout.close()
    told = child.stderr.read()
    child.stderr.close()
    assert child.wait(60) == 0, told
    assert told == ""
