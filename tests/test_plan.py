from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.errors import TagError
from tonearm.model.prediction import Prediction
from tonearm.tagging.plan import (
    Action,
    Policy,
    Rules,
    album_key,
    lost,
    pooled,
    propose,
    read_names,
)


def predicted(probabilities, *, known):
    return Prediction.of(list(probabilities), list(probabilities.values()), known=known)


JAZZ = predicted({"jazz": 0.8, "blues": 0.41, "rock": 0.1}, known=True)


@pytest.mark.parametrize(
    ("policy", "genres", "guesses", "action", "new"),
    [
        (Policy.missing, [], [], Action.write, ("Jazz",)),
        (Policy.missing, ["Rock"], [], Action.kept, ("Rock",)),
        (Policy.missing, ["Rock"], ["Rock"], Action.write, ("Jazz",)),
        (Policy.missing, ["Jazz"], ["Jazz"], Action.same, ("Jazz",)),
        (Policy.missing, ["Rock", "Pop"], ["Pop"], Action.kept, ("Rock", "Pop")),
        (Policy.replace, ["Rock"], [], Action.write, ("Jazz",)),
        (Policy.replace, ["Jazz"], [], Action.same, ("Jazz",)),
        (Policy.add, ["Rock"], [], Action.write, ("Rock", "Jazz")),
        (Policy.add, ["Rock", "Pop"], ["Pop"], Action.write, ("Rock", "Jazz")),
        (Policy.add, ["JAZZ"], [], Action.same, ("JAZZ",)),
        (Policy.add, ["Ja-zz"], [], Action.same, ("Ja-zz",)),
        (Policy.add, [], [], Action.write, ("Jazz",)),
    ],
)
def test_policies(policy, genres, guesses, action, new):
    found = propose(JAZZ, Rules(policy), genres=genres, guesses=guesses)
    assert (found.action, found.genres) == (action, new)


def test_a_person_s_word_is_never_marked_as_a_guess():
    found = propose(JAZZ, Rules(Policy.add), genres=["Rock"], guesses=[])
    assert found.guesses == ("Jazz",)


@pytest.mark.parametrize(
    ("prediction", "action"),
    [
        (predicted({"jazz": 0.79}, known=True), Action.low_confidence),
        (predicted({"jazz": 0.8}, known=True), Action.write),
        (predicted({"jazz": 0.9}, known=False), Action.unknown),
    ],
)
def test_only_what_is_known_and_sure_is_written(prediction, action):
    assert propose(prediction, Rules(), genres=[], guesses=[]).action is action


@pytest.mark.parametrize(
    ("confidence", "rules", "action"),
    [
        (0.69, Rules(), Action.low_confidence),
        (0.7, Rules(), Action.write),
        (0.7, Rules(min_confidence=0.71), Action.low_confidence),
        (0.1, Rules(min_confidence=0.0), Action.write),
    ],
)
def test_an_album_needs_less_confidence_than_a_file(confidence, rules, action):
    of_album = predicted({"jazz": confidence}, known=True)
    assert propose(of_album, rules, genres=[], guesses=[], of_album=True).action is action


def test_styles_are_further_values_only_where_they_are_wanted():
    metal = replace(predicted({"metal": 0.9}, known=True), styles={"Hard Rock": 0.4, "Metal": 0.3})
    assert propose(metal, Rules(), genres=[], guesses=[]).genres == ("Metal",)
    found = propose(metal, Rules(styles=True), genres=[], guesses=[])
    assert found.genres == found.guesses == ("Metal", "Hard Rock")
    never = Rules(styles=True, never=frozenset({"metal"}))
    assert propose(metal, never, genres=[], guesses=[]).action is Action.excluded


@pytest.mark.parametrize(
    ("second", "new"), [(0.4, ("Jazz", "Blues")), (0.39, ("Jazz",)), (0.3, ("Jazz",))]
)
def test_a_second_genre_has_to_be_half_as_likely(second, new):
    prediction = predicted({"jazz": 0.8, "blues": second}, known=True)
    assert propose(prediction, Rules(max_genres=2), genres=[], guesses=[]).genres == new


def test_names_of_the_collection(tmp_path):
    path = tmp_path / "names.toml"
    path.write_text('jazz = ["Jazz", "Improvised"]\nblues = "Jazz"\n')
    rules = Rules(max_genres=2, names=read_names(path))
    assert propose(JAZZ, rules, genres=[], guesses=[]).genres == ("Jazz", "Improvised")


@pytest.mark.parametrize(
    "text", ["jazz = 3", 'jazz = ""', 'jazz = "A; B"', "jazz = [1]", "jazz", "[jazz]"]
)
def test_a_map_that_is_none_is_refused(tmp_path, text):
    path = tmp_path / "names.toml"
    path.write_text(text)
    with pytest.raises(TagError, match="name"):
        read_names(path)


def test_an_album_is_the_mean_of_its_known_tracks():
    rock = predicted({"rock": 0.8, "jazz": 0.2}, known=True)
    jazz = predicted({"jazz": 0.5, "rock": 0.5}, known=True)
    unknown = predicted({"jazz": 1.0, "rock": 0.0}, known=False)
    mean = pooled([rock, jazz, rock, unknown])
    assert dict(mean.probabilities) == pytest.approx({"rock": 0.7, "jazz": 0.3})
    assert next(iter(mean.probabilities)) == "rock"
    assert mean.genre == "rock"
    assert pooled([rock, unknown]).genre is None
    assert pooled([unknown]) == unknown


@given(st.lists(st.floats(0, 1), min_size=2, max_size=9))
def test_the_order_of_tracks_does_not_matter(given):
    predictions = [predicted({"jazz": share, "rock": 1 - share}, known=True) for share in given]
    forward, back = pooled(predictions), pooled(predictions[::-1])
    if forward is None or back is None:
        assert forward is back
    else:
        assert forward.probabilities == pytest.approx(back.probabilities)


def test_an_album_of_different_genres_has_no_prediction():
    def clear(genre):
        return predicted({**dict.fromkeys(("rock", "jazz", "pop"), 0.05), genre: 0.9}, known=True)

    assert pooled([clear("rock"), clear("jazz"), clear("pop")]) is None
    assert pooled([clear("rock"), clear("jazz")]) is None
    assert pooled([clear("rock"), clear("rock"), clear("pop")]).genre == "rock"


def test_joined_for_players_that_show_one_value():
    rules = Rules(Policy.add, max_genres=2, joint="; ")
    found = propose(JAZZ, rules, genres=["Polka"], guesses=[])
    assert (found.genres, found.guesses) == (("Polka; Jazz; Blues",), ())
    own = propose(JAZZ, Rules(max_genres=2, joint=" / "), genres=[], guesses=[])
    assert (own.genres, own.guesses) == (("Jazz / Blues",), ("Jazz / Blues",))


@pytest.mark.parametrize(
    ("policy", "genres", "new"),
    [
        (Policy.missing, ["Other"], ("Jazz",)),
        (Policy.missing, ["12"], ("Jazz",)),
        (Policy.missing, ["UNKNOWN", "misc."], ("Jazz",)),
        (Policy.missing, ["Other", "Polka"], ("Other", "Polka")),
        (Policy.add, ["None", "Polka"], ("Polka", "Jazz")),
        (Policy.add, ["Rock; Jazz"], ("Rock; Jazz",)),
        (Policy.add, ["Rock/Pop"], ("Rock/Pop", "Jazz")),
        (Policy.add, ["Jazz/Pop"], ("Jazz/Pop",)),
    ],
)
def test_placeholders_are_missing_and_parts_are_known(policy, genres, new):
    assert propose(JAZZ, Rules(policy), genres=genres, guesses=[]).genres == new


@pytest.mark.parametrize(
    "rules",
    [
        Rules(never=frozenset({"jazz"})),
        Rules(only=frozenset({"rock"})),
        Rules(names={"jazz": ()}),
    ],
)
def test_genres_that_are_never_written(rules):
    found = propose(JAZZ, rules, genres=[], guesses=[])
    assert (found.action, found.genres) == (Action.excluded, ())


def test_what_a_person_would_lose():
    rules = Rules(Policy.replace)
    assert lost(["Polka", "Other", "Jazz"], ["Jazz"], [], rules) == ("Polka",)
    assert lost(["Polka"], ["Jazz"], ["Polka"], rules) == ()


@pytest.mark.parametrize("text", ["a = " + "[" * 5_000, "# " + "x" * (2 << 20)])
def test_a_map_that_is_too_much_ends_at_once(tmp_path, text):
    path = tmp_path / "names.toml"
    path.write_text(text)
    with pytest.raises(TagError, match="is not a map"):
        read_names(path)


def test_what_is_one_album():
    def key(path, album, artist=None):
        return album_key(path, album=album, album_artist=artist)

    assert key("/m/CD1/a.mp3", "Live", "X") == key("/m/CD2/b.mp3", "live", "x")
    assert key("/m/1/a.mp3", "Hits") != key("/m/2/a.mp3", "Hits")
    assert key("/m/1/a.mp3", "Hits", "X") != key("/m/1/b.mp3", "Hits", "Y")
    assert key("/m/1/a.mp3", None) is None and key("/m/1/b.mp3", "") is None
    assert key("/m/L/CD1/a.mp3", "Live (CD 1)") == key("/m/L/CD 2/a.mp3", "Live [Disc 2]")
    assert key("/m/1/a.mp3", "Hits", "Various Artists") != key("/m/2/a.mp3", "Hits", "V.A.")
    for one, two in (("Box CD 1", "Box CD 2"), ("Box [CD1]", "Box [CD2]"), ("Box - Disc 1", "Box")):
        assert key(f"/m/{one}/a.mp3", "Box") == key(f"/m/{two}/b.mp3", "Box"), (one, two)
        assert key(f"/m/{one}/a.mp3", "Box") != key(f"/n/{two}/b.mp3", "Box")
