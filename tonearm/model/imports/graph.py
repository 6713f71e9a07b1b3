"""Foreign ONNX graphs: refused where they could do more than compute, cut to what is wanted.

The only module of `model/` that imports onnx. A graph from elsewhere is data, but the runtime runs
it: so it may not read files (external data), load code (operators of other domains), or run for
ever (loops).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.errors import ModelError, pip_install

LARGEST_BYTES = 400 << 20  # the largest published encoder of its kind has 340 MB
_DOMAINS = frozenset(("", "ai.onnx"))
_CONTROL = frozenset(("Loop", "If", "Scan", "SequenceMap"))
# What a graph may hold between its inputs and outputs: effnet's windows have 5 million at most.
_MOST_ELEMENTS = 1 << 28


@dataclass(frozen=True)
class Port:
    """An input or output: its name and sizes, None where they vary."""

    name: str
    shape: tuple[int | None, ...]


class Graph:
    """A graph that was found harmless.

    Parameters
    ----------
    data : bytes
        An ONNX file.

    Raises
    ------
    ModelError
        When it is none, or could do harm.
    """

    def __init__(self, data: bytes) -> None:
        onnx = _onnx()
        if len(data) > LARGEST_BYTES:
            raise ModelError(f"is larger than {LARGEST_BYTES >> 20} MB")
        try:
            self._model = onnx.load_model_from_string(data)
            # Looked at before the checker, which would open external files to check them.
            _refuse_harm(self._model)
            onnx.checker.check_model(self._model)
            inferred = onnx.shape_inference.infer_shapes(self._model, data_prop=True)
        except ModelError:
            raise
        except Exception as error:  # protobuf's and onnx's own share no other base
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"is not an ONNX network that can be checked: {reason}") from None
        _refuse_size(inferred)
        graph = self._model.graph
        self.constants = dict(_constants(graph))
        self.inputs = [p for p in map(_port, graph.input) if p.name not in self.constants]
        self.outputs = list(map(_port, graph.output))
        self.producers = {name: node for node in graph.node for name in node.output}

    def attribute(self, node: Any, name: str, otherwise: Any) -> Any:  # noqa: ANN401
        """An attribute of a node.

        Parameters
        ----------
        node : NodeProto
            A node of this graph.
        name : str
            As the operator's specification has it, such as ``axis``.
        otherwise : object
            Its value where it is not given.
        """
        for each in node.attribute:
            if each.name == name:
                return _onnx().helper.get_attribute_value(each)
        return otherwise

    def cut(self, *, output: str) -> bytes:
        """The part from the input to one output, as model files have it.

        Parameters
        ----------
        output : str
            Name of the output: it becomes ``windows``, the input becomes ``features``.

        Returns
        -------
        bytes
            ONNX without the nodes that the output does not need.
        """
        onnx = _onnx()
        wanted, needed, kept = {output}, set(), []
        for node in reversed(self._model.graph.node):  # in order, as the checker has seen
            if wanted & set(node.output):
                kept.append(node)
                wanted |= set(node.input)
                needed |= set(node.input)
        given = self.inputs[0].name
        made = onnx.ModelProto()
        made.CopyFrom(self._model)
        graph = made.graph
        # Copied and emptied, so that versions and operator sets stay those of the original.
        for field in ("node", "output", "input", "value_info", "initializer"):
            graph.ClearField(field)
        graph.input.append(_renamed(self._model.graph.input, given, "features"))
        graph.output.append(_renamed(self._model.graph.output, output, "windows"))
        # Names of its own may be any: ours are joined on by nodes that do nothing.
        graph.node.append(onnx.helper.make_node("Identity", ["features"], [given]))
        graph.node.extend(reversed(kept))
        graph.node.append(onnx.helper.make_node("Identity", [output], ["windows"]))
        graph.initializer.extend(
            each for each in self._model.graph.initializer if each.name in needed
        )
        for port in (graph.input[0], graph.output[0]):
            # A fixed batch of 64, as some networks are published with, would refuse a song of ten
            # windows.
            port.type.tensor_type.shape.dim[0].Clear()
            port.type.tensor_type.shape.dim[0].dim_param = "batch"
        # Texts of an author's machine belong to nobody who uses the model.
        made.doc_string = ""
        del made.metadata_props[:]
        try:
            onnx.checker.check_model(made)
        except Exception as error:
            raise ModelError(f"cannot be cut at {output}: {error}") from None
        return bytes(made.SerializeToString())


def _onnx() -> Any:  # noqa: ANN401 - its stubs know little
    try:
        import onnx
    except ImportError:
        raise ModelError(f"needs the onnx package: {pip_install('import')}") from None
    return onnx


def _graphs(graph: Any) -> Iterator[Any]:  # noqa: ANN401
    """A graph and all within its nodes."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                # Protobuf has no None: an attribute that is not there is an empty one.
                if inner.ByteSize():
                    yield from _graphs(inner)


def _tensors(graph: Any) -> Iterator[Any]:  # noqa: ANN401
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)


def _refuse_harm(model: Any) -> None:  # noqa: ANN401
    onnx = _onnx()
    if len(model.functions) or len(model.training_info):
        raise ModelError("defines functions or training of its own, which Tonearm does not run")
    domains = {each.domain for each in model.opset_import}
    for graph in _graphs(model.graph):
        domains |= {node.domain for node in graph.node}
        if loops := {node.op_type for node in graph.node} & _CONTROL:
            raise ModelError(f"has {', '.join(sorted(loops))}: it may run for ever")
        for tensor in _tensors(graph):
            if tensor.data_location == onnx.TensorProto.EXTERNAL or len(tensor.external_data):
                raise ModelError("keeps numbers in other files, which Tonearm does not open")
    if foreign := sorted(domains - _DOMAINS):
        raise ModelError(f"has operators of {', '.join(foreign)}, which need code from elsewhere")


def _refuse_size(inferred: Any) -> None:  # noqa: ANN401
    """Refuse a graph that would fill the memory: a few bytes may ask for a tensor of any size."""
    graph = inferred.graph
    for each in (*graph.value_info, *graph.output, *graph.input):
        # As 64-bit floats: the product of sizes from a file may exceed every integer.
        sizes = [dim.dim_value for dim in each.type.tensor_type.shape.dim if dim.dim_value > 0]
        if np.prod(np.array(sizes, dtype=np.float64)) > _MOST_ELEMENTS:
            raise ModelError(f"has a tensor of {sizes} numbers, more than a window may use")


def _constants(graph: Any) -> Iterator[tuple[str, NDArray[Any]]]:  # noqa: ANN401
    onnx = _onnx()
    for tensor in graph.initializer:
        yield tensor.name, onnx.numpy_helper.to_array(tensor)
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].t.ByteSize():
            yield node.output[0], onnx.numpy_helper.to_array(node.attribute[0].t)


def _port(value: Any) -> Port:  # noqa: ANN401
    dims = value.type.tensor_type.shape.dim
    return Port(value.name, tuple(dim.dim_value or None for dim in dims))


def _renamed(values: Any, name: str, new: str) -> Any:  # noqa: ANN401
    found = _onnx().ValueInfoProto()
    found.CopyFrom(next(each for each in values if each.name == name))
    found.name = new
    return found
