"""The network the project began with: MFCCs, LSTM 64, LSTM 64, dense 64, softmax; no dropout.

Built as Keras builds it: Glorot kernels, orthogonal recurrent kernels, biases 0 and 1 for the
forget gates (torch's second bias stays 0). The cosine transform of the log-mel is inside, so that
one front end serves all models; the level is brought to mean 0 and deviation 1 within the window,
since the scale of arrays prepared elsewhere is lost (the original took MFCCs as they were).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tonearm.features import mfcc
from tonearm.nets import Recipe
from tonearm.nets.window_net import WindowNet

# A tenth of a 30 s clip, as the original cut them.
WINDOW_S = 3.0
RECIPE = Recipe(epochs=50, batch=32, lr=1e-3)  # Keras' own rate for Adam


@dataclass(frozen=True)
class Config:
    """Sizes, those of the original.

    ``input_scale`` multiplies the MFCCs of the normalised level.
    """

    coefficients: int = 13
    units: int = 64
    hidden: int = 64
    input_scale: float = 1.0


class Net(WindowNet):
    """MFCCs of the window, two LSTM layers, a dense one.

    Parameters
    ----------
    config : Config
        Sizes of the network.
    bands, frames : int
        Size of a window.
    labels : int
        How many genres.
    """

    mfcc_basis: Tensor

    def __init__(self, config: Config, *, bands: int, frames: int, labels: int) -> None:
        super().__init__(config, bands=bands, frames=frames, labels=labels)
        # The transform is linear: of the identity it gives its own matrix (bands, coefficients).
        basis = mfcc(np.eye(bands, dtype=np.float32), coefficients=config.coefficients)
        basis *= config.input_scale
        self.register_buffer("mfcc_basis", torch.from_numpy(basis), persistent=False)
        self.first = _lstm(config.coefficients, config.units)
        self.second = _lstm(config.units, config.units)
        self.hidden = _dense(config.units, config.hidden)
        self.output = _dense(config.hidden, labels)

    def logits(self, x: Tensor) -> Tensor:
        """(batch, frames, bands) -> (batch, labels).

        Parameters
        ----------
        x : float32 (batch, frames, bands)
            Levels of mean 0 and deviation 1.
        """
        return self.classify(x @ self.mfcc_basis)

    def classify(self, mfccs: Tensor) -> Tensor:
        """(batch, frames, coefficients) -> (batch, labels).

        Parameters
        ----------
        mfccs : float32 (batch, frames, coefficients)
            The original took them as librosa gives them (``examples/original``).
        """
        x, _ = self.first(mfccs)  # (batch, frames, units)
        x, _ = self.second(x)
        x = F.relu(self.hidden(x[:, -1]))  # the last frame has seen the whole window
        return cast(Tensor, self.output(x))


def _lstm(inputs: int, units: int) -> nn.LSTM:
    layer = nn.LSTM(inputs, units, batch_first=True)
    of_input, recurrent, bias, second_bias = layer.parameters()
    nn.init.xavier_uniform_(of_input)
    nn.init.orthogonal_(recurrent)
    nn.init.zeros_(bias)
    # Torch has two biases that only ever act as their sum; Keras has one.
    nn.init.zeros_(second_bias).requires_grad_(False)
    with torch.no_grad():
        bias[units : 2 * units] = 1  # gates: input, forget, cell, output
    return layer


def _dense(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
