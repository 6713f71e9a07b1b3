"""That a sound is silent, short or of a low rate is said in library, lists, tables and page."""

from __future__ import annotations

import csv
import json
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
from support.fakes import LOW_HZ, tiny_model
from support.old_library import as_version_2, as_version_3
from support.songs import song as song_of_one_tone
from support.sounds import tone, write_sndfile

from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model.prediction import NOTES
from tonearm.serve.tracks import row

EXPECTED = {
    "a low.wav": None,
    "line.wav": "low-rate",
    "short.wav": "short",
    "silent.wav": "silent",
}


@pytest.fixture
def case(tmp_path, tiny):
    """A scanned folder of a song, one by telephone, a second of one, and silence; its library."""
    folder = tmp_path / "music"
    song_of_one_tone(folder / "a low.wav")
    song_of_one_tone(folder / "short.wav", seconds=1)
    write_sndfile(folder / "line.wav", tone(LOW_HZ, 4, 8_000), 8_000, form="WAV")
    write_sndfile(folder / "silent.wav", np.zeros(40_000, np.float32), 8_000, form="WAV")
    with Library(tmp_path / "l.sqlite", write=True) as library:
        scan(library, [folder], model=tiny.model, jobs=1)
    return tmp_path


def notes_of(library):
    return {track.path.rpartition("/")[2]: track.note for track in library.tracks()}


def test_a_scan_keeps_what_predict_says(case, tiny):
    with Library(case / "l.sqlite") as library:
        assert notes_of(library) == EXPECTED
        for track in library.tracks():
            assert (
                track.prediction.note == tiny.predict(track.path).note == row(track, None)["note"]
            )


def test_they_outlast_another_model(case):
    other = tiny_model()
    head = replace(other.head, weight=-other.head.weight)
    other = replace(other, head=head, sha256="b" * 64)
    with Library(case / "l.sqlite", write=True) as library:
        result = scan(library, [case / "music"], model=other, jobs=1)
        assert (result.analysed, result.reclassified) == (0, 4)
        assert notes_of(library) == EXPECTED


def test_lists_say_it(case, tonearm):
    place = ("--library", case / "l.sqlite")
    lines = tonearm("list", *place).out.splitlines()
    assert [line.rpartition("  (")[2][:-1] for line in lines[1:]] == [
        NOTES[note] for note in EXPECTED.values() if note
    ]
    files = json.loads(tonearm("list", "-f", "json", *place).out)["files"]
    assert [file["note"] for file in files] == [*EXPECTED.values()]
    table = csv.DictReader(tonearm("list", "-f", "csv", *place).out.splitlines())
    assert [line["note"] or None for line in table] == [*EXPECTED.values()]


def test_tables_keep_it(case, tonearm):
    pytest.importorskip("pyarrow")
    tonearm("export", "-o", case / "all.parquet", "--library", case / "l.sqlite")
    tonearm("import", case / "all.parquet", "--library", case / "b.sqlite")
    with Library(case / "l.sqlite") as here, Library(case / "b.sqlite") as there:
        assert notes_of(there) == EXPECTED
        encoder = here.model().encoder
        for track in here.tracks():
            for each in (here, there):
                made = each.embeddings.get(track.key, encoder)
                assert made.silent == (track.note == "silent")
                assert made.low_rate == (track.note == "low-rate")


def test_a_library_of_before_has_none(case):
    """What version 2 wrote is read, and a scan of new files keeps theirs."""
    as_version_2(case / "l.sqlite")
    with Library(case / "l.sqlite") as library:
        assert notes_of(library) == dict.fromkeys(EXPECTED)
        made = library.embeddings.get(next(library.tracks()).key, library.model().encoder)
        assert made.silent is False


def test_a_library_of_version_3_keeps_its_notes(case, tiny):
    before = {**EXPECTED, "line.wav": None}
    with sqlite3.connect(case / "l.sqlite") as file:
        file.execute("UPDATE sounds SET note = NULL WHERE note = 'low-rate'")
    file.close()
    as_version_3(case / "l.sqlite")
    with Library(case / "l.sqlite") as library:
        assert notes_of(library) == before
    song_of_one_tone(case / "music" / "new.wav", seconds=1.5)
    with Library(case / "l.sqlite", write=True) as library:
        scan(library, [case / "music"], model=tiny.model, jobs=1)
        assert notes_of(library) == {**before, "new.wav": "short"}


def test_samples_say_it_as_files_do(tiny):
    for rate_hz, note in ((15_999, "low-rate"), (16_000, None), (44_100, None)):
        assert tiny.predict(tone(LOW_HZ, 4, rate_hz), rate_hz).note == note
