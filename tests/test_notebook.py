"""``examples/notebook.ipynb`` runs from its first cell to its last, and says what it should."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import music

from tonearm.data import index

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("sklearn")

NOTEBOOK = Path(__file__).parents[1] / "examples" / "notebook.ipynb"


def printed(cell: dict) -> str:
    """What a cell printed, and its value."""
    return "".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell["outputs"]
    )


def cells(*words: str) -> str:
    """The code of the cells that contain one of the words."""
    book = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell.source for cell in book.cells if cell.cell_type == "code"]
    return "\n".join(source for source in code if any(word in source for word in words))


def test_a_song_that_names_nobody_is_no_artist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONEARM_NOTEBOOK_FOLDER", str(tmp_path / "music"))
    for name in ("a/a.00001.wav", "a/a.00002.wav", "b/b.00001.wav", "b/b.00002.wav"):
        music.write(tmp_path / "music" / name, music.clip(0, 0, seconds=1))

    def apart() -> dict:
        names = {"songs": sorted((tmp_path / "music").rglob("*.wav"))}
        exec(cells("import os", "prepared_path(FOLDER)"), names)
        return names

    assert apart()["apart"] == "songs apart, no artist is known"
    # The artists of a prepared folder count.
    found = [
        index.Track(f"{genre}/{genre}.0000{i}.wav", genre, group, f"{genre}{i}", 1.0)
        for genre, i, group in (
            ("a", 1, "artist:ann"),
            ("a", 2, "artist:ann"),
            ("b", 1, "artist:bob"),
            ("b", 2, "track:b/b.00002.wav"),
        )
    ]
    (tmp_path / "music.prepared").mkdir()
    index.Index(tuple(found)).save(tmp_path / "music.prepared" / index.FILE_NAME)
    known = apart()
    assert known["lonely"].keys() == {"a"}, "by one artist alone"
    assert known["measured"].tolist() == [False, False, True, True]
    assert known["apart"] == "artists apart, 1 unknown" and len(set(known["artists"])) == 3


def test_the_notebook_runs_on_a_folder_of_music(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    music.folder(tmp_path / "music", ["drone", "chirp"], 6, seconds=4)
    monkeypatch.setenv("TONEARM_NOTEBOOK_FOLDER", str(tmp_path / "music"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(book, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    said = [printed(cell) for cell in book.cells if cell.cell_type == "code"]
    assert said[1] == "(12, 50)"
    assert said[2] == "({'chirp': 6, 'drone': 6}, 12)"
    assert said[3].startswith("artists apart: 1.000 of 12 songs"), "the two differ in every tag"
    assert said[4].split() == ["chirp", "6", "0", "drone", "0", "6"]
    assert "rather than" in said[6] and len(said[6].splitlines()) == 6


def test_the_notebook_is_committed_without_results() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    assert all(not cell.outputs for cell in book.cells if cell.cell_type == "code")
