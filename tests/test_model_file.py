"""The model on disk: the same bytes, read back whole, and no damage goes unseen."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import LABELS, NAMES, tiny_head, tiny_model

from tonearm.errors import ModelError
from tonearm.model import file as model_file

Members = dict[str, bytes]


@pytest.fixture(scope="module")
def data(model_path: Path) -> bytes:
    return model_path.read_bytes()


def same(one: model_file.Model, other: model_file.Model) -> None:
    assert one.name == other.name
    assert one.features == other.features
    assert one.encoder == other.encoder
    assert one.embedding_names == other.embedding_names
    assert one.windows_per_track == other.windows_per_track
    assert (one.training, one.metrics, one.notices) == (
        other.training,
        other.metrics,
        other.notices,
    )
    assert one.head.settings() == other.head.settings()
    a, b = one.head.arrays(), other.head.arrays()
    assert list(a) == list(b)
    assert all(np.array_equal(a[name], b[name]) for name in a)


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "a.tonearm"
    made = tiny_model()
    sha256 = model_file.save(made, path)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    read = model_file.load(path)
    same(read, made)
    assert read.sha256 == sha256
    assert (read.labels, read.embedding_names) == (LABELS, NAMES)
    assert read.encoder_sha256 == made.encoder_sha256
    assert model_file.load(str(path)).sha256 == sha256


def test_same_model_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        model_file.save(tiny_model(), tmp_path / name)
    first = (tmp_path / "a").read_bytes()
    assert first == (tmp_path / "b").read_bytes()
    model_file.save(model_file.load(tmp_path / "a"), tmp_path / "c")
    assert first == (tmp_path / "c").read_bytes(), "not after a round trip"


def test_encoder_identity() -> None:
    made = tiny_model()
    other_head = replace(made, head=replace(made.head, power=0.5), name="other")
    assert other_head.encoder_sha256 == made.encoder_sha256
    assert replace(made, encoder=b"x").encoder_sha256 != made.encoder_sha256
    slower = replace(made.features, hop_samples=128)
    assert replace(made, features=slower).encoder_sha256 != made.encoder_sha256


def test_without_names(tmp_path: Path) -> None:
    model_file.save(replace(tiny_model(), embedding_names=None), tmp_path / "a")
    assert model_file.load(tmp_path / "a").embedding_names is None


def test_numbers_that_json_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        model_file.save(replace(tiny_model(), metrics={"ece": float("nan")}), tmp_path / "a")
    assert not list(tmp_path.iterdir())


def loaded(tmp_path: Path, data: bytes) -> model_file.Model:
    path = tmp_path / "damaged.tonearm"
    path.write_bytes(data)
    return model_file.load(path)


def refused(tmp_path: Path, data: bytes, *, match: str | None = None) -> str:
    with pytest.raises(ModelError, match=match) as caught:
        loaded(tmp_path, data)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "damaged.tonearm")), "does not name the file"
    return message


def test_every_changed_byte_is_found_or_harmless(tmp_path: Path, data: bytes) -> None:
    truth = loaded(tmp_path, data)
    # Dates, rights and version numbers of the zip are not checked, and do not matter.
    inside = np.zeros(len(data), bool)
    for content in members_of(data).values():
        begin = data.index(content)
        inside[begin : begin + len(content)] = True
    inside[::7] = False  # all of the zip's own bytes, and every seventh of what it holds
    harmless = 0
    for at in np.flatnonzero(~inside):
        changed = bytearray(data)
        changed[at] ^= 0x41
        try:
            read = loaded(tmp_path, bytes(changed))
        except ModelError:
            continue
        same(read, truth)
        harmless += 1
    assert 0 < harmless < 0.1 * len(data)


def members_of(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {info.filename: file.read(info) for info in file.infolist()}


@pytest.mark.parametrize("name", ["manifest.json", "encoder.onnx", "head.npz", "NOTICE.txt"])
def test_flips_in_members_are_found(name: str, tmp_path: Path, data: bytes) -> None:
    content = members_of(data)[name]
    begin = data.index(content)
    for at in np.linspace(0, len(content) - 1, 25).astype(int):
        for bit in (1, 128):
            changed = bytearray(data)
            changed[begin + at] ^= bit
            refused(tmp_path, bytes(changed))


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6, 0.95, 0.999])
def test_truncated(share: float, tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, data[: int(share * len(data))], match="not a Tonearm model|damaged")


@given(junk=st.binary(max_size=300))
def test_anything_else_is_refused(tmp_path: Path, junk: bytes) -> None:
    refused(tmp_path, junk)
    refused(tmp_path, b"PK\3\4" + junk)


def rebuilt(
    data: bytes, change: Callable[[Members], None] | None = None, **manifest: object
) -> bytes:
    """The model with members changed and every checksum made right again."""
    members = members_of(data)
    if change:
        change(members)
    values = json.loads(members.pop("manifest.json"))
    values["sha256"] = {n: hashlib.sha256(content).hexdigest() for n, content in members.items()}
    values.update(manifest)
    values = {key: value for key, value in values.items() if value is not ...}
    text = json.dumps(values).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in {"manifest.json": text, **members}.items():
            file.writestr(name, content)
        file.comment = f"sha256:{hashlib.sha256(text).hexdigest()}".encode()
    return buffer.getvalue()


def test_rebuilt_is_accepted(tmp_path: Path, data: bytes) -> None:
    same(loaded(tmp_path, rebuilt(data)), tiny_model())


def test_newer_version_and_other_format(tmp_path: Path, data: bytes) -> None:
    assert "update Tonearm" in refused(tmp_path, rebuilt(data, version=99))
    refused(tmp_path, rebuilt(data, format="other-model file"), match="format other-model file")
    refused(tmp_path, rebuilt(data, version=...), match="None")


def test_foreign_zip(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("song.txt", "la la")
    refused(tmp_path, buffer.getvalue(), match="a zip file, but not a Tonearm model")


def test_foreign_manifest(tmp_path: Path) -> None:
    for text in (b"", b"no json", b"[1, 2]", b"null", b'"x"', b"\xff\xfe"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("manifest.json", text)
            file.comment = f"sha256:{hashlib.sha256(text).hexdigest()}".encode()
        refused(tmp_path, buffer.getvalue())


@pytest.mark.parametrize(
    "key",
    [
        "name",
        "features",
        "embedding_names",
        "windows_per_track",
        "head",
        "training",
        "metrics",
        "sha256",
    ],
)
def test_a_part_that_is_missing_or_wrong(key: str, tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, rebuilt(data, **{key: ...}))
    refused(tmp_path, rebuilt(data, **{key: 7 if "name" in key else "x"}))


@pytest.mark.parametrize("wrong", [["low", 7, "high"], ["low", ["middle"], "high"]])
def test_names_of_embeddings_are_words(wrong: list, tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, rebuilt(data, embedding_names=wrong), match="is no text")


def test_an_infinite_count_and_infinite_weights(tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, rebuilt(data, windows_per_track=float("inf")), match="a part is wrong")
    with pytest.raises(ModelError, match="not finite numbers"):
        replace(tiny_head(), weight=np.full((3, 3), np.inf))


@pytest.mark.parametrize("name", ["encoder.onnx", "head.npz", "NOTICE.txt"])
def test_a_member_that_is_missing(name: str, tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, rebuilt(data, lambda members: members.pop(name)))


def test_a_label_too_many(tmp_path: Path, data: bytes) -> None:
    settings = json.loads(members_of(data)["manifest.json"])["head"]
    settings["labels"].append("polka")
    refused(tmp_path, rebuilt(data, head=settings), match="4 labels")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "nonsense"}, "unknown kind, 'nonsense'"),
        ({"calibration": [[1.0, 0.0]]}, "calibration"),
        ({"calibration": [[0.7, 1.0], [0.7, 2.0]]}, "calibration"),
        ({"calibration": []}, "a part is wrong"),
        ({"calibration": [[float("nan"), 1.0]]}, "calibration"),
    ],
)
def test_settings_that_would_mislead(
    settings: Members, said: str, tmp_path: Path, data: bytes
) -> None:
    before = json.loads(members_of(data)["manifest.json"])["head"]
    refused(tmp_path, rebuilt(data, head=before | settings), match=said)


@pytest.mark.parametrize(
    "wrong", [{"windows_per_track": 0}, {"stop_confidence": 0.0}, {"stop_confidence": 1.5}]
)
def test_counts_that_would_mislead(wrong: dict, tmp_path: Path, data: bytes) -> None:
    refused(tmp_path, rebuilt(data, **wrong), match="windows a track")


def zipped(content: bytes, *, name: str = "weight.npy", compression: int = 0) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        file.writestr(name, content)
    return buffer.getvalue()


def test_nothing_in_it_can_be_blown_up(tmp_path: Path, data: bytes) -> None:
    bomb = zipped(bytes(10_000), compression=zipfile.ZIP_DEFLATED)
    refused(tmp_path, rebuilt(data, lambda m: m.update({"head.npz": bomb})), match="compressed")
    refused(tmp_path, bomb, match="compressed")
    header = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 10)}
    np.lib.format.write_array_header_1_0(header, shape)
    huge = zipped(header.getvalue())
    refused(
        tmp_path, rebuilt(data, lambda m: m.update({"head.npz": huge})), match="a part is wrong"
    )
    broken = data[:60]
    refused(tmp_path, rebuilt(data, lambda m: m.update({"head.npz": broken})), match="damaged")
    deep = "[" * 100_000
    text = ('{"a":' + deep).encode()
    buffer = io.BytesIO(zipped(text, name="manifest.json"))
    with zipfile.ZipFile(buffer, "a") as file:
        file.comment = f"sha256:{hashlib.sha256(text).hexdigest()}".encode()
    refused(tmp_path, buffer.getvalue(), match="a part is wrong")


def test_a_file_that_is_too_large_is_not_read_whole(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_file, "_LARGEST_BYTES", len(data) - 1)
    refused(tmp_path, data, match="too large to be a model")


def test_pickles_are_refused(tmp_path: Path, data: bytes) -> None:
    touched = tmp_path / "touched"

    class Hostile:
        def __reduce__(self) -> tuple:
            return Path.touch, (touched,)

    buffer = io.BytesIO()
    np.savez(buffer, weight=np.array([Hostile()], dtype=object), bias=np.zeros(3))
    refused(tmp_path, rebuilt(data, lambda m: m.update({"head.npz": buffer.getvalue()})))
    refused(tmp_path, rebuilt(data, lambda m: m.update({"head.npz": pickle.dumps(Hostile())})))
    assert not touched.exists()


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"none\.tonearm cannot be read as a model"):
        model_file.load(tmp_path / "none.tonearm")
    with pytest.raises(ModelError, match="cannot be read"):
        model_file.load(tmp_path)


def test_shipped_bundle() -> None:
    path = model_file.builtin_path()
    assert path.stat().st_size <= 8e6
    shipped = model_file.load()
    assert model_file.load("built-in").sha256 == shipped.sha256
    assert len(shipped.labels) == 11
    assert (
        shipped.embedding_names is not None
        and len(shipped.embedding_names) == shipped.head.dimensions == 50
    )
    assert shipped.features.window_frames == 187
    assert shipped.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
