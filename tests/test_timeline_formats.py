from __future__ import annotations

import re
from itertools import pairwise

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import small_files

from tonearm.timeline.formats import changes_in_cue, fewer, render
from tonearm.timeline.segments import Segment

PARTS = [
    Segment(0.0, 61.5, "jazz", 0.91),
    Segment(61.5, 3_725.04, None, 0.4),
    Segment(3_725.04, 7_200.0, "hiphop", 0.876),
]


def test_a_cue_sheet_by_hand():
    assert render("cue", PARTS, path='/music/a "mix".mp3') == (
        "FILE \"a 'mix'.mp3\" MP3\n"
        "  TRACK 01 AUDIO\n"
        '    TITLE "Jazz"\n'
        "    REM CONFIDENCE 0.91\n"
        "    INDEX 01 00:00:00\n"
        "  TRACK 02 AUDIO\n"
        '    TITLE "Unknown"\n'
        "    INDEX 01 01:01:37\n"
        "  TRACK 03 AUDIO\n"
        '    TITLE "Hip-Hop"\n'
        "    REM CONFIDENCE 0.88\n"
        "    INDEX 01 62:05:03\n"
    )


def test_a_cue_sheet_elsewhere_names_the_audio_from_there():
    text = render("cue", PARTS, path="/music/mixes/one.flac", folder="/music/cue")
    assert text.startswith('FILE "../mixes/one.flac" WAVE\n')


def test_audacity_labels_by_hand():
    assert render("audacity", PARTS, path="x.mp3") == (
        "0.000000\t61.500000\tJazz 91%\n"
        "61.500000\t3725.040000\tUnknown\n"
        "3725.040000\t7200.000000\tHip-Hop 88%\n"
    )


def test_ffmpeg_takes_the_chapters(tmp_path):
    path = tmp_path / "chapters.txt"
    path.write_text(render("ffmetadata", PARTS, path="x.mp3"))
    with av.open(str(path), format="ffmetadata") as container:
        chapters = container.chapters()
    read = [(c["start"], c["end"], c["metadata"]["title"]) for c in chapters]
    assert read == [
        (0, 61_500, "Jazz"),
        (61_500, 3_725_040, "Unknown"),
        (3_725_040, 7_200_000, "Hip-Hop"),
    ]


def test_ffmpeg_takes_signs_of_its_own_in_a_name(tmp_path):
    path = tmp_path / "chapters.txt"
    for name in ("a=b#c", ";"):
        path.write_text(render("ffmetadata", [Segment(0, 9, name, 1.0)], path="x.mp3"))
        with av.open(str(path), format="ffmetadata") as container:
            assert container.chapters()[0]["metadata"]["title"].lower() == name


@st.composite
def timelines(draw):
    lengths = draw(st.lists(st.floats(0.5, 600), min_size=1, max_size=260))
    genres = draw(
        st.lists(
            st.sampled_from(["jazz", "rock", None, "pop"]),
            min_size=len(lengths),
            max_size=len(lengths),
        )
    )
    parts, start = [], 0.0
    for length, genre in zip(lengths, genres, strict=True):
        parts.append(Segment(round(start, 3), round(start + length, 3), genre, 0.5))
        start += length
    return parts


@given(parts=timelines())
def test_a_cue_sheet_has_at_most_99_tracks_at_rising_times(parts):
    text = render("cue", parts, path="x.mp3")
    times = [
        (int(m) * 60 + int(s)) * 75 + int(f)
        for m, s, f in re.findall(r"INDEX 01 (\d{2,}):([0-5]\d):([0-6]\d|7[0-4])\n", text)
    ]
    assert len(times) == text.count("TRACK") <= 99
    assert times[0] == 0
    assert all(a < b for a, b in pairwise(times))
    assert len(times) == len(parts) or len(parts) > 99


@given(parts=timelines(), most=st.integers(1, 20))
def test_fewer_parts_still_cover_the_track(parts, most):
    left = fewer(parts, most=most)
    assert 1 <= len(left) <= max(most, 1) or len(parts) <= most
    assert left[0].start_s == parts[0].start_s
    assert left[-1].end_s == parts[-1].end_s
    assert all(a.end_s == b.start_s for a, b in pairwise(left))
    assert all(0 <= part.confidence <= 1 for part in left)


def test_a_name_that_is_no_utf8_is_spelt():
    text = render("cue", PARTS, path="/music/\udcff.mp3")
    assert '"\\udcff.mp3"' in text
    assert changes_in_cue("/music/\udcff.mp3") and not changes_in_cue("/music/ÿ.mp3")


@pytest.mark.parametrize(("form", "first"), [("cue", "FILE "), ("audacity", "0.000000\t")])
def test_predict_writes_them(tmp_path, form, first):
    from typer.testing import CliRunner

    from tonearm.cli.app import app

    path = small_files.wav(tmp_path / "mix.wav", small_files.music(1, 12.0))
    output = tmp_path / "out.txt"
    ran = CliRunner().invoke(app, ["predict", str(path), "--format", form, "-o", str(output)])
    assert ran.exit_code == 0, ran.output
    assert output.read_text().startswith(first)
    two = small_files.wav(tmp_path / "two.wav", small_files.music(2, 3.0))
    ran = CliRunner().invoke(app, ["predict", str(path), str(two), "--format", form])
    assert ran.exit_code == 2
