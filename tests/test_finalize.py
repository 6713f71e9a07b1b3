"""The end of a run: what a network says of a subset, without double precision on its device."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_batches import LSTM, folder, split

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402

from tonearm.training.batches import Data  # noqa: E402
from tonearm.training.finalize import predict_subset  # noqa: E402

__all__ = ["folder"]


class Means(nn.Module):
    """Logits that depend on the mean level of a window."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(0.1))

    def forward(self, levels: Tensor) -> Tensor:
        mean = self.scale * levels.mean((1, 2))
        return torch.stack([mean, -mean], 1)


class WithoutDoubles(Tensor):
    """A tensor on a device that, like Apple's, has no float64; ``cpu`` takes it off."""

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = super().__torch_function__(func, types, args, kwargs or {})
        if func is Tensor.cpu:
            return made.as_subclass(Tensor)
        if isinstance(made, Tensor) and made.dtype == torch.float64:
            raise TypeError("Cannot convert a tensor to float64: the device has none")
        return made


class OnAnotherDevice(Means):
    def forward(self, levels: Tensor) -> Tensor:
        return super().forward(levels).as_subclass(WithoutDoubles)


def test_a_track_is_the_mean_of_its_windows(folder: Path) -> None:
    data = Data(folder, split(), LSTM)
    found = predict_subset(Means().eval(), data, "valid")
    assert found.window_probabilities.shape == (20, 2)
    assert found.track_truth.tolist() == [0, 1]
    np.testing.assert_allclose(found.window_probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(
        found.track_probabilities[0], found.window_probabilities[:10].mean(axis=0)
    )
    assert found.track_groups == ("artist:jazz3", "artist:rock3")
    assert found.window_groups[:10] == ("artist:jazz3",) * 10


def test_no_double_is_made_on_a_device(folder: Path) -> None:
    with pytest.raises(TypeError, match="float64"):
        OnAnotherDevice()(torch.zeros(2, 3, 3)).double()
    data = Data(folder, split(), LSTM)
    there = predict_subset(OnAnotherDevice().eval(), data, "valid")
    here = predict_subset(Means().eval(), data, "valid")
    np.testing.assert_array_equal(there.window_probabilities, here.window_probabilities)
