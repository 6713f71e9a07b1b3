import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.data import splits
from tonearm.data.index import Index, Track
from tonearm.data.splits import Split
from tonearm.errors import DatasetError

_FILTERED_SHA256 = "287892da64d22f5a62a7fbe4fce57827f2ece76d9de013550e35dfc250ecdc6d"


def _index(groups_of, *, per_group=2):
    """Tracks by genre -> count of groups."""
    return Index(
        tuple(
            Track(f"{genre}/{g}-{i}.mp3", genre, f"{genre}{g}", f"{genre}{g}{i}", 30.0)
            for genre, groups in groups_of.items()
            for g in range(groups)
            for i in range(per_group)
        )
    )


def test_the_filtered_split_ships_whole():
    split = splits.official("gtzan-filtered")
    counts = {part: len(names) for part, names in split.subsets.items()}
    assert counts == {"train": 443, "valid": 197, "test": 290, "excluded": 70}
    assert split.sha256 == _FILTERED_SHA256
    assert not split.leaks


def test_official_names_find_files_by_their_stem():
    made = Index(
        tuple(
            Track(f"blues/{stem}{suffix}", "blues", stem, stem, 30.0)
            for stem, suffix in (("blues.00029", ".au"), ("blues.00000", ".wav"), ("blues.9", ""))
        )
    )
    found = splits.select(splits.official("gtzan-filtered"), made)
    assert [t.name for t in found["train"]] == ["blues/blues.00029.au"]
    assert [t.name for t in found["valid"]] == ["blues/blues.00000.wav"]


def test_unknown_official_split_lists_those_there_are():
    with pytest.raises(DatasetError, match="gtzan-filtered"):
        splits.official("gtzan")


@given(
    sizes=st.lists(st.integers(3, 12), min_size=2, max_size=5),
    per_group=st.integers(1, 4),
    seed=st.integers(0, 5),
)
def test_no_group_crosses_a_made_split(sizes, per_group, seed):
    made = _index({f"g{i}": n for i, n in enumerate(sizes)}, per_group=per_group)
    split = splits.grouped(made, seed=seed)
    assert splits.check(split, made) == ()
    names = [name for part in split.subsets.values() for name in part]
    assert sorted(names) == sorted(track.name for track in made.tracks)
    for tracks in splits.select(split, made).values():
        assert {track.genre for track in tracks} == set(made.labels)


def test_made_split_keeps_the_shares():
    split = splits.grouped(_index({"rock": 40, "jazz": 40}))
    assert [len(split.subsets[part]) for part in splits.SUBSETS] == [112, 24, 24]


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(splits.SUBSETS, 2)))
def test_leak_is_refused_with_the_group_and_its_tracks(one, other):
    made = _index({"rock": 2})
    leaky = Split("mine", {one: ("rock/0-0.mp3", "rock/1-0.mp3"), other: ("rock/0-1.mp3",)})
    with pytest.raises(DatasetError, match=rf"1 group .* rock0 \({one}: .*{other}: "):
        splits.check(leaky, made)
    apart = Split("mine", {one: ("rock/0-0.mp3",), "excluded": ("rock/0-1.mp3",)})
    assert splits.check(apart, made) == (), "what is excluded may be by anybody"


def test_a_file_that_calls_itself_official_is_checked_all_the_same():
    made = _index({"rock": 2})
    leaky = Split("gtzan-filtered", {"train": ("rock/0-0.mp3",), "valid": ("rock/0-1.mp3",)})
    with pytest.raises(DatasetError, match="leaks"):
        splits.check(leaky, made)


@pytest.mark.parametrize("unit", ["tracks", "segments"])
def test_random_splits_leak_and_say_so(unit):
    made = _index({"rock": 10, "jazz": 10})
    split = splits.make(f"random-{unit}", made)
    assert split.leaks
    assert splits.check(split, made)  # crossing groups are named, not refused
    count = len(made.tracks) * (10 if unit == "segments" else 1)
    assert len(split.subsets["train"]) == count * 3 // 4
    assert len(split.subsets["valid"]) == count // 4


def _named(*names):
    return Index(
        tuple(Track(name, name[:4], f"g{i}", f"{i}", 30.0) for i, name in enumerate(names))
    )


@pytest.mark.parametrize(
    "name", ["{i} in C# minor.mp3", "Prelude #{i}.mp3", "Prelude #{i}", "#{i}"]
)
def test_a_number_sign_in_a_name_hides_no_track(name):
    made = _named(*(f"{genre}/{name.format(i=i)}" for genre in ("rock", "jazz") for i in range(6)))
    split = splits.grouped(made)
    found = splits.select(split, made)
    assert {part: sorted(track.name for track in found[part]) for part in found} == {
        part: list(names) for part, names in split.subsets.items()
    }


def test_a_number_sign_in_a_name_hides_no_leak():
    made = _index({"rock": 2})
    made = Index(tuple(replace(t, name=t.name.replace("0-", "in C# ")) for t in made.tracks))
    leaky = Split("mine", {"train": ("rock/in C# 0.mp3",), "valid": ("rock/in C# 1.mp3",)})
    with pytest.raises(DatasetError, match=r"1 group .* rock0"):
        splits.check(leaky, made)


def test_segments_are_those_of_tracks_that_are_there():
    made = _named("jazz/a#2", "jazz/b in C#.mp3")
    names = ("jazz/a#2", "jazz/a#2#7", "jazz/b in C#.mp3#3", "jazz/b in C#.mp3#4", "jazz/gone#1")
    found = splits.find(Split("mine", {"valid": names}), "valid", made)
    assert [track.name for track in found.tracks] == ["jazz/a#2", "jazz/b in C#.mp3"]
    assert found.excerpts == {"jazz/a#2": {7}, "jazz/b in C#.mp3": {3, 4}}
    assert found.promised == 3
    assert splits.find(Split("mine", {}), "test", made).tracks == ()


def _with_copies():
    """Ten artists a genre; of the first of each the second track is a copy of the first."""
    made = _index({"rock": 10, "jazz": 10})
    copy_of = {f"{genre}/0-1.mp3": f"{genre}/0-0.mp3" for genre in ("rock", "jazz")}
    return Index(tuple(replace(t, copy_of=copy_of.get(t.name)) for t in made.tracks))


def test_copies_are_split_with_their_tracks_and_never_counted_twice():
    made = _with_copies()
    split = splits.grouped(made)
    assert sorted(name for names in split.subsets.values() for name in names) == sorted(
        track.name for track in made.tracks
    ), "the same split, whether copies are used or not"
    parts = splits.find_all(split, made)
    names = [track.name for part in parts.values() for track in part.tracks]
    assert len(names) == len(set(names)) == 38
    assert not {"rock/0-1.mp3", "jazz/0-1.mp3"} & set(names)
    assert sum(len(part.copies) for part in parts.values()) == 2
    assert all(part.missing == 0 for part in parts.values())
    alone = splits.find(Split("mine", {"valid": ("rock/0-1.mp3",)}), "valid", made)
    assert [track.name for track in alone.tracks] == ["rock/0-1.mp3"]


def test_copies_that_contradict_each_other_are_in_no_part():
    made = _with_copies()
    odd = {"jazz/0-0.mp3": "rock/0-0.mp3", "jazz/0-1.mp3": "rock/0-0.mp3"}
    made = Index(tuple(replace(t, copy_of=odd.get(t.name, t.copy_of)) for t in made.tracks))
    both = Split("mine", {"train": ("rock/0-0.mp3", "rock/1-0.mp3"), "test": ("jazz/0-0.mp3",)})
    parts = splits.find_all(both, made)
    assert [track.name for track in parts["train"].tracks] == ["rock/1-0.mp3"]
    assert [track.name for track in parts["train"].contradictions] == ["rock/0-0.mp3"]
    assert parts["test"].tracks == ()
    unused = Split("mine", {"train": ("rock/0-0.mp3",), "excluded": ("jazz/0-0.mp3",)})
    assert len(splits.find(unused, "train", made).tracks) == 1
    assert len(splits.whole(made).tracks) == 36


def test_a_name_that_several_tracks_bear_is_refused():
    made = _named("rock/001.mp3", "jazz/001.mp3", "jazz/002.mp3")
    with pytest.raises(DatasetError, match=r"'001' fits 2 tracks here \(rock/001.mp3, jazz/001"):
        splits.find(Split("mine", {"valid": ("001",)}), "valid", made)
    found = splits.find(Split("mine", {"valid": ("rock/001.mp3", "002")}), "valid", made)
    assert [track.name for track in found.tracks] == ["rock/001.mp3", "jazz/002.mp3"]
    copied = Index((made.tracks[0], replace(made.tracks[1], copy_of="rock/001.mp3")))
    assert len(splits.find(Split("mine", {"valid": ("001",)}), "valid", copied).tracks) == 1


def test_line_separators_of_unicode_stay_in_names(tmp_path):
    split = Split("mine", {"train": ("rock/a\u2028b.mp3", "rock/c\x0bd\x85.mp3")})
    split.save(tmp_path / "s")
    assert splits.load(tmp_path / "s") == split


def test_a_line_break_in_a_name_is_refused():
    with pytest.raises(DatasetError, match=r"'rock/a\\nb' has a line break"):
        _ = Split("mine", {"train": ("rock/a\nb",)}).text


@pytest.mark.parametrize(("groups", "subsets"), [(1, {"train"}), (2, {"train", "valid"})])
def test_a_genre_of_few_artists_is_learnt_first_and_measured_next(groups, subsets):
    made = _index({"rock": 5, "jazz": groups})
    split = splits.make("grouped", made)
    has = {name for name, names in split.subsets.items() if any("jazz" in n for n in names)}
    assert has == subsets
    assert all(any("rock" in n for n in names) for names in split.subsets.values())


@pytest.mark.parametrize("seed", range(6))
def test_the_second_artist_of_a_genre_is_for_valid_not_for_test(seed):
    for others in range(3, 9):
        split = splits.grouped(_index({"rock": others, "jazz": 2}), seed=seed)
        assert any("jazz" in name for name in split.subsets["valid"]), others


def test_genres_of_one_artist_each_cannot_be_measured():
    with pytest.raises(DatasetError, match="every genre has a single artist or group"):
        splits.grouped(_index({"rock": 1, "jazz": 1}))


def test_split_file_is_its_hash(tmp_path):
    split = splits.grouped(_index({"rock": 4, "jazz": 4}), seed=3)
    split.save(tmp_path / "x.split")
    again = splits.load(tmp_path / "x.split")
    assert (again.sha256, dict(again.subsets)) == (split.sha256, dict(split.subsets))
    assert splits.make(str(tmp_path / "x.split"), _index({"rock": 4, "jazz": 4})) == again


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rock/a.mp3", "must have lines"),
        ("train\ta\nvalidation\tb", "line 2: 'validation' is not a subset"),
        ("# tonearm-split 1\n# name: x\ntrain a", "line 3"),
        ("# tonearm-split 1\n# name: x\ntrain\ta\nvalid\ta", "names tracks twice: a"),
        (
            "# tonearm-split 1\n# name: x\ntrain\ta\nvalidation\tb",
            "line 4: 'validation' is not a subset",
        ),
    ],
)
def test_wrong_split_file(tmp_path, text, message):
    (tmp_path / "x").write_text(text)
    with pytest.raises(DatasetError, match=message):
        splits.load(tmp_path / "x")


@pytest.mark.parametrize("name", ["mine.txt", "mine.tsv"])
def test_lines_alone_are_a_split(tmp_path, name):
    (tmp_path / name).write_text("train\trock/a.mp3\nvalid\tb.mp3\n")
    split = splits.load(tmp_path / name)
    assert (split.name, dict(split.subsets)) == (
        "mine",
        {"train": ("rock/a.mp3",), "valid": ("b.mp3",)},
    )


def test_a_folder_of_its_name_does_not_hide_a_split(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gtzan-filtered").mkdir()
    assert splits.written("gtzan-filtered").sha256 == _FILTERED_SHA256
