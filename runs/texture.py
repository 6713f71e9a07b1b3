"""The second encoder: modulations of the spectrogram, projected, and the heads that vote on them.

The fixed filters of ``tonearm/nets/gabor.py`` give 1,275 numbers of a window of 30 s; the first 128
principal components of music hold what the genres need of them. A discriminant on these votes, and
another on tags and texture together, whose covariance knows what the two say in common. Which
sizes, and what else was tried: ``docs/experiments/second-encoder.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from tonearm.features import TEXTURE_SPEC
from tonearm.model.texture import JointVote
from tonearm.nets import discriminant
from tonearm.nets.gabor import Config, Modulations
from tonearm.training import head_fit
from tonearm.training.export import check_parity, to_onnx

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

COMPONENTS = 128
SHRINKAGE = 0.05
# Discriminant units to one unit of a vote's logit.
TEMPERATURE = 10.0
# Standard deviations of a component beyond which its texture counts no more.
LIMIT = 1.75
# Of the joint vote: shrinkage of the texture's part of its covariance, and its temperature.
JOINT_SHRINKAGE = 0.1
JOINT_TEMPERATURE = 6.0
# Bands by which a clip's spectrogram is moved, to be learnt from as well: other keys and pitches.
SHIFTS = (0, -4, 4)
_BATCH = 16


def modulations_net() -> Modulations:
    """The filters, for windows of the second encoder."""
    net = Modulations(Config(), bands=TEXTURE_SPEC.mel_bands, frames=TEXTURE_SPEC.window_frames)
    return net.eval()


def modulations_of(levels: NDArray[np.generic]) -> Float32:
    """Levels [n, frames, bands] to modulations float32 [n, 1275]."""
    net, parts = modulations_net(), []
    with torch.no_grad():
        for i in range(0, len(levels), _BATCH):
            batch = torch.from_numpy(np.ascontiguousarray(levels[i : i + _BATCH], np.float32))
            parts.append(net(batch).numpy())
    return np.concatenate(parts)


def shifted(levels: NDArray[np.generic], bands: int) -> NDArray[np.generic]:
    """Levels [n, frames, bands] moved up by so many bands; the edge is repeated."""
    places = np.clip(np.arange(levels.shape[2]) - bands, 0, levels.shape[2] - 1)
    return levels[:, :, places]


def clip_modulations(root: Path) -> dict[str, Float64]:
    """Modulations [shifts, 1275] of every GTZAN clip, from the research arrays."""
    with np.load(root / "logmel_dev.npz") as file:
        names, levels = file["name"].tolist(), file["logmel"].transpose(0, 2, 1)
    moved = np.stack([modulations_of(shifted(levels, shift)) for shift in SHIFTS], axis=1)
    return dict(zip(names, moved.astype(np.float64), strict=True))


@dataclass(frozen=True)
class Projection:
    """From modulations to texture: weight [1275, t], bias [t]; the first of t has deviation 1."""

    weight: Float64
    bias: Float64

    @classmethod
    def fit(cls, modulations: Float64, mass: Float64) -> Projection:
        """Principal components of standardised modulations [n, 1275] of that mass [n]."""
        mean = np.average(modulations, axis=0, weights=mass)
        deviation = np.sqrt(np.average((modulations - mean) ** 2, axis=0, weights=mass)) + 1e-6
        scaled = (modulations - mean) / deviation * np.sqrt(mass / mass.sum())[:, None]
        variances, vectors = np.linalg.eigh(scaled.T @ scaled)
        components = vectors[:, ::-1][:, :COMPONENTS]
        # An eigenvector's sign is free: the largest number of each is made positive.
        largest = np.abs(components).argmax(axis=0)
        components = components * np.sign(components[largest, np.arange(COMPONENTS)])
        weight = components / deviation[:, None] / np.sqrt(variances[-1])
        return cls(weight, -mean @ weight)

    def __call__(self, modulations: NDArray[np.floating]) -> Float64:
        """Texture [n, t] of modulations [n, 1275]."""
        return np.asarray(modulations @ self.weight + self.bias)


@dataclass(frozen=True)
class Votes:
    """A shrunken discriminant: weight [t, k], bias [k], and the covariance [t, t] that it used."""

    weight: Float64
    bias: Float64
    covariance: Float64


def limits_of(texture: Float64, mass: Float64) -> Float64:
    """How far from 0 each component of texture [n, t] counts: [t]."""
    return np.asarray(LIMIT * np.sqrt(np.average(texture**2, axis=0, weights=mass)))


def fit_joint(
    features: Float64,
    texture: Float64,
    classes: Int64,
    mass: Float64,
    *,
    augmentation: Float64,
    genre_name_tags: dict[int, int],
) -> JointVote:
    """The discriminant of features of tags [n, d] and texture [n, t] together.

    Like that of the tags alone (``tonearm/training/head_fit.py``), and shrunken part by part: what
    the two parts have in common, within genres, is kept as it was found.
    """
    d, mean = features.shape[1], np.average(features, axis=0, weights=mass)
    deviation = np.sqrt(np.average((features - mean) ** 2, axis=0, weights=mass)) + 1e-6
    rows = np.hstack([(features - mean) / deviation, texture])
    centres = np.stack(
        [
            np.average(rows[own], axis=0, weights=mass[own])
            for own in classes == np.unique(classes)[:, None]
        ]
    )
    residual = rows - centres[classes]
    within = (residual * mass[:, None]).T @ residual / mass.sum()
    within[:d, :d] += head_fit.AUGMENTATION_WEIGHT * augmentation / np.outer(deviation, deviation)
    within[:d, :d] = head_fit.shrunk(within[:d, :d])
    within[d:, d:] = discriminant.shrunk(within[d:, d:], JOINT_SHRINKAGE)
    within += head_fit.CENTRE_WEIGHT * np.cov(centres.T, bias=True)
    weight, bias = discriminant.directions(centres, within)
    for genre, tag in genre_name_tags.items():
        weight[tag, genre] += head_fit.GENRE_NAME_WEIGHT
    # The vote gets plain features: standardising is folded into weight and bias.
    weight[:d] /= deviation[:, None]
    bias = bias - mean @ weight[:d]
    return JointVote(weight / JOINT_TEMPERATURE, bias / JOINT_TEMPERATURE)


def fit_votes(texture: Float64, classes: Int64, mass: Float64, k: int) -> Votes:
    """The discriminant of texture [n, t] of these classes; every genre weighs the same."""
    centres, within = [], np.zeros((texture.shape[1], texture.shape[1]))
    for i in range(k):
        own = classes == i
        centres.append(np.average(texture[own], axis=0, weights=mass[own]))
        residual = texture[own] - centres[-1]
        within += (residual * (mass[own] / mass[own].sum() / k)[:, None]).T @ residual
    t = len(within)
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / t * np.eye(t)
    together = np.stack(centres)
    # With the temperature in it, the covariance gives logits of votes as they are used.
    within *= TEMPERATURE
    directions = np.linalg.solve(within, together.T)
    return Votes(directions, -0.5 * (together.T * directions).sum(axis=0), within)


def encoder_of(projection: Projection) -> bytes:
    """ONNX: levels [batch, 387, 128] to texture [batch, t] and, second, modulations."""
    linear = nn.Linear(*projection.weight.shape)
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(projection.weight.T))
        linear.bias.copy_(torch.from_numpy(projection.bias))
    net = nn.Sequential(modulations_net(), linear).eval()
    shape = (2, TEXTURE_SPEC.window_frames, TEXTURE_SPEC.mel_bands)
    example = -80 * torch.rand(shape, generator=torch.Generator().manual_seed(0))
    exported = to_onnx(net, example)
    check_parity(net, exported, example, tolerance=1e-4)
    model = onnx.load_from_string(exported)
    inside = model.graph.node[-1].input[0]  # of the projection
    kind = onnx.TensorProto.FLOAT
    sizes = ["batch", len(projection.weight)]
    model.graph.output.append(onnx.helper.make_tensor_value_info(inside, kind, sizes))
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
