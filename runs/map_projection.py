"""How well neighbours stay neighbours on the map of a library.

    python -m runs.map_projection DATA.npz

DATA holds ``tags`` float32 [windows, 50] and ``name`` [windows], as the research data does; sounds
are names. Compared are a plane of principal components and the map's landmarks, of which only
half of the sounds are; and whether the nearest on the map is of the same genre.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonearm.library.sound_map import make_landmarks, place, units_of

NEIGHBOURS = 10


def main() -> None:
    """Print a line for each projection."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path)
    with np.load(parser.parse_args().data) as data:
        names, windows = data["name"], data["tags"]
    sounds, where = np.unique(names, return_inverse=True)
    sums = np.zeros((len(sounds), windows.shape[1]), np.float64)
    np.add.at(sums, where, windows)
    roots = np.sqrt(sums / np.bincount(where)[:, None]).astype(np.float32)
    genres = np.array([str(name).partition(".")[0] for name in sounds])
    units = units_of(roots, roots.mean(axis=0))
    truth = nearest(-(units @ units.T))
    left, scale, _ = np.linalg.svd(units - units.mean(axis=0), full_matrices=False)
    landmarks = make_landmarks(roots, count=len(roots) // 2)
    planes = {
        "principal components": left[:, :2] * scale[:2],
        "landmarks": place(roots, landmarks),
    }
    print(
        f"{len(sounds)} sounds; genre of the nearest in all dimensions: "
        f"{(genres[truth[:, 0]] == genres).mean():.3f}"
    )
    for name, places in planes.items():
        squares = ((places[:, None] - places[None]) ** 2).sum(axis=-1)
        found = nearest(squares)
        kept = [len(set(a) & set(b)) for a, b in zip(truth, found, strict=True)]
        same = (genres[found[:, 0]] == genres).mean()
        print(
            f"{name}: {np.mean(kept) / NEIGHBOURS:.3f} of {NEIGHBOURS} neighbours, "
            f"genre of the nearest {same:.3f}"
        )


def nearest(distances: NDArray[np.floating]) -> NDArray[np.int64]:
    """The nearest others of each: [n, NEIGHBOURS]."""
    far = distances + np.where(np.eye(len(distances), dtype=bool), np.inf, 0)
    return np.argsort(far, axis=1, kind="stable")[:, :NEIGHBOURS]


if __name__ == "__main__":
    main()
