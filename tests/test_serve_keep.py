"""Keeping a dropped file in the library: copied under its own name, never over another, once."""

from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from support.small_files import music, wav
from test_serve_api import run_job

from tonearm.serve.app import create_app

URL = "/api/v1/library/files"
RAW = {"content-type": "application/octet-stream"}


@pytest.fixture
def client(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    app = create_app(tmp_path / "library.sqlite", folders=[folder])
    with TestClient(app, base_url="http://127.0.0.1") as client:
        client.folder = folder
        yield client


@pytest.fixture
def song(tmp_path):
    return wav(tmp_path / "song.wav", music(0, 2)).read_bytes()


def keep(client, name, data, query=""):
    return client.post(f"{URL}?name={name}{query}", content=data, headers=RAW)


def test_a_file_is_kept_scanned_and_then_known(client, song):
    first = keep(client, "song.wav", song)
    assert first.status_code == 201
    path = Path(first.json()["path"])
    assert path == client.folder / "Tonearm" / "song.wav" and path.read_bytes() == song
    assert run_job(client, "/api/v1/scan")["analysed"] == 1
    again = keep(client, "other name.wav", song)
    assert again.status_code == 200 and again.json() == {
        "schema": 2,
        "path": str(path),
        "kept": False,
    }
    assert [*path.parent.iterdir()] == [path], "no second copy, and nothing half-written"


def test_a_song_that_no_scan_has_seen_is_not_kept_twice(client, song):
    first = keep(client, "song.wav", song)
    again = keep(client, "again.wav", song)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {**first.json(), "kept": False}
    path = Path(first.json()["path"])
    assert [*path.parent.iterdir()] == [path]
    path.unlink()
    assert keep(client, "again.wav", song).json()["kept"], "somebody deleted the first one"


def test_no_file_is_replaced_and_names_are_harmless(client, tmp_path):
    there = client.folder / "Tonearm" / "song.wav"
    there.parent.mkdir()
    there.write_bytes(b"somebody's own")
    names = ("song.wav", "..%2F..%2Fetc%2Fsong.wav", "%2E%2Ehidden.wav", "a%3Ab%00c.wav")
    songs = [wav(tmp_path / "song.wav", music(i, 2)).read_bytes() for i in range(len(names))]
    paths = [
        Path(keep(client, name, song).json()["path"]).relative_to(client.folder)
        for name, song in zip(names, songs, strict=True)
    ]
    assert there.read_bytes() == b"somebody's own"
    assert [str(path) for path in paths] == [
        "Tonearm/song (2).wav",
        "Tonearm/song (3).wav",
        "Tonearm/_hidden.wav",
        "Tonearm/a_b_c.wav",
    ]


def test_what_cannot_be_kept_is_said(client, song, tmp_path):
    assert keep(client, "letter.txt", song).status_code == 422
    assert keep(client, "song.wav", song, "&folder=7").status_code == 409
    (client.folder / "Tonearm").write_text("a file is in the way")
    refused = keep(client, "song.wav", song)
    assert refused.status_code == 507 and "cannot be written" in refused.json()["detail"]
    with TestClient(create_app(tmp_path / "no.sqlite"), base_url="http://127.0.0.1") as other:
        assert "tonearm serve FOLDER" in keep(other, "song.wav", song).json()["detail"]
