"""`tonearm evaluate` and `tonearm models`: what they print, and what they refuse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Command
from support.fakes import LABELS
from support.prepared import (
    LOW,
    TINY,
    Row,
    evaluated,
    fill,
    honest,
    library_path,
    opposite,
    saved,
    trained,
)

from tonearm.data import splits
from tonearm.data.splits import Split
from tonearm.model import file as model_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", TINY.encoder_sha256)


def test_command(tonearm: Command, folder: Path, model_path: Path) -> None:
    ended = tonearm("evaluate", model_path, folder)
    assert ended.code == 0
    assert f"all of {folder}: 6 tracks" in ended.out
    assert "tracks   0.667" in ended.out and "4 groups" in ended.out
    assert "answered 0.833  0.600 of these right; 1 unknown, 1 of them wrongly" in ended.out
    assert "blues    3  0.667   0.667      0.667  jazz (1)" in ended.out
    assert ended.err.startswith(f"CAVEAT: {model_path}: No split")


def test_models_are_compared_on_the_genres_that_all_know(
    tonearm: Command, folder: Path, model_path: Path, tmp_path: Path
) -> None:
    head = replace(TINY.head, labels=("blues", "jazz", "polka"))
    other = tmp_path / "other.tonearm"
    model_file.save(replace(TINY, head=head), other)
    ended = tonearm("evaluate", model_path, folder, "--compare", other)
    assert ended.code == 0, ended.err
    assert f"all of {folder}: 4 tracks (of 6)" in ended.out
    assert "genres that all of these models know. Tracks left out: metal (2)." in ended.err
    assert "also has metal (2 tracks)" in tonearm("evaluate", other, folder).err


def test_command_json(tonearm: Command, folder: Path, model_path: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    ended = tonearm("evaluate", model_path, folder, "--split", split, "-f", "json")
    assert ended.code == 0
    values = json.loads(ended.out)
    assert values["split"]["subset"] == "valid"
    assert values["models"][0]["sha256"] == model_file.load(model_path).sha256
    assert values["models"][0]["tracks"]["accuracy"] == pytest.approx(2 / 3)
    again = json.loads(
        tonearm(
            "evaluate", model_path, folder, "--split", split, "--subset", "train", "-f", "json"
        ).out
    )
    assert again["models"][0]["tracks"]["n"] == 3


def test_command_compares(tonearm: Command, folder: Path, model_path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.tonearm"
    model_file.save(opposite(), other)
    report = tmp_path / "r.html"
    ended = tonearm("evaluate", model_path, folder, "--compare", other, "--report", report)
    assert ended.code == 0
    assert "tracks -0.333  by group [" in ended.out and "won 1, lost 3" in ended.out
    assert "Side by side" in report.read_text("utf-8")


def test_command_finds_the_split_next_to_the_model(
    tonearm: Command, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    split = splits.load(honest(tmp_path))
    split.save(tmp_path / "run" / "split.txt")
    path = tmp_path / "run" / "model.tonearm"
    model_file.save(trained(split="made", split_sha256=split.sha256, recipe={}), path)
    ended = tonearm("evaluate", path, folder)
    assert ended.out.startswith(f"valid of made {split.sha256[:12]}: 3 tracks")
    assert ended.err.startswith(f"NOTE: {path}: The temperature of this network")


def test_command_on_a_folder_of_music(tonearm: Command, songs: Path, model_path: Path) -> None:
    (songs / "jazz" / "notes.mp3").write_text("no music")
    ended = tonearm("evaluate", model_path, songs)
    assert ended.code == 1
    assert "3 tracks" in ended.out and "tracks   1.000" in ended.out
    assert "3 groups (artists, albums or copies)" in ended.err
    assert "1 could not be analysed" in ended.err and "jazz/notes.mp3 is " in ended.err


def test_foreign_genres_are_refused_before_anything_is_analysed(
    tonearm: Command, songs: Path, model_path: Path, tmp_path: Path
) -> None:
    (songs / "polka").mkdir()
    (songs / "polka" / "a.wav").write_bytes(b"no audio at all")
    ended = tonearm("evaluate", model_path, songs)
    assert ended.code == 2
    assert "also has polka (1 track)" in ended.err and "no audio" not in ended.err
    assert not library_path().exists()
    names = tuple(f"{genre}/song.wav" for genre in LABELS)
    split = saved(Split("mine", {"valid": names}), tmp_path / "s")
    assert tonearm("evaluate", model_path, songs, "--split", split).code == 1
    assert "polka/a.wav" in tonearm("evaluate", model_path, songs, "--split", split).err


def test_a_folder_of_contradictions_alone(tonearm: Command, songs: Path, model_path: Path) -> None:
    shutil.rmtree(songs / "metal")
    shutil.copy(songs / "blues" / "song.wav", songs / "jazz" / "song.wav")
    ended = tonearm("evaluate", model_path, songs)
    assert ended.code == 2 and "copies of each other in several genres" in ended.err


def test_command_refuses(tonearm: Command, folder: Path, model_path: Path, tmp_path: Path) -> None:
    foreign = fill(tmp_path / "f", TINY.encoder_sha256, [Row("polka/g.wav", "eve", [LOW])])
    for arguments, reason in (
        ((model_path, foreign), "knows blues, jazz, metal, but"),
        ((tmp_path / "none", folder), "cannot be read as a model"),
        ((model_path, tmp_path / "none"), "is not a folder"),
        ((model_path, folder, "--subset", "test"), "name the split too"),
        ((model_path, folder, "--split", "grouped", "--subset", "x"), "is not one of train"),
        ((model_path, folder, "--report", tmp_path / "no" / "r.html"), "cannot be written"),
    ):
        ended = tonearm("evaluate", *arguments)
        assert ended.code == 2, arguments
        assert reason in " ".join(ended.err.replace("│", " ").split())
        assert "Traceback" not in ended.err


def test_models(tonearm: Command, tmp_path: Path) -> None:
    figures = evaluated(fill(tmp_path / "d", TINY.encoder_sha256), TINY).results[0].figures
    training = {"split": "leaking-tracks-0", "split_sha256": "abc", "leaks": True}
    (tmp_path / "runs" / "one").mkdir(parents=True)
    path = tmp_path / "runs" / "one" / "model.tonearm"
    made = replace(trained(**training), metrics={"valid": figures})
    sha256 = model_file.save(made, path)
    (tmp_path / "runs" / "bad.tonearm").write_bytes(b"nothing")
    ended = tonearm("models", tmp_path / "runs")
    assert ended.code == 1
    assert "built-in" in ended.out and "lstm" in ended.out
    size = path.stat().st_size / 1e6
    assert f"tiny, 3 genres, {size:.2f} MB, sha256 {sha256[:12]}" in ended.out
    assert "trained on leaking-tracks-0; split abc" in ended.out
    assert "0.667 [" in ended.out and "n=6 (valid tracks)  LEAKS" in ended.out
    assert "1 could not be read:" in ended.err and "bad.tonearm: not a Tonearm" in ended.err
    values = json.loads(tonearm("models", tmp_path / "runs", "-f", "json").out)
    assert [row["built_in"] for row in values["models"]] == [True, False]
    assert values["models"][1]["labels"] == list(LABELS)
    assert tonearm("models", tmp_path / "nowhere").code == 2


def test_a_model_with_odd_figures_does_not_end_the_list(tonearm: Command, tmp_path: Path) -> None:
    for name, training, metrics in (
        ("a", {"artist_unknown": "x"}, {}),
        ("b", {}, {"gain": {"new": []}}),
        ("c", {}, {}),
        ("d", {}, {"\x1b[31mred": {"accuracy": 0.5, "interval_95": "wide"}}),
        ("e", {"data": "\x1b[31m"}, {"\x1b[31m": {"accuracy": 0.5}}),
    ):
        made = replace(
            trained(**training), metrics=metrics, name="\x1b[31m" if training else "tiny"
        )
        model_file.save(made, tmp_path / f"{name}.tonearm")
    ended = tonearm("models", tmp_path)
    assert ended.code == 1 and "c.tonearm\n  tiny, 3 genres" in ended.out
    assert "3 could not be read:" in ended.err
    assert ended.err.count("describes its training in another way") == 3
    assert "\x1b" not in ended.out + ended.err and ended.out.count(r"\x1b[31m") == 3
