"""The one registry of architectures: what can be trained, and with which recipe.

An architecture is a file ``nets/NAME.py`` with ``Config`` (a frozen dataclass), ``Net(config, *,
bands, frames, labels)`` (an nn.Module: levels [batch, frames, bands] as `data.feature_store.cut`
gives them, in, logits [batch, labels] out; it normalises inside), ``RECIPE``, ``WINDOW_S`` and, if
it needs it, ``augment``; and a line in `ARCHITECTURES`. Imports no torch: ``tonearm train --help``
lists it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tonearm.errors import DatasetError

# name: what it is, for --help and `tonearm models`
ARCHITECTURES = {
    "head": "a classifier over the built-in encoder's embeddings: seconds, few songs, no torch",
    "lstm": "the original network: MFCCs, two LSTM layers, from scratch",
    "gabor": "fixed Gabor convolutions over log-mel and a layer in closed form, from scratch",
    "cnn": "learned convolutions over log-mel and rhythm, from scratch",
}


@dataclass(frozen=True)
class Recipe:
    """How a net is trained.

    Parameters
    ----------
    crops : 'excerpts' or 'random'
        Ten fixed windows a track, each an example; or one window a track and epoch, anywhere.
    margin : float
        A random crop is longer than a window by this fraction, for ``augment`` to cut from.
    schedule : 'constant' or 'one-cycle'
        Of the learning rate, which ``lr`` is the top of.
    ema : float
        Decay of the averaged weights that are evaluated and kept; 0 for none.
    mixup : float
        Parameter of the beta distribution; 0 for none.
    clip_norm : float
        Longest gradient; 0 for no limit.
    closed_form : bool
        No gradients: one pass gives ``Net.describe`` of every training window to ``Net.fit``.
    """

    epochs: int
    batch: int
    lr: float
    crops: Literal["excerpts", "random"] = "excerpts"
    margin: float = 0.0
    schedule: Literal["constant", "one-cycle"] = "constant"
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    mixup: float = 0.0
    ema: float = 0.0
    clip_norm: float = 0.0
    closed_form: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Architecture:
    """One entry: see the module's text."""

    name: str
    config: Any
    build: Callable[..., Any]
    recipe: Recipe
    window_s: float
    augment: Callable[..., Any] | None = None


def get(name: str) -> Architecture:
    """The net of that name, with its defaults; imports torch.

    Parameters
    ----------
    name : str
        A key of :data:`ARCHITECTURES`.

    Raises
    ------
    DatasetError
        When there is none of that name.
    """
    # A head is listed with them for people, but is fitted without torch.
    if name not in ARCHITECTURES or name == "head":
        known = ", ".join(key for key in ARCHITECTURES if key != "head")
        raise DatasetError(f"no network {name!r}; there are: {known}")
    # By name: imports at the top would load torch, and --help has 0.3 s (architecture.md).
    module = importlib.import_module(f"tonearm.nets.{name}")
    return Architecture(
        name,
        module.Config(),
        module.Net,
        module.RECIPE,
        module.WINDOW_S,
        getattr(module, "augment", None),
    )
