"""One track over HTTP: reasons, its most typical seconds, its cover, and what sounds like it."""

import itertools
import json
import shutil
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

import mutagen.id3
from fastapi import FastAPI
from fastapi.testclient import TestClient
from support.serving import fill_library

from tonearm.library.file_analysis import load_embed
from tonearm.library.file_tags import file_tags
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.serve.app import create_app
from tonearm.serve.opened import OpenedFile

EXAMPLES = Path(__file__).parents[1] / "examples"
SONG = EXAMPLES / "midnight_walk.mp3"
COVER = b"\x89PNG\r\n\x1a\n" + b"cover" * 300


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Two songs that are there, the first with a cover, and 60 made-up tracks."""
    folder = tmp_path_factory.mktemp("tracks")
    music = folder / "music"
    music.mkdir()
    for name in ("midnight_walk.mp3", "gravel_and_honey.wav"):
        shutil.copy(EXAMPLES / name, music)
    tags = mutagen.id3.ID3(music / SONG.name)
    tags.add(mutagen.id3.APIC(mime="text/html", type=3, desc="", data=COVER))
    tags.save()
    path = folder / "library.sqlite"
    with Library(path, write=True) as library:
        embed = partial(load_embed, None)
        model = model_file.load(None)
        scan(library, [music], model=model, make_embed=embed, read_tags=file_tags, jobs=1)
    fill_library(path, 60)
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        rows = client.get("/api/v1/tracks?limit=100").json()["tracks"]
        client.ids = {row["name"]: row["id"] for row in rows}
        yield client


def test_reasons_are_of_the_very_answer_that_is_shown(client):
    number = client.ids[SONG.name]
    prediction = client.get(f"/api/v1/tracks/{number}/timeline").json()
    got = client.get(f"/api/v1/tracks/{number}/reasons").json()
    ranked = list(prediction["probabilities"])
    assert [got["genre"], got["against"]] == ranked[:2] and got["id"] == number
    expected = Classifier.load().predict(SONG, timeline=True, tags=True, reasons=True)
    assert got == {"schema": 2, "id": number, **json.loads(json.dumps(expected.reasons.to_dict()))}
    assert got["tags"] and got["bands"]
    starts = sorted(window["start_s"] for window in got["windows"])
    assert len(starts) == 3 and min(b - a for a, b in itertools.pairwise(starts)) > 2.9
    plain = Classifier.load().predict(SONG, timeline=True, tags=True)
    assert prediction["probabilities"] == plain.probabilities, "asking why changes no answer"


def test_reasons_of_an_upload(client):
    for accept in ("*/*", "application/x-ndjson"):
        with SONG.open("rb") as file:
            answer = client.post(
                "/api/v1/predict?reasons=true", files={"file": file}, headers={"accept": accept}
            )
        values = {}
        for line in answer.text.splitlines():
            values |= json.loads(line)
        assert values["reasons"]["genre"] == "jazz"


def test_a_network_has_no_reasons_and_says_so(client, monkeypatch):
    number = client.ids["gravel_and_honey.wav"]
    service = client.app.state.service
    real = service.analyst.predict

    def without(path, options, *, on_progress):
        return real(path, {**options, "reasons": False}, on_progress=on_progress)

    monkeypatch.setattr(service.analyst, "predict", without)
    answer = client.get(f"/api/v1/tracks/{number}/reasons")
    assert answer.status_code == 409 and "has no tags to explain" in answer.json()["detail"]


def test_the_typical_seconds_lie_in_the_track_where_windows_know_them(client):
    number = client.ids[SONG.name]
    track = client.get(f"/api/v1/tracks/{number}").json()
    begin, end = track["typical_s"]
    assert 0 <= begin < end <= track["duration_s"] and end - begin == pytest.approx(15)
    # Made-up tracks keep no times of their windows.
    assert client.get(f"/api/v1/tracks/{client.ids['000001.mp3']}").json()["typical_s"] is None


@pytest.mark.parametrize("after", [b"new" * 90_000, b"short"])
def test_a_file_that_is_replaced_while_it_is_sent_is_sent_as_it_was(tmp_path, after):
    path = tmp_path / "a.wav"
    path.write_bytes(b"old" * 60_000)
    app = FastAPI()

    @app.get("/")
    def audio():
        answer = OpenedFile(path, media_type="audio/wav", headers={})
        # As a genre is written: between its length and its bytes.
        fresh = tmp_path / "fresh"
        fresh.write_bytes(after)
        fresh.replace(path)
        return answer

    with TestClient(app) as client:
        for headers, expected in (({}, 180_000), ({"range": "bytes=30000-39999"}, 10_000)):
            path.write_bytes(b"old" * 60_000)
            answer = client.get("/", headers=headers)
            assert answer.content == (b"old" * 60_000)[:expected]
            assert answer.headers["content-length"] == str(expected)


def test_a_cover_is_an_image_by_its_bytes_and_not_sent_twice(client):
    url = f"/api/v1/tracks/{client.ids[SONG.name]}/cover"
    answer = client.get(url)
    assert answer.content == COVER and answer.headers["content-type"] == "image/png"
    assert answer.headers["x-content-type-options"] == "nosniff"
    again = client.get(url, headers={"if-none-match": answer.headers["etag"]})
    assert again.status_code == 304 and again.content == b""
    assert client.get(f"/api/v1/tracks/{client.ids['000001.mp3']}/cover").status_code == 204
    assert [client.get(f"{url}?most_kb={kb}").status_code for kb in (1, 2)] == [204, 200]
    with (Path(client.app.state.service.library_path).parent / "music" / SONG.name).open(
        "rb"
    ) as file:
        lines = client.post(
            "/api/v1/predict?quick=true",
            files={"file": file},
            headers={"accept": "application/x-ndjson"},
        ).text.splitlines()
    about = next(json.loads(line)["about"] for line in lines if line.startswith('{"about"'))
    assert about["title"] == "Midnight Walk"
    assert about["cover"].startswith("data:image/png;base64,")


def test_the_nearest_of_a_genre_however_far_it_is(client):
    number = client.ids[SONG.name]
    rows = client.get(f"/api/v1/similar/{number}?count=3&genre=Hip-Hop").json()["tracks"]
    assert rows and {row["genre"] for row in rows} == {"hiphop"}
    likeness = [row["similarity"] for row in rows]
    assert likeness == sorted(likeness, reverse=True)
    everything = client.get(f"/api/v1/similar/{number}?count=60").json()["tracks"]
    best = next(row for row in everything if row["genre"] == "hiphop")
    assert best["id"] == rows[0]["id"]
    assert client.get(f"/api/v1/similar/{number}?genre=polka").status_code == 422


@pytest.mark.parametrize(
    ("wanted", "status"), [("bytes=5-2", 400), ("bytes=a-b", 400), ("bytes=999999999-", 416)]
)
def test_a_range_that_there_is_not_is_a_problem(client, wanted, status):
    where = f"/api/v1/tracks/{client.ids[SONG.name]}/audio"
    answer = client.get(where, headers={"range": wanted})
    assert answer.status_code == status == answer.json()["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert ("content-range" in answer.headers) is (status == 416)
    head = client.head(where, headers={"range": wanted})
    assert (head.status_code, head.content) == (status, b"")
