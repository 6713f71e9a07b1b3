"""Whose a folder is: no command replaces what another command or a person made."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from tonearm.errors import DatasetError
from tonearm.training import run_folder
from tonearm.training.run import Run

HEAD = {"training": {"model": "m"}, "held_out": {}}
OF_HEAD = {"model.tonearm": "", "metrics.json": json.dumps(HEAD), "split.txt": ""}
OF_EXTEND = {**OF_HEAD, "metrics.json": json.dumps({"training": {"model": "m"}, "gain": {}})}
OF_LEARN = {**OF_HEAD, "metrics.json": json.dumps({"training": {"model": "m"}, "corrections": {}})}
BEGUN = {
    "run.json": json.dumps(asdict(Run("data", "out", "lstm", 3))),
    "split.txt": "",
    "split.csv": "",
    "settings.toml": "",
    "network.py": "",
}
OF_NETWORK = {
    **BEGUN,
    "checkpoint.pt": "",
    "model.tonearm": "",
    "metrics.json": json.dumps({"training": {"model": "lstm", "recipe": {}}}),
}


def filled(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("command", "files"),
    [
        ("train", {}),
        ("train", {"notes.txt": "mine", "song.mp3": ""}),
        ("train", OF_HEAD),
        ("extend", OF_EXTEND),
        ("learn", OF_LEARN),
        ("network", {}),
        ("network", {"notes.txt": "mine"}),
        # Refused before its first epoch, for example for want of a GPU.
        ("network", BEGUN),
    ],
)
def test_its_own_is_replaced(tmp_path: Path, command: str, files: dict[str, str]) -> None:
    out = filled(tmp_path / "out", files)
    if command == "network":
        run_folder.refuse_for_network(out)
    else:
        run_folder.refuse_for_head(out, command)  # type: ignore[arg-type]
        run_folder.refuse_for_head(tmp_path / "none", command)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "files", "words"),
    [
        ("train", OF_NETWORK, r"holds a network's run \(checkpoint.pt\), which would be lost"),
        ("train", {"trials.json": ""}, r"a network's run \(trials.json\)"),
        ("learn", BEGUN, r"a network's run \(run.json\)"),
        ("train", OF_EXTEND, "a model that `tonearm extend` made"),
        ("extend", OF_HEAD, "a model that `tonearm train` made"),
        ("learn", OF_EXTEND, "a model that `tonearm extend` made"),
        # A person's own, which a head without a split would have deleted.
        ("train", {"split.txt": "mine"}, "holds another split.txt, which would be lost"),
        ("train", {"split.csv": "mine"}, "another split.csv"),
        ("train", {"metrics.json": "[]"}, "another metrics.json"),
        ("learn", {"model.tonearm": ""}, "another model.tonearm"),
        ("network", OF_NETWORK, "holds a run already: continue it with --resume"),
        ("network", {"trials.json": ""}, "holds a run already"),
        ("network", OF_HEAD, "holds another split.txt, which would be lost"),
        ("network", {"settings.toml": "mine"}, "another settings.toml"),
        ("network", {"run.json": "{}"}, "another run.json"),
        # Its checkpoint was deleted to save space.
        ("network", {**BEGUN, "model.tonearm": ""}, "another model.tonearm"),
    ],
)
def test_what_others_made_is_refused(
    tmp_path: Path, command: str, files: dict[str, str], words: str
) -> None:
    out = filled(tmp_path / "out", files)
    with pytest.raises(DatasetError, match=words):
        if command == "network":
            run_folder.refuse_for_network(out)
        else:
            run_folder.refuse_for_head(out, command)  # type: ignore[arg-type]
    assert {path.name: path.read_text() for path in out.iterdir()} == files
