"""Read a TensorFlow checkpoint (tensor bundle) with NumPy alone.

A tensor bundle is an index (an SSTable in LevelDB's format whose values are protocol buffers) and
one file of raw tensors. Formats: tensorflow/core/lib/io/format.cc (table, footer),
tensorflow/core/protobuf/tensor_bundle.proto (entries). Read here: one shard, uncompressed
blocks, whole tensors of fixed-size numbers, little-endian. Checksums are not verified: the
caller checks the sha256 of the files.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAGIC = struct.pack("<Q", 0xDB4775248B80FB57)
_FOOTER_BYTES = 48
# One byte of compression type and four of check sum follow each block.
_TRAILER_BYTES = 5
# tensorflow/core/framework/types.proto
_DTYPES: dict[int, str] = {
    1: "<f4",
    2: "<f8",
    3: "<i4",
    4: "u1",
    6: "i1",
    9: "<i8",
    10: "?",
    19: "<f2",
}


def read_tf_checkpoint(index: bytes, data: bytes) -> dict[str, NDArray[Any]]:
    """All tensors of a one-shard checkpoint, optimizer slots included.

    Parameters
    ----------
    index : bytes
        The ``.index`` file.
    data : bytes
        The ``.data-00000-of-00001`` file.

    Returns
    -------
    dict of str to array
        Copies, by variable name.

    Raises
    ------
    ValueError
        If the bytes are damaged, or of a kind not read here.
    """
    footer = index[-_FOOTER_BYTES:]
    if len(footer) < _FOOTER_BYTES or not footer.endswith(_MAGIC):
        raise ValueError(f"not a TensorFlow index: {len(index)} bytes without an SSTable's footer")
    tensors = {}
    try:
        at = _skip_varints(footer, 0, count=2)  # offset and size of the meta index, unused
        for _, handle in _entries(_block(index, footer[at:])):
            for key, value in _entries(_block(index, handle)):
                if key:  # the empty key holds the header
                    name = key.decode()
                    tensors[name] = _tensor(name, value, data)
    except (IndexError, TypeError, UnicodeDecodeError) as error:
        raise ValueError(f"damaged TensorFlow index: {error}") from error
    return tensors


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Number of 7 bits a byte, lowest first, at ``at``; and the place behind it."""
    value = shift = 0
    while True:
        byte = buffer[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _skip_varints(buffer: bytes, at: int, *, count: int) -> int:
    for _ in range(count):
        _, at = _varint(buffer, at)
    return at


def _block(index: bytes, handle: bytes) -> bytes:
    """The block of the table at a handle (offset, size)."""
    offset, at = _varint(handle, 0)
    size, _ = _varint(handle, at)
    if offset + size + _TRAILER_BYTES > len(index):
        raise ValueError(
            f"damaged TensorFlow index: a block ends at byte {offset + size + _TRAILER_BYTES} "
            f"of {len(index)}"
        )
    compression = index[offset + size]
    if compression:
        raise ValueError(f"blocks of compression type {compression} are not read, only plain ones")
    return index[offset : offset + size]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of a block; a key is stored as what differs from the one before."""
    # The last four bytes count the restart points, of four bytes each, that stand before them.
    end = len(block) - 4 - 4 * int.from_bytes(block[-4:], "little")
    if end < 0:
        raise ValueError(f"damaged TensorFlow index: a block of {len(block)} bytes has no end")
    at, key = 0, b""
    while at < end:
        shared, at = _varint(block, at)
        unshared, at = _varint(block, at)
        length, at = _varint(block, at)
        key = key[:shared] + block[at : at + unshared]
        at += unshared
        yield key, block[at : at + length]
        at += length
    if at > end:
        raise ValueError("damaged TensorFlow index: an entry is longer than its block")


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Field numbers and values of a protocol buffer: int for numbers, bytes for the rest."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        wire = tag & 7
        value: int | bytes
        if wire == 0:
            value, at = _varint(message, at)
        elif wire == 2:
            length, at = _varint(message, at)
            value, at = message[at : at + length], at + length
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
            value, at = message[at : at + length], at + length
        else:
            raise ValueError(f"damaged TensorFlow index: wire type {wire} in a protocol buffer")
        yield tag >> 3, value


def _tensor(name: str, entry: bytes, data: bytes) -> NDArray[Any]:
    """The tensor of a BundleEntryProto."""
    # Absent fields are zero: dtype 1, shape 2, shard 3, offset 4, size 5, slices 7.
    fields = dict(_fields(entry))
    if fields.get(3, 0) or 7 in fields:
        raise ValueError(f"{name}: only checkpoints of one shard and whole tensors are read")
    dtype = _DTYPES.get(fields.get(1, 0))
    if dtype is None:
        raise ValueError(f"{name}: TensorFlow type {fields.get(1, 0)} is not read")
    dimensions = [dict(_fields(v)).get(1, 0) for n, v in _fields(fields.get(2, b"")) if n == 2]
    offset, size = fields.get(4, 0), fields.get(5, 0)
    wanted = math.prod(dimensions) * np.dtype(dtype).itemsize
    if size != wanted:
        raise ValueError(f"{name}: {size} bytes for shape {dimensions}, which takes {wanted}")
    if offset + size > len(data):
        raise ValueError(f"{name}: ends at byte {offset + size} of {len(data)} in the data file")
    values = np.frombuffer(data[offset : offset + size], dtype)
    return values.reshape(dimensions).copy()
