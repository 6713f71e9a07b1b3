"""``tonearm serve`` from the command line: what it says, refuses, and leaves."""

import builtins
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tonearm.cli.serve import own_address
from tonearm.errors import pip_install
from tonearm.library.store import Library

ROOT = Path(__file__).parents[1]


def test_without_its_extra_it_says_what_to_install(tonearm, monkeypatch):
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith(("fastapi", "uvicorn")):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **more)

    for name in [name for name in sys.modules if name.startswith("tonearm.serve")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    ended = tonearm("serve", "--no-browser")
    assert ended.code == 2 and pip_install("serve") in ended.err


def test_a_port_in_use_is_one_line(tonearm, tmp_path):
    pytest.importorskip("fastapi")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        library = tmp_path / "library.sqlite"
        ended = tonearm("serve", "--no-browser", "--port", port, "--library", library)
    said = f"tonearm: port {port} of 127.0.0.1 is in use; choose another with --port\n"
    assert (ended.code, ended.err) == (2, said)


def test_an_empty_token_is_one_line(tonearm, tmp_path):
    pytest.importorskip("fastapi")
    options = ["--no-browser", "--host", "0.0.0.0", "--library", tmp_path / "library.sqlite"]
    ended = tonearm("serve", "--token", "", *options)
    assert ended.code == 2 and "an argument is empty" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize("form", ["nothing", "file", "text", "newer", "model"])
def test_what_cannot_be_served_is_one_line_at_the_start(tonearm, tmp_path, form):
    pytest.importorskip("fastapi")
    library, folder = tmp_path / "l.sqlite", tmp_path / "music"
    words = {"nothing": "does not exist", "file": "is not a folder", "text": "is not a database"}
    words |= {"newer": "newer Tonearm", "model": "which is gone"}
    if form == "file":
        folder.write_text("no folder")
    elif form == "text":
        library.write_text("no library, but words of some length" * 100)
    elif form in {"newer", "model"}:
        with Library(library, write=True) as opened:
            opened.keep_model_path(Path("/gone.tonearm"))
            if form == "newer":
                opened.rows("PRAGMA user_version = 99")
    folders = [folder] if form in {"nothing", "file"} else []
    ended = tonearm("serve", *folders, "--no-browser", "--port", "0", "--library", library)
    assert ended.code == 2 and words[form] in ended.err and "Traceback" not in ended.err


def test_an_address_of_another_machine_is_blamed_on_the_host(tonearm, tmp_path):
    pytest.importorskip("fastapi")
    options = ["--no-browser", "--port", "0", "--library", tmp_path / "library.sqlite"]
    ended = tonearm("serve", "--host", "192.0.2.7", *options)
    assert ended.code == 2 and "--host" in ended.err and "not an address of this" in ended.err
    ended = tonearm("serve", "--host", "x" * 90, "--token", "secret", *options)
    assert ended.code == 2 and "no name of a machine; choose another with --host" in ended.err


def test_the_address_for_others_is_one_that_they_can_use():
    assert not own_address(socket.AF_INET).startswith(("127.", "0."))


def test_ctrl_c_says_nothing_though_a_page_is_open_and_a_file_on_its_way(tmp_path):
    pytest.importorskip("fastapi")
    command = [sys.executable, "-m", "tonearm", "serve", "--no-browser", "--port", "0"]
    command += ["--library", str(tmp_path / "library.sqlite")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            address = re.search(r"http://\S+", server.stderr.readline())[0]
            stream = urllib.request.urlopen(f"{address}api/v1/events")
            assert stream.readline() == b"event: hello\n"
            port = int(address.rstrip("/").rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as upload:
                head = (
                    "POST /api/v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 9999\r\n"
                )
                head += "Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
                upload.sendall(head.encode())
                server.send_signal(signal.SIGINT)
                assert b"event: bye\n" in stream.read()
                assert server.wait(20) in {0, 130}
            assert server.stderr.read() == ""
        finally:
            server.kill()


@pytest.mark.parametrize(
    ("host", "token"), [("127.0.0.1", False), ("127.0.0.2", False), ("0.0.0.0", True)]
)
def test_it_serves_until_interrupted(tmp_path, host, token):
    pytest.importorskip("fastapi")
    command = [sys.executable, "-m", "tonearm", "serve", "--no-browser", "--port", "0"]
    command += ["--host", host, "--library", str(tmp_path / "library.sqlite")]
    command += ["--token", "a b+é&x"] * token
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            line = server.stderr.readline()
            address = re.search(r"http://\S+", line)[0]
            assert ("?token=" in address) is token
            if token:
                assert "not encrypted" in server.stderr.readline()
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    urllib.request.urlopen(address.partition("?")[0])
                cookies = urllib.request.HTTPCookieProcessor()
                assert urllib.request.build_opener(cookies).open(address).status == 200
            else:
                assert urllib.request.urlopen(f"{address}api/v1/health").status == 200
                form = {"Content-Type": "multipart/form-data; boundary=b"}
                bad = urllib.request.Request(f"{address}api/v1/predict", b"--c\r\n", form)
                with pytest.raises(urllib.error.HTTPError, match="400"):
                    urllib.request.urlopen(bad)
            server.send_signal(signal.SIGINT)
            assert server.wait(20) in {0, 130}
            assert server.stderr.read() == ""
        finally:
            server.kill()
