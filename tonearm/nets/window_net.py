"""What the architectures share: a network that takes levels of a window and gives logits.

Levels are [batch, frames, bands] as `data.feature_store.cut` gives them.
"""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor, nn


class WindowNet(nn.Module):
    """Log-mel windows to logits. A subclass gives `logits`, of windows that are normalised.

    Parameters
    ----------
    config : Config
        Sizes, of the subclass's own module.
    bands, frames : int
        Size of a window.
    labels : int
        Number of genres.
    """

    @abstractmethod
    def __init__(self, config: object, *, bands: int, frames: int, labels: int) -> None:
        super().__init__()

    def forward(self, levels: Tensor) -> Tensor:
        """(batch, frames, bands) -> (batch, labels).

        Parameters
        ----------
        levels : float32 (batch, frames, bands)
            In any unit that is logarithmic.
        """
        return self.logits(normalised(levels))

    @abstractmethod
    def logits(self, x: Tensor) -> Tensor:
        """(batch, frames, bands) of mean 0 and deviation 1 -> (batch, labels).

        Parameters
        ----------
        x : float32 (batch, frames, bands)
            Levels of mean 0 and deviation 1.
        """


def normalised(levels: Tensor) -> Tensor:
    """Each window at mean 0 and deviation 1; an even one (silence) at 0.

    Parameters
    ----------
    levels : float32 (batch, frames, bands)
        In any unit that is logarithmic.
    """
    centred = levels - levels.mean((1, 2), keepdim=True)
    deviation = centred.square().mean((1, 2), keepdim=True).sqrt()
    # Silence stays 0 instead of becoming amplified rounding errors.
    return centred / (deviation + 1e-3)
