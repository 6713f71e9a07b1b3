"""Fixtures of all tests: a repeatable hypothesis, a tiny model, and the command line."""

from __future__ import annotations

import io
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.fakes import HIGH_HZ, LABELS, LOW_HZ, MIDDLE_HZ, tiny_model
from support.songs import song as song_of_one_tone
from support.sounds import tone, write_sndfile

from tonearm.model import file as model_file
from tonearm.model.classifier import Classifier

pytest_plugins = ["support.browser"] if find_spec("fastapi") else []

settings.register_profile(
    "tonearm",
    deadline=None,  # shared machines stall
    database=None,  # nothing is left in the working directory
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("tonearm")

# A shell ignores Ctrl-C for what it runs in the background, and children would ignore it too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _own_library(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A library of its own for each test, so that no test touches the developer's."""
    folder = tmp_path_factory.mktemp("library")
    monkeypatch.setenv("TONEARM_LIBRARY", str(folder / "library.sqlite"))


@pytest.fixture(scope="session")
def model_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model on disk."""
    path = tmp_path_factory.mktemp("model") / "tiny.tonearm"
    model_file.save(tiny_model(), path)
    return path


@pytest.fixture(scope="session")
def tiny(model_path: Path) -> Classifier:
    """The tiny model, loaded: low tones are blues, middle ones jazz, high ones metal."""
    return Classifier.load(model_path)


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    """A folder with one song per genre, as the tiny model classifies them."""
    for genre, hz in zip(LABELS, (LOW_HZ, MIDDLE_HZ, HIGH_HZ), strict=True):
        (tmp_path / "music" / genre).mkdir(parents=True)
        path = tmp_path / "music" / genre / "song.wav"
        write_sndfile(path, tone(hz, 14, 16_000), 16_000, form="WAV")
    return tmp_path / "music"


@dataclass(frozen=True)
class Run:
    """The result of a command: its exit code and its two streams."""

    code: int
    out: str
    err: str


Command = Callable[..., Run]


@pytest.fixture
def tonearm(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], model_path: Path
) -> Command:
    """Run ``tonearm`` in this process, with the tiny model unless another is named."""
    from tonearm.cli.app import main

    def run(*arguments: str | os.PathLike[str], stdin: bytes = b"") -> Run:
        words = [os.fspath(word) for word in arguments]
        if words[:1] == ["predict"] and "--model" not in words:
            words += ["--model", str(model_path)]
        monkeypatch.setattr(sys, "argv", ["tonearm", *words])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        sys.stdout.flush()
        out, err = capfd.readouterr()
        code = ended.value.code
        assert code is None or isinstance(code, int), f"exit code {code!r}"
        return Run(code or 0, out, err)

    return run


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A folder of three songs, in their order blues, metal and jazz."""
    folder = tmp_path / "music"
    song_of_one_tone(folder / "a low.wav")
    song_of_one_tone(folder / "b high.wav", HIGH_HZ)
    song_of_one_tone(folder / "c" / "middle.wav", MIDDLE_HZ)
    return folder


@pytest.fixture(scope="session")
def plain(tmp_path_factory):
    """One recording in every container, without tags."""
    from support import (
        small_files,  # late: most tests need no containers
        tagged,
    )

    folder = tmp_path_factory.mktemp("plain")
    samples = small_files.music(1, 1.0)
    return {
        suffix: small_files.write(folder / f"song{suffix}", samples) for suffix in tagged.SUFFIXES
    }


@pytest.fixture
def song(plain, tmp_path):
    """Gives a copy of it in the container that is asked for, with tags if genres are named."""
    from support import tagged

    def copy(suffix, genres=None):
        path = tmp_path / f"sóng{suffix}"
        shutil.copy(plain[suffix], path)
        return path if genres is None else tagged.with_tags(path, genres)

    return copy
