"""What takes long runs as jobs; reviews of many keep what a person said; strict, plain HTTP."""

from __future__ import annotations

import gzip
import time

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from support.serving import fill_library, fill_with_files
from support.small_files import wav
from support.waiting import wait_until
from test_serve_api import finished, post, run_job

from tonearm.library.file_tags import file_tags
from tonearm.library.store import FileStatus, Library
from tonearm.serve import jobs
from tonearm.serve.app import create_app
from tonearm.serve.results import Results
from tonearm.serve.tags import changed_genres

FILES = 300


@pytest.fixture
def many(tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 600)
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
def writable(tmp_path):
    """300 files of silence in a library that takes each for some genre."""
    path, folder = tmp_path / "library.sqlite", tmp_path / "music"
    fill_with_files(path, folder, FILES)
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        client.folder = folder
        yield client


def reviews(client):
    rows = client.get("/api/v1/tracks?limit=1000").json()["tracks"]
    return {row["id"]: row["review"] for row in rows}


def test_accepting_all_leaves_reviews_alone_and_one_undo_takes_it_back(many):
    post(many, "/api/v1/review", ids=[1], verdict="reject")
    post(many, "/api/v1/review", ids=[2], verdict="change", genre="blues")
    before = reviews(many)
    done = run_job(many, "/api/v1/review/all", verdict="accept")
    assert done["left_out"] == 2 and done["reviewed"] + done["skipped"] == 598
    after = reviews(many)
    assert after[1] == {"verdict": "reject", "genre": None}
    assert after[2] == {"verdict": "change", "genre": "blues"}
    undone = post(many, "/api/v1/review/undo")
    assert undone["tracks"] == done["reviewed"] and reviews(many) == before
    post(many, "/api/v1/review/undo")
    assert reviews(many)[2] is None and reviews(many)[1] is not None
    post(many, "/api/v1/review/undo")
    assert many.post("/api/v1/review/undo", json={}).status_code == 409


def test_reviewed_tracks_are_overwritten_only_when_asked(many):
    post(many, "/api/v1/review", ids=[1, 2], verdict="reject")
    done = run_job(many, "/api/v1/review/all", verdict="accept", reviewed_too=True)
    assert done["left_out"] == 0 and reviews(many)[1]["verdict"] == "accept"
    post(many, "/api/v1/review/undo")
    assert reviews(many)[1]["verdict"] == "reject"


@pytest.mark.parametrize("word", ["unknown", "Mix", "Other"])
def test_a_word_for_no_genre_is_none(many, word):
    for where, more in (("review", {"ids": [1]}), ("review/all", {})):
        said = {"verdict": "change", "genre": word, **more}
        answer = many.post(f"/api/v1/{where}", json=said)
        assert answer.status_code == 422 and "names no genre: reject" in answer.json()["detail"]
    assert reviews(many)[1] is None


def test_change_and_reject_work_for_all_that_meet_a_filter(many):
    chosen = {"genre": "Hip Hop"}
    total = many.get("/api/v1/tracks", params=chosen).json()["total"]
    done = run_job(many, "/api/v1/review/all", verdict="change", genre="Rap", filter=chosen)
    assert done["reviewed"] == total > 10
    assert sum(bool(review) for review in reviews(many).values()) == total
    done = run_job(many, "/api/v1/review/all", verdict="reject", filter=chosen, reviewed_too=True)
    assert done["reviewed"] == total


def test_writing_is_stopped_in_the_middle_and_gone_on_with(writable):
    run_job(writable, "/api/v1/review/all", verdict="change", genre="Blues")
    number = writable.post("/api/v1/tags/write", json={}).json()["job"]["id"]
    seen = []
    while not seen or (seen[-1]["state"] == "running" and seen[-1]["done"] < 20):
        seen.append(writable.get(f"/api/v1/jobs/{number}").json()["job"])
    assert seen[-1]["total"] == FILES
    assert writable.post("/api/v1/tags/write", json={}).status_code == 409, "one at a time"
    assert writable.delete(f"/api/v1/jobs/{number}").status_code == 200
    stopped = finished(writable, number)
    assert stopped["state"] == "stopped" and 0 < stopped["changed"] < FILES
    written = writable.get("/api/v1/tracks?tag=person").json()["total"]
    assert written == stopped["changed"]
    assert writable.get("/api/v1/jobs").json()["jobs"][0]["state"] == "stopped"
    rest = run_job(writable, "/api/v1/tags/write")
    assert rest["state"] == "done" and rest["changed"] == FILES - stopped["changed"]
    assert file_tags(str(writable.folder / "300.wav")).genres == ("Blues",)
    undone = run_job(writable, "/api/v1/tags/undo")
    assert undone["changed"] == rest["changed"]


def test_writing_keeps_to_selection_filter_groups_and_policy(writable):
    run_job(writable, "/api/v1/review/all", verdict="change", genre="Blues")
    post(writable, "/api/v1/review", ids=[7], verdict="change", genre="jazz")
    assert post(writable, "/api/v1/tags/plan", ids=[1, 2])["total"] == 2
    group = {"old": [], "new": ["Jazz"]}
    assert run_job(writable, "/api/v1/tags/write", groups=[group])["changed"] == 1
    post(writable, "/api/v1/review", ids=[7], verdict="change", genre="rock")
    plan = post(writable, "/api/v1/tags/plan", filter={"text": "7.wav"}, policy="missing")
    assert all(change["id"] != 7 for change in plan["changes"])
    assert plan["counts"]["replace"] == plan["counts"]["missing"] + 1 and plan["replaced"] == 0
    plan = post(writable, "/api/v1/tags/plan", ids=[7], policy="replace")
    assert plan["replaced"] == 1
    assert plan["groups"] == [{"old": ["Jazz"], "new": ["Rock"], "count": 1, "replaces": True}]
    (change,) = post(writable, "/api/v1/tags/plan", ids=[7], policy="add")["changes"]
    assert change["new"] == ["Jazz", "Rock"]


@pytest.mark.parametrize(
    ("policy", "by_tonearm", "genres"),
    [
        ("missing", False, ["hip hop"]),
        ("missing", True, ["Hip-Hop"]),
        ("add", False, ["hip hop"]),
        ("add", True, ["Hip-Hop"]),
        ("replace", False, ["Hip-Hop"]),
        ("placeholder", False, ["Hip-Hop"]),
        ("part", False, ["Rock/Hip Hop"]),
    ],
)
def test_what_becomes_of_a_genre_that_is_there(policy, by_tonearm, genres):
    old = ["hip hop"]
    if policy == "placeholder":  # nobody chose it
        policy, old = "missing", ["Other"]
    if policy == "part":  # as `tonearm tag --policy add` has it
        policy, old = "add", ["Rock/Hip Hop"]
    assert changed_genres(old, "Hip-Hop", policy, by_tonearm=by_tonearm) == genres


def test_failed_files_are_found(many, tmp_path):
    with Library(tmp_path / "library.sqlite", write=True) as library:
        error = ("not-audio", "is no audio")
        library.put_track(b"/music/bad.mp3", FileStatus(1, 1, 1, 1, 1), file_tags("x"), error=error)
    (row,) = many.get("/api/v1/tracks?state=failed").json()["tracks"]
    assert row["error"] == {"kind": "not-audio", "message": "is no audio"}
    assert many.get("/api/v1/library").json()["failed"] == 1


def test_genres_in_any_spelling_and_no_unknown_parameters(many):
    total = many.get("/api/v1/tracks?genre=hiphop").json()["total"]
    assert total > 0
    for spelling in ("Hip-Hop", "hip hop", "HIPHOP"):
        assert many.get("/api/v1/tracks", params={"genre": spelling}).json()["total"] == total
    response = many.get("/api/v1/tracks?genr=jazz")
    assert response.status_code == 422 and "genr" in response.json()["detail"]
    assert many.post("/api/v1/tags/plan", json={"polcy": "add"}).status_code == 422


def test_rows_say_where_a_track_is_and_all_probabilities(many):
    row = many.get("/api/v1/tracks").json()["tracks"][0]
    assert row["path"].startswith("/music/") and {"album", "album_artist", "folder"} <= set(row)
    assert abs(sum(row["probabilities"].values()) - 1) < 0.01


def test_head_answers_without_a_body(many):
    for path in ("/", "/api/v1/tracks", "/api/v1/events", "/static/app.js"):
        get_type = many.head(path)
        assert get_type.status_code == 200 and get_type.content == b"", path
    assert many.head("/api/v1/tracks/99999").status_code == 404
    assert many.head("/api/v1/tracks").headers["content-type"] == "application/json"


def test_lists_are_compressed_and_sound_is_not(many, tmp_path):
    with many.stream("GET", "/api/v1/tracks", headers={"accept-encoding": "gzip"}) as response:
        data = b"".join(response.iter_raw())
    assert response.headers["content-encoding"] == "gzip"
    assert len(data) * 4 < len(gzip.decompress(data))
    file = wav(tmp_path / "a.wav", np.zeros((8_000, 1), dtype=np.float32))
    with Library(tmp_path / "library.sqlite", write=True) as library:
        library.put_track(str(file).encode(), FileStatus.of(file.stat()), file_tags(str(file)))
    number = 601
    response = many.get(f"/api/v1/tracks/{number}/audio", headers={"range": "bytes=0-3"})
    assert response.content == b"RIFF" and "content-encoding" not in response.headers


def test_jobs_are_there_for_a_page_that_is_loaded_again(many):
    number = many.post("/api/v1/review/all", json={"verdict": "accept"}).json()["job"]["id"]
    assert many.get("/api/v1/jobs").json()["jobs"][0]["id"] == number
    assert many.get("/api/v1/jobs/999").status_code == 404
    begun = time.monotonic()
    assert finished(many, number)["state"] == "done"
    assert time.monotonic() - begun < 20


def test_a_full_disk_is_no_fault_of_tonearm():
    def work(_):
        raise OSError(28, "No space left on device", "/music/a.flac")

    job = jobs.Jobs().start("write", "Write genres", work, group=None)
    wait_until(lambda: job.state is jobs.JobState.failed)
    assert job.message == "/music/a.flac: No space left on device"


def test_a_thousand_streams_share_one_list(monkeypatch):
    made = []
    monkeypatch.setattr(jobs, "to_bytes", lambda values: made.append(values) or b"{}")
    kept = jobs.Jobs()
    for _ in range(1_000):
        kept.encoded()
    assert len(made) <= 5  # 1, unless this machine is very slow
    kept.start("scan", "Scan", lambda _: {}, group=None)
    kept.encoded()
    assert made[-1]["jobs"], "a job that was just started is shown at once"


def test_predictions_of_a_job_that_was_forgotten_are_none(tmp_path):
    kept = Results(tmp_path / "predictions.jsonl")
    kept.add(b"{}")
    assert kept.page(0, 5) == [b"{}"]
    kept.remove()
    assert kept.page(0, 5) == []
