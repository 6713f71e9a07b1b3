"""The published JSON Schema, against what the command line and the HTTP API really write."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from conftest import Command
from support.fakes import HIGH_HZ, LOW_HZ
from support.songs import RATE, rows
from support.sounds import tone, write_sndfile

from tonearm.errors import DecodeError, DecodeKind
from tonearm.model.prediction import SCHEMA_FILE, Prediction

jsonschema_rs = pytest.importorskip("jsonschema_rs", reason="comes with schemathesis")
PUBLISHED = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
VALIDATOR = jsonschema_rs.validator_for(PUBLISHED)
KNOWN = Prediction.of(("blues", "jazz"), [0.3, 0.7], known=True)


def check(values: dict) -> None:
    VALIDATOR.validate(values)
    kind = "failure" if "error" in values else "prediction"
    unpublished = set(values) - set(PUBLISHED["$defs"][kind]["properties"])
    assert not unpublished, f"keys that the schema does not name: {unpublished}"


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """A mix, a silence, a damaged file, and one that is no audio."""
    mix = np.concatenate([tone(LOW_HZ, 31, RATE), tone(HIGH_HZ, 29, RATE)])
    whole = write_sndfile(tmp_path / "mix.flac", mix, RATE)
    write_sndfile(tmp_path / "silence.wav", np.zeros(5 * RATE, np.float32), RATE)
    (tmp_path / "torn.flac").write_bytes(whole.read_bytes()[:-20_000])
    (tmp_path / "text.wav").write_bytes(b"no audio")
    return tmp_path


@pytest.mark.parametrize("options", [[], ["--tags"], ["--timeline", "--tags"]])
def test_lines_of_the_command_line(options: list[str], tonearm: Command, music: Path) -> None:
    found = rows(tonearm("predict", music, "--format", "jsonl", *options))
    assert len(found) == 4
    for row in found:
        check(row)
    assert sum("error" in row for row in found) == 1
    assert any(row.get("warnings") for row in found)
    assert any("genre" in row and row["genre"] is None for row in found)
    assert any(row.get("timeline") for row in found) == ("--timeline" in options)
    assert any(row.get("tags") for row in found) == ("--tags" in options)


def inlined(value, document):
    """A schema with what its references point to in their place, and no texts."""
    if isinstance(value, list):
        return [inlined(each, document) for each in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        target = document
        for name in value["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        more = {key: each for key, each in value.items() if key != "$ref"}
        return inlined({**target, **more}, document)
    return {
        key: inlined(each, document)
        for key, each in value.items()
        if key not in {"title", "description"}
    }


def test_answers_over_http(music: Path, tmp_path: Path, model_path: Path) -> None:
    testclient = pytest.importorskip("fastapi.testclient")
    from tonearm.serve.app import create_app
    from tonearm.serve.predict import PATH
    from tonearm.serve.schema import PREFIX

    app = create_app(tmp_path / "library.sqlite", model=model_path)
    with testclient.TestClient(app, base_url="http://127.0.0.1") as client:
        for path in sorted(music.glob("*.*")):
            if path.suffix == ".sqlite":
                continue
            with path.open("rb") as file:
                answer = client.post(f"{PATH}?timeline=true&tags=true", files={"file": file})
            values = answer.json()
            if answer.status_code == 200:
                check(values)
            else:
                assert answer.status_code == 422
                VALIDATOR.validate(values)  # a problem document: it holds more than the error
                check({key: values[key] for key in ("schema", "path", "error")})
        document = client.get("/openapi.json").json()
    for address, method in ((PATH, "post"), (f"{PREFIX}/tracks/{{number}}/timeline", "get")):
        answers = document["paths"][address][method]["responses"]
        name = answers["200"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        assert inlined(document["components"]["schemas"][name], document) == inlined(
            {"oneOf": PUBLISHED["oneOf"]}, PUBLISHED
        )


def test_a_mix_is_as_published() -> None:
    check(
        replace(KNOWN, genre=None, mix={"jazz": 0.6, "blues": 0.4}, styles={"Bebop": 1.0}).to_dict()
    )


@pytest.mark.parametrize("kind", get_args(DecodeKind))
def test_every_kind_of_error_is_published(kind: DecodeKind) -> None:
    check(DecodeError("a.mp3", kind, "why").to_dict())


@pytest.mark.parametrize(
    "wrong",
    [
        {"schema": 1},
        {"genre": 3},
        {"confidence": 1.01},
        {"nearest": None},
        {"timeline": [{"start_s": 0}]},
        {"warnings": "truncated"},
        {"styles": ["Bebop"]},
        {"error": {"kind": "empty", "message": "both at once"}},
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong: dict) -> None:
    values = KNOWN.to_dict()
    assert VALIDATOR.is_valid(values)
    assert not VALIDATOR.is_valid(values | wrong)


@pytest.mark.parametrize("key", KNOWN.to_dict())
def test_no_key_may_be_missing(key: str) -> None:
    values = KNOWN.to_dict()
    del values[key]
    assert not VALIDATOR.is_valid(values)
