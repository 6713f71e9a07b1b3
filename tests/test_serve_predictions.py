"""Predictions as jobs: of tracks by id or filter, and of a file that is the body itself."""

import shutil
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from support.small_files import music, wav
from test_serve_api import finished

from tonearm.library.file_analysis import load_embed
from tonearm.library.file_tags import file_tags
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.serve.app import create_app
from tonearm.serve.results import Results

SONG = Path(__file__).parents[1] / "examples" / "midnight_walk.mp3"
RAW = {"content-type": "audio/mpeg"}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Three short pieces and a song; one of the pieces is gone since the scan."""
    folder = tmp_path_factory.mktemp("predictions")
    pieces = [wav(folder / f"{i}.wav", music(i, 4)) for i in range(3)]
    shutil.copy(SONG, folder)
    path = folder / "library.sqlite"
    with Library(path, write=True) as library:
        embed = partial(load_embed, None)
        model = model_file.load(None)
        scan(library, [folder], model=model, make_embed=embed, read_tags=file_tags, jobs=1)
    pieces[1].unlink()
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        client.folder = folder
        yield client


def predictions(client, number, query=""):
    return client.get(f"/api/v1/jobs/{number}/predictions{query}").json()


def test_tracks_in_their_order_with_what_failed_as_a_row(client):
    rows = client.get("/api/v1/tracks?descending=true").json()["tracks"]
    ids = [row["id"] for row in rows]
    job = client.post("/api/v1/predict/tracks", json={"ids": ids, "tags": True}).json()["job"]
    done = finished(client, job["id"])
    assert (done["state"], done["predicted"], done["failed"]) == ("done", 3, 1)
    answer = predictions(client, job["id"])
    assert answer["total"] == 4 and [row["track"] for row in answer["predictions"]] == ids
    for track, row in zip(rows, answer["predictions"], strict=True):
        if track["name"] == "1.wav":
            assert row["prediction"]["error"]["kind"] == "missing"
        else:
            expected = Classifier.load().predict(track["path"], tags=True).to_dict()
            assert row["prediction"] == expected
    page = predictions(client, job["id"], "?offset=1&limit=2")["predictions"]
    assert [row["track"] for row in page] == ids[1:3]
    assert predictions(client, job["id"], "?offset=9")["predictions"] == []


def test_ids_that_are_no_tracks_are_named(client):
    known = client.get("/api/v1/tracks?limit=1").json()["tracks"][0]["id"]
    asked = client.post("/api/v1/predict/tracks", json={"ids": [999, known, 998]})
    assert asked.json()["job"]["title"] == "Analyse 1 track"
    done = finished(client, asked.json()["job"]["id"])
    assert (done["predicted"], done["skipped"]) == (1, [999, 998])


def test_without_a_library_nothing_is_begun_or_made(tmp_path):
    path = tmp_path / "library.sqlite"
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        for call in ("predict/tracks", "tags/plan", "tags/write"):
            answer = client.post(f"/api/v1/{call}", json={"ids": [1]})
            assert answer.status_code == 409 and "library" in answer.json()["detail"], call
    assert not path.exists()


def test_a_filter_chooses_and_other_jobs_have_no_predictions(client):
    job = client.post("/api/v1/predict/tracks", json={"filter": {"text": "midnight"}})
    number = job.json()["job"]["id"]
    assert finished(client, number)["predicted"] == 1
    review = client.post("/api/v1/review/all", json={"verdict": "clear"}).json()["job"]["id"]
    assert client.get(f"/api/v1/jobs/{review}/predictions").status_code == 409
    assert client.get("/api/v1/jobs/99/predictions").status_code == 404


def test_a_job_of_predictions_is_stopped_and_keeps_what_it_has(client):
    ids = [row["id"] for row in client.get("/api/v1/tracks").json()["tracks"]]
    many = {"ids": ids, "timeline": True}
    number = client.post("/api/v1/predict/tracks", json=many).json()["job"]["id"]
    client.delete(f"/api/v1/jobs/{number}")
    done = finished(client, number)
    assert done["state"] in {"stopped", "done"}
    assert predictions(client, number)["total"] == done["predicted"] + done["failed"]


def test_a_body_that_is_the_file_is_answered_as_a_form_is(client):
    expected = {**Classifier.load().predict(SONG).to_dict(), "path": "song.mp3"}
    url = "/api/v1/predict?name=C:%5Cmusic%5Csong.mp3"
    assert client.post(url, content=SONG.read_bytes(), headers=RAW).json() == expected
    job = client.post(f"{url}&background=true", content=SONG.read_bytes(), headers=RAW)
    assert job.status_code == 202
    number = job.json()["job"]["id"]
    assert finished(client, number)["predicted"] == 1
    (row,) = predictions(client, number)["predictions"]
    assert row == {"track": None, "prediction": expected}
    names = [path.name for path in client.app.state.service.uploads.folder.iterdir()]
    assert all(name.startswith("predictions-") for name in names), "uploads are gone"


def test_a_body_that_is_no_file_is_refused(client):
    assert client.post("/api/v1/predict", content=b"", headers=RAW).status_code == 422
    text = client.post("/api/v1/predict", content=b"{}", headers={"content-type": "text/plain"})
    assert text.status_code == 415
    noise = client.post("/api/v1/predict?name=a.mp3", content=b"no music", headers=RAW)
    assert noise.status_code == 422 and noise.json()["error"]["kind"] == "not-audio"


def test_results_are_pages_of_lines_and_their_file_goes(tmp_path):
    results = Results(tmp_path / "lines")
    for i in range(5):
        results.add(b"%d" % i)
    assert len(results) == 5
    assert results.page(0, 2) == [b"0", b"1"] and results.page(4, 9) == [b"4"]
    assert results.page(5, 1) == []
    results.remove()
    results.remove()
    assert not results.path.exists()
