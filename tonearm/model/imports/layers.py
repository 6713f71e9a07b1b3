"""Dense layers out of a graph: from one of its tensors to another, if nothing else lies between.

Published heads are such chains. As plain arrays they are classified by NumPy, and a stored
embedding can be classified again without the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonearm.model.imports.graph import Graph
from tonearm.model.multi_label import Activation, Layer

Float32 = NDArray[np.float32]
_ACTIVATIONS: dict[str, Activation] = {"Relu": "relu", "Sigmoid": "sigmoid", "Softmax": "softmax"}
# Operators that change no number of a float tensor [n, d] where they stand in a published head.
_NOTHING = frozenset(("Identity", "Dropout", "Cast", "Flatten"))
_LONGEST = 64  # nodes


@dataclass(frozen=True)
class _Affine:
    """``x @ weight + bias``; a weight of None multiplies by ``scale`` alone."""

    weight: Float32 | None
    scale: Float32 | None
    bias: Float32 | None


def chain(graph: Graph, source: str, target: str) -> tuple[Layer, ...] | None:
    """The layers from tensor ``source`` to tensor ``target``; None if there is anything else.

    Parameters
    ----------
    graph : Graph
        The network.
    source, target : str
        Names of tensors [n, d] and [n, c].
    """
    steps: list[_Affine | Activation] = []
    # From the end: a tensor has one producer and any number of readers.
    name = target
    while name != source:
        node = graph.producers.get(name)
        # A cycle, which ONNX forbids and a file may have all the same.
        if node is None or len(steps) > _LONGEST:
            return None
        step, before = _step(graph, node)
        if before is None:
            return None
        if step is not None:
            steps.append(step)
        name = before
    return _folded(steps[::-1])


def _step(graph: Graph, node: Any) -> tuple[_Affine | Activation | None, str | None]:  # noqa: ANN401
    """What a node does, and the tensor it does it to; that is None where it is something else."""
    kind, given = node.op_type, list(node.input)
    if kind in _ACTIVATIONS or kind in _NOTHING:
        return _ACTIVATIONS.get(kind), given[0]
    return _affine(graph, node, [graph.constants.get(name) for name in given])


def _affine(
    graph: Graph,
    node: Any,  # noqa: ANN401
    constants: list[NDArray[Any] | None],
) -> tuple[_Affine | None, str | None]:
    kind, given = node.op_type, list(node.input)
    # Values by constants only: a product of two computed tensors is no dense layer.
    if kind == "MatMul" and constants[0] is None and _is_matrix(constants[1]):
        return _Affine(_float(constants[1]), None, None), given[0]
    if kind == "Gemm" and constants[0] is None and all(map(_is_given, constants[1:])):
        return _gemm(graph, node, constants), given[0]
    if kind in ("Add", "Mul") and sum(each is None for each in constants) == 1:
        place = 0 if constants[0] is not None else 1
        value = _float(constants[place]).reshape(-1)
        step = _Affine(None, None, value) if kind == "Add" else _Affine(None, value, None)
        return step, given[1 - place]
    if kind == "BatchNormalization" and all(each is not None for each in constants[1:5]):
        factor, shift, mean, variance = (_float(each) for each in constants[1:5])
        # In evaluation it is a fixed scale and shift, so it folds into the layer before it.
        scale = factor / np.sqrt(variance + graph.attribute(node, "epsilon", 1e-5))
        return _Affine(None, scale, shift - mean * scale), given[0]
    return None, None


def _gemm(graph: Graph, node: Any, constants: list[NDArray[Any] | None]) -> _Affine:  # noqa: ANN401
    weight = _float(constants[1])
    if graph.attribute(node, "transB", 0):
        weight = weight.T
    weight = weight * np.float32(graph.attribute(node, "alpha", 1.0))
    bias = None
    if len(constants) > 2:
        factor = np.float32(graph.attribute(node, "beta", 1.0))
        bias = _float(constants[2]).reshape(-1) * factor
    return _Affine(weight, None, bias)


def _folded(steps: list[_Affine | Activation]) -> tuple[Layer, ...] | None:
    """Steps in order as layers; None where one scales before any matrix."""
    layers: list[Layer] = []
    weight: Float32 | None = None
    bias: Float32 | None = None
    for step in steps:
        if isinstance(step, str):
            if weight is None:
                return None
            layers.append(_layer(weight, bias, step))
            weight = bias = None
            continue
        if step.weight is not None:
            if weight is not None:
                # Two matrices without an activation in between are one, and so is what was added
                # before.
                bias = None if bias is None else bias @ step.weight
                weight = weight @ step.weight
            else:
                weight = step.weight
        if weight is None:
            return None
        if step.scale is not None:
            weight = weight * step.scale
            bias = None if bias is None else bias * step.scale
        if step.bias is not None:
            bias = step.bias if bias is None else bias + step.bias
    if weight is not None:
        layers.append(_layer(weight, bias, "none"))
    return tuple(layers) or None


def _layer(weight: Float32, bias: Float32 | None, activation: Activation) -> Layer:
    width = weight.shape[1]
    whole = np.zeros(width) if bias is None else np.broadcast_to(bias, (width,))
    return Layer(_float(weight), _float(whole), activation)


def _is_given(values: NDArray[Any] | None) -> bool:
    return values is not None


def _is_matrix(values: NDArray[Any] | None) -> bool:
    return values is not None and values.ndim == 2


def _float(values: NDArray[Any] | None) -> Float32:
    return np.ascontiguousarray(values, dtype=np.float32)
