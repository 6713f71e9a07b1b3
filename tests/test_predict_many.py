"""Many files from Python: in order, each with its answer or its error."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from support.fakes import HIGH_HZ, LOW_HZ, MIDDLE_HZ, tiny_model
from support.sounds import tone, write_sndfile

from tonearm.errors import DecodeError, ModelError
from tonearm.model.classifier import Classifier

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
