"""A track that changes genre is a mix wherever the library is shown, as it is for ``predict``."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pytest
from support.fakes import HIGH_HZ, LOW_HZ
from support.old_library import as_version_2
from support.songs import song
from support.sounds import tone, write_sndfile

from tonearm.library.scan import scan
from tonearm.library.store import Library

RATE = 8_000


@pytest.fixture(scope="module")
def scanned(tmp_path_factory, tiny):
    """A scanned folder of a mix, of one genre, and of what is unknown; and its library."""
    root = tmp_path_factory.mktemp("mixes")
    parts = np.concatenate([tone(LOW_HZ, 400, RATE), tone(HIGH_HZ, 250, RATE)])
    song(root / "music" / "blues.wav")
    write_sndfile(root / "music" / "mix.wav", parts, RATE, form="WAV")
    write_sndfile(root / "music" / "silent.wav", np.zeros(40_000, np.float32), RATE, form="WAV")
    with Library(root / "l.sqlite", write=True) as library:
        scan(library, [root / "music"], model=tiny.model, jobs=1)
        # Whatever the small model says of silence: here it stands for an unknown sound.
        library.write("UPDATE sounds SET genre = NULL WHERE note = 'silent'")
    return root


@pytest.fixture
def case(scanned, tmp_path):
    shutil.copy(scanned / "l.sqlite", tmp_path / "l.sqlite")
    return tmp_path


@pytest.fixture(scope="module")
def mix(scanned, tiny):
    """What ``predict`` says of the mix."""
    found = tiny.predict(scanned / "music" / "mix.wav").mix
    assert list(found) == ["blues", "metal"]
    return found


def names(files):
    return [file["path"].rpartition("/")[2] for file in files]


def test_the_library_keeps_the_parts_as_predict_has_them(scanned, tiny):
    with Library(scanned / "l.sqlite") as library:
        for track in library.tracks():
            assert track.mix == track.prediction.mix == tiny.predict(track.path).mix


def test_list_says_mix_and_has_its_parts(scanned, mix, tonearm):
    place = ("--library", scanned / "l.sqlite")
    lines = tonearm("list", *place).out.splitlines()
    assert [line.split()[0] for line in lines] == ["Blues", "mix", "unknown"]
    files = json.loads(tonearm("list", "-f", "json", *place).out)["files"]
    assert [file["mix"] for file in files] == [None, mix, None]
    table = csv.DictReader(tonearm("list", "-f", "csv", *place).out.splitlines())
    shares = "; ".join(f"{genre} {share}" for genre, share in mix.items())
    assert [line["mix"] for line in table] == ["", shares, ""]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--genre", "Mix"], ["mix.wav"]),
        (["--unknown"], ["silent.wav"]),
        (["--unknown", "--genre", "mix"], ["mix.wav", "silent.wav"]),
    ],
)
def test_a_mix_is_listed_apart_from_what_is_unknown(options, expected, scanned, tonearm):
    ran = tonearm("list", *options, "-f", "json", "--library", scanned / "l.sqlite")
    assert names(json.loads(ran.out)["files"]) == expected


def test_playlists_know_mixes(scanned, tonearm):
    place = ("--library", scanned / "l.sqlite")
    assert tonearm("playlist", "--genre", "mix", *place).out.splitlines()[2].endswith("mix.wav")
    assert tonearm("playlist", "--genre", "unknown", *place).out.endswith("silent.wav\n")


def test_status_counts_mixes_apart(scanned, tonearm):
    place = ("--library", scanned / "l.sqlite")
    counted = json.loads(tonearm("status", "-f", "json", *place).out)
    assert counted["genres"] == {"blues": 1, "mix": 1, "unknown": 1}
    assert sum(counted["confidence"]) == 1
    lines = tonearm("status", *place).out.splitlines()
    assert sum(line.startswith("mix ") for line in lines) == 1


def test_similar_calls_a_mix_a_mix(scanned, mix, tonearm):
    words = ("similar", scanned / "music" / "blues.wav", "--library", scanned / "l.sqlite")
    found = {row["path"]: row for row in json.loads(tonearm(*words, "-f", "json").out)["similar"]}
    assert found[str(scanned / "music" / "mix.wav")]["mix"] == mix
    (line,) = (line for line in tonearm(*words).out.splitlines() if line.endswith("mix.wav"))
    assert line.split()[1:3] == ["mix", "10:50"], "no percentage: it would be that of one genre"


def test_tables_keep_the_parts(case, mix, tonearm):
    tonearm("export", "-o", case / "all.csv", "--library", case / "l.sqlite")
    with (case / "all.csv").open() as file:
        found = [row["mix"] for row in csv.DictReader(file)]
    assert found == ["", "; ".join(f"{genre} {share}" for genre, share in mix.items()), ""]
    pytest.importorskip("pyarrow")
    tonearm("export", "-o", case / "all.parquet", "--library", case / "l.sqlite")
    tonearm("import", case / "all.parquet", "--library", case / "b.sqlite")
    with Library(case / "b.sqlite") as library:
        assert [track.mix for track in library.tracks()] == [None, mix, None]


def test_a_library_of_before_gets_the_parts_at_the_next_scan(case, scanned, mix, tiny):
    """Version 2 kept that there is no genre, but not why; no audio is read again."""
    as_version_2(case / "l.sqlite")
    with Library(case / "l.sqlite", write=True) as library:
        assert [track.mix for track in library.tracks()] == [None] * 3
        result = scan(library, [scanned / "music"], model=tiny.model, jobs=1)
        assert (result.analysed, result.reclassified) == (0, 1)
        assert [track.mix for track in library.tracks()] == [None, mix, None]
        assert scan(library, [scanned / "music"], model=tiny.model, jobs=1).reclassified == 0


def test_predict_has_the_parts_in_csv(scanned, mix, tonearm, model_path):
    files = [scanned / "music" / name for name in ("mix.wav", "missing.wav")]
    ran = tonearm("predict", *files, "-f", "csv", "--model", model_path)
    rows = list(csv.DictReader(ran.out.splitlines()))
    assert [row["mix"] for row in rows] == [
        "; ".join(f"{genre} {share}" for genre, share in mix.items()),
        "",
    ]


def test_the_api_and_the_map_know_mixes(case, mix, model_path):
    pytest.importorskip("uvicorn", reason="the serve extra is not installed")
    from base64 import b64decode

    from fastapi.testclient import TestClient

    from tonearm.serve.app import create_app

    app = create_app(case / "l.sqlite", model_path)
    with TestClient(app, base_url="http://127.0.0.1/api/v1") as api:
        assert names(api.get("tracks?genre=Mix").json()["tracks"]) == ["mix.wav"]
        assert names(api.get("tracks?genre=unknown").json()["tracks"]) == ["silent.wav"]
        rows = api.get("tracks?sort=genre").json()["tracks"]
        assert [row["mix"] for row in rows] == [None, mix, None]
        legend = api.get("genres").json()["genres"]
        assert [row["genre"] for row in legend][-2:] == ["mix", "unknown"]
        said = api.post("review/all", json={"verdict": "reject", "filter": {"genre": "mix"}})
        assert said.status_code == 202
        seen = api.get("map").json()
        kinds = [[None, *seen["genres"]][index] for index in b64decode(seen["genre"])]
        assert kinds == ["blues", "mix", None]
