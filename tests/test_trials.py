"""Cross-validation and several seeds of a network: folds, pooling, resuming, and the command."""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from support import music
from typer.testing import CliRunner

from tonearm import metrics
from tonearm.cli.app import app
from tonearm.data import index, prepare, splits
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.errors import DatasetError
from tonearm.training import trials
from tonearm.training.predictions import write_predictions
from tonearm.training.run import METRICS, PREDICTIONS, SPLIT, Run
from tonearm.training.trials import Trials


def made(groups: int = 4, tracks: int = 3) -> Index:
    """Two genres of so many artists with so many tracks each."""
    return Index(
        tuple(
            Track(f"{genre}/{a}-{i}.mp3", genre, f"artist:{genre}{a}", f"{genre}{a}{i}", 30.0)
            for genre in ("jazz", "rock")
            for a in range(groups)
            for i in range(tracks)
        )
    )


def test_every_track_is_held_out_once_and_never_with_its_artist() -> None:
    found = made()
    held_out = []
    owner = {track.name: track.group for track in found.tracks}
    for split in trials.fold_splits(found, None, folds=4):
        train, valid = split.subsets["train"], split.subsets["valid"]
        assert not {owner[name] for name in train} & {owner[name] for name in valid}
        assert {name.partition("/")[0] for name in valid} == {"jazz", "rock"}
        held_out += valid
    assert sorted(held_out) == sorted(owner)


def test_the_folds_of_a_split_divide_its_training_tracks_only() -> None:
    found = made()
    names = [track.name for track in found.tracks]
    valid = tuple(name for name in names if "/3-" in name)
    mine = Split("mine", {"train": tuple(n for n in names if n not in valid), "valid": valid})
    first, *_ = trials.fold_splits(found, mine, folds=3)
    assert first.name == "fold-1-of-3-of-mine"
    assert not {*first.subsets["train"], *first.subsets["valid"]} & {*valid}


def test_more_folds_than_a_genre_has_artists() -> None:
    with pytest.raises(DatasetError, match=r"jazz has 2 artists or groups.*folds=2 or fewer"):
        trials.fold_splits(made(groups=2), None, folds=3)
    with pytest.raises(DatasetError, match="a single artist or group"):
        trials.fold_splits(made(groups=1), None, folds=2)


class Pretended:
    """Training that only writes what a run leaves; it may be killed after some runs."""

    def __init__(self, killed_after: int = 99, *, wrong: bool = False) -> None:
        self.trained: list[str] = []
        self._wrong = wrong
        self._left = killed_after

    def __call__(self, run: Run, begun: bool) -> None:
        if not self._left:
            raise KeyboardInterrupt
        self._left -= 1
        out = Path(run.out)
        split = splits.load(out / SPLIT)
        self.trained.append(f"{out.parent.name}/{out.name}")
        names = split.subsets["valid"]
        rng = np.random.default_rng([run.seed, len(self.trained)])
        tracks = [
            Track(n, n.partition("/")[0], f"artist:{n.partition('-')[0]}", "", 0.0) for n in names
        ]
        values = rng.dirichlet([1, 1], len(names))
        if self._wrong:
            values = np.array(
                [[float(t.genre == other) for other in ("rock", "jazz")] for t in tracks]
            )
        write_predictions(out / PREDICTIONS, tracks, ["jazz", "rock"], values)
        training = {"model": "lstm", "config": {}, "recipe": {}, "epochs": 1, "leaks": False}
        training |= {"split": split.name, "split_sha256": split.sha256}
        (out / METRICS).write_text(json.dumps({"training": training}))


def begun(out: Path, *, seeds: int = 2) -> Trials:
    planned = Trials(Run("data", str(out), "lstm", 1), folds=3, seeds=seeds)
    trials.begin(planned, trials.fold_splits(made(), None, folds=3))
    return planned


def test_figures_are_of_all_held_out_tracks_together(tmp_path: Path) -> None:
    values = trials.run_each(begun(tmp_path), Pretended())
    assert values["training"]["split"] == "folds-3"
    hashes = [splits.load(tmp_path / f"fold-{fold}" / SPLIT).sha256 for fold in (1, 2, 3)]
    assert values["training"]["split_sha256"] == hashes
    right: dict[str, list[list[float]]] = defaultdict(list)
    for seed in ("0", "1"):
        rows = [
            row
            for fold in (1, 2, 3)
            for row in csv.DictReader((tmp_path / f"fold-{fold}/seed-{seed}/{PREDICTIONS}").open())
        ]
        hits = [(float(r["jazz"]) > float(r["rock"])) == (r["genre"] == "jazz") for r in rows]
        assert values["by_seed"][seed]["n"] == len(rows) == 24
        assert values["by_seed"][seed]["accuracy"] == pytest.approx(np.mean(hits))
        right["right"].append([float(hit) for hit in hits])
        owners = [row["group"] for row in rows]
    together = values["held_out"]
    per_track = np.mean(right["right"], axis=0)
    assert together["accuracy"] == pytest.approx(per_track.mean())
    wanted = metrics.bootstrap_interval(per_track, groups=owners)
    assert together["interval_95_by_group"] == pytest.approx(list(wanted))
    assert together["groups"] == 8 and together["n"] == 24
    deviation = np.std(np.mean(right["right"], axis=1), ddof=1)
    assert together["deviation_of_seeds"] == pytest.approx(deviation)
    assert len(list(csv.DictReader((tmp_path / PREDICTIONS).open()))) == 24


def test_seeds_that_are_all_wrong_have_an_interval_as_each_of_them_has(tmp_path: Path) -> None:
    values = trials.run_each(begun(tmp_path), Pretended(wrong=True))
    low, high = values["held_out"]["interval_95_by_group"]
    assert values["held_out"]["accuracy"] == low == 0 and high > 0.2
    assert values["by_seed"]["0"]["interval_95_by_group"] == [low, high]


def test_killed_trials_continue_with_what_is_left(tmp_path: Path) -> None:
    planned, first = begun(tmp_path), Pretended(killed_after=4)
    with pytest.raises(KeyboardInterrupt):
        trials.run_each(planned, first)
    again = trials.read(tmp_path)
    assert again == planned
    second = Pretended()
    trials.run_each(again, second)
    assert len(first.trained) == 4 and len(second.trained) == 2
    assert len({*first.trained, *second.trained}) == 6


def test_a_folder_of_trials_is_not_overwritten(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(DatasetError, match="holds a run already: continue it with --resume"):
        begun(tmp_path)
    (tmp_path / trials.TRIALS).write_text("{")
    with pytest.raises(DatasetError, match=r"trials\.json cannot be read"):
        trials.read(tmp_path)


def test_the_command_cross_validates_a_network_from_a_file(tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric")
    music.folder(tmp_path / "music", ["bass", "treble"], 3)
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "class Net(nn.Module):\n"
        "    def __init__(self, config, *, bands, frames, labels):\n"
        "        super().__init__()\n"
        "        self.layer = nn.Linear(bands, labels)\n"
        "    def forward(self, levels):\n"
        "        return self.layer(levels.mean(1) / 40)\n"
    )
    arguments = ["train", str(tmp_path / "music"), "--arch", f"{tmp_path / 'mine.py'}:Net"]
    arguments += ["--epochs", "2", "--device", "cpu", "-o", (out := str(tmp_path / "out"))]
    for setting in ("folds=2", "seeds=2", "mel_bands=32", "hop_samples=1024", "lr=0.05"):
        arguments += ["--set", setting]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, (result.output, result.exception)
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows] == [
        "2 folds by group, seed 0, tracks, accuracy",
        "2 folds by group, seed 1, tracks, accuracy",
        f"2 folds by group, 2 seeds ± {rows[2][0].split('± ')[1][:5]}, tracks, accuracy",
    ]
    assert all(row[-1] == "n=6 by 6 groups" for row in rows)
    # The features of these settings lie next to the usual ones, which nobody made here.
    (features,) = tmp_path.glob("music.prepared*")
    spec = prepare.front_end(features)
    assert (spec.mel_bands, spec.hop_samples) == (32, 1024) and len(
        index.load(features).tracks
    ) == 6
    kept = (tmp_path / "out" / "settings.toml").read_text()
    assert "--arch network.py:Net --epochs 2 --seed 0 --set settings.toml" in kept
    assert "mel_bands = 32\n" in kept and "folds = 2\n" in kept and "lr = 0.05\n" in kept
    mine = arguments[arguments.index("--arch") + 1]
    again = CliRunner().invoke(app, ["train", "--arch", mine, "--resume", "-o", out])
    assert again.exit_code == 0 and again.stdout == result.stdout
    assert "was changed" not in again.stderr
    # An edit counts for nothing: the run has its own copy, and says so.
    (tmp_path / "mine.py").write_text("edited")
    again = CliRunner().invoke(app, ["train", "--arch", mine, "--resume", "-o", out])
    assert again.exit_code == 0 and again.stdout == result.stdout
    assert f"{tmp_path / 'mine.py'} was changed; the run goes on with its own copy" in again.stderr
