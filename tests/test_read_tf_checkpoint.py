"""The reader of TensorFlow checkpoints, on a tiny one written here byte by byte."""

from __future__ import annotations

import importlib.util
import struct
from pathlib import Path

import numpy as np
import pytest

_PATH = Path(__file__).parents[1] / "runs" / "read_tf_checkpoint.py"
_SPEC = importlib.util.spec_from_file_location("read_tf_checkpoint", _PATH)
assert _SPEC is not None and _SPEC.loader is not None
_MODULE = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_MODULE)
read_tf_checkpoint = _MODULE.read_tf_checkpoint

TYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9, "bool": 10, "float16": 19}
TENSORS = {
    "conv2d/bias": np.array([1.5, -2.0], np.float32),
    "conv2d/kernel": np.arange(6, dtype=np.float32).reshape(3, 1, 2),
    "conv2d/kernel/Adam": np.full((3, 1, 2), 1e-9, np.float64),
    "empty": np.zeros((0, 4), np.float32),
    "global_step": np.array(300, np.int64),
    "half": np.array([0.5], np.float16),
    "mask": np.array([True, False, True]),
    "wide": np.arange(1000, dtype=np.int32),
}


def varint(value: int) -> bytes:
    """Seven bits a byte, lowest first."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def message(field: int, value: bytes) -> bytes:
    return varint(field << 3 | 2) + varint(len(value)) + value


def entry(array: np.ndarray, offset: int) -> bytes:
    """A BundleEntryProto; zeros are left out, as protocol buffers do."""
    shape = b"".join(message(2, number(1, size) if size else b"") for size in array.shape)
    out = number(1, TYPES[array.dtype.name]) + message(2, shape)
    out += number(4, offset) if offset else b""
    out += number(5, array.nbytes) if array.nbytes else b""
    return out + varint(6 << 3 | 5) + struct.pack("<I", 0xDEADBEEF)  # check sum, not checked


def block(entries: list[tuple[bytes, bytes]], *, compression: int = 0) -> bytes:
    """Keys share what they can with the one before; one restart point; type and check sum."""
    out, before = b"", b""
    for key, value in entries:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        before = key
    return out + struct.pack("<II", 0, 1) + bytes([compression]) + b"\0\0\0\0"


def table(entries: list[tuple[bytes, bytes]], *, compression: int = 0) -> bytes:
    """An SSTable of two data blocks."""
    out, handles = b"", []
    for part in (entries[:3], entries[3:]):
        if part:
            data = block(part, compression=compression)
            handles.append((part[-1][0], varint(len(out)) + varint(len(data) - 5)))
            out += data
    meta = block([])
    at_meta = varint(len(out)) + varint(len(meta) - 5)
    out += meta
    index = block(handles)
    footer = at_meta + varint(len(out)) + varint(len(index) - 5)
    return out + index + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def model(tensors: dict[str, np.ndarray]) -> tuple[bytes, bytes]:
    entries, data = [(b"", number(1, 1))], b""
    for name, array in tensors.items():
        entries.append((name.encode(), entry(array, len(data))))
        data += array.tobytes()
    return table(entries), data


def test_reads_what_was_written() -> None:
    read = read_tf_checkpoint(*model(TENSORS))
    assert list(read) == list(TENSORS)
    for name, array in TENSORS.items():
        assert read[name].dtype == array.dtype, name
        assert read[name].shape == array.shape, name
        assert np.array_equal(read[name], array), name
    read["wide"][0] = 7  # copies: they can be written to


def test_first_bytes_by_hand() -> None:
    # One float32 scalar at offset 0: type 1, empty shape, size 4.
    index = table([(b"", b""), (b"x", bytes([0x08, 1, 0x12, 0, 0x28, 4]))])
    assert read_tf_checkpoint(index, b"\x00\x00\x80\x3f") == {"x": 1.0}


@pytest.mark.parametrize("index", [b"", b"short", b"\0" * 100])
def test_refuses_what_is_no_index(index: bytes) -> None:
    with pytest.raises(ValueError, match="without an SSTable's footer"):
        read_tf_checkpoint(index, b"")


def test_refuses_compressed_blocks() -> None:
    with pytest.raises(ValueError, match="compression type 1"):
        read_tf_checkpoint(table([(b"", b"")], compression=1), b"")


def test_refuses_a_short_data_file() -> None:
    index, data = model(TENSORS)
    with pytest.raises(ValueError, match=rf"wide: ends at byte {len(data)} of {len(data) - 1}"):
        read_tf_checkpoint(index, data[:-1])


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        (number(1, 7) + number(5, 4), "x: TensorFlow type 7 is not read"),  # strings
        (number(1, 1) + number(3, 1) + number(5, 4), "x: only checkpoints of one shard"),
        (number(1, 1) + number(5, 4) + message(7, b""), "x: only .* whole tensors"),
        (number(1, 1) + number(5, 8), r"x: 8 bytes for shape \[\], which takes 4"),
    ],
)
def test_refuses_other_entries(fields: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_tf_checkpoint(table([(b"", b""), (b"x", fields)]), b"\0" * 8)


def test_a_damaged_byte_gives_a_value_error_or_an_answer() -> None:
    index, data = model(TENSORS)
    errors = 0
    for at in range(len(index)):
        for flip in (0x01, 0x80, 0xFF):
            damaged = bytearray(index)
            damaged[at] ^= flip
            try:
                read_tf_checkpoint(bytes(damaged), data)
            except ValueError:
                errors += 1
    assert errors > len(index)  # a third of all changes; names and check sums may change unseen
