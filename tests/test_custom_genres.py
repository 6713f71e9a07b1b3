import dataclasses

import numpy as np
import pytest

from tonearm import metrics
from tonearm.errors import DatasetError, ModelError
from tonearm.model.head import Head
from tonearm.model.out_of_domain import OutOfDomainDetector
from tonearm.model.votes import calibrated
from tonearm.training import added_genres, custom_genres
from tonearm.training import head_fit as heads
from tonearm.training.head_fit import Tracks

NAMES = [f"tag{i}" for i in range(12)]


def _tracks(labels, *, each=10, artists=5, spread=0.05, seed=0):
    """Tracks of 4 windows; every genre has its own centre, every artist a little of its own."""
    rng = np.random.default_rng(seed)
    windows, of, groups = [], [], []
    for label in labels:
        centre = np.random.default_rng(sum(label.encode())).uniform(0.1, 0.9, len(NAMES))
        for i in range(each):
            artist = centre + spread * rng.standard_normal(len(NAMES))
            windows.append(np.clip(artist + 0.02 * rng.standard_normal((4, len(NAMES))), 0, 1))
            of.append(label)
            groups.append(f"{label}{i % artists}")
    return Tracks(windows, of, groups)


def test_ten_songs_a_genre_are_enough_and_measured_by_other_artists():
    tracks = _tracks(["sea shanty", "polka", "dub"])
    trial = custom_genres.cross_validate(tracks, names=NAMES)
    figures = trial.figures()
    assert trial.labels == ("dub", "polka", "sea shanty")
    assert figures["n"] == 30 and figures["accuracy"] > 0.9
    np.testing.assert_allclose(trial.probabilities.sum(axis=1), 1)


def test_labels_by_chance_are_not_learnt():
    """What is measured is on held-out groups: noise must come out as chance."""
    rng = np.random.default_rng(1)
    windows = [rng.uniform(0, 1, (4, len(NAMES))) for _ in range(80)]
    tracks = Tracks(windows, ["a", "b"] * 40, [f"g{i}" for i in range(80)])
    assert 0.3 < custom_genres.cross_validate(tracks, names=NAMES).figures()["accuracy"] < 0.7


def _noise(artists, *, each, dimensions=40, seed=2):
    """Artists whose tracks are much alike, and whose genres are drawn by lot."""
    rng = np.random.default_rng(seed)
    windows, labels, groups = [], [], []
    for artist in range(artists):
        centre = rng.uniform(0.1, 0.9, dimensions)
        for _ in range(each):
            windows.append(np.clip(centre + 0.01 * rng.standard_normal((4, dimensions)), 0, 1))
            labels.append("ab"[artist % 2])
            groups.append(f"artist:{artist}")
    return Tracks(windows, labels, groups)


def test_no_track_is_classified_by_a_head_that_learnt_from_it():
    """With as many numbers as tracks, a head that has seen a track is right about it."""
    tracks = _noise(40, each=1)
    head = heads.fit(tracks)
    assert custom_genres.evaluate_head(head, tracks).figures()["accuracy"] > 0.9
    assert custom_genres.cross_validate(tracks, names=None).figures()["accuracy"] < 0.75


def test_no_artist_is_on_both_sides_of_a_fold():
    """Who knows an artist knows the genre of all of the artist's tracks, here by lot."""
    tracks = _noise(20, each=6)
    alone = Tracks(tracks.windows, tracks.labels, [f"{i}" for i in range(120)])
    assert custom_genres.cross_validate(alone, names=None).figures()["accuracy"] > 0.95
    assert custom_genres.cross_validate(tracks, names=None).figures()["accuracy"] < 0.75


def test_the_gain_of_a_genre_is_that_on_artists_held_out():
    """The two artists of a new genre have nothing in common: it cannot be recognised."""
    old = _tracks(["a", "b", "c"], spread=0.01)
    like_a, like_b = _tracks(["a"], spread=0.01), _tracks(["b"], spread=0.01)
    new = Tracks(
        [*(w * 0.9 for w in like_a.windows), *(w * 0.9 for w in like_b.windows)],
        ["new"] * 20,
        ["artist:one"] * 10 + ["artist:two"] * 10,
    )
    gain = added_genres.measure_gain(old, new, names=NAMES)
    assert gain.new["new"]["recall"] < 0.3
    learnt = added_genres.grow(heads.fit(old, names=NAMES), new, names=NAMES)
    seen = custom_genres.evaluate_head(learnt, new).figures()["accuracy"]
    assert seen > gain.new["new"]["recall"] + 0.3, "the figure would not show where it comes from"


def test_an_artist_in_both_folders_is_held_out_of_both(monkeypatch):
    """Artist a0 sings in the old genre a and in the new one."""
    old, new = _tracks(["a", "b"]), _tracks(["c"], artists=4)
    new = Tracks(new.windows, new.labels, [group.replace("c0", "a0") for group in new.groups])
    learnt, real_fit, real_grow = [], heads.fit, added_genres.grow

    def fit(tracks, **options):
        learnt[:] = [set(tracks.groups)]
        return real_fit(tracks, **options)

    def grow(head, tracks, **options):
        learnt.append(set(tracks.groups))
        return real_grow(head, tracks, **options)

    def nearest(_head, tracks, i, real=added_genres.nearest):
        assert all(tracks.groups[i] not in groups for groups in learnt), tracks.groups[i]
        asked.add(tracks.groups[i])
        return real(_head, tracks, i)

    asked = set()
    monkeypatch.setattr(heads, "fit", fit)
    monkeypatch.setattr(added_genres, "grow", grow)
    monkeypatch.setattr(added_genres, "nearest", nearest)
    gain = added_genres.measure_gain(old, new, names=NAMES)
    assert "a0" in asked and gain.n == 20 and gain.new["c"]["n"] == 10


def test_a_vote_is_a_third_of_the_discriminant():
    """With an identity for covariance, centre c gives the weight c and the bias -c.c / 2."""
    centres = np.array([[1.0, 0.0], [0.0, 2.0]])
    learnt = heads.Discriminant(np.zeros(2), np.ones(2), centres, np.eye(2))
    weight, bias = learnt.line({})
    np.testing.assert_allclose(weight, centres.T / 3)
    np.testing.assert_allclose(bias, [-0.5 / 3, -2.0 / 3])


@pytest.mark.parametrize(
    ("tracks", "message"),
    [
        (_tracks(["a"]), "only one genre"),
        (_tracks(["a", "b"], artists=1), "every genre has a single artist"),
        (_tracks(["a", "b"], each=1), "every genre has a single artist"),
    ],
    ids=["one genre", "one artist", "one clip"],
)
def test_what_cannot_be_measured_is_refused(tracks, message):
    with pytest.raises(DatasetError, match=message):
        custom_genres.cross_validate(tracks, names=NAMES)


def _with_lonely(*, shared=False):
    """Two genres of five artists, and a third that one artist has alone."""
    known, lonely = _tracks(["a", "b"]), _tracks(["c"], artists=1)
    groups = ["a0" if shared else group for group in lonely.groups]
    return Tracks(
        [*known.windows, *lonely.windows],
        [*known.labels, *lonely.labels],
        [*known.groups, *groups],
    )


def test_a_genre_by_one_artist_is_learnt_and_not_measured():
    tracks = _with_lonely()
    trial = custom_genres.cross_validate(tracks, names=NAMES)
    assert trial.labels == ("a", "b", "c"), "it is a possible answer"
    assert set(trial.truth) == {0, 1} and len(trial.truth) == 20
    figures = trial.figures()
    assert "c" not in figures["per_genre"] and figures["n"] == 20


def test_an_artist_who_is_needed_for_a_genre_is_never_held_out():
    tracks = _with_lonely(shared=True)
    for fold in custom_genres.held_out_folds(tracks.labels, tracks.groups, folds=4, seed=0):
        held_out = {tracks.groups[i] for i in fold.held_out}
        assert "a0" not in held_out
        assert not held_out & {tracks.groups[i] for i in fold.train}
        assert len(fold.train) + len(fold.held_out) == len(tracks.labels)


def test_a_new_genre_by_one_artist_is_added_and_not_measured():
    gain = added_genres.measure_gain(_tracks(["a", "b"]), _tracks(["c"], artists=1), names=NAMES)
    assert gain.new["c"] == {"n": 0, "recall": None, "interval_95": None, "unknown": 0}
    assert gain.n == 20


@pytest.mark.parametrize(("artists", "folds"), [(2, 2), (3, 3), (5, 5), (9, 5)])
def test_as_many_folds_as_the_genre_of_the_fewest_artists_allows(artists, folds):
    few, many = _tracks(["a"], artists=artists), _tracks(["b", "c"], artists=10)
    both = Tracks(
        [*few.windows, *many.windows],
        [*few.labels, *many.labels],
        [*few.groups, *many.groups],
    )
    assert custom_genres.folds_for(both.labels, both.groups) == folds


def test_what_augment_clips_move_is_trusted_less():
    """Of two equally telling directions, the one that a low-pass or another speed would move."""
    tracks = _tracks(["a", "b"], each=40, artists=20)
    rng = np.random.default_rng(0)
    changed = np.zeros((6, 30, len(NAMES)))
    changed[:, :, :6] = rng.normal(0, 0.3, (6, 30, 6))
    weights = [
        np.abs(heads.fit(tracks, names=NAMES, augmentation=augmentation).weight)
        for augmentation in (None, heads.augmentation_covariance(changed))
    ]
    moved, still = (weights[1][at].sum() / weights[0][at].sum() for at in (slice(6), slice(6, 12)))
    assert moved < 0.5 and moved < 0.5 * still


def test_no_vote_is_beyond_doubt_however_far_apart_genres_lie():
    """Centres of few artists are in doubt, most along the line on which they differ."""
    votes = []
    for spread in (0.05, 0.001):
        tracks = _tracks(["a", "b"], spread=spread)
        head = heads.fit(
            Tracks([w.mean(axis=0)[None] for w in tracks.windows], tracks.labels, tracks.groups)
        )
        margins = (tracks.windows[0].mean(axis=0) ** head.power) @ head.weight + head.bias
        votes.append(margins[0] - margins[1])
    assert 1 < votes[0] <= votes[1] < 50, votes


def test_a_head_over_genres_is_not_grown():
    head = heads.fit(_tracks(["a", "b", "c"]), names=NAMES)
    with pytest.raises(ModelError, match="train it again"):
        added_genres.grow(dataclasses.replace(head, kind="average"), _tracks(["d"]), names=NAMES)


def test_grown_head_knows_old_and_new():
    old, new = _tracks(["a", "b", "c"]), _tracks(["d"])
    head = heads.fit(old, names=NAMES)
    grown = added_genres.grow(head, new, names=NAMES)
    assert grown.labels == ("a", "b", "c", "d")
    assert custom_genres.evaluate_head(grown, new).figures()["accuracy"] == 1
    assert custom_genres.evaluate_head(grown, old).figures()["accuracy"] > 0.9
    again = Head.from_parts(grown.settings(), grown.arrays())
    decided = [h.classify(new.windows[0]).probabilities for h in (grown, again)]
    np.testing.assert_allclose(decided[0], decided[1])


def test_calibration_finds_the_temperature_answers_were_drawn_at():
    """And mixes all of them evenly when there is nothing to measure by."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (3_000, 4))
    odds = np.exp(logits / 0.5)
    draws = rng.random((len(logits), 1)) * odds.sum(axis=1, keepdims=True)
    truth = (draws > odds.cumsum(axis=1)).sum(axis=1)
    found = heads.calibrate(logits, truth)
    assert sum(share for share, _ in found) == pytest.approx(1)
    assert max(found)[1] == 0.5
    losses = [
        metrics.log_loss(truth, calibrated(logits, mixture)) for mixture in (found, ((1.0, 0.5),))
    ]
    assert losses[0] == pytest.approx(losses[1], abs=0.01)
    none = heads.calibrate(np.empty((0, 4)), np.empty(0, dtype=np.int64))
    assert [share for share, _ in none] == pytest.approx([0.25] * 4)


def test_old_genres_keep_their_scores_among_themselves():
    old, new = _tracks(["a", "b", "c"]), _tracks(["d"])
    head = heads.fit(old, names=NAMES)
    grown = added_genres.grow(head, new, names=NAMES)
    np.testing.assert_allclose(grown.weight[:, :3], head.weight)
    np.testing.assert_allclose(grown.bias[:3], head.bias)


def test_gain_and_loss_are_those_of_held_out_groups():
    gain = added_genres.measure_gain(_tracks(["a", "b", "c"]), _tracks(["d"]), names=NAMES)
    assert gain.n == 30 and gain.new["d"]["n"] == 10
    assert gain.new["d"]["recall"] > 0.8
    change = gain.difference
    assert change.low <= change.mean <= change.high
    assert change.mean == pytest.approx(gain.after - gain.before)


def test_a_genre_like_an_old_one_costs():
    old = _tracks(["a", "b"], spread=0.1)
    twin = Tracks(
        _tracks(["a"], spread=0.1, seed=5).windows, ["twin"] * 10, [f"t{i}" for i in range(10)]
    )
    gain = added_genres.measure_gain(old, twin, names=NAMES)
    assert gain.after < gain.before - 0.1
    assert gain.lost_to_new == round(20 * (gain.before - gain.after))


@pytest.mark.parametrize("label", ["a", "b"])
def test_known_genre_is_not_added_again(label):
    head = heads.fit(_tracks(["a", "b"]), names=NAMES)
    with pytest.raises(DatasetError, match=f"knows {label} already"):
        added_genres.grow(head, _tracks([label]), names=NAMES)


def test_head_without_statistics_cannot_grow():
    with pytest.raises(ModelError, match="lacks what adding genres needs"):
        added_genres.grow(
            Head(("a", "b"), "average", np.eye(2), np.zeros(2)), _tracks(["c"]), names=None
        )


def test_model_of_other_labels_cannot_be_measured():
    head = heads.fit(_tracks(["a", "b"]), names=NAMES)
    with pytest.raises(DatasetError, match="knows no c"):
        custom_genres.evaluate_head(head, _tracks(["a", "c"]))


def test_genre_name_tags_are_those_of_the_same_letters_in_any_script():
    names = ["rock", "Hip-Hop", "クラシック", "rock"]
    assert heads.genre_name_tags(("hiphop", "Rock", "polka"), names) == {0: 1, 1: 0}
    # Letters beyond a to z are letters: two genres in other scripts are not one.
    assert heads.genre_name_tags(("ジャズ", "クラシック"), names) == {1: 2}


def _shy(head):
    """A head whose detector calls everything unknown."""
    return dataclasses.replace(
        head, detector=OutOfDomainDetector(np.zeros(len(NAMES)), 1.0, 0.0, 0.0)
    )


def test_a_genre_that_was_added_is_known_whatever_the_detector_says():
    """Noise is still unknown, also where the added genre is the nearest."""
    old, new = _tracks(["a", "b", "c"]), _tracks(["d"], each=20, artists=10)
    shy = _shy(heads.fit(old, names=NAMES))
    assert not any(shy.classify(windows).known for windows in new.windows)
    grown = added_genres.grow(shy, new, names=NAMES)
    assert np.mean([grown.classify(windows).known for windows in new.windows]) >= 0.5
    assert np.mean([grown.classify_each(windows)[:, -1].mean() for windows in new.windows]) < 0.6
    assert not any(grown.classify(windows).known for windows in old.windows), "only what was added"
    noise = np.random.default_rng(5).uniform(0, 1, (20, 4, len(NAMES)))
    assert not any(grown.classify(windows).known for windows in noise)
    again = Head.from_parts(grown.settings(), grown.arrays())
    assert [again.classify(w).known for w in new.windows] == [
        grown.classify(w).known for w in new.windows
    ]
    twice = added_genres.grow(grown, _tracks(["e"], each=20, artists=10), names=NAMES)
    assert twice.known_region.labels == ("d", "e")
    assert [twice.classify(w).known for w in new.windows] == [
        grown.classify(w).known for w in new.windows
    ]


def test_the_gain_counts_what_would_be_called_unknown(monkeypatch):
    old, new = _tracks(["a", "b", "c"]), _tracks(["d"])
    shy = _shy(heads.fit(old, names=NAMES))
    monkeypatch.setattr("tonearm.training.known_region.NEAR", 0.0)
    gain = added_genres.measure_gain(old, new, names=NAMES, base=shy)
    assert gain.new["d"]["recall"] == 1 and gain.new["d"]["unknown"] >= 8
    assert gain.new["d"]["interval_95"][0] < 0.6, "five artists leave doubt"
