"""A model is not measured on what it learnt from, whatever it is called or encoded as now."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Command
from support import music

from tonearm.model import file as model_file
from tonearm.training.learnt_sounds import LearntSounds

RNG = np.random.default_rng(0)
WINDOWS = [RNG.beta(1, 5, (4, 50)).astype(np.float32) for _ in range(3)]
SOUNDS = LearntSounds.of(["k0", "k1", "k2"], WINDOWS, [30.0, 200.0, 30.0])


def test_a_key_is_enough() -> None:
    assert SOUNDS.contain("k1", 5.0, WINDOWS[0] * 0)
    assert not SOUNDS.contain("k9", 30.0, WINDOWS[1])


def test_another_encoding_has_the_length_and_nearly_the_sound() -> None:
    near = WINDOWS[0] * RNG.uniform(0.98, 1.02, (4, 50)).astype(np.float32)
    assert SOUNDS.contain("k9", 30.02, near)
    assert not SOUNDS.contain("k9", 31.0, near), "another length"
    assert not SOUNDS.contain("k9", 30.0, np.roll(near, 1, axis=1)), "another sound"


def test_they_come_back_from_a_model_file() -> None:
    again = LearntSounds.in_training({"sounds": json.loads(json.dumps(SOUNDS.to_dict()))})
    assert again is not None and again.means is not None and SOUNDS.means is not None
    assert again.keys == SOUNDS.keys
    np.testing.assert_array_equal(again.lengths_s, SOUNDS.lengths_s)
    np.testing.assert_allclose(again.means, SOUNDS.means, atol=1e-3)
    assert LearntSounds.in_training({}) is None


def test_a_model_that_is_extended_keeps_what_its_base_learnt() -> None:
    both = LearntSounds.of(["n"], [WINDOWS[0]]).and_(SOUNDS)
    assert both.keys == ("n", "k0", "k1", "k2")
    assert both.contain("k2", 0.0, WINDOWS[1] * 0) and both.contain("n", 0.0, WINDOWS[1] * 0)
    assert not both.contain("x", -1.0, np.roll(WINDOWS[1], 1, axis=1))
    without = LearntSounds.of(["n"], None).and_(SOUNDS)
    assert without.means is None and without.contain("k0", 0.0, WINDOWS[0])


@pytest.fixture
def trained(tonearm: Command, tmp_path: Path) -> Path:
    """A head of two genres of four clips."""
    root = music.folder(tmp_path / "learnt", ["chirp", "drone"], 4, seconds=8)
    assert tonearm("train", root, "-o", tmp_path / "run").code == 0
    return tmp_path / "run" / "model.tonearm"


def leaked(tonearm: Command, model: Path, folder: Path) -> tuple[list[bool], str]:
    ended = tonearm("evaluate", model, folder, "-f", "json")
    assert ended.code == 0, ended.err
    (values,) = json.loads(ended.out)["models"]
    return [row["learnt"] for row in values["answers"]], ended.err


def test_renamed_and_encoded_again_they_are_a_leak(
    tonearm: Command, trained: Path, tmp_path: Path
) -> None:
    fresh = music.folder(tmp_path / "other", ["chirp", "drone"], 1, seconds=8)
    for genre in ("chirp", "drone"):
        for path in (fresh / genre).iterdir():
            music.write(path, music.clip(7, ord(genre[0]), seconds=8))
    assert leaked(tonearm, trained, fresh) == ([False, False], leaked(tonearm, trained, fresh)[1])
    assert "LEAK" not in leaked(tonearm, trained, fresh)[1]
    first, second = sorted((tmp_path / "learnt" / "drone").iterdir())[:2]
    shutil.copy(first, fresh / "drone" / "Somebody - Else.wav")
    samples, rate_hz = soundfile.read(second, dtype="float32")
    soundfile.write(fresh / "drone" / "quieter.flac", 0.8 * samples, rate_hz)
    found, said = leaked(tonearm, trained, fresh)
    assert found == [False, False, True, True]
    assert f"LEAK: {trained}: The model learnt from 2 of the 4 tracks" in said
    assert "drone/Somebody - Else.wav, drone/quieter.flac" in said


def test_a_leak_stands_apart_from_honest_figures(
    tonearm: Command, trained: Path, tmp_path: Path
) -> None:
    ended = tonearm("evaluate", trained, tmp_path / "learnt", "--report", tmp_path / "r.html")
    assert "LEAKS" in ended.out and "learnt from 8 of the 8 tracks" in ended.err
    assert "learnt from 8 of the 8 tracks" in (tmp_path / "r.html").read_text("utf-8")
    assert "sounds" in model_file.load(trained).training
