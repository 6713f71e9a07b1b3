"""Long tracks: a mix is called a mix, one genre stays one genre."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mutagen.flac import FLAC
from support.fakes import HIGH_HZ, LOW_HZ, MIDDLE_HZ
from support.sounds import tone, write_sndfile

from tonearm import Classifier
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.library.tag_plan import plan_tags
from tonearm.model.head import HeadOutput
from tonearm.model.mix import Divided, evidence, fractions, with_mix
from tonearm.model.prediction import Prediction
from tonearm.tagging.plan import Action, Rules, propose
from tonearm.timeline.segments import Segment

RATE = 8_000


def medley(folder: Path, *parts: tuple[float | None, float]) -> Path:
    """Tones (None: silence) of so many seconds, one after another."""
    pieces = [
        tone(hz, seconds, RATE) if hz else np.zeros(round(seconds * RATE), np.float32)
        for hz, seconds in parts
    ]
    return write_sndfile(folder / "a.wav", np.concatenate(pieces), RATE)


def test_a_mix_has_shares_and_segments_but_no_genre(tiny: Classifier, tmp_path: Path) -> None:
    path = medley(tmp_path, (LOW_HZ, 360), (HIGH_HZ, 240), (MIDDLE_HZ, 120))
    prediction = tiny.predict(path)
    assert prediction.genre is None
    assert prediction.mix is not None
    assert list(prediction.mix) == ["blues", "metal", "jazz"]
    assert list(prediction.mix.values()) == pytest.approx([1 / 2, 1 / 3, 1 / 6], abs=0.03)
    assert [segment.genre for segment in prediction.timeline] == ["blues", "metal", "jazz"]
    assert prediction.timeline[0].end_s == pytest.approx(360, abs=16)
    values = prediction.to_dict()
    assert values["genre"] is None and values["mix"] == prediction.mix


def test_the_shares_of_a_mix_are_those_of_its_timeline(tiny: Classifier, tmp_path: Path) -> None:
    # Two minutes of fifteen seconds each: windows 15 s apart see only one of the two.
    turns = [(LOW_HZ, 330)] + [(HIGH_HZ, 9), (LOW_HZ, 6)] * 8 + [(HIGH_HZ, 290)]
    prediction = tiny.predict(medley(tmp_path, *turns), timeline=True)
    assert prediction.mix is not None
    assert prediction.mix == fractions(prediction.timeline)


def test_a_mix_is_never_written(tiny: Classifier, tmp_path: Path) -> None:
    prediction = tiny.predict(medley(tmp_path, (LOW_HZ, 500), (HIGH_HZ, 220)))
    assert prediction.mix is not None
    proposal = propose(prediction, Rules(min_confidence=0), genres=[], guesses=[])
    assert proposal.action is Action.unknown and proposal.genres == ()


def test_a_scan_keeps_a_mix_without_a_genre_even_on_an_album(
    tiny: Classifier, tmp_path: Path
) -> None:
    music = tmp_path / "album"
    music.mkdir()
    for number in range(3):
        write_sndfile(music / f"{number}.flac", tone(LOW_HZ + number, 20, RATE), RATE)
    mix = np.concatenate([tone(LOW_HZ, 500, RATE), tone(HIGH_HZ, 220, RATE)])
    write_sndfile(music / "mix.flac", mix, RATE)
    for path in music.iterdir():
        tags = FLAC(path)
        tags["album"] = "One"
        tags.save()
    with Library(tmp_path / "library.sqlite", write=True) as library:
        scan(library, [music], model=tiny.model, jobs=1)
        plan = plan_tags(library, Rules(min_confidence=0))
        written = {Path(file.track.path).stem: file.proposal for file in plan.files}
        library.write("UPDATE sounds SET genre = nearest")
        scan(library, [music], model=replace(tiny.model, sha256="b" * 64), jobs=1)
        (again,) = (track for track in library.tracks() if track.path.endswith("mix.flac"))
    assert written["mix"].action is Action.unknown
    assert [written[str(number)].genres for number in range(3)] == [("Blues",)] * 3
    assert again.genre is None, "classified again without audio, it is a mix again"


def test_a_whole_timeline_says_the_same(tiny: Classifier, tmp_path: Path) -> None:
    path = medley(tmp_path, (LOW_HZ, 400), (HIGH_HZ, 220))
    few, whole = tiny.predict(path), tiny.predict(path, timeline=True)
    assert few.mix is not None and whole.mix is not None
    assert list(few.mix) == list(whole.mix) == ["blues", "metal"]
    assert whole.timeline[0].end_s == pytest.approx(400, abs=2)


@pytest.mark.parametrize("parts", [[(LOW_HZ, 720)], [(LOW_HZ, 680), (HIGH_HZ, 50)]])
def test_one_genre_stays(
    parts: list[tuple[float, float]], tiny: Classifier, tmp_path: Path
) -> None:
    prediction = tiny.predict(medley(tmp_path, *parts))
    assert prediction.genre == "blues" and prediction.mix is None and prediction.timeline == []


def test_a_hidden_track_is_no_mix(tiny: Classifier, tmp_path: Path) -> None:
    path = medley(tmp_path, (LOW_HZ, 240), (None, 600), (LOW_HZ, 60))
    prediction = tiny.predict(path)
    assert prediction.genre == "blues" and prediction.mix is None
    timeline = tiny.predict(path, timeline=True).timeline
    assert [segment.genre for segment in timeline] == ["blues", None, "blues"]
    assert timeline[1].start_s == pytest.approx(240, abs=3)
    assert timeline[1].end_s == pytest.approx(840, abs=3)


class ByNumber:
    """A head for windows that are numbers: 0 is blues, 1 jazz, 2 is unknown."""

    labels = ("blues", "jazz")

    def classify_each(self, windows: np.ndarray) -> np.ndarray:
        return np.eye(3)[windows[:, 0].astype(int)] * 0.97 + 0.01

    def classify(self, windows: np.ndarray) -> HeadOutput:
        counts = np.bincount(windows[:, 0].astype(int), minlength=3) / len(windows)
        return HeadOutput(counts[:2], bool(counts[2] <= 0.5), float(counts[2]))


@pytest.mark.parametrize(("unknown", "is_mix"), [(8, False), (20, True)])
def test_one_genre_does_not_speak_for_much_that_is_unknown(unknown: int, is_mix: bool) -> None:
    windows = np.array([[0.0]] * (48 - unknown) + [[2.0]] * unknown)
    whole = Prediction.of(("blues", "jazz"), np.array([0.9, 0.1]), known=True)
    found = with_mix(
        whole,
        ByNumber(),  # type: ignore[arg-type]
        windows,
        starts_s=15.0 * np.arange(48),
        duration_s=720.0,
        window_s=3.0,
    )
    assert (found.mix is not None, found.genre) == (is_mix, None if is_mix else "blues")


def divided(*blocks: tuple[str | None, int, tuple[float, float, float]]) -> Divided:
    """Blocks of windows 15 s apart: a genre, how many, and the probabilities of each window."""
    parts, genres, each, at_s = [], [], [], 0.0
    for genre, count, probabilities in blocks:
        parts.append(Segment(at_s, at_s + 15 * count, genre, 0.9))
        at_s += 15 * count
        genres += [genre] * count
        each += [probabilities] * count
    return Divided(parts, genres, np.array(each))


def test_evidence_of_a_mix_counted_by_hand() -> None:
    blues, jazz = (0.8, 0.1, 0.1), (0.2, 0.7, 0.1)
    found = evidence(divided(("blues", 30, blues), ("jazz", 10, jazz)), ByNumber.labels)
    # A quarter is jazz; there blues would lose log(.7 / .2); all variance lies between the two.
    np.testing.assert_allclose(found, [0.25, np.sqrt(np.log(3.5) / 4), 1.0])
    one = evidence(divided(("blues", 30, blues), (None, 10, (0.1, 0.1, 0.8))), ByNumber.labels)
    assert not one.any(), "what is unknown is no other genre"


def test_a_piece_that_wavers_is_less_of_a_mix_than_a_medley() -> None:
    blues, jazz = (0.8, 0.1, 0.1), (0.1, 0.8, 0.1)
    medley_of_two = evidence(divided(("blues", 30, blues), ("jazz", 10, jazz)), ByNumber.labels)
    # The same segments, but their windows are of either genre by turns.
    turns = divided(("blues", 30, blues), ("jazz", 10, jazz))
    turns.each[:30:3] = jazz
    turns.each[31::2] = blues
    wavering = evidence(turns, ByNumber.labels)
    assert wavering[0] == medley_of_two[0] and (wavering[1:] < 0.5 * medley_of_two[1:]).all()


def test_a_short_track_is_no_mix(tiny: Classifier, tmp_path: Path) -> None:
    assert tiny.predict(medley(tmp_path, (LOW_HZ, 300), (HIGH_HZ, 290))).mix is None


def test_shares_are_fractions_of_the_track() -> None:
    found = [Segment(0, 50, None, 1), Segment(50, 125, "pop", 1), Segment(125, 200, "jazz", 1)]
    assert fractions(found) == {"pop": 0.375, "jazz": 0.375, "unknown": 0.25}
