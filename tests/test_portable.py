"""A model as ONNX files and a script: the same answers without Tonearm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

from support.fakes import tiny_head, tiny_model

from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.model.head import Head
from tonearm.model.network import onnx_session
from tonearm.model.out_of_domain import KnownRegion, OutOfDomainDetector
from tonearm.model.texture import Gate, JointVote, TextureHead
from tonearm.training import portable

EXAMPLES = Path(__file__).parents[1] / "examples"


def outputs(head: Head, **inputs: np.ndarray) -> tuple[np.ndarray, float]:
    session = onnx_session(portable.head_network(head).SerializeToString())
    inputs.setdefault("duration_s", np.full(1, 100.0))
    known = {each.name for each in session.get_inputs()}
    wanted = {name: value.astype(np.float32) for name, value in inputs.items() if name in known}
    probabilities, unknown = session.run(None, wanted)
    return probabilities, float(unknown[0])


def tags(seed: int, windows: int, d: int) -> np.ndarray:
    return np.random.default_rng(seed).beta(0.4, 4, (windows, d)).astype(np.float32)


@pytest.mark.parametrize("duration_s", [2.0, 100.0])
@pytest.mark.parametrize("windows", [1, 2, 8])
@pytest.mark.parametrize("seed", range(4))
def test_the_head_of_the_built_in_model(windows: int, seed: int, duration_s: float) -> None:
    head = model_file.load().head
    assert head.texture is not None and head.detector is not None and head.gates
    values = tags(seed, windows, head.dimensions)
    texture = np.random.default_rng(seed).standard_normal((2, head.texture.dimensions))
    expected = head.classify(values, texture.astype(np.float32), duration_s=duration_s)
    length = np.full(1, duration_s)
    probabilities, unknown = outputs(head, windows=values, texture=texture, duration_s=length)
    np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-6)
    assert unknown == pytest.approx(expected.unknown, abs=1e-6)


def test_texture_counts_only_in_doubt() -> None:
    """Below and above the limit, on the same windows."""
    head = model_file.load().head
    assert head.texture is not None
    values = tags(1, 3, head.dimensions)
    texture = np.random.default_rng(1).standard_normal((1, head.texture.dimensions))
    found = []
    for limit in (0.0, 1.1):
        changed = replace(head, texture=replace(head.texture, ask_below=limit))
        probabilities, _ = outputs(changed, windows=values, texture=texture)
        expected = changed.classify(values, texture.astype(np.float32)).probabilities
        np.testing.assert_allclose(probabilities, expected, atol=1e-6)
        found.append(probabilities)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def _changes() -> dict[str, Callable[[Head], Head]]:
    d = tiny_head().dimensions
    eye, one = np.eye(d), np.ones(1)
    region = KnownRegion(("jazz",), np.full((1, d), 0.3), 2 * eye, 3 * one, one)
    detector = OutOfDomainDetector(np.linspace(-1, 1, d), 0.1, 0.2, 0.3)
    two = ((0.25, 0.5), (0.75, 2.0))
    # Of the texture, for all genres but the last.
    weight = np.random.default_rng(0).standard_normal((2, len(tiny_head().labels) - 1))
    part = TextureHead(weight, weight[0], two, ask_below=1.1)
    shared = np.random.default_rng(1).standard_normal((d + 2, len(weight[0])))
    joint = replace(part, limits=np.array([0.5, 1.0]), joint=JointVote(shared, shared[0]))
    return {
        "votes": lambda head: head,
        "average": lambda head: replace(head, kind="average"),
        "calibration": lambda head: replace(head, calibration=two),
        "prior": lambda head: replace(head, prior=np.linspace(-1, 1, len(head.labels))),
        "gate": lambda head: replace(head, gates=(Gate("jazz", (0, 1), 5.0),)),
        "open gate": lambda head: replace(head, gates=(Gate("jazz", (0, 1), 0.0),)),
        "detector": lambda head: replace(head, detector=detector),
        "fewer votes": lambda head: replace(head, texture=part),
        "joint vote": lambda head: replace(head, texture=joint),
        "region": lambda head: replace(head, detector=detector, known_region=region),
    }


@pytest.mark.parametrize("change", _changes())
def test_each_part_of_a_head(change: str) -> None:
    head = _changes()[change](replace(tiny_head(), power=0.2))
    for seed in range(6):
        values = tags(seed, 4, head.dimensions)
        texture = np.random.default_rng(seed).standard_normal((2, 2)).astype(np.float32)
        expected = head.classify(values, texture)
        probabilities, unknown = outputs(head, windows=values, texture=texture)
        np.testing.assert_allclose(probabilities, expected.probabilities, atol=1e-6)
        assert unknown == pytest.approx(expected.unknown, abs=1e-6)


def test_the_script_says_what_tonearm_says(tmp_path: Path) -> None:
    pytest.importorskip("librosa")
    model = model_file.load()
    names = portable.export(model, tmp_path / "m")
    assert set(names) == {path.name for path in (tmp_path / "m").iterdir()}
    songs = [EXAMPLES / "midnight_walk.mp3", EXAMPLES / "gravel_and_honey.wav"]
    # In a process of its own, where Tonearm cannot be found.
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); sys.modules['tonearm'] = None; "
        "import predict; print(json.dumps([predict.predict(song) for song in sys.argv[2:]]))"
    )
    arguments = [sys.executable, "-c", code, str(tmp_path / "m"), *map(str, songs)]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert "Removing initializer" not in ended.stderr, "onnxruntime's remarks are no news to anyone"
    classifier = Classifier(model)
    for song, (probabilities, unknown) in zip(songs, json.loads(ended.stdout), strict=True):
        embedded = classifier.embed(song, count=model.windows_per_track)
        expected = model.head.classify(
            embedded.values, embedded.texture, duration_s=embedded.duration_s
        )
        for genre, value in zip(model.labels, expected.probabilities, strict=True):
            assert probabilities[genre] == pytest.approx(value, abs=0.02), (song.name, genre)
        assert unknown == pytest.approx(expected.unknown, abs=0.02)


def test_settings_are_plain_and_hold_no_list_of_sounds(tmp_path: Path) -> None:
    model = replace(tiny_model(), training={"data": "x", "sounds": {"keys": ["a"]}})
    portable.export(model, tmp_path)
    values = json.loads((tmp_path / "settings.json").read_text("utf-8"))
    assert values["training"] == {"data": "x"} and values["texture"] is None
    assert values["features"]["sr"] == model.features.sample_rate_hz
    assert not (tmp_path / "texture.onnx").exists()


def test_the_command(tonearm: Any, tmp_path: Path, model_path: Path) -> None:
    run = tonearm("models", "export", model_path, "-o", tmp_path / "out")
    assert run.code == 0, run.err
    assert str(tmp_path / "out" / "predict.py") in run.out.splitlines()
    assert tonearm("models", "export", "-o", tmp_path).code == 2
    assert tonearm("models", "export", model_path).code == 2
    assert "cannot be read as a model" in tonearm("models", "export", "none", "-o", tmp_path).err
