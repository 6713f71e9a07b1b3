"""The three scripts of the original, as its page says they run."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support import music

pytest.importorskip("torch")

SCRIPTS = Path(__file__).parents[1] / "examples" / "original"


def test_from_folders_to_a_genre(tmp_path: Path) -> None:
    for script in SCRIPTS.glob("*.py"):
        shutil.copy(script, tmp_path)
    music.folder(tmp_path / "genres", ["bass", "treble"], 3, seconds=30)

    def python(*arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    assert "6 clips of 2 genres in data.json" in python("preprocessing.py")
    assert len(json.loads((tmp_path / "data.json").read_text())["mfcc"]) == 60
    assert "(segments at random: LEAKS)" in python("model.py", "--epochs", "2")
    honest = python("model.py", "--epochs", "6", "--by-artist").splitlines()
    assert honest[0].startswith("epoch 1 loss") and honest[-1].endswith("n=20 (by artist)")
    assert float(honest[-1].split()[1]) > 0.9, "these genres are easily told apart"
    assert (tmp_path / "curves.svg").read_text().count("<polyline") >= 4
    for genre in ("bass", "treble"):
        song = next((tmp_path / "genres" / genre).iterdir())
        assert python("predict.py", str(song)).split()[0] == genre
