"""Evaluating model files on prepared folders: every figure here was worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.prepared import (
    HIGH,
    LOW,
    MIDDLE,
    ROWS,
    TINY,
    VALID,
    Row,
    chosen,
    embedded,
    evaluated,
    fill,
    honest,
    opposite,
    saved,
    trained,
)

from tonearm import metrics
from tonearm.data import index, splits
from tonearm.data.splits import Split
from tonearm.errors import DatasetError, ModelError
from tonearm.model.file import Model
from tonearm.model.texture import TextureHead
from tonearm.training import evaluate, evaluation_set
from tonearm.training.evaluate import genre_rows
from tonearm.training.learnt_sounds import LearntSounds
from tonearm.training.run import read_history


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return fill(tmp_path / "data", TINY.encoder_sha256)


def test_figures_by_hand(folder: Path) -> None:
    tracks = evaluated(folder, TINY).results[0].figures["tracks"]
    assert tracks["n"] == 6 and tracks["groups"] == 4
    assert tracks["accuracy"] == pytest.approx(4 / 6)
    assert tracks["confusion"] == [[2, 1, 0], [0, 1, 0], [1, 0, 1]]
    assert tracks["answered"] == {
        "n": 5,
        "coverage": pytest.approx(5 / 6),
        "accuracy": pytest.approx(3 / 5),
        "unknown": 1,
        "unknown_right": 1,
    }


def test_each_window_counts_by_itself(folder: Path) -> None:
    windows = evaluated(folder, TINY).results[0].figures["windows"]
    # Of 11 windows the two middles of a blues and two lows of a metal are wrong.
    assert windows["n"] == 11
    assert windows["accuracy"] == pytest.approx(7 / 11)
    assert "interval_95" not in windows, "windows of a track are not independent"
    low, high = windows["interval_95_by_group"]
    assert low <= 7 / 11 <= high


def test_genre_rows(folder: Path) -> None:
    rows = {row["genre"]: row for row in evaluated(folder, TINY).results[0].figures["genres"]}
    assert rows["blues"]["recall"] == pytest.approx(2 / 3)
    assert rows["blues"]["precision"] == pytest.approx(2 / 3)
    assert rows["blues"]["f1"] == pytest.approx(4 / 6)
    assert (rows["blues"]["confused_with"], rows["blues"]["confused_with_count"]) == (["jazz"], 1)
    assert rows["jazz"]["confused_with"] == [] and rows["jazz"]["precision"] == 0.5


def test_mistakes_come_the_most_confident_first(folder: Path) -> None:
    found = evaluated(folder, TINY).results[0].mistakes()
    assert [row["path"] for row in found] == ["metal/f.wav", "blues/b.wav"]
    assert found[0]["genre"] == "metal" and found[0]["answer"] == "blues"
    assert found[0]["confidence"] > found[1]["confidence"] > found[1]["probability_of_genre"]
    assert evaluated(folder, TINY).results[0].mistakes(1) == found[:1]


def test_every_answer_is_given_and_the_figures_follow_from_them(folder: Path) -> None:
    values = evaluated(folder, TINY).results[0].to_dict()
    answers, labels = values["answers"], values["labels"]
    assert [row["path"] for row in answers] == sorted(row["path"] for row in answers)
    truth = [labels.index(row["genre"]) for row in answers]
    probabilities = np.array([[row["probabilities"][label] for label in labels] for row in answers])
    assert (probabilities.argmax(axis=1) == truth).mean() == pytest.approx(
        values["tracks"]["accuracy"]
    )
    loss = -np.log(probabilities[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(values["tracks"]["log_loss"])
    wrong = {
        row["path"]
        for row in answers
        if row["genre"] != max(row["probabilities"], key=row["probabilities"].get)
    }
    assert wrong == {row["path"] for row in values["mistakes"]}


def test_as_json(folder: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    values = evaluated(folder, TINY, split=split).to_dict()
    assert json.loads(json.dumps(values, allow_nan=False)) == values
    assert values["schema"] == 1 and values["tracks"] == 3
    assert values["split"] == {
        "name": "made",
        "sha256": splits.load(split).sha256,
        "subset": "valid",
        "leaks": False,
        "groups_in_several_subsets": [],
    }


def test_a_split_that_leaks_is_refused_or_marked(folder: Path, tmp_path: Path) -> None:
    leaking = replace(VALID, name="leaking-tracks-0")
    which = chosen(folder, split=saved(leaking, tmp_path / "l"))
    assert which.crossing == ("artist:ann",)
    result = evaluated(folder, TINY, split=tmp_path / "l").results[0]
    assert result.leaks
    assert "leaks on purpose: 1 artist or track is" in result.caveats[0].text
    plain = saved(VALID, tmp_path / "p")
    with pytest.raises(DatasetError, match=r"made leaks: 1 group .*ann"):
        chosen(folder, split=plain, subset="valid")


def test_a_model_of_another_split_is_marked(folder: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    sha256 = splits.load(split).sha256

    def kinds(model: Model, subset: str = "valid") -> list[str]:
        result = evaluated(folder, model, split=split, subset=subset).results[0]
        return [caveat.kind for caveat in result.caveats]

    assert kinds(trained(split="made", split_sha256=sha256)) == [], "a head chooses nothing there"
    assert kinds(trained(split="made", split_sha256=sha256, recipe={})) == ["note"]
    assert kinds(trained(split="made", split_sha256=sha256), subset="train") == ["leak"]
    both = trained(split="made", split_sha256=sha256, parts=["train", "valid"])
    assert kinds(both) == kinds(both, subset="train") == ["leak"]
    assert kinds(trained(split="other", split_sha256="0")) == ["caveat"]
    assert kinds(trained()) == ["caveat"]
    assert kinds(trained(split="leaking-x", leaks=True, split_sha256=sha256)) == ["leak"]
    texts = evaluated(folder, trained(data="all of it"), split=split).results[0].caveats
    assert "was trained on all of it: it may have learnt these very tracks" in texts[0].text


def test_without_a_split_every_track_is_measured_and_said_so(folder: Path) -> None:
    result = evaluated(folder, TINY)
    assert result.to_dict()["split"] is None
    assert "No split" in result.results[0].caveats[0].text
    assert "even those" in result.results[0].caveats[0].text
    sounds = LearntSounds.of(["elsewhere"], [np.ones((2, 3), dtype=np.float32)]).to_dict()
    (known,) = evaluated(folder, trained(sounds=sounds)).results[0].caveats
    assert known.kind == "note" and "None of the 6 tracks is among those" in known.text
    partly = evaluated(folder, trained(sounds=sounds, estimated=3)).results[0].caveats
    assert [caveat.kind for caveat in partly] == ["caveat"]


def test_genres_without_tracks_and_ties_are_said(folder: Path, tmp_path: Path) -> None:
    result = evaluated(folder, TINY, split=honest(tmp_path), subset="valid").results[0]
    assert result.figures["not_measured"] == ["blues"]
    assert result.not_measured.endswith("blues. Macro F1 covers the other 2.")
    assert evaluated(folder, TINY).results[0].not_measured == ""
    confusion = [[1, 2, 2], [0, 1, 0], [1, 0, 0]]
    rows = genre_rows({"confusion": confusion}, ["a", "b", "c"])
    assert [row["confused_with"] for row in rows] == [["b", "c"], [], ["a"]]


def test_subsets_that_are_not_there(folder: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    with pytest.raises(DatasetError, match="no subset 'test'; it has: train, valid"):
        chosen(folder, split=split, subset="test")
    with pytest.raises(DatasetError, match="holds none of the 197 tracks that split gtzan-filt"):
        chosen(folder, split="gtzan-filtered", subset="valid")
    with pytest.raises(DatasetError, match="no split 'nonsense'"):
        chosen(folder, split="nonsense", subset="valid")


def test_what_a_subset_promised_and_has(folder: Path, tmp_path: Path) -> None:
    split = Split("more", {"valid": ("blues/a.wav", "jazz/gone.wav")})
    which = chosen(folder, split=saved(split, tmp_path / "m"), subset="valid")
    assert which.promised == 2
    assert [track.name for track in which.tracks] == ["blues/a.wav"]


def test_labels_of_another_world_are_refused_by_both_names(tmp_path: Path) -> None:
    rows = [*ROWS, Row("polka/g.wav", "eve", [LOW]), Row("polka/h.wav", "eve", [LOW])]
    folder = fill(tmp_path / "d", TINY.encoder_sha256, rows)
    with pytest.raises(ModelError) as caught:
        evaluated(folder, TINY)
    assert "0.tonearm knows blues, jazz, metal, but" in str(caught.value)
    assert "also has polka (2 tracks)" in str(caught.value)


def test_copies_are_measured_once_and_said(tmp_path: Path) -> None:
    folder = fill(tmp_path / "d", TINY.encoder_sha256)
    made = index.load(folder)
    copy_of = {"blues/b.wav": "blues/a.wav", "metal/f.wav": "jazz/d.wav"}
    tracks = tuple(replace(t, copy_of=copy_of.get(t.name)) for t in made.tracks)
    replace(made, tracks=tracks).save(folder / index.FILE_NAME)
    result = evaluated(folder, TINY).results[0]
    # Without the copy of a, and without d and f, which are one recording of two genres.
    assert [track.name for track in result.tracks] == ["blues/a.wav", "blues/c.wav", "metal/e.wav"]
    texts = [caveat.text for caveat in result.caveats]
    assert "Copies of other tracks left out: 1." in texts
    assert (
        "Left out, as copies of one recording in several genres: jazz/d.wav, metal/f.wav." in texts
    )


def test_unknown_artists_are_said_of_a_split_that_was_made_by_them(tmp_path: Path) -> None:
    folder = fill(tmp_path / "d", TINY.encoder_sha256)
    split = honest(tmp_path)
    made = index.load(folder)
    groups = ["artist:ann"] * 3 + ["folder:x", "track:metal/e.wav", "artist:dan"]
    tracks = tuple(replace(t, group=g) for t, g in zip(made.tracks, groups, strict=True))
    replace(made, tracks=tracks).save(folder / index.FILE_NAME)
    (note,) = chosen(folder).caveats()
    assert note.kind == "note" and "may be too narrow" in note.text
    caveat = chosen(folder, split=split, subset="valid").caveats()[0]
    assert caveat.kind == "caveat"
    assert caveat.text.startswith(
        "Artist unknown for 2 of 3 tracks, 1 of them grouped by their folder"
    )


def test_differences_are_paired(folder: Path) -> None:
    result = evaluated(folder, TINY, opposite(), TINY)
    turned, same = result.differences
    # It loses both blues and the metal that the first got right, and wins the other metal.
    assert turned["difference"] == pytest.approx((1 - 3) / 6)
    assert (turned["only_this_right"], turned["only_first_right"]) == (1, 3)
    low, high = turned["interval_95_by_group"]
    assert low < turned["difference"] < high
    assert same["difference"] == 0
    assert same["interval_95"] == same["interval_95_by_group"] == [0, 0]


def test_a_leak_next_to_an_honest_model_is_said(folder: Path, tmp_path: Path) -> None:
    split = honest(tmp_path)
    sha256 = splits.load(split).sha256
    train, both = (trained(split_sha256=sha256, parts=p) for p in (["train"], ["train", "valid"]))
    result = evaluated(folder, train, both, split=split)
    assert [each.leaks for each in result.results] == [False, True]
    assert result.differences[0]["one_leaks"]


def test_only_tracks_that_all_analysed_are_compared(folder: Path) -> None:
    which = chosen(folder)
    whole = embedded(which)
    less = evaluation_set.TrackEmbeddings(
        {
            name: embeddings
            for name, embeddings in whole.windows.items()
            if not name.startswith("blues")
        },
        (("blues/a.wav", "gone"),),
    )
    pair = [(Path("a"), TINY), (Path("b"), TINY)]
    result = evaluate.evaluate(pair, which, [whole, less])
    assert [each.figures["tracks"]["n"] for each in result.results] == [3, 3]
    assert result.to_dict()["failed"] == [{"path": "blues/a.wav", "reason": "gone"}]
    with pytest.raises(DatasetError, match="could be analysed by all"):
        evaluate.evaluate(pair, which, [whole, evaluation_set.TrackEmbeddings({}, ())])


def test_the_second_encoder_counts_as_it_does_in_predict(folder: Path) -> None:
    which = chosen(folder)
    whole = embedded(which)
    votes = np.where(np.arange(len(TINY.labels)) == TINY.labels.index("metal"), 60.0, 0.0)
    part = TextureHead(votes[None], np.zeros(len(votes)), ((1.0, 1.0),), ask_below=1.1)
    both = replace(TINY, head=replace(TINY.head, texture=part))
    seen = replace(whole, textures={name: np.ones((1, 1), np.float32) for name in whole.windows})
    plain, moved = (
        evaluate.evaluate([(Path("a"), both)], which, [found]).results[0] for found in (whole, seen)
    )
    assert {TINY.labels[i] for i in moved.probabilities.argmax(axis=1)} == {"metal"}
    assert {TINY.labels[i] for i in plain.probabilities.argmax(axis=1)} != {"metal"}


def test_history(tmp_path: Path) -> None:
    assert read_history(tmp_path / "model.tonearm") is None
    (tmp_path / "history.csv").write_text("epoch,loss\n1,2.5\n2,1.5\n")
    found = read_history(tmp_path / "model.tonearm")
    assert found == {"epoch": [1, 2], "loss": [2.5, 1.5]}
    for broken in ("", "epoch,loss\n", "epoch,loss\n1\n", "epoch\nx\n", "\xff\xfe"):
        (tmp_path / "history.csv").write_text(broken, "latin-1")
        assert read_history(tmp_path / "model.tonearm") is None


def test_intervals_by_group_are_those_of_the_groups() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(200) < 0.7
    alone = metrics.bootstrap_interval(values)
    each = [str(i).zfill(3) for i in range(200)]
    assert metrics.bootstrap_interval(values, groups=each) == pytest.approx(alone)
    # Ten equal tracks an artist are worth as much as one: the width is that of 20 values.
    artists = np.repeat(np.arange(20) % 10 < 7, 10)
    groups = np.repeat([f"artist {i}" for i in range(20)], 10).tolist()
    low, high = metrics.bootstrap_interval(artists, groups=groups)
    assert high - low == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 20) ** 0.5, abs=0.03)
    assert high - low > 2 * (alone[1] - alone[0])


def test_groups_and_marks_must_fit() -> None:
    truth, answers = np.array([0, 1]), np.eye(2)
    with pytest.raises(DatasetError, match="1 groups do not fit 2 tracks"):
        metrics.evaluate(truth, answers, ("a", "b"), groups=["x"])
    with pytest.raises(DatasetError, match="3 marks of unknown do not fit 2"):
        metrics.evaluate(truth, answers, ("a", "b"), known=np.ones(3, dtype=bool))
    nothing = metrics.answered(np.array([True, False]), np.array([False, False]))
    assert nothing["accuracy"] is None and nothing["coverage"] == 0
    assert (nothing["unknown"], nothing["unknown_right"]) == (2, 1)


def test_the_hand_made_rows_are_what_they_say() -> None:
    assert [
        tuple(TINY.head.classify(np.array([w])).probabilities.round()) for w in (LOW, HIGH)
    ] == [
        (1, 0, 0),
        (0, 0, 1),
    ]
    assert TINY.head.classify(np.array([MIDDLE])).known
