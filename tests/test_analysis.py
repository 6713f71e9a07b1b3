"""One embedding store: what a scan analysed no training opens again, and the other way round."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Command
from support import music
from support.prepared import TINY, encoding, library_path

from tonearm.library.store import Library
from tonearm.training import dataset
from tonearm.training.analysis import load_embed

GENRES = ["chirp", "drone"]


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Two genres of four clips, and a text called an MP3."""
    root = music.folder(tmp_path / "clips", GENRES, 4, seconds=7)
    (root / "drone" / "notes.mp3").write_text("no music")
    return root


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Files that were opened or given to a worker since."""
    from tonearm.workers import Pool

    names: list[str] = []
    submit = Pool.submit

    def noted(self: Pool, number: int, task: object) -> None:
        names.append(Path(str(task)).name)
        submit(self, number, task)

    monkeypatch.setattr(Pool, "submit", noted)
    return names


def test_after_a_scan_nothing_is_analysed(
    tonearm: Command, clips: Path, tmp_path: Path, opened: list[str]
) -> None:
    (clips / "drone" / "notes.mp3").unlink()
    assert tonearm("scan", clips).code == 0
    assert len(opened) == 8
    opened.clear()
    ended = tonearm("train", clips, "-o", tmp_path / "run")
    assert ended.code == 0, ended.err
    assert opened == [], "the scan had analysed these"
    assert "n=8" in ended.out
    assert not clips.with_name("clips.prepared").exists(), "a head needs no log-mel features"
    model = tmp_path / "run" / "model.tonearm"
    assert tonearm("evaluate", model, clips).code == 0
    assert opened == []


def test_after_training_a_scan_analyses_nothing(
    tonearm: Command, clips: Path, tmp_path: Path, opened: list[str]
) -> None:
    ended = tonearm("train", clips, "-o", tmp_path / "run")
    assert ended.code == 1 and "drone/notes.mp3" in ended.err
    with Library(library_path()) as library:
        assert not list(library.tracks()), "training files are not tracks of the library"
    ended = tonearm("scan", clips)
    assert "0 analysed, 8 recognised" in ended.out
    with Library(library_path()) as library:
        assert sum(track.error_kind is None for track in library.tracks()) == 8


def test_a_changed_file_is_analysed_again(clips: Path, opened: list[str]) -> None:
    paths = {path.name: path for path in sorted(clips.rglob("*.wav"))}
    with encoding() as made:
        before = made.analyse(paths).files
        opened.clear()
        name = next(iter(paths))
        music.write(paths[name], music.clip(3, 99, seconds=7))
        after = made.analyse(paths).files
    assert opened == [name]
    assert {each for each in paths if before[each] != after[each]} == {name}


def test_copies_are_analysed_once_and_a_moved_file_not_at_all(clips: Path) -> None:
    first = next(clips.rglob("*.wav"))
    shutil.copy(first, clips / "copy.wav")
    calls: list[tuple[int, int]] = []
    with encoding(jobs=2, on_done=lambda *call: calls.append(call)) as made:
        paths = {"a": first, "b": clips / "copy.wav", "gone": clips / "gone.wav"}
        found = made.analyse(paths)
        assert [name for name, _ in found.failed] == ["gone"]
        assert found.files["a"].key == found.files["b"].key
        ((count,),) = made.library.rows("SELECT count(*) FROM embeddings")
        assert (count, calls[-1]) == (1, (2, 1))
        moved = first.rename(clips / "moved.wav")
        assert made.analyse({"c": moved}).files["c"].key == found.files["a"].key


def test_embeddings_do_not_depend_on_when_a_head_would_stop(clips: Path) -> None:
    """Always as many windows as the model allows: any head can be fitted on them."""
    paths = {"a": music.write(clips / "long.wav", music.clip(0, 0, seconds=20))}
    with encoding(replace(TINY, stop_confidence=0.5)) as made:
        key = made.analyse(paths).files["a"].key
        kept = made.get(key)
        assert kept is not None and kept.starts_s is not None
        whole = load_embed(made.model_path)(str(paths["a"]))
    assert len(whole.values) == TINY.windows_per_track == len(kept.values)
    np.testing.assert_allclose(kept.starts_s, whole.starts_s, atol=1e-3)


def test_a_file_that_fails_ends_nothing(clips: Path) -> None:
    with encoding() as made:
        paths = {path.name: path for path in sorted(clips.rglob("*.*"))}
        found = made.analyse(paths)
    assert [name for name, _ in found.failed] == ["notes.mp3"]
    assert list(found.files) == [name for name in paths if name != "notes.mp3"]


def test_the_table_and_the_copies_of_a_prepared_folder_count(
    tonearm: Command, tmp_path: Path
) -> None:
    root = music.folder(tmp_path / "m", GENRES, 2, seconds=9)
    whole = music.clip(0, 7, seconds=20)
    music.write(root / "drone" / "whole.wav", whole)
    music.write(root / "drone" / "excerpt.wav", whole[5 * music.RATE_HZ : 15 * music.RATE_HZ])
    table = tmp_path / "artists.tsv"
    table.write_text("Artist drone0 - 00\tAnn\nArtist drone1 - 01\tAnn\n")
    # Not by its embeddings, which are but three numbers.
    model = replace(TINY, embedding_names=TINY.labels)
    with encoding(model) as made:
        assert all(track.copy_of is None for track in dataset.read(root, made).index.tracks)
    assert tonearm("prepare", root, "--artists", table).code == 0
    with encoding(model) as made:
        tracks = dataset.read(root, made).index.by_name()
    assert tracks["drone/excerpt.wav"].copy_of == "drone/whole.wav"
    assert tracks["drone/Artist drone0 - 00.wav"].group == "artist:ann"
