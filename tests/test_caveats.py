"""What may flatter a figure is said, with the right weight: leak, caveat or note."""

from __future__ import annotations

import pytest

from tonearm.data.index import Track
from tonearm.data.splits import Split, official
from tonearm.training import caveats
from tonearm.training.learnt_sounds import LearntSounds


def tracks(*groups: str) -> list[Track]:
    return [
        Track(f"rock/{i}.mp3", "rock", group, f"{i:032x}", 30.0) for i, group in enumerate(groups)
    ]


KNOWN = tracks("artist:ann", "artist:bob")


def kinds(found: list[caveats.Caveat]) -> list[str]:
    return [each.kind for each in found]


def test_no_split_is_a_caveat_unless_the_learnt_sounds_are_known() -> None:
    assert caveats.of_split(None, crossing=(), tracks=KNOWN) == []
    (found,) = caveats.of_unsplit({}, learnt=0, n=2)
    assert found.kind == "caveat" and "every track is measured" in found.text
    assert caveats.of_unsplit({}, learnt=1, n=2) == [], "a leak, which says more"
    network = {"sounds": LearntSounds.of(["k"], None).to_dict()}
    (found,) = caveats.of_unsplit(network, learnt=0, n=2)
    assert found.kind == "note" and "None of the 2" in found.text and "checksums" in found.text
    extended = {**network, "sounds_of_base_unknown": True}
    (found,) = caveats.of_unsplit(extended, learnt=0, n=2)
    assert found.kind == "caveat" and "None of the 2" in found.text and "others" in found.text


def test_a_split_that_leaks_is_a_leak_and_says_how_much() -> None:
    split = Split("leaking-tracks-0", {})
    (found,) = caveats.of_split(split, crossing=("artist:ann",), tracks=KNOWN)
    assert found.kind == "leak"
    assert "1 artist or track is in several subsets" in found.text


def test_an_honest_split_of_known_artists_needs_no_word() -> None:
    assert caveats.of_split(Split("mine", {}), crossing=(), tracks=KNOWN) == []


def test_an_official_list_with_artists_on_both_sides_is_a_note_with_names_and_count() -> None:
    crossing = tuple(f"artist:{name}" for name in ("ann", *"cdefgh"))
    (found,) = caveats.of_split(official("gtzan-filtered"), crossing=crossing, tracks=KNOWN)
    assert found.kind == "note"
    assert "ann, c, d, e, f and 2 more" in found.text
    assert "1 of the 2 tracks measured here" in found.text


@pytest.mark.parametrize(("held_apart", "kind"), [(True, "caveat"), (False, "note")])
def test_unknown_artists(held_apart: bool, kind: str) -> None:
    (found,) = caveats.of_artists(
        ["artist:ann", "folder:x", "track:y", "folder:x"], held_apart=held_apart
    )
    assert found.kind == kind
    assert found.text.startswith("Artist unknown for 3 of 4 tracks, 2 of them grouped by their")
    assert caveats.of_artists(["artist:ann"], held_apart=held_apart) == []


def test_copies_and_contradictions_are_notes() -> None:
    assert caveats.of_copies([], []) == []
    one, two = caveats.of_copies(KNOWN, KNOWN[:1])
    assert kinds([one, two]) == ["note", "note"]
    assert "left out: 2" in one.text and "several genres: rock/0.mp3." in two.text


SPLIT = Split("mine", {"train": ("a",), "valid": ("b",)})


@pytest.mark.parametrize(
    ("training", "split", "subset", "expected"),
    [
        ({"leaks": True, "split": "leaking-tracks-0"}, SPLIT, "valid", ["leak"]),
        ({"split_sha256": SPLIT.sha256}, SPLIT, "train", ["leak"]),
        ({"split_sha256": SPLIT.sha256}, SPLIT, "valid", []),
        ({"split_sha256": SPLIT.sha256, "recipe": {}}, SPLIT, "valid", ["note"]),
        ({"split_sha256": SPLIT.sha256}, SPLIT, "test", []),
        ({"split_sha256": SPLIT.sha256, "parts": ["train", "valid"]}, SPLIT, "valid", ["leak"]),
        ({"split_sha256": "another", "split": "theirs"}, SPLIT, "valid", ["caveat"]),
        ({}, SPLIT, "valid", ["caveat"]),
        ({}, None, "", []),
    ],
)
def test_what_a_model_learnt_from(
    training: dict[str, object], split: Split | None, subset: str, expected: list[str]
) -> None:
    assert kinds(caveats.of_training(training, split, subset)) == expected


@pytest.mark.parametrize(("patience", "said"), [(0, False), (5, True)])
def test_an_epoch_is_chosen_with_patience_alone(patience: int, said: bool) -> None:
    training = {"split_sha256": SPLIT.sha256, "recipe": {}, "patience": patience}
    (found,) = caveats.of_training(training, SPLIT, "valid")
    assert ("epoch" in found.text) is said and "temperature" in found.text


def test_a_model_says_what_it_was_trained_on() -> None:
    (found,) = caveats.of_base({"data": "all 9 tracks of mine"})
    assert "trained on all 9 tracks of mine" in found.text
    (silent,) = caveats.of_base({})
    assert "does not say what it was trained on" in silent.text


def test_more_windows_than_predict_takes() -> None:
    assert caveats.of_windows([4, 4], most=4) == []
    (found,) = caveats.of_windows([4, 5, 9], most=4)
    assert found.kind == "note" and found.text.startswith("2 of 3 tracks have")


def test_a_leak_among_unknown_artists_counts_nobody() -> None:
    (found,) = caveats.of_split(
        Split("leaking-tracks-0", {}), crossing=(), tracks=tracks("track:a")
    )
    assert found.kind == "leak" and "0 artists" not in found.text
    assert "the artists are unknown" in found.text


def test_a_learnt_track_is_a_leak_and_named() -> None:
    (found,) = caveats.of_learnt(["rock/a", "rock/b"], 9)
    assert found.kind == "leak" and "2 of the 9 tracks" in found.text and "rock/b" in found.text
    assert caveats.of_learnt([], 9) == []
