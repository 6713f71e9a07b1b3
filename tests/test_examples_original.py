"""The three scripts of the original, as its page says they run."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from support import music

pytest.importorskip("torch")

SCRIPTS = Path(__file__).parents[1] / "examples" / "original"


def unnamed(root: Path) -> Path:
    """Two songs of each of two genres, whose names and tags say nothing of who made them."""
    for genre in (0, 1):
        for i in range(2):
            path = root / "genres" / "ab"[genre] / f"{'ab'[genre]}.{i:05}.wav"
            music.write(path, music.clip(genre, i, seconds=6))
    return root


def script(folder: Path, *arguments: str) -> str:
    """What a script printed that was run in a folder."""
    ended = subprocess.run(
        [sys.executable, str(SCRIPTS / arguments[0]), *arguments[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_tracks_are_not_called_artists_until_a_table_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # In this process: torch takes longer to start than these scripts to run.
    monkeypatch.syspath_prepend(SCRIPTS)
    monkeypatch.chdir(unnamed(tmp_path))
    model, preprocessing = map(importlib.import_module, ("model", "preprocessing"))

    def said(artists: Path | None) -> str:
        preprocessing.main(Path("genres"), Path("data.json"), artists)
        model.main(Path("data.json"), 1, by_artist=True)
        return capsys.readouterr().out

    nobody = said(None)
    assert "; the artist of 0 is known\n" in nobody and "by artist" not in nobody
    assert (
        "(by track: no artist is known, so one artist may be in both training and test)" in nobody
    )
    table = tmp_path / "artists.tsv"
    table.write_text("a.00000\tAnn\na.00001\tAmy\nb.00000\tBob\n")
    some = said(table)
    assert "; the artist of 3 is known\n" in some
    assert some.count("(by artist; 1 of 4 tracks without a known artist: by track)") == 2


def test_from_folders_to_a_genre(tmp_path: Path) -> None:
    music.folder(tmp_path / "genres", ["bass", "treble"], 3, seconds=30)

    def python(*arguments: str) -> str:
        return script(tmp_path, *arguments)

    prepared = python("preprocessing.py")
    assert prepared == "6 clips of 2 genres in data.json; the artist of 6 is known\n"
    assert len(json.loads((tmp_path / "data.json").read_text())["mfcc"]) == 60
    assert "(segments at random: LEAKS)" in python("model.py", "--epochs", "2")
    honest = python("model.py", "--epochs", "6", "--by-artist").splitlines()
    assert honest[0] == "60 segments, 20 of them to test on (by artist)"
    assert honest[1].startswith("epoch 1 loss") and honest[-1].endswith("n=20 (by artist)")
    assert float(honest[-1].split()[1]) > 0.9, "these genres are easily told apart"
    assert (tmp_path / "curves.svg").read_text().count("<polyline") >= 4
    for genre in ("bass", "treble"):
        song = next((tmp_path / "genres" / genre).iterdir())
        assert python("predict.py", str(song)).split()[0] == genre
