"""The model that ships: what the README says it says, and what it must not call music."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.sounds import Array, sweep, tone

from tonearm import Classifier, audio
from tonearm.audio import AUDIO_SUFFIXES
from tonearm.data import splits
from tonearm.genres import BUILTIN_GENRES, id3_name
from tonearm.model import file as model_file
from tonearm.model.encoder import Embeddings
from tonearm.model.prediction import Prediction
from tonearm.training.learnt_sounds import LearntSounds

ROOT = Path(__file__).parents[1]
RATE_HZ = 22_050
PARITY_MEAN, PARITY_WORST = 0.003, 0.03
TIME_S = np.arange(20 * RATE_HZ) / RATE_HZ


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load()


def test_the_shipped_bundle_keeps_its_contract(shipped: Classifier) -> None:
    assert shipped.model.labels == BUILTIN_GENRES
    assert shipped.model.embedding_names is not None and len(shipped.model.embedding_names) == 50
    assert shipped.model.features.window_frames == 187
    assert model_file.builtin_path().stat().st_size < 4_000_000
    assert "Universitat Pompeu Fabra" in shipped.model.notices
    official = splits.official("gtzan-filtered")
    assert shipped.model.training["split_sha256"] == official.sha256
    assert shipped.model.training["parts"] == ["train", "valid"]


def test_it_names_the_sounds_that_it_learnt_from(shipped: Classifier) -> None:
    learnt = LearntSounds.in_training(shipped.model.training)
    assert learnt is not None and learnt.means is not None
    # 443 train and 64 valid clips with tags, and the free music; 133 valid clips have no tags.
    assert len(set(learnt.keys)) == 443 + 64 + 229
    windows = np.repeat(learnt.means[:1], 4, axis=0)
    assert learnt.contain("another file", 30.0, windows)
    assert not learnt.contain("another file", 30.0, windows[:, ::-1])


def test_a_short_sound_is_unknown_where_a_long_one_may_be_music(shipped: Classifier) -> None:
    beat = 0.3 * np.sin(2 * np.pi * 220 * TIME_S) * np.exp(-3 * (TIME_S % 0.5))
    embeddings = shipped.embed(beat.astype(np.float32), RATE_HZ)
    assert embeddings.texture is not None
    short = replace(embeddings, duration_s=3.0)
    head = shipped.model.head
    long_one, short_one = (
        head.classify(each.values, each.texture, duration_s=each.duration_s).unknown
        for each in (embeddings, short)
    )
    assert short_one > long_one


@pytest.mark.parametrize("length_s", [3, 20])
@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_noise_up_to_the_highest_band_is_no_music(
    shipped: Classifier, power: float, length_s: int
) -> None:
    # White, pink and brown; of sounds up to 8 kHz alone the detector learnt that this is music.
    white = np.fft.rfft(np.random.default_rng(0).standard_normal(44_100 * length_s))
    noise = np.fft.irfft(white / np.maximum(np.arange(len(white)), 1) ** power)
    samples = (0.1 * noise / noise.std()).astype(np.float32)
    assert shipped.predict(samples, sample_rate_hz=44_100).genre is None


@pytest.mark.parametrize("n", [1, 2, 28, 500])
def test_it_decides_on_any_number_of_windows(shipped: Classifier, n: int) -> None:
    prediction = shipped.classify(np.random.default_rng(n).random((n, 50), dtype=np.float32) ** 4)
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert prediction.nearest == max(prediction.probabilities, key=prediction.probabilities.get)


def test_the_readme_says_what_it_says(shipped: Classifier) -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [re.match(r"(\w+\.\w+) +([\w-]+) +\S+ +(\d+)%", line) for line in lines]
    shown = {row[1]: (row[2], int(row[3])) for row in rows if row}
    assert sorted(shown) == sorted(
        p.name for p in (ROOT / "examples").iterdir() if p.suffix in AUDIO_SUFFIXES
    )
    for name, (genre, percent) in shown.items():
        prediction = shipped.predict(ROOT / "examples" / name)
        assert prediction.genre is not None, f"{name} is unknown"
        assert id3_name(prediction.genre) == genre, name
        assert 100 * prediction.confidence == pytest.approx(percent, abs=2), name


SOUNDS = {
    "silence": np.zeros_like(TIME_S),
    "faint hiss": 1e-4 * np.random.default_rng(0).standard_normal(len(TIME_S)),
    "white noise": 0.2 * np.random.default_rng(1).standard_normal(len(TIME_S)),
    "rumble": 0.02 * np.cumsum(np.random.default_rng(2).standard_normal(len(TIME_S))) % 0.5,
    "hum": 0.3 * sum(np.sin(2 * np.pi * 50 * k * TIME_S) / k for k in (1, 2, 3, 5)),
    "a tone": 0.5 * np.sin(2 * np.pi * 440 * TIME_S),
    "a siren": 0.5 * np.sin(2 * np.pi * (600 * TIME_S - 150 * np.cos(2 * np.pi * 0.5 * TIME_S))),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_other_sounds_are_unknown(shipped: Classifier, name: str) -> None:
    embeddings = shipped.embed(SOUNDS[name].astype(np.float32), RATE_HZ)
    prediction = shipped.classify(embeddings.values)
    assert prediction.genre is None, f"{name} is called {prediction.genre}"
    assert prediction.nearest in BUILTIN_GENRES


@pytest.mark.parametrize("voice", ["en", "de", "fr+f3"])
def test_speech_is_unknown(shipped: Classifier, voice: str, tmp_path: Path) -> None:
    program = shutil.which("espeak-ng")
    if program is None:
        pytest.skip("espeak-ng is not installed")
    path = tmp_path / "speech.wav"
    text = (
        "Good evening, and welcome. Tonight we talk about the weather in the north and the south."
    )
    subprocess.run([program, "-v", voice, "-w", str(path), text * 2], check=True)
    assert shipped.predict(path).genre is None


def test_readme_and_card_have_the_figures_of_the_model(shipped: Classifier) -> None:
    found = shipped.model.metrics
    grouped, valid, left_out = (
        found[name] for name in ("grouped", "valid_by_train_alone", "left_out")
    )
    covered = [grouped["coverage"][share] for share in ("0.9", "0.8", "0.7", "0.5")]
    figures = [
        grouped["accuracy"],
        *grouped["interval_95_by_artist"],
        *covered,
        grouped["ece"],
        valid["accuracy"],
        *valid["interval_95"],
        left_out["accuracy"],
        left_out["ece"],
    ]
    for path in (ROOT / "README.md", model_file.builtin_path().with_name("MODEL_CARD.md")):
        text = path.read_text(encoding="utf-8")
        for figure in figures:
            assert f"{figure:.3f}".removeprefix("0") in text, f"{path.name} lacks {figure:.4f}"


def test_shipped_contracts(shipped: Classifier) -> None:
    embeddings = shipped.embed(sweep(20, RATE_HZ), RATE_HZ)
    assert embeddings.values.dtype == np.float32
    assert embeddings.values.shape[1] == 50 and len(embeddings.values) > 1
    assert embeddings.values.min() >= 0 and embeddings.values.max() <= 1
    assert (
        embeddings.names is not None
        and embeddings.names[0] == "rock"
        and embeddings.names[33] == "Hip-Hop"
    )
    prediction = shipped.classify(embeddings.values)
    assert isinstance(prediction, Prediction)
    assert len(prediction.probabilities) == 11
    assert sum(prediction.probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert prediction.nearest == max(prediction.probabilities, key=prediction.probabilities.get)


@pytest.mark.parametrize("n", [1, 2, 6, 28, 500])
def test_shipped_classifies_any_number_of_windows(n: int, shipped: Classifier) -> None:
    tags = np.random.default_rng(n).beta(0.3, 2, (n, 50)).astype(np.float32)
    assert sum(shipped.classify(tags).probabilities.values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("seconds", [10.0, 4.0])
@pytest.mark.parametrize("kind", ["silence", "hum"])
def test_shipped_knows_that_this_is_no_music(
    kind: str, seconds: float, shipped: Classifier
) -> None:
    sounds: dict[str, Callable[[], Array]] = {
        "silence": lambda: np.zeros(round(seconds * RATE_HZ), np.float32),
        "hum": lambda: tone(50, seconds, RATE_HZ, level=0.1),
    }
    embeddings = shipped.embed(sounds[kind](), RATE_HZ)
    assert shipped.classify(embeddings.values).genre is None


def test_shipped_tags_agree_with_the_taggrams_of_gtzan(shipped: Classifier) -> None:
    """Track means of the clips in $TONEARM_GTZAN against those computed by musicnn itself."""
    folder = Path(os.environ.get("TONEARM_GTZAN", ""))
    if not os.environ.get("TONEARM_GTZAN"):
        pytest.skip("set TONEARM_GTZAN to a folder with taggram_audio_dev.npz and audio/")
    reference = np.load(folder / "taggram_audio_dev.npz")
    clips = sorted(folder.glob("audio/*/*.flac"))
    assert clips, f"no clips below {folder}/audio"
    distances = []
    for clip in clips:
        rows = reference["msd"][reference["name"] == clip.stem]
        if not len(rows):
            continue
        # The reference has a window each second (62 frames) and 28 of them.
        decoded = audio.decode(clip)
        samples = audio.resample(decoded.samples, decoded.sample_rate_hz, 16_000)
        begins = range(0, len(rows) * 62 * 256, 62 * 256)
        embeddings = [
            shipped.embed(samples[b : b + 187 * 256 - 1], 16_000).values[0] for b in begins
        ]
        distances.append(np.abs(np.mean(embeddings, axis=0) - rows.mean(axis=0)))
    assert len(distances) >= 30
    assert np.mean(distances) <= PARITY_MEAN, f"{np.mean(distances):.4f} on average"
    assert np.max(distances) <= PARITY_WORST, f"{np.max(distances):.4f} at most"


def test_a_timeline_of_one_part_says_what_the_whole_says(shipped: Classifier) -> None:
    verdicts = set()
    for seed in range(40):
        rng = np.random.default_rng(seed)
        windows = np.clip(rng.beta(0.2, 2, 50) + rng.normal(0, 0.01, (40, 50)), 0, 1)
        embeddings = Embeddings(windows.astype(np.float32), np.arange(40.0), 42.0)
        prediction = shipped.classify(embeddings, timeline=True)
        if len(prediction.timeline) == 1:
            assert prediction.timeline[0].genre == prediction.genre
            verdicts.add(prediction.genre is None)
    assert verdicts == {False, True}
