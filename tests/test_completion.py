"""Tab completion: the answers, and each shell's script in that shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.fakes import tiny_model

from tonearm.cli.app import app
from tonearm.cli.completion import SCRIPTS, candidates, script
from tonearm.cli.reference import pages
from tonearm.library.scan import model_of
from tonearm.library.store import Library


def values(*words: str) -> list[str]:
    return [line.split("\t")[0] for line in candidates(app, words)]


def test_commands_and_their_help() -> None:
    names = [page.name for page in pages(app)[1:] if " " not in page.name]
    assert values("") == names and {"predict", "scan", "tag", "serve"} <= set(names)
    assert values("pred") == ["predict"] and values("nothing") == []
    assert all(line.split("\t")[1] for line in candidates(app, [""]))


def test_options_are_offered_once() -> None:
    assert "--timeline" in values("predict", "--t")
    assert "--timeline" not in values("predict", "--timeline", "--t")
    assert "--version" in values("--")
    assert "import" in values("models", "") and "--sha256" in values("models", "import", "--s")
    assert "--timeline" not in values("scan", "--")


@pytest.mark.parametrize("words", [["--format", "js"], ["-f", "js"], ["--format", "=", "js"]])
def test_choices(words: list[str]) -> None:
    assert values("predict", *words) == ["json", "jsonl"]


def test_a_value_after_an_equals_sign() -> None:
    assert values("predict", "--format=js") == ["--format=json", "--format=jsonl"]


def test_files_and_model_files() -> None:
    assert values("predict", "so") == [":files *"]
    assert values("predict", "-o", "") == [":files *"]
    assert values("predict", "--model", "") == ["built-in", ":files *.tonearm"]
    assert values("predict", "--jobs", "") == []


def test_genres_are_those_of_the_library_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tonearm.cli.library_options.location", lambda _: tmp_path / "library")
    assert {"jazz", "electronic", "mix", "unknown"} <= set(values("playlist", "--genre", ""))
    model = tiny_model()
    record = model_of(model)
    with Library(tmp_path / "library", write=True) as library:
        number = library.model_id(record.__class__(**{**vars(record), "labels": ("jazz", "fado")}))
        library.write(
            "INSERT INTO sounds(key, model, duration_s, nearest, confidence, probabilities, pooled)"
            " VALUES ('k', ?, 1, 'fado', 1, x'', x'')",
            [[number]],
        )
    assert values("playlist", "--genre", "fa") == ["fado"]
    (tmp_path / "library").write_bytes(b"not a library")
    assert values("playlist", "--genre", "ja") == ["jazz"]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a ``tonearm`` to call, two files, and the scripts."""
    shim = tmp_path / "bin" / "tonearm"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tonearm "$@"\n')
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    (tmp_path / "song one.mp3").touch()
    for shell in SCRIPTS:
        (tmp_path / f"script.{shell}").write_text(script(shell))
    return tmp_path


def ask(folder: Path, *arguments: str) -> list[str]:
    ended = subprocess.run(
        arguments, cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )
    return ended.stdout.splitlines()


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
def test_bash(command: Path) -> None:
    def complete(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in words)
        code = (
            f"source script.bash; COMP_WORDS=(tonearm {quoted}); COMP_CWORD={len(words)}; "
            "_tonearm; printf '%s\\n' \"${COMPREPLY[@]}\""
        )
        return ask(command, "bash", "--norc", "-c", code)

    assert complete("pred") == ["predict"]
    assert complete("predict", "--format", "js") == ["json", "jsonl"]
    assert complete("predict", "song") == ["song one.mp3"]


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
def test_zsh(command: Path) -> None:
    def complete(*words: str) -> list[str]:
        quoted = " ".join(f"'{word}'" for word in words)
        code = (
            "compdef() {}; _describe() { print -l -- $candidates }; "
            "_files() { print -- files $2 }; "
            f"source ./script.zsh; words=(tonearm {quoted}); CURRENT={len(words) + 1}; _tonearm"
        )
        return ask(command, "zsh", "-f", "-c", code)

    assert [line.split(":")[0] for line in complete("pred")] == ["predict"]
    assert complete("predict", "--format", "js") == ["json", "jsonl"]
    assert complete("predict", "so") == ["files *"]
    assert complete("predict", "--model", "") == ["built-in", "files *.tonearm"]


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish(command: Path) -> None:
    def complete(line: str) -> list[str]:
        code = f"source script.fish; complete -C '{line}'"
        return [row.split("\t")[0] for row in ask(command, "fish", "--no-config", "-c", code)]

    assert complete("tonearm pred") == ["predict"]
    assert complete("tonearm predict --format js") == ["json", "jsonl"]
    assert "song one.mp3" in complete("tonearm predict song")


def test_the_program_alone_says_what_most_people_want(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app([])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert [f"tonearm {name}" in said for name in ("predict", "scan", "serve")] == [True] * 3


@pytest.mark.parametrize("shell", SCRIPTS)
def test_each_script_is_printed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        app(["--show-completion", shell])
    assert ended.value.code == 0 and capsys.readouterr().out == script(shell)
