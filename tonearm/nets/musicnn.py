"""musicnn (Pons & Serra 2019): the probabilities of 50 tags in 3 s of music; the built-in backbone.

The net as it was trained; ``training.export.fuse`` makes the same function of it at a tenth of
the work. Features are [batch, frames, bands] as ``features.MUSICNN_SPEC`` makes them (187 frames,
96 bands); inside, axes are (batch, channels, frames, bands).
Must not import anything but torch, NumPy's types and errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from tonearm.errors import ModelError

# fmt: off
MSD_TAGS = (
    "rock", "pop", "alternative", "indie", "electronic", "female vocalists", "dance", "00s",
    "alternative rock", "jazz", "beautiful", "metal", "chillout", "male vocalists",
    "classic rock", "soul", "indie rock", "Mellow", "electronica", "80s", "folk", "90s", "chill",
    "instrumental", "punk", "oldies", "blues", "hard rock", "ambient", "acoustic",
    "experimental", "female vocalist", "guitar", "Hip-Hop", "70s", "party", "country",
    "easy listening", "sexy", "catchy", "funk", "electro", "heavy metal", "Progressive rock",
    "60s", "rnb", "indie pop", "sad", "House", "happy",
)
# fmt: on
# TensorFlow's default; torch's is 1e-5.
_NORM_EPS = 1e-3


@dataclass(frozen=True)
class MusicnnConfig:
    """Sizes; the defaults are those of MSD_musicnn and of MTT_musicnn.

    Kernels are (frames, bands): the timbral ones see 40 and 70 % of the spectrum at once, the
    temporal ones follow a single band for up to 128 frames (2 s).

    Parameters
    ----------
    timbral_kernels, temporal_kernels : tuple of (int, int)
        Frames and bands of each filter bank.
    timbral_filters, temporal_filters, middle_filters : int
        Filters of each bank, and of each middle layer.
    hidden : int
        Width of the dense layer.
    tags : int
        How many it tells.
    """

    timbral_kernels: tuple[tuple[int, int], ...] = ((7, 38), (7, 67))
    timbral_filters: int = 204
    temporal_kernels: tuple[tuple[int, int], ...] = ((128, 1), (64, 1), (32, 1))
    temporal_filters: int = 51
    middle_filters: int = 64
    hidden: int = 200
    tags: int = 50


def pad_frames(x: Tensor, kernel_frames: int) -> Tensor:
    """Add zero frames for a 'same' convolution.

    (batch, channels, frames, bands) -> (batch, channels, frames + kernel_frames - 1, bands).
    An even kernel's odd one goes to the end, as in TensorFlow.

    Parameters
    ----------
    x : float32 (batch, channels, frames, bands)
        An image, of any number of channels.
    kernel_frames : int
        Length of the filter that comes next.
    """
    return F.pad(x, (0, 0, (kernel_frames - 1) // 2, kernel_frames // 2))


def pool_frames(x: Tensor) -> Tensor:
    """(batch, channels, frames) -> (batch, 2 * channels): max0, mean0, max1, mean1, ...

    Parameters
    ----------
    x : float32 (batch, channels, frames)
        What the middle layers give.
    """
    # Interleaved channel by channel, the order that the checkpoint's next layers expect.
    return torch.stack([x.amax(2), x.mean(2)], 2).flatten(1)


class FilterBank(nn.Module):
    """Convolution over time and frequency, ReLU, batch norm, then the maximum over frequency.

    Parameters
    ----------
    kernel : (int, int)
        Frames and bands of each filter.
    filters : int
        How many; each gives one number a frame.
    """

    def __init__(self, kernel: tuple[int, int], *, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, filters, kernel)
        self.norm = nn.BatchNorm2d(filters, eps=_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, 1, frames, bands) -> (batch, filters, frames).

        Parameters
        ----------
        x : float32 (batch, 1, frames, bands)
            The spectrogram as an image of one channel.
        """
        x = self.conv(pad_frames(x, self.conv.kernel_size[0]))
        # The maximum over frequency forgets the pitch at which a timbre sounded.
        return cast(Tensor, self.norm(F.relu(x))).amax(3)


class MiddleLayer(nn.Module):
    """Convolution over 7 frames, ReLU, batch norm.

    Parameters
    ----------
    channels, filters : int
        Channels in and out.
    """

    def __init__(self, channels: int, *, filters: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, filters, 7, padding=3)
        self.norm = nn.BatchNorm1d(filters, eps=_NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, frames) -> (batch, filters, frames).

        Parameters
        ----------
        x : float32 (batch, channels, frames)
            What the filter banks, or the layer before, give.
        """
        return cast(Tensor, self.norm(F.relu(self.conv(x))))


def middle_stack(layers: nn.ModuleList, front: Tensor) -> Tensor:
    """(batch, channels, frames) -> (batch, 3 * filters, frames): what each layer gives, in order.

    The second and the third layer add theirs to what they are given.

    Parameters
    ----------
    layers : ModuleList of MiddleLayer
        All with as many filters.
    front : float32 (batch, channels, frames)
        What the filter banks give, side by side.
    """
    first = layers[0](front)
    second = layers[1](first) + first
    third = layers[2](second) + second
    return torch.cat([first, second, third], 1)


class Musicnn(nn.Module):
    """Filter banks, three residual layers over time, pooling over time, two dense layers.

    Parameters
    ----------
    config : MusicnnConfig
        Sizes of the network.
    """

    def __init__(self, config: MusicnnConfig) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm2d(1, eps=_NORM_EPS)
        sizes = [(kernel, config.timbral_filters) for kernel in config.timbral_kernels]
        sizes += [(kernel, config.temporal_filters) for kernel in config.temporal_kernels]
        self.banks = nn.ModuleList(FilterBank(kernel, filters=n) for kernel, n in sizes)
        width = config.middle_filters
        channels = sum(n for _, n in sizes)
        self.middle = nn.ModuleList(
            MiddleLayer(inputs, filters=width) for inputs in (channels, width, width)
        )
        pooled = 2 * (channels + 3 * width)  # 753 channels, each by its maximum and its mean
        self.pool_norm = nn.BatchNorm1d(pooled, eps=_NORM_EPS)
        self.hidden = nn.Linear(pooled, config.hidden)
        self.hidden_norm = nn.BatchNorm1d(config.hidden, eps=_NORM_EPS)
        self.output = nn.Linear(config.hidden, config.tags)

    def forward(self, features: Tensor) -> Tensor:
        """Probability of each tag.

        Parameters
        ----------
        features : float32 [batch, frames, bands]
            log10(1 + 10,000 x mel power), musicnn's own level.

        Returns
        -------
        float32 [batch, tags]
            Each 0 to 1, independent of the others.
        """
        x = self.input_norm(features.unsqueeze(1))
        front = torch.cat([bank(x) for bank in self.banks], 1)  # (batch, channels, frames)
        pooled = pool_frames(torch.cat([front, middle_stack(self.middle, front)], 1))
        hidden = F.relu(self.hidden(self.pool_norm(pooled)))
        # Not a softmax: a track may be rock, guitar and happy at once.
        return torch.sigmoid(self.output(self.hidden_norm(hidden)))


def load_checkpoint(tensors: Mapping[str, NDArray[Any]]) -> Musicnn:
    """The net of a musicnn 0.1.0 checkpoint, in evaluation mode.

    Parameters
    ----------
    tensors : mapping of name to array
        MSD_musicnn or MTT_musicnn under TensorFlow's names; other entries are ignored.

    Returns
    -------
    Musicnn

    Raises
    ------
    ModelError
        If a tensor is missing or has another shape than the net's.
    """
    net = Musicnn(MusicnnConfig()).eval()
    norm = {"weight": "gamma", "bias": "beta"}
    norm |= {"running_mean": "moving_mean", "running_var": "moving_variance"}
    layer = {"weight": "kernel", "bias": "bias"}
    # TensorFlow numbers the layers of a kind in order of creation: dense, dense_1, ...
    made = {"conv2d": 0, "dense": 0, "batch_normalization": 0}
    for module in net.modules():
        if isinstance(module, nn.Conv1d | nn.Conv2d):
            kind, names = "conv2d", layer
        elif isinstance(module, nn.Linear):
            kind, names = "dense", layer
        elif isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            kind, names = "batch_normalization", norm
        else:
            continue
        scope = f"{kind}_{made[kind]}" if made[kind] else kind
        made[kind] += 1
        for ours, theirs in names.items():
            _copy(tensors, f"{scope}/{theirs}", into=cast(Tensor, getattr(module, ours)))
    return net


def _copy(tensors: Mapping[str, NDArray[Any]], name: str, *, into: Tensor) -> None:
    """Copy one tensor, from TensorFlow's order of axes to torch's."""
    if name not in tensors:
        raise ModelError(f"not a musicnn checkpoint: it has no tensor {name}")
    value = torch.from_numpy(tensors[name])
    if into.ndim == 4:  # (frames, bands, 1, filters)
        value = value.permute(3, 2, 0, 1)
    elif into.ndim == 3:  # (frames, channels, 1, filters)
        value = value.squeeze(2).permute(2, 1, 0)
    elif into.ndim == 2:
        value = value.T
    if value.shape != into.shape:
        raise ModelError(f"{name} is {tuple(value.shape)}, musicnn's is {tuple(into.shape)}")
    with torch.no_grad():
        into.copy_(value)
