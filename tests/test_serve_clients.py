"""The clients of docs/page.md do what it says, against a real server."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the serve extra is not installed")
pytest.importorskip("httpx")

from support.serving import fill_library, served

ROOT = Path(__file__).parents[1]
HERE = "http://127.0.0.1:8137"


@pytest.fixture
def address(tmp_path):
    fill_library(tmp_path / "library.sqlite", 200)
    with served(tmp_path / "library.sqlite") as address:
        yield address


def client(language, address):
    text = (ROOT / "docs/page.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert HERE in code
    return code.replace(HERE, address)


def test_python(address, tmp_path, monkeypatch, capsys):
    shutil.copy(ROOT / "examples/midnight_walk.mp3", tmp_path / "song.mp3")
    monkeypatch.chdir(tmp_path)
    exec(client("python", address), {})
    first, second, result = capsys.readouterr().out.splitlines()
    assert first.startswith("jazz 0.")
    # The library of the test has no files: each is a row that says so.
    count = re.fullmatch(r"(\d+) predictions, (\d+) failed", second)
    assert count and int(count[1]) == int(count[2]) > 5
    assert "'left_out': 0" in result and "'reviewed': 0" not in result


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")
def test_javascript(address, tmp_path):
    script = tmp_path / "client.mjs"
    script.write_text(client("javascript", address))
    done = subprocess.run(["node", script], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stdout.splitlines()
    assert len(lines) > 5 and all(line.startswith("/music/") for line in lines)
