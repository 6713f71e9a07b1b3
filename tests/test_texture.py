"""The second encoder of the built-in model: when it is asked, and that array and audio agree."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tonearm import Classifier
from tonearm.errors import ModelError
from tonearm.features import TEXTURE_SPEC, log_mel
from tonearm.model import file as model_file
from tonearm.model.network import onnx_session

ROOT = Path(__file__).parents[1]
RATE_HZ = 22_050


@pytest.fixture(scope="module")
def model() -> model_file.Model:
    return model_file.load()


def asking(model: model_file.Model, below: float) -> Classifier:
    """The built-in model with another limit for asking the second encoder."""
    assert model.head.texture is not None
    texture = replace(model.head.texture, ask_below=below)
    return Classifier(replace(model, head=replace(model.head, texture=texture)))


@pytest.fixture(scope="module")
def clip() -> np.ndarray:
    """Thirty seconds with rhythm and pitch, so that every filter has something to see."""
    time_s = np.arange(30 * RATE_HZ) / RATE_HZ
    rng = np.random.default_rng(0)
    beat = np.exp(-8 * (time_s % 0.5))
    chord = sum(np.sin(2 * np.pi * hz * time_s) for hz in (110, 277.2, 329.6, 880))
    melody = np.sin(2 * np.pi * (440 + 220 * np.floor(time_s % 4)) * time_s)
    noise = rng.standard_normal(len(time_s)) * np.exp(-30 * ((time_s + 0.25) % 0.5))
    return (0.1 * beat * chord + 0.05 * melody + 0.1 * noise).astype(np.float32)


def picture(samples: np.ndarray) -> np.ndarray:
    """The clip as research arrays hold it: uint8 [128, 387], its own minimum and maximum."""
    spec = replace(TEXTURE_SPEC, hop_samples=512)
    levels = log_mel(samples, spec)
    kept = np.floor((np.arange(387) + 0.5) * len(levels) / 387.5).astype(int)
    scaled = (levels - levels.min()) / (levels.max() - levels.min()) * 256
    return np.clip(scaled, 0, 255)[kept].astype(np.uint8).T


def test_it_is_asked_only_where_the_first_is_in_doubt(model, clip) -> None:
    doubting, confident = asking(model, 1.1), asking(model, 0.0)
    asked = doubting.embed(clip, RATE_HZ)
    assert asked.texture is not None and asked.texture.shape == (1, 128)
    assert asked.texture_starts_s is not None and asked.texture_starts_s[0] < 1
    assert confident.embed(clip, RATE_HZ).texture is None
    assert doubting.embed(clip, RATE_HZ, timeline=True).texture is not None
    # The texture moves the answer, and is ignored by a head that does not want it.
    both = doubting.classify(asked).probabilities
    alone = doubting.classify(asked.values).probabilities
    assert both != alone == confident.classify(asked).probabilities | {}


def test_a_long_track_has_windows_all_over_on_a_timeline(model, clip) -> None:
    long = np.tile(clip, 3)
    found = asking(model, 1.1).embed(long, RATE_HZ, timeline=True)
    assert found.texture is not None and len(found.texture) >= 3
    middle = asking(model, 1.1).embed(long, RATE_HZ)
    assert middle.texture_starts_s == pytest.approx([30], abs=0.1)


def test_array_and_audio_agree(model, clip) -> None:
    by_audio = asking(model, 1.1).embed(clip, RATE_HZ).texture[0]
    session = onnx_session(model.texture.encoder)
    levels = picture(clip).T[None].astype(np.float32)
    by_array = session.run(None, {"features": levels})[0][0]
    difference = np.linalg.norm(by_audio - by_array) / np.linalg.norm(by_array)
    assert difference < 0.1, f"audio and array differ by {difference:.3f} of the texture"


def test_texture_of_another_encoder_is_refused(model, clip) -> None:
    classifier = asking(model, 1.1)
    wrong = replace(classifier.embed(clip, RATE_HZ), texture=np.zeros((1, 3), np.float32))
    with pytest.raises(ModelError, match="texture of shape"):
        classifier.classify(wrong)


def test_the_model_file_keeps_both_encoders(model, tmp_path) -> None:
    path = tmp_path / "copy.tonearm"
    model_file.save(model, path)
    again = model_file.load(path)
    assert again.texture == model.texture and again.styles == model.styles
    np.testing.assert_array_equal(again.head.texture.weight, model.head.texture.weight)
    assert again.encoder_sha256 == model.encoder_sha256
    assert replace(model, texture=None).encoder_sha256 != model.encoder_sha256


def test_clips_that_are_arrays_are_classified_by_both(model, clip, tmp_path) -> None:
    """``runs/judge_arrays.py``, from any folder."""
    values = asking(model, 0.0).embed(clip, RATE_HZ, count=4).values
    names = np.array(["jazz.00001"] * 4 + ["rock.00002"] * 4)
    tags, pictures = tmp_path / "tags.npz", tmp_path / "logmel.npz"
    np.savez(tags, tags=np.concatenate([values, values[::-1]]), name=names)
    np.savez(pictures, logmel=picture(clip)[None], name=["jazz.00001"])
    out = tmp_path / "out.json"
    script = [sys.executable, ROOT / "runs" / "judge_arrays.py", "--tags", tags]
    ran = subprocess.run(
        [*script, "--logmel", pictures, "--json", out],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "both encoders: n 2" in ran.stdout and "first encoder alone: n 2" in ran.stdout
    assert "accuracy" in ran.stdout and "log-loss" in ran.stdout
    found = json.loads(out.read_text())
    assert list(found) == ["jazz.00001", "rock.00002"]
    assert set(found["jazz.00001"]) == {"genre", "nearest", "probabilities"}
    assert sum(found["rock.00002"]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
