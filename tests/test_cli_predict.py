"""``tonearm predict``: files of every kind, lists, options and exit codes."""

from __future__ import annotations

import faulthandler
import json
import os
import signal
from pathlib import Path

import pytest
from conftest import Command
from support.fakes import HIGH_HZ, LOW_HZ, MIDDLE_HZ
from support.songs import RATE, posix, rows, song
from support.sounds import tone, write_sndfile

from tonearm.model.classifier import Classifier


def test_all_good(tonearm: Command, music: Path) -> None:
    run = tonearm("predict", music)
    assert run.code == 0
    assert run.err == "", "nothing to report, and no bar where no terminal is"
    assert "a low.wav" in run.out and "Blues" in run.out and "0:04" in run.out
    lines = run.out.splitlines()
    assert [line.split()[-1] for line in lines] == ["length", "0:04", "0:04", "0:04"]


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
    assert report[0] == "4 could not be read:"
    assert len(report) == 5, "one line each"
    for name in errors:
        assert sum(name in line for line in report) == 1


def test_damaged_is_classified_and_reported(tonearm: Command, tmp_path: Path) -> None:
    path = write_sndfile(tmp_path / "cut.flac", tone(LOW_HZ, 30, RATE), RATE)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    run = tonearm("predict", path, "--format", "jsonl")
    assert run.code == 1
    (row,) = rows(run)
    assert row["genre"] == "blues" and "truncated" in row["warnings"][0]
    assert run.err.splitlines()[0] == "1 damaged, classified by the part that can be read:"
    assert "cut.flac: truncated" in run.err


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
    (tmp_path / "list").write_text(f"\ufeff{music / 'a low.wav'}\r\n", encoding="utf-8")
    marked = tonearm("predict", "--files-from", tmp_path / "list", "-f", "jsonl")
    assert [row["genre"] for row in rows(marked)] == ["blues"]
    (tmp_path / "list").write_text(f"{music / 'a low.wav'}\r\n", encoding="utf-16")
    marked = tonearm("predict", "--files-from", tmp_path / "list", "-f", "jsonl")
    assert [row["genre"] for row in rows(marked)] == ["blues"]
    (music / "list.m3u").write_text("#EXTM3U\n#EXTINF:4,Low\na low.wav\n")
    playlist = tonearm("predict", "--files-from", music / "list.m3u", "-f", "jsonl")
    assert [row["genre"] for row in rows(playlist)] == ["blues"]
    missing = tonearm("predict", "--files-from", tmp_path / "none")
    assert missing.code == 2 and "none" in missing.err and missing.out == ""


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
    assert "c: folder cannot be read: permission denied" in run.err
    # Named by itself it is no other case.
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, *a: Path(path).name != "c" and may(path, *a))
    named = sorted(music.iterdir())
    run = tonearm("predict", *named, "-f", "jsonl")
    assert run.code == 1 and len(rows(run)) == 2
    assert "c: folder cannot be read: permission denied" in run.err


@pytest.mark.parametrize("jobs", ["1", "2", "7"])
def test_order_does_not_depend_on_jobs(jobs: str, tonearm: Command, tmp_path: Path) -> None:
    for i in range(12):
        song(tmp_path / f"{i:02}.wav", (LOW_HZ, MIDDLE_HZ, HIGH_HZ)[i % 3], 1 + (i * 5) % 7)
    run = tonearm("predict", tmp_path, "-j", jobs, "-f", "jsonl")
    assert [row["genre"] for row in rows(run)] == ["blues", "jazz", "metal"] * 4


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name files or folders"),
        (["--windows", "0"], "from 1 to 999999"),
        (["--windows", "many"], "from 1 to 999999"),
        (["--windows", "²"], "from 1 to 999999"),
        (["--windows", "9" * 5_000], "from 1 to 999999"),
        (["--windows", "6", "--timeline"], "a timeline needs the whole track"),
        (["--windows", "6", "--format", "cue"], "a timeline needs the whole track"),
        (["-o", "song.MP3"], "named like a music file"),
        (["--format", "xml"], "xml"),
        (["--top", "0"], "0"),
        (["--jobs", "0"], "0"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, tonearm: Command, music: Path) -> None:
    paths = [music] if arguments else []
    run = tonearm("predict", *paths, *arguments)
    assert run.code == 2
    assert run.out == ""
    assert said in run.err and "Traceback" not in run.err


def test_nothing_to_analyse(tonearm: Command, tmp_path: Path) -> None:
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


def test_a_song_is_never_written_over(tonearm: Command, music: Path) -> None:
    named = music / "a low"
    (music / "a low.wav").rename(named)
    before = named.read_bytes()
    run = tonearm("predict", named, "-f", "csv", "-o", named)
    assert run.code == 2 and "one of the files to analyse" in run.err
    assert named.read_bytes() == before


def test_one_file_needs_no_process_where_a_copy_of_this_one_is_not_safe(
    tonearm: Command, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonearm.workers.can_fork", lambda: False)
    monkeypatch.setattr("tonearm.workers.Pool.__init__", None)
    run = tonearm("predict", music / "a low.wav", "-f", "jsonl")
    assert [row["genre"] for row in rows(run)] == ["blues"]


@posix
def test_a_crash_costs_its_file_alone(
    tonearm: Command, music: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when it is the only one: it ends in a sentence, with a row and no unfinished file."""
    truly = Classifier.predict

    def predict(self, path, **options):
        if path.name == "a low.wav":
            faulthandler.disable()
            os.kill(os.getpid(), signal.SIGSEGV)
        return truly(self, path, **options)

    monkeypatch.setattr(Classifier, "predict", predict)
    monkeypatch.setattr("tonearm.workers.processes.can_fork", lambda: True)
    monkeypatch.setattr("tonearm.workers.can_fork", lambda: True)
    out = tmp_path / "out.jsonl"
    for named, after in ((music, ["metal", "jazz"]), (music / "a low.wav", [])):
        run = tonearm("predict", named, "-f", "jsonl", "-o", out)
        assert run.code == 1
        first, *others = map(json.loads, out.read_text().splitlines())
        assert first["error"]["kind"] == "crash" and "SIGSEGV" in first["error"]["message"]
        assert [row["genre"] for row in others] == after
        assert "a low.wav made its decoder crash" in run.err
    assert [path.name for path in tmp_path.iterdir() if ".part" in path.name] == []


@pytest.mark.parametrize("option", ["--model", "--files-from"])
def test_what_a_run_reads_is_not_written_over(
    tonearm: Command, music: Path, tmp_path: Path, model_path: Path, option: str
) -> None:
    kept = tmp_path / "kept"
    content = model_path.read_bytes() if option == "--model" else bytes(music / "a low.wav")
    kept.write_bytes(content)
    run = tonearm("predict", music, option, kept, "-o", kept)
    assert run.code == 2 and f"is what {option} names" in " ".join(run.err.split())
    assert kept.read_bytes() == content
