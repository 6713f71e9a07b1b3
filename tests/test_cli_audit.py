"""``tonearm audit`` on folders, tables and libraries."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from support import music
from typer.testing import CliRunner

from tonearm.cli.app import app
from tonearm.errors import DatasetError
from tonearm.files import FileStatus
from tonearm.library.records import FileTags, ModelRecord
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.model.prediction import Prediction

GENRES = ("chirp", "drone")


def tonearm(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips a genre; one wrong label, a copy in another genre, silence, a text."""
    root = music.folder(tmp_path_factory.mktemp("m") / "music", list(GENRES), 4, seconds=7)
    (root / "drone" / "Artist drone3 - 03.wav").rename(root / "chirp" / "Moved - song.wav")
    part = music.clip(1, 0, seconds=7)[: 5 * music.RATE_HZ]
    music.write(root / "chirp" / "Thief - part.flac", part)
    music.write(root / "drone" / "none.wav", np.zeros(3 * music.RATE_HZ, dtype=np.float32))
    (root / "drone" / "notes.mp3").write_text("no music")
    return root


def test_a_folder_as_table_json_and_page(folder: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    result = tonearm("audit", folder, "--report", page)
    assert result.exit_code == 1, result.output
    out, err = result.stdout, result.stderr
    assert "1 of 5 labels contradicts the sound (artists held out)" in out
    assert "drone was not checked: 2 tracks are too few" in out
    assert "1 copy, 1 recording in several genres" in out
    assert "drone/Artist drone0 - 00.wav = chirp/Thief - part.flac  [drone and chirp]" in out
    assert "drone/none.wav is silent, so it has no genre" in err
    assert "drone/notes.mp3 is text, not sound" in err
    assert "<audio " in page.read_text("utf-8")
    assert not (folder.with_name("music.prepared") / "features").exists(), "fingerprints alone"
    values = json.loads(tonearm("audit", folder, "--format", "json").stdout)
    assert values["tracks"] == 9 and values["measured"] == 5
    assert values["unchecked_genres"] == {"drone": 2}
    assert [row["kept"] for row in values["copies"]] == ["drone/Artist drone0 - 00.wav"]
    assert {row["path"] for row in values["failed"]} == {"drone/none.wav", "drone/notes.mp3"}


def test_a_split_and_a_table_of_labels(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    names = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("Artist*.wav"))
    rows = [
        f"{name},{'low' if i % 2 else 'high'},Ann,{'train' if i % 2 else 'test'}"
        for i, name in enumerate(names)
    ]
    table.write_text("\n".join(["path,genre,artist,split", *rows, ""]))
    root = tmp_path / "again"
    root.mkdir()
    (root / "music").symlink_to(folder, target_is_directory=True)
    result = tonearm("audit", root / "music", "--labels", table, "--split", table)
    assert "No label was checked: that takes two genres, each by two artists" in result.stdout
    assert "high has a single artist (ann): its accuracy cannot be measured" in result.stdout
    assert "1 artist in several subsets of labels" in result.stdout
    kept = root / "music.prepared" / "labels.csv"
    assert f"labels of {len(names)} files: {kept}\n" in result.stderr
    before = kept.read_bytes()
    again = tonearm("audit", root / "music", "--labels", table)
    assert f"labels of {len(names)} files: {kept}\n" in again.stderr
    assert f"{kept}, as given before\n" in tonearm("audit", root / "music").stderr
    # A table with a slip must not become what the commands that train learn from.
    table.write_text("\n".join(["path,genre", *(f"{name},low" for name in names[:5]), ""]))
    refused = tonearm("audit", root / "music", "--labels", table)
    assert refused.exit_code == 2 and "keeps another table, given before" in refused.stderr
    assert kept.read_bytes() == before


def test_where_features_cannot_be_written_another_place_is_named(
    folder: Path, tmp_path: Path
) -> None:
    music = tmp_path / "music"
    music.symlink_to(folder, target_is_directory=True)
    # As good as a folder without rights, which root does not know.
    music.with_name("music.prepared").symlink_to(tmp_path / "none" / "gone")
    (tmp_path / "none").write_text("")
    refused = tonearm("audit", music)
    assert isinstance(refused.exception, DatasetError)
    assert f"`tonearm prepare {folder} -o PREPARED`" in str(refused.exception)
    elsewhere = tmp_path / "p"
    assert tonearm("prepare", music, "-o", elsewhere).exit_code == 1
    assert tonearm("audit", elsewhere).stdout.partition(":")[2].startswith(" 9 tracks, 2 genres")


def test_what_is_refused(folder: Path, tmp_path: Path) -> None:
    assert isinstance(tonearm("audit", tmp_path / "gone").exception, DatasetError)
    made = tonearm("audit", folder, "--split", "grouped")
    assert made.exit_code == 2 and "name a split" in made.output
    unwritable = tonearm("audit", folder, "--report", tmp_path / "none" / "r.html")
    assert unwritable.exit_code == 2 or isinstance(unwritable.exception, DatasetError)


def library_of(path: Path, *, artists: int = 6) -> Path:
    """Two genres as people wrote them, by artists of two songs each; one track is misfiled."""
    loaded = model_file.load()
    rng = np.random.default_rng(0)
    even = np.full(len(loaded.labels), 1 / len(loaded.labels), dtype=np.float32)
    with Library(path, write=True) as library, library.transaction():
        record = ModelRecord("0" * 64, "made up", loaded.encoder_sha256, loaded.labels, None)
        model = library.model_id(record)
        for g, genre in enumerate(("Techno", "techno ", "Folk")):
            for i in range(artists if g < 2 else 2 * artists):
                values = rng.beta(1, 9, (4, 50))
                sounds_like = 2 if (g, i) == (0, 1) else g // 2 * 2
                values[:, 10 * sounds_like : 10 * sounds_like + 10] += 0.4
                key = f"{g}-{i}"
                sound = library.put_sound(
                    key,
                    model=model,
                    windows=values.astype(np.float16),
                    duration_s=100.0 + 10 * g + i,
                    warning=None,
                    prediction=Prediction.of(loaded.labels, even, known=True),
                )
                tags = FileTags(artist=f"Artist {g}{i // 2}", genres=(genre.strip(),))
                if i == artists - 1:
                    tags = replace(tags, by_tonearm=True)
                status = FileStatus(1, 1, 1, 1, 100 * g + i)
                library.put_track(os.fsencode(f"/m/{key}.mp3"), status, tags, sound=sound)
    return path


def test_a_library_is_audited_by_what_people_wrote(tmp_path: Path) -> None:
    library = library_of(tmp_path / "l.sqlite")
    values = json.loads(tonearm("audit", library, "--format", "json").stdout)
    assert values["genres"] == {"Folk": 11, "Techno": 10}
    assert [(row["name"], row["answer"]) for row in values["suspects"]] == [("/m/0-1.mp3", "Folk")]
    few = tonearm("audit", library_of(tmp_path / "few.sqlite", artists=3))
    assert "fewer than two genres of 10 tracks" in str(few.exception)
    refused = tonearm("audit", library, "--labels", tmp_path / "t.csv")
    assert refused.exit_code == 2 and "a library has its labels in tags" in refused.output
