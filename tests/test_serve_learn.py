"""Learning on the page: what corrections bring, adopting a model, and going back, as jobs."""

import threading
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from support.serving import fill_library
from test_serve_api import finished, post, run_job

from tonearm.library.store import Library
from tonearm.model.batch import Options
from tonearm.model.classifier import Classifier
from tonearm.serve.analysis import Analyst
from tonearm.serve.app import create_app

SONG = Path(__file__).parents[1] / "examples" / "midnight_walk.mp3"
TRACKS = 120


@pytest.fixture
def client(tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, TRACKS)
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        client.path = path
        yield client


def test_too_few_corrections_end_in_a_sentence(client):
    assert client.get("/api/v1/learn").json()["corrections"] == 0
    post(client, "/api/v1/review", ids=[1, 2], verdict="change", genre="jazz")
    state = client.get("/api/v1/learn").json()
    assert (state["corrections"], state["needed"], state["proposal"]) == (2, 10, None)
    done = run_job(client, "/api/v1/learn")
    assert done["state"] == "failed" and "but 10 are needed" in done["message"]
    assert client.post("/api/v1/learn/adopt", json={"job": 1}).status_code == 409
    assert client.post("/api/v1/learn/revert").status_code == 409


def test_learn_see_what_changes_adopt_and_go_back(client):
    post(client, "/api/v1/review", ids=[*range(1, 31)], verdict="change", genre="Chanson")
    before = client.get("/api/v1/tracks?limit=1000").json()["tracks"]
    job = client.post("/api/v1/learn").json()["job"]["id"]
    seen = finished(client, job)
    assert seen["state"] == "done", seen
    assert seen["n"] == 30 and seen["before"] == 0 and seen["difference"]["mean"] == seen["after"]
    assert client.get("/api/v1/tracks?limit=1000").json()["tracks"] == before, "nothing is written"
    assert [*client.path.parent.glob("*.tonearm")] == []
    # However many jobs ended since: that of the model may be forgotten by then.
    for _ in range(2):  # the second time all of the first have ended
        jobs = client.app.state.service.jobs
        others = [jobs.start("review", "Nothing", lambda _: {}, group=None) for _ in range(60)]
        finished(client, others[-1].number)
    assert client.get(f"/api/v1/jobs/{job}").status_code == 404
    assert client.get("/api/v1/learn").json()["proposal"]["id"] == job

    adopted = run_job(client, "/api/v1/learn/adopt", job=job)
    assert adopted["state"] == "done" and adopted["reclassified"] == TRACKS, adopted
    after = client.get("/api/v1/tracks?limit=1000").json()["tracks"]
    changed = sum(a["genre"] != b["genre"] for a, b in zip(before, after, strict=True))
    assert changed == seen["changed"] == sum(row["count"] for row in seen["changes"])
    health = client.get("/api/v1/health").json()
    assert health["model"].endswith("+") and "Chanson" in health["labels"]
    with SONG.open("rb") as file:
        answer = client.post("/api/v1/predict", files={"file": file}).json()
    assert "Chanson" in answer["probabilities"], "the workers have it too"
    (saved,) = client.path.parent.glob("*.tonearm")
    assert (
        Classifier.load(saved).predict(SONG).to_dict()["probabilities"] == (answer["probabilities"])
    )
    with Library(client.path) as library:
        assert library.model_path() == str(saved), "a later scan goes on with it"

    assert client.get("/api/v1/learn").json()["proposal"] is None
    reverted = run_job(client, "/api/v1/learn/revert")
    assert reverted["reclassified"] == TRACKS
    rows = client.get("/api/v1/tracks?limit=1000").json()["tracks"]
    assert all("Chanson" not in row["probabilities"] for row in rows)
    assert client.get("/api/v1/learn").json()["built_in"] is True


def test_a_file_in_progress_ends_with_the_model_it_began_with():
    analyst = Analyst(Classifier.load())
    begun, go_on, results = threading.Event(), threading.Event(), []
    options = Options(count=2, timeline=False, tags=False)

    def on_progress(_):
        begun.set()
        go_on.wait(20)

    thread = threading.Thread(
        target=lambda: results.append(analyst.predict(SONG, options, on_progress=on_progress))
    )
    thread.start()
    assert begun.wait(20)
    analyst.use(Classifier.load())
    go_on.set()
    thread.join(20)
    assert results[0].genre == "jazz"
    assert analyst._idle == [], "the worker of the old model is not kept"
    assert analyst.predict(SONG, options, on_progress=lambda _: None).genre == "jazz"
    analyst.close()
