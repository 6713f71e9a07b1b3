"""Learning from corrections: centres move, new genres appear, the rest stays."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tonearm.errors import DatasetError
from tonearm.library.reviews import Review, Reviews, Verdict, reviews_path
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.model.head import Head
from tonearm.training import added_genres, corrections, custom_genres
from tonearm.training.head_fit import Tracks
from tonearm.training.lesson import Lesson


@pytest.fixture(scope="module")
def head() -> Head:
    return model_file.load().head


@pytest.fixture(scope="module")
def moved_jazz(head: Head) -> Tracks:
    """Tracks of blues as the head remembers them, that somebody calls jazz."""
    drawn = added_genres.drawn_tracks(head, seed=3)
    blues = [i for i, label in enumerate(drawn.labels) if label == "blues"][:20]
    found = custom_genres.subset(drawn, blues)
    return Tracks(found.windows, ["jazz"] * 20, found.groups)


def mean_probability(head: Head, tracks: Tracks, label: str) -> float:
    place = head.labels.index(label)
    return float(np.mean([head.classify(w).probabilities[place] for w in tracks.windows]))


def test_genres_move_toward_what_was_said(head: Head, moved_jazz: Tracks) -> None:
    corrected = corrections.correct(head, moved_jazz, names=None)
    assert (
        mean_probability(corrected, moved_jazz, "jazz")
        > mean_probability(head, moved_jazz, "jazz") + 0.05
    )
    assert corrected.labels == head.labels
    assert corrected.calibration == head.calibration
    assert corrected.detector is head.detector


def test_other_centres_stay(head: Head, moved_jazz: Tracks) -> None:
    corrected = corrections.correct(head, moved_jazz, names=None)
    for i, label in enumerate(head.labels):
        same = np.array_equal(corrected.statistics["centres"][i], head.statistics["centres"][i])
        assert same == (label != "jazz"), label


def test_a_genre_it_did_not_know_is_added(head: Head, moved_jazz: Tracks) -> None:
    given = Tracks(moved_jazz.windows, ["chanson"] * 20, moved_jazz.groups)
    corrected = corrections.correct(head, given, names=None)
    assert corrected.labels == (*head.labels, "chanson")


def test_what_they_bring_is_measured_on_others(head: Head, moved_jazz: Tracks) -> None:
    learnt = corrections.measure(head, moved_jazz, names=None)
    assert learnt.n == 20
    assert learnt.after > learnt.before
    change = learnt.difference
    assert change.mean == pytest.approx(learnt.after - learnt.before)
    assert change.low <= change.mean <= change.high


def test_what_flatters_their_gain_is_said(moved_jazz: Tracks) -> None:
    labels = [*["chanson"] * 3, *["polka"] * 2, *["jazz"] * 15]
    given = Tracks(moved_jazz.windows, labels, [f"track:{i}" for i in range(20)])
    unknown, new, few = Lesson(model_file.load(), [], given).caveats()
    # A library has no folder whose artists `prepare` could be told.
    assert "files' tags" in unknown.text and "prepare" not in unknown.text
    assert (new.kind, new.text.partition(",")[0]) == (
        "note",
        "5 of 20 corrections name genres that the model did not have before (chanson",
    )
    assert few.text.startswith("New genres with few corrections: chanson 3, polka 2. ")
    enough = Tracks(given.windows, ["chanson"] * 10 + ["jazz"] * 10, given.groups)
    assert len(Lesson(model_file.load(), [], enough).caveats()) == 2
    known = Tracks(given.windows, ["jazz"] * 20, [f"artist:{i}" for i in range(20)])
    assert Lesson(model_file.load(), [], known).caveats() == []


def test_few_corrections_are_refused(head: Head, moved_jazz: Tracks) -> None:
    few = custom_genres.subset(moved_jazz, range(9))
    with pytest.raises(
        DatasetError, match="9 corrections that the model has not learnt from, but 10 are"
    ):
        corrections.measure(head, few, names=None)


def test_an_artist_is_never_on_both_sides(head: Head, moved_jazz: Tracks, monkeypatch) -> None:
    groups = [f"artist:{i % 4}" for i in range(20)]
    given = Tracks(moved_jazz.windows, moved_jazz.labels, groups)
    real, seen = corrections.correct, []
    monkeypatch.setattr(
        corrections, "correct", lambda h, t, **kw: seen.append(set(t.groups)) or real(h, t, **kw)
    )
    learnt = corrections.measure(head, given, names=None)
    assert learnt.groups == 4 == len(seen)
    assert all(len(inside) == 3 for inside in seen)
    one = Tracks(moved_jazz.windows, moved_jazz.labels, ["artist:ann"] * 20)
    with pytest.raises(DatasetError, match="all 20 corrections are of one artist"):
        corrections.measure(head, one, names=None)


def test_a_lesson_holds_the_textures_that_the_library_keeps(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    from support.serving import fill_library

    path, base = tmp_path / "library.sqlite", model_file.load()
    fill_library(path, 24)
    with Library(path, write=True) as library:
        keys = [row[0] for row in library.rows("SELECT key FROM sounds ORDER BY key LIMIT 3")]
        made = library.embeddings.get(keys[1], base.encoder_sha256)
        assert made is not None and made.texture is None
        texture = np.arange(256, dtype=np.float16).reshape(2, 128)
        library.embeddings.put(keys[1], base.encoder_sha256, replace(made, texture=texture))
        with Reviews(reviews_path(path)) as reviews:
            reviews.put(Review(key, Verdict("change"), "jazz") for key in keys)
        lesson = Lesson.of(library, base)
    assert lesson.keys == keys
    assert lesson.tracks.texture(0) is None and lesson.tracks.texture(2) is None
    np.testing.assert_array_equal(lesson.tracks.texture(1), texture)
    # So a correction moves the second encoder's centre of jazz, and of no other genre.
    moved = corrections.correct(base.head, lesson.tracks, names=base.embedding_names).texture
    assert moved is not None and base.head.texture is not None
    jazz = base.head.labels.index("jazz")
    changed = np.abs(moved.weight - base.head.texture.weight).max(axis=0) > 1e-4
    assert changed.tolist() == [i == jazz for i in range(len(changed))]


def test_no_correction_is_learnt_twice(tmp_path: Path) -> None:
    """An adopted model knows them: they would count twice, and be measured as if new."""
    pytest.importorskip("fastapi")
    from support.serving import fill_library

    path, base = tmp_path / "library.sqlite", model_file.load()
    fill_library(path, 24)
    with Library(path) as library, Reviews(reviews_path(path)) as reviews:
        keys = [row[0] for row in library.rows("SELECT key FROM sounds ORDER BY key")]
        reviews.put(Review(key, Verdict("change"), "jazz") for key in keys[:12])
        first = Lesson.of(library, base)
        assert first.keys == keys[:12]
        adopted = first.taught(first.measure())
        assert Lesson.of(library, adopted).keys == []
        reviews.put(Review(key, Verdict("change"), "blues") for key in keys[12:15])
        assert Lesson.of(library, adopted).keys == keys[12:15]
        assert len(Lesson.of(library, base).keys) == 15, "the base has learnt none of them"


def test_the_command_measures_and_writes_only_when_told(tonearm, tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    from support.serving import fill_library

    path = tmp_path / "library.sqlite"
    fill_library(path, 24)
    with Library(path) as library:
        keys = [row[0] for row in library.rows("SELECT key FROM sounds ORDER BY id")]
    with Reviews(reviews_path(path)) as reviews:
        reviews.put(Review(key, Verdict("change"), "chanson") for key in keys[:12])
    learn = ("learn", "--library", path, "-o", tmp_path / "run")
    run = tonearm(*learn)
    assert run.code == 0
    assert run.out.startswith("corrections\taccuracy ") and "n=12 by 7 groups" in run.out
    assert not (tmp_path / "run").exists()
    assert tonearm(*learn, "--save").code == 0
    model = tmp_path / "run" / "model.tonearm"
    assert "chanson" in model_file.load(model).labels
    assert "CAVEAT" not in run.err
    assert "there are 0 corrections that the model has" in tonearm(*learn, "--model", model).err
    with Reviews(reviews_path(path)) as reviews:
        reviews.put(Review(key, Verdict("change"), "jazz") for key in keys[12:])
    again = tonearm(*learn, "--model", model)
    assert "12 corrections: it may have learnt these very tracks" in again.err
    assert "corrections 0.0" in tonearm("models", tmp_path / "run").out
