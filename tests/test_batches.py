"""Batches of windows: what is drawn, and what label smoothing and mixup make of the targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tonearm import nets
from tonearm.data import feature_store, index, prepare, splits
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.features import GTZAN_SPEC

torch = pytest.importorskip("torch")

from tonearm.training.batches import Data, Example  # noqa: E402

LSTM = nets.get("lstm")
FRAMES = 1_293


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two genres of four tracks, whose levels are random."""
    root = tmp_path_factory.mktemp("data")
    store = feature_store.open_store(
        root / prepare.FEATURES, feature_store.identity(GTZAN_SPEC), create=True
    )
    rng = np.random.default_rng(0)
    tracks = []
    for genre in ("jazz", "rock"):
        for i in range(4):
            sound = f"{len(tracks):032x}"
            levels = rng.uniform(-70, 0, (FRAMES, GTZAN_SPEC.mel_bands)).astype(np.float16)
            store.put(sound, levels)
            tracks.append(Track(f"{genre}/{i}.mp3", genre, f"artist:{genre}{i}", sound, 30.0))
    Index(tuple(tracks)).save(root / index.FILE_NAME)
    return root


def split() -> Split:
    names = [f"{genre}/{i}.mp3" for genre in ("jazz", "rock") for i in range(4)]
    valid = {"jazz/3.mp3", "rock/3.mp3"}
    subsets = {"train": [n for n in names if n not in valid], "valid": sorted(valid)}
    return Split("mine", {name: tuple(of) for name, of in subsets.items()})


class Labelled(Data):
    """Windows that hold nothing but the number of their genre."""

    def windows(self, examples: Sequence[Example]) -> torch.Tensor:
        labels = torch.tensor([float(example.label) for example in examples])
        return labels[:, None, None].expand(-1, 3, 2).clone()


def batches(folder: Path, kind: type[Data] = Labelled, *, epoch: int = 0, **recipe: object) -> list:
    model = replace(LSTM, recipe=replace(LSTM.recipe, **recipe))
    return list(kind(folder, split(), model).batches(model, seed=3, epoch=epoch))


def test_every_training_excerpt_comes_once_an_epoch(folder: Path) -> None:
    data = Data(folder, split(), LSTM)
    examples = data.examples("train")
    assert len(examples) == 6 * splits.EXCERPTS
    assert {example.track.name for example in examples} == {*split().subsets["train"]}
    found = batches(folder, batch=16)
    assert [len(levels) for levels, _ in found] == [16, 16, 16, 12]
    assert sum(float(targets[:, 1].sum()) for _, targets in found) == 30


def test_the_order_is_that_of_seed_and_epoch(folder: Path) -> None:
    first, again, later = (batches(folder, Data, epoch=epoch) for epoch in (0, 0, 1))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one[0], other[0]) and torch.equal(one[1], other[1])
    assert not torch.equal(first[0][0], later[0][0])


def test_targets_without_smoothing_are_the_genres(folder: Path) -> None:
    for levels, targets in batches(folder):
        assert torch.equal(levels[:, 0, 0], targets[:, 1])
        assert set(targets.flatten().tolist()) == {0.0, 1.0}


def test_label_smoothing_moves_a_little_to_the_others(folder: Path) -> None:
    for levels, targets in batches(folder, label_smoothing=0.2):
        torch.testing.assert_close(targets[:, 1], 0.1 + 0.8 * levels[:, 0, 0])
        torch.testing.assert_close(targets.sum(1), torch.ones(len(targets)))


def test_mixup_mixes_the_targets_as_it_mixes_the_levels(folder: Path) -> None:
    seen = []
    for levels, targets in batches(folder, mixup=0.4):
        torch.testing.assert_close(targets[:, 1], levels[:, 0, 0])
        seen += targets[:, 1].tolist()
    mixed = [value for value in seen if 0.001 < value < 0.999]
    assert len(mixed) > 10, "nothing was mixed"


def test_the_kept_part_of_a_mixture_is_the_larger(folder: Path) -> None:
    """A window never ends as less than half of itself."""
    plain = torch.cat([levels[:, 0, 0] for levels, _ in batches(folder)])
    mixed = torch.cat([levels[:, 0, 0] for levels, _ in batches(folder, mixup=0.4)])
    assert ((plain - mixed).abs() <= 0.5 + 1e-6).all()


def test_random_crops_are_one_a_track(folder: Path) -> None:
    cnn = nets.get("cnn")
    data = Data(folder, split(), cnn)
    found = list(data.batches(cnn, seed=0, epoch=0))
    assert sum(len(levels) for levels, _ in found) == 6
    assert found[0][0].shape[1:] == (data.spec.window_frames, data.spec.mel_bands)
