"""Modulations of the spectrogram: fixed Gabor filters over log-mel, and one layer that learns.

With few artists a genre, a net that is trained through and through learns the artists. Here the
filters are given (rates in time, scales over the mel bands, rising and falling, as in the auditory
cortex: Chi, Ru & Shamma 2005); their modulus is averaged over the window in groups of bands, and a
linear layer is fitted in closed form, as a shrunken linear discriminant with equal priors. What was
tried before and instead, with figures, is in ``docs/experiments/gabor.md``. Levels are
[batch, frames, bands], images (batch, channels, frames, bands).

A slow filter's modulus changes slowly, so it is taken at every few frames and bands only: a tenth
of the work for the same means (``docs/experiments/second-encoder.md``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tonearm.nets import Recipe, discriminant
from tonearm.nets.window_net import WindowNet

WINDOW_S = 29.9
RECIPE = Recipe(epochs=1, batch=16, lr=0.0, closed_form=True)
_SMOOTHING_BANDS = 2.5
# Nats by which training windows prefer a genre to the next, on average, at most. A dozen clips have
# hardly any scatter within a genre, so that logits reach thousands, and rounding errors of the
# features (3e-5) moved them by .06. GTZAN's 443 clips prefer theirs by 2.9, a hundred of them by 6.
_MOST_MARGIN = 8.0
# Where a Gaussian bell has fallen below .003 of its top; what lies outside changes nothing.
_BELL_ENDS = 3.5


@dataclass(frozen=True)
class Config:
    """Sizes; chosen by folds of artists, and flat around the choice.

    Parameters
    ----------
    frame_rate : float
        Frames a second that the filters see; faster spectrograms are averaged down to about that.
    rates_hz : tuple of float
        Centre frequencies in time.
    rate_strides : tuple of int
        Frames from one value of each rate's modulus to the next.
    scales : tuple of float
        Centre frequencies over the bands, in cycles a band.
    scale_strides : tuple of int
        Bands from one value of each scale's modulus to the next.
    lags : tuple of int
        Frames between the two levels of a rise or fall.
    groups : int
        Groups of bands over which a filter's modulus is averaged.
    half_frames, half_bands : int
        Longest half of a filter.
    shrinkage, sharpness : float
        Of the discriminant's covariance; of its logits.
    """

    frame_rate: float = 12.93
    rates_hz: tuple[float, ...] = (0.5, 0.9, 1.6, 2.6, 4.0, 5.7)
    rate_strides: tuple[int, ...] = (8, 5, 3, 2, 2, 2)
    scales: tuple[float, ...] = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 0.42)
    scale_strides: tuple[int, ...] = (8, 4, 2, 2, 2)
    lags: tuple[int, ...] = (1, 3)
    groups: int = 8
    half_frames: int = 26
    half_bands: int = 32
    shrinkage: float = 0.75
    sharpness: float = 0.1


class Modulations(nn.Module):
    """Levels in, logarithms of the filters' mean and root mean square out; nothing learns.

    Parameters
    ----------
    config : Config
        Sizes of the network.
    bands, frames : int
        Size of a window.
    """

    bank: Tensor
    smoother: Tensor
    pool_scales: Tensor
    pool_smooth: Tensor
    pool_bands: Tensor

    def __init__(self, config: Config, *, bands: int, frames: int) -> None:
        super().__init__()
        self.config = config
        self.step = max(1, round(frames / WINDOW_S / config.frame_rate))
        # Groups must divide the bands, whatever front end the spectrograms were made with.
        self.groups = groups = math.gcd(config.groups, bands)
        rate = frames / WINDOW_S / self.step
        for i, hz in enumerate(config.rates_hz):
            width = min(12.0, 0.36 * rate / hz + 0.4)
            half = min(config.half_frames, math.ceil(_BELL_ENDS * width))
            taps = _gabor(hz / rate, width, half)[:, None, :, None]
            self.register_buffer(f"rate{i}", taps)
        # A stride that leaves a group of bands without a value is made smaller.
        strides = [math.gcd(stride, bands // groups) for stride in config.scale_strides]
        pairs = []
        for scale, stride in zip(config.scales, strides, strict=True):
            half = min(config.half_bands, int(1.1 / scale) + 2)
            taps = _gabor(scale, 0.42 / scale + 0.3, half)
            pairs.append([_over_bands(each, bands)[:, stride // 2 :: stride] for each in taps])
        cosines, sines = (torch.cat(each, 1) for each in zip(*pairs, strict=True))
        self.register_buffer("bank", torch.cat([cosines, sines], 1))
        bell = torch.exp(-0.5 * (torch.arange(-8, 9) / _SMOOTHING_BANDS) ** 2)
        stride = math.gcd(4, bands // groups)
        smoother = _over_bands(bell / bell.sum(), bands)[:, stride // 2 :: stride]
        self.register_buffer("smoother", smoother)
        pools = [_pool(bands // stride, groups) for stride in strides]
        together = torch.block_diag(*pools)  # type: ignore[no-untyped-call]
        self.register_buffer("pool_scales", together)
        self.register_buffer("pool_smooth", _pool(smoother.shape[1], groups))
        self.register_buffer("pool_bands", _pool(bands, groups))

    @property
    def features(self) -> int:
        """How many numbers describe a window."""
        config = self.config
        channels = len(config.rates_hz) * (1 + 2 * len(config.scales)) + len(config.scales)
        return (channels + 2 * len(config.lags)) * (2 * self.groups + 1)

    def forward(self, levels: Tensor) -> Tensor:
        """Levels [batch, frames, bands] to features [batch, features].

        Parameters
        ----------
        levels : float32 (batch, frames, bands)
            In any unit that is logarithmic.
        """
        levels = levels - levels.mean((1, 2), keepdim=True)  # (batch, frames, bands)
        levels = levels / (levels.square().mean((1, 2), keepdim=True) + 1e-6).sqrt()
        image = F.avg_pool2d(levels[:, None], (self.step, 1))  # (batch, 1, frames, bands)
        # Without each band's mean, which would leak into the slowest rate.
        moving = image - image.mean(2, keepdim=True)
        found: list[tuple[Tensor, Tensor]] = []
        for i, stride in enumerate(self.config.rate_strides):
            taps = getattr(self, f"rate{i}")
            moved = F.conv2d(moving, taps, stride=(stride, 1), padding=(taps.shape[2] // 2, 0))
            still = (moved @ self.smoother).square().sum(1)
            found.append(_averages(still, self.pool_smooth))
            real, imaginary = (moved @ self.bank).unbind(1)
            real_cosine, real_sine = real.chunk(2, 2)
            cosine, sine = imaginary.chunk(2, 2)
            # Sum and difference of the four products are the moduli of the two complex filters.
            rising = (real_cosine - sine).square() + (real_sine + cosine).square()
            falling = (real_cosine + sine).square() + (cosine - real_sine).square()
            found += [_averages(each, self.pool_scales) for each in (rising, falling)]
        # Scales alone, at a rate of 0: timbre that stands still. Every second frame is enough.
        cosine, sine = (image[:, 0, 1::2] @ self.bank).chunk(2, 2)
        found.append(_averages(cosine.square() + sine.square(), self.pool_scales))
        for lag in self.config.lags:
            change = image[:, 0, lag:] - image[:, 0, :-lag]
            # Apart, because attacks and decays differ: a drum rises at once and falls slowly.
            for part in (change.relu(), (-change).relu()):
                found.append(
                    (part.mean(1) @ self.pool_bands, part.square().mean(1) @ self.pool_bands)
                )
        mean, power = (torch.cat(each, 1) for each in zip(*found, strict=True))
        overall = mean.reshape(-1, mean.shape[1] // self.groups, self.groups).mean(2)
        logs = [torch.log(mean + 1e-2), 0.5 * torch.log(power + 1e-4), torch.log(overall + 1e-2)]
        return torch.cat(logs, 1)


class Net(WindowNet):
    """The filters, and a layer over what they give; all but ``output`` is fixed.

    Parameters
    ----------
    config : Config
        Sizes of the network.
    bands, frames : int
        Size of a window.
    labels : int
        How many genres.
    """

    def __init__(self, config: Config, *, bands: int, frames: int, labels: int) -> None:
        super().__init__(config, bands=bands, frames=frames, labels=labels)
        self.config = config
        self.describe = Modulations(config, bands=bands, frames=frames)
        self.output = nn.Linear(self.describe.features, labels)

    def logits(self, x: Tensor) -> Tensor:
        """(batch, frames, bands) -> (batch, labels).

        Parameters
        ----------
        x : float32 (batch, frames, bands)
            Levels of mean 0 and deviation 1.
        """
        return cast(Tensor, self.output(self.describe(x)))

    @torch.no_grad()
    def fit(self, features: Tensor, classes: Tensor) -> None:
        """Fit ``output`` on features [n, features] of windows of classes [n].

        Parameters
        ----------
        features : float32 (n, features)
            What the filters give for each window.
        classes : int64 (n,)
            Place of the window's genre among the labels.
        """
        # float64: 1,275 features of a few hundred tracks have a covariance that is nearly singular.
        values = features.double()
        mean, deviation = values.mean(0), values.std(0) + 1e-6
        values = (values - mean) / deviation
        labels = self.output.out_features
        centres = torch.stack([values[classes == i].mean(0) for i in range(labels)])
        counts = torch.bincount(classes, minlength=labels).double()
        # Every genre weighs the same, however many windows it has.
        residual = (values - centres[classes]) / (labels * counts[classes]).sqrt()[:, None]
        within = discriminant.shrunk((residual.T @ residual).numpy(), self.config.shrinkage)
        scores = discriminant.directions(centres.numpy(), within)
        weight, bias = torch.from_numpy(scores[0].T), torch.from_numpy(scores[1])
        # Raw scores of 1,275 features are far too confident: sharpness is a first temperature.
        sharpness = min(self.config.sharpness, _MOST_MARGIN / _margin(values @ weight.T + bias))
        # The standardising is folded into the layer, so that the exported net takes plain features.
        bias = bias - weight @ (mean / deviation)
        self.output.weight.copy_(sharpness * weight / deviation)
        self.output.bias.copy_(sharpness * bias)


def _margin(logits: Tensor) -> float:
    """Mean distance from the highest to the second logit of each row."""
    first, second = logits.topk(2, dim=1).values.unbind(1)
    # Where all windows are alike there is no distance to divide by.
    return max(float((first - second).mean()), 1e-9)


def _gabor(frequency: float, width: float, half: int) -> Tensor:
    """Cosine and sine under a bell, [2, 2 half + 1], with no answer to what is even."""
    step = torch.arange(-half, half + 1).float()
    bell = torch.exp(-0.5 * (step / width).square())
    bell = bell / bell.sum()
    angle = 2 * math.pi * frequency * step
    cosine = bell * angle.cos()
    # Less its sum, or the cosine would answer to plain loudness; the sine sums to 0 anyway.
    return torch.stack([cosine - bell * cosine.sum(), bell * angle.sin()])


def _over_bands(taps: Tensor, bands: int) -> Tensor:
    """Matrix [bands, bands] that filters the last axis, zeros outside it."""
    half = len(taps) // 2
    offset = torch.arange(bands)[:, None] - torch.arange(bands)
    return torch.where(offset.abs() <= half, taps[(offset + half).clamp(0, 2 * half)], 0.0)


def _pool(values: int, groups: int) -> Tensor:
    """Matrix [values, groups] that averages neighbours."""
    return torch.repeat_interleave(torch.eye(groups), values // groups, 0) * groups / values


def _averages(square: Tensor, pool: Tensor) -> tuple[Tensor, Tensor]:
    """Mean modulus and mean square (batch, groups) of squares (batch, frames, values)."""
    square = square + 1e-8
    return square.sqrt().mean(1) @ pool, square.mean(1) @ pool
