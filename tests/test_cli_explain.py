"""``tonearm explain``: reasons as table and JSON, and the clip it cuts."""

from __future__ import annotations

import csv
import io
import json
import wave
from pathlib import Path

import numpy as np
from conftest import Command
from support.fakes import LOW_HZ
from support.sounds import tone, write_sndfile

EXAMPLE = Path(__file__).parents[1] / "examples" / "midnight_walk.mp3"


def test_json_names_tags_seconds_and_bands(tonearm: Command) -> None:
    run = tonearm("explain", EXAMPLE, "--model", "built-in", "-f", "json")
    assert run.code == 0
    found = json.loads(run.out)
    why = found["reasons"]
    assert why["genre"] == found["nearest"] == "jazz" != why["against"]
    assert why["tags"][0]["tag"] == "jazz" and why["tags"][0]["amount"] > 0
    amounts = [window["amount"] for window in why["windows"]]
    assert len(amounts) == 3 and amounts == sorted(amounts, reverse=True)
    assert len(why["bands"]) == 8 and why["bands"][0]["low_hz"] == 0
    start_s, end_s = why["typical_s"]
    assert 0 <= start_s < end_s <= found["duration_s"] and end_s - start_s == 10


def test_the_table_shows_the_same(tonearm: Command) -> None:
    run = tonearm("explain", EXAMPLE, "--model", "built-in")
    assert run.code == 0
    assert "midnight_walk.mp3: Jazz " in run.out and "Seconds that point most to Jazz" in run.out
    assert "Most typical: 0:" in run.out


def test_the_clip_is_the_typical_stretch(tonearm: Command, tmp_path: Path) -> None:
    song = tmp_path / "song.wav"
    quiet = np.zeros(44_100 * 20, dtype=np.float32)
    write_sndfile(song, np.concatenate([quiet, tone(LOW_HZ, 10.0, 44_100)]), 44_100)
    clip = tmp_path / "clip.wav"
    run = tonearm("explain", song, "-o", clip, "-f", "json")
    assert run.code == 0
    start_s, end_s = json.loads(run.out)["reasons"]["typical_s"]
    with wave.open(str(clip)) as written:
        assert written.getnframes() / written.getframerate() == end_s - start_s
    again = tonearm("explain", song, "-o", clip)
    assert again.code == 2 and "exists already" in again.err
    assert tonearm("explain", song, "-o", tmp_path / "clip.mp3").code == 2


def test_a_file_that_cannot_be_read_is_named(tonearm: Command, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"no audio at all" * 100)
    run = tonearm("explain", broken)
    assert run.code == 1 and "broken.mp3" in run.err and run.out == ""
    assert run.err.startswith("1 file could not be analysed:")


def test_silence_has_no_reasons_and_a_short_sound_is_doubted(
    tonearm: Command, tmp_path: Path
) -> None:
    silence, dithered, short = (tmp_path / f"{name}.wav" for name in ("silence", "dither", "short"))
    write_sndfile(silence, np.zeros(44_100 * 4, dtype=np.float32), 44_100)
    steps = np.random.default_rng(0).integers(-1, 2, 44_100 * 4) / 32_768
    write_sndfile(dithered, steps.astype(np.float32), 44_100)
    write_sndfile(short, tone(LOW_HZ, 2.0, 44_100), 44_100)
    run = tonearm("explain", silence, "--model", "built-in")
    assert (run.code, run.out) == (0, f"{silence}: unknown, silent: there is nothing to classify\n")
    found = json.loads(tonearm("explain", silence, "--model", "built-in", "-f", "json").out)
    assert found["reasons"] is None and found["note"] == "silent" and not found["warnings"]
    clip = tmp_path / "clip.wav"
    refused = tonearm("explain", silence, "-o", clip)
    assert refused.code == 1 and "is silent" in refused.err and not clip.exists()

    rows = tonearm("predict", silence, dithered, short, EXAMPLE, "--model", "built-in")
    assert rows.code == 0, "nothing is wrong with these files"
    assert [line.count("(silent)") for line in rows.out.splitlines()[1:3]] == [1, 1]
    assert "nearest" not in rows.out.splitlines()[1]
    assert rows.out.splitlines()[4] == "  shorter than the model needs, so its genre is doubtful"
    lines = tonearm("predict", silence, short, EXAMPLE, "--model", "built-in", "-f", "csv").out
    assert [row["note"] for row in csv.DictReader(io.StringIO(lines))] == ["silent", "short", ""]
