"""Running the networks: overlapping windows, threads, and both encoders in one pass."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.fakes import tiny_model
from support.sounds import chord, noise, sweep

from tonearm.audio import ArrayReader, RecentReader
from tonearm.model import file as model_file
from tonearm.model import network
from tonearm.model.classifier import Classifier
from tonearm.model.halves import halves
from tonearm.model.network import Network
from tonearm.model.texture_windows import TextureWindows

RATE_HZ = 22_050
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def model():
    return model_file.load()


@pytest.fixture
def stretch(model):
    """Mel power of some seconds, loud and quiet, with a step in the middle."""
    rng = np.random.default_rng(7)
    power = rng.exponential(1.0, (3 * 187, model.features.mel_bands)).astype(np.float32)
    power[300:] *= 1e-3
    return power


def test_onnxruntime_tells_nobody_that_it_is_used(tmp_path):
    # Its reports begin with a file in the cache. A bare environment: it spares known test machines.
    code = "from tonearm.model import file, network; network.onnx_session(file.load().encoder)"
    variables = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-B", "-c", code], check=True, env=variables)
    assert not list(tmp_path.rglob("*onnxruntime*"))


def alone(made: Network, power, offsets):
    length = made.spec.window_frames
    return np.concatenate([made.run(power[None, i : i + length]) for i in offsets])


def made_by(model, **options) -> Network:
    return Network(model.encoder, model.features, **{"threads": 1, **options})


# A second apart, one frame apart, ending with the stretch, and two that fill one batch only.
@pytest.mark.parametrize("offsets", [(0, 62, 125, 187, 250, 374), (3, 4, 90), (0, 5)])
@pytest.mark.parametrize("threads", [1, 2])
def test_windows_that_overlap_give_what_each_gives_alone(model, stretch, offsets, threads):
    made = made_by(model, threads=threads)
    together = made.run_stretch(stretch, np.array(offsets))
    assert together.shape == (len(offsets), 50)
    np.testing.assert_allclose(together, alone(made, stretch, offsets), atol=1e-6)


def test_the_ends_of_a_window_are_its_own(model, stretch, monkeypatch):
    """Filters see zeros behind a window's end; the next frames instead would be another answer."""
    monkeypatch.setattr(network, "halves", lambda *a, **k: replace(halves(*a, **k), reach=0))
    made = made_by(model)
    wrong = made.run_stretch(stretch, np.array((0, 62)))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(wrong, alone(made, stretch, (0, 62)), atol=1e-6)


def test_what_can_be_cut(model):
    size = {"window_frames": 187, "bands": 96}
    cut = halves(model.encoder, **size)
    assert cut is not None
    assert (len(cut.between), cut.reach) == (2, 3)  # two banks of filters of seven frames
    assert len(cut.front) + len(cut.back) < len(model.encoder) + 10_000, "weights are there once"
    assert halves(tiny_model().encoder, **size) is None
    assert halves(model.texture.encoder, window_frames=387, bands=128) is None


def test_windows_apart_are_not_shared(model, stretch, monkeypatch):
    monkeypatch.setattr(network, "halves", lambda *_, **__: pytest.fail("cut for nothing"))
    made = made_by(model)
    offsets = np.array((0, 187, 374))
    np.testing.assert_array_equal(
        made.run_stretch(stretch, offsets), made.run(stretch.reshape(3, 187, -1))
    )


class Counting(ArrayReader):
    """Counts the samples that are decoded."""

    decoded = 0

    def read(self, start, count):
        found = super().read(start, count)
        self.decoded += len(found)
        return found


@given(
    reads=st.lists(st.tuples(st.integers(0, 1_100), st.integers(0, 400)), max_size=12),
    keep_s=st.sampled_from([0.0, 0.05, 0.3]),
)
@settings(max_examples=60, deadline=None)
def test_recent_samples_are_the_file_s(reads, keep_s):
    samples = np.linspace(-1, 1, 1_000, dtype=np.float32)
    recent = RecentReader(ArrayReader(samples, 1_000), keep_s)
    for start, count in reads:
        np.testing.assert_array_equal(recent.read(start, count), samples[start : start + count])


def test_a_second_pass_behind_the_first_decodes_nothing():
    counting = Counting(np.zeros(10_000, np.float32), 1_000)
    recent = RecentReader(counting, 1.5)
    for start in range(0, 9_000, 1_000):
        recent.read(start, 1_000)
        recent.read(max(0, start - 500), 1_000)
    assert counting.decoded == 9_000


def test_texture_behind_the_first_encoder_decodes_nothing_again(model):
    mixed = np.concatenate([noise(65.0, RATE_HZ, level=0.1), sweep(65.0, RATE_HZ)])
    second = Network(model.texture.encoder, model.texture.features, threads=1)
    counting = Counting(mixed, RATE_HZ)
    recent = RecentReader(counting, 31.0)
    behind = TextureWindows(second, recent, len(mixed), all_through=True)
    for end_s in range(10, 131, 10):
        recent.read((end_s - 10) * RATE_HZ, 10 * RATE_HZ)
        behind.analyse_until(end_s)
    assert counting.decoded == len(mixed)
    found = behind.embeddings(with_modulations=False)
    plain = TextureWindows(second, ArrayReader(mixed, RATE_HZ), len(mixed), all_through=True)
    wanted = plain.embeddings(with_modulations=False)
    assert found["texture"].shape == (5, 128)  # four end to end, and one that ends with the track
    for name in ("texture", "texture_starts_s"):
        np.testing.assert_array_equal(found[name], wanted[name])


def test_a_timeline_by_two_threads_is_that_by_one(model):
    mixed = np.concatenate([chord((220, 277), 30.0, RATE_HZ), noise(30.0, RATE_HZ, level=0.1)])
    one, two = (
        Classifier(model, threads=threads).embed(mixed, RATE_HZ, timeline=True)
        for threads in (1, 2)
    )
    np.testing.assert_allclose(two.values, one.values, atol=1e-6)
    assert (one.texture is None) == (two.texture is None)
