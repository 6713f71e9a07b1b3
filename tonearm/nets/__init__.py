"""The one registry of architectures: what can be trained, and with which recipe.

An architecture is a file ``nets/NAME.py`` with ``Config`` (a frozen dataclass), ``Net(config, *,
bands, frames, labels)`` (an nn.Module: levels [batch, frames, bands] as `data.feature_store.cut`
gives them, in, logits [batch, labels] out; it normalises inside), ``RECIPE``, ``WINDOW_S`` and, if
it needs it, ``augment``; and a line in `ARCHITECTURES`. `nets.external` reads the same from a file
outside the package. Imports no torch: ``tonearm train --help`` lists it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tonearm.errors import DatasetError

# name: what it is, for --help and `tonearm models`
ARCHITECTURES = {
    "head": "a small classifier on the built-in embeddings: takes seconds, few songs, no PyTorch",
    "lstm": "the original network: MFCCs, two LSTM layers, from scratch",
    "gabor": "fixed Gabor convolutions over log-mel and a layer in closed form, from scratch",
    "cnn": "learned convolutions over log-mel and rhythm, from scratch",
}


# What a setting of a recipe may be, for messages.
_LIMITS = {
    "epochs": "1 or more",
    "batch": "1 or more",
    "lr": "above 0",
    "crops": "excerpts or random",
    "margin": "0 or more",
    "schedule": "constant or one-cycle",
    "weight_decay": "0 or more",
    "label_smoothing": "0 or more, below 1",
    "mixup": "0 or more",
    "ema": "0 or more, below 1",
    "clip_norm": "0 or more",
    "class_weights": "none or balanced",
}


@dataclass(frozen=True)
class Recipe:
    """How a net is trained.

    Parameters
    ----------
    epochs, batch : int
        Passes over the data, and examples of a step.
    lr : float
        Learning rate, the highest of a schedule.
    crops : 'excerpts' or 'random'
        Ten fixed windows a track, each an example; or one window a track and epoch, anywhere.
    margin : float
        A random crop is longer than a window by this fraction, for ``augment`` to cut from.
    schedule : 'constant' or 'one-cycle'
        Of the learning rate, which ``lr`` is the top of.
    weight_decay : float
        Of matrices, as AdamW has it; biases and norms do not decay.
    label_smoothing : float
        Fraction of the target that goes to even odds.
    mixup : float
        Parameter of the beta distribution; 0 for none.
    ema : float
        Decay of the averaged weights that are evaluated and kept; 0 for none.
    clip_norm : float
        Longest gradient; 0 for no limit.
    class_weights : 'none' or 'balanced'
        ``balanced`` weighs the loss of a genre by how much rarer it is than the mean.
    several_genres : bool
        Each genre is a yes or no of its own, for tracks that have several.
    closed_form : bool
        No gradients: one pass gives ``Net.describe`` of every training window to ``Net.fit``.

    Raises
    ------
    DatasetError
        When a value is outside what it can mean.
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
    class_weights: Literal["none", "balanced"] = "none"
    several_genres: bool = False
    closed_form: bool = False

    def __post_init__(self) -> None:
        limits = {
            "epochs": self.epochs >= 1,
            "batch": self.batch >= 1,
            "lr": self.lr > 0 or (self.closed_form and self.lr == 0),
            "crops": self.crops in ("excerpts", "random"),
            "margin": self.margin >= 0,
            "schedule": self.schedule in ("constant", "one-cycle"),
            "weight_decay": self.weight_decay >= 0,
            "label_smoothing": 0 <= self.label_smoothing < 1,
            "mixup": self.mixup >= 0,
            "ema": 0 <= self.ema < 1,
            "clip_norm": self.clip_norm >= 0,
            "class_weights": self.class_weights in ("none", "balanced"),
        }
        for name, fits in limits.items():
            if not fits:
                raise DatasetError(
                    f"a recipe with {name} {getattr(self, name)!r} is impossible: {_LIMITS[name]}"
                )

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
