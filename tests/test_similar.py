from __future__ import annotations

import numpy as np
import pytest
from test_library_store import STATUS, prediction

from tonearm.errors import LibraryError
from tonearm.library.similar import Probe, probe_of, similar
from tonearm.library.store import FileTags, Library, ModelRecord, as_stored

MODEL = ModelRecord("a" * 64, "test", "encoder", ("jazz", "rock"), None)


def put(library, name, pooled, *, key="", duration_s=100.0, model=MODEL) -> None:
    number = library.put_sound(
        key or name,
        model=library.model_id(model),
        windows=np.float16([pooled]),
        duration_s=duration_s,
        warning=None,
        prediction=prediction(),
    )
    library.put_track(as_stored(f"/m/{name}"), STATUS, FileTags(), sound=number)


@pytest.fixture
def library(tmp_path):
    with Library(tmp_path / "l.sqlite", write=True) as library:
        put(library, "soft", [0.9, 0.1, 0.0])
        put(library, "softish", [0.8, 0.2, 0.0], duration_s=90)
        put(library, "middle", [0.5, 0.5, 0.1], duration_s=80)
        put(library, "loud", [0.0, 0.9, 0.3], duration_s=70)
        yield library


def names(matches) -> list[str]:
    return [match.track.path.removeprefix("/m/") for match in matches]


def test_the_nearest_come_first_without_the_sound_itself(library):
    probe = probe_of(library, "/m/soft", None)
    matches = similar(library, probe, count=10)
    assert names(matches) == ["softish", "middle", "loud"]
    shares = [match.similarity for match in matches]
    assert shares == sorted(shares, reverse=True) and -1 <= shares[-1] < 0 < shares[0] <= 1
    assert names(similar(library, probe, count=1)) == ["softish"]


def test_the_cosine_by_hand(library):
    points = np.sqrt(
        np.float32([[0.9, 0.1, 0], [0.8, 0.2, 0], [0.5, 0.5, 0.1], [0, 0.9, 0.3]])
        .astype(np.float16)
        .astype(np.float32)
    )
    # The mean is over what the probe is compared with: the sound itself is not among that.
    first, second = points[0] - points[1:].mean(axis=0), points[1] - points[1:].mean(axis=0)
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    match = similar(library, probe_of(library, "/m/soft", None), count=1)[0]
    assert match.similarity == pytest.approx(cosine, abs=1e-4)


def test_copies_are_left_out_however_they_are_encoded(library):
    put(library, "soft copy", [0.9, 0.1, 0.0], key="soft")
    put(library, "soft as aac", [0.89, 0.11, 0.0], duration_s=100.02)
    put(library, "soft, a longer edit", [0.9, 0.1, 0.0], duration_s=160)
    put(library, "loud as aac", [0.0, 0.9, 0.29], duration_s=70.05)
    found = names(similar(library, probe_of(library, "/m/soft", None), count=10))
    assert found[0] == "soft, a longer edit"
    assert "soft as aac" not in found and "soft copy" not in found
    assert len([name for name in found if name.startswith("loud")]) == 1


@pytest.mark.parametrize(
    ("distance", "later_s", "is_copy"),
    [(0.115, 0.0, True), (0.125, 0.0, False), (0.0, 0.09, True), (0.0, 0.11, False)],
)
def test_how_near_a_copy_lies(tmp_path, distance, later_s, is_copy):
    with Library(tmp_path / "l.sqlite", write=True) as library:
        put(library, "song", [0.8**2, 0.3**2, 0.0])
        put(library, "near", [0.8**2, (0.3 + distance) ** 2, 0.0], duration_s=100 + later_s)
        put(library, "far", [0.0, 0.0, 0.9])
        found = names(similar(library, probe_of(library, "/m/song", None), count=10))
    assert found == (["far"] if is_copy else ["near", "far"])


def test_sounds_of_another_encoder_are_not_compared(library):
    other = ModelRecord("b" * 64, "other", "another of as many dimensions", ("jazz", "rock"), None)
    put(library, "another model", [0.9, 0.1, 0.0], duration_s=50, model=other)
    assert "another model" not in names(
        similar(library, probe_of(library, "/m/soft", None), count=9)
    )
    probe = probe_of(library, "/m/another model", None)
    with pytest.raises(LibraryError, match="holds nothing to compare"):
        similar(library, probe, count=9)


def test_what_is_gone_is_no_match(library):
    library.write("UPDATE tracks SET missing = 1 WHERE path = ?", [[as_stored("/m/softish")]])
    assert "softish" not in names(similar(library, probe_of(library, "/m/soft", None), count=9))


def test_a_sound_from_outside(library):
    probe = Probe(np.float32([0.05, 0.9, 0.2]), 33.0, "encoder")
    assert names(similar(library, probe, count=1)) == ["loud"]


def test_a_library_of_one_and_of_none(tmp_path):
    with Library(tmp_path / "one.sqlite", write=True) as library:
        with pytest.raises(LibraryError, match="holds nothing to compare"):
            similar(library, Probe(np.float32([1, 0, 0]), 1.0, "encoder"), count=1)
        put(library, "only", [0.5, 0.5, 0.0])
        assert names(similar(library, Probe(np.float32([1, 0, 0]), 1.0, "encoder"), count=5)) == [
            "only"
        ]


def test_a_library_of_copies_of_it_alone_has_nothing_else(tmp_path):
    with Library(tmp_path / "one.sqlite", write=True) as library:
        put(library, "only", [0.5, 0.5, 0.0])
        put(library, "copy", [0.5, 0.5, 0.0], key="only")
        assert similar(library, probe_of(library, "/m/copy", "only"), count=5) == []


def test_many_sounds_are_ranked_as_a_full_sort_does(tmp_path):
    rng = np.random.default_rng(1)
    pooled = rng.random((600, 8)).astype(np.float16)
    with Library(tmp_path / "many.sqlite", write=True) as library:
        with library.transaction():
            for i, row in enumerate(pooled):
                put(library, f"{i:03}", row, duration_s=float(i))
        probe = Probe(rng.random(8).astype(np.float32), -50.0, "encoder")
        few = names(similar(library, probe, count=2))
        assert few == names(similar(library, probe, count=600))[:2]
