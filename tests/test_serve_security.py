"""Who may use the server, what it takes, and what it leaves behind."""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from support.waiting import wait_until

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

from fastapi.testclient import TestClient
from support.serving import served
from support.small_files import wav

from tonearm.errors import TonearmError
from tonearm.library.store import FileStatus, FileTags, Library
from tonearm.serve.app import create_app
from tonearm.serve.guard import is_loopback
from tonearm.serve.uploads import Limits

FORM = {"Content-Type": "multipart/form-data; boundary=b"}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "library.sqlite"
    return create_app(path, limits=Limits(bytes_each=200_000, at_once=2, idle_s=0.5))


@pytest.fixture(scope="module")
def client(app):
    with TestClient(app, base_url="http://127.0.0.1:8137") as client:
        yield client


def left(app):
    return list(app.state.service.uploads.folder.iterdir())


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8137", "127.0.0.1:1", "[::1]:8137"])
def test_own_hosts(client, host):
    assert client.get("/api/v1/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.5:8137",
        "",
        "a:b:c",
        # What urlsplit takes apart must not pass for a name of this machine.
        "localhost@evil",
        "evil@localhost",
        "localhost/x",
        "localhost?x",
        "localhost#x",
        "localhost\\x",
    ],
)
def test_foreign_hosts(client, host):
    assert client.get("/api/v1/health", headers={"host": host}).status_code == 421
    assert client.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:9999"},
        {"origin": "https://127.0.0.1:8137"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},  # another server of this machine
        {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_other_pages_are_refused(client, headers, method):
    assert client.request(method, "/api/v1/scan", headers=headers).status_code == 403


def test_own_page_and_programs_are_not(client):
    own = {"origin": "http://127.0.0.1:8137", "sec-fetch-site": "same-origin"}
    assert client.post("/api/v1/tags/undo", json={}, headers=own).status_code == 409
    assert client.post("/api/v1/tags/undo", json={}).status_code == 409
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    assert client.post("/", headers=link).status_code == 403


@pytest.mark.parametrize("path", ["/", "/docs", "/static/app.js", "/api/v1/health", "/nothing"])
def test_every_answer_is_guarded(client, path):
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "access-control-allow-origin" not in headers


@pytest.mark.parametrize(
    "path",
    ["/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/api/v1/tracks/..%2f1"],
)
def test_no_way_out_of_the_static_folder(client, path):
    assert client.get(path).status_code in {404, 422}


def test_token(tmp_path):
    app = create_app(tmp_path / "l.sqlite", None, "secret", names={"music.lan"}, any_address=True)
    with TestClient(app, base_url="http://music.lan:8137", follow_redirects=False) as client:
        for path in ("/", "/api/v1/health", "/static/app.js", "/openapi.json", "/?token=wrong"):
            assert client.get(path).status_code == 401
        bearer = {"authorization": "Bearer secret"}
        assert client.get("/api/v1/health", headers=bearer).status_code == 200
        bad = {"authorization": "Bearer sécret".encode("latin-1")}
        assert client.get("/api/v1/health", headers=bad).status_code == 401
        entered = client.get("/?token=secret")
        assert entered.status_code == 303 and entered.headers["location"] == "/"
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie
        assert client.get("/api/v1/health").status_code == 200  # by the cookie
        assert client.get("/api/v1/health", headers={"host": "10.0.0.7:8137"}).status_code == 200
        assert client.get("/api/v1/health", headers={"host": "evil.example"}).status_code == 421


def test_a_token_of_odd_signs(tmp_path):
    app = create_app(tmp_path / "l.sqlite", None, "a b+é&€;")
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as client:
        assert client.get("/?token=a%20b%2B%C3%A9%26%E2%82%AC%3B").status_code == 303
        assert client.get("/api/v1/health").status_code == 200  # by the cookie


def test_an_empty_token_is_refused(tmp_path):
    with pytest.raises(TonearmError, match="empty token"):
        create_app(tmp_path / "l.sqlite", None, "")


def test_loopback_addresses():
    assert all(map(is_loopback, ("127.0.0.1", "::1", "localhost", "127.9.9.9")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "music.lan")))


def body(*parts, end=b"--b--\r\n"):
    return b"".join(b"--b\r\n" + part + b"\r\n" for part in parts) + end


def part(name, data, filename="a.mp3"):
    head = f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\n\r\n'
    return head.encode() + data


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (body(part("file", b"x" * 300_000)), 413),
        (body(part("file", b"x"), part("file", b"y")), 422),
        (body(part("other", b"x")), 422),
        (body(part("file", b"x"), end=b""), 400),
        (b"", 400),
        (b"no form at all", 400),
        (body(part("file", b"")), 422),
        (body(part("file", b"x", "../../../etc/passwd.mp3")), 422),
        (body(part("file", b"x", "a\0b\x1b[2J.mp3")), 422),
        (body(part("file", b"x", "<script>alert(1)</script>.mp3")), 422),
    ],
)
def test_bad_uploads_leave_nothing(client, app, content, status):
    response = client.post("/api/v1/predict", content=content, headers=FORM)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert left(app) == []


def test_upload_larger_than_it_says(client, app):
    def chunks():
        yield b"--b\r\n" + part("file", b"")
        for _ in range(50):
            yield b"x" * 10_000

    response = client.post("/api/v1/predict", content=chunks(), headers=FORM)
    assert response.status_code == 413 and left(app) == []


def flood(name, *, header):
    """A form whose file is small, and that goes on in another part's headers or data."""
    yield b"--b\r\n" + part("file", b"x") + b"\r\n--b\r\n"
    yield b"X-Other: " if header else part(name, b"")
    for _ in range(200):
        yield b"y" * 10_000


@pytest.mark.parametrize(("header", "statuses"), [(False, {413}), (True, {400, 413})])
def test_all_that_arrives_is_counted(client, app, header, statuses):
    response = client.post("/api/v1/predict", content=flood("other", header=header), headers=FORM)
    assert response.status_code in statuses and left(app) == []


def test_what_says_it_is_too_large_is_not_waited_for(tmp_path):
    limits = Limits(bytes_each=1_000_000)
    with served(tmp_path / "library.sqlite", limits=limits) as address:
        host, port = address.removeprefix("http://").split(":")
        head = (
            b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9000000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
        )
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(head)
            assert b" 413 " in connection.recv(100)


def test_not_a_form(client):
    response = client.post("/api/v1/predict", content=b"{}", headers={"content-type": "text/plain"})
    assert response.status_code == 415


def test_large_json_is_refused(client):
    response = client.post("/api/v1/review", content=b"[" + b"1," * 2_000_000)
    assert response.status_code == 413


def test_names_with_odd_bytes_are_listed_and_text_stays_text(tmp_path):
    path = tmp_path / "library.sqlite"
    with Library(path, write=True) as library:
        title = "<script>alert(1)</script>"
        status = FileStatus(1, 1, 1, 1, 1)
        library.put_track(b"/m/\xff\xfe.mp3", status, FileTags(title=title))
    with TestClient(create_app(path), base_url="http://localhost") as client:
        (row,) = client.get("/api/v1/tracks").json()["tracks"]
        assert row["title"] == title
        assert client.get(f"/api/v1/tracks/{row['id']}").status_code == 200
        assert client.get(f"/api/v1/tracks/{row['id']}/audio").status_code == 422


def test_a_playlist_names_what_text_cannot_hold(tmp_path):
    path = tmp_path / "library.sqlite"
    with Library(path, write=True) as library:
        for name in (b"caf\xe9.mp3", "café.mp3".encode(), b"new\nline.mp3"):
            library.put_track(b"/m/" + name, FileStatus(1, 1, 1, 1, 1), FileTags())
    with TestClient(create_app(path), base_url="http://localhost") as client:
        made = client.post("/api/v1/playlist").json()
    assert made["text"] == "#EXTM3U\n#EXTINF:0,café\n/m/café.mp3\n" and made["tracks"] == 1
    reasons = {left["path"]: left["message"] for left in made["left_out"]}
    assert reasons["/m/caf\udce9.mp3"].startswith("its name has bytes that are not UTF-8;")
    assert "line break" in reasons["/m/new\nline.mp3"]


def test_cut_off_slow_and_crowded_uploads_leave_nothing(tmp_path):
    limits = Limits(at_once=2, idle_s=1.0)
    with served(tmp_path / "library.sqlite", limits=limits) as address:
        host, port = address.removeprefix("http://").split(":")
        head = (
            b"POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
            + part("file", b"x" * 99)
        )

        def begin():
            connection = socket.create_connection((host, int(port)), timeout=10)
            connection.sendall(head)
            return connection

        def files():
            return list(Path(tempfile.gettempdir()).glob("tonearm-serve-*/*"))

        before = set(files())
        first, second = begin(), begin()
        wait_until(lambda: len(set(files()) - before) == 2, within_s=5)
        third = begin()
        assert b"503" in third.recv(100)  # too many at once
        first.close()  # cut off
        assert b"408" in second.recv(100)  # too slow
        wait_until(lambda: set(files()) == before, within_s=5)


def test_a_client_that_goes_while_its_file_is_analysed_leaves_nothing(tmp_path):
    """The analysis stops, and the next in line begins."""
    import httpx

    rate = 16_000
    path = wav(tmp_path / "long.wav", np.zeros(rate * 1_200, dtype=np.float32), rate_hz=rate)
    app = create_app(tmp_path / "library.sqlite")
    with served(tmp_path / "library.sqlite", app=app) as address:
        url = f"{address}/api/v1/predict?timeline=true&draw=true"
        for lines in ({}, {"accept": "application/x-ndjson"}):
            for _ in range(4):
                with path.open("rb") as file, httpx.Client(timeout=20) as client:
                    request = client.build_request(
                        "POST", url, files={"file": file}, headers=lines, timeout=1.0
                    )
                    with pytest.raises((httpx.ReadTimeout, InterruptedError)):
                        answer = client.send(request, stream=True)
                        answer.close()  # the first line was enough
                        raise InterruptedError
            wait_until(lambda: not left(app), within_s=15)


def test_what_a_killed_server_left_is_removed_by_the_next(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    folder = Path(tempfile.gettempdir()) / f"tonearm-serve-{ended.pid}-test"
    folder.mkdir()
    (folder / "a.mp3").write_bytes(b"x")
    with TestClient(create_app(tmp_path / "library.sqlite")):
        assert not folder.exists()
