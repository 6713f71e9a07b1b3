"""The library in two dimensions: what sounds alike lies together, and stays where it is.

A few hundred sounds, the landmarks, are laid out once by t-SNE and kept next to the library; every
other sound lies at the weighted mean of the landmarks that it sounds most like. So a track that
is added moves nothing, and 100,000 tracks cost one product of matrices. Against a plane of
principal components: ``python -m runs.map_projection``.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.library.store import Library

Float32 = NDArray[np.float32]

LANDMARKS = 600
_NEAREST = 6  # landmarks that place a sound
_SHARPNESS = 24.0  # of cosines: the nearest landmark counts most, the sixth still a little
_PERPLEXITY = 25.0  # about how many neighbours a landmark keeps; van der Maaten: 5 to 50
_STEPS = 350
_BLOCK = 20_000  # sounds at once: 20,000 x 600 cosines are 48 MB


@dataclass(frozen=True)
class Map:
    """Places of sounds.

    Parameters
    ----------
    sounds : int64 [n]
        Numbers of the sounds.
    places : float32 [n, 2]
        Where they lie, from 0 to 1.
    """

    sounds: NDArray[np.int64]
    places: Float32


@dataclass(frozen=True)
class Landmarks:
    """Sounds with their places, by which others are placed.

    Parameters
    ----------
    mean : float32 [d]
        Of the square roots of their embeddings.
    units : float32 [m, d]
        Their directions from that mean.
    places : float32 [m, 2]
        Where they lie.
    """

    mean: Float32
    units: Float32
    places: Float32


def map_path(library: Path) -> Path:
    """Where the landmarks of a library are kept.

    Parameters
    ----------
    library : Path
        The library's file.
    """
    return library.with_name(f"{library.stem}.map.npz")


def make_map(library: Library) -> Map:
    """Place every sound of the commonest encoder that a file of the library holds.

    Parameters
    ----------
    library : Library
        Open; its landmarks are made where there are none that fit.
    """
    model = library.model()
    rows = library.rows(
        "SELECT s.id, s.pooled FROM sounds s JOIN models m ON m.id = s.model WHERE m.encoder = ?"
        " AND EXISTS (SELECT 1 FROM tracks WHERE sound = s.id AND NOT missing) ORDER BY s.id",
        [model.encoder if model else ""],
    )
    if not rows:
        return Map(np.zeros(0, np.int64), np.zeros((0, 2), np.float32))
    numbers, blobs = zip(*rows, strict=True)
    roots = np.sqrt(
        np.maximum(np.frombuffer(b"".join(blobs), np.float32).reshape(len(rows), -1), 0)
    )
    # Kept landmarks come first, so that the map looks the same tomorrow.
    landmarks = _kept(library.path, roots) or _made(library.path, roots)
    return Map(np.array(numbers, np.int64), place(roots, landmarks))


def place(roots: Float32, landmarks: Landmarks) -> Float32:
    """Where sounds lie among landmarks.

    Parameters
    ----------
    roots : float32 [n, d]
        Square roots of mean embeddings.
    landmarks : Landmarks
        Sounds of which both is known: embedding and place.

    Returns
    -------
    float32 [n, 2]
    """
    placed = np.empty((len(roots), 2), np.float32)
    nearest = min(_NEAREST, len(landmarks.units))
    for at in range(0, len(roots), _BLOCK):
        likeness = units_of(roots[at : at + _BLOCK], landmarks.mean) @ landmarks.units.T
        chosen, near = _largest(likeness, nearest)  # (sounds, nearest) each
        # Less the largest, so that exp cannot overflow.
        weights = np.exp(_SHARPNESS * (near - near.max(axis=1, keepdims=True)))
        weights /= weights.sum(axis=1, keepdims=True)
        placed[at : at + _BLOCK] = np.einsum("nk,nkd->nd", weights, landmarks.places[chosen])
    return placed


def _largest(values: Float32, count: int) -> tuple[NDArray[np.int64], Float32]:
    """Columns and values of the ``count`` largest of each row; ``values`` is used up."""
    rows = np.arange(len(values))
    columns = np.empty((len(values), count), np.int64)
    largest = np.empty((len(values), count), np.float32)
    # Six times the largest costs a fifth of argpartition, which moves all 600 indices.
    for k in range(count):
        columns[:, k] = found = values.argmax(axis=1)
        largest[:, k] = values[rows, found]
        values[rows, found] = -np.inf
    return columns, largest


def make_landmarks(roots: Float32, *, count: int = LANDMARKS) -> Landmarks:
    """Lay out some of the sounds, chosen by chance with a fixed seed.

    Parameters
    ----------
    roots : float32 [n, d]
        Square roots of mean embeddings.
    count : int
        How many landmarks at most.
    """
    # A fixed seed: the same library gives the same map on every machine.
    rng = np.random.default_rng(0)
    chosen = roots[np.sort(rng.permutation(len(roots))[:count])]
    # That of the landmarks, so that it stays as long as they do.
    mean = chosen.mean(axis=0)  # (d,)
    units = units_of(chosen, mean)
    # Too few for t-SNE: any places that differ will do.
    places = _tsne(units) if len(units) > 4 else np.arange(2 * len(units)).reshape(-1, 2) % 5
    low, high = places.min(axis=0), places.max(axis=0)
    return Landmarks(
        mean, units, ((places - low) / np.maximum(high - low, 1e-6)).astype(np.float32)
    )


def units_of(roots: Float32, mean: Float32) -> Float32:
    """Directions from the mean: float32 [n, d] of length 1.

    Parameters
    ----------
    roots : float32 [n, d]
        Square roots of mean embeddings.
    mean : float32 [d]
        Mean of the landmarks' roots.
    """
    centred = roots - mean  # (n, d)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    units: Float32 = centred / np.maximum(lengths, np.float32(1e-6))
    return units


def _kept(path: Path, roots: Float32) -> Landmarks | None:
    """The landmarks made before; none where they are of another encoder, or the library grew."""
    try:
        with np.load(map_path(path)) as kept:
            landmarks = Landmarks(kept["mean"], kept["units"], kept["places"])
    except (OSError, ValueError, KeyError):
        return None
    fits = landmarks.units.shape[1] == roots.shape[1]
    # A small map is made again once there are twice as many sounds, no sooner: places move.
    outgrown = len(landmarks.units) < LANDMARKS and len(roots) > 2 * len(landmarks.units)
    return landmarks if fits and not outgrown else None


def _made(path: Path, roots: Float32) -> Landmarks:
    landmarks = make_landmarks(roots)
    target = map_path(path)
    # Written aside and renamed, so that a reader never meets half a file.
    fresh = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with fresh.open("wb") as file:
            np.savez(file, **vars(landmarks))
        fresh.replace(target)
    except OSError:  # a read-only place: made again next time
        fresh.unlink(missing_ok=True)
    return landmarks


def _tsne(units: Float32) -> NDArray[np.float64]:
    """t-SNE (van der Maaten and Hinton 2008), exact, from the two principal components on."""
    n = len(units)
    # Of unit vectors: |a - b|^2 = 2 - 2 a.b; rounding may leave it a little below 0.
    distances = np.maximum(2 - 2 * (units @ units.T).astype(np.float64), 0)
    # A perplexity near n has no solution; a third of the others is the usual bound.
    joint = _affinities(distances, min(_PERPLEXITY, (n - 1) / 3)).astype(np.float32)
    wanted = 12 * joint  # early exaggeration: attraction times 12, so that clusters form
    dx, dy, kernel, pull = (np.empty((n, n), np.float32) for _ in range(4))  # made once
    left, scale, _ = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    places = left[:, :2] * scale[:2]
    # Small at first (the paper: 1e-4): near each other, clusters can still change places.
    places = 1e-2 * places / places.std()
    speed, gains = np.zeros_like(places), np.ones_like(places)
    for step in range(_STEPS):
        early = step < _STEPS // 4
        across, along = places.T.astype(np.float32)
        # Differences, not products of matrices: BLAS would start threads for two columns, which
        # on a busy machine takes six times as long as the sums themselves.
        np.subtract.outer(across, across, out=dx)
        np.subtract.outer(along, along, out=dy)
        # Student's t with one degree of freedom
        np.multiply(dx, dx, out=kernel)
        kernel += 1
        kernel += np.multiply(dy, dy, out=pull)
        np.reciprocal(kernel, out=kernel)
        np.fill_diagonal(kernel, 0)
        np.multiply(kernel, np.float32(-1 / kernel.sum(dtype=np.float64)), out=pull)
        pull += wanted if early else joint
        pull *= kernel
        slope = 4 * np.stack([np.einsum("ij,ij->i", pull, axis) for axis in (dx, dy)], axis=1)
        # Gains as of Jacobs (1988): faster where the slope keeps its sign, slower where it turns.
        gains = np.where(np.sign(slope) != np.sign(speed), gains + 0.2, gains * 0.8).clip(0.01)
        # Learning rate n / 12 (Belkina et al. 2019), momentum .5 then .8 (van der Maaten).
        speed = (0.5 if early else 0.8) * speed - max(n / 12, 50) * gains * slope
        places = places + speed
    centred: NDArray[np.float64] = places - places.mean(axis=0)
    return centred


def _affinities(distances: NDArray[np.float64], perplexity: float) -> NDArray[np.float64]:
    """How near each is to each, by a width of its own that gives the perplexity: [n, n]."""
    n = len(distances)
    # Nothing is its own neighbour.
    away = distances + np.where(np.eye(n, dtype=bool), np.inf, 0)
    low, high = np.full(n, 1e-4), np.full(n, 1e5)
    for _ in range(40):  # halving, in logarithms
        precision = np.sqrt(low * high)
        weights = np.exp(-(away - away.min(axis=1, keepdims=True)) * precision[:, None])
        weights /= weights.sum(axis=1, keepdims=True)
        entropy = -(weights * np.log(np.maximum(weights, 1e-12))).sum(axis=1)
        # log(perplexity) is the entropy to reach: too high means too wide a kernel.
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, precision, low), np.where(wide, high, precision)
    joint: NDArray[np.float64] = np.maximum((weights + weights.T) / (2 * n), 1e-12)
    return joint
