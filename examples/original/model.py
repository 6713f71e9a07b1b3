"""The original's second step: the LSTM for 50 epochs, its accuracy and loss, and their curves.

    python model.py [data.json] [--epochs 50] [--by-artist]

The original split segments at random and measured on a quarter of them. Other segments of the same
song are then in training, so its accuracy (.8248, at a loss of .7386) is too high. ``--by-artist``
splits by artist instead; where no artist is known, it splits by track and says so. Writes
``model.pt`` and ``curves.svg``.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from network import fit, network

from tonearm.data.folds import assign_groups
from tonearm.data.groups import without_artist
from tonearm.training import charts
from tonearm.training.report_charts import curves


def division(groups: dict[str, str]) -> str:
    """How tracks with these groups are split: by artist, where one is known."""
    unknown = without_artist(groups.values()).total()
    if unknown == len(groups):
        return "by track: no artist is known, so one artist may be in both training and test"
    if unknown:
        return f"by artist; {unknown} of {len(groups)} tracks without a known artist: by track"
    return "by artist"


def main(data: Path, epochs: int, *, by_artist: bool) -> None:
    """Train, measure, draw and save."""
    values = json.loads(data.read_text())
    x, y = torch.tensor(values["mfcc"]), torch.tensor(values["labels"])
    names = [values["mapping"][label] for label in values["labels"]]
    units = values["groups"] if by_artist else [str(i) for i in range(len(names))]
    held_out = assign_groups(names, units, fractions=(0.75, 0.25), seed=0) == 1
    kind = "segments at random: LEAKS"
    if by_artist:
        kind = division(dict(zip(values["tracks"], values["groups"], strict=True)))
    measured_on = int(np.sum(held_out))
    print(f"{len(x)} segments, {measured_on} of them to test on ({kind})", flush=True)
    torch.manual_seed(0)
    net = network(len(values["mapping"]))
    train, valid = ((x[where], y[where]) for where in map(torch.from_numpy, (~held_out, held_out)))
    rows = []
    for row in fit(net, train, valid, epochs):
        print(" ".join(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
        rows.append(row)
    last = rows[-1]
    print(
        f"accuracy {last['valid_accuracy']:.4f} loss {last['valid_loss']:.4f} "
        f"n={measured_on} ({kind})"
    )
    drawn = curves({name: [row[name] for row in rows] for name in rows[0]})
    sheet = charts.sheet(list(drawn.values()), title=f"The original network, {kind}")
    Path("curves.svg").write_text(sheet, encoding="utf-8")
    torch.save({"genres": values["mapping"], "weights": net.state_dict()}, "model.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", nargs="?", type=Path, default=Path("data.json"))
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--by-artist", action="store_true")
    options = parser.parse_args()
    main(options.data, options.epochs, by_artist=options.by_artist)
