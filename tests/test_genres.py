from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.genres import GTZAN_GENRES, find, id3_name, key, words
from tonearm.library.overview import known_genres


@pytest.mark.parametrize(
    ("genre", "name"),
    [
        ("hiphop", "Hip-Hop"),
        ("hip hop", "Hip-Hop"),
        ("jazz", "Jazz"),
        ("deep house", "Deep House"),
        ("trip-hop", "Trip-Hop"),
        ("children's music", "Children's Music"),
        ("drum’n’bass", "Drum’n’bass"),
        ("80s", "80s"),
        ("80s pop", "80s Pop"),
        ("r&b/soul", "R&B/Soul"),
        ("new_wave", "New_Wave"),
        ("élan", "Élan"),
        ("e\N{COMBINING ACUTE ACCENT}lan", "Élan"),
        ("рок", "Рок"),
        ("演歌", "演歌"),
        # A person wrote these, so they stay as they are.
        ("EBM", "EBM"),
        ("iTunes finds", "iTunes finds"),
        ("Drum'N'Bass", "Drum'N'Bass"),
        # Players would split these into two.
        ("rock;pop", "Rock Pop"),
        ("Folk, World | Country", "Folk World Country"),
        (";", ";"),
    ],
)
def test_names_for_people_and_tags(genre, name):
    assert id3_name(genre) == name


@pytest.mark.parametrize(
    "spellings",
    [
        ("hiphop", "Hip-Hop", "HIP HOP", "hip_hop"),
        ("Deep House", "deephouse", "deep-house"),
        ("Drum & Bass", "drum/bass"),
        ("Élan", "élan", "E\N{COMBINING ACUTE ACCENT}LAN"),
        ("Straße", "STRASSE"),
        ("हिन्दी", " हिन्दी "),
        ("!!!",),
        ("???",),
    ],
)
def test_spellings_of_one_name_have_one_key(spellings):
    others = {"jazz", "हिन्दु", "!?", "elan", "演歌"}
    assert len(set(map(key, spellings))) == 1
    assert key(spellings[0]) not in set(map(key, others))


@given(st.text())
def test_a_key_is_its_own_key(name):
    assert key(key(name)) == key(name)
    assert id3_name(id3_name(name)) == id3_name(name)
    assert all(words(name))


def test_the_name_that_is_written_means_the_genre():
    for genre in (*GTZAN_GENRES, "deep house", "children's music", "80s"):
        assert find(id3_name(genre), (*GTZAN_GENRES, genre)) == genre


def test_a_genre_is_found_however_it_is_spelled():
    known = ("Deep House", "deep-house", "hiphop", "演歌")
    assert find("deep-house", known) == "deep-house"
    assert find("DEEPHOUSE", known) == "Deep House"
    assert find("Hip Hop", known) == "hiphop"
    assert find("演歌", known) == "演歌"
    assert find("house", known) is None
    assert find("", known) is None


@pytest.mark.parametrize(
    ("tag", "known"),
    [
        ("Alternative Rock", {"rock"}),
        ("Hip Hop/Rap", {"hiphop"}),
        ("Rap", {"hiphop"}),
        ("Rocksteady", set()),
        ("Deep House", {"Deep House"}),
        ("deephouse, live", {"Deep House"}),
        ("House of Deep", set()),
        ("Drum 'n' Bass", {"Drum'n'Bass"}),
        ("ДЭТ-МЕТАЛ", {"дэт метал"}),
        ("", set()),
        ("rock " * 20_000, {"rock"}),
    ],
)
def test_what_a_tag_names(tag, known):
    labels = ("rock", "hiphop", "Deep House", "Drum'n'Bass", "дэт метал")
    assert known_genres(tag, labels) == known
    assert known_genres(tag, (*labels, "ROCK")) == known | ({"ROCK"} if "rock" in known else set())
