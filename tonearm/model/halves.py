"""One network cut in two, so that windows that overlap share what looks at a few frames only.

Most of the built-in encoder's work are wide filters that see seven frames at a time. In windows one
second apart, two thirds of what they give is the same. So the front runs once over a stretch of
audio, and the back, which sees longer, on each window. Only at the ends of a window, where filters
see zeros instead of the next frames, does the front run for that window alone.

An ONNX file is read as what it is, a message of Protocol Buffers: the package that knows both
(onnx) is large, and nothing else in an analysis needs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Numbers of fields in onnx.proto, by message.
_GRAPH = 7
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _VALUE_INFO = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE = 1, 2, 4, 5
_ATTRIBUTE_NAME, _ATTRIBUTE_INTS, _TENSOR_NAME = 1, 8, 8
_TENSOR_SIZES, _TENSOR_RAW = 1, 9
_FLOAT = 1  # of TensorProto.DataType
# Kinds of a field's value: a number of any length, of 8 bytes, a length and bytes, of 4 bytes.
_NUMBER, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5
# What may stand between the input and the filters; it leaves each frame in its place.
_IN_PLACE = frozenset((b"Unsqueeze", b"BatchNormalization", b"Pad"))
# A filter that sees more frames shares little.
_MOST_FRAMES = 15

Shape = Sequence[int | None]


@dataclass(frozen=True)
class Halves:
    """A network that was cut.

    Parameters
    ----------
    front : bytes
        From ``features`` [n, frames, bands], of any number of frames, to the values between.
    back : bytes
        From ``features`` [n, window_frames, bands] and those to what the whole network gives.
    between : tuple of str
        Names of the values between, each [n, channels, frames].
    reach : int
        How many frames before and behind its own a value depends on, at most.
    """

    front: bytes
    back: bytes
    between: tuple[str, ...]
    reach: int


@dataclass(frozen=True)
class _Node:
    """A node of a graph, as far as it matters here."""

    kind: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[bytes, tuple[int, ...]]  # of whole numbers
    raw: bytes

    @classmethod
    def read(cls, data: bytes, raw: bytes) -> _Node:
        names: dict[int, list[str]] = {_NODE_INPUT: [], _NODE_OUTPUT: []}
        kind, attributes = b"", {}
        for number, value, _ in _fields(data):
            if isinstance(value, int):
                continue
            if number in names:
                names[number].append(value.decode())
            elif number == _NODE_KIND:
                kind = value
            elif number == _NODE_ATTRIBUTE:
                parts = list(_fields(value))
                name = next(v for n, v, _ in parts if n == _ATTRIBUTE_NAME)
                assert isinstance(name, bytes)
                attributes[name] = tuple(
                    v for n, v, _ in parts if n == _ATTRIBUTE_INTS and isinstance(v, int)
                )
        inputs, outputs = map(tuple, names.values())
        return cls(kind, inputs, outputs, attributes, raw)


def halves(model: bytes, *, window_frames: int, bands: int) -> Halves | None:
    """Cut a network behind its filters that see few frames; None if it has none.

    Parameters
    ----------
    model : bytes
        An ONNX model with the one input ``features``.
    window_frames, bands : int
        Size of a window.
    """
    nodes = _nodes(_graph(model))
    producers = {name: node for node in nodes for name in node.outputs}
    seen = {node.outputs[0]: _frames_seen(node, producers) for node in nodes}
    between = tuple(name for name, frames in seen.items() if frames)
    if not between:
        return None
    front: dict[str, Shape] = {"features": (None, None, bands)}
    back: dict[str, Shape] = {"features": (None, window_frames, bands)}
    back |= dict.fromkeys(between, (None, None, window_frames))
    return Halves(
        front=_cut(model, inputs=front, outputs=between),
        back=_cut(model, inputs=back, outputs=None),
        between=between,
        reach=max(seen.values()) // 2,
    )


def last_weights(model: bytes) -> NDArray[np.float32] | None:
    """The weights [inputs, outputs] of the linear layer that a network ends with; None without one.

    Parameters
    ----------
    model : bytes
        An ONNX model.
    """
    graph = _graph(model)
    last = _nodes(graph)[-1:]  # none in an empty graph
    if not last or last[0].kind != b"Gemm":
        return None
    for number, value, _ in _fields(graph):
        if number != _INITIALIZER or _name(value, _TENSOR_NAME) != last[0].inputs[1]:
            continue
        assert isinstance(value, bytes)
        shape, data = [], b""
        for field, part, _ in _fields(value):
            if field == _TENSOR_SIZES and isinstance(part, int):
                shape.append(part)
            elif field == _TENSOR_RAW and isinstance(part, bytes):
                data = part
        if len(shape) == 2 and len(data) == 4 * shape[0] * shape[1]:
            # As PyTorch writes them: a row for each output.
            return np.frombuffer(data, dtype="<f4").reshape(shape).T
    return None


def _frames_seen(node: _Node, producers: Mapping[str, _Node]) -> int:
    """How many frames the filters see of which this node takes the maximum; 0 if it is none such.

    The maximum over bands leaves few numbers of what filters give: there a cut costs least.
    """
    filters = producers.get(node.inputs[0]) if node.kind == b"ReduceMax" else None
    if filters is None or filters.kind != b"Conv":
        return 0
    # Both are optional in ONNX, and 1 where they are left out.
    if any(set(filters.attributes.get(name, (1,))) != {1} for name in (b"strides", b"dilations")):
        return 0
    at = filters.inputs[0]
    while at != "features":
        before = producers.get(at)
        if before is None or before.kind not in _IN_PLACE:
            return 0
        at = before.inputs[0]
    frames, *over_bands = filters.attributes.get(b"kernel_shape", (0,))
    return frames if over_bands and frames <= _MOST_FRAMES else 0


def _cut(model: bytes, *, inputs: Mapping[str, Shape], outputs: Sequence[str] | None) -> bytes:
    """The part of a model from these inputs to these outputs, or to its own."""
    graph = _graph(model)
    ends = [_name(value) for number, value, _ in _fields(graph) if number == _OUTPUT]
    needed, kept = set(ends if outputs is None else outputs), []
    for node in reversed(_nodes(graph)):  # a node stands behind what it needs
        if needed.intersection(node.outputs).difference(inputs):
            kept.append(node.raw)
            needed.update(node.inputs)
    made = b"".join(reversed(kept))
    for number, value, raw in _fields(graph):
        if number == _INITIALIZER:
            made += raw if _name(value, _TENSOR_NAME) in needed else b""
        elif number == _OUTPUT:
            made += raw if outputs is None else b""
        elif number not in (_NODE, _INPUT, _VALUE_INFO):
            made += raw
    made += b"".join(_port(_INPUT, name, shape) for name, shape in inputs.items())
    made += b"".join(_port(_OUTPUT, name, None) for name in outputs or ())
    rest = b"".join(raw for number, _, raw in _fields(model) if number != _GRAPH)
    return rest + _field(_GRAPH, made)


def _graph(model: bytes) -> bytes:
    graph = next(value for number, value, _ in _fields(model) if number == _GRAPH)
    assert isinstance(graph, bytes)
    return graph


def _nodes(graph: bytes) -> list[_Node]:
    return [
        _Node.read(value, raw)
        for number, value, raw in _fields(graph)
        if number == _NODE and isinstance(value, bytes)
    ]


def _name(message: int | bytes, field: int = 1) -> str:
    assert isinstance(message, bytes)
    name = next((value for number, value, _ in _fields(message) if number == field), b"")
    assert isinstance(name, bytes)
    return name.decode()


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes, bytes]]:
    """Number and value of each field of a message, and its bytes with all that."""
    at = 0
    while at < len(data):
        begin = at
        key, at = _number(data, at)
        kind = key & 7
        if kind == _NUMBER:
            value: int | bytes
            value, at = _number(data, at)
        else:
            size, at = _number(data, at) if kind == _BYTES else ({_EIGHT: 8, _FOUR: 4}[kind], at)
            value, at = data[at : at + size], at + size
        yield key >> 3, value, data[begin:at]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of any length, seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a message, as bytes."""
    if isinstance(value, int):
        return _as_number(number << 3) + _as_number(value)
    return _as_number(number << 3 | _BYTES) + _as_number(len(value)) + value


def _as_number(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def _port(number: int, name: str, shape: Shape | None) -> bytes:
    """An input or output of floats (ValueInfoProto); None for a size that varies."""
    tensor = _field(1, _FLOAT)
    if shape is not None:
        sizes = [b"" if size is None else _field(1, size) for size in shape]
        tensor += _field(2, b"".join(_field(1, size) for size in sizes))
    return _field(number, _field(1, name.encode()) + _field(2, _field(1, tensor)))
