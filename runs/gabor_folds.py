"""The network ``gabor`` by folds of artists on GTZAN's arrays: with train alone, and with valid.

    python -m runs.gabor_folds GTZAN [--shuffles 3]

Each row is fitted without the artists it is measured on (eight folds, joint credits are one group).
Rows of train and valid together show what more artists do, since the network and its settings stay
the same. GTZAN is the research copy that ``runs/gtzan.py`` describes. About two minutes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from runs.gtzan import genre_of, read_groups, read_split
from runs.texture import modulations_of, shifted
from tonearm import metrics
from tonearm.data.folds import k_fold
from tonearm.features import TEXTURE_SPEC
from tonearm.nets.gabor import Config, Net

FOLDS = 8
# Bands by which copies are moved, to be learnt from and to classify by.
SHIFTS = (0, -4, 4)
Float64 = NDArray[np.float64]


def scores(
    features: dict[int, NDArray[np.float32]],
    classes: NDArray[np.int64],
    train: NDArray[np.int64],
    held_out: NDArray[np.int64],
    shifts: tuple[int, ...],
) -> Float64:
    """Logits [held out, genres] of a network that is fitted on copies at all shifts."""
    spec = TEXTURE_SPEC
    genres = int(classes.max()) + 1
    net = Net(Config(), bands=spec.mel_bands, frames=spec.window_frames, labels=genres)
    learnt = torch.from_numpy(np.concatenate([features[shift][train] for shift in shifts]))
    net.fit(learnt, torch.from_numpy(np.tile(classes[train], len(shifts))))
    with torch.no_grad():
        each = [net.output(torch.from_numpy(features[shift][held_out])) for shift in shifts]
    return torch.stack(each).mean(0).double().numpy()


def main(root: Path, shuffles: int) -> None:
    """Print a row for each set of clips and of shifts."""
    with np.load(root / "logmel_dev.npz") as file:
        names, levels = file["name"].tolist(), file["logmel"].transpose(0, 2, 1)
    genres = [genre_of(name) for name in names]
    labels = sorted(set(genres))
    classes = np.array([labels.index(genre) for genre in genres], dtype=np.int64)
    groups = read_groups(root, names)
    place = {name: i for i, name in enumerate(names)}
    train, valid = (
        np.array([place[name] for name in read_split(root, subset) if name in place])
        for subset in ("train", "valid")
    )
    features = {shift: modulations_of(shifted(levels, shift)) for shift in SHIFTS}
    for shifts in ((0,), SHIFTS):
        official = scores(features, classes, train, valid, shifts).argmax(axis=1) == classes[valid]
        owners = [groups[names[i]] for i in valid]
        say(f"fitted on train, bands moved {shifts}", official.astype(float), owners, "valid")
        for what, base in (("train", train), ("train+valid", np.concatenate([train, valid]))):
            right = np.zeros((shuffles, len(names)))
            of = [genres[i] for i in base], [groups[names[i]] for i in base]
            for seed in range(shuffles):
                for fold in k_fold(*of, folds=FOLDS, seed=seed):
                    out = base[fold.held_out]
                    logits = scores(features, classes, base[fold.train], out, shifts)
                    right[seed, out] = logits.argmax(axis=1) == classes[out]
            for part, measured in ((what, base), ("valid of it", np.intersect1d(base, valid))):
                if len(measured):
                    mean = right[:, measured].mean(axis=0)
                    owners = [groups[names[i]] for i in measured]
                    say(f"folds of {what}, bands moved {shifts}", mean, owners, part)


def say(what: str, right: Float64, owners: list[str], part: str) -> None:
    """One row with its interval by artist."""
    low, high = metrics.accuracy_interval(right, groups=owners)
    n = f"n={len(right)} by {len(set(owners))} artists"
    print(f"{what}\t{part}\t{right.mean():.3f}\t[{low:.3f}, {high:.3f}]\t{n}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gtzan", type=Path)
    parser.add_argument("--shuffles", type=int, default=3)
    options = parser.parse_args()
    main(options.gtzan, options.shuffles)
