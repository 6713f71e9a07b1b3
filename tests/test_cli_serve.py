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
    assert ended.code == 2 and "pip install 'tonearm[serve]'" in ended.err


def test_a_port_in_use_is_one_line(tonearm, tmp_path):
    pytest.importorskip("fastapi")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        library = tmp_path / "library.sqlite"
        ended = tonearm("serve", "--no-browser", "--port", port, "--library", library)
    assert ended.code == 2 and "in use" in ended.err


def test_an_empty_token_is_one_line(tonearm, tmp_path):
    pytest.importorskip("fastapi")
    options = ["--no-browser", "--host", "0.0.0.0", "--library", tmp_path / "library.sqlite"]
    ended = tonearm("serve", "--token", "", *options)
    assert ended.code == 2 and "empty token" in ended.err and "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("host", "token"), [("127.0.0.1", False), ("127.0.0.2", False), ("0.0.0.0", True)]
)
def test_it_serves_until_interrupted(tmp_path, host, token):
    pytest.importorskip("fastapi")
    command = [sys.executable, "-m", "tonearm", "serve", "--no-browser", "--port", "0"]
    command += ["--host", host, "--library", str(tmp_path / "library.sqlite")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as server:
        try:
            line = server.stderr.readline()
            address = re.search(r"http://\S+", line)[0]
            assert ("?token=" in address) is token
            if token:
                assert "not encrypted" in server.stderr.readline()
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    urllib.request.urlopen(address.partition("?")[0])
            else:
                assert urllib.request.urlopen(f"{address}api/health").status == 200
            server.send_signal(signal.SIGINT)
            assert server.wait(20) in {0, 130}
            assert "Traceback" not in server.stderr.read()
        finally:
            server.kill()
