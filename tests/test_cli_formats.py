"""What ``tonearm predict`` prints and writes: every format, odd names, terminals, files."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from support.fakes import HIGH_HZ, LABELS, LOW_HZ, NAMES, tiny_model
from support.songs import RATE, posix, rows, song
from support.sounds import tone, write_sndfile

from tonearm.cli.table import Table, View
from tonearm.model import file as model_file
from tonearm.model.prediction import Prediction
from tonearm.timeline.segments import Segment

ESCAPE = "\x1b"


def test_jsonl(tonearm: Command, music: Path) -> None:
    run = tonearm("predict", music, "--format", "jsonl", "--tags")
    assert run.code == 0
    found = rows(run)
    assert [Path(row["path"]).name for row in found] == ["a low.wav", "b high.wav", "middle.wav"]
    assert [row["genre"] for row in found] == ["blues", "metal", "jazz"]
    for row in found:
        assert row["schema"] == 2 and row["duration_s"] == 4 and row["timeline"] == []
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


def test_a_mix_is_no_unknown_music() -> None:
    mixed = Prediction(None, "jazz", 0.4, {"jazz": 0.4}, mix={"jazz": 0.6, "metal": 0.4})
    stream = io.StringIO()
    Table(stream, View(("jazz", "metal"), 3)).write(replace(mixed, path="a.mp3", duration_s=700))
    assert "mix" in stream.getvalue() and "Jazz 60%  Metal 40%" in stream.getvalue()
    assert "unknown" not in stream.getvalue()


def test_shares_of_a_mix_are_shown_whole_or_not_at_all() -> None:
    shares = {"classical": 0.3, "electronic": 0.2, "hiphop": 0.18, "country": 0.17, "metal": 0.15}
    mixed = Prediction(None, "classical", 0.4, {"classical": 0.4}, mix=shares)
    stream = io.StringIO()
    Table(stream, View(LABELS, 3)).write(replace(mixed, path="a.mp3", duration_s=700))
    row = stream.getvalue().splitlines()[-1]
    assert "Electronic 20%  Hip-Hop 18%  …" in row and "Country" not in row


@pytest.mark.parametrize("every_second", [False, True])
def test_changes_that_are_rough_are_said_to_be(every_second: bool) -> None:
    parts = [Segment(0, 400, "jazz", 0.9), Segment(400, 700, None, 0.93)]
    mixed = Prediction(None, "jazz", 0.4, {"jazz": 0.4}, mix={"jazz": 0.6}, timeline=parts)
    stream = io.StringIO()
    view = View(("jazz", "metal"), 3, every_second=every_second)
    Table(stream, view).write(replace(mixed, path="a.mp3", duration_s=700))
    assert "0:00 Jazz 90%   6:40 unknown" in stream.getvalue()
    assert ("--timeline finds each change" in stream.getvalue()) is not every_second
    assert "93%" not in stream.getvalue()


def test_a_folder_of_one_mix_has_its_timelines_in_a_folder(
    tonearm: Command, tmp_path: Path
) -> None:
    song(tmp_path / "mixes" / "one.wav")
    ended = tonearm("predict", tmp_path / "mixes", "-f", "cue", "-o", tmp_path / "timelines")
    assert ended.code == 0, ended.err
    assert [path.name for path in (tmp_path / "timelines").iterdir()] == ["one.cue"]


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
        assert len(read) == 3 and {len(row) for row in read} == {13}


@posix
def test_a_long_wide_name_keeps_its_column(tonearm: Command, tmp_path: Path) -> None:
    song(tmp_path / ("日本語🎸" * 12 + "終.wav"))
    song(tmp_path / "a.wav")
    from rich.cells import cell_len

    header, *lines = tonearm("predict", tmp_path).out.splitlines()
    assert {cell_len(line) for line in lines} == {cell_len(header)}
    assert "…" in lines[1] and "終.wav" in lines[1]


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


def test_a_file_of_a_timeline_stays_where_there_is_none(
    tonearm: Command, music: Path, tmp_path: Path
) -> None:
    target, bad = tmp_path / "mix.cue", tmp_path / "bad.wav"
    target.write_text("old")
    bad.write_bytes(b"no audio")
    assert tonearm("predict", bad, "-f", "cue", "-o", target).code == 1
    assert target.read_text() == "old"
    made = tonearm("predict", music / "a low.wav", "-f", "cue", "-o", target)
    assert made.code == 0 and "mix.cue existed and is replaced" in made.err
    assert "INDEX 01" in target.read_text()


def test_timelines_of_many_files_go_into_a_folder(
    tonearm: Command, music: Path, tmp_path: Path
) -> None:
    (music / "c" / "middle.flac").write_bytes((music / "c" / "middle.wav").read_bytes())
    out = tmp_path / "timelines"
    assert tonearm("predict", music, "-f", "cue", "-o", out).code == 0
    made = {str(path.relative_to(out)): path.read_text() for path in out.rglob("*.cue")}
    assert set(made) == {"a low.cue", "b high.cue", "c/middle.wav.cue", "c/middle.flac.cue"}
    assert 'FILE "../../music/c/middle.flac"' in made["c/middle.flac.cue"]

    (out / "a low.cue").write_text("a person's own")
    (out / "b high.cue").unlink()
    again = tonearm("predict", music, "-f", "cue", "-o", out)
    assert again.code == 0, "no fault: the others are made"
    assert again.err.startswith(f"3 files have a timeline in {out} already, which stays")
    assert (out / "a low.cue").read_text() == "a person's own" and (out / "b high.cue").exists()

    one = tonearm("predict", music / "a low.wav", "-f", "audacity", "-o", out)
    assert one.code == 0 and (out / "a low.txt").read_text().startswith("0.000000\t4.000000\tBlues")


@pytest.mark.parametrize("below", ["", "c"])
def test_timelines_go_next_to_their_files_where_the_folder_is_their_own(
    tonearm: Command, music: Path, below: str
) -> None:
    for path in (music / "a low.wav", music / "b high.wav") if below else ():
        path.unlink()
    assert tonearm("predict", music, "-f", "json", "-o", music).code == 2, "a table is one file"
    assert tonearm("predict", music, "-f", "cue", "-o", music / ".." / music.name).code == 0
    songs = sorted(music.rglob("*.wav"))
    assert [path.with_suffix(".cue") for path in songs] == sorted(music.rglob("*.cue"))
    assert all(f'FILE "{path.name}"' in path.with_suffix(".cue").read_text() for path in songs)


def test_a_playlist_in_xml_is_no_list_of_paths(tonearm: Command, tmp_path: Path) -> None:
    (tmp_path / "list.xspf").write_text('<?xml version="1.0"?>\n<playlist></playlist>\n')
    run = tonearm("predict", "--files-from", tmp_path / "list.xspf")
    assert run.code == 2 and "list.xspf is XML: give an M3U8" in " ".join(run.err.split())


def test_an_empty_list_is_no_mistake(tonearm: Command, tmp_path: Path) -> None:
    """Of an archive to which nothing came; what was written yesterday must not be read again."""
    (tmp_path / "new.jsonl").write_text("yesterday's\n")
    (tmp_path / "list.txt").write_text("")
    run = tonearm(
        "predict",
        "--files-from",
        tmp_path / "list.txt",
        "-f",
        "jsonl",
        "-o",
        tmp_path / "new.jsonl",
    )
    assert (run.code, run.err.splitlines()[0]) == (0, "The list names no file.")
    assert (tmp_path / "new.jsonl").read_text() == ""
    for form in ("table", "csv", "cue"):
        assert tonearm("predict", "--files-from", tmp_path / "list.txt", "-f", form).code == 0


def test_a_cue_sheet_that_no_player_can_follow_is_pointed_out(
    tonearm: Command, music: Path, tmp_path: Path
) -> None:
    quoted = tmp_path / 'My "mix".wav'
    quoted.write_bytes((music / "a low.wav").read_bytes())
    run = tonearm("predict", quoted, "-f", "cue")
    assert (
        "named differently in the CUE sheet" in run.err and 'My "mix".wav has a double' in run.err
    )
    assert "differently" not in tonearm("predict", music / "a low.wav", "-f", "cue").err
    odd = music.rename(tmp_path / 'My "mixes"')
    assert "differently" not in tonearm("predict", odd, "-f", "cue", "-o", odd).err
    elsewhere = tonearm("predict", odd, "-f", "cue", "-o", tmp_path / "sheets")
    assert elsewhere.err.count("has a double quote") == 3


def test_timelines_of_many_files_need_a_folder(
    tonearm: Command, music: Path, tmp_path: Path
) -> None:
    for output in ([], ["-o", tmp_path / "mix.cue"]):
        run = tonearm("predict", music, "-f", "cue", *output)
        assert run.code == 2 and "for 3 files name a folder" in run.err.replace("\n", " ")
    assert not (tmp_path / "mix.cue").exists()


@posix
def test_output_through_a_link_and_to_a_device(
    tonearm: Command, music: Path, tmp_path: Path
) -> None:
    (tmp_path / "true.csv").write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to("true.csv")
    assert tonearm("predict", music, "-f", "csv", "-o", link).code == 0
    assert link.is_symlink() and "a low.wav" in (tmp_path / "true.csv").read_text()
    assert tonearm("predict", music, "-f", "csv", "-o", "/dev/null").code == 0
    assert Path("/dev/null").is_char_device()


def test_files_of_one_name_are_told_apart(tonearm: Command, tmp_path: Path) -> None:
    for folder in ("blues", "jazz/old"):
        song(tmp_path / folder / "1.wav")
    table = tonearm("predict", tmp_path).out
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["blues/1.wav", "jazz/old/1.wav"]
    alone = tonearm("predict", tmp_path / "blues").out
    assert alone.splitlines()[1].startswith("1.wav ")


@posix
@pytest.mark.parametrize(("columns", "guesses"), [(50, False), (62, False), (71, True)])
def test_a_narrow_terminal_gets_fewer_columns(
    columns: int, guesses: bool, tonearm: Command, music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonearm.cli.table.columns", lambda _: columns)
    lines = tonearm("predict", music).out.splitlines()
    assert max(map(len, lines)) <= columns
    assert ("second guess" in lines[0]) == guesses


def test_no_more_guesses_than_genres(tonearm: Command, music: Path) -> None:
    header, line, *_ = tonearm("predict", music, "--top", "99").out.splitlines()
    assert header.count("%") == 0 and line.count("%") == len(LABELS)


@posix
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_encoding_of_stdout(
    encoding: str, music: Path, tmp_path: Path, model_path: Path
) -> None:
    song(tmp_path / "music" / "日本.wav")
    ran = subprocess.run(
        [sys.executable, "-m", "tonearm", "predict", music, "--model", model_path],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ("日本" if encoding == "utf-8" else r"\u65e5\u672c") in ran.stdout.decode(encoding)


@posix
def test_streams_that_are_closed_or_full(music: Path, model_path: Path) -> None:
    def ran(redirection: str, *arguments: str) -> tuple[int, str]:
        words = [sys.executable, "-m", "tonearm", "predict", "--model", str(model_path)]
        script = f'"$@" {redirection}'
        done = subprocess.run(
            ["sh", "-c", script, "sh", *words, *arguments],
            env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    assert ran(">&-", str(music)) == (0, "")
    assert ran("2>&-", str(music))[0] == 0
    code, said = ran("<&-", "--files-from", "-")
    assert code == 0 and "The list names no file" in said
    if Path("/dev/full").exists():
        for form in ("jsonl", "json", "table"):
            code, said = ran("> /dev/full", str(music), "-f", form)
            assert (code, said) == (2, "tonearm: No space left on device\n"), form


def test_names_in_a_model_file_do_not_act_on_the_terminal(
    tonearm: Command, music: Path, tmp_path: Path
) -> None:
    made = tiny_model()
    labels = (f"{ESCAPE}[31mred", f"{ESCAPE}]0;title", "metal")
    names = (f"{ESCAPE}[2J", "middle", "high")
    odd = replace(made, head=replace(made.head, labels=labels), embedding_names=names)
    model_file.save(odd, tmp_path / "odd.tonearm")
    song = music / "a low.wav"
    for words in (("predict", song, "--tags", "--timeline", "--top", "3"), ("explain", song)):
        run = tonearm(*words, "--model", tmp_path / "odd.tonearm")
        assert run.code == 0 and ESCAPE not in run.out + run.err
        assert r"\x1b[31m" in run.out and r"\x1b[2J" in run.out
