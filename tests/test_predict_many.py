"""Many files from Python: in order, each with its answer or its error."""

from __future__ import annotations

import io
import pydoc
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.fakes import HIGH_HZ, LOW_HZ, MIDDLE_HZ, tiny_model
from support.sounds import tone, write_sndfile

from tonearm.errors import DecodeError, ModelError
from tonearm.model.classifier import Classifier
from tonearm.model.encoder import Embeddings
from tonearm.model.prediction import Prediction

RATE = 22_050


@pytest.fixture
def song(tmp_path: Path) -> Path:
    return write_sndfile(tmp_path / "song.wav", tone(LOW_HZ, 4, RATE), RATE)


def test_many_files_come_in_order_with_their_errors(tiny: Classifier, tmp_path: Path) -> None:
    hertz = [LOW_HZ, MIDDLE_HZ, HIGH_HZ, LOW_HZ, HIGH_HZ]
    paths = [
        write_sndfile(tmp_path / f"{i}.wav", tone(hz, 4 * (5 - i), RATE), RATE)
        for i, hz in enumerate(hertz)
    ]
    paths[3].write_bytes(b"no audio")
    results = list(tiny.predict_many(iter(paths), jobs=3, tags=True))
    assert [result.path for result in results] == [str(path) for path in paths]
    genres = [getattr(result, "genre", None) for result in results]
    assert genres == ["blues", "jazz", "metal", None, "metal"]
    assert isinstance(results[3], DecodeError) and results[3].kind == "not-audio"
    assert results[0] == tiny.predict(paths[0], tags=True)


def test_a_fault_costs_its_file_alone(tiny: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: Path, **_: object) -> None:
        raise {"a": ZeroDivisionError("a fault"), "b": MemoryError()}[path.name]

    monkeypatch.setattr(tiny, "predict", failing)
    results = [tiny.predict_or_error(Path(name)) for name in "ab"]
    assert [result.kind for result in results if isinstance(result, DecodeError)] == [
        "internal",
        "memory",
    ]
    assert "ZeroDivisionError: a fault" in str(results[0])


def test_what_is_wrong_with_the_call_is_raised_at_once(tiny: Classifier, song: Path) -> None:
    with pytest.raises(TypeError, match="not one path"):
        tiny.predict_many(str(song))
    with pytest.raises(ValueError, match="jobs is 0"):
        tiny.predict_many([song], jobs=0)
    with pytest.raises(TypeError, match="takes paths, not BytesIO"):
        list(tiny.predict_many([song, io.BytesIO()]))
    with pytest.raises(ValueError, match="1 or more, or 'all'"):
        tiny.predict_many([song], count=0)
    broken = Classifier(replace(tiny_model(), encoder=b"no network"))
    with pytest.raises(ModelError, match="cannot be loaded"):
        list(broken.predict_many([song]))


@pytest.mark.parametrize("count", [True, 2.5, "3", "", np.float64(2), np.int64(0)])
def test_what_is_no_whole_number_is_no_count(count, tiny: Classifier, song: Path) -> None:
    with pytest.raises(ValueError, match=r"count is .*, but must be a whole number, 1 or more"):
        tiny.predict(song, count=count)


def test_whole_numbers_of_numpy_are_counts(tiny: Classifier, song: Path) -> None:
    assert tiny.predict(song, count=np.int64(3)) == tiny.predict(song, count=3)  # type: ignore[arg-type]
    (result,) = tiny.predict_many([song], jobs=np.uint8(1), count=np.int32(3))  # type: ignore[arg-type]
    assert result == tiny.predict(song, count=3)


@pytest.mark.parametrize("threads", [0, -3, "x", 1.5, True])
def test_threads_are_checked_before_the_first_file(threads, model_path: Path) -> None:
    with pytest.raises(ValueError, match=r"threads is .*, but must be a whole number, 1 or more"):
        Classifier.load(model_path, threads=threads)


@pytest.mark.parametrize("rate", ["22050", True, b"1", [8_000]])
def test_a_sample_rate_that_is_no_number(rate, tiny: Classifier) -> None:
    with pytest.raises(TypeError, match="a sample rate is a number of Hertz, not"):
        tiny.predict(np.zeros(8_000, np.float32), rate)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("https://example.org/a.mp3", "https://example.org/a.mp3 is a URL: download it, and name"),
        ("", "'' names no file"),
        ("a\0b.mp3", "does not exist: no file can have that name"),
        ("\ud800.mp3", "does not exist"),
    ],
)
def test_what_can_be_no_file_is_missing(path: str, words: str, tiny: Classifier) -> None:
    error = tiny.predict_or_error(path)
    assert isinstance(error, DecodeError)
    assert (error.kind, error.path) == ("missing", path) and words in str(error)
    (again,) = tiny.predict_many([path], jobs=1)
    assert isinstance(again, DecodeError) and again.to_dict() == error.to_dict()


@pytest.mark.parametrize("path", [b"x", None, 3, bytearray(b"x")])
def test_what_is_no_path_is_a_wrong_call(path, tiny: Classifier) -> None:
    with pytest.raises(TypeError, match="predict_or_error takes paths, not"):
        tiny.predict_or_error(path)


def test_errors_are_reachable_without_another_import() -> None:
    code = "import tonearm; print(tonearm.errors.DatasetError.__mro__[1] is tonearm.TonearmError)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "True\n"


def test_embeddings_can_be_compared(tiny: Classifier, song: Path) -> None:
    one, other = tiny.embed(song), tiny.embed(song)
    assert one == one and one != other and len({one, other}) == 2


def test_help_has_no_marks_of_sphinx() -> None:
    for thing in (Classifier, Embeddings, Prediction, DecodeError):
        assert not re.search(r":\w+:`", pydoc.plain(pydoc.render_doc(thing)))
