"""The HTTP API: the same answers as the command line, the library's pages, reviews and tags."""

import base64
import json
import shutil
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

import mutagen
from fastapi.testclient import TestClient
from support.serving import fill_library
from support.small_files import music, wav
from support.sounds import write_sndfile

from tonearm.errors import DecodeError
from tonearm.features import MUSICNN_SPEC
from tonearm.library.file_analysis import load_embed
from tonearm.library.file_tags import file_tags
from tonearm.library.reviews import corrections
from tonearm.library.scan import scan
from tonearm.library.store import Library
from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier
from tonearm.serve.analysis import Analyst
from tonearm.serve.app import create_app
from tonearm.serve.spectrogram import picture

EXAMPLES = Path(__file__).parents[1] / "examples"
LINES = {"accept": "application/x-ndjson"}


@pytest.fixture
def folder(tmp_path):
    music_folder = tmp_path / "music"
    shutil.copytree(EXAMPLES, music_folder, ignore=shutil.ignore_patterns("*.md"))
    return music_folder


@pytest.fixture
def client(tmp_path, folder):
    path = tmp_path / "library.sqlite"
    with Library(path, write=True) as library:
        embed = partial(load_embed, None)
        scan(
            library,
            [folder],
            model=model_file.load(None),
            make_embed=embed,
            read_tags=file_tags,
            jobs=1,
        )
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        client.library_path = path
        yield client


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    path = tmp_path_factory.mktemp("none") / "library.sqlite"
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        yield client


def ids(client):
    return {row["name"]: row["id"] for row in client.get("/api/v1/tracks").json()["tracks"]}


def run_job(client, path, **values):
    """Start a job and wait for its end; its result with its state."""
    response = client.post(path, json=values)
    assert response.status_code == 202, response.text
    number = response.json()["job"]["id"]
    return finished(client, number)


def finished(client, number):
    while (job := client.get(f"/api/v1/jobs/{number}").json()["job"])["state"] == "running":
        time.sleep(0.02)
    return {"state": job["state"], "message": job["message"], **job["result"]}


def post(client, path, **values):
    response = client.post(path, json=values)
    assert response.status_code == 200, response.text
    return response.json()


@pytest.mark.parametrize("options", ["", "?timeline=true&tags=true", "?windows=2", "?windows=all"])
def test_predict_is_the_command_lines_answer(empty, options):
    path = EXAMPLES / "midnight_walk.mp3"
    words = dict(part.split("=") for part in options[1:].split("&") if part)
    count = words.get("windows")
    expected = (
        Classifier.load()
        .predict(
            path,
            timeline="timeline" in words,
            tags="tags" in words,
            count=int(count) if count and count != "all" else count,
        )
        .to_dict()
    )
    got = empty.post(f"/api/v1/predict{options}", files={"file": path.open("rb")}).json()
    assert got == {**expected, "path": "midnight_walk.mp3"}


def test_lines_tell_progress_then_answer_then_picture(empty):
    file = {"file": (EXAMPLES / "midnight_walk.mp3").open("rb")}
    response = empty.post("/api/v1/predict?timeline=true&draw=true", files=file, headers=LINES)
    values = [json.loads(line) for line in response.text.splitlines()]
    kinds = [next(iter(value)) for value in values]
    assert kinds[0] == "progress" and kinds[-1] == "picture" and kinds.count("answer") == 1
    drawn = values[-1]["picture"]
    levels = base64.b64decode(drawn["levels"])
    assert len(levels) == drawn["columns"] * drawn["bands"]


def test_bad_file_is_a_problem_with_the_command_lines_error(empty):
    response = empty.post("/api/v1/predict", files={"file": ("song.mp3", b"no music")})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    values = response.json()
    assert values["kind"] == "unreadable" and values["error"]["kind"] == "not-audio"
    assert values["path"] == "song.mp3" and "tonearm-serve" not in response.text


def test_picture_puts_a_tone_in_its_band_and_time(tmp_path):
    rate = 16_000
    t = np.arange(4 * rate) / rate
    tone = np.where(t < 2, 0, np.sin(2 * np.pi * 1_000 * t) * 0.5).astype(np.float32)
    drawn = picture(wav(tmp_path / "tone.wav", tone, rate_hz=rate), MUSICNN_SPEC)
    columns, bands = drawn.levels.shape
    assert (columns, bands) == (80, 48)
    assert drawn.levels[:38].max() == 0
    # 1 kHz is mel 15 of 45.2 up to 8 kHz: a third of the way up.
    assert abs(int(drawn.levels[60].argmax()) - 15 / 45.2 * 48) <= 1
    assert drawn.peaks[:38].max() == 0 and abs(int(drawn.peaks[60]) - 128) <= 2
    odd = picture(tmp_path / "tone.wav", replace(MUSICNN_SPEC, mel_bands=95))
    assert odd.levels.shape == (80, 48)
    assert abs(int(odd.levels[60].argmax()) - 15 / 45.2 * 47.5) <= 1


def test_without_a_library(empty):
    assert empty.get("/api/v1/library").json()["exists"] is False
    assert empty.get("/api/v1/tracks").status_code == 409
    assert empty.get("/api/v1/tracks").json()["kind"] == "library"
    assert empty.get("/api/v1/health").json()["status"] == "ok"
    assert empty.post("/api/v1/scan").status_code == 409
    assert empty.post("/api/v1/scan", json={}).status_code == 409
    # Nobody's folder is scanned by a request, and none is ignored either.
    refused = empty.post("/api/v1/scan", json={"folder": "/music"})
    assert refused.status_code == 422 and "folder" in refused.json()["detail"]


def test_pages_filters_and_order(tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 600)
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:

        def found(**query):
            return client.get("/api/v1/tracks", params={"limit": 1_000, **query}).json()

        everything = found()
        assert everything["total"] == len(everything["tracks"]) == 600
        pieces = [found(limit=200, offset=at)["tracks"] for at in (0, 200, 400)]
        assert [row for piece in pieces for row in piece] == everything["tracks"]
        rows = everything["tracks"]
        jazz = [row["id"] for row in rows if row["genre"] == "jazz"]
        assert [row["id"] for row in found(genre="jazz")["tracks"]] == jazz
        unknown = [row["id"] for row in rows if row["genre"] is None]
        assert [row["id"] for row in found(genre="unknown")["tracks"]] == unknown
        # As `tonearm list` refuses it.
        refused = client.get("/api/v1/tracks", params={"genre": "polka"})
        assert refused.status_code == 422 and "no genre 'polka'" in refused.json()["detail"]
        bare = [row["id"] for row in rows if not row["genres"]]
        assert client.get("/api/v1/track-ids", params={"tag": "none"}).json()["ids"] == bare
        odd = [
            row["id"]
            for row in rows
            if row["genres"] and row["genre"] and not row["by_tonearm"]
            if row["genres"][0].lower() != row["genre"]
        ]
        assert odd and [row["id"] for row in found(disagree=True)["tracks"]] == odd
        seen = client.get("/api/v1/library").json()
        assert (seen["disagreeing"], seen["untagged"]) == (len(odd), len(bare))
        confidences = [
            row["confidence"] for row in found(sort="confidence", descending=True)["tracks"]
        ]
        assert confidences == sorted(confidences, reverse=True)
        assert found(min_confidence=0.5, max_confidence=0.6)["total"] == sum(
            0.5 <= row["confidence"] <= 0.6 for row in rows
        )
        assert found(text="100%")["total"] == 0
        assert found(text="MARA")["total"] == sum(row["artist"] == "Mara Quist" for row in rows)


def test_one_track(client, folder):
    number = ids(client)["midnight_walk.mp3"]
    track = client.get(f"/api/v1/tracks/{number}").json()
    assert track["path"] == str(folder / "midnight_walk.mp3") and track["genre"] == "jazz"
    expected = (
        Classifier.load().predict(folder / "midnight_walk.mp3", timeline=True, tags=True).to_dict()
    )
    assert client.get(f"/api/v1/tracks/{number}/timeline").json() == expected
    drawn = client.get(f"/api/v1/tracks/{number}/picture").json()
    assert drawn["duration_s"] == pytest.approx(track["duration_s"], abs=0.1)
    alike = client.get(f"/api/v1/similar/{number}?count=3").json()["tracks"]
    assert len(alike) == 3 and number not in [row["id"] for row in alike]


def test_a_failure_is_not_remembered_and_a_changed_file_is_analysed_again(client, folder):
    number = ids(client)["midnight_walk.mp3"]
    path, away = folder / "midnight_walk.mp3", folder / "away"
    urls = [f"/api/v1/tracks/{number}/timeline", f"/api/v1/tracks/{number}/picture"]
    path.rename(away)
    for url in urls:
        response = client.get(url)
        assert response.status_code == 422 and response.json()["kind"] == "unreadable"
    path.write_bytes(b"no music")
    assert [client.get(url).status_code for url in urls] == [422, 422]
    away.rename(path)
    found = [client.get(url).json() for url in urls]
    path.write_bytes((folder / "gravel_and_honey.wav").read_bytes())  # the library's row is old now
    changed = [client.get(url).json() for url in urls]
    assert all(
        old["duration_s"] != new["duration_s"] for old, new in zip(found, changed, strict=True)
    )


def test_a_disk_that_failed_while_a_file_was_read_is_asked_again(client, monkeypatch):
    url = f"/api/v1/tracks/{ids(client)['midnight_walk.mp3']}/timeline"

    def failing(_analyst, path, *_, **_options):
        return DecodeError(path, "unreadable", "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Analyst, "predict", failing)
        assert client.get(url).status_code == 422
    assert client.get(url).status_code == 200


def test_audio_by_ranges(client, folder):
    number = ids(client)["midnight_walk.mp3"]
    data = (folder / "midnight_walk.mp3").read_bytes()
    url = f"/api/v1/tracks/{number}/audio"
    whole = client.get(url)
    assert whole.content == data and whole.headers["content-type"] == "audio/mpeg"
    part = client.get(url, headers={"range": "bytes=1000-1999"})
    assert part.status_code == 206 and part.content == data[1000:2000]
    beyond = client.get(url, headers={"range": f"bytes={len(data) + 5}-"})
    assert beyond.status_code == 416
    (folder / "midnight_walk.mp3").unlink()
    gone = client.get(url)
    assert gone.status_code == 422 and gone.json()["kind"] == "unreadable"


def test_review_write_undo(client, folder):
    found = ids(client)
    names = list(found)
    before = {name: mutagen.File(folder / name, easy=False).pprint() for name in names}
    accepted, changed, rejected = names[:3]
    post(client, "/api/v1/review", ids=[found[accepted]], verdict="accept")
    post(client, "/api/v1/review", ids=[found[changed]], verdict="change", genre="Bebop")
    post(client, "/api/v1/review", ids=[found[rejected]], verdict="reject")
    assert client.get("/api/v1/tracks?review=accept").json()["total"] == 1
    assert client.get("/api/v1/tracks?review=none").json()["total"] == len(names) - 3
    changes = post(client, "/api/v1/tags/plan", policy="replace")["changes"]
    plan = {row["name"]: row["new"] for row in changes}
    assert plan[changed] == ["Bebop"] and rejected not in plan
    done = run_job(client, "/api/v1/tags/write", policy="replace")
    assert done["failed"] == [] and done["changed"] == len(plan)
    tags = file_tags(str(folder / changed))
    assert tags.genres == ("Bebop",) and not tags.by_tonearm
    row = client.get(f"/api/v1/tracks/{found[changed]}").json()
    assert row["genres"] == ["Bebop"] and row["review"] == {"verdict": "change", "genre": "Bebop"}
    assert post(client, "/api/v1/tags/plan", policy="replace")["changes"] == []
    undone = run_job(client, "/api/v1/tags/undo")
    assert undone["failed"] == [] and undone["changed"] == len(plan)
    after = {name: mutagen.File(folder / name, easy=False).pprint() for name in names}
    assert after == before
    runs = client.get("/api/v1/tags/history").json()["runs"]
    assert [run["undoes"] for run in runs] == [done["run"], None]
    answer = client.get("/api/v1/tags/history?offset=1&limit=1").json()
    assert (answer["total"], answer["runs"], answer["next"]) == (2, runs[1:], None)
    assert client.post("/api/v1/tags/undo", json={}).status_code == 409


def test_the_map_shows_the_tracks_that_the_list_shows(tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 30)
    with Library(path, write=True) as library:
        library.write("INSERT INTO roots VALUES (?)", [[b"/music/away"]])
        library.write("UPDATE tracks SET path = CAST('/music/away/1.mp3' AS BLOB) WHERE id = 1")
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        # One is in a folder that is offline.
        assert client.get("/api/v1/map").json()["total"] == 29
        assert client.get("/api/v1/tracks").json()["total"] == 29


def test_an_undo_while_the_disk_is_offline_leaves_it_to_be_undone(client, folder):
    number = ids(client)["midnight_walk.mp3"]
    post(client, "/api/v1/review", ids=[number], verdict="change", genre="Bebop")
    run = run_job(client, "/api/v1/tags/write", policy="replace")["run"]
    assert client.get("/api/v1/tags/history").json()["next"] == run
    folder.rename(folder.with_name("away"))
    assert len(run_job(client, "/api/v1/tags/undo")["failed"]) == 1
    folder.with_name("away").rename(folder)
    assert client.get("/api/v1/tags/history").json()["next"] == run
    assert run_job(client, "/api/v1/tags/undo")["changed"] == 1


def test_writing_leaves_a_changed_file_alone(client, folder):
    number = ids(client)["midnight_walk.mp3"]
    post(client, "/api/v1/review", ids=[number], verdict="change", genre="Bebop")
    with (folder / "midnight_walk.mp3").open("ab") as file:
        file.write(b"\0" * 100)
    done = run_job(client, "/api/v1/tags/write", ids=[number], policy="replace")
    assert done["changed"] == 0 and "changed since the scan" in done["failed"][0]["reason"]


def test_a_review_stays_with_the_sound_and_can_be_learnt_from(client, folder):
    number = ids(client)["midnight_walk.mp3"]
    post(client, "/api/v1/review", ids=[number], verdict="change", genre="blues")
    (folder / "midnight_walk.mp3").rename(folder / "moved.mp3")
    run_job(client, "/api/v1/scan")
    assert client.get("/api/v1/tracks?review=change").json()["tracks"][0]["name"] == "moved.mp3"
    with Library(client.library_path) as library:
        (learnt,) = corrections(library, encoder=Classifier.load().model.encoder_sha256)
        assert corrections(library, encoder="another of as many dimensions") == []
    assert learnt.genre == "blues" and learnt.windows.shape[1] == 50
    assert post(client, "/api/v1/review", ids=[number], verdict="clear")["reviewed"] == [number]
    assert client.get("/api/v1/tracks?review=any").json()["tracks"][0]["review"] is None


def test_genres_of_ones_own_are_those_of_reviews_the_commonest_first(client):
    def own():
        return client.get("/api/v1/genres").json()["own"]

    assert own() == []
    first, second, third = (row["id"] for row in client.get("/api/v1/tracks").json()["tracks"][:3])
    post(client, "/api/v1/review", ids=[first], verdict="change", genre="es")
    post(client, "/api/v1/review", ids=[second, third], verdict="change", genre="trip-hop")
    trip_hop = {"genre": "trip-hop", "name": "Trip-Hop"}
    assert own() == [trip_hop, {"genre": "es", "name": "Es"}]
    post(client, "/api/v1/review", ids=[first], verdict="change", genre="Hip Hop")
    assert own() == [trip_hop], "hip-hop is a genre of the model"


def test_a_known_genre_is_kept_by_its_name_however_it_was_typed(client):
    number = ids(client)["midnight_walk.mp3"]
    for typed, kept, written in (
        ("Hip Hop", "hiphop", "Hip-Hop"),
        ("trip-hop", "trip-hop", "Trip-Hop"),
    ):
        post(client, "/api/v1/review", ids=[number], verdict="change", genre=typed)
        assert client.get(f"/api/v1/tracks/{number}").json()["review"]["genre"] == kept
        (change,) = post(client, "/api/v1/tags/plan", policy="replace")["changes"]
        assert change["new"] == [written]


@pytest.mark.parametrize(
    "said",
    [
        {"ids": [1], "verdict": "change"},
        {"ids": [1], "verdict": "accept", "genre": "jazz"},
        {"ids": [1], "verdict": "change", "genre": "a;b"},
        {"ids": [1], "verdict": "change", "genre": " "},
        {"ids": ["/etc/passwd"], "verdict": "accept"},
        {"ids": [0], "verdict": "accept"},
        {"ids": [2**70], "verdict": "accept"},
    ],
)
def test_bad_reviews(empty, said):
    response = empty.post("/api/v1/review", json=said)
    assert response.status_code == 422 and response.json()["kind"]


def test_scan_tells_its_progress(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    for i in range(6):
        wav(folder / f"{i}.wav", music(i, 4))
    (folder / "bad.mp3").write_bytes(b"no music")
    app = create_app(tmp_path / "library.sqlite", folders=[folder])
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert client.get("/api/v1/scan").json()["folders"] == [str(folder)]
        number = client.post("/api/v1/scan").json()["job"]["id"]
        assert client.post("/api/v1/scan").status_code == 409
        last = finished(client, number)
        assert (last["analysed"], last["done"], len(last["failures"])) == (6, 7, 1)
        assert client.get("/api/v1/scan").json()["job"]["state"] == "done"
        assert client.get("/api/v1/tracks").json()["total"] == 7


def test_predictions_leave_the_page_responsive(empty):
    """While other files are analysed, the health answers at once."""
    data = (EXAMPLES / "prelude_a_l_aube.flac").read_bytes()

    def hear():
        empty.post("/api/v1/predict?timeline=true&draw=true", files={"file": ("a.flac", data)})

    threads = [threading.Thread(target=hear) for _ in range(8)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        begun = time.monotonic()
        assert empty.get("/api/v1/health").status_code == 200
        slowest = max(slowest, time.monotonic() - begun)
    assert slowest < 3


def test_what_is_unknown_cannot_be_accepted(tmp_path):
    path = tmp_path / "library.sqlite"
    fill_library(path, 100)
    with TestClient(create_app(path), base_url="http://127.0.0.1") as client:
        rows = client.get("/api/v1/tracks").json()["tracks"]
        unknown = [row["id"] for row in rows if row["genre"] is None]
        done = post(client, "/api/v1/review", ids=[row["id"] for row in rows], verdict="accept")
        assert unknown and done["skipped"] == unknown
        assert len(done["reviewed"]) == 100 - len(unknown)
        kept = client.get("/api/v1/tracks?review=accept").json()["tracks"]
        assert all(row["review"]["genre"] == row["genre"] for row in kept)
        one = post(client, "/api/v1/review", ids=unknown[:1], verdict="change", genre="jazz")
        assert one["reviewed"] == unknown[:1]


def test_the_picture_of_silence_is_dark(tmp_path):
    path = write_sndfile(tmp_path / "silent.wav", np.zeros(48_000, np.float32), 16_000)
    spec = model_file.load(None).features
    assert not picture(path, spec).levels.any()
