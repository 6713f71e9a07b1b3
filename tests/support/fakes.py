"""A model small enough to know its answers by hand, without torch or the onnx package.

Its encoder takes the mean level over time, sums each third of the mel bands, and sharpens the
three sums to probabilities: the place of a tone is the genre.
"""

from __future__ import annotations

import numpy as np

from tonearm.features import MUSICNN_SPEC
from tonearm.model.file import Model
from tonearm.model.head import Head

LABELS = ("blues", "jazz", "metal")
NAMES = ("low", "middle", "high")
# Inside the three thirds of the 96 bands, which end at about 1,090 and 2,870 Hz.
LOW_HZ, MIDDLE_HZ, HIGH_HZ = 300.0, 1_800.0, 5_000.0


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def number(field: int, value: int) -> bytes:
    """A protocol buffer's integer."""
    return varint(field << 3) + varint(value)


def message(field: int, value: bytes | str) -> bytes:
    """A protocol buffer's string or message."""
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def _node(kind: str, inputs: list[str], output: str, attributes: bytes = b"") -> bytes:
    names = b"".join(message(1, name) for name in inputs)
    return message(1, names + message(2, output) + message(4, kind) + attributes)


def _value(name: str, *sizes: int | str) -> bytes:
    """ValueInfoProto of a float32 tensor; a size with a name may vary."""
    dims = b"".join(
        message(1, message(2, size) if isinstance(size, str) else number(1, size)) for size in sizes
    )
    return message(1, name) + message(2, message(1, number(1, 1) + message(2, dims)))


def tiny_listener(bands: int = MUSICNN_SPEC.mel_bands, frames: int = 187) -> bytes:
    """ONNX: features [batch, frames, bands] -> windows [batch, 3], each row summing to 1."""
    weight = np.kron(np.eye(3, dtype=np.float32), np.ones((bands // 3, 1), np.float32))
    tensor = number(1, bands) + number(1, 3) + number(2, 1) + message(8, "thirds")
    tensor += message(9, weight.tobytes())
    axes = message(5, message(1, "axes") + number(8, 1) + number(20, 7))
    keep = message(5, message(1, "keepdims") + number(3, 0) + number(20, 2))
    graph = (
        _node("ReduceMean", ["features"], "mean", axes + keep)
        + _node("MatMul", ["mean", "thirds"], "sums")
        + _node("Softmax", ["sums"], "windows")
        + message(2, "tiny")
        + message(5, tensor)
        + message(11, _value("features", "batch", frames, bands))
        + message(12, _value("windows", "batch", 3))
    )
    return number(1, 8) + message(8, message(1, "") + number(2, 13)) + message(7, graph)


def tiny_head() -> Head:
    """The probability of each third, sharpened; below one half it is unknown."""
    return Head(
        labels=LABELS,
        kind="votes",
        weight=8 * np.eye(3),
        bias=np.zeros(3),
        min_confidence=0.5,
    )


def tiny_model() -> Model:
    """The whole model."""
    return Model(
        name="tiny",
        features=MUSICNN_SPEC,
        encoder=tiny_listener(),
        head=tiny_head(),
        embedding_names=NAMES,
        windows_per_track=4,
        training={"split": "none", "n": 0},
        metrics={"accuracy": 1.0},
        notices="Made by tests/fakes.py — free of any licence.\n",
    )
