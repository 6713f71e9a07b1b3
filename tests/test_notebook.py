"""``examples/notebook.ipynb`` runs from its first cell to its last, and says what it should."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import music

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
    assert "artists apart: 1.000 of 12 songs" in said[3], "the two differ in every tag"
    assert said[4].split() == ["chirp", "6", "0", "drone", "0", "6"]
    assert "rather than" in said[6] and len(said[6].splitlines()) == 6


def test_the_notebook_is_committed_without_results() -> None:
    book = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(book)
    assert all(not cell.outputs for cell in book.cells if cell.cell_type == "code")
